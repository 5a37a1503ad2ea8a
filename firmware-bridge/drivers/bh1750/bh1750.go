// Package bh1750 reads the BH1750FVI, a light sensor of ROHM on I2C.
//
// Data sheet: ROHM, BH1750FVI Technical Note, 2009.04 Rev. B; page numbers are of it.
//
// periph has a driver for it, which is not used: its SetMode writes the command for a reset in place of the mode, so that the
// chip is neither switched on nor off; it waits 140 ms for what may take 180 (page 2); and it cuts values to whole lux, which
// are a lot at night.
//
// The chip has nothing by which it can be told from others at its addresses. A reading takes up to 180 ms, or 663 ms with
// the longest measurement time, twice that in the sun, and ends with its context.
package bh1750

import (
	"context"
	"errors"
	"fmt"
	"time"

	"periph.io/x/conn/v3/i2c"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver/chip"
	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
)

// Options of one sensor.
type Options struct {
	// Address is 0x23 or 0x5c, set by the pin ADDR.
	Address uint16 `mapstructure:"address"`
	// Resolution is high (1 lx), higher (0.5 lx) or low (4 lx, in 24 ms).
	Resolution string `mapstructure:"resolution"`
	// MeasurementTime is 31 to 254; 69 is the chip's own. A longer one resolves more and saturates sooner. What saturates is
	// measured again with the shortest.
	MeasurementTime int `mapstructure:"measurement_time"`
	// Factor corrects what the window in front of the chip swallows: 1.25 where it lets 80 % through.
	Factor float64 `mapstructure:"factor"`
}

// Validate says all that is wrong, each with its key.
func (o *Options) Validate() error {
	faults := []error{model().Check(o.Address)}
	if _, ok := modeOf(o.Resolution); !ok {
		faults = append(faults, fmt.Errorf("resolution: %q is none of high, higher, low", o.Resolution))
	}
	if o.MeasurementTime < shortest || o.MeasurementTime > 254 {
		faults = append(faults, fmt.Errorf("measurement_time: %d is outside %d to 254", o.MeasurementTime, shortest))
	}
	if !(o.Factor >= 0.1 && o.Factor <= 100) {
		faults = append(faults, fmt.Errorf("factor: %g is outside 0.1 to 100", o.Factor))
	}
	return errors.Join(faults...)
}

// Commands (page 5) and the measurement time (page 11).
const (
	powerDown = 0x00
	timeHigh  = 0x40 // with the highest 3 bits of the measurement time
	timeLow   = 0x60 // with the lowest 5
	ordinary  = 69
	shortest  = 31
	saturated = 0xffff
)

// mode is a way to measure once, after which the chip sleeps.
type mode struct {
	command byte
	// takes is at most so long, with the ordinary measurement time (page 2).
	takes time.Duration
	// counts are those of 1 lx, with the ordinary measurement time (pages 10 and 11).
	counts float64
}

func modeOf(resolution string) (mode, bool) {
	switch resolution {
	case "high":
		return mode{command: 0x20, takes: 180 * time.Millisecond, counts: 1.2}, true
	case "higher":
		return mode{command: 0x21, takes: 180 * time.Millisecond, counts: 2.4}, true
	case "low":
		return mode{command: 0x23, takes: 24 * time.Millisecond, counts: 1.2}, true
	}
	return mode{}, false
}

func model() chip.Model {
	return chip.Model{Name: "BH1750", Addresses: []uint16{0x23, 0x5c}, Pins: "the pin ADDR"}
}

// Driver describes it.
func Driver() driver.Driver {
	return driver.Driver{
		Name:  "bh1750",
		Title: "ROHM BH1750: illuminance",
		Bus:   bus.I2C,
		Options: func() driver.Options {
			return &Options{Address: 0x23, Resolution: "high", MeasurementTime: ordinary, Factor: 1}
		},
		Open:     open,
		Simulate: simulate,
		// It has no register to ask.
		PerhapsAt: model().Addresses,
		Example: `id: square-1-light
driver: bh1750
bus: i2c-1
every: 1m
options:
  address: 0x23
  factor: 1.25
`,
	}
}

type sensor struct {
	bus     i2c.Bus
	options Options
}

func open(ctx context.Context, s driver.Setup) (driver.Sensor, error) {
	o := *s.Options.(*Options)
	if err := model().Find(ctx, s.Bus.I2C, o.Address); err != nil {
		return nil, err
	}
	return &sensor{bus: s.Bus.I2C, options: o}, nil
}

// Read measures once, and once more if it is too bright.
func (s *sensor) Read(ctx context.Context) ([]driver.Measurement, error) {
	m, _ := modeOf(s.options.Resolution)
	length := s.options.MeasurementTime
	count, err := s.measure(ctx, m, length)
	if err == nil && count == saturated {
		m, _ = modeOf("high")
		length = shortest
		count, err = s.measure(ctx, m, length)
	}
	if err != nil {
		return nil, err
	}
	lux := float64(count) / m.counts * ordinary / float64(length)
	if count == saturated {
		return nil, fault.New(fault.Implausible, fmt.Errorf("it is brighter than %.0f lx", lux), "shade the sensor by a window, and set factor to what that swallows")
	}
	return chip.Measure(chip.Value{Quantity: "illuminance", Unit: "lx", Value: lux * s.options.Factor, Advice: "look at factor"})
}

// measure sets the measurement time, which the chip forgets without supply, and measures. Every command is a transaction of its
// own (page 10).
func (s *sensor) measure(ctx context.Context, m mode, length int) (uint16, error) {
	for _, command := range []byte{timeHigh | byte(length>>5), timeLow | byte(length&0x1f), m.command} {
		if err := s.bus.Tx(s.options.Address, []byte{command}, nil); err != nil {
			return 0, fmt.Errorf("send %#02x to the BH1750: %w", command, err)
		}
	}
	if err := chip.Wait(ctx, m.takes*time.Duration(length)/ordinary); err != nil {
		return 0, fmt.Errorf("wait for the BH1750: %w", err)
	}
	var both [2]byte
	if err := s.bus.Tx(s.options.Address, nil, both[:]); err != nil {
		return 0, fmt.Errorf("read the BH1750: %w", err)
	}
	return uint16(both[0])<<8 | uint16(both[1]), nil
}

// Close switches the chip off.
func (s *sensor) Close() error { return s.bus.Tx(s.options.Address, []byte{powerDown}, nil) }
