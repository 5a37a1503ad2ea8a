package bus_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
)

const hot = "50 05 4b 46 7f ff 0c 10 1c : crc=1c YES\n50 05 4b 46 7f ff 0c 10 1c t=85000\n"

// w1 is a folder as the kernel shows it, with one thermometer.
func w1(t *testing.T) (root string, b *bus.Bus) {
	t.Helper()
	root = t.TempDir()
	for _, name := range []string{"w1_bus_master1", "28-0316a2794bff", "00-800000000000"} {
		if err := os.Mkdir(filepath.Join(root, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(root, "28-0316a2794bff", "w1_slave"), []byte(hot), 0o644); err != nil {
		t.Fatal(err)
	}
	b, err := bus.Open(t.Context(), bus.Config{ID: "w1", Type: bus.OneWire, Device: root}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return root, b
}

func TestKernelsFolderOfOneWireDevices(t *testing.T) {
	_, b := w1(t)
	ids, err := b.OneWire.Devices()
	if diff := cmp.Diff([]string{"00-800000000000", "28-0316a2794bff"}, ids); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	if text, err := b.OneWire.Measure(t.Context(), "28-0316a2794bff"); err != nil || text != hot {
		t.Errorf("got %q, %v", text, err)
	}
}

func TestOneWireFaults(t *testing.T) {
	root, b := w1(t)
	if _, err := b.OneWire.Measure(t.Context(), "28-000000000000"); fault.KindOf(err) != fault.Absent {
		t.Errorf("a device that is not there: %v (%s)", err, fault.KindOf(err))
	}
	if _, err := b.OneWire.Measure(t.Context(), "../../etc"); fault.KindOf(err) != fault.Misconfigured {
		t.Errorf("no id: %v (%s)", err, fault.KindOf(err))
	}
	if err := os.RemoveAll(root); err != nil {
		t.Fatal(err)
	}
	if _, err := b.OneWire.Measure(t.Context(), "28-0316a2794bff"); fault.KindOf(err) != fault.Lost {
		t.Errorf("the module is gone: %v (%s)", err, fault.KindOf(err))
	}
	if _, err := bus.Open(t.Context(), bus.Config{ID: "w1", Type: bus.OneWire, Device: root}, nil); fault.KindOf(err) != fault.Lost || fault.AdviceOf(err) == "" {
		t.Errorf("1-Wire is not enabled: %v (%s)", err, fault.KindOf(err))
	}
}

// A named pipe without a writer hangs in open, as a shorted line hangs in the kernel.
func TestMeasuringEndsWithContextThoughTheKernelHangs(t *testing.T) {
	root, b := w1(t)
	file := filepath.Join(root, "28-0316a2794bff", "w1_slave")
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(file, 0o600); err != nil {
		t.Skipf("no named pipe can be made here: %v", err)
	}
	for range 2 { // the second waits for its turn
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		_, err := b.OneWire.Measure(ctx, "28-0316a2794bff")
		cancel()
		if fault.KindOf(err) != fault.Timeout || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v (%s)", err, fault.KindOf(err))
		}
	}
	writer, err := os.OpenFile(file, os.O_WRONLY, 0) // now it answers, and nobody listens
	if err != nil {
		t.Fatal(err)
	}
	writer.Close()
}
