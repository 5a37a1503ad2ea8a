// Package mcp9808 reads the MCP9808, a temperature sensor of Microchip (±0.25 °C) on I2C.
//
// Data sheet: Microchip DS25095A, MCP9808 ±0.5°C Maximum Accuracy Digital Temperature Sensor. Register numbers are of its
// section 5.
package mcp9808

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/devices/v3/mcp9808"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver/chip"
	"github.com/lamppost-city/lamppost/firmware-bridge/simbus"
)

// Options of one sensor.
type Options struct {
	// Address is 0x18 to 0x1f, set by the pins A0 to A2.
	Address uint16 `mapstructure:"address"`
	// Quantity is what the temperature is of: temperature, device_temperature, road_temperature or water_temperature.
	Quantity string `mapstructure:"quantity"`
}

// Validate says all that is wrong, each with its key.
func (o *Options) Validate() error {
	return errors.Join(model().Check(o.Address), chip.TemperatureOption("quantity", o.Quantity))
}

// Addresses that the pins A0 to A2 can give (section 3.5).
const (
	first uint16 = 0x18
	last  uint16 = 0x1f
)

// Registers, and what identifies the chip (sections 5.1.4 and 5.1.5).
const (
	registerMaker  = 0x06
	registerDevice = 0x07
	microchip      = 0x0054
	mcp9808Device  = 0x04
)

// converts is how long a conversion takes with the finest resolution (section 5, resolution register: typically 250 ms).
const converts = 350 * time.Millisecond

func model() chip.Model {
	return chip.Model{
		Name: "MCP9808", Addresses: chip.Span(first, last), Pins: "the pins A0 to A2",
		Identify: func(_ context.Context, b i2c.Bus, address uint16) error { return identify(b, address) },
	}
}

// Driver describes it.
func Driver() driver.Driver {
	return driver.Driver{
		Name:     "mcp9808",
		Title:    "Microchip MCP9808: temperature",
		Bus:      bus.I2C,
		Options:  func() driver.Options { return &Options{Address: first, Quantity: "temperature"} },
		Open:     open,
		Simulate: simulate,
		Probe:    model().Probe,
		Example: `id: cabinet-7-air
driver: mcp9808
bus: i2c-1
every: 1m
options:
  address: 0x18
  quantity: device_temperature
`,
	}
}

type sensor struct {
	bus  *bus.Witness
	chip *mcp9808.Dev
	as   driver.Scale
}

// open asks the chip who it is first: any chip would let periph's driver write to its registers. One that was asleep shows what it
// measured before that, and one that just got its supply 0 °C: it is given the time for a conversion.
func open(ctx context.Context, s driver.Setup) (driver.Sensor, error) {
	o := s.Options.(*Options)
	if err := model().Find(ctx, s.Bus.I2C, o.Address); err != nil {
		return nil, err
	}
	w := &bus.Witness{Bus: s.Bus.I2C}
	c, err := mcp9808.New(w, &mcp9808.Opts{Addr: int(o.Address), Res: mcp9808.Maximum})
	if err != nil {
		return nil, fmt.Errorf("set up the MCP9808 at %#x: %w", o.Address, w.Cause(err))
	}
	if err := chip.Wait(ctx, converts); err != nil {
		return nil, fmt.Errorf("wait for the first conversion of the MCP9808 at %#x: %w", o.Address, err)
	}
	return &sensor{bus: w, chip: c, as: driver.Scale{Quantity: o.Quantity, Unit: "Cel"}}, nil
}

func identify(b i2c.Bus, address uint16) error {
	maker, err := chip.Register16(b, address, registerMaker)
	if err != nil {
		return fmt.Errorf("ask the MCP9808 at %#x for its maker: %w", address, err)
	}
	device, err := chip.Register16(b, address, registerDevice)
	if err != nil {
		return fmt.Errorf("ask the MCP9808 at %#x for its type: %w", address, err)
	}
	if maker != microchip || device>>8 != mcp9808Device {
		return model().Another(address, fmt.Sprintf("maker %#04x, type %#04x", maker, device))
	}
	return nil
}

// Read takes the newest conversion; the chip makes four a second.
func (s *sensor) Read(context.Context) ([]driver.Measurement, error) {
	t, err := s.chip.SenseTemp()
	if err != nil {
		return nil, fmt.Errorf("read the temperature: %w", s.bus.Cause(err))
	}
	m, err := s.as.Measure(t.Celsius())
	if err != nil {
		return nil, err
	}
	return []driver.Measurement{m}, nil
}

// Close puts the chip to sleep.
func (s *sensor) Close() error { return s.chip.Halt() }

// simulate attaches a chip whose temperature follows the day.
func simulate(s driver.Setup, on *simbus.Bus) error {
	began := time.Now()
	wave := simbus.Wave{Mean: 18, Swing: 9, Period: 24 * time.Hour, Phase: simbus.Phase(string(s.Sensor))}
	return on.I2C.Attach(s.Options.(*Options).Address, &simbus.Words{
		Values: map[byte]func() uint16{
			registerMaker:  func() uint16 { return microchip },
			registerDevice: func() uint16 { return mcp9808Device << 8 },
			0x05:           func() uint16 { return ambient(wave.At(time.Since(began))) },
		},
	})
}

// ambient encodes a temperature as register 5.1.3 has it: sixteenths of a degree in 12 bits and a sign.
func ambient(celsius float64) uint16 { return uint16(int16(math.Round(celsius*16))) & 0x1fff }
