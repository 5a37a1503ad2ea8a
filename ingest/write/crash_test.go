package write_test

import (
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lamppost-city/lamppost/ingest/frame"
	"github.com/lamppost-city/lamppost/ingest/write"
	"github.com/lamppost-city/lamppost/spool"
	"github.com/lamppost-city/lamppost/store"
	"github.com/lamppost-city/lamppost/telemetry"
)

// A process that dies after it has written new suspects, and before the ledger knows, must not find them in the store
// and take them for duplicates.
func TestCrashAfterWritingDoesNotMakeNewReadingsDuplicates(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.put(readings("loop-1", 0, 4))
		r.put(suspected("loop-1", 2, 8))
		if err := r.ledger.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		stored := make(chan struct{})
		r.store.answer = func(_ int, lines []string) error {
			if !slices.Contains(lines, lineOf("loop-1", 7, 7)) {
				return nil
			}
			r.store.mu.Lock()
			for _, line := range lines {
				r.store.keep(line)
			}
			r.store.mu.Unlock()
			close(stored)
			return kind(store.Retry) // the answer is lost
		}
		r.run(config())
		<-stored
		r.stop()
		r.store.answering(nil)
		asked := r.store.asked
		r.run(config())
		if got := r.settled(); got.Accepted != 8 || got.Duplicate != 2 {
			t.Errorf("ledger: %+v", got)
		}
		if r.store.asked != asked {
			t.Error("the store was asked once more")
		}
	})
}

func TestSpoolForgetsOnlyWhatTheLedgerHasOnDisk(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.put(readings("loop-1", 0, 4))
		r.run(config())
		r.settled()
		time.Sleep(time.Minute)
		if got := r.reader.Committed(); !got.Before(r.end) {
			t.Errorf("committed %s before a flush", got)
		}
		if err := r.ledger.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second) // nothing more comes, and yet
		if got := r.reader.Committed(); got != r.end {
			t.Errorf("committed %s, want %s", got, r.end)
		}
		if n := r.spool.Stats().Frames; n != 0 {
			t.Errorf("%d frames are left in the spool", n)
		}
	})
}

func TestDrainEndsWhenAllIsSettledOrTheTimeIsOver(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		took := func() time.Duration {
			began := time.Now()
			r.writer.Drain(r.end, 5*time.Second)
			return time.Since(began).Truncate(time.Second)
		}
		r.store.answering(func(int, []string) error {
			time.Sleep(2 * time.Second)
			return nil
		})
		r.put(readings("loop-1", 0, 4))
		r.run(config())
		if got := took(); got != 2*time.Second {
			t.Errorf("a store that takes 2 s: %s", got)
		}
		r.store.answering(func(int, []string) error {
			time.Sleep(time.Minute)
			return nil
		})
		r.put(readings("loop-1", 4, 5))
		if got := took(); got != 5*time.Second {
			t.Errorf("a store that takes a minute: %s", got)
		}
		r.settled()
		r.store.answering(func(int, []string) error { return kind(store.Retry) })
		r.put(readings("loop-1", 5, 6))
		if got := took(); got != 0 {
			t.Errorf("a store that is away: %s", got)
		}
		r.store.answering(nil)
		r.settled()
	})
}

func TestFrameThatLiesInTheSpoolTwiceIsWrittenOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		f := readings("loop-1", 0, 4)
		f.Serial = 7
		if _, err := r.spool.Append(t.Context(), frame.Append(nil, f)); err != nil { // its confirmation is lost
			t.Fatal(err)
		}
		r.put(f)
		r.put(readings("loop-1", 4, 6))
		r.run(config())
		if got := r.settled(); got.Written != 6 {
			t.Errorf("ledger: %+v", got)
		}
	})
}

func TestFrameOfAnotherVersionIsKept(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.put(readings("loop-1", 0, 4))
		before := r.end
		data := frame.Append(nil, readings("loop-1", 4, 6))
		data[0]++
		if _, err := r.spool.Append(t.Context(), data); err != nil {
			t.Fatal(err)
		}
		r.run(config())
		r.settled()
		time.Sleep(time.Hour)
		if err := r.writer.Health(); err == nil || !errors.Is(err, frame.ErrVersion) {
			t.Errorf("health: %v", err)
		}
		if got := r.writer.Settled(); got != before {
			t.Errorf("settled %s, want %s", got, before)
		}
	})
}

func TestMemoryIsBoundedWhileTheStoreIsAway(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.store.answer, r.store.forgets = func(int, []string) error { return kind(store.Retry) }, true
		cfg := config()
		cfg.MaxBodyBytes = 1 << 20
		r.run(cfg)
		heap := func() uint64 {
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return m.HeapAlloc
		}
		before := heap()
		big, none := readings("loop-1", 0, 2000), &frame.Frame{Rejections: []frame.Rejection{{Sensor: "loop-1", Minute: 1, Reason: telemetry.ReasonRange, N: 1}}}
		data, empty := frame.Append(nil, big), frame.Append(nil, none)
		for range 400 {
			for _, d := range [][]byte{data, empty, empty, empty} {
				if _, err := r.spool.Append(t.Context(), d); err != nil {
					t.Fatal(err)
				}
			}
		}
		time.Sleep(time.Hour)
		if after := heap(); after > before+40<<20 {
			t.Errorf("%d MB more are in use, for %d MB in the spool", (after-before)>>20, r.spool.Stats().Bytes>>20)
		}
	})
}

func TestFramesWithoutLinesDoNotGatherForEver(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		none := &frame.Frame{Rejections: []frame.Rejection{{Sensor: "loop-1", Minute: 1, Reason: telemetry.ReasonRange, N: 1}}}
		for range 1200 {
			r.put(none)
		}
		r.run(config())
		if got := r.settled(); got.RejectedSum() != 1200 || len(r.store.all()) != 0 {
			t.Errorf("%+v, %d posts", got, len(r.store.all()))
		}
	})
}

func TestPositionsBehindTheSpoolAreRefused(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.put(readings("loop-1", 0, 1))
		w := write.New(config(), write.Deps{Reader: r.reader, Ledger: r.ledger, Store: r.store, Metrics: newRegistry(), Log: discard()})
		if err := w.Start(spool.Position{Segment: 9, Offset: 9}); !errors.Is(err, spool.ErrBadPosition) {
			t.Errorf("error %v", err)
		}
	})
}

func TestConfigNamesEveryFault(t *testing.T) {
	if err := write.DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
	err := write.Config{MinPause: -1, MaxRetryAfter: -1, DrainTimeout: -1}.Validate()
	for _, key := range []string{"in_flight: ", "max_body_bytes: ", "max_lines: ", "min_pause: ", "max_backoff: ", "max_retry_after: ", "drain_timeout: "} {
		if err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%q is not named in: %v", key, err)
		}
	}
}
