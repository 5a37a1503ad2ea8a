package ina219_test

import (
	"context"
	"errors"
	"math"
	"testing"
	"testing/synctest"

	"periph.io/x/conn/v3/i2c/i2ctest"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver/drivertest"
	"github.com/lamppost-city/lamppost/firmware-bridge/drivers/ina219"
	"github.com/lamppost-city/lamppost/firmware-bridge/drivers/ina226"
	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
	"github.com/lamppost-city/lamppost/firmware-bridge/simbus"
)

func register(number, high, low byte) i2ctest.IO {
	return i2ctest.IO{Addr: 0x40, W: []byte{number}, R: []byte{high, low}}
}

func write(number, high, low byte) i2ctest.IO {
	return i2ctest.IO{Addr: 0x40, W: []byte{number, high, low}}
}

// replay plays the opening, with the calibration 0x5000 of the example, and then what the registers say, reading by reading:
// shunt, voltage, current, power.
func replay(t *testing.T, readings ...[4]uint16) *i2ctest.Playback {
	t.Helper()
	settings := []i2ctest.IO{register(0x00, 0x3f, 0xff), register(0x05, 0x50, 0x00)}
	ops := append([]i2ctest.IO{register(0xfe, 0x00, 0x00), write(0x05, 0x50, 0x00), write(0x00, 0x1f, 0xff), write(0x00, 0x3f, 0xff)}, settings...)
	for _, r := range readings {
		ops = append(ops, settings...)
		for i, number := range []byte{0x01, 0x02, 0x04, 0x03} {
			if i > 1 && r[1]&1 != 0 {
				break // after the overflow flag periph asks no further
			}
			ops = append(ops, register(number, byte(r[i]>>8), byte(r[i])))
		}
	}
	return &i2ctest.Playback{DontPanic: true, Ops: ops}
}

// The example of SBOS448G, section 9.2.2.1: 10 A over 2 mΩ at 11.98 V, resolution 1 mA.
func example() map[string]any { return map[string]any{"shunt_ohms": 0.002, "max_amperes": 32.768} }

func TestReplaysTheDataSheetsExample(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		on := replay(t, [4]uint16{0x07d0, 0x5d98, 0x2710, 0x1766}, [4]uint16{0xf830, 0x5d98, 0xd8f0, 0x1766})
		on.Ops = append(on.Ops, write(0x00, 0x3f, 0xf8))
		s := drivertest.Open(t, ina219.Driver(), &bus.Bus{I2C: on}, example())
		for _, sign := range []float64{1, -1} { // the second time the current flows back
			got := drivertest.Read(t, s)
			for quantity, want := range map[string]float64{"voltage": 11.98, "current": sign * 10, "active_power": sign * 119.8} {
				if v := drivertest.Value(t, got, quantity); math.Abs(v-want) > 1e-6 {
					t.Errorf("%s is %g, want %g", quantity, v, want)
				}
			}
		}
		if err := errors.Join(s.Close(), on.Close()); err != nil {
			t.Error(err)
		}
	})
}

func TestTooMuchCurrentIsSaidAndTheVoltageIsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, raw := range map[string][4]uint16{
			"overflow flag":  {0x07d0, 0x5d99, 0, 0},
			"shunt at 0.32V": {0x7d00, 0x5d98, 0x2710, 0x1766},
		} {
			got, err := drivertest.Open(t, ina219.Driver(), &bus.Bus{I2C: replay(t, raw)}, example()).Read(t.Context())
			drivertest.WantFault(t, err, fault.Implausible, "max_amperes", "short")
			if len(got) != 1 || math.Abs(got[0].Value-11.98) > 1e-9 {
				t.Errorf("%s: got %+v", name, got)
			}
		}
	})
}

func TestAChipThatComesBackIsSetUpAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		on := drivertest.Bus(t, bus.I2C)
		d := ina219.Driver()
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
	})
}

func TestReadEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		on := drivertest.Bus(t, bus.I2C)
		drivertest.Attach(t, ina219.Driver(), on, nil)
		s := drivertest.Open(t, ina219.Driver(), on.Bus(), nil)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := s.Read(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		drivertest.Read(t, s)
	})
}

func TestOtherChipsAndAddressesAreNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		on := drivertest.Bus(t, bus.I2C)
		d := ina219.Driver()
		drivertest.Attach(t, ina226.Driver(), on, nil)
		drivertest.WantFault(t, drivertest.OpenError(t, d, on.Bus(), nil), fault.Misconfigured, "an INA226 answers at 0x40: set driver: ina226")
		on.I2C.Detach(0x40)
		drivertest.Attach(t, d, on, map[string]any{"address": 0x41})
		drivertest.WantFault(t, drivertest.OpenError(t, d, on.Bus(), nil), fault.Absent, "an INA219 answers at 0x41: set address: 0x41")
		// Not one of these, and it keeps no settings.
		if err := on.I2C.Attach(0x40, &simbus.Bytes{Written: func(byte, byte) {}}); err != nil {
			t.Fatal(err)
		}
		drivertest.WantFault(t, drivertest.OpenError(t, d, on.Bus(), nil), fault.Misconfigured, "another chip")
		// Probe knows the chip as it is after a reset, in use, and after Close.
		for range 2 {
			found, err := d.Probe(t.Context(), on.Bus())
			if err != nil || len(found) != 1 || found[0].Options["address"] != uint16(0x41) {
				t.Errorf("found %+v, %v", found, err)
			}
			s := drivertest.Open(t, d, on.Bus(), map[string]any{"address": 0x41})
			if found, err := d.Probe(t.Context(), on.Bus()); err != nil || len(found) != 1 {
				t.Errorf("in use: found %+v, %v", found, err)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestOptionsAreChecked(t *testing.T) {
	for key, options := range map[string]map[string]any{
		"address":     {"address": 0x3f},
		"shunt_ohms":  {"shunt_ohms": -1},
		"max_amperes": {"shunt_ohms": 0.1, "max_amperes": 3.3},
		"quantity":    {"quantity": "temperature"},
	} {
		drivertest.OptionError(t, ina219.Driver(), key, options)
	}
	drivertest.OptionError(t, ina219.Driver(), "max_amperes", map[string]any{"shunt_ohms": 0.0001, "max_amperes": 1})
}

func TestSimulated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { drivertest.Simulated(t, ina219.Driver()) })
}
