// Package aht20 reads the AHT20 and the DHT20, sensors of Aosong (ASAIR) for temperature and humidity on I2C, through
// periph's driver.
//
// Data sheet: Aosong, AHT20 Product manuals, A0; section numbers are of it. A reading takes 80 to 230 ms, which do not end with
// the context.
//
// The chip has no number by which it is known. Probe finds those that have measured since they have supply: their last
// measurement has the right checksum.
package aht20

import (
	"context"
	"errors"
	"fmt"
	"time"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/physic"
	"periph.io/x/devices/v3/aht20"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver/chip"
	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
)

// Options of one sensor. The address is always 0x38.
type Options struct {
	// Quantity is what the temperature is of: temperature, device_temperature.
	Quantity string `mapstructure:"quantity"`
}

// Validate says all that is wrong, each with its key.
func (o *Options) Validate() error { return chip.TemperatureOption("quantity", o.Quantity) }

// From section 5.
const (
	address    = 0x38
	calibrated = 0x08
	takes      = 80 * time.Millisecond
	patience   = 150 * time.Millisecond // beyond takes
	answer     = 7                      // status, five of data, checksum
)

func model() chip.Model {
	return chip.Model{
		Name: "AHT20", Addresses: []uint16{address},
		Identify: func(_ context.Context, b i2c.Bus, _ uint16) error { return identify(b) },
	}
}

// identify reads what the chip has measured last. It writes nothing: at this address there may be a port that takes every byte
// for the state of its pins.
func identify(b i2c.Bus) error {
	got, err := last(b)
	if err != nil {
		return err
	}
	if got[0]&calibrated == 0 || chip.CRC8(got[:answer-1]) != got[answer-1] || same(got) {
		return model().Another(address, fmt.Sprintf("it says % x", got))
	}
	return nil
}

func last(b i2c.Bus) ([]byte, error) {
	got := make([]byte, answer)
	if err := b.Tx(address, nil, got); err != nil {
		return nil, fmt.Errorf("look for the AHT20: %w", err)
	}
	return got, nil
}

// same says whether all bytes are the same one, as those of a port (PCF8574A).
func same(got []byte) bool {
	for _, b := range got {
		if b != got[0] {
			return false
		}
	}
	return true
}

// Driver describes it.
func Driver() driver.Driver {
	return driver.Driver{
		Name:     "aht20",
		Title:    "Aosong AHT20, DHT20: temperature, humidity",
		Bus:      bus.I2C,
		Options:  func() driver.Options { return &Options{Quantity: "temperature"} },
		Open:     open,
		Simulate: simulate,
		Probe:    model().Probe,
		Example: `id: cabinet-7-inside
driver: aht20
bus: i2c-1
every: 1m
options:
  quantity: device_temperature
`,
	}
}

type sensor struct {
	bus      *bus.Witness
	quantity string
	chip     *aht20.Dev
}

func open(ctx context.Context, s driver.Setup) (driver.Sensor, error) {
	got, err := last(s.Bus.I2C)
	if err == nil && same(got) {
		err = model().Another(address, fmt.Sprintf("it says % x", got))
	}
	if err := model().Advise(ctx, s.Bus.I2C, address, err); err != nil {
		return nil, err
	}
	w := &bus.Witness{Bus: s.Bus.I2C}
	w.Until(ctx)
	c, err := aht20.NewI2C(w, &aht20.Opts{MeasurementReadTimeout: patience, ValidateData: true})
	if err != nil {
		return nil, fmt.Errorf("set up the AHT20: %w", w.Cause(err))
	}
	err, ready := c.IsInitialized()
	if err != nil {
		return nil, fmt.Errorf("set up the AHT20: %w", w.Cause(err))
	}
	if !ready {
		return nil, model().Another(address, "it cannot be initialised")
	}
	return &sensor{bus: w, quantity: s.Options.(*Options).Quantity, chip: c}, nil
}

// Read measures.
func (s *sensor) Read(ctx context.Context) ([]driver.Measurement, error) {
	s.bus.Until(ctx)
	var e physic.Env
	if err := s.chip.Sense(&e); err != nil {
		return nil, s.why(err)
	}
	const advice = "look whether the sensor is wet; else replace it"
	return chip.Measure(
		chip.Value{Quantity: s.quantity, Unit: "Cel", Value: e.Temperature.Celsius(), Least: -40, Most: 85, Advice: advice},
		chip.Value{Quantity: "relative_humidity", Value: float64(e.Humidity) / float64(100*physic.PercentRH), Advice: advice},
	)
}

// why says what periph's errors mean.
func (s *sensor) why(err error) error {
	var late *aht20.ReadTimeoutError
	var corrupt *aht20.DataCorruptionError
	var reset *aht20.NotInitializedError
	cause := fmt.Errorf("read the AHT20: %w", s.bus.Cause(err))
	switch {
	case s.bus.Last() != nil:
		return cause
	case errors.As(err, &late):
		return fault.New(fault.Timeout, cause, "take its supply away for a second; if this comes again it is broken")
	case errors.As(err, &corrupt):
		return chip.Noise(cause)
	case errors.As(err, &reset):
		err = fault.New(fault.Garbled, cause, "it was without supply for a moment and is set up anew; if this comes again look at its supply and plug")
		return errors.Join(err, s.bus.Cause(s.chip.Initialize()))
	}
	return cause
}

// Close has nothing to do: the chip sleeps between measurements.
func (s *sensor) Close() error { return nil }
