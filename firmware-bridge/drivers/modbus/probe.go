package modbus

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver"
)

// lastUnit is the highest id on a serial line.
const lastUnit = 247

// probe scans the line, and tells which of the units are devices of a ready map. A unit that answers and is of none can be
// read all the same, but nobody knows what it means; it is left out.
func probe(ctx context.Context, b *bus.Bus) ([]driver.Found, error) {
	var kinds []Map
	for _, name := range Names() {
		m, err := Ready(name)
		if err != nil {
			return nil, err
		}
		kinds = append(kinds, m)
	}
	units, err := bus.ScanModbus(ctx, b.Modbus, 1, lastUnit)
	var found []driver.Found
	for _, u := range units {
		if u.Err != nil {
			continue
		}
		d := &device{line: b.Modbus, unit: u.Unit}
		for i, m := range kinds {
			if d.is(ctx, m) {
				found = append(found, driver.Found{
					Where:   fmt.Sprintf("unit %d: %s", u.Unit, m.Title),
					Options: map[string]any{"unit": u.Unit, "map": Names()[i]},
				})
				break
			}
		}
	}
	return found, err
}

// is tells whether the device can be known as one of a map's.
func (d *device) is(ctx context.Context, m Map) bool {
	if len(m.Models) > 0 {
		_, _, err := d.discover(ctx, m.Models)
		return err == nil
	}
	for _, sign := range m.Recognise {
		table, _ := (&Register{Table: sign.Table}).table()
		words, err := d.read(ctx, span{table, sign.Address, max(sign.Length, 1)})
		if err != nil {
			return false
		}
		begins := func(with string) bool { return strings.HasPrefix(text(words, flags{}), with) }
		if len(sign.Texts) > 0 && !slices.ContainsFunc(sign.Texts, begins) {
			return false
		}
		if len(sign.Values) > 0 && !slices.Contains(sign.Values, words[0]) {
			return false
		}
	}
	return len(m.Recognise) > 0
}
