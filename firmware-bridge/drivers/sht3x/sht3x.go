// Package sht3x reads the SHT30, SHT31, SHT35 and SHT85, sensors of Sensirion for temperature and humidity on I2C.
//
// Data sheet: Sensirion, Datasheet SHT3x-DIS, version 5, May 2018; section numbers are of it.
//
// The heater is switched off when the sensor is opened. A reading takes 5 to 16 ms by the repeatability, half as long again if
// the chip is late, and ends with its context.
package sht3x

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
	// Address is 0x44 or 0x45, set by the pin ADDR.
	Address uint16 `mapstructure:"address"`
	// Quantity is what the temperature is of: temperature, device_temperature.
	Quantity string `mapstructure:"quantity"`
	// Repeatability is high, medium or low: less noise takes longer.
	Repeatability string `mapstructure:"repeatability"`
}

// Validate says all that is wrong, each with its key.
func (o *Options) Validate() error {
	faults := []error{model().Check(o.Address), chip.TemperatureOption("quantity", o.Quantity)}
	if _, ok := measurements()[o.Repeatability]; !ok {
		faults = append(faults, fmt.Errorf("repeatability: %q is none of high, medium, low", o.Repeatability))
	}
	return errors.Join(faults...)
}

// measurement is a command, without clock stretching (section 4.3, table 9), and how long it takes at most, at the lowest
// supply (section 2.2, table 5).
type measurement struct {
	command uint16
	takes   time.Duration
}

func measurements() map[string]measurement {
	return map[string]measurement{
		"high":   {0x2400, 15500 * time.Microsecond},
		"medium": {0x240b, 6500 * time.Microsecond},
		"low":    {0x2416, 4500 * time.Microsecond},
	}
}

const (
	stopPeriodic = 0x3093 // break, section 4.8
	heaterOff    = 0x3066 // section 4.10
	readStatus   = 0xf32d // section 4.11
	heaterIsOn   = 1 << 13
)

func model() chip.Model {
	return chip.Model{Name: "SHT3x", Addresses: []uint16{0x44, 0x45}, Pins: "the pin ADDR", Identify: identify}
}

// identify asks for the status. That its checksum is right shows that it is one.
func identify(ctx context.Context, b i2c.Bus, address uint16) error {
	_, err := status(ctx, b, address)
	return err
}

func status(ctx context.Context, b i2c.Bus, address uint16) (uint16, error) {
	words, err := chip.Ask(ctx, b, address, []byte{readStatus >> 8, readStatus & 0xff}, time.Millisecond, 1)
	if err != nil {
		return 0, fmt.Errorf("ask the SHT3x at %#x for its status: %w", address, err)
	}
	return words[0], nil
}

// Driver describes it.
func Driver() driver.Driver {
	return driver.Driver{
		Name:     "sht3x",
		Title:    "Sensirion SHT30, SHT31, SHT35, SHT85: temperature, humidity",
		Bus:      bus.I2C,
		Options:  func() driver.Options { return &Options{Address: 0x44, Quantity: "temperature", Repeatability: "high"} },
		Open:     open,
		Simulate: simulate,
		Probe:    model().ProbeSilent,
		Example: `id: mast-3-air
driver: sht3x
bus: i2c-1
every: 1m
options:
  address: 0x44
`,
	}
}

type sensor struct {
	bus     i2c.Bus
	options Options
}

// open ends what another program may have left behind: a periodic measurement, in which the chip takes no other, and the heater.
func open(ctx context.Context, s driver.Setup) (driver.Sensor, error) {
	o := *s.Options.(*Options)
	if err := model().Find(ctx, s.Bus.I2C, o.Address); err != nil {
		return nil, err
	}
	for _, command := range []uint16{stopPeriodic, heaterOff} {
		if err := s.Bus.I2C.Tx(o.Address, []byte{byte(command >> 8), byte(command)}, nil); err != nil {
			return nil, fmt.Errorf("send %#04x to the SHT3x at %#x: %w", command, o.Address, err)
		}
		if err := chip.Wait(ctx, time.Millisecond); err != nil {
			return nil, err
		}
	}
	now, err := status(ctx, s.Bus.I2C, o.Address)
	if err != nil {
		return nil, err
	}
	if now&heaterIsOn != 0 {
		return nil, fault.New(fault.Refused, fmt.Errorf("the heater of the SHT3x at %#x stays on: status %#04x", o.Address, now), "take its supply away for a second; if this comes again it is broken")
	}
	return &sensor{bus: s.Bus.I2C, options: o}, nil
}

// Read measures once. The chip keeps no settings that it could lose.
func (s *sensor) Read(ctx context.Context) ([]driver.Measurement, error) {
	m := measurements()[s.options.Repeatability]
	words, err := chip.Ask(ctx, s.bus, s.options.Address, []byte{byte(m.command >> 8), byte(m.command)}, m.takes, 2)
	if err != nil {
		return nil, fmt.Errorf("measure: %w", err)
	}
	const advice = "look whether the sensor is wet; else replace it" // the formulas are of section 4.13
	return chip.Measure(
		chip.Value{Quantity: s.options.Quantity, Unit: "Cel", Value: -45 + 175*float64(words[0])/65535, Least: -40, Most: 125, Advice: advice},
		chip.Value{Quantity: "relative_humidity", Value: float64(words[1]) / 65535, Advice: advice},
	)
}

// Close has nothing to do: the chip sleeps between measurements.
func (s *sensor) Close() error { return nil }
