package bh1750_test

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
	"github.com/lamppost-city/lamppost/firmware-bridge/drivers/bh1750"
	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
	"github.com/lamppost-city/lamppost/firmware-bridge/simbus"
)

func out(command byte) i2ctest.IO { return i2ctest.IO{Addr: 0x23, W: []byte{command}} }

func in(bytes ...byte) i2ctest.IO { return i2ctest.IO{Addr: 0x23, R: bytes} }

// The technical note, page 10: 0x8390 is 28067 lx. Page 11: a measurement time of 138 is 0x44, 0x6a and doubles the counts.
func TestReplaysTheDataSheetsExamples(t *testing.T) {
	for _, c := range []struct {
		name    string
		options map[string]any
		ops     []i2ctest.IO
		want    float64
	}{
		{"page 10", nil, []i2ctest.IO{out(0x42), out(0x65), out(0x20), in(0x83, 0x90)}, 28066.67},
		{"page 11", map[string]any{"measurement_time": 138}, []i2ctest.IO{out(0x44), out(0x6a), out(0x20), in(0x83, 0x90)}, 14033.33},
		{"half a lux", map[string]any{"resolution": "higher"}, []i2ctest.IO{out(0x42), out(0x65), out(0x21), in(0x00, 0x01)}, 0.416667},
		{"low", map[string]any{"resolution": "low"}, []i2ctest.IO{out(0x42), out(0x65), out(0x23), in(0x00, 0x0c)}, 10},
		{"window", map[string]any{"factor": 1.25}, []i2ctest.IO{out(0x42), out(0x65), out(0x20), in(0x00, 0x0c)}, 12.5},
		{"dark", nil, []i2ctest.IO{out(0x42), out(0x65), out(0x20), in(0x00, 0x00)}, 0},
		{
			"the sun", nil,
			[]i2ctest.IO{out(0x42), out(0x65), out(0x20), in(0xff, 0xff), out(0x40), out(0x7f), out(0x20), in(0xff, 0x00)},
			65280 / 1.2 * 69 / 31,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ops := append([]i2ctest.IO{in(0)}, c.ops...) // is somebody there?
				on := &i2ctest.Playback{DontPanic: true, Ops: append(ops, out(0x00))}
				s := drivertest.Open(t, bh1750.Driver(), &bus.Bus{I2C: on}, c.options)
				if v := drivertest.Value(t, drivertest.Read(t, s), "illuminance"); math.Abs(v-c.want) > 0.01 {
					t.Errorf("got %g lx, want %g", v, c.want)
				}
				if err := errors.Join(s.Close(), on.Close()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func attach(t *testing.T, d *bh1750.Device) (*simbus.Bus, driver.Sensor) {
	t.Helper()
	on := drivertest.Bus(t, bus.I2C)
	if err := on.I2C.Attach(0x23, d); err != nil {
		t.Fatal(err)
	}
	return on, drivertest.Open(t, bh1750.Driver(), on.Bus(), nil)
}

// The data sheet allows 180 ms. Who reads sooner gets the measurement before.
func TestASlowChipIsNotReadTooEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lux := 100.0
		_, s := attach(t, &bh1750.Device{Lux: func() float64 { return lux }, Takes: 180 * time.Millisecond})
		for _, lux = range []float64{100, 2000, 50, 80_000} {
			if v := drivertest.Value(t, drivertest.Read(t, s), "illuminance"); math.Abs(v-lux) > 2 {
				t.Errorf("got %g, want %g", v, lux)
			}
		}
	})
}

func TestBrighterThanTheSunIsImplausible(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s := attach(t, &bh1750.Device{Lux: func() float64 { return 150_000 }})
		drivertest.WantFault(t, drivertest.ReadError(t, s), fault.Implausible, "window")
	})
}

func TestReadEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s := attach(t, &bh1750.Device{Lux: func() float64 { return 1 }})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		began := time.Now()
		if _, err := s.Read(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 10*time.Millisecond {
			t.Errorf("%v after %s", err, time.Since(began))
		}
	})
}

func TestAChipThatGoesAwayIsAbsentUntilItIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &bh1750.Device{Lux: func() float64 { return 1 }}
		on, s := attach(t, d)
		on.I2C.Detach(0x23)
		drivertest.WantFault(t, drivertest.ReadError(t, s), fault.Absent)
		if err := on.I2C.Attach(0x23, d); err != nil {
			t.Fatal(err)
		}
		drivertest.Read(t, s)
	})
}

func TestTheOtherAddressIsTold(t *testing.T) {
	on := drivertest.Bus(t, bus.I2C)
	drivertest.Attach(t, bh1750.Driver(), on, map[string]any{"address": 0x5c})
	drivertest.WantFault(t, drivertest.OpenError(t, bh1750.Driver(), on.Bus(), nil), fault.Absent, "something answers at 0x5c", "set address: 0x5c")
}

func TestOptionsAreChecked(t *testing.T) {
	for key, options := range map[string]map[string]any{
		"address":          {"address": 0x24},
		"resolution":       {"resolution": "best"},
		"measurement_time": {"measurement_time": 255},
		"factor":           {"factor": 0},
	} {
		drivertest.OptionError(t, bh1750.Driver(), key, options)
	}
}

func TestSimulated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { drivertest.Simulated(t, bh1750.Driver()) })
}
