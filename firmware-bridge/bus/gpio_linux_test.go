package bus

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
)

// There is no GPIO chip in a test machine: these tests stand inside the package and put in its place what the kernel would
// give, struct gpio_v2_line_event over a pipe.

func event(at time.Duration, rising bool, lineSeq uint32) []byte {
	b := make([]byte, 48)
	binary.NativeEndian.PutUint64(b, uint64(at))
	id := uint32(2)
	if rising {
		id = 1
	}
	binary.NativeEndian.PutUint32(b[8:], id)
	binary.NativeEndian.PutUint32(b[12:], 17)
	binary.NativeEndian.PutUint32(b[16:], lineSeq+1000) // of all lines
	binary.NativeEndian.PutUint32(b[20:], lineSeq)
	return b
}

// piped is a pin whose line is a pipe.
func piped(t *testing.T) (*gpioPin, *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return &gpioPin{name: "GPIO17", file: r, halted: func() {}}, w
}

func send(t *testing.T, w *os.File, events ...[]byte) {
	t.Helper()
	var all []byte
	for _, e := range events {
		all = append(all, e...)
	}
	if _, err := w.Write(all); err != nil {
		t.Fatal(err)
	}
}

func TestEdgesCarryTheKernelsTimeAndSayHowManyAreMissing(t *testing.T) {
	p, w := piped(t)
	send(t, w, event(time.Second, true, 1), event(2*time.Second, false, 2), event(3*time.Second, true, 7))
	for i, want := range []Edge{
		{Level: true, At: time.Second},
		{Level: false, At: 2 * time.Second},
		{Level: true, At: 3 * time.Second, Lost: 4},
	} {
		got, err := p.NextEdge(t.Context())
		if err != nil || got != want {
			t.Errorf("edge %d: %+v, %v; want %+v", i, got, err, want)
		}
	}
}

func TestWaitForAnEdgeEndsWithContextAndGoesOnWithTheNext(t *testing.T) {
	p, w := piped(t)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := p.NextEdge(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v", err)
	}
	if p.WaitForEdge(0) {
		t.Error("an edge out of nowhere")
	}
	send(t, w, event(4, false, 1))
	if e, err := p.NextEdge(ctx); err != nil || e.At != 4 {
		t.Errorf("an edge that was there already: %+v, %v", e, err)
	}
	send(t, w, event(5, true, 2))
	if e, err := p.NextEdge(t.Context()); err != nil || e.At != 5 {
		t.Errorf("got %+v, %v", e, err)
	}
}

func TestHaltEndsAWaitForAnEdge(t *testing.T) {
	p, _ := piped(t)
	ended := make(chan bool, 1)
	go func() { ended <- p.WaitForEdge(-1) }()
	if err := p.Halt(); err != nil {
		t.Fatal(err)
	}
	select {
	case edge := <-ended:
		if edge {
			t.Error("an edge out of nowhere")
		}
	case <-time.After(5 * time.Second):
		t.Fatal("still waiting")
	}
	if _, err := p.Level(); fault.KindOf(err) != fault.Lost {
		t.Errorf("level of a halted pin: %v", err)
	}
}

func TestErrorsOfTheGPIOKernelAreFaults(t *testing.T) {
	for _, c := range []struct {
		err  error
		kind fault.Kind
		says string
	}{
		{unix.EBUSY, fault.Misconfigured, "another program"},
		{unix.EINVAL, fault.Misconfigured, "pull"},
		{unix.ENXIO, fault.Misconfigured, "interrupt"},
		{unix.EPERM, fault.Denied, "group gpio"},
		{unix.ENODEV, fault.Lost, "gone"},
	} {
		err := gpioFault("request pin GPIO17", c.err)
		if fault.KindOf(err) != c.kind || !strings.Contains(fault.AdviceOf(err), c.says) || !errors.Is(err, c.err) {
			t.Errorf("%v: %v (%s), advice %q", c.err, err, fault.KindOf(err), fault.AdviceOf(err))
		}
	}
}

// board is a chip with some lines.
type board []chipLine

func (b board) lines() ([]chipLine, error) { return b, nil }

func (b board) pin(offset int, name string, halted func()) Pin {
	return &gpioPin{offset: offset, name: name, halted: halted}
}

func (b board) Close() error { return nil }

func TestPinIsFoundByNameAndNumberAndHasOneUser(t *testing.T) {
	c := &chip{path: "/dev/gpiochip0", taken: map[int]bool{}, device: board{
		{name: "ID_SDA"}, {name: "GPIO1"}, {name: "GPIO2", used: true, consumer: "spi0 CS0"}, {},
	}}
	p, err := c.Pin("GPIO1")
	if err != nil || p.Number() != 1 {
		t.Fatalf("got %v, %v", p, err)
	}
	for name, says := range map[string]string{
		"1":     "another sensor",
		"GPIO2": "spi0 CS0",
		"GPIO9": `no pin "GPIO9"`,
		"4":     `no pin "4"`,
		"-1":    `no pin "-1"`,
	} {
		if _, err := c.Pin(name); fault.KindOf(err) != fault.Misconfigured || !strings.Contains(err.Error(), says) {
			t.Errorf("pin %s: %v", name, err)
		}
	}
	if _, err := c.Pin("GPIO9"); !strings.Contains(fault.AdviceOf(err), "0 to 3, or one of ID_SDA, GPIO1, GPIO2") {
		t.Errorf("advice %q", fault.AdviceOf(err))
	}
	if err := p.Halt(); err != nil {
		t.Fatal(err)
	}
	if p, err := c.Pin("1"); err != nil || p.Number() != 1 {
		t.Errorf("after its halt: %v, %v", p, err)
	}
}

func TestChipThatIsNotThereOrIsNone(t *testing.T) {
	dir := t.TempDir()
	if _, err := openGPIO(Config{Device: filepath.Join(dir, "gpiochip9")}); fault.KindOf(err) != fault.Lost {
		t.Errorf("missing: %v (%s)", err, fault.KindOf(err))
	}
	if _, err := openGPIO(Config{Device: "/dev/null"}); fault.KindOf(err) != fault.Misconfigured {
		t.Errorf("no chip: %v (%s)", err, fault.KindOf(err))
	}
	if got := mainChip([]string{"/dev/gpiochip10", "/dev/gpiochip2"}); got != "/dev/gpiochip2" {
		t.Errorf("the first chip is %s", got)
	}
}
