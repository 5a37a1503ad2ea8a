package ads1x15_test

import (
	"context"
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/i2c/i2ctest"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver/drivertest"
	"github.com/lamppost-city/lamppost/firmware-bridge/drivers/ads1x15"
	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
	"github.com/lamppost-city/lamppost/firmware-bridge/simbus"
)

func register(number byte, high, low byte) i2ctest.IO {
	return i2ctest.IO{Addr: 0x48, W: []byte{number}, R: []byte{high, low}}
}

// SBAS444D, table 3 (ideal codes) at ±2.048 V between pins 0 and 1, and the config register of section 9.6.3 for it: OS 1, MUX
// 000, PGA 010, MODE 1, DR 100, COMP_QUE 11.
func TestReadsTheDataSheetsCodes(t *testing.T) {
	for _, c := range []struct {
		name      string
		high, low byte
		want      float64
		kind      fault.Kind
	}{
		{name: "0", want: 0},
		{name: "FS/2^15", low: 0x01, want: 62.5e-6},
		{name: "-FS/2^15", high: 0xff, low: 0xff, want: -62.5e-6},
		{name: "half", high: 0x40, want: 1.024},
		{name: "at least FS", high: 0x7f, low: 0xff, kind: fault.Implausible},
		{name: "at most -FS", high: 0x80, kind: fault.Implausible},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				on := &i2ctest.Playback{DontPanic: true, Ops: []i2ctest.IO{
					register(0x02, 0x80, 0x00), register(0x03, 0x7f, 0xff),
					{Addr: 0x48, W: []byte{0x01, 0x85, 0x83}},
					register(0x01, 0x05, 0x83),
					register(0x01, 0x85, 0x83),
					register(0x00, c.high, c.low),
				}}
				// Celsius may be below zero, a voltage of the catalogue may not.
				s := drivertest.Open(t, ads1x15.ADS1115(), &bus.Bus{I2C: on}, map[string]any{"inputs": []any{
					map[string]any{"pins": "0-1", "range_volts": 2.048, "quantity": "temperature"},
				}})
				got, err := s.Read(t.Context())
				if c.kind != "" {
					drivertest.WantFault(t, err, c.kind, "range_volts")
				} else if err != nil || math.Abs(got[0].Value-c.want) > 1e-12 {
					t.Errorf("got %+v, %v; want %g", got, err, c.want)
				}
				if err := on.Close(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func two() map[string]any {
	return map[string]any{"rate": 8, "inputs": []any{
		map[string]any{"pins": "0", "quantity": "voltage"},
		map[string]any{"pins": "3", "quantity": "battery_voltage", "factor": 11, "range_volts": 2.048},
	}}
}

func attach(t *testing.T, d *ads1x15.Device) *simbus.Bus {
	t.Helper()
	on := drivertest.Bus(t, bus.I2C)
	if err := on.I2C.Attach(0x48, d); err != nil {
		t.Fatal(err)
	}
	return on
}

func volts(pins string) float64 { return map[string]float64{"0": 3, "3": 1.2}[pins] }

// A chip whose clock is slow still has the conversion before in its register when the data sheet's time is over.
func TestASlowChipIsNotReadTooEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, d := range []driver.Driver{ads1x15.ADS1115(), ads1x15.ADS1015()} {
			options, bits := two(), 16
			if d.Name == "ads1015" {
				options["rate"], bits = 128, 12
			}
			on := attach(t, &ads1x15.Device{Volts: volts, Takes: 138 * time.Millisecond, Bits: bits})
			if bits == 12 {
				on = attach(t, &ads1x15.Device{Volts: volts, Takes: 9 * time.Millisecond, Bits: bits})
			}
			s := drivertest.Open(t, d, on.Bus(), options)
			for range 3 {
				got := drivertest.Read(t, s)
				if a, b := drivertest.Value(t, got, "voltage"), drivertest.Value(t, got, "battery_voltage"); math.Abs(a-3) > 0.003 || math.Abs(b-13.2) > 0.02 {
					t.Errorf("%s: %g and %g V", d.Name, a, b)
				}
			}
		}
	})
}

func TestAConversionThatNeverEndsIsATimeoutUnlessTheContextEndsBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &ads1x15.Device{Volts: volts, Takes: time.Hour, Bits: 16}
		s := drivertest.Open(t, ads1x15.ADS1115(), attach(t, d).Bus(), two())
		began := time.Now()
		drivertest.WantFault(t, drivertest.ReadError(t, s), fault.Timeout)
		if took := time.Since(began); took > time.Second {
			t.Errorf("it took %s", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		if _, err := s.Read(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		d.Takes = 100 * time.Millisecond
		drivertest.Read(t, s)
	})
}

func TestABrokenLineIsSaidAndTheOthersAreRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		options := map[string]any{"inputs": []any{
			map[string]any{"pins": "1", "quantity": "water_level", "factor": 3.125, "offset": -1.25, "least_volts": 0.36, "most_volts": 2.1},
			map[string]any{"pins": "0", "quantity": "voltage"},
		}}
		s := drivertest.Open(t, ads1x15.ADS1115(), attach(t, &ads1x15.Device{Volts: volts, Bits: 16}).Bus(), options)
		got, err := s.Read(t.Context())
		drivertest.WantFault(t, err, fault.Implausible, "break")
		if len(got) != 1 || got[0].Quantity != "voltage" {
			t.Errorf("got %+v", got)
		}
	})
}

func TestAPinAtGroundIsZeroNotLess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		below := func(string) float64 { return -0.002 }
		s := drivertest.Open(t, ads1x15.ADS1115(), attach(t, &ads1x15.Device{Volts: below, Bits: 16}).Bus(), two())
		if v := drivertest.Value(t, drivertest.Read(t, s), "voltage"); v != 0 {
			t.Errorf("got %g", v)
		}
	})
}

func TestAChipThatGoesAwayIsAbsentUntilItIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &ads1x15.Device{Volts: volts, Bits: 16}
		on := attach(t, d)
		s := drivertest.Open(t, ads1x15.ADS1115(), on.Bus(), two())
		on.I2C.Detach(0x48)
		drivertest.WantFault(t, drivertest.ReadError(t, s), fault.Absent)
		if err := on.I2C.Attach(0x48, d); err != nil {
			t.Fatal(err)
		}
		drivertest.Read(t, s)
	})
}

func TestAChipThatIsResetWhileItConvertsIsGarbled(t *testing.T) {
	on := &i2ctest.Playback{DontPanic: true, Ops: []i2ctest.IO{
		register(0x02, 0x80, 0x00), register(0x03, 0x7f, 0xff),
		{Addr: 0x48, W: []byte{0x01, 0xc3, 0x83}},
		register(0x01, 0x85, 0x83),
	}}
	s := drivertest.Open(t, ads1x15.ADS1115(), &bus.Bus{I2C: on}, map[string]any{"inputs": []any{map[string]any{"pins": "0", "quantity": "voltage"}}})
	drivertest.WantFault(t, drivertest.ReadError(t, s), fault.Garbled, "without supply")
}

func TestOtherChipsAreToldApart(t *testing.T) {
	on := drivertest.Bus(t, bus.I2C)
	// A TMP102 has its limits in the registers 2 and 3, and a config register that keeps some bits to itself.
	other := &simbus.Words{Values: map[byte]func() uint16{
		1: func() uint16 { return 0x60a0 }, 2: func() uint16 { return 0x4b00 }, 3: func() uint16 { return 0x5000 },
	}}
	if err := on.I2C.Attach(0x48, other); err != nil {
		t.Fatal(err)
	}
	drivertest.WantFault(t, drivertest.OpenError(t, ads1x15.ADS1115(), on.Bus(), two()), fault.Misconfigured, "another chip", "ADDR")
	drivertest.Attach(t, ads1x15.ADS1115(), on, map[string]any{"address": 0x4a, "inputs": two()["inputs"]})
	on.I2C.Detach(0x48)
	drivertest.WantFault(t, drivertest.OpenError(t, ads1x15.ADS1115(), on.Bus(), two()), fault.Absent, "an ADS1115 answers at 0x4a: set address: 0x4a")
	found, err := ads1x15.ADS1115().Probe(t.Context(), on.Bus())
	if err != nil || len(found) != 1 || found[0].Options["address"] != uint16(0x4a) {
		t.Fatalf("found %+v, %v", found, err)
	}
	if err := driver.Decode(ads1x15.ADS1115().Options(), found[0].Options); err != nil {
		t.Errorf("what was found cannot be used: %v", err)
	}
}

// Another program may have set the thresholds for the comparator.
func TestAChipWithOtherThresholdsIsKnownByItsSettings(t *testing.T) {
	on := drivertest.Bus(t, bus.I2C)
	used := &simbus.Words{Values: map[byte]func() uint16{2: func() uint16 { return 0 }, 3: func() uint16 { return 0x8000 }}}
	if err := on.I2C.Attach(0x48, used); err != nil {
		t.Fatal(err)
	}
	drivertest.Open(t, ads1x15.ADS1115(), on.Bus(), two())
}

func TestAnADS1115UnderTheOthersNameIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		options := two()
		options["rate"] = 128
		s := drivertest.Open(t, ads1x15.ADS1015(), attach(t, &ads1x15.Device{Volts: func(string) float64 { return 1.2345 }, Bits: 16}).Bus(), options)
		drivertest.WantFault(t, drivertest.ReadError(t, s), fault.Misconfigured, "set driver: ads1115")
	})
}

func TestOptionsAreChecked(t *testing.T) {
	input := func(key string, value any) map[string]any {
		return map[string]any{"inputs": []any{map[string]any{"pins": "0", "quantity": "voltage", key: value}}}
	}
	for key, options := range map[string]map[string]any{
		"address":               {"address": 0x40, "inputs": two()["inputs"]},
		"rate":                  {"rate": 100, "inputs": two()["inputs"]},
		"inputs":                {},
		"inputs[0].pins":        input("pins", "4"),
		"inputs[0].range_volts": input("range_volts", 5),
		"inputs[0].least_volts": input("least_volts", 1),
		"inputs[0].quantity":    input("quantity", "volts"),
		"inputs[0].unit":        input("unit", "kg"),
		"inputs[1].channel": {"inputs": []any{
			map[string]any{"pins": "0", "quantity": "voltage"}, map[string]any{"pins": "1", "quantity": "voltage"},
		}},
	} {
		drivertest.OptionError(t, ads1x15.ADS1115(), key, options)
	}
}

func TestSimulated(t *testing.T) {
	for _, d := range []driver.Driver{ads1x15.ADS1115(), ads1x15.ADS1015()} {
		t.Run(d.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { drivertest.Simulated(t, d) })
		})
	}
}
