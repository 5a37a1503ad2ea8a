package spool_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lamppost-city/lamppost/spool"
)

func TestReadersKeepTheirOwnPlaces(t *testing.T) {
	disk := newDisk()
	cfg := small()
	cfg.Readers = nil
	s := open(t, disk.mount(), "/s", cfg)
	a, b := reader(t, s, "a"), reader(t, s, "b")
	ends := appendFrames(t, s, 0, 30, 500)
	if got := drain(t, a); !slices.Equal(got, numbers(0, 30)) {
		t.Errorf("a: %v", got)
	}
	if err := errors.Join(a.Commit(ends[29]), b.Commit(ends[9])); err != nil {
		t.Fatal(err)
	}
	stats := s.Stats()
	want := []spool.ReaderStats{{Name: "a", Committed: a.Committed(), Frames: 0}, {Name: "b", Committed: b.Committed(), Frames: 20}}
	if stats.Frames != 20 || !slices.Equal(stats.Readers, want) {
		t.Errorf("%+v", stats)
	}
	late := reader(t, s, "late")
	if got := drain(t, late); len(got) < 20 || len(got) > 28 {
		t.Errorf("a new reader begins at the oldest frame that is held, got %v", got)
	}
	closeSpool(t, s)
	s = open(t, disk.mount(), "/s", cfg)
	defer closeSpool(t, s)
	for name, first := range map[string]int{"a": 30, "b": 10} {
		if got := drain(t, reader(t, s, name)); !slices.Equal(got, numbers(first, 30)) {
			t.Errorf("%s after reopening: %v, want %d to 29", name, got, first)
		}
	}
}

func TestSegmentsGoWhenEveryReaderHasCommitted(t *testing.T) {
	dir := t.TempDir()
	cfg := small()
	cfg.Readers = []string{"a", "b"}
	s := open(t, spool.RealDisk(), dir, cfg)
	defer closeSpool(t, s)
	ends := appendFrames(t, s, 0, 30, 1000)
	before := len(files(t, dir, ".seg"))
	a := reader(t, s, "a") // b is never opened, and counts
	if err := a.Commit(ends[29]); err != nil {
		t.Fatal(err)
	}
	if got := len(files(t, dir, ".seg")); got != before {
		t.Errorf("%d of %d segments are left though b has read nothing", got, before)
	}
	b := reader(t, s, "b")
	if err := b.Commit(ends[14]); err != nil {
		t.Fatal(err)
	}
	if got := len(files(t, dir, ".seg")); got != before/2 {
		t.Errorf("%d of %d segments are left though half is committed", got, before)
	}
	if err := b.Commit(ends[29]); err != nil {
		t.Fatal(err)
	}
	if got := len(files(t, dir, ".seg")); got != 1 {
		t.Errorf("%d segments are left though all is committed", got)
	}
}

func TestCursorThatIsNotListedHoldsNothing(t *testing.T) {
	dir := t.TempDir()
	cfg := small()
	cfg.Readers = nil
	s := open(t, spool.RealDisk(), dir, cfg)
	ends := appendFrames(t, s, 0, 30, 1000)
	if err := errors.Join(reader(t, s, "forgotten").Commit(ends[0]), reader(t, s, "store").Commit(ends[29])); err != nil {
		t.Fatal(err)
	}
	closeSpool(t, s)
	if got := len(files(t, dir, ".seg")); got != 10 {
		t.Errorf("%d segments, want 10: without a list every cursor counts", got)
	}

	var logged bytes.Buffer
	cfg.Readers = []string{"store"}
	s, err := spool.Open(dir, cfg, textLog(&logged))
	if err != nil {
		t.Fatal(err)
	}
	defer closeSpool(t, s)
	if got := len(files(t, dir, ".seg")); got != 1 {
		t.Errorf("%d segments are held by a cursor that is not listed", got)
	}
	if !strings.Contains(logged.String(), "reader=forgotten") {
		t.Errorf("the log says nothing:\n%s", logged.String())
	}
	if _, err := s.Reader("forgotten"); !errors.Is(err, spool.ErrUnknownReader) {
		t.Errorf("Reader: %v", err)
	}
	if len(files(t, dir, "forgotten.cursor")) != 1 {
		t.Error("the cursor's file is gone: a slip in the list must not cost the place")
	}
}

func TestReaderNamesAreChecked(t *testing.T) {
	cfg := small()
	cfg.Readers = nil
	s := open(t, newDisk().mount(), "/s", cfg)
	defer closeSpool(t, s)
	for _, name := range []string{"", "..", "a/b", "A", "-a", "a b", strings.Repeat("a", 64)} {
		if _, err := s.Reader(name); !errors.Is(err, spool.ErrUnknownReader) {
			t.Errorf("Reader(%q): %v", name, err)
		}
	}
	for n := range 64 {
		reader(t, s, fmt.Sprintf("reader-%d", n))
	}
	if _, err := s.Reader("one-too-many"); !errors.Is(err, spool.ErrUnknownReader) {
		t.Errorf("the 65th reader: %v", err)
	}
}

func TestReaderIsOpenOnceAtATime(t *testing.T) {
	s := open(t, newDisk().mount(), "/s", small())
	defer closeSpool(t, s)
	r := reader(t, s, "store")
	if _, err := s.Reader("store"); !errors.Is(err, spool.ErrReaderOpen) {
		t.Errorf("second Reader: %v", err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.Next(t.Context()); !errors.Is(err, spool.ErrClosed) {
		t.Errorf("Next after Close: %v", err)
	}
	reader(t, s, "store")
}

func TestDamagedCursorStartsAtTheOldestFrame(t *testing.T) {
	dir := t.TempDir()
	s := open(t, spool.RealDisk(), dir, small())
	ends := appendFrames(t, s, 0, 3, 100)
	if err := reader(t, s, "store").Commit(ends[1]); err != nil {
		t.Fatal(err)
	}
	closeSpool(t, s)
	path := filepath.Join(dir, "store.cursor")
	content := readFile(t, path)
	for i := range content {
		damaged := bytes.Clone(content)
		damaged[i] ^= 1
		writeFile(t, path, damaged)
		s = open(t, spool.RealDisk(), dir, small())
		if got := drain(t, reader(t, s, "store")); !slices.Equal(got, numbers(0, 3)) {
			t.Errorf("byte %d: %v", i, got)
		}
		s.Kill()
	}
}

func TestPositionsInsideFramesAndBehindTheEndAreRefused(t *testing.T) {
	s := open(t, newDisk().mount(), "/s", small())
	defer closeSpool(t, s)
	ends := appendFrames(t, s, 0, 10, 100)
	r := reader(t, s, "store")
	good := map[int64]bool{spool.SegmentHeaderBytes: true, 0: true}
	for _, end := range ends {
		good[end.Offset] = true
	}
	for offset := int64(spool.SegmentHeaderBytes); offset < ends[9].Offset+10; offset++ {
		p := spool.Position{Segment: 1, Offset: offset}
		if err := r.Seek(p); (err == nil) != good[offset] || err != nil && !errors.Is(err, spool.ErrBadPosition) {
			t.Errorf("Seek(%s): %v", p, err)
		}
		if good[offset] {
			continue
		}
		if err := r.Commit(p); !errors.Is(err, spool.ErrBadPosition) {
			t.Errorf("Commit(%s): %v", p, err)
		}
	}
	if err := r.Seek(spool.Position{Segment: 9, Offset: 136}); !errors.Is(err, spool.ErrBadPosition) {
		t.Errorf("a segment of the future: %v", err)
	}
	for n, end := range ends {
		if err := r.Seek(end); err != nil {
			t.Fatal(err)
		}
		if got := drain(t, r); !slices.Equal(got, numbers(n+1, 10)) {
			t.Errorf("behind frame %d: %v", n, got)
		}
	}
}

func TestCommitNeverGoesBack(t *testing.T) {
	s := open(t, newDisk().mount(), "/s", small())
	defer closeSpool(t, s)
	ends := appendFrames(t, s, 0, 10, 100)
	r := reader(t, s, "store")
	for _, n := range []int{5, 2, 7, 7, 0} {
		if err := r.Commit(ends[n]); err != nil {
			t.Fatal(err)
		}
	}
	if got := r.Committed(); got != ends[7] {
		t.Errorf("Committed() = %s, want %s", got, ends[7])
	}
}

func TestNextWaitsForAFrameForItsContextAndForClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, newDisk().mount(), "/s", small())
		r := reader(t, s, "store")
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if _, _, err := r.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Next with a deadline: %v", err)
		}
		got := make(chan error)
		next := func() {
			frame, _, err := r.Next(t.Context())
			if err == nil && string(frame) != string(frameOf(0, 10)) {
				err = fmt.Errorf("frame %q", frame)
			}
			got <- err
		}
		go next()
		synctest.Wait()
		appendFrames(t, s, 0, 1, 10)
		if err := <-got; err != nil {
			t.Error(err)
		}
		go next()
		synctest.Wait()
		closeSpool(t, s)
		if err := <-got; !errors.Is(err, spool.ErrClosed) {
			t.Errorf("Next while the spool closes: %v", err)
		}
	})
}

func TestEverythingReturnsErrClosedAfterClose(t *testing.T) {
	s := open(t, newDisk().mount(), "/s", small())
	end := appendFrames(t, s, 0, 1, 10)[0]
	r := reader(t, s, "store")
	closeSpool(t, s)
	_, appended := s.Append(t.Context(), []byte("x"))
	_, opened := s.Reader("store")
	_, _, _, read := r.TryNext()
	for what, err := range map[string]error{
		"Append": appended, "Reader": opened, "TryNext": read, "Commit": r.Commit(end), "Seek": r.Seek(end), "Sync": s.Sync(), "Health": s.Health(), "Close": s.Close(),
	} {
		if !errors.Is(err, spool.ErrClosed) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// Appends, reads, commits, seeks and statistics, all at once, with drops and without.
func TestManyGoroutinesAtOnce(t *testing.T) {
	policies(t, func(t *testing.T, cfg spool.Config) {
		cfg.SyncBytes = 3000
		cfg.MaxBytes = 128 << 10
		cfg.Readers = []string{"a", "b"}
		s := open(t, spool.RealDisk(), t.TempDir(), cfg)
		const lanes, each = 8, 150
		var appending, reading sync.WaitGroup
		for lane := range lanes {
			appending.Go(func() {
				for n := range each {
					frame := frameOf(lane*1000+n, 20+n)
					if n%10 == 0 {
						if _, err := s.AppendBatch(t.Context(), [][]byte{frame}); err != nil {
							t.Error(err)
						}
					} else if _, err := s.Append(t.Context(), frame); err != nil {
						t.Error(err)
					}
				}
			})
		}
		for _, name := range cfg.Readers {
			reading.Go(func() { readLanes(t, s, name, lanes, each) })
		}
		stop := make(chan struct{})
		var watching sync.WaitGroup
		watching.Go(func() {
			for {
				select {
				case <-stop:
					return
				case <-time.After(time.Millisecond):
					s.Stats()
					_ = s.Health()
					if err := s.Sync(); err != nil {
						t.Error(err)
					}
				}
			}
		})
		appending.Wait()
		reading.Wait()
		close(stop)
		watching.Wait()
		if stats := s.Stats(); stats.Frames != 0 || stats.BadFrames+stats.DroppedFrames != 0 || stats.AppendedFrames != lanes*each {
			t.Errorf("%+v", stats)
		}
		closeSpool(t, s)
	})
}

func readLanes(t *testing.T, s *spool.Spool, name string, lanes, each int) {
	r, err := s.Reader(name)
	if err != nil {
		t.Error(err)
		return
	}
	seen := make([]int, lanes)
	for total := range lanes * each {
		frame, end, err := r.Next(t.Context())
		if err != nil {
			t.Errorf("reader %s: %v", name, err)
			return
		}
		n := numberOf(t, frame)
		if n%1000 != seen[n/1000] {
			t.Errorf("reader %s: lane %d: got %d, want %d", name, n/1000, n%1000, seen[n/1000])
			return
		}
		seen[n/1000]++
		if total%7 == 0 || total == lanes*each-1 {
			if err := r.Commit(end); err != nil {
				t.Errorf("reader %s: %v", name, err)
			}
			if err := r.Seek(end); err != nil {
				t.Errorf("reader %s: %v", name, err)
			}
		}
	}
}

func TestSecondOpenerIsTurnedAwayAndNothingIsHarmed(t *testing.T) {
	dir := t.TempDir()
	s := open(t, spool.RealDisk(), dir, small())
	appendFrames(t, s, 0, 3, 100)
	_, err := spool.Open(dir, small(), nil)
	if !errors.Is(err, spool.ErrLocked) || !strings.Contains(err.Error(), filepath.Join(dir, "LOCK")) ||
		!strings.Contains(err.Error(), fmt.Sprintf("process %d", os.Getpid())) {
		t.Errorf("second Open: %v", err)
	}
	appendFrames(t, s, 3, 4, 100)
	closeSpool(t, s)
	s = open(t, spool.RealDisk(), dir, small())
	defer closeSpool(t, s)
	if got := drain(t, reader(t, s, "store")); !slices.Equal(got, numbers(0, 4)) {
		t.Errorf("got %v", got)
	}
}

func TestOpenSaysWhatIsWrongWithTheFolder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	writeFile(t, file, []byte("x"))
	for _, dir := range []string{file, filepath.Join(file, "below")} {
		if _, err := spool.Open(dir, small(), nil); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("Open(%s): %v", dir, err)
		}
	}
}
