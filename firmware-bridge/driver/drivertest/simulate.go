package drivertest

import (
	"strings"
	"testing"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver"
	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
	"github.com/lamppost-city/lamppost/firmware-bridge/simbus"
)

// Bus is a simulated bus without devices.
func Bus(t *testing.T, kind bus.Kind) *simbus.Bus {
	t.Helper()
	on, err := simbus.New(bus.Config{ID: "test", Type: kind})
	if err != nil {
		t.Fatal(err)
	}
	return on
}

// Attach puts the driver's simulated device on a simulated bus.
func Attach(t *testing.T, d driver.Driver, on *simbus.Bus, options map[string]any) {
	t.Helper()
	if err := d.Simulate(Setup(t, d, on.Bus(), options), on); err != nil {
		t.Fatalf("simulate %s: %v", d.Name, err)
	}
}

// Read reads a sensor that works.
func Read(t *testing.T, s driver.Sensor) []driver.Measurement {
	t.Helper()
	got, err := s.Read(t.Context())
	if err != nil {
		t.Fatalf("read: %v (%s); advice: %s", err, fault.KindOf(err), fault.AdviceOf(err))
	}
	return got
}

// Value returns the value of a quantity that must be among the measurements.
func Value(t *testing.T, ms []driver.Measurement, quantity string) float64 {
	t.Helper()
	for _, m := range ms {
		if m.Quantity == quantity {
			return m.Value
		}
	}
	t.Fatalf("%s is not among %+v", quantity, ms)
	return 0
}

// ReadError reads a sensor that cannot be read, and returns why.
func ReadError(t *testing.T, s driver.Sensor) error {
	t.Helper()
	got, err := s.Read(t.Context())
	if err == nil {
		t.Fatalf("read: no error, but %+v", got)
	}
	return err
}

// WantFault checks the kind of an error, and that its advice says all the words.
func WantFault(t *testing.T, err error, kind fault.Kind, says ...string) {
	t.Helper()
	if fault.KindOf(err) != kind {
		t.Errorf("fault %s, want %s: %v", fault.KindOf(err), kind, err)
	}
	for _, word := range says {
		if !strings.Contains(fault.AdviceOf(err), word) {
			t.Errorf("advice %q does not say %q; error: %v", fault.AdviceOf(err), word, err)
		}
	}
}

// OptionError checks that options are refused, and that what is said begins with the key, or has it in a line of its own.
func OptionError(t *testing.T, d driver.Driver, key string, options map[string]any) {
	t.Helper()
	err := driver.Decode(d.Options(), options)
	if err == nil || !strings.Contains("\n"+err.Error(), "\n"+key+": ") {
		t.Errorf("options %v of %s: %v; want a fault of %s", options, d.Name, err, key)
	}
}
