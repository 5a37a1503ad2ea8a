package frames_test

import (
	"fmt"
	"log/slog"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
	"github.com/lamppost-city/lamppost/firmware-bridge/frames"
)

// The simulated line and the kernel's behave alike.
func TestFramesOverALineOfTheKernel(t *testing.T) {
	other, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo-terminal can be opened here: %v", err)
	}
	defer other.Close()
	if err := unix.IoctlSetPointerInt(int(other.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(other.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	b, err := bus.Open(t.Context(), bus.Config{ID: "line", Type: bus.Serial, Device: fmt.Sprintf("/dev/pts/%d", n)}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	port, err := b.Serial.Open(bus.Mode{Baud: 9600, DataBits: 8, Parity: "none", StopBits: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer port.Close()
	r := &frames.Reader{Port: port, Clock: since{time.Now()}, Split: brackets, MaxBytes: 20}
	say := func(text string) {
		t.Helper()
		if _, err := other.WriteString(text); err != nil {
			t.Fatal(err)
		}
	}
	say("[old]")
	if quiet, err := r.Quiet(t.Context(), 5*time.Second); quiet || err != nil {
		t.Errorf("quiet: %t, %v", quiet, err)
	}
	if err := r.Reset(); err != nil {
		t.Fatal(err)
	}
	say("noise\x00\xff\r\n\x03[one][tw")
	for _, want := range []string{"[one]", "[two]"} {
		f, err := r.Next(t.Context(), 5*time.Second)
		if err != nil || string(f.Bytes) != want {
			t.Errorf("got %q, %v; want %q", f.Bytes, err, want)
		}
		say("o]")
	}
	if err := r.Reset(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Next(t.Context(), 10*time.Millisecond); fault.KindOf(err) != fault.Timeout {
		t.Errorf("silence: %v", err)
	}
	other.Close()
	if _, err := r.Next(t.Context(), 5*time.Second); fault.KindOf(err) != fault.Lost {
		t.Errorf("hung up: %v", err)
	}
}
