// Package sht4x reads the SHT40, SHT41, SHT43 and SHT45, sensors of Sensirion for temperature and humidity on I2C.
//
// Data sheet: Sensirion, SHT4x 4th Generation, High-Accuracy, Ultra-Low-Power, 16-bit Relative Humidity and Temperature Sensor
// Platform, version 6; section numbers are of it.
//
// The heater is never switched on. A reading takes 2 to 9 ms by the repeatability, half as long again if the chip is late,
// and ends with its context.
package sht4x

import (
	"context"
	"errors"
	"fmt"
	"time"

	"periph.io/x/conn/v3/i2c"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver/chip"
)

// Options of one sensor.
type Options struct {
	// Address is 0x44, 0x45 or 0x46, by the chip's order number: SHT4x-A, -B, -C.
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

// measurement is a command and how long it takes at most (sections 3.1 and 4.5).
type measurement struct {
	command byte
	takes   time.Duration
}

func measurements() map[string]measurement {
	return map[string]measurement{
		"high":   {0xfd, 8300 * time.Microsecond},
		"medium": {0xf6, 4500 * time.Microsecond},
		"low":    {0xe0, 1600 * time.Microsecond},
	}
}

const serialNumber = 0x89

func model() chip.Model {
	return chip.Model{Name: "SHT4x", Addresses: chip.Span(0x44, 0x46), Identify: identify}
}

// identify asks for the serial number. That its checksums are right shows that it is one.
func identify(ctx context.Context, b i2c.Bus, address uint16) error {
	if _, err := chip.Ask(ctx, b, address, []byte{serialNumber}, time.Millisecond, 2); err != nil {
		return fmt.Errorf("ask the SHT4x at %#x for its serial number: %w", address, err)
	}
	return nil
}

// Driver describes it.
func Driver() driver.Driver {
	return driver.Driver{
		Name:     "sht4x",
		Title:    "Sensirion SHT40, SHT41, SHT43, SHT45: temperature, humidity",
		Bus:      bus.I2C,
		Options:  func() driver.Options { return &Options{Address: 0x44, Quantity: "temperature", Repeatability: "high"} },
		Open:     open,
		Simulate: simulate,
		Probe:    model().ProbeSilent,
		Example: `id: mast-3-air
driver: sht4x
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

func open(ctx context.Context, s driver.Setup) (driver.Sensor, error) {
	o := *s.Options.(*Options)
	if err := model().Find(ctx, s.Bus.I2C, o.Address); err != nil {
		return nil, err
	}
	return &sensor{bus: s.Bus.I2C, options: o}, nil
}

// Read measures. The chip keeps no settings that it could lose.
func (s *sensor) Read(ctx context.Context) ([]driver.Measurement, error) {
	m := measurements()[s.options.Repeatability]
	words, err := chip.Ask(ctx, s.bus, s.options.Address, []byte{m.command}, m.takes, 2)
	if err != nil {
		return nil, fmt.Errorf("measure: %w", err)
	}
	// Section 4.6. The humidity may leave 0 to 100 % by a little, and is cut there, as it says.
	const advice = "look whether the sensor is wet; else replace it"
	humidity := -0.06 + 1.25*float64(words[1])/65535
	return chip.Measure(
		chip.Value{Quantity: s.options.Quantity, Unit: "Cel", Value: -45 + 175*float64(words[0])/65535, Least: -40, Most: 125, Advice: advice},
		chip.Value{Quantity: "relative_humidity", Value: min(max(humidity, 0), 1), Advice: advice},
	)
}

// Close has nothing to do: the chip sleeps between measurements.
func (s *sensor) Close() error { return nil }
