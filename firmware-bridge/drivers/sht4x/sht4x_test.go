package sht4x_test

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
	"github.com/lamppost-city/lamppost/firmware-bridge/drivers/ina226"
	"github.com/lamppost-city/lamppost/firmware-bridge/drivers/sht3x"
	"github.com/lamppost-city/lamppost/firmware-bridge/drivers/sht4x"
	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
)

// play answers the question for the serial number, with 0xBEEF and its checksum 0x92 (section 4.4), and then plays pairs of a
// command and an answer.
func play(pairs ...[]byte) *i2ctest.Playback {
	on := &i2ctest.Playback{DontPanic: true, Ops: []i2ctest.IO{
		{Addr: 0x44, W: []byte{0x89}}, {Addr: 0x44, R: []byte{0xbe, 0xef, 0x92, 0xbe, 0xef, 0x92}},
	}}
	for i := 0; i < len(pairs); i += 2 {
		on.Ops = append(on.Ops, i2ctest.IO{Addr: 0x44, W: pairs[i]}, i2ctest.IO{Addr: 0x44, R: pairs[i+1]})
	}
	return on
}

// words are values with the checksum of section 4.4.
func words(t, rh uint16) []byte { return chip.AppendWord(chip.AppendWord(nil, t), rh) }

// The formulas of section 4.6 at the ends and in the middle of their range, and the commands of section 4.5.
func TestFormulasAndCommandsOfTheDataSheet(t *testing.T) {
	for _, c := range []struct {
		repeatability         string
		command               byte
		said                  []byte
		temperature, humidity float64
	}{
		{"high", 0xfd, []byte{0xbe, 0xef, 0x92, 0xbe, 0xef, 0x92}, 85.52, 0.8723},
		{"medium", 0xf6, words(0x6667, 0x72b0), 25.003, 0.5},
		{"low", 0xe0, words(0x6667, 0x0000), 25.003, 0},  // -6 %, cut
		{"high", 0xfd, words(0x6667, 0xffff), 25.003, 1}, // 119 %, cut
	} {
		synctest.Test(t, func(t *testing.T) {
			on := play([]byte{c.command}, c.said)
			s := drivertest.Open(t, sht4x.Driver(), &bus.Bus{I2C: on}, map[string]any{"repeatability": c.repeatability, "quantity": "device_temperature"})
			got := drivertest.Read(t, s)
			if v := drivertest.Value(t, got, "device_temperature"); math.Abs(v-c.temperature) > 0.01 {
				t.Errorf("temperature %g, want %g", v, c.temperature)
			}
			if v := drivertest.Value(t, got, "relative_humidity"); math.Abs(v-c.humidity) > 1e-4 {
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
			noisy := words(0x6667, 0x72b0)
			noisy[at] ^= 0x10
			on := play([]byte{0xfd}, noisy, []byte{0xfd}, words(0x6667, 0x72b0))
			s := drivertest.Open(t, sht4x.Driver(), &bus.Bus{I2C: on}, nil)
			drivertest.WantFault(t, drivertest.ReadError(t, s), fault.Garbled, "noise")
			drivertest.Read(t, s)
		}
	})
}

func TestBeyondWhatItMeasuresIsImplausible(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got, err := drivertest.Open(t, sht4x.Driver(), &bus.Bus{I2C: play([]byte{0xfd}, words(0xffff, 0x72b0))}, nil).Read(t.Context())
		drivertest.WantFault(t, err, fault.Implausible, "wet")
		if len(got) != 1 || got[0].Quantity != "relative_humidity" {
			t.Errorf("got %+v", got)
		}
	})
}

func TestAChipThatIsGoneIsAbsentUntilItIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		on := drivertest.Bus(t, bus.I2C)
		d := sht4x.Driver()
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
		drivertest.Attach(t, sht4x.Driver(), on, nil)
		s := drivertest.Open(t, sht4x.Driver(), on.Bus(), nil)
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
		d := sht4x.Driver()
		drivertest.Attach(t, sht3x.Driver(), on, nil)
		drivertest.WantFault(t, drivertest.OpenError(t, d, on.Bus(), nil), fault.Misconfigured, "an SHT3x answers at 0x44: set driver: sht3x")
		on.I2C.Detach(0x44)
		drivertest.Attach(t, ina226.Driver(), on, map[string]any{"address": 0x44})
		drivertest.WantFault(t, drivertest.OpenError(t, d, on.Bus(), nil), fault.Misconfigured, "an INA226 answers at 0x44: set driver: ina226")
		on.I2C.Detach(0x44)
		drivertest.Attach(t, d, on, map[string]any{"address": 0x45})
		drivertest.WantFault(t, drivertest.OpenError(t, d, on.Bus(), nil), fault.Absent, "an SHT4x answers at 0x45: set address: 0x45")
	})
}

func TestProbeTellsTheGenerationsApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		on := drivertest.Bus(t, bus.I2C)
		drivertest.Attach(t, sht3x.Driver(), on, nil)
		drivertest.Attach(t, sht4x.Driver(), on, map[string]any{"address": 0x45})
		drivertest.Attach(t, ina226.Driver(), on, map[string]any{"address": 0x46})
		four, err := sht4x.Driver().Probe(t.Context(), on.Bus())
		if err != nil || len(four) != 1 || four[0].Options["address"] != uint16(0x45) {
			t.Errorf("sht4x: %+v, %v", four, err)
		}
		three, err := sht3x.Driver().Probe(t.Context(), on.Bus())
		if err != nil || len(three) != 1 || three[0].Options["address"] != uint16(0x44) {
			t.Errorf("sht3x: %+v, %v", three, err)
		}
	})
}

func TestOptionsAreChecked(t *testing.T) {
	for key, options := range map[string]map[string]any{
		"address":       {"address": 0x43},
		"quantity":      {"quantity": "pressure"},
		"repeatability": {"repeatability": "best"},
	} {
		drivertest.OptionError(t, sht4x.Driver(), key, options)
	}
}

func TestSimulated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { drivertest.Simulated(t, sht4x.Driver()) })
}
