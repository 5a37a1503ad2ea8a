// Package scd4x reads the SCD40 and SCD41, sensors of Sensirion for carbon dioxide, temperature and humidity on I2C.
//
// Data sheet: Sensirion, SCD4x Breaking the size barrier in CO2 sensing, version 1.3; section numbers are of it.
//
// periph has a driver for them, which is not used: it waits up to 11 s without hearing of the context, takes a bus that fails for
// data that are not ready, and writes a temperature offset that is 273 °C wrong. Here a reading waits at most 6 s, until the
// next measurement of the chip, which makes one every 5 s, and ends with its context.
//
// Not tried on hardware: that the chip does not acknowledge a read when it has nothing to say in every state, by which Probe
// tells it from other chips before it sends a command.
package scd4x

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"time"

	"periph.io/x/conn/v3/i2c"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver/chip"
	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
)

// Options of one sensor.
type Options struct {
	// Quantity is what the temperature is of: temperature, device_temperature.
	Quantity string `mapstructure:"quantity"`
	// AltitudeMetres above the sea, 0 to 3000, for the compensation of the air's pressure.
	AltitudeMetres int `mapstructure:"altitude_metres"`
	// PressureHectopascals, 700 to 1200, is used in place of the altitude; 0 means that it is not known.
	PressureHectopascals int `mapstructure:"pressure_hectopascals"`
	// SelfCalibration lets the chip take the lowest concentration of a week for 400 ppm. It is right in the open air and in
	// rooms that are empty at night.
	SelfCalibration bool `mapstructure:"self_calibration"`
	// TemperatureOffset is how much warmer the chip is than the air, 0 to 20 °C: it is taken off, and the humidity is corrected.
	TemperatureOffset float64 `mapstructure:"temperature_offset"`
}

// Validate says all that is wrong, each with its key.
func (o *Options) Validate() error {
	faults := []error{chip.TemperatureOption("quantity", o.Quantity)}
	if o.AltitudeMetres < 0 || o.AltitudeMetres > 3000 {
		faults = append(faults, fmt.Errorf("altitude_metres: %d is outside 0 to 3000", o.AltitudeMetres))
	}
	if p := o.PressureHectopascals; p != 0 && (p < 700 || p > 1200) {
		faults = append(faults, fmt.Errorf("pressure_hectopascals: %d is outside 700 to 1200", p))
	}
	if o.PressureHectopascals != 0 && o.AltitudeMetres != 0 {
		faults = append(faults, errors.New("pressure_hectopascals: is used in place of altitude_metres; leave one of them out"))
	}
	if !(o.TemperatureOffset >= 0 && o.TemperatureOffset <= 20) { // not a number, too
		faults = append(faults, fmt.Errorf("temperature_offset: %g is outside 0 to 20", o.TemperatureOffset))
	}
	return errors.Join(faults...)
}

const address = 0x62 // section 3.1

// Commands (section 3.4).
const (
	startMeasuring     = 0x21b1
	readMeasurement    = 0xec05
	stopMeasuring      = 0x3f86
	setOffset          = 0x241d
	setAltitude        = 0x2427
	setPressure        = 0xe000
	setSelfCalibration = 0x2416
	dataReady          = 0xe4b8
	serialNumber       = 0x3682
)

// What takes its time.
const (
	takesCommand = time.Millisecond
	takesStop    = 500 * time.Millisecond
	interval     = 5 * time.Second
	poll         = 200 * time.Millisecond
	slack        = time.Second
)

func model() chip.Model {
	return chip.Model{
		Name: "SCD4x", Addresses: []uint16{address},
		Identify: func(ctx context.Context, b i2c.Bus, _ uint16) error { return identify(ctx, b) },
	}
}

// identify asks for what may be asked in all states of the chip. That the checksum is right shows that it is one.
func identify(ctx context.Context, b i2c.Bus) error {
	if _, err := ask(ctx, b, dataReady, 1); err != nil {
		return fmt.Errorf("ask the SCD4x whether it has data: %w", err)
	}
	return nil
}

func ask(ctx context.Context, b i2c.Bus, command uint16, words int) ([]uint16, error) {
	return chip.Ask(ctx, b, address, []byte{byte(command >> 8), byte(command)}, takesCommand, words)
}

// Driver describes it.
func Driver() driver.Driver {
	return driver.Driver{
		Name:  "scd4x",
		Title: "Sensirion SCD40, SCD41: carbon dioxide, temperature, humidity",
		Bus:   bus.I2C,
		Options: func() driver.Options {
			return &Options{Quantity: "temperature", SelfCalibration: true, TemperatureOffset: 4}
		},
		Open:     open,
		Simulate: simulate,
		Probe:    model().ProbeSilent,
		Example: `id: school-2-yard
driver: scd4x
bus: i2c-1
every: 1m
options:
  altitude_metres: 410
`,
	}
}

type sensor struct {
	bus     i2c.Bus
	options Options
	log     *slog.Logger

	mu      sync.Mutex
	running bool
}

func open(ctx context.Context, s driver.Setup) (driver.Sensor, error) {
	sensor := &sensor{bus: s.Bus.I2C, options: *s.Options.(*Options), log: s.Log}
	err := identify(ctx, s.Bus.I2C)
	if fault.KindOf(err) == fault.Absent {
		// It acknowledges nothing while it stops measuring, and may have been told to a moment ago.
		if err := chip.Wait(ctx, takesStop); err != nil {
			return nil, err
		}
		err = identify(ctx, s.Bus.I2C)
	}
	if err != nil {
		return nil, model().Advise(ctx, s.Bus.I2C, address, err)
	}
	if err := sensor.start(ctx); err != nil {
		return nil, err
	}
	return sensor, nil
}

// start sets the chip up, which has to be done while it does not measure. The settings are not stored in it, because its memory
// wears out.
func (s *sensor) start(ctx context.Context) error {
	if err := s.send(ctx, stopMeasuring, nil, takesStop); err != nil {
		return err
	}
	serial, err := ask(ctx, s.bus, serialNumber, 3)
	if err != nil {
		return fmt.Errorf("ask the SCD4x for its serial number: %w", err)
	}
	calibrate := uint16(0)
	if s.options.SelfCalibration {
		calibrate = 1
	}
	pressure := [2]uint16{setAltitude, uint16(s.options.AltitudeMetres)}
	if p := s.options.PressureHectopascals; p > 0 {
		pressure = [2]uint16{setPressure, uint16(p)}
	}
	for _, set := range [][2]uint16{
		{setSelfCalibration, calibrate},
		{setOffset, uint16(math.Round(s.options.TemperatureOffset * 65536 / 175))}, // section 3.6.1
		pressure,
	} {
		if err := s.send(ctx, set[0], &set[1], takesCommand); err != nil {
			return err
		}
	}
	if err := s.send(ctx, startMeasuring, nil, 0); err != nil {
		return err
	}
	s.log.Debug("sensor measures", "serial", fmt.Sprintf("%04x%04x%04x", serial[0], serial[1], serial[2]))
	s.run(true)
	return nil
}

func (s *sensor) send(ctx context.Context, command uint16, argument *uint16, takes time.Duration) error {
	out := []byte{byte(command >> 8), byte(command)}
	if argument != nil {
		out = chip.AppendWord(out, *argument)
	}
	if err := s.bus.Tx(address, out, nil); err != nil {
		return fmt.Errorf("send %#04x to the SCD4x: %w", command, err)
	}
	return chip.Wait(ctx, takes)
}

func (s *sensor) run(running bool) (was bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	was, s.running = s.running, running
	return was
}

// Read waits for the next measurement of the chip, at most 6 s. A chip that was away, or that does not measure because it was
// without supply, is set up anew by the next Read.
func (s *sensor) Read(ctx context.Context) ([]driver.Measurement, error) {
	if !s.run(true) {
		if err := s.start(ctx); err != nil {
			s.run(false)
			return nil, err
		}
	}
	words, err := s.next(ctx)
	if err != nil {
		if kind := fault.KindOf(err); kind == fault.Absent || kind == fault.Timeout {
			s.run(false)
		}
		return nil, err
	}
	// Section 3.5.2.
	const advice = "look whether the sensor is wet or its window is covered; else replace it"
	return chip.Measure(
		chip.Value{Quantity: "co2", Unit: "ppm", Value: float64(words[0]), Least: 1, Most: 40_000, Advice: advice},
		chip.Value{Quantity: s.options.Quantity, Unit: "Cel", Value: -45 + 175*float64(words[1])/65535, Least: -45, Most: 125, Advice: advice},
		chip.Value{Quantity: "relative_humidity", Value: float64(words[2]) / 65535, Advice: advice},
	)
}

func (s *sensor) next(ctx context.Context) ([]uint16, error) {
	if err := s.await(ctx); err != nil {
		return nil, err
	}
	words, err := ask(ctx, s.bus, readMeasurement, 3)
	if err != nil {
		return nil, fmt.Errorf("read the measurement: %w", err)
	}
	return words, nil
}

// await waits until the chip has data that were not read yet (section 3.8.2).
func (s *sensor) await(ctx context.Context) error {
	const fresh = 1<<11 - 1
	for began := time.Now(); time.Since(began) < interval+slack; {
		words, err := ask(ctx, s.bus, dataReady, 1)
		if err != nil {
			return fmt.Errorf("ask whether there are data: %w", err)
		}
		if words[0]&fresh != 0 {
			return nil
		}
		if err := chip.Wait(ctx, poll); err != nil {
			return fmt.Errorf("wait for the measurement: %w", err)
		}
	}
	return fault.New(fault.Timeout, errors.New("the SCD4x does not measure"), "it was without supply for a moment and is set up anew; if this comes again look at its supply: it takes 200 mA for a moment")
}

// Close stops the chip from measuring.
func (s *sensor) Close() error {
	s.run(false)
	return s.bus.Tx(address, []byte{stopMeasuring >> 8, stopMeasuring & 0xff}, nil)
}
