package spool_test

import (
	"context"
	"errors"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lamppost-city/lamppost/spool"
)

// bounded is full after some fifteen frames of 1000 bytes.
func bounded() spool.Config {
	cfg := small()
	cfg.MaxFrameBytes = 1000
	cfg.GroupBytes = 1100
	cfg.MaxBytes = 16 << 10
	return cfg
}

// fillUp appends frames of 1000 bytes until the spool is full, and returns how many.
func fillUp(t *testing.T, s *spool.Spool) int {
	t.Helper()
	for n := range 1000 {
		_, err := s.TryAppend(t.Context(), frameOf(n, 1000))
		if errors.Is(err, spool.ErrFull) {
			return n
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Fatal("never full")
	return 0
}

func TestBlockWaitsUntilAReaderHasCommitted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, newDisk().mount(), "/s", bounded())
		defer closeSpool(t, s)
		n := fillUp(t, s)
		stats := s.Stats()
		if !stats.Full || stats.Bytes > stats.MaxBytes || stats.Bytes < stats.MaxBytes-2000 || !errors.Is(s.Health(), spool.ErrFull) {
			t.Errorf("full: %+v, %v", stats, s.Health())
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := s.Append(ctx, frameOf(n, 1000)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Append with a deadline: %v", err)
		}
		done := make(chan error)
		go func() {
			_, err := s.Append(t.Context(), frameOf(n, 1000))
			done <- err
		}()
		time.Sleep(time.Hour)
		synctest.Wait()
		select {
		case err := <-done:
			t.Fatalf("Append returned though nothing was committed: %v", err)
		default:
		}
		r := reader(t, s, "store")
		var end spool.Position
		for range 4 { // one more than a segment holds
			_, end, _ = r.Next(t.Context())
		}
		if err := r.Commit(end); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil {
			t.Errorf("Append after a commit: %v", err)
		}
		if got := drain(t, r); !slices.Equal(got, numbers(4, n+1)) {
			t.Errorf("got %v, want 4 to %d", got, n)
		}
		if stats := s.Stats(); stats.Full || stats.DroppedFrames > 0 || s.Health() != nil {
			t.Errorf("after a commit: %+v, %v", stats, s.Health())
		}
	})
}

// The newest segment is not removed as a rule. When all of it is committed and room is short, it must be.
func TestFullSpoolIsFreedWholeWhenEverythingIsCommitted(t *testing.T) {
	policies(t, func(t *testing.T, cfg spool.Config) {
		policy := cfg.Sync
		cfg = bounded()
		cfg.Sync = policy
		disk := newDisk()
		s := open(t, disk.mount(), "/s", cfg)
		highest := spool.Position{}
		first := 0
		for round := range 4 {
			r := reader(t, s, "store")
			for ; ; first++ {
				end, err := s.TryAppend(t.Context(), frameOf(first, 1000))
				if errors.Is(err, spool.ErrFull) {
					break
				}
				if err != nil || !highest.Before(end) {
					t.Fatalf("round %d: %s after %s, %v", round, end, highest, err)
				}
				highest = end
			}
			if got := drain(t, r); len(got) < 10 || got[len(got)-1] != first-1 {
				t.Fatalf("round %d: got %v", round, got)
			}
			if err := r.Commit(highest); err != nil {
				t.Fatal(err)
			}
			if stats := s.Stats(); stats.Bytes != 0 || stats.Frames != 0 || stats.OldestAge != 0 || stats.End.Before(highest) {
				t.Errorf("round %d: %+v", round, stats)
			}
			// Nothing is left but the cursor: the numbers of segments must go on from there.
			closeSpool(t, s)
			s = open(t, disk.mount(), "/s", cfg)
		}
		closeSpool(t, s)
	})
}

// A segment from before may be larger than all that is allowed now.
func TestLowerBoundDoesNotJamASpoolThatIsCommitted(t *testing.T) {
	for _, policy := range []spool.FullPolicy{spool.FullBlock, spool.FullDropOldest} {
		disk := newDisk()
		before := small()
		before.SegmentBytes, before.MaxBytes = 100<<10, 1<<20
		s := open(t, disk.mount(), "/s", before)
		ends := appendFrames(t, s, 0, 50, 1000)
		if err := reader(t, s, "store").Commit(ends[49]); err != nil {
			t.Fatal(err)
		}
		closeSpool(t, s)
		now := bounded()
		now.WhenFull = policy
		s = open(t, disk.mount(), "/s", now)
		if _, err := s.TryAppend(t.Context(), frameOf(50, 1000)); err != nil {
			t.Errorf("%s: %v", policy, err)
		}
		if got := drain(t, reader(t, s, "store")); !slices.Equal(got, []int{50}) || s.Stats().DroppedFrames != 0 {
			t.Errorf("%s: got %v, %d dropped", policy, got, s.Stats().DroppedFrames)
		}
		closeSpool(t, s)
	}
}

func TestDropOldestKeepsTheNewestAndCounts(t *testing.T) {
	cfg := bounded()
	cfg.WhenFull = spool.FullDropOldest
	cfg.Readers = []string{"fast", "slow"}
	disk := newDisk()
	s := open(t, disk.mount(), "/s", cfg)
	fast, slow := reader(t, s, "fast"), reader(t, s, "slow")
	var early spool.Position
	for n := range 100 {
		end := appendFrames(t, s, n, n+1, 1000)[0]
		if n == 2 {
			early = end
		}
		if got := drain(t, fast); !slices.Equal(got, []int{n}) {
			t.Fatalf("the reader that keeps up got %v, want %d", got, n)
		}
		if err := fast.Commit(end); err != nil {
			t.Fatal(err)
		}
	}
	stats := s.Stats()
	got := drain(t, slow)
	if len(got) < 10 || !slices.Equal(got, numbers(100-len(got), 100)) {
		t.Errorf("the reader that does not keep up got %v", got)
	}
	if stats.DroppedFrames != uint64(100-len(got)) || stats.DroppedBytes == 0 || stats.Bytes > stats.MaxBytes {
		t.Errorf("%+v, %d frames read of 100", stats, len(got))
	}
	if err := slow.Seek(early); err != nil {
		t.Errorf("seek to a dropped place: %v", err)
	}
	if again := drain(t, slow); !slices.Equal(again, got) {
		t.Errorf("behind a dropped place there are %v, want %v", again, got)
	}
	if err := slow.Commit(early); err != nil {
		t.Errorf("commit of a dropped place: %v", err)
	}
	closeSpool(t, s)
	s = open(t, disk.mount(), "/s", cfg)
	defer closeSpool(t, s)
	if again := drain(t, reader(t, s, "slow")); !slices.Equal(again, got) {
		t.Errorf("after reopening: %v, want %v", again, got)
	}
}

// A reader in the middle of a segment that is dropped goes on with the oldest frame there is.
func TestDropOldestMovesAReaderThatIsInTheMiddle(t *testing.T) {
	cfg := bounded()
	cfg.WhenFull = spool.FullDropOldest
	s := open(t, newDisk().mount(), "/s", cfg)
	defer closeSpool(t, s)
	r := reader(t, s, "store")
	appendFrames(t, s, 0, 6, 1000)
	if frame, _, err := r.Next(t.Context()); err != nil || numberOf(t, frame) != 0 {
		t.Fatal(err)
	}
	appendFrames(t, s, 6, 60, 1000)
	got := drain(t, r)
	if !slices.Equal(got, numbers(60-len(got), 60)) || len(got) < 10 {
		t.Errorf("got %v", got)
	}
}

// A disk that refuses to remove anything must not make the spool drop more and more.
func TestDropOldestStopsWhenNothingCanBeRemoved(t *testing.T) {
	cfg := bounded()
	cfg.WhenFull = spool.FullDropOldest
	disk := newDisk()
	s := open(t, disk.mount(), "/s", cfg)
	defer closeSpool(t, s)
	appendFrames(t, s, 0, 12, 1000)
	disk.inject(func(kind op, path string) error {
		if kind == opRemove && disk.names[path] != nil {
			return syscall.EIO
		}
		return nil
	})
	refused := 0
	for n := 12; n < 60; n++ {
		if _, err := s.Append(t.Context(), frameOf(n, 1000)); err != nil {
			refused++
		}
	}
	if stats := s.Stats(); refused == 0 || stats.DroppedFrames > 3 {
		t.Errorf("%d refused, %+v", refused, stats)
	}
	disk.inject(nil)
	appendFrames(t, s, 60, 61, 1000)
}

func TestMaxAgeDropsWhatIsTooOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := newDisk()
		cfg := small()
		cfg.WhenFull = spool.FullDropOldest
		cfg.MaxAge = time.Hour
		s := open(t, disk.mount(), "/s", cfg)
		r := reader(t, s, "store")
		for n := range 180 { // one a minute
			appendFrames(t, s, n, n+1, 10)
			time.Sleep(time.Minute)
		}
		synctest.Wait()
		got := drain(t, r)
		if len(got) < 60 || len(got) > 76 || got[len(got)-1] != 179 {
			t.Errorf("%d frames are left, want 60 to 75: %v", len(got), got)
		}
		stats := s.Stats()
		if stats.DroppedFrames != uint64(180-len(got)) || stats.OldestAge < time.Hour || stats.OldestAge > 76*time.Minute {
			t.Errorf("%+v, %d frames left", stats, len(got))
		}
		closeSpool(t, s)
		s = open(t, disk.mount(), "/s", cfg)
		defer closeSpool(t, s)
		appendFrames(t, s, 180, 181, 10)
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if stats := s.Stats(); stats.Frames != 0 {
			t.Errorf("two hours later: %+v", stats)
		}
		if p := appendFrames(t, s, 181, 182, 10)[0]; !stats.End.Before(p) {
			t.Errorf("position %s after %s", p, stats.End)
		}
	})
}

func TestOldestAgeIsThatOfTheOldestFrameThatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, newDisk().mount(), "/s", small())
		defer closeSpool(t, s)
		var ends []spool.Position
		for n := range 10 {
			ends = append(ends, appendFrames(t, s, n, n+1, 10)...)
			time.Sleep(time.Minute)
		}
		r := reader(t, s, "store")
		for n, end := range ends {
			if got, want := s.Stats().OldestAge, time.Duration(10-n)*time.Minute; (got - want).Abs() > time.Second {
				t.Errorf("with %d committed: %s, want %s", n, got, want)
			}
			if err := r.Commit(end); err != nil {
				t.Fatal(err)
			}
		}
		if got := s.Stats().OldestAge; got != 0 {
			t.Errorf("with nothing waiting: %s", got)
		}
	})
}
