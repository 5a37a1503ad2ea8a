package dsmr

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/lamppost-city/lamppost/firmware-bridge/clock"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver"
)

// meaning is what an electricity object is. minus is the code of what is taken off: power goes one way or the other.
type meaning struct {
	quantity, channel string
	minus             [3]int
}

// electricity are the objects of medium 1, channel 0: per tariff and in all; per
// phase.
func electricity() map[[3]int]meaning {
	return map[[3]int]meaning{
		{1, 8, 0}: {quantity: "energy_import"},
		{1, 8, 1}: {quantity: "energy_import", channel: "t1"},
		{1, 8, 2}: {quantity: "energy_import", channel: "t2"},
		{1, 8, 3}: {quantity: "energy_import", channel: "t3"},
		{1, 8, 4}: {quantity: "energy_import", channel: "t4"},
		{2, 8, 0}: {quantity: "energy_export"},
		{2, 8, 1}: {quantity: "energy_export", channel: "t1"},
		{2, 8, 2}: {quantity: "energy_export", channel: "t2"},
		{2, 8, 3}: {quantity: "energy_export", channel: "t3"},
		{2, 8, 4}: {quantity: "energy_export", channel: "t4"},
		{3, 8, 0}: {quantity: "reactive_energy_import"},

		{1, 7, 0}:  {quantity: "active_power", minus: [3]int{2, 7, 0}},
		{21, 7, 0}: {quantity: "active_power", channel: "L1", minus: [3]int{22, 7, 0}},
		{41, 7, 0}: {quantity: "active_power", channel: "L2", minus: [3]int{42, 7, 0}},
		{61, 7, 0}: {quantity: "active_power", channel: "L3", minus: [3]int{62, 7, 0}},
		{3, 7, 0}:  {quantity: "reactive_power", minus: [3]int{4, 7, 0}},

		{32, 7, 0}: {quantity: "voltage", channel: "L1"},
		{52, 7, 0}: {quantity: "voltage", channel: "L2"},
		{72, 7, 0}: {quantity: "voltage", channel: "L3"},
		{31, 7, 0}: {quantity: "current", channel: "L1"},
		{51, 7, 0}: {quantity: "current", channel: "L2"},
		{71, 7, 0}: {quantity: "current", channel: "L3"},
	}
}

// mbus are the quantities of meters on M-Bus, by their type (EN 13757-3, table of device types).
func mbus() map[string]string {
	return map[string]string{
		"002": "energy_import",
		"003": "gas_volume",
		"004": "heat_energy", "012": "heat_energy", // on the return and on the flow side
		"006": "water_volume", "007": "water_volume",
	}
}

// reader turns objects into measurements. It remembers what the meters on M-Bus said last: they speak every five minutes or
// every hour, and are repeated in each telegram.
type reader struct {
	zone *time.Location
	said map[int]time.Time // by channel
}

// measure reads a telegram. What is good of it is returned beside an error.
func (r *reader) measure(telegram []byte, at clock.Instant) ([]driver.Measurement, error) {
	objects, err := parse(telegram)
	if err != nil {
		return nil, err
	}
	byCode := make(map[code]object, len(objects))
	for _, o := range objects {
		byCode[o.code] = o
	}
	var date time.Time
	if o, ok := byCode[code{0, 0, [3]int{1, 0, 0}}]; ok {
		date, _ = stamp(o.values[0], r.zone)
	}
	var all []driver.Measurement
	var faults []error
	add := func(m driver.Measurement, date time.Time, err error) {
		if err != nil {
			faults = append(faults, err)
			return
		}
		m.At, m.Date = at, date
		all = append(all, m)
	}
	meanings := electricity()
	for _, o := range objects { // in the telegram's order
		switch {
		case o.medium == 1 && o.channel == 0:
			if meant, ok := meanings[o.what]; ok {
				m, err := power(meant, o, byCode)
				add(m, date, err)
			}
		case o.medium == 0 && o.channel > 0:
			m, stamped, ok, err := r.slave(o, byCode)
			if ok || err != nil {
				add(m, stamped, err)
			}
		}
	}
	return all, errors.Join(faults...)
}

// power reads an electricity object, less the one of the other direction.
func power(meant meaning, o object, all map[code]object) (driver.Measurement, error) {
	value, unit, ok := number(o.values[0])
	if !ok {
		return driver.Measurement{}, fmt.Errorf("%s %s is %.40q: %w", meant.quantity, meant.channel, o.values[0], errForm)
	}
	if back, there := all[code{o.medium, o.channel, meant.minus}]; there && meant.minus != [3]int{} {
		less, other, ok := number(back.values[0])
		if !ok || other != unit {
			return driver.Measurement{}, fmt.Errorf("%s %s is %.40q: %w", meant.quantity, meant.channel, back.values[0], errForm)
		}
		value -= less
	}
	return driver.Scale{Quantity: meant.quantity, Channel: meant.channel, Unit: unit}.Measure(value)
}

// slave reads what a meter on M-Bus said. It is not ok if that is no value, or was told before.
func (r *reader) slave(o object, all map[code]object) (m driver.Measurement, date time.Time, ok bool, err error) {
	var text, unit string
	switch {
	case o.what == [3]int{24, 2, 1} && len(o.values) == 2, o.what == [3]int{24, 2, 3} && len(o.values) == 2: // stamp, value*unit
		text = o.values[1]
	case o.what == [3]int{24, 3, 0} && len(o.values) == 7: // DSMR 2.2 and 3: stamp, status, period, number, code, unit, value
		text, unit = o.values[6], "*"+o.values[5]
	default:
		return m, date, false, nil
	}
	date, known := stamp(o.values[0], r.zone)
	if !known || date.Equal(r.said[o.channel]) {
		return m, date, false, nil // the meter has not spoken yet, or not again
	}
	kind, there := all[code{0, o.channel, [3]int{24, 1, 0}}]
	quantity := "gas_volume" // telegrams of DSMR 2.2 may not say; other meters came later
	if there {
		if quantity = mbus()[padded(kind.values[0])]; quantity == "" {
			return m, date, false, nil
		}
	}
	value, unit, good := number(text + unit)
	if !good {
		return m, date, false, fmt.Errorf("%s of M-Bus channel %d is %.40q: %w", quantity, o.channel, text, errForm)
	}
	if unit == "GJ" {
		value, unit = value*1000, "MJ"
	}
	m, err = driver.Scale{Quantity: quantity, Channel: "mbus" + strconv.Itoa(o.channel), Unit: unit}.Measure(value)
	if err != nil {
		return m, date, false, err
	}
	r.said[o.channel] = date
	return m, date, true, nil
}

// padded makes a device type three digits long: some write 3.
func padded(s string) string {
	for len(s) < 3 {
		s = "0" + s
	}
	return s
}
