package sht3x_test

import (
	"context"
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/i2c/i2ctest"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver/chip"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver/drivertest"
	"github.com/lamppost-city/lamppost/firmware-bridge/drivers/sht3x"
	"github.com/lamppost-city/lamppost/firmware-bridge/drivers/sht4x"
	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
)

func out(high, low byte) i2ctest.IO { return i2ctest.IO{Addr: 0x44, W: []byte{high, low}} }

func in(bytes ...byte) i2ctest.IO { return i2ctest.IO{Addr: 0x44, R: bytes} }

// play opens the sensor, whose status is that after a reset (section 4.11), and plays what comes then.
func play(then ...i2ctest.IO) *i2ctest.Playback {
	status := in(chip.AppendWord(nil, 0x8010)...)
	return &i2ctest.Playback{DontPanic: true, Ops: append([]i2ctest.IO{
		out(0xf3, 0x2d), status, out(0x30, 0x93), out(0x30, 0x66), out(0xf3, 0x2d), status,
	}, then...)}
}

// words are values with the checksum of section 4.12.
func words(t, rh uint16) []byte { return chip.AppendWord(chip.AppendWord(nil, t), rh) }

// The formulas of section 4.13, the commands of section 4.3, table 9, and the example of the checksum, section 4.12.
func TestFormulasAndCommandsOfTheDataSheet(t *testing.T) {
	for _, c := range []struct {
		repeatability         string
		low                   byte
		said                  []byte
		temperature, humidity float64
	}{
		{"high", 0x00, []byte{0xbe, 0xef, 0x92, 0xbe, 0xef, 0x92}, 85.52, 0.745846},
		{"medium", 0x0b, words(0x6667, 0x8000), 25.003, 0.500008},
		{"low", 0x16, words(0x6667, 0x0000), 25.003, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			on := play(out(0x24, c.low), in(c.said...))
			s := drivertest.Open(t, sht3x.Driver(), &bus.Bus{I2C: on}, map[string]any{"repeatability": c.repeatability, "quantity": "device_temperature"})
			got := drivertest.Read(t, s)
			if v := drivertest.Value(t, got, "device_temperature"); math.Abs(v-c.temperature) > 0.01 {
				t.Errorf("temperature %g, want %g", v, c.temperature)
			}
			if v := drivertest.Value(t, got, "relative_humidity"); math.Abs(v-c.humidity) > 1e-6 {
				t.Errorf("humidity %g, want %g", v, c.humidity)
			}
			if err := errors.Join(s.Close(), on.Close()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestNoiseIsGarbledAndTheNextReadingIsGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for at := range 6 {
			noisy := words(0x6667, 0x8000)
			noisy[at] ^= 0x10
			s := drivertest.Open(t, sht3x.Driver(), &bus.Bus{I2C: play(out(0x24, 0x00), in(noisy...), out(0x24, 0x00), in(words(0x6667, 0x8000)...))}, nil)
			drivertest.WantFault(t, drivertest.ReadError(t, s), fault.Garbled, "noise")
			drivertest.Read(t, s)
		}
	})
}

func TestAHeaterThatStaysOnIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		on := play()
		on.Ops[len(on.Ops)-1] = in(chip.AppendWord(nil, 0x2010)...)
		drivertest.WantFault(t, drivertest.OpenError(t, sht3x.Driver(), &bus.Bus{I2C: on}, nil), fault.Refused)
	})
}

func TestBeyondWhatItMeasuresIsImplausible(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got, err := drivertest.Open(t, sht3x.Driver(), &bus.Bus{I2C: play(out(0x24, 0x00), in(words(0x0000, 0x8000)...))}, nil).Read(t.Context())
		drivertest.WantFault(t, err, fault.Implausible, "wet")
		if len(got) != 1 || got[0].Quantity != "relative_humidity" {
			t.Errorf("got %+v", got)
		}
	})
}

func TestAChipThatIsGoneIsAbsentUntilItIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		on := drivertest.Bus(t, bus.I2C)
		d := sht3x.Driver()
		drivertest.Attach(t, d, on, nil)
		s := drivertest.Open(t, d, on.Bus(), nil)
		on.I2C.Detach(0x44)
		drivertest.WantFault(t, drivertest.ReadError(t, s), fault.Absent)
		drivertest.Attach(t, d, on, nil)
		drivertest.Read(t, s)
	})
}

func TestReadEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		on := drivertest.Bus(t, bus.I2C)
		drivertest.Attach(t, sht3x.Driver(), on, nil)
		s := drivertest.Open(t, sht3x.Driver(), on.Bus(), nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := s.Read(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

func TestOtherChipsAndAddressesAreNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		on := drivertest.Bus(t, bus.I2C)
		d := sht3x.Driver()
		drivertest.Attach(t, sht4x.Driver(), on, nil)
		drivertest.WantFault(t, drivertest.OpenError(t, d, on.Bus(), nil), fault.Misconfigured, "an SHT4x answers at 0x44: set driver: sht4x")
		on.I2C.Detach(0x44)
		drivertest.WantFault(t, drivertest.OpenError(t, d, on.Bus(), nil), fault.Absent, "nothing answers at 0x44", "the pin ADDR")
		drivertest.Attach(t, d, on, map[string]any{"address": 0x45})
		drivertest.WantFault(t, drivertest.OpenError(t, d, on.Bus(), nil), fault.Absent, "an SHT3x answers at 0x45: set address: 0x45")
	})
}

func TestOptionsAreChecked(t *testing.T) {
	for key, options := range map[string]map[string]any{
		"address":       {"address": 0x46},
		"quantity":      {"quantity": "pressure"},
		"repeatability": {"repeatability": "best"},
	} {
		drivertest.OptionError(t, sht3x.Driver(), key, options)
	}
}

func TestSimulated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { drivertest.Simulated(t, sht3x.Driver()) })
}
