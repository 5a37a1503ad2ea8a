package driver

import (
	"errors"
	"fmt"
	"math"

	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
	"github.com/lamppost-city/lamppost/telemetry"
)

// Scale says what a raw number means: value = raw × factor + offset, in the given unit. It is part of the options of every
// driver whose device measures volts, pulses or registers rather than quantities.
type Scale struct {
	// Quantity is a name of the catalogue.
	Quantity string `mapstructure:"quantity"`
	// Channel tells alike quantities of one sensor apart.
	Channel string `mapstructure:"channel"`
	// Unit is a unit's code (UCUM, SenML or symbol) that value is in; "" means the quantity's own.
	Unit string `mapstructure:"unit"`
	// Factor is 1 where it is 0.
	Factor float64 `mapstructure:"factor"`
	Offset float64 `mapstructure:"offset"`
}

// Validate says all that is wrong, each with its key.
func (s Scale) Validate() error {
	var faults []error
	q, ok := telemetry.QuantityByName(s.Quantity)
	if !ok {
		faults = append(faults, fmt.Errorf("quantity: %q is not in the catalogue; see GET /api/v1/quantities of the city", s.Quantity))
	} else if s.Unit != "" {
		if _, err := telemetry.Convert(0, s.Unit, q); err != nil {
			faults = append(faults, fmt.Errorf("unit: %w", err))
		}
	}
	if err := telemetry.CheckChannel(s.Channel); err != nil {
		faults = append(faults, fmt.Errorf("channel: %w", err))
	}
	if !finite(s.Factor) {
		faults = append(faults, fmt.Errorf("factor: %g is not a number that can be used", s.Factor))
	}
	if !finite(s.Offset) {
		faults = append(faults, fmt.Errorf("offset: %g is not a number that can be used", s.Offset))
	}
	return errors.Join(faults...)
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// Measure turns a raw number into a measurement. It is a fault of kind Implausible if the value is beyond the quantity's
// sane range: then the factor, the unit or the byte order is usually wrong.
func (s Scale) Measure(raw float64) (Measurement, error) {
	q, ok := telemetry.QuantityByName(s.Quantity)
	if !ok {
		return Measurement{}, fmt.Errorf("quantity %q is not in the catalogue", s.Quantity)
	}
	factor := s.Factor
	if factor == 0 {
		factor = 1
	}
	value := raw*factor + s.Offset
	if s.Unit != "" {
		var err error
		if value, err = telemetry.Convert(value, s.Unit, q); err != nil {
			return Measurement{}, err
		}
	}
	if err := Plausible(q, value); err != nil {
		return Measurement{}, err
	}
	return Measurement{Quantity: s.Quantity, Channel: s.Channel, Value: value}, nil
}

// Plausible returns a fault of kind Implausible if the value is not a number or outside the quantity's sane range.
func Plausible(q *telemetry.Quantity, value float64) error {
	if value >= q.Min && value <= q.Max {
		return nil
	}
	return fault.New(fault.Implausible, fmt.Errorf("%s is %g, outside %g to %g", q.Name, value, q.Min, q.Max), "look at the unit, the factor and the byte order")
}
