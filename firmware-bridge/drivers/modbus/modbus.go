// Package modbus reads meters, inverters and controllers that speak Modbus, by a map of their registers: a ready one, or one
// in the settings.
//
// Specifications: Modbus Application Protocol V1.1b3, for the tables and what may be read at once; SunSpec Information Model
// Specification V1.9, for the devices that describe themselves. The documents behind each ready map, and what confirmed it,
// stand in its file in the folder maps. None of the ready maps has been tried with the device itself.
//
//	map ──► registers ──join──► blocks ──bus.Registers──► words ──decode──► Measurements
//	                               ▲                        │
//	                               └── taken apart where ◄──┘
//	                                   a device refuses
package modbus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver"
)

// Options of one sensor: one unit on a line.
type Options struct {
	// Unit is the unit's id: 1 to 247 on a serial line; on TCP also 0 and 255, which stand for the device itself.
	Unit uint8 `mapstructure:"unit"`
	// Map is the name of a ready map.
	Map string `mapstructure:"map"`
	// Registers are a map of one's own, in place of a ready one.
	Registers []Register `mapstructure:"registers"`
	// Quantities are those that are wanted; none are all that the map has.
	Quantities []string `mapstructure:"quantities"`
	// MaxGap is how many registers between two that are wanted may be read along to save a request; negative is the map's
	// own, or 10.
	MaxGap int `mapstructure:"max_gap"`
	// MaxRegisters is how many registers one request may read; 0 is the map's own, or 125.
	MaxRegisters uint16 `mapstructure:"max_registers"`
}

// defaultGap is 20 bytes: at 9,600 baud they take as long as a request, the shortest answer's frame and the silences.
const defaultGap = 10

// Validate says all that is wrong, each with its key.
func (o *Options) Validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	switch {
	case o.Map == "" && len(o.Registers) == 0:
		fault("map: neither map nor registers is set; name one of %s, or list the registers", strings.Join(Names(), ", "))
	case o.Map != "" && len(o.Registers) > 0:
		fault("map: both map and registers are set; leave one out")
	}
	if o.MaxGap > bus.MaxRegisters {
		fault("max_gap: %d is more than one request reads, %d", o.MaxGap, bus.MaxRegisters)
	}
	if o.MaxRegisters > bus.MaxRegisters {
		fault("max_registers: %d is more than one request may read, %d", o.MaxRegisters, bus.MaxRegisters)
	}
	m, err := o.resolve()
	if err != nil {
		faults = append(faults, err)
		return errors.Join(faults...)
	}
	for _, q := range o.Quantities {
		if !slices.ContainsFunc(m.all(), func(r Register) bool { return r.Quantity == q }) {
			fault("quantities: %q is not in the map; it has %s", q, strings.Join(m.quantities(), ", "))
		}
	}
	for i := range o.Registers {
		if err := o.Registers[i].Validate(); err != nil {
			faults = append(faults, prefixed(fmt.Sprintf("registers[%d].", i), err))
		}
	}
	return errors.Join(append(faults, contradictions(o.Registers))...)
}

// prefixed puts the same words before every line of an error.
func prefixed(prefix string, err error) error {
	return errors.New(prefix + strings.ReplaceAll(err.Error(), "\n", "\n"+prefix))
}

// resolve returns the map that the options name or list, with their bounds in place of its own.
func (o *Options) resolve() (Map, error) {
	m := Map{Registers: o.Registers}
	if o.Map != "" {
		var err error
		if m, err = Ready(o.Map); err != nil {
			return Map{}, fmt.Errorf("map: %w", err)
		}
	}
	if o.MaxRegisters > 0 {
		m.MaxRegisters = o.MaxRegisters
	}
	if m.MaxRegisters == 0 {
		m.MaxRegisters = bus.MaxRegisters
	}
	if o.MaxGap >= 0 {
		m.MaxGap = &o.MaxGap
	}
	if m.MaxGap == nil {
		gap := defaultGap
		m.MaxGap = &gap
	}
	return m, nil
}

// wanted tells whether a register's quantity is.
func (o *Options) wanted(r Register) bool {
	return len(o.Quantities) == 0 || slices.Contains(o.Quantities, r.Quantity)
}

// Driver describes it.
func Driver() driver.Driver {
	return driver.Driver{
		Name:     "modbus",
		Title:    "Modbus registers: meters, inverters and controllers, by ready maps or one's own",
		Bus:      bus.Modbus,
		Options:  func() driver.Options { return &Options{Unit: 1, MaxGap: -1} },
		Open:     open,
		Simulate: simulate,
		Probe:    probe,
		Example: `id: cabinet-7-meter
driver: modbus
bus: modbus-1
every: 10s
options:
  unit: 1
  map: eastron-sdm630
`,
	}
}

// open reads what identifies the device, if the map says what that is, and finds out where a SunSpec device has its models.
func open(ctx context.Context, s driver.Setup) (driver.Sensor, error) {
	o := s.Options.(*Options)
	m, err := o.resolve()
	if err != nil {
		return nil, err
	}
	d := &device{line: s.Bus.Modbus, unit: o.Unit, most: m.MaxRegisters}
	var identity []string
	if len(m.Models) > 0 {
		if m.Registers, identity, err = d.discover(ctx, m.Models); err != nil {
			return nil, err
		}
	}
	texts, err := d.identify(ctx, m.Registers)
	if err != nil {
		return nil, err
	}
	var registers []Register
	for _, r := range m.Registers {
		if r.kind() != String && o.wanted(r) {
			registers = append(registers, r)
		}
	}
	for _, overlap := range overlaps(registers) {
		s.Log.Info("modbus registers overlap", "sensor", s.Sensor, "registers", overlap)
	}
	return newSensor(s, d, registers, join(spans(registers), *m.MaxGap, m.MaxRegisters), append(identity, texts...)), nil
}
