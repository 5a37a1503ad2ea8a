// Package ina226 reads the INA226, a meter of Texas Instruments for direct voltage up to 36 V, current and power, on I2C.
//
// Data sheet: Texas Instruments SBOS547A, INA226 High-Side or Low-Side Measurement, Bi-Directional Current and Power Monitor;
// section numbers are of it.
//
// The chip measures all the time and averages. A reading waits for the end of the average that is being made, and ends with
// its context.
package ina226

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"periph.io/x/conn/v3/i2c"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver/chip"
	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
)

// Options of one meter.
type Options struct {
	// Address is 0x40 to 0x4f, set by the pins A0 and A1.
	Address uint16 `mapstructure:"address"`
	// ShuntOhms is the resistance of the shunt.
	ShuntOhms float64 `mapstructure:"shunt_ohms"`
	// MaxAmperes is the largest current that is expected. It sets the resolution, a 32768th of it; the shunt must not have
	// more than 81.92 mV at it.
	MaxAmperes float64 `mapstructure:"max_amperes"`
	// Averaging is how many conversions make a value: 1, 4, 16, 64, 128, 256, 512 or 1024.
	Averaging int `mapstructure:"averaging"`
	// ConversionTime is how long a conversion takes: 140us, 204us, 332us, 588us, 1100us, 2116us, 4156us or 8244us. It takes two
	// to have voltage and current.
	ConversionTime time.Duration `mapstructure:"conversion_time"`
	// Quantity is what the voltage is of: voltage, battery_voltage.
	Quantity string `mapstructure:"quantity"`
}

// The values of the configuration register's fields, in their order (section 7.6.1).
func averages() []int { return []int{1, 4, 16, 64, 128, 256, 512, 1024} }

func conversionTimes() []time.Duration {
	return []time.Duration{
		140 * time.Microsecond, 204 * time.Microsecond, 332 * time.Microsecond, 588 * time.Microsecond,
		1100 * time.Microsecond, 2116 * time.Microsecond, 4156 * time.Microsecond, 8244 * time.Microsecond,
	}
}

const (
	fullShunt = 0.08192 // volts (section 6.5)
	longest   = 5 * time.Second
)

// Validate says all that is wrong, each with its key.
func (o *Options) Validate() error {
	faults := []error{model().Check(o.Address)}
	if !(o.ShuntOhms > 0 && o.ShuntOhms <= 100) {
		faults = append(faults, fmt.Errorf("shunt_ohms: %g is outside 0 to 100", o.ShuntOhms))
	}
	if !(o.MaxAmperes > 0 && o.MaxAmperes <= 10_000) {
		faults = append(faults, fmt.Errorf("max_amperes: %g is outside 0 to 10000", o.MaxAmperes))
	}
	if drop := o.ShuntOhms * o.MaxAmperes; drop > fullShunt*1.0001 {
		faults = append(faults, fmt.Errorf("max_amperes: %g A make %.3g V at the shunt, and the chip measures up to %g V; take a smaller shunt", o.MaxAmperes, drop, fullShunt))
	} else if c := o.calibration(); c < 1 || c > 0x7fff {
		faults = append(faults, fmt.Errorf("max_amperes: %g A at %g Ω need the calibration %g, outside 1 to 32767", o.MaxAmperes, o.ShuntOhms, c))
	}
	if !slices.Contains(averages(), o.Averaging) {
		faults = append(faults, fmt.Errorf("averaging: %d is none of %v", o.Averaging, averages()))
	}
	if !slices.Contains(conversionTimes(), o.ConversionTime) {
		faults = append(faults, fmt.Errorf("conversion_time: %s is none of %v", o.ConversionTime, conversionTimes()))
	}
	if t := o.takes(); t > longest {
		faults = append(faults, fmt.Errorf("averaging: a value would take %s, more than %s", t, longest))
	}
	return errors.Join(append(faults, chip.VoltageOption("quantity", o.Quantity))...)
}

// resolution of the current, in amperes (section 7.5.1, equation 2).
func (o *Options) resolution() float64 { return o.MaxAmperes / (1 << 15) }

// calibration register (section 7.5.1, equation 1).
func (o *Options) calibration() float64 {
	return math.Round(0.00512 / (o.resolution() * o.ShuntOhms))
}

// takes is how long a value takes: voltage and current one after the other.
func (o *Options) takes() time.Duration { return 2 * o.ConversionTime * time.Duration(o.Averaging) }

// Registers (section 7.6).
const (
	registerConfig      = 0x00
	registerShunt       = 0x01
	registerVoltage     = 0x02
	registerPower       = 0x03
	registerCurrent     = 0x04
	registerCalibration = 0x05
	registerMask        = 0x06

	reserved   = 0x4000 // of the configuration register, reads as it is
	continuous = 0x0007
	powerDown  = 0x0000
	ready      = 0x0008 // of the mask register: CVRF, cleared by reading
	overflow   = 0x0004 // OVF
)

func model() chip.Model {
	return chip.Model{
		Name: "INA226", Addresses: chip.Span(0x40, 0x4f), Pins: "the pins A0 and A1",
		Identify: func(_ context.Context, b i2c.Bus, address uint16) error { return identify(b, address) },
	}
}

func identify(b i2c.Bus, address uint16) error {
	maker, err := chip.Register16(b, address, chip.TexasMaker)
	if err != nil {
		return fmt.Errorf("ask the INA226 at %#x for its maker: %w", address, err)
	}
	die, err := chip.Register16(b, address, chip.TexasDie)
	if err != nil {
		return fmt.Errorf("ask the INA226 at %#x for its type: %w", address, err)
	}
	if name, _ := chip.Texas(die); maker != chip.TexasInstruments || name != model().Name {
		return model().Another(address, fmt.Sprintf("maker %#04x, type %#04x", maker, die))
	}
	return nil
}

// Driver describes it.
func Driver() driver.Driver {
	return driver.Driver{
		Name:  "ina226",
		Title: "Texas Instruments INA226: voltage up to 36 V, current, power",
		Bus:   bus.I2C,
		Options: func() driver.Options {
			return &Options{
				Address: 0x40, ShuntOhms: 0.1, MaxAmperes: 0.8, Averaging: 64, ConversionTime: 1100 * time.Microsecond, Quantity: "voltage",
			}
		},
		Open:     open,
		Simulate: simulate,
		Probe:    model().Probe,
		Example: `id: mast-9-supply
driver: ina226
bus: i2c-1
every: 10s
options:
  address: 0x40
  shunt_ohms: 0.01
  max_amperes: 8
  quantity: battery_voltage
`,
	}
}

type sensor struct {
	bus                 i2c.Bus
	options             Options
	config, calibration uint16
}

func open(ctx context.Context, s driver.Setup) (driver.Sensor, error) {
	o := *s.Options.(*Options)
	if err := model().Find(ctx, s.Bus.I2C, o.Address); err != nil {
		return nil, err
	}
	step := uint16(slices.Index(conversionTimes(), o.ConversionTime))
	sensor := &sensor{
		bus: s.Bus.I2C, options: o, calibration: uint16(o.calibration()),
		config: reserved | uint16(slices.Index(averages(), o.Averaging))<<9 | step<<6 | step<<3 | continuous,
	}
	if err := sensor.setUp(); err != nil {
		return nil, err
	}
	return sensor, nil
}

// setUp writes the settings. Writing the configuration begins an average anew.
func (s *sensor) setUp() error {
	for _, set := range [][2]uint16{{registerCalibration, s.calibration}, {registerConfig, s.config}} {
		if err := s.write(byte(set[0]), set[1]); err != nil {
			return fmt.Errorf("set up the INA226 at %#x: %w", s.options.Address, err)
		}
	}
	return nil
}

func (s *sensor) write(register byte, value uint16) error {
	return s.bus.Tx(s.options.Address, []byte{register, byte(value >> 8), byte(value)}, nil)
}

func (s *sensor) read(register byte) (uint16, error) {
	return chip.Register16(s.bus, s.options.Address, register)
}

// Read waits for the next average and returns it.
func (s *sensor) Read(ctx context.Context) ([]driver.Measurement, error) {
	if err := s.remembers(); err != nil {
		return nil, err
	}
	if err := s.await(ctx); err != nil {
		return nil, err
	}
	var raw [4]uint16
	for i, register := range []byte{registerShunt, registerVoltage, registerPower, registerCurrent} {
		var err error
		if raw[i], err = s.read(register); err != nil {
			return nil, err
		}
	}
	volts := float64(raw[1]) * 1.25e-3 // section 7.6.3
	if shunt := int16(raw[0]); shunt == math.MaxInt16 || shunt == math.MinInt16 {
		m, err := chip.Measure(chip.Value{Quantity: s.options.Quantity, Unit: "V", Value: volts})
		return m, errors.Join(fault.New(fault.Implausible, fmt.Errorf("the shunt has more than %g V", fullShunt), "look for a short behind the meter, and at the shunt's resistance"), err)
	}
	current := float64(int16(raw[3])) * s.options.resolution()
	power := float64(raw[2]) * 25 * s.options.resolution() // section 7.5.1, equation 4; it has no sign
	if current < 0 {
		power = -power
	}
	const advice = "look at the wiring of the shunt and at the supply of the chip"
	return chip.Measure(
		chip.Value{Quantity: s.options.Quantity, Unit: "V", Value: volts, Least: 0, Most: 36.5, Advice: advice},
		chip.Value{Quantity: "current", Unit: "A", Value: current, Advice: advice},
		chip.Value{Quantity: "active_power", Unit: "W", Value: power, Advice: advice},
	)
}

// remembers looks whether the chip still has its settings. Without its calibration it measures a current of 0.
func (s *sensor) remembers() error {
	config, err := s.read(registerConfig)
	if err != nil {
		return err
	}
	calibration, err := s.read(registerCalibration)
	if err != nil {
		return err
	}
	if config == s.config && calibration == s.calibration {
		return nil
	}
	err = fault.New(fault.Garbled, fmt.Errorf("the INA226 has forgotten its settings: %#04x, %#04x in place of %#04x, %#04x", config, calibration, s.config, s.calibration),
		"it was without supply for a moment and is set up anew; if this comes again look at its supply and plug")
	return errors.Join(err, s.setUp())
}

// await waits for the chip to say that an average is made (section 7.6.7).
func (s *sensor) await(ctx context.Context) error {
	takes := s.options.takes()
	deadline := time.Now().Add(takes*5/4 + 50*time.Millisecond)
	for {
		late := time.Now().After(deadline) // a busy board may not have asked for long
		mask, err := s.read(registerMask)
		switch {
		case err != nil:
			return err
		case mask&overflow != 0:
			return fault.New(fault.Implausible, errors.New("current or power overflow in the chip"), "set max_amperes to more")
		case mask&ready != 0:
			return nil
		case late:
			return fault.New(fault.Timeout, errors.New("the INA226 does not measure"), "take its supply away for a second; if this comes again it is broken")
		}
		if err := chip.Wait(ctx, takes/8+500*time.Microsecond); err != nil {
			return fmt.Errorf("wait for the INA226: %w", err)
		}
	}
}

// Close puts the chip to sleep.
func (s *sensor) Close() error { return s.write(registerConfig, s.config&^continuous|powerDown) }
