package ledger_test

import (
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lamppost-city/lamppost/ingest/frame"
	"github.com/lamppost-city/lamppost/ingest/ledger"
	"github.com/lamppost-city/lamppost/spool"
	"github.com/lamppost-city/lamppost/telemetry"
)

// fataler is what testing.T and rapid.T have in common.
type fataler interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

func config() ledger.Config {
	cfg := ledger.DefaultConfig()
	cfg.FlushInterval = time.Minute // tests flush themselves
	return cfg
}

func open(t fataler, path string, cfg ledger.Config) *ledger.Ledger {
	t.Helper()
	l, err := ledger.Open(context.Background(), path, cfg, prometheus.NewRegistry(), discard())
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// fresh opens a new ledger that is closed when the test ends.
func fresh(t *testing.T, cfg ledger.Config) *ledger.Ledger {
	t.Helper()
	l := open(t, filepath.Join(t.TempDir(), "ledger.db"), cfg)
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// copyLedger copies the file as a process that dies now leaves it.
func copyLedger(t fataler, from, to string) {
	t.Helper()
	for _, suffix := range []string{"", "-wal"} {
		in, err := os.Open(from + suffix)
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		out, err := os.Create(to + suffix)
		if err == nil {
			_, err = io.Copy(out, in)
		}
		_ = in.Close()
		if err == nil {
			err = out.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// place is the position behind the n-th frame.
func place(n int) spool.Position { return spool.Position{Segment: 1, Offset: int64(100 * n)} }

func minuteTime(minute int64) time.Time { return time.Unix(60*minute, 0).UTC() }

var (
	longAgo = time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC)
	farOff  = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)
)

// accepted is a frame of n readings of one sensor and minute, all new.
func accepted(sensor telemetry.SensorID, minute, n int64) *frame.Frame {
	return &frame.Frame{Minutes: []frame.Minute{{
		Sensor: sensor, Minute: minute, Newest: telemetry.UnixMilli(60_000 * minute), Counts: frame.Counts{Received: n, Accepted: n, Reports: n},
	}}}
}

// refused is a frame of one message whose only reading was refused.
func refused(sensor telemetry.SensorID, minute int64, payload []byte) *frame.Frame {
	return &frame.Frame{
		Rejections: []frame.Rejection{{Sensor: sensor, Minute: minute, Reason: telemetry.ReasonRange, N: 1}},
		Refused: []frame.Refused{{
			Received: telemetry.UnixMilli(60_000 * minute), Minute: minute, Topic: "city/x/readings", Publisher: sensor, Payload: payload, SizeBytes: int64(len(payload)),
			Faults: []frame.Fault{{Reason: telemetry.ReasonRange, Counted: sensor, Sensor: sensor, Detail: "too much", Readings: 1}},
		}},
	}
}

func record(t fataler, l *ledger.Ledger, f *frame.Frame, end spool.Position) {
	t.Helper()
	if err := l.Record(context.Background(), f, end); err != nil {
		t.Fatal(err)
	}
}

func settle(t fataler, l *ledger.Ledger, f *frame.Frame, end spool.Position) {
	t.Helper()
	if err := l.Settle(context.Background(), f, nil, nil, end); err != nil {
		t.Fatal(err)
	}
}

func flush(t fataler, l *ledger.Ledger) {
	t.Helper()
	if err := l.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func totals(t fataler, l *ledger.Ledger) ledger.Totals {
	t.Helper()
	flush(t, l)
	sum, err := l.Totals(context.Background(), longAgo, farOff)
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

func quarantined(t fataler, l *ledger.Ledger) ([]ledger.Message, int64) {
	t.Helper()
	flush(t, l)
	messages, total, err := l.Quarantined(context.Background(), ledger.QuarantineFilter{Limit: 100_000})
	if err != nil {
		t.Fatal(err)
	}
	return messages, total
}
