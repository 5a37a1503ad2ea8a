package embedded_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lamppost-city/lamppost/store/embedded"
	"github.com/lamppost-city/lamppost/store/storetest"
)

// tear writes what a crash could have left at the end of the only log below dir, and returns the log's name.
func tear(t *testing.T, dir, tail string) string {
	t.Helper()
	logs, err := filepath.Glob(filepath.Join(dir, "wal", "lamppost", "readings", "*", "*.wal"))
	if err != nil || len(logs) != 1 {
		t.Fatalf("logs %v, %v", logs, err)
	}
	f, err := os.OpenFile(logs[0], os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(tail); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return logs[0]
}

// Without the repair at the start, the second point is gone after the second start.
func TestWhatFollowsATornWriteIsKept(t *testing.T) {
	cfg := config(t)
	now := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	s, stop := storetest.StartEmbedded(t, cfg)
	write(t, storetest.Client(t, s.Influx()), point(1, now))
	stop()
	tear(t, cfg.Dir, "\x01\x00\x00\x04\x00snapp")

	s, stop = storetest.StartEmbedded(t, cfg)
	write(t, storetest.Client(t, s.Influx()), point(2, now.Add(time.Second)))
	stop()
	s, _ = storetest.StartEmbedded(t, cfg)
	if got := speeds(t, storetest.Client(t, s.Influx())); !cmp.Equal(got, []float64{1, 2}) {
		t.Errorf("kept %v, want 1 and 2", got)
	}
}

func TestRepairKeepsWholeEntriesAndNothingElse(t *testing.T) {
	cfg := config(t)
	s, stop := storetest.StartEmbedded(t, cfg)
	c := storetest.Client(t, s.Influx())
	write(t, c, point(1, time.Now()))
	write(t, c, point(2, time.Now()))
	stop()
	name := tear(t, cfg.Dir, "")
	whole, err := os.ReadFile(name)
	if err != nil || len(whole) == 0 {
		t.Fatalf("%d bytes, %v", len(whole), err)
	}
	for rule, tail := range map[string]string{
		"nothing is torn":            "",
		"cut in the head":            "\x01\x00",
		"cut in the body":            "\x01\x00\x00\x04\x00snapp",
		"length without the bytes":   "\x01\x00\x00\x00\x10" + string(make([]byte, 16)),
		"zeros":                      string(make([]byte, 4096)),
		"a type that does not exist": "\x07\x00\x00\x00\x01\x00",
		"a length of gigabytes":      "\x01\xff\xff\xff\xffxxxx",
	} {
		if err := os.WriteFile(name, append(bytes.Clone(whole), tail...), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := embedded.RepairForTest(cfg.Dir, storetest.Discard()); err != nil {
			t.Errorf("%s: %v", rule, err)
		}
		if got, err := os.ReadFile(name); err != nil || !bytes.Equal(got, whole) {
			t.Errorf("%s: %d bytes are left, want %d (%v)", rule, len(got), len(whole), err)
		}
	}
	// A file that is torn in its first entry is emptied, not removed: that is the engine's.
	if err := os.WriteFile(name, whole[:7], 0o600); err != nil {
		t.Fatal(err)
	}
	if err := embedded.RepairForTest(cfg.Dir, storetest.Discard()); err != nil {
		t.Error(err)
	}
	if got, err := os.ReadFile(name); err != nil || len(got) != 0 {
		t.Errorf("%d bytes are left of a torn first entry (%v)", len(got), err)
	}
}
