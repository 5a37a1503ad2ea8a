// Package chip is what the drivers of chips on I2C have in common. They say where their kind of chip may be and how it is told
// from others, and get advice for whoever looks for it, probes for their descriptor, waits that end with a context, and the
// checked words of Sensirion.
//
//	Open ──► Model.Advise(identity check) ──► fault: "nothing answers at 0x76; a BME280 answers at 0x77: set address: 0x77"
//	Probe ─► Model.Probe ──► every address of the model whose chip is one
package chip

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
	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
	"github.com/lamppost-city/lamppost/telemetry"
)

// Wait waits, but not longer than ctx.
func Wait(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Model is a kind of chip on I2C.
type Model struct {
	// Name is what is printed on it, for people.
	Name string
	// Addresses that it may have.
	Addresses []uint16
	// Pins says what sets the address, such as "the pin SDO"; "" if nothing does.
	Pins string
	// Identify returns nil if the chip at the address is one: a fault Absent if there is none, Misconfigured if it is another.
	// It changes nothing in any chip. nil where the chip cannot be told from others.
	Identify func(ctx context.Context, b i2c.Bus, address uint16) error
}

// Span lists the addresses from first to last.
func Span(first, last uint16) []uint16 {
	var all []uint16
	for a := first; a <= last; a++ {
		all = append(all, a)
	}
	return all
}

// Check is for an option's Validate.
func (m Model) Check(address uint16) error {
	if slices.Contains(m.Addresses, address) {
		return nil
	}
	words := make([]string, len(m.Addresses))
	for i, a := range m.Addresses {
		words[i] = fmt.Sprintf("%#x", a)
	}
	if n := len(words); n > 4 {
		words = []string{words[0] + " to " + words[n-1]}
	}
	return fmt.Errorf("address: %#x is none of %s's: %s", address, m.Name, strings.Join(words, ", "))
}

// Find identifies the chip at an address, and says what to do if it is not there.
func (m Model) Find(ctx context.Context, b i2c.Bus, address uint16) error {
	return m.Advise(ctx, b, address, m.identify(ctx, b, address))
}

// Advise completes an error of a chip at an address. Where nothing answers it looks at the model's other addresses, and where
// another chip answers it says which.
func (m Model) Advise(ctx context.Context, b i2c.Bus, address uint16, err error) error {
	var advice string
	kind := fault.KindOf(err)
	switch {
	case err == nil || ctx.Err() != nil:
		return err
	case kind == fault.Absent && bus.AnswersI2C(b, address) != nil:
		advice = m.elsewhere(ctx, b, address)
	case kind == fault.Absent || kind == fault.Misconfigured || kind == fault.Garbled || kind == fault.Timeout:
		name, driver := Name(ctx, b, address)
		switch {
		case name == "" && kind == fault.Garbled:
			return &fault.Fault{Kind: kind, Advice: fmt.Sprintf("what answers at %#x is no %s, or there is noise on the bus: look at the driver's name, then at the cable", address, m.Name), Err: err}
		case name == "" || name == m.Name:
			return err
		}
		kind = fault.Misconfigured
		advice = fmt.Sprintf("%s answers at %#x", withArticle(name), address)
		if driver != "" {
			advice += ": set driver: " + driver
		}
		if m.Pins != "" {
			advice += ", or look at " + m.Pins
		}
	default:
		return err
	}
	return &fault.Fault{Kind: kind, Advice: advice, Err: err}
}

// elsewhere looks at the model's other addresses.
func (m Model) elsewhere(ctx context.Context, b i2c.Bus, address uint16) string {
	advice := fmt.Sprintf("nothing answers at %#x", address)
	for _, other := range m.Addresses {
		if other == address {
			continue
		}
		if m.Identify == nil {
			if bus.AnswersI2C(b, other) == nil {
				return fmt.Sprintf("%s; something answers at %#x, which %s may have: set address: %#x if it is the sensor", advice, other, withArticle(m.Name), other)
			}
			continue
		}
		if m.Identify(ctx, b, other) == nil {
			return fmt.Sprintf("%s; %s answers at %#x: set address: %#x", advice, withArticle(m.Name), other, other)
		}
	}
	advice += ": look at supply, plug, SDA and SCL (swapped?)"
	if m.Pins != "" {
		advice += ", and at " + m.Pins + ", which sets the address"
	}
	return advice
}

func (m Model) identify(ctx context.Context, b i2c.Bus, address uint16) error {
	if m.Identify != nil {
		return m.Identify(ctx, b, address)
	}
	if err := bus.AnswersI2C(b, address); err != nil {
		return fmt.Errorf("look for the %s: %w", m.Name, err)
	}
	return nil
}

// Probe is for drivers whose chip can be told from others. The options of what it finds have the address.
func (m Model) Probe(ctx context.Context, b *bus.Bus) ([]driver.Found, error) {
	return m.probe(ctx, b, func(uint16) bool { return true })
}

// ProbeSilent is Probe for chips that do not acknowledge a read when they have nothing to say, as Sensirion's. Chips that do are
// not asked further: they have registers, and would take a command for a value to store.
func (m Model) ProbeSilent(ctx context.Context, b *bus.Bus) ([]driver.Found, error) {
	return m.probe(ctx, b, func(address uint16) bool { return b.I2C.Tx(address, nil, make([]byte, 1)) != nil })
}

func (m Model) probe(ctx context.Context, b *bus.Bus, may func(uint16) bool) ([]driver.Found, error) {
	var found []driver.Found
	for _, address := range m.Addresses {
		err := bus.AnswersI2C(b.I2C, address)
		if err == nil {
			if !may(address) {
				continue
			}
			err = m.Identify(ctx, b.I2C, address)
		}
		switch kind := fault.KindOf(err); {
		case err == nil:
			f := driver.Found{Where: fmt.Sprintf("address %#x", address)}
			if len(m.Addresses) > 1 {
				f.Options = map[string]any{"address": address}
			}
			found = append(found, f)
		case ctx.Err() != nil:
			return found, ctx.Err()
		case kind == fault.Lost || kind == fault.Denied:
			return found, err // the other addresses would say no more
		}
	}
	return found, nil
}

// Another is the fault of a chip that is not of the model, with what shows it.
func (m Model) Another(address uint16, shows string) error {
	advice := "another chip answers at this address; look at the driver's name"
	if m.Pins != "" {
		advice += " and at " + m.Pins
	}
	return fault.New(fault.Misconfigured, fmt.Errorf("the chip at %#x is no %s: %s", address, m.Name, shows), advice)
}

// withArticle puts a or an before a name, as it is spoken: an SHT31, an MCP9808, a BME280.
func withArticle(name string) string {
	if strings.ContainsRune("AEFHILMNORSX", rune(name[0])) {
		return "an " + name
	}
	return "a " + name
}

// TemperatureOption checks what an option says that a temperature is of: temperature, device_temperature, road_temperature or
// any other quantity in degrees Celsius.
func TemperatureOption(key, quantity string) error {
	return quantityOption(key, quantity, telemetry.Celsius, "temperature or device_temperature")
}

// VoltageOption checks what an option says that a voltage is of: voltage, battery_voltage.
func VoltageOption(key, quantity string) error {
	return quantityOption(key, quantity, telemetry.Volt, "voltage or battery_voltage")
}

func quantityOption(key, quantity string, unit telemetry.Unit, such string) error {
	if q, ok := telemetry.QuantityByName(quantity); !ok || q.Unit != unit {
		return fmt.Errorf("%s: %q is no quantity of the catalogue in %s, such as %s", key, quantity, unit.Symbol, such)
	}
	return nil
}

// Measure makes measurements of values in the given units. What is plausible is returned; the error joins what is not.
func Measure(values ...Value) ([]driver.Measurement, error) {
	ms := make([]driver.Measurement, 0, len(values))
	var wrong error
	for _, v := range values {
		var m driver.Measurement
		var err error
		if v.Least != v.Most && (v.Value < v.Least || v.Value > v.Most) {
			err = fmt.Errorf("%s is %g %s, beyond the %g to %g that the sensor can measure", v.Quantity, v.Value, v.Unit, v.Least, v.Most)
		} else {
			m, err = driver.Scale{Quantity: v.Quantity, Unit: v.Unit}.Measure(v.Value)
		}
		if err != nil {
			wrong = errors.Join(wrong, &fault.Fault{Kind: fault.Implausible, Advice: v.Advice, Err: err})
			continue
		}
		ms = append(ms, m)
	}
	return ms, wrong
}

// Value is a number as a chip has it.
type Value struct {
	Quantity string
	// Unit is a unit's code; "" means the quantity's own.
	Unit  string
	Value float64
	// Least and Most are what the chip can measure, in Unit; 0 and 0 where it measures all that the quantity can be.
	Least, Most float64
	// Advice is what to look at if the value is beyond what the quantity can be.
	Advice string
}
