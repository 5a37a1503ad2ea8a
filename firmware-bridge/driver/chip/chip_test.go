package chip_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"periph.io/x/conn/v3/i2c"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver/chip"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver/drivertest"
	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
	"github.com/lamppost-city/lamppost/firmware-bridge/simbus"
)

// Data sheets of SHT3x and SHT4x, sections on the checksum: CRC(0xBEEF) = 0x92.
func TestChecksumOfTheDataSheets(t *testing.T) {
	if got := chip.AppendWord([]byte{0x24}, 0xbeef); !cmp.Equal(got, []byte{0x24, 0xbe, 0xef, 0x92}) {
		t.Errorf("got % x", got)
	}
	if words, err := chip.Words([]byte{0xbe, 0xef, 0x92, 0x00, 0x00, 0x81}); err != nil || !cmp.Equal(words, []uint16{0xbeef, 0}) {
		t.Errorf("got %x, %v", words, err)
	}
	for flip := range 24 {
		noisy := []byte{0xbe, 0xef, 0x92}
		noisy[flip/8] ^= 1 << (flip % 8)
		_, err := chip.Words(noisy)
		drivertest.WantFault(t, err, fault.Garbled, "noise")
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if err := chip.Wait(ctx, time.Hour); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		if err := chip.Wait(t.Context(), time.Minute); err != nil || time.Since(began) != time.Minute+time.Second {
			t.Errorf("%v after %s", err, time.Since(began))
		}
	})
}

// slow is a chip of Sensirion that takes so long for every answer.
func slow(takes time.Duration) *simbus.Commands {
	return &simbus.Commands{Answer: func([]byte) ([]byte, time.Duration, error) { return chip.AppendWord(nil, 7), takes, nil }}
}

func TestAskGivesASlowChipSomewhatLonger(t *testing.T) {
	for _, c := range []struct {
		name  string
		takes time.Duration
		kind  fault.Kind
	}{
		{"in time", 10 * time.Millisecond, ""},
		{"somewhat late", 15 * time.Millisecond, ""},
		{"never", time.Hour, fault.Timeout},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				on := drivertest.Bus(t, bus.I2C)
				if err := on.I2C.Attach(0x44, slow(c.takes)); err != nil {
					t.Fatal(err)
				}
				words, err := chip.Ask(t.Context(), on.I2C, 0x44, []byte{0xfd}, 10*time.Millisecond, 1)
				if c.kind == "" && (err != nil || words[0] != 7) || c.kind != "" && fault.KindOf(err) != c.kind {
					t.Errorf("got %v, %v", words, err)
				}
			})
		})
	}
}

func TestAskOfAnEmptyAddressIsAbsent(t *testing.T) {
	on := drivertest.Bus(t, bus.I2C)
	_, err := chip.Ask(t.Context(), on.I2C, 0x44, []byte{0xfd}, time.Millisecond, 1)
	drivertest.WantFault(t, err, fault.Absent)
}

func TestAdviceWhereNothingTellsTheChipFromOthers(t *testing.T) {
	m := chip.Model{Name: "BH1750", Addresses: []uint16{0x23, 0x5c}, Pins: "the pin ADDR"}
	on := drivertest.Bus(t, bus.I2C)
	drivertest.WantFault(t, m.Find(t.Context(), on.I2C, 0x23), fault.Absent, "nothing answers at 0x23: ", "SDA and SCL", "the pin ADDR")
	if err := on.I2C.Attach(0x5c, &simbus.Bytes{}); err != nil {
		t.Fatal(err)
	}
	drivertest.WantFault(t, m.Find(t.Context(), on.I2C, 0x23), fault.Absent, "something answers at 0x5c, which a BH1750 may have: set address: 0x5c if")
	if err := m.Find(t.Context(), on.I2C, 0x5c); err != nil {
		t.Error(err)
	}
}

func TestAnotherChipIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := chip.Model{Name: "SHT3x", Addresses: []uint16{0x44, 0x45}, Identify: func(ctx context.Context, b i2c.Bus, address uint16) error {
			_, err := chip.Ask(ctx, b, address, []byte{0xf3, 0x2d}, time.Millisecond, 1)
			return err
		}}
		for _, c := range []struct {
			name string
			is   simbus.Chip
			says string
		}{
			{"INA226", &simbus.Words{Values: map[byte]func() uint16{0xfe: is(0x5449), 0xff: is(0x2260)}}, "an INA226 answers at 0x44: set driver: ina226"},
			{"INA3221", &simbus.Words{Values: map[byte]func() uint16{0xfe: is(0x5449), 0xff: is(0x3220)}}, "an INA3221 answers at 0x44"},
			{"SHT4x", &simbus.Commands{Answer: func(command []byte) ([]byte, time.Duration, error) {
				if command[0] != 0x89 {
					return nil, 0, simbus.NotAcknowledged()
				}
				return chip.AppendWord(chip.AppendWord(nil, 1), 2), time.Millisecond, nil
			}}, "an SHT4x answers at 0x44: set driver: sht4x"},
		} {
			on := drivertest.Bus(t, bus.I2C)
			if err := on.I2C.Attach(0x44, c.is); err != nil {
				t.Fatal(err)
			}
			drivertest.WantFault(t, m.Find(t.Context(), on.I2C, 0x44), fault.Misconfigured, c.says)
		}
	})
}

func is(value uint16) func() uint16 { return func() uint16 { return value } }

func TestProbeStopsAtABusThatIsStuck(t *testing.T) {
	asked := 0
	m := chip.Model{Addresses: chip.Span(0x40, 0x4f), Identify: func(context.Context, i2c.Bus, uint16) error {
		asked++
		return fault.New(fault.Lost, errors.New("stuck"), "")
	}}
	on := drivertest.Bus(t, bus.I2C)
	for a := uint16(0x40); a <= 0x4f; a++ {
		if err := on.I2C.Attach(a, &simbus.Bytes{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := m.Probe(t.Context(), on.Bus()); fault.KindOf(err) != fault.Lost || asked != 1 {
		t.Errorf("%v after %d questions", err, asked)
	}
}

func TestWhatIsPlausibleIsKept(t *testing.T) {
	got, err := chip.Measure(
		chip.Value{Quantity: "temperature", Unit: "Cel", Value: 300, Advice: "replace it"},
		chip.Value{Quantity: "relative_humidity", Value: 0.5},
		chip.Value{Quantity: "pressure", Unit: "Pa", Value: 101_325, Least: 30_000, Most: 110_000},
	)
	drivertest.WantFault(t, err, fault.Implausible, "replace it")
	if len(got) != 2 || got[0].Value != 0.5 || got[1].Value != 1013.25 {
		t.Errorf("got %+v", got)
	}
	_, err = chip.Measure(chip.Value{Quantity: "pressure", Unit: "Pa", Value: 29_000, Least: 30_000, Most: 110_000})
	drivertest.WantFault(t, err, fault.Implausible)
}
