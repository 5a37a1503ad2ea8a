package aht20_test

import (
	"context"
	"errors"
	"math"
	"testing"
	"testing/synctest"

	"periph.io/x/conn/v3/i2c/i2ctest"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver/drivertest"
	"github.com/lamppost-city/lamppost/firmware-bridge/drivers/aht20"
	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
)

func out(bytes ...byte) i2ctest.IO { return i2ctest.IO{Addr: 0x38, W: bytes} }

func in(bytes ...byte) i2ctest.IO { return i2ctest.IO{Addr: 0x38, R: bytes} }

func status(s byte) i2ctest.IO { return i2ctest.IO{Addr: 0x38, W: []byte{0x71}, R: []byte{s}} }

func measure() i2ctest.IO { return out(0xac, 0x33, 0x00) }

// play opens the sensor and plays what comes then.
func play(then ...i2ctest.IO) *i2ctest.Playback {
	return &i2ctest.Playback{DontPanic: true, Ops: append([]i2ctest.IO{
		in(0x18, 0x80, 0x00, 0x00, 0x00, 0x00, 0x00), status(0x18), status(0x18),
	}, then...)}
}

// Bytes that chips have said: from the tests of periph's driver, and from the wiki of the driver for Elixir
// (elixir-sensors/aht20). The values are those of the formulas of section 6, whose constants are 2^20, 200 and 50.
func TestReplaysWhatChipsHaveSaid(t *testing.T) {
	for _, c := range []struct {
		said                  []byte
		temperature, humidity float64
	}{
		{[]byte{0x18, 0x75, 0x52, 0x05, 0x8e, 0x40, 0x7f}, 19.4458, 0.458282},
		{[]byte{0x1c, 0x26, 0x9a, 0x76, 0x42, 0xe7, 0x76}, 28.2667, 0.150794},
	} {
		synctest.Test(t, func(t *testing.T) {
			on := play(measure(), in(c.said...))
			got := drivertest.Read(t, drivertest.Open(t, aht20.Driver(), &bus.Bus{I2C: on}, nil))
			if v := drivertest.Value(t, got, "temperature"); math.Abs(v-c.temperature) > 1e-4 {
				t.Errorf("temperature %g, want %g", v, c.temperature)
			}
			if v := drivertest.Value(t, got, "relative_humidity"); math.Abs(v-c.humidity) > 1e-6 {
				t.Errorf("humidity %g, want %g", v, c.humidity)
			}
			if err := on.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAChipThatIsNotCalibratedIsInitialised(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		on := &i2ctest.Playback{DontPanic: true, Ops: []i2ctest.IO{
			in(0x10, 0x80, 0, 0, 0, 0, 0), status(0x10), out(0xbe, 0x08, 0x00), status(0x18),
		}}
		drivertest.Open(t, aht20.Driver(), &bus.Bus{I2C: on}, nil)
		if err := on.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestNoiseIsGarbledAndTheNextReadingIsGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		on := play(measure(), in(0x18, 0x75, 0x52, 0x05, 0x8e, 0x40, 0x7e), measure(), in(0x18, 0x75, 0x52, 0x05, 0x8e, 0x40, 0x7f))
		s := drivertest.Open(t, aht20.Driver(), &bus.Bus{I2C: on}, nil)
		drivertest.WantFault(t, drivertest.ReadError(t, s), fault.Garbled, "noise")
		drivertest.Read(t, s)
	})
}

func TestAChipThatWasResetIsInitialisedAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		on := play(measure(), in(0x00, 0x75, 0x52, 0x05, 0x8e, 0x40, 0x20), out(0xbe, 0x08, 0x00), measure(), in(0x18, 0x75, 0x52, 0x05, 0x8e, 0x40, 0x7f))
		s := drivertest.Open(t, aht20.Driver(), &bus.Bus{I2C: on}, nil)
		drivertest.WantFault(t, drivertest.ReadError(t, s), fault.Garbled, "without supply")
		drivertest.Read(t, s)
		if err := on.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestAChipThatIsGoneIsAbsentUntilItIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		on := drivertest.Bus(t, bus.I2C)
		d := aht20.Driver()
		drivertest.WantFault(t, drivertest.OpenError(t, d, on.Bus(), nil), fault.Absent, "nothing answers at 0x38")
		drivertest.Attach(t, d, on, nil)
		s := drivertest.Open(t, d, on.Bus(), nil)
		drivertest.Read(t, s)
		on.I2C.Detach(0x38)
		drivertest.WantFault(t, drivertest.ReadError(t, s), fault.Absent)
		drivertest.Attach(t, d, on, nil)
		drivertest.WantFault(t, drivertest.ReadError(t, s), fault.Garbled, "without supply")
		drivertest.Read(t, s)
	})
}

// busy is a chip that never ends measuring.
type busy struct{}

func (busy) Tx(w, r []byte) error {
	if len(r) > 1 {
		copy(r, []byte{0x98, 0x75, 0x52, 0x05, 0x8e, 0x40, 0x93})
		return nil
	}
	copy(r, []byte{0x18})
	return nil
}

func TestAChipThatNeverEndsMeasuringIsATimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		on := drivertest.Bus(t, bus.I2C)
		if err := on.I2C.Attach(0x38, busy{}); err != nil {
			t.Fatal(err)
		}
		drivertest.WantFault(t, drivertest.ReadError(t, drivertest.Open(t, aht20.Driver(), on.Bus(), nil)), fault.Timeout)
	})
}

func TestReadEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		on := drivertest.Bus(t, bus.I2C)
		drivertest.Attach(t, aht20.Driver(), on, nil)
		s := drivertest.Open(t, aht20.Driver(), on.Bus(), nil)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := s.Read(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

// A port takes every byte that is written to it for the state of its pins.
func TestAPortAtTheAddressIsLeftAlone(t *testing.T) {
	on := drivertest.Bus(t, bus.I2C)
	port := &port{}
	if err := on.I2C.Attach(0x38, port); err != nil {
		t.Fatal(err)
	}
	drivertest.WantFault(t, drivertest.OpenError(t, aht20.Driver(), on.Bus(), nil), fault.Misconfigured, "another chip")
	found, err := aht20.Driver().Probe(t.Context(), on.Bus())
	if err != nil || len(found) != 0 || port.written != 0 {
		t.Errorf("found %+v, %v; %d bytes were written", found, err, port.written)
	}
}

type port struct{ written int }

func (p *port) Tx(w, r []byte) error {
	p.written += len(w)
	for i := range r {
		r[i] = 0x5a
	}
	return nil
}

func TestProbeFindsAChipThatHasMeasured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		on := drivertest.Bus(t, bus.I2C)
		d := aht20.Driver()
		drivertest.Attach(t, d, on, nil)
		drivertest.Read(t, drivertest.Open(t, d, on.Bus(), nil))
		found, err := d.Probe(t.Context(), on.Bus())
		if err != nil || len(found) != 1 || found[0].Options != nil {
			t.Errorf("found %+v, %v", found, err)
		}
	})
}

func TestBeyondWhatItMeasuresIsImplausible(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		on := play(measure(), in(0x18, 0x00, 0x00, 0x00, 0x00, 0x00, 0x35))
		drivertest.WantFault(t, drivertest.ReadError(t, drivertest.Open(t, aht20.Driver(), &bus.Bus{I2C: on}, nil)), fault.Implausible, "wet")
	})
}

func TestOptionsAreChecked(t *testing.T) {
	drivertest.OptionError(t, aht20.Driver(), "quantity", map[string]any{"quantity": "pressure"})
}

func TestSimulated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { drivertest.Simulated(t, aht20.Driver()) })
}
