// Package ads1x15 reads the ADS1115 (16 bits) and the ADS1015 (12 bits), converters of Texas Instruments from volts to numbers
// with four inputs, on I2C. What the volts mean is said by the options: any quantity, with factor and offset.
//
// Data sheets: Texas Instruments SBAS444 (ADS111x) and SBAS473 (ADS101x); section numbers are of SBAS444D.
//
// periph has a driver for them, which is not used: it waits exactly as long as a conversion takes by the data sheet, while
// the chip's clock may be 10 % slow (section 7.5), and then returns the conversion before, which may be another input's. Here
// the chip is asked whether it is done. A reading takes 1.1 times the inputs divided by the rate, and ends with its context.
//
// The two chips cannot be told apart for certain. The driver ads1115 reads an ADS1015 as well, with its 12 bits.
package ads1x15

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"periph.io/x/conn/v3/i2c"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver/chip"
	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
)

// Options of one converter.
type Options struct {
	// Address is 0x48 to 0x4b, set by the pin ADDR.
	Address uint16 `mapstructure:"address"`
	// Rate is in conversions a second. Slow ones have less noise: ADS1115: 8, 16, 32, 64, 128, 250, 475, 860; ADS1015: 128,
	// 250, 490, 920, 1600, 2400, 3300.
	Rate int `mapstructure:"rate"`
	// Inputs are one to eight; each is read in turn.
	Inputs []Input `mapstructure:"inputs"`

	model model
}

// Input is what is measured between two pins.
type Input struct {
	// Pins is "0" to "3" for a pin against ground, or "0-1", "0-3", "1-3", "2-3" for the difference of two.
	Pins string `mapstructure:"pins"`
	// RangeVolts is the gain, by the volts that it reaches up to: 6.144, 4.096, 2.048, 1.024, 0.512 or 0.256. 0 means 4.096.
	RangeVolts float64 `mapstructure:"range_volts"`
	// LeastVolts and MostVolts are between what the sensor gives while it is whole, such as 0.4 and 2.0 for 4 to 20 mA over
	// 100 Ω. Both 0 means that nothing is known.
	LeastVolts float64 `mapstructure:"least_volts"`
	MostVolts  float64 `mapstructure:"most_volts"`
	// Scale makes a quantity of the volts.
	driver.Scale `mapstructure:",squash"`
}

// Validate says all that is wrong, each with its key.
func (o *Options) Validate() error {
	faults := []error{o.model.on.Check(o.Address)}
	if !slices.Contains(o.model.rates, o.Rate) {
		faults = append(faults, fmt.Errorf("rate: %d is none of the %s's: %v", o.Rate, o.model.name, o.model.rates))
	}
	if n := len(o.Inputs); n == 0 || n > 8 {
		faults = append(faults, fmt.Errorf("inputs: are %d; say one to eight", n))
	}
	type channel struct{ quantity, channel string }
	seen := make(map[channel]bool)
	for i, in := range o.Inputs {
		for line := range strings.Lines(errorText(in.validate())) {
			faults = append(faults, fmt.Errorf("inputs[%d].%s", i, strings.TrimSuffix(line, "\n")))
		}
		c := channel{in.Quantity, in.Channel}
		if seen[c] {
			faults = append(faults, fmt.Errorf("inputs[%d].channel: %s/%s is there twice; give each a channel", i, in.Quantity, in.Channel))
		}
		seen[c] = true
	}
	return errors.Join(faults...)
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// pins are in the order of the config register's field MUX (section 9.6.3).
func pins() []string { return []string{"0-1", "0-3", "1-3", "2-3", "0", "1", "2", "3"} }

// ranges are in the order of the config register's field PGA.
func ranges() []float64 { return []float64{6.144, 4.096, 2.048, 1.024, 0.512, 0.256} }

func (in Input) volts() float64 {
	if in.RangeVolts == 0 {
		return 4.096
	}
	return in.RangeVolts
}

func (in Input) validate() error {
	var faults []error
	if !slices.Contains(pins(), in.Pins) {
		faults = append(faults, fmt.Errorf("pins: %q is none of %s", in.Pins, strings.Join(pins(), ", ")))
	}
	if !slices.Contains(ranges(), in.volts()) {
		faults = append(faults, fmt.Errorf("range_volts: %g is none of %v", in.RangeVolts, ranges()))
	}
	if in.LeastVolts > in.MostVolts {
		faults = append(faults, fmt.Errorf("least_volts: %g is more than most_volts, %g", in.LeastVolts, in.MostVolts))
	}
	return errors.Join(append(faults, in.Scale.Validate())...)
}

// model is one of the two chips.
type model struct {
	name, driver string
	// rates are in the order of the config register's field DR.
	rates []int
	bits  int
	on    chip.Model
}

func (m model) chip() chip.Model {
	return chip.Model{
		Name: m.name, Addresses: chip.Span(0x48, 0x4b), Pins: "the pin ADDR",
		Identify: func(_ context.Context, b i2c.Bus, address uint16) error { return m.identify(b, address) },
	}
}

// identify looks at the thresholds of the comparator, which nobody has set who does not use it (sections 9.6.4 and 9.6.5).
func (m model) identify(b i2c.Bus, address uint16) error {
	low, err := chip.Register16(b, address, registerLow)
	if err != nil {
		return fmt.Errorf("ask the %s at %#x: %w", m.name, address, err)
	}
	high, err := chip.Register16(b, address, registerHigh)
	if err != nil {
		return fmt.Errorf("ask the %s at %#x: %w", m.name, address, err)
	}
	if low != 0x8000 || high|0x000f != 0x7fff {
		return m.on.Another(address, fmt.Sprintf("thresholds %#04x and %#04x", low, high))
	}
	return nil
}

// ADS1115 describes the converter of 16 bits.
func ADS1115() driver.Driver {
	m := model{name: "ADS1115", driver: "ads1115", rates: []int{8, 16, 32, 64, 128, 250, 475, 860}, bits: 16}
	m.on = m.chip()
	d := m.describe()
	d.Probe = func(ctx context.Context, b *bus.Bus) ([]driver.Found, error) {
		found, err := m.on.Probe(ctx, b)
		for i := range found {
			found[i].Where += " (or an ADS1015)"
			found[i].Options["inputs"] = []any{map[string]any{"pins": "0", "quantity": "voltage"}}
		}
		return found, err
	}
	return d
}

// ADS1015 describes the converter of 12 bits.
func ADS1015() driver.Driver {
	m := model{name: "ADS1015", driver: "ads1015", rates: []int{128, 250, 490, 920, 1600, 2400, 3300}, bits: 12}
	m.on = m.chip()
	return m.describe()
}

func (m model) describe() driver.Driver {
	return driver.Driver{
		Name:     m.driver,
		Title:    "Texas Instruments " + m.name + ": any sensor that gives volts, 4 inputs",
		Bus:      bus.I2C,
		Options:  func() driver.Options { return &Options{Address: 0x48, Rate: 128, model: m} },
		Open:     open,
		Simulate: simulate,
		Example: "id: pump-4-level\ndriver: " + m.driver + `
bus: i2c-1
every: 1m
options:
  address: 0x48
  inputs:
    - pins: "0" # 4 to 20 mA over 100 Ω: 0 to 5 m of water
      range_volts: 4.096
      least_volts: 0.36
      most_volts: 2.1
      quantity: water_level
      factor: 3.125
      offset: -1.25
    - pins: "1" # battery, over 10 kΩ and 1 kΩ
      range_volts: 2.048
      quantity: battery_voltage
      factor: 11
`,
	}
}

// Registers (section 9.6.1) and fields of the config register (section 9.6.3).
const (
	registerConversion = 0x00
	registerConfig     = 0x01
	registerLow        = 0x02
	registerHigh       = 0x03

	start        = 0x8000 // written: convert; read: not converting
	singleShot   = 0x0100
	noComparator = 0x0003
	muxShift     = 12
	gainShift    = 9
	rateShift    = 5
)

type sensor struct {
	bus     i2c.Bus
	options Options
}

// open writes the config register, without converting, and reads it back, where the thresholds are not as after a reset.
func open(ctx context.Context, s driver.Setup) (driver.Sensor, error) {
	o := *s.Options.(*Options)
	sensor := &sensor{bus: s.Bus.I2C, options: o}
	err := o.model.identify(s.Bus.I2C, o.Address)
	if fault.KindOf(err) == fault.Misconfigured && sensor.remembers() {
		err = nil
	}
	if err := o.model.on.Advise(ctx, s.Bus.I2C, o.Address, err); err != nil {
		return nil, err
	}
	return sensor, nil
}

func (s *sensor) remembers() bool {
	for _, in := range []Input{{Pins: "1", RangeVolts: 6.144}, {Pins: "0-3", RangeVolts: 0.512}} {
		want := s.config(in) &^ start
		if s.write(want) != nil {
			return false
		}
		if got, err := chip.Register16(s.bus, s.options.Address, registerConfig); err != nil || got&^start != want {
			return false
		}
	}
	return true
}

func (s *sensor) config(in Input) uint16 {
	return start | singleShot | noComparator |
		uint16(slices.Index(pins(), in.Pins))<<muxShift |
		uint16(slices.Index(ranges(), in.volts()))<<gainShift |
		uint16(slices.Index(s.options.model.rates, s.options.Rate))<<rateShift
}

func (s *sensor) write(config uint16) error {
	return s.bus.Tx(s.options.Address, []byte{registerConfig, byte(config >> 8), byte(config)}, nil)
}

// Read converts the inputs one after another. What could be read is returned beside an error.
func (s *sensor) Read(ctx context.Context) ([]driver.Measurement, error) {
	var ms []driver.Measurement
	var wrong error
	for _, in := range s.options.Inputs {
		m, err := s.read(ctx, in)
		if err == nil {
			ms = append(ms, m)
			continue
		}
		wrong = errors.Join(wrong, fmt.Errorf("input %s: %w", in.Pins, err))
		if fault.KindOf(err) != fault.Implausible {
			break // it would be so with the others
		}
	}
	return ms, wrong
}

func (s *sensor) read(ctx context.Context, in Input) (driver.Measurement, error) {
	code, err := s.convert(ctx, s.config(in))
	if err != nil {
		return driver.Measurement{}, err
	}
	unused := 16 - s.options.model.bits
	if code&(1<<unused-1) != 0 {
		return driver.Measurement{}, fault.New(fault.Misconfigured, fmt.Errorf("an ADS1015 never says %#04x", uint16(code)), "it is an ADS1115: set driver: ads1115")
	}
	volts := float64(code) * in.volts() / (1 << 15)
	if int(code) >= 1<<15-1<<unused || code == -1<<15 {
		return driver.Measurement{}, fault.New(fault.Implausible, fmt.Errorf("the voltage is beyond %g V", in.volts()), "set range_volts to more, or look for a short to the supply")
	}
	if single := len(in.Pins) == 1; single && volts < 0 && volts > -in.volts()/256 {
		volts = 0 // the chip's own error about zero
	}
	if in.LeastVolts != in.MostVolts && (volts < in.LeastVolts || volts > in.MostVolts) {
		return driver.Measurement{}, fault.New(fault.Implausible,
			fmt.Errorf("%.4g V is outside the sensor's %g to %g V", volts, in.LeastVolts, in.MostVolts), "look for a break or a short in the sensor's line, and at its supply")
	}
	return in.Measure(volts)
}

// convert makes one conversion and returns its number.
func (s *sensor) convert(ctx context.Context, config uint16) (int16, error) {
	if err := s.write(config); err != nil {
		return 0, fmt.Errorf("start a conversion: %w", err)
	}
	nominal := time.Second / time.Duration(s.options.Rate)
	deadline := time.Now().Add(2*nominal + 50*time.Millisecond)
	for pause := nominal; ; pause = nominal/16 + 100*time.Microsecond {
		if err := chip.Wait(ctx, pause); err != nil {
			return 0, fmt.Errorf("wait for a conversion: %w", err)
		}
		late := time.Now().After(deadline) // a busy board may not have asked for long
		now, err := chip.Register16(s.bus, s.options.Address, registerConfig)
		switch {
		case err != nil:
			return 0, fmt.Errorf("wait for a conversion: %w", err)
		case now&^start != config&^start:
			return 0, fault.New(fault.Garbled, fmt.Errorf("the settings are %#04x in place of %#04x", now&^start, config&^start), "it was without supply for a moment, or another program uses it")
		case now&start != 0:
			code, err := chip.Register16(s.bus, s.options.Address, registerConversion)
			if err != nil {
				return 0, fmt.Errorf("read a conversion: %w", err)
			}
			return int16(code), nil
		case late:
			return 0, fault.New(fault.Timeout, errors.New("the conversion does not end"), "take the supply away for a second; if this comes again the chip is broken")
		}
	}
}

// Close has nothing to do: the chip sleeps between conversions (section 9.4.2.1).
func (s *sensor) Close() error { return nil }
