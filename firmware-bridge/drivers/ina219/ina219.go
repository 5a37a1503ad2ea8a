// Package ina219 reads the INA219, a meter of Texas Instruments for direct voltage up to 26 V, current and power, on I2C,
// through periph's driver.
//
// Data sheet: Texas Instruments SBOS448G, INA219 Zero-Drift, Bidirectional Current/Power Monitor With I2C Interface; section
// numbers are of it.
//
// The chip measures all the time; a reading takes the newest average of 128 conversions, which is at most 0.2 s old. periph
// leaves the chip in its range of 16 V, where a supply of 24 V reads as 16: here it is set to 32 V.
//
// The chip has no number by which it is known. It is told from others by what its configuration register takes and keeps.
package ina219

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/physic"
	"periph.io/x/devices/v3/ina219"

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
	// more than 320 mV at it.
	MaxAmperes float64 `mapstructure:"max_amperes"`
	// Quantity is what the voltage is of: voltage, battery_voltage.
	Quantity string `mapstructure:"quantity"`
}

const fullShunt = 0.32 // volts (section 8.6.3.1, PGA /8)

// Validate says all that is wrong, each with its key.
func (o *Options) Validate() error {
	faults := []error{model().Check(o.Address)}
	if !(o.ShuntOhms >= 1e-6 && o.ShuntOhms <= 100) {
		faults = append(faults, fmt.Errorf("shunt_ohms: %g is outside 0.000001 to 100", o.ShuntOhms))
	}
	if !(o.MaxAmperes >= 1e-3 && o.MaxAmperes <= 10_000) {
		faults = append(faults, fmt.Errorf("max_amperes: %g is outside 0.001 to 10000", o.MaxAmperes))
	}
	calibration := 0.04096 / (o.MaxAmperes / (1 << 15) * o.ShuntOhms) // section 8.5.1, equation 1
	if drop := o.ShuntOhms * o.MaxAmperes; drop > fullShunt*1.0001 {
		faults = append(faults, fmt.Errorf("max_amperes: %g A make %.3g V at the shunt, and the chip measures up to %g V; take a smaller shunt", o.MaxAmperes, drop, fullShunt))
	} else if !(calibration >= 2 && calibration < 1<<16) {
		faults = append(faults, fmt.Errorf("max_amperes: %g A at %g Ω need the calibration %.0f, outside 2 to 65535", o.MaxAmperes, o.ShuntOhms, calibration))
	}
	return errors.Join(append(faults, chip.VoltageOption("quantity", o.Quantity))...)
}

// Registers (section 8.6.1) and fields of the configuration register (section 8.6.2.1).
const (
	registerConfig      = 0x00
	registerShunt       = 0x01
	registerVoltage     = 0x02
	registerPower       = 0x03
	registerCurrent     = 0x04
	registerCalibration = 0x05

	afterReset = 0x399f
	settings   = 0x3fff // 32 V, 320 mV, 128 conversions each, continuous
	periphs    = 0x1fff // the same for 16 V
	modeBits   = 0x0007
	settling   = 150 * time.Millisecond // two averages of 68.1 ms (section 8.6.2.1, table 5)
)

func model() chip.Model {
	return chip.Model{
		Name: "INA219", Addresses: chip.Span(0x40, 0x4f), Pins: "the pins A0 and A1",
		Identify: func(_ context.Context, b i2c.Bus, address uint16) error { return identify(b, address) },
	}
}

// identify knows a chip that is as after a reset, or as this driver leaves it.
func identify(b i2c.Bus, address uint16) error {
	if err := noOther(b, address); err != nil {
		return err
	}
	config, err := chip.Register16(b, address, registerConfig)
	if err != nil {
		return fmt.Errorf("ask the INA219 at %#x: %w", address, err)
	}
	switch config &^ modeBits {
	case afterReset &^ modeBits, settings &^ modeBits, periphs &^ modeBits:
		return nil
	}
	return model().Another(address, fmt.Sprintf("configuration %#04x", config))
}

// noOther asks whether the chip says that it is another one of the same maker. An INA219 has no register there.
func noOther(b i2c.Bus, address uint16) error {
	maker, err := chip.Register16(b, address, chip.TexasMaker)
	if err != nil {
		if fault.KindOf(err) == fault.Absent && bus.AnswersI2C(b, address) == nil {
			return nil
		}
		return fmt.Errorf("ask the INA219 at %#x: %w", address, err)
	}
	if maker == chip.TexasInstruments {
		return model().Another(address, fmt.Sprintf("maker %#04x", maker))
	}
	return nil
}

// Driver describes it.
func Driver() driver.Driver {
	return driver.Driver{
		Name:  "ina219",
		Title: "Texas Instruments INA219: voltage up to 26 V, current, power",
		Bus:   bus.I2C,
		Options: func() driver.Options {
			return &Options{Address: 0x40, ShuntOhms: 0.1, MaxAmperes: 3.2, Quantity: "voltage"}
		},
		Open:     open,
		Simulate: simulate,
		Probe:    model().Probe,
		Example: `id: mast-9-supply
driver: ina219
bus: i2c-1
every: 10s
options:
  address: 0x40
  shunt_ohms: 0.1
  max_amperes: 3.2
  quantity: battery_voltage
`,
	}
}

type sensor struct {
	bus         *bus.Witness
	options     Options
	chip        *ina219.Dev
	calibration uint16
}

func open(ctx context.Context, s driver.Setup) (driver.Sensor, error) {
	o := *s.Options.(*Options)
	if err := model().Advise(ctx, s.Bus.I2C, o.Address, noOther(s.Bus.I2C, o.Address)); err != nil {
		return nil, err
	}
	sensor := &sensor{bus: &bus.Witness{Bus: s.Bus.I2C}, options: o}
	if err := sensor.setUp(ctx); err != nil {
		return nil, model().Advise(ctx, s.Bus.I2C, o.Address, err)
	}
	return sensor, nil
}

func (s *sensor) setUp(ctx context.Context) error {
	s.bus.Until(ctx)
	c, err := ina219.New(s.bus, &ina219.Opts{
		Address:       int(s.options.Address),
		SenseResistor: physic.ElectricResistance(s.options.ShuntOhms * float64(physic.Ohm)),
		MaxCurrent:    physic.ElectricCurrent(s.options.MaxAmperes * float64(physic.Ampere)),
	})
	if err != nil {
		return fmt.Errorf("set up the INA219 at %#x: %w", s.options.Address, s.bus.Cause(err))
	}
	if err := s.write(settings); err != nil {
		return fmt.Errorf("set up the INA219 at %#x: %w", s.options.Address, err)
	}
	config, calibration, err := s.settings()
	if err != nil {
		return err
	}
	if config != settings || calibration == 0 {
		return model().Another(s.options.Address, fmt.Sprintf("it takes %#04x for %#04x, and the calibration %#04x", config, settings, calibration))
	}
	s.chip, s.calibration = c, calibration
	return chip.Wait(ctx, settling)
}

func (s *sensor) write(config uint16) error {
	return s.bus.Tx(s.options.Address, []byte{registerConfig, byte(config >> 8), byte(config)}, nil)
}

func (s *sensor) settings() (config, calibration uint16, err error) {
	if config, err = chip.Register16(s.bus, s.options.Address, registerConfig); err != nil {
		return 0, 0, err
	}
	calibration, err = chip.Register16(s.bus, s.options.Address, registerCalibration)
	return config, calibration, err
}

// Read takes the newest averages. A chip that was without supply has no calibration, and would say 0 A: that is looked at
// first.
func (s *sensor) Read(ctx context.Context) ([]driver.Measurement, error) {
	s.bus.Until(ctx)
	config, calibration, err := s.settings()
	if err != nil {
		return nil, err
	}
	if config != settings || calibration != s.calibration {
		err := fault.New(fault.Garbled, fmt.Errorf("the INA219 has forgotten its settings: %#04x, %#04x in place of %#04x, %#04x", config, calibration, settings, s.calibration),
			"it was without supply for a moment and is set up anew; if this comes again look at its supply and plug")
		return nil, errors.Join(err, s.setUp(ctx))
	}
	got, err := s.chip.Sense()
	if err != nil && s.bus.Last() != nil {
		return nil, fmt.Errorf("read the INA219: %w", s.bus.Cause(err))
	}
	volts := chip.Value{Quantity: s.options.Quantity, Unit: "V", Value: float64(got.Voltage) / float64(physic.Volt), Least: 0, Most: 32}
	if shunt := float64(got.Shunt) / float64(physic.Volt); err != nil || math.Abs(shunt) >= fullShunt {
		ms, implausible := chip.Measure(volts)
		err = fault.New(fault.Implausible, fmt.Errorf("the shunt has %.3g V, more than the chip can measure or max_amperes says", shunt),
			"set max_amperes to more; look for a short behind the meter, and at the shunt's resistance")
		return ms, errors.Join(err, implausible)
	}
	power := float64(got.Power) / float64(physic.Watt)
	if got.Current < 0 {
		power = -power // the register has no sign (section 8.6.3.3)
	}
	return chip.Measure(
		volts,
		chip.Value{Quantity: "current", Unit: "A", Value: float64(got.Current) / float64(physic.Ampere)},
		chip.Value{Quantity: "active_power", Unit: "W", Value: power},
	)
}

// Close puts the chip to sleep.
func (s *sensor) Close() error {
	s.bus.Until(context.Background())
	return s.write(settings &^ modeBits)
}
