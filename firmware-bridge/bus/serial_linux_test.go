package bus_test

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
)

var plain = bus.Mode{Baud: 9600, DataBits: 8, Parity: "none", StopBits: 1}

// pty makes a pseudo terminal: the other end of the line, and the path of ours.
func pty(t *testing.T) (other *os.File, path string) {
	t.Helper()
	other, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo-terminal can be opened here: %v", err)
	}
	t.Cleanup(func() { other.Close() })
	fd := int(other.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	return other, fmt.Sprintf("/dev/pts/%d", n)
}

func serialBus(t *testing.T, cfg bus.Config) *bus.Bus {
	t.Helper()
	cfg.ID, cfg.Type = "line", bus.Serial
	b, err := bus.Open(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestSerialLineSpeaksBothWaysInTheModeOfTheSettings(t *testing.T) {
	other, path := pty(t)
	b := serialBus(t, bus.Config{Device: path, Baud: 4800})
	p, err := b.Serial.Open(plain)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if tio, err := unix.IoctlGetTermios(int(other.Fd()), unix.TCGETS); err != nil || tio.Cflag&unix.CBAUD != unix.B4800 {
		t.Errorf("mode %+v, %v", tio, err)
	}
	if err := p.SetReadTimeout(5 * time.Second); err != nil {
		t.Fatal(err)
	}
	if _, err := other.WriteString("hello"); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 5)
	if _, err := io.ReadFull(p, got); err != nil || string(got) != "hello" {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := p.Write([]byte("E2\n")); err != nil {
		t.Fatal(err)
	}
	if n, err := other.Read(got); err != nil || string(got[:n]) != "E2\n" {
		t.Errorf("the device heard %q, %v", got[:n], err)
	}
	if err := p.SetReadTimeout(time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if n, err := p.Read(got); n != 0 || err != nil {
		t.Errorf("silence is %d bytes, %v", n, err)
	}
}

func TestSerialLineHasOneUserAtATime(t *testing.T) {
	_, path := pty(t)
	b := serialBus(t, bus.Config{Device: path})
	p, err := b.Serial.Open(plain)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Serial.Open(plain); fault.KindOf(err) != fault.Misconfigured {
		t.Errorf("a second user: %v (%s)", err, fault.KindOf(err))
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	p, err = b.Serial.Open(plain)
	if err != nil {
		t.Fatalf("after the first has closed it: %v", err)
	}
	p.Close()
}

// The right of root to open a line that is another's is not used: init looks for devices beside the running service.
func TestALineThatAnotherProgramHasIsLeftAlone(t *testing.T) {
	_, path := pty(t)
	p, err := serialBus(t, bus.Config{Device: path}).Serial.Open(plain)
	if err != nil {
		t.Fatal(err)
	}
	other := serialBus(t, bus.Config{Device: path})
	if _, err := other.Serial.Open(plain); fault.KindOf(err) != fault.Misconfigured || !strings.Contains(fault.AdviceOf(err), "another program") {
		t.Errorf("while it is open: %v (%s), %q", err, fault.KindOf(err), fault.AdviceOf(err))
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	p, err = other.Serial.Open(plain)
	if err != nil {
		t.Fatalf("after it was closed: %v", err)
	}
	p.Close()
}

// A program that has the line open as well takes bytes now and then that were announced to the reader. It must not wait for them.
func TestBytesThatAnotherProgramTakesDoNotHangAReader(t *testing.T) {
	other, path := pty(t)
	thief, err := unix.Open(path, unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(thief)
	b := serialBus(t, bus.Config{Device: path})
	p, err := b.Serial.Open(plain)
	if err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		for took := make([]byte, 64); ; {
			select {
			case <-stop:
				return
			default:
				_, _ = unix.Read(thief, took)
			}
		}
	})
	reads := make(chan error)
	all.Go(func() {
		defer close(reads)
		for range 2000 {
			if err := p.SetReadTimeout(time.Millisecond); err != nil {
				t.Error(err)
				return
			}
			_, err := p.Read(make([]byte, 64))
			reads <- err
		}
	})
	for done := false; !done; {
		if _, err := other.WriteString("x"); err != nil {
			t.Fatal(err)
		}
		select {
		case err, more := <-reads:
			if done = !more; err != nil { // as if it had hung up
				if fault.KindOf(err) != fault.Lost {
					t.Errorf("got %v (%s)", err, fault.KindOf(err))
				}
			}
		case <-time.After(10 * time.Second):
			t.Fatal("a read hangs")
		}
	}
	close(stop)
	all.Wait()
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

func TestCloseEndsASerialRead(t *testing.T) {
	_, path := pty(t)
	p, err := serialBus(t, bus.Config{Device: path}).Serial.Open(plain)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := p.Read(make([]byte, 1))
		ended <- err
	}()
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if !errors.Is(err, os.ErrClosed) {
			t.Errorf("got %v", err)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("it still reads")
	}
}

func TestPulledPlugIsLost(t *testing.T) {
	other, path := pty(t)
	p, err := serialBus(t, bus.Config{Device: path}).Serial.Open(plain)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Read(make([]byte, 1)); fault.KindOf(err) != fault.Lost || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v (%s)", err, fault.KindOf(err))
	}
}

func TestSerialLineThatCannotBeOpened(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ttyUSB0")
	if _, err := serialBus(t, bus.Config{Device: file}).Serial.Open(plain); fault.KindOf(err) != fault.Lost || !strings.Contains(fault.AdviceOf(err), "; ") {
		t.Errorf("missing: %v (%s), %q", err, fault.KindOf(err), fault.AdviceOf(err))
	}
	if err := os.WriteFile(file, nil, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := serialBus(t, bus.Config{Device: "/dev/null"}).Serial.Open(plain); fault.KindOf(err) != fault.Misconfigured {
		t.Errorf("no serial line: %v (%s)", err, fault.KindOf(err))
	}
	defer notRoot(t)()
	if _, err := serialBus(t, bus.Config{Device: file}).Serial.Open(plain); fault.KindOf(err) != fault.Denied || !strings.Contains(fault.AdviceOf(err), "group dialout") {
		t.Errorf("without rights: %v (%s)", err, fault.KindOf(err))
	}
}

// notRoot takes the rights to all files from this thread, if it has them. The result gives them back.
func notRoot(t *testing.T) func() {
	t.Helper()
	if os.Geteuid() != 0 {
		return func() {}
	}
	runtime.LockOSThread()
	if err := unix.Setfsuid(65534); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := unix.Setfsuid(0); err == nil { // a thread that stays locked ends with its goroutine
			runtime.UnlockOSThread()
		}
	}
}
