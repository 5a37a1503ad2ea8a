package ina226_test

import (
	"context"
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/i2c/i2ctest"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver/drivertest"
	"github.com/lamppost-city/lamppost/firmware-bridge/drivers/ina226"
	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
	"github.com/lamppost-city/lamppost/firmware-bridge/simbus"
)

func register(number, high, low byte) i2ctest.IO {
	return i2ctest.IO{Addr: 0x40, W: []byte{number}, R: []byte{high, low}}
}

// opening is identity and settings: calibration 0x0A00 as in the example, 64 averages of 1.1 ms.
func opening() []i2ctest.IO {
	return []i2ctest.IO{
		register(0xfe, 0x54, 0x49), register(0xff, 0x22, 0x60),
		{Addr: 0x40, W: []byte{0x05, 0x0a, 0x00}},
		{Addr: 0x40, W: []byte{0x00, 0x47, 0x27}},
	}
}

func settings() []i2ctest.IO {
	return []i2ctest.IO{register(0x00, 0x47, 0x27), register(0x05, 0x0a, 0x00)}
}

func playback(parts ...[]i2ctest.IO) *i2ctest.Playback {
	on := &i2ctest.Playback{DontPanic: true}
	for _, p := range parts {
		on.Ops = append(on.Ops, p...)
	}
	return on
}

// The example of SBOS547A, section 7.5.1: 10 A over 2 mΩ at 11.98 V, resolution 1 mA.
func example() map[string]any { return map[string]any{"shunt_ohms": 0.002, "max_amperes": 32.768} }

func TestReplaysTheDataSheetsExample(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		on := playback(opening(), settings(), []i2ctest.IO{
			register(0x06, 0x00, 0x00), register(0x06, 0x00, 0x08),
			register(0x01, 0x1f, 0x40), register(0x02, 0x25, 0x70), register(0x03, 0x12, 0xb8), register(0x04, 0x27, 0x10),
			{Addr: 0x40, W: []byte{0x00, 0x47, 0x20}},
		})
		s := drivertest.Open(t, ina226.Driver(), &bus.Bus{I2C: on}, example())
		got := drivertest.Read(t, s)
		for quantity, want := range map[string]float64{"voltage": 11.98, "current": 10, "active_power": 119.8} {
			if v := drivertest.Value(t, got, quantity); math.Abs(v-want) > 1e-9 {
				t.Errorf("%s is %g, want %g", quantity, v, want)
			}
		}
		if err := errors.Join(s.Close(), on.Close()); err != nil {
			t.Error(err)
		}
	})
}

// Section 7.5.1: a current that flows back is negative; the power register has no sign.
func TestACurrentThatFlowsBackIsNegative(t *testing.T) {
	on := playback(opening(), settings(), []i2ctest.IO{
		register(0x06, 0x00, 0x08),
		register(0x01, 0xe0, 0xc0), register(0x02, 0x25, 0x70), register(0x03, 0x12, 0xb8), register(0x04, 0xd8, 0xf0),
	})
	got := drivertest.Read(t, drivertest.Open(t, ina226.Driver(), &bus.Bus{I2C: on}, example()))
	if i, p := drivertest.Value(t, got, "current"), drivertest.Value(t, got, "active_power"); math.Abs(i+10) > 1e-9 || math.Abs(p+119.8) > 1e-9 {
		t.Errorf("got %g A, %g W", i, p)
	}
}

func TestTooMuchCurrentIsSaidAndTheVoltageIsRead(t *testing.T) {
	on := playback(opening(), settings(), []i2ctest.IO{
		register(0x06, 0x00, 0x08),
		register(0x01, 0x7f, 0xff), register(0x02, 0x25, 0x70), register(0x03, 0x12, 0xb8), register(0x04, 0x27, 0x10),
	}, settings(), []i2ctest.IO{register(0x06, 0x00, 0x0c)})
	s := drivertest.Open(t, ina226.Driver(), &bus.Bus{I2C: on}, example())
	got, err := s.Read(t.Context())
	drivertest.WantFault(t, err, fault.Implausible, "short")
	if len(got) != 1 || math.Abs(got[0].Value-11.98) > 1e-9 {
		t.Errorf("got %+v", got)
	}
	drivertest.WantFault(t, drivertest.ReadError(t, s), fault.Implausible, "max_amperes")
}

// Without its calibration the chip would go on and say 0 A.
func TestAChipThatComesBackIsSetUpAnew(t *testing.T) {
	on := drivertest.Bus(t, bus.I2C)
	d := ina226.Driver()
	drivertest.Attach(t, d, on, nil)
	s := drivertest.Open(t, d, on.Bus(), nil)
	drivertest.Read(t, s)
	on.I2C.Detach(0x40)
	drivertest.WantFault(t, drivertest.ReadError(t, s), fault.Absent)
	drivertest.Attach(t, d, on, nil)
	drivertest.WantFault(t, drivertest.ReadError(t, s), fault.Garbled, "without supply")
	if v := drivertest.Value(t, drivertest.Read(t, s), "current"); v == 0 {
		t.Error("the current is 0")
	}
}

func TestAChipThatDoesNotMeasureIsATimeoutUnlessTheContextEndsBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		on := drivertest.Bus(t, bus.I2C)
		if err := on.I2C.Attach(0x40, &simbus.Words{Values: map[byte]func() uint16{0xfe: is(0x5449), 0xff: is(0x2260), 0x06: is(0)}}); err != nil {
			t.Fatal(err)
		}
		s := drivertest.Open(t, ina226.Driver(), on.Bus(), nil)
		drivertest.WantFault(t, drivertest.ReadError(t, s), fault.Timeout)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		began := time.Now()
		if _, err := s.Read(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > 20*time.Millisecond {
			t.Errorf("%v after %s", err, time.Since(began))
		}
	})
}

func is(value uint16) func() uint16 { return func() uint16 { return value } }

func TestOtherChipsAndAddressesAreNamed(t *testing.T) {
	on := drivertest.Bus(t, bus.I2C)
	d := ina226.Driver()
	if err := on.I2C.Attach(0x40, &simbus.Words{Values: map[byte]func() uint16{0xfe: is(0x5449), 0xff: is(0x3220)}}); err != nil {
		t.Fatal(err)
	}
	drivertest.WantFault(t, drivertest.OpenError(t, d, on.Bus(), nil), fault.Misconfigured, "an INA3221 answers at 0x40")
	on.I2C.Detach(0x40)
	drivertest.Attach(t, d, on, map[string]any{"address": 0x45})
	drivertest.WantFault(t, drivertest.OpenError(t, d, on.Bus(), nil), fault.Absent, "an INA226 answers at 0x45: set address: 0x45")
	found, err := d.Probe(t.Context(), on.Bus())
	if err != nil || len(found) != 1 || found[0].Options["address"] != uint16(0x45) {
		t.Errorf("found %+v, %v", found, err)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for key, options := range map[string]map[string]any{
		"address":         {"address": 0x50},
		"shunt_ohms":      {"shunt_ohms": 0},
		"max_amperes":     {"shunt_ohms": 0.1, "max_amperes": 0.9},
		"averaging":       {"averaging": 3},
		"conversion_time": {"conversion_time": "1ms"},
		"quantity":        {"quantity": "volts"},
	} {
		drivertest.OptionError(t, ina226.Driver(), key, options)
	}
	drivertest.OptionError(t, ina226.Driver(), "averaging", map[string]any{"averaging": 1024, "conversion_time": "8244us"})
}

func TestSimulated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { drivertest.Simulated(t, ina226.Driver()) })
}
