package pulse

import (
	"errors"
	"fmt"
	"math"
	"time"

	"periph.io/x/conn/v3/gpio"

	"github.com/lamppost-city/lamppost/firmware-bridge/driver"
	"github.com/lamppost-city/lamppost/telemetry"
)

// Options of one counter.
type Options struct {
	// Pin is a line's name ("GPIO17") or its number on the chip ("17").
	Pin string `mapstructure:"pin"`
	// Edge is where a pulse begins: falling for an open collector or a reed contact to ground, rising otherwise.
	Edge string `mapstructure:"edge"`
	// Pull is the board's own resistor: up, down or none.
	Pull string `mapstructure:"pull"`
	// Debounce is how long a level has to stay to count, 0 to 1s. Pulses of energy meters last 30 ms or longer.
	Debounce time.Duration `mapstructure:"debounce"`
	// MaxRate is how many pulses a second the device can make at most; what comes faster is noise, and not counted.
	MaxRate float64 `mapstructure:"max_rate"`

	// Scale says what a pulse is. Of a counter (energy_import) Offset is what the device showed at the first pulse.
	driver.Scale `mapstructure:",squash"`
	// PulsesPerUnit may stand for Factor: 1000 pulses per kWh.
	PulsesPerUnit float64 `mapstructure:"pulses_per_unit"`

	// Rate, if it names a quantity, is measured from the time between pulses: what is counted, per hour. Counted kWh give kW
	// for active_power, counted mm give mm/h for rain_rate.
	Rate driver.Scale `mapstructure:"rate"`
}

// Validate says all that is wrong, each with its key.
func (o *Options) Validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if o.Pin == "" {
		fault("pin: is empty; say which pin the pulses come in at, such as GPIO17")
	}
	if o.Edge != rising && o.Edge != falling {
		fault("edge: %q is neither rising nor falling", o.Edge)
	}
	if _, ok := pulls()[o.Pull]; !ok {
		fault("pull: %q is none of up, down and none", o.Pull)
	}
	if o.Debounce < 0 || o.Debounce > time.Second {
		fault("debounce: %s is outside 0s to 1s", o.Debounce)
	}
	if !(o.MaxRate > 0 && o.MaxRate <= 1000) {
		fault("max_rate: %g is outside 0 to 1000 pulses a second", o.MaxRate)
	}
	if !(o.PulsesPerUnit >= 0) || math.IsInf(o.PulsesPerUnit, 0) {
		fault("pulses_per_unit: %g is not a number of pulses", o.PulsesPerUnit)
	}
	if o.PulsesPerUnit != 0 && o.Factor != 0 {
		fault("pulses_per_unit: stands beside factor; give one of them")
	}
	if o.Factor < 0 {
		fault("factor: %g would make the counter run backwards", o.Factor)
	}
	if err := o.Scale.Validate(); err != nil {
		faults = append(faults, err)
	} else if q, _ := telemetry.QuantityByName(o.Quantity); q.Kind == telemetry.State {
		fault("quantity: %s is a state; use the driver contact", o.Quantity)
	}
	if o.Rate != (driver.Scale{}) {
		if err := o.Rate.Validate(); err != nil {
			fault("rate: %w", err)
		} else if q, _ := telemetry.QuantityByName(o.Rate.Quantity); q.Kind != telemetry.Gauge {
			fault("rate: quantity %s is no level; use one like active_power", o.Rate.Quantity)
		}
	}
	return errors.Join(faults...)
}

const (
	rising  = "rising"
	falling = "falling"
)

func pulls() map[string]gpio.Pull {
	return map[string]gpio.Pull{"up": gpio.PullUp, "down": gpio.PullDown, "none": gpio.Float}
}

// perPulse is what one pulse adds, in the scale's unit.
func (o *Options) perPulse() float64 {
	switch {
	case o.PulsesPerUnit != 0:
		return 1 / o.PulsesPerUnit
	case o.Factor != 0:
		return o.Factor
	}
	return 1
}

// measure turns pulses, or pulses a second, into the quantity. Dividing by the pulses of a unit, not multiplying by its
// inverse, makes 3 of 1000 pulses 0.003 and not 0.0030000000000000001.
func (o *Options) measure(pulses float64) (driver.Measurement, error) {
	s := o.Scale
	if o.PulsesPerUnit != 0 {
		pulses /= o.PulsesPerUnit
		s.Factor = 1
	}
	return s.Measure(pulses)
}
