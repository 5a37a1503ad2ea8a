package spool_test

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/lamppost-city/lamppost/spool"
)

func TestFramesOfWrongSizeAreRefused(t *testing.T) {
	s := open(t, newDisk().mount(), "/s", small())
	defer closeSpool(t, s)
	for what, frame := range map[string][]byte{"nil": nil, "empty": {}} {
		if _, err := s.Append(t.Context(), frame); !errors.Is(err, spool.ErrEmptyFrame) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := s.Append(t.Context(), make([]byte, 4097)); !errors.Is(err, spool.ErrFrameTooLarge) {
		t.Errorf("too large: %v", err)
	}
	if ends, err := s.AppendBatch(t.Context(), [][]byte{{1}, {}, {2}}); !errors.Is(err, spool.ErrEmptyFrame) || len(ends) != 0 {
		t.Errorf("batch with an empty frame: %v, %v", ends, err)
	}
	if stats := s.Stats(); stats.AppendedFrames != 0 {
		t.Errorf("%d frames appended", stats.AppendedFrames)
	}
	if _, err := s.Append(t.Context(), make([]byte, 4096)); err != nil {
		t.Errorf("the largest frame: %v", err)
	}
}

func TestFramesOfEverySizeComeBackAsTheyWere(t *testing.T) {
	cfg := spool.DefaultConfig()
	cfg.SegmentBytes = 1 << 20
	cfg.MaxFrameBytes = 3 << 20 // more than a segment, a group, and the read buffer
	cfg.Readers = []string{"store"}
	s := open(t, spool.RealDisk(), t.TempDir(), cfg)
	defer closeSpool(t, s)
	var frames [][]byte
	for _, size := range []int{1, 2, 15, 16, 17, 4095, 4096, 4097, 256<<10 - 17, 256<<10 - 16, 256 << 10, 1<<20 - 1, 1 << 20, 3 << 20, 1, 70_000} {
		frame := make([]byte, size)
		for i := range frame {
			frame[i] = byte(i*7 + size)
		}
		frames = append(frames, frame)
	}
	ends, err := s.AppendBatch(t.Context(), frames)
	if err != nil {
		t.Fatal(err)
	}
	r := reader(t, s, "store")
	for i, want := range frames {
		got, end, err := r.Next(t.Context())
		if err != nil || !bytes.Equal(got, want) || end != ends[i] {
			t.Fatalf("frame of %d bytes: %d bytes, end %s want %s, %v", len(want), len(got), end, ends[i], err)
		}
	}
}

func TestTheFrameStaysTheCallers(t *testing.T) {
	s := open(t, newDisk().mount(), "/s", small())
	defer closeSpool(t, s)
	frame := []byte("before")
	if _, err := s.Append(t.Context(), frame); err != nil {
		t.Fatal(err)
	}
	copy(frame, "behind")
	if got, _, err := reader(t, s, "store").Next(t.Context()); err != nil || string(got) != "before" {
		t.Errorf("got %q, %v", got, err)
	}
}

// held runs appends 1 to n, of which the first is in its fdatasync and the rest have gathered behind it when then is
// called. The fdatasync goes on when then has returned. It returns the frames that were confirmed, and how many fdatasyncs
// that has taken.
func held(t *testing.T, n int, then func(disk *disk, s *spool.Spool)) (frames []int, syncs int) {
	t.Helper()
	disk := newDisk()
	s := open(t, disk.mount(), "/s", small())
	appendFrames(t, s, 0, 1, 10)
	gate := make(chan struct{})
	disk.setGate(gate)
	var all sync.WaitGroup
	start := func(n int) {
		all.Go(func() {
			if _, err := s.Append(context.Background(), frameOf(n, 10)); err != nil {
				t.Error(err)
			}
		})
	}
	start(1)
	<-gate
	disk.setGate(nil)
	for i := 2; i <= n; i++ {
		start(i)
	}
	eventually(t, "all others have gathered", func() bool { return s.Gathered() == n-1 })
	before := disk.synced()
	then(disk, s)
	gate <- struct{}{}
	all.Wait()
	syncs = disk.synced() - before
	if err := s.Close(); err != nil && !errors.Is(err, spool.ErrClosed) { // then may have closed it
		t.Error(err)
	}
	eventually(t, "the folder is free", func() bool {
		var err error
		s, err = spool.OpenOn(disk.mount(), "/s", small(), nil)
		return err == nil
	})
	defer closeSpool(t, s)
	got := drain(t, reader(t, s, "store"))
	slices.Sort(got)
	return got, syncs
}

// While one fdatasync runs, the frames of all other callers gather, and the next one serves them all.
func TestConcurrentAppendsShareOneSync(t *testing.T) {
	got, syncs := held(t, 50, func(*disk, *spool.Spool) {})
	if !slices.Equal(got, numbers(0, 51)) {
		t.Errorf("got %v", got)
	}
	if syncs != 2 {
		t.Errorf("%d syncs for 50 frames, want 2: the first frame's and the others'", syncs)
	}
}

// What is written but not confirmed may still be cut off and written over. A reader must not even read it ahead.
func TestReaderDoesNotTouchWhatIsNotConfirmed(t *testing.T) {
	held(t, 2, func(disk *disk, s *spool.Spool) {
		confirmed, farthest := s.Stats().End.Offset, int64(0)
		disk.setUnread(func(_ string, at int64) bool {
			farthest = max(farthest, at)
			return false
		})
		if got := drain(t, reader(t, s, "store")); !slices.Equal(got, []int{0}) {
			t.Errorf("got %v before the others are confirmed", got)
		}
		disk.setUnread(nil)
		if farthest != confirmed-1 {
			t.Errorf("read up to byte %d, confirmed are %d", farthest, confirmed)
		}
	})
}

// Whoever waits for another caller's fdatasync may leave; its frame goes its way.
func TestCallerMayLeaveWhileAnotherWrites(t *testing.T) {
	got, _ := held(t, 3, func(_ *disk, s *spool.Spool) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := s.Append(ctx, frameOf(4, 10)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Append with a deadline: %v", err)
		}
	})
	if !slices.Equal(got, numbers(0, 5)) {
		t.Errorf("got %v", got)
	}
}

func TestCloseFinishesAppendsThatWereAdmitted(t *testing.T) {
	closed := make(chan error, 1)
	got, _ := held(t, 10, func(_ *disk, s *spool.Spool) {
		go func() { closed <- s.Close() }()
		eventually(t, "the spool is closing", func() bool { return errors.Is(s.Health(), spool.ErrClosed) })
		if _, err := s.Append(t.Context(), frameOf(11, 10)); !errors.Is(err, spool.ErrClosed) {
			t.Errorf("Append while the spool closes: %v", err)
		}
	})
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if !slices.Equal(got, numbers(0, 11)) {
		t.Errorf("got %v", got)
	}
}

func TestAppendAndNextAllocateNextToNothing(t *testing.T) {
	policies(t, func(t *testing.T, cfg spool.Config) {
		policy := cfg.Sync
		cfg = spool.DefaultConfig()
		cfg.Sync = policy
		cfg.SyncInterval = time.Minute
		cfg.Readers = []string{"store"}
		s := open(t, spool.RealDisk(), t.TempDir(), cfg)
		defer closeSpool(t, s)
		frame := frameOf(0, 200)
		appending := testing.AllocsPerRun(500, func() {
			if _, err := s.Append(context.Background(), frame); err != nil {
				t.Fatal(err)
			}
		})
		r := reader(t, s, "store")
		reading := testing.AllocsPerRun(400, func() {
			if _, _, err := r.Next(context.Background()); err != nil {
				t.Fatal(err)
			}
		})
		if appending >= 1 || reading >= 1 {
			t.Errorf("%.2f allocations per Append, %.2f per Next, want less than 1", appending, reading)
		}
	})
}

// A backlog costs the read buffer and a few words for each segment.
func TestBacklogCostsNoMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 64 MiB")
	}
	dir := t.TempDir()
	cfg := spool.DefaultConfig()
	cfg.Sync = spool.SyncInterval
	cfg.SegmentBytes = 128 << 10 // 512 segments, as many as 8 GiB have by default
	cfg.MaxFrameBytes = 64 << 10
	cfg.Readers = []string{"store"}
	s := open(t, spool.RealDisk(), dir, cfg)
	appendFrames(t, s, 0, 1024, 64<<10-16)
	closeSpool(t, s)

	before := heap()
	s = open(t, spool.RealDisk(), dir, cfg)
	defer closeSpool(t, s)
	r := reader(t, s, "store")
	for n := range 1024 {
		if frame, _, err := r.Next(t.Context()); err != nil || numberOf(t, frame) != n {
			t.Fatalf("frame %d: %v", n, err)
		}
	}
	if grown := heap() - before; grown > 700<<10 {
		t.Errorf("a backlog of 64 MiB costs %d KiB of memory", grown>>10)
	} else {
		t.Logf("a backlog of 64 MiB in 512 segments costs %d KiB of memory", grown>>10)
	}
	runtime.KeepAlive(r)
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
