package bus_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"periph.io/x/conn/v3/physic"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
)

// wires is an I2C bus whose chips do what the test says. It notes what it was asked.
type wires struct {
	acknowledges map[uint16]bool // addresses that take a write
	speaks       map[uint16]bool // those that take a read, too
	err          error           // what everything else gets
	asked        []uint16
	written      int
}

func (w *wires) Tx(address uint16, out, in []byte) error {
	w.asked = append(w.asked, address)
	w.written += len(out)
	if len(in) > 0 && !w.speaks[address] {
		return w.err
	}
	return nil
}

func (w *wires) SetSpeed(physic.Frequency) error { return nil }
func (w *wires) String() string                  { return "wires" }

// clever is a bus that can do quick writes and knows what the kernel uses.
type clever struct {
	*wires
	taken map[uint16]bool
}

func (c clever) Quick(address uint16) error {
	c.asked = append(c.asked, address)
	if !c.acknowledges[address] {
		return c.err
	}
	return nil
}

func (c clever) Taken(address uint16) bool { return c.taken[address] }

func set(addresses ...uint16) map[uint16]bool {
	s := make(map[uint16]bool)
	for _, a := range addresses {
		s[a] = true
	}
	return s
}

func absent() error { return fault.New(fault.Absent, errors.New("nobody"), "") }

func TestScanWritesNothing(t *testing.T) {
	on := &wires{acknowledges: set(0x50, 0x62, 0x76), speaks: set(0x50, 0x76), err: absent()}
	got, err := bus.ScanI2C(t.Context(), clever{wires: on, taken: set(0x68)})
	// 0x62 does not take a read when it has nothing to say, as Sensirion's chips.
	want := []bus.Answer{{Address: 0x50}, {Address: 0x62}, {Address: 0x68, Taken: true}, {Address: 0x76}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("error %v, difference (-want +got):\n%s", err, diff)
	}
	if on.written != 0 {
		t.Errorf("%d bytes were written", on.written)
	}
	if slices.Contains(on.asked, 0x68) {
		t.Error("the kernel's chip was asked")
	}
	for _, a := range on.asked {
		if a < 0x08 || a > 0x77 {
			t.Errorf("the reserved address %#x was asked", a)
		}
	}
}

func TestScanReadsAByteWhereTheBusHasNoQuickWrite(t *testing.T) {
	on := &wires{speaks: set(0x18, 0x48), err: absent()}
	got, err := bus.ScanI2C(t.Context(), on)
	if diff := cmp.Diff([]bus.Answer{{Address: 0x18}, {Address: 0x48}}, got); err != nil || diff != "" {
		t.Errorf("error %v, difference (-want +got):\n%s", err, diff)
	}
}

func TestScanDoesNotAskABusThatIsStuckAHundredTimes(t *testing.T) {
	stuck := fault.New(fault.Lost, errors.New("connection timed out"), "look for a short")
	on := &wires{err: stuck}
	if _, err := bus.ScanI2C(t.Context(), on); fault.KindOf(err) != fault.Lost || len(on.asked) != 1 {
		t.Errorf("got %v after %d questions", err, len(on.asked))
	}
}

func TestScanEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	on := &wires{err: absent()}
	if _, err := bus.ScanI2C(ctx, on); !errors.Is(err, context.Canceled) || len(on.asked) != 0 {
		t.Errorf("got %v after %d questions", err, len(on.asked))
	}
}

func TestEEPROMsAreAskedByAReadOnly(t *testing.T) {
	on := &wires{acknowledges: set(0x50), err: absent()}
	if err := bus.AnswersI2C(clever{wires: on}, 0x50); fault.KindOf(err) != fault.Absent {
		t.Errorf("0x50 was asked by a quick write, which it would have acknowledged: %v", err)
	}
}

func TestWitnessSaysWhatTheBusSaid(t *testing.T) {
	w := &bus.Witness{Bus: &wires{err: absent()}}
	in := make([]byte, 1)
	_ = w.Tx(0x40, nil, in)
	if err := w.Cause(errors.New("failed to read shunt voltage")); fault.KindOf(err) != fault.Absent || !strings.HasPrefix(err.Error(), "failed to read shunt voltage") {
		t.Errorf("got %v (%s)", err, fault.KindOf(err))
	}
	if err := w.Cause(nil); err != nil {
		t.Errorf("no error became %v", err)
	}
	_ = w.Tx(0x40, []byte{1}, nil)
	if err := w.Cause(errors.New("value is odd")); fault.KindOf(err) != fault.Other {
		t.Errorf("a fault from before was blamed: %v", err)
	}
}

// A driver of periph that waits for a bit in a loop without end is ended by the context.
func TestWitnessEndsLoopsWithTheContext(t *testing.T) {
	w := &bus.Witness{Bus: &wires{speaks: set(0x76)}}
	ctx, cancel := context.WithCancel(t.Context())
	w.Until(ctx)
	in := make([]byte, 1)
	if err := w.Tx(0x76, nil, in); err != nil {
		t.Fatal(err)
	}
	cancel()
	err := w.Tx(0x76, nil, in)
	if !errors.Is(err, context.Canceled) || !errors.Is(w.Cause(errors.New("bmxx80")), context.Canceled) {
		t.Errorf("got %v", err)
	}
	w.Until(t.Context())
	if err := w.Tx(0x76, nil, in); err != nil {
		t.Errorf("after the next beginning: %v", err)
	}
}

func TestABusThatIsNotThereSaysHowToEnableIt(t *testing.T) {
	for _, c := range []struct {
		cfg  bus.Config
		kind fault.Kind
		says string
	}{
		{bus.Config{ID: "i2c-1", Type: bus.I2C, Device: "/dev/i2c-250"}, fault.Lost, "enable I2C"},
		{bus.Config{ID: "i2c-1", Type: bus.I2C, Device: "/dev/null"}, fault.Misconfigured, "like /dev/i2c-1"},
		{bus.Config{ID: "spi-0", Type: bus.SPI, Device: "/dev/spidev250.0"}, fault.Lost, "enable SPI"},
		{bus.Config{ID: "spi-0", Type: bus.SPI, Device: "/dev/null"}, fault.Misconfigured, "like /dev/spidev0.0"},
	} {
		t.Run(c.cfg.Device, func(t *testing.T) {
			b, err := bus.Open(t.Context(), c.cfg, slog.New(slog.DiscardHandler))
			if err == nil {
				b.Close()
				t.Fatal("it opened")
			}
			if fault.KindOf(err) != c.kind || !strings.Contains(fault.AdviceOf(err), c.says) {
				t.Errorf("got %s: %v; advice %q", fault.KindOf(err), err, fault.AdviceOf(err))
			}
		})
	}
}
