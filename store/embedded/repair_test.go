package embedded_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lamppost-city/lamppost/store/storetest"
)

// Without the repair at the start, the second point is gone after the second start.
func TestWhatFollowsATornWriteIsKept(t *testing.T) {
	for rule, tail := range map[string]string{
		"cut in the head":            "\x01\x00",
		"cut in the body":            "\x01\x00\x00\x04\x00snapp",
		"length without the bytes":   "\x01\x00\x00\x00\x10" + string(make([]byte, 16)),
		"zeros":                      string(make([]byte, 4096)),
		"a type that does not exist": "\x07\x00\x00\x00\x01\x00",
		"a length of gigabytes":      "\x01\xff\xff\xff\xffxxxx",
	} {
		t.Run(rule, func(t *testing.T) {
			cfg := config(t)
			now := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
			s, stop := storetest.StartEmbedded(t, cfg)
			write(t, storetest.Client(t, s.Influx()), point(1, now))
			stop()

			logs, err := filepath.Glob(filepath.Join(cfg.Dir, "wal", "lamppost", "readings", "*", "*.wal"))
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

			s, stop = storetest.StartEmbedded(t, cfg)
			write(t, storetest.Client(t, s.Influx()), point(2, now.Add(time.Second)))
			stop()
			s, _ = storetest.StartEmbedded(t, cfg)
			if got := speeds(t, storetest.Client(t, s.Influx())); !cmp.Equal(got, []float64{1, 2}) {
				t.Errorf("kept %v, want 1 and 2", got)
			}
		})
	}
}
