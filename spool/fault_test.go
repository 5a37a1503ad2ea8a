package spool_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lamppost-city/lamppost/spool"
)

func policies(t *testing.T, test func(t *testing.T, cfg spool.Config)) {
	for _, policy := range []spool.SyncPolicy{spool.SyncCommit, spool.SyncInterval} {
		t.Run(string(policy), func(t *testing.T) {
			cfg := small()
			cfg.Sync = policy
			test(t, cfg)
		})
	}
}

// The disk forgets what a failed fsync was to write. So a second fsync of that file proves nothing, and power loss shows it.
func TestWhatAFailedSyncLeftInDoubtIsWrittenAgain(t *testing.T) {
	policies(t, func(t *testing.T, cfg spool.Config) {
		disk := newDisk()
		mount := disk.mount()
		s := open(t, mount, "/s", cfg)
		before := appendFrames(t, s, 0, 3, 100)
		if err := s.Sync(); err != nil {
			t.Fatal(err)
		}
		disk.inject(failing(opSync, 0, 1, syscall.EIO))
		after := appendFrames(t, s, 3, 6, 100)
		if err := s.Sync(); err != nil {
			t.Fatal(err)
		}
		r := reader(t, s, "store")
		if err := r.Seek(after[0]); err != nil {
			t.Errorf("a position from before the copy is refused: %v", err)
		}
		if got := drain(t, r); !slices.Equal(got, []int{4, 5}) {
			t.Errorf("behind %s there are %v", after[0], got)
		}
		disk.losePower(mount, false, func(extent) int64 { return 0 })
		_ = s.Close()

		s = open(t, disk.mount(), "/s", cfg)
		defer closeSpool(t, s)
		r = reader(t, s, "store")
		if got := drain(t, r); !slices.Equal(got, numbers(0, 6)) {
			t.Errorf("after power loss: %v", got)
		}
		if last := appendFrames(t, s, 6, 7, 100)[0]; !after[2].Before(last) || !before[2].Before(after[0]) {
			t.Errorf("positions %s, %s, %s do not grow", before[2], after[0], last)
		}
	})
}

// A frame may be confirmed, or its Append may fail; but never confirmed and lost, whichever step fails how often.
func TestNoConfirmedFrameIsLostWhateverFails(t *testing.T) {
	for _, kind := range []op{opCreate, opWrite, opCut, opSync, opDir, opRename, opRemove, opChange} {
		for _, failure := range []syscall.Errno{syscall.EIO, syscall.ENOSPC, syscall.EROFS} {
			for skip := range 6 {
				for times := 1; times <= 4; times++ {
					name := fmt.Sprintf("%s %v skip %d times %d", kind, failure, skip, times)
					policies(t, func(t *testing.T, cfg spool.Config) {
						confirmUnder(t, cfg, name, failing(kind, skip, times, failure), failure)
					})
				}
			}
		}
	}
}

func confirmUnder(t *testing.T, cfg spool.Config, name string, fault func(op, string) error, failure error) {
	disk := newDisk()
	mount := disk.mount()
	cfg.SegmentBytes = 4096
	s := open(t, mount, "/s", cfg)
	r := reader(t, s, "store")
	disk.inject(fault)
	var confirmed []int
	for n := range 12 {
		_, err := s.TryAppend(t.Context(), frameOf(n, 1000))
		if err == nil {
			confirmed = append(confirmed, n)
		} else if !errors.Is(err, failure) || errors.Is(err, spool.ErrDiskFull) != errors.Is(failure, syscall.ENOSPC) {
			t.Fatalf("%s: frame %d: %v", name, n, err)
		}
		if n == 5 {
			if _, end, _, err := r.TryNext(); err == nil {
				_ = r.Commit(end)
			}
		}
	}
	disk.inject(nil)
	if err := s.Sync(); err != nil {
		t.Fatalf("%s: sync: %v", name, err)
	}
	if _, err := s.Append(t.Context(), frameOf(12, 1000)); err != nil {
		t.Fatalf("%s: the disk is well again, and append returns %v", name, err)
	}
	confirmed = append(confirmed, 12)
	if err := s.Sync(); err != nil || s.Health() != nil {
		t.Fatalf("%s: the disk is well again: %v, %v", name, err, s.Health())
	}
	if got := drain(t, r); !slices.Equal(got, confirmed[len(confirmed)-len(got):]) || len(got)+1 < len(confirmed) {
		t.Fatalf("%s: read %v, confirmed %v", name, got, confirmed)
	}
	disk.losePower(mount, false, func(extent) int64 { return 0 })
	_ = s.Close()
	s = open(t, disk.mount(), "/s", cfg)
	defer closeSpool(t, s)
	got := drain(t, reader(t, s, "store"))
	for _, n := range confirmed[1:] { // the first may have been committed
		if !slices.Contains(got, n) {
			t.Fatalf("%s: after power loss %v, confirmed %v", name, got, confirmed)
		}
	}
}

func TestAppendWaitsForTheDiskAndGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := newDisk()
		s := open(t, disk.mount(), "/s", small())
		defer closeSpool(t, s)
		appendFrames(t, s, 0, 2, 1000)
		disk.setRoom(500) // half a frame

		if _, err := s.TryAppend(t.Context(), frameOf(2, 1000)); !errors.Is(err, spool.ErrDiskFull) || !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("TryAppend: %v", err)
		}
		if size := disk.size("/s/" + segmentOne); size != s.Stats().End.Offset {
			t.Errorf("the file has %d bytes, its frames end at %s: half a frame is left", size, s.Stats().End)
		}
		if stats := s.Stats(); !stats.DiskFull || !errors.Is(s.Health(), spool.ErrDiskFull) {
			t.Errorf("DiskFull = %v, Health() = %v", stats.DiskFull, s.Health())
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := s.Append(ctx, frameOf(2, 1000)); !errors.Is(err, spool.ErrDiskFull) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Append with a deadline: %v", err)
		}
		done := make(chan error)
		go func() {
			_, err := s.Append(t.Context(), frameOf(2, 1000))
			done <- err
		}()
		time.Sleep(time.Hour)
		synctest.Wait()
		select {
		case err := <-done:
			t.Fatalf("Append returned on a full disk: %v", err)
		default:
		}
		disk.setRoom(-1)
		if err := <-done; err != nil {
			t.Errorf("Append after there was room: %v", err)
		}
		if stats := s.Stats(); stats.DiskFull || s.Health() != nil {
			t.Errorf("DiskFull = %v, Health() = %v", stats.DiskFull, s.Health())
		}
		if got := drain(t, reader(t, s, "store")); !slices.Equal(got, numbers(0, 3)) {
			t.Errorf("got %v", got)
		}
	})
}

// On a disk that is full of the spool itself even a cursor finds no room. Committing must free it all the same.
func TestCommittingFreesADiskThatIsFullOfTheSpool(t *testing.T) {
	policies(t, func(t *testing.T, cfg spool.Config) {
		disk := newDisk()
		s := open(t, disk.mount(), "/s", cfg)
		defer func() { _ = s.Close() }()
		r := reader(t, s, "store")
		disk.setRoom(10_000)
		n := 0
		for ; ; n++ {
			if _, err := s.TryAppend(t.Context(), frameOf(n, 1000)); errors.Is(err, spool.ErrDiskFull) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
		if n < 5 {
			t.Fatalf("only %d frames fit", n)
		}
		disk.takeRoom()
		var end spool.Position
		for range n {
			var err error
			if _, end, err = r.Next(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if err := r.Commit(end); err != nil && !errors.Is(err, spool.ErrDiskFull) {
			t.Fatal(err)
		}
		if last, err := s.TryAppend(t.Context(), frameOf(n, 1000)); err != nil || !end.Before(last) {
			t.Errorf("after committing everything: %s, %v", last, err)
		}
		if got := drain(t, r); !slices.Equal(got, []int{n}) {
			t.Errorf("got %v, want %d", got, n)
		}
	})
}

func TestDropOldestMakesRoomOnAFullDisk(t *testing.T) {
	disk := newDisk()
	cfg := small()
	cfg.WhenFull = spool.FullDropOldest
	s := open(t, disk.mount(), "/s", cfg)
	defer closeSpool(t, s)
	disk.setRoom(15_000)
	appendFrames(t, s, 0, 40, 1000)
	stats := s.Stats()
	got := drain(t, reader(t, s, "store"))
	if stats.DroppedFrames == 0 || len(got)+int(stats.DroppedFrames) != 40 || !slices.Equal(got, numbers(40-len(got), 40)) {
		t.Errorf("DroppedFrames = %d, read %v", stats.DroppedFrames, got)
	}
}

// readOnly is a disk that is only read from.
func readOnly(kind op, _ string) error {
	if kind == opOpen {
		return nil
	}
	return syscall.EROFS
}

func TestReadOnlyFileSystemIsAnErrorAndPasses(t *testing.T) {
	policies(t, func(t *testing.T, cfg spool.Config) {
		disk := newDisk()
		s := open(t, disk.mount(), "/s", cfg)
		defer closeSpool(t, s)
		appendFrames(t, s, 0, 2, 1000)
		disk.inject(readOnly)
		for range 3 {
			if _, err := s.Append(t.Context(), frameOf(2, 1000)); !errors.Is(err, syscall.EROFS) {
				t.Errorf("Append: %v", err)
			}
		}
		if !errors.Is(s.Health(), syscall.EROFS) {
			t.Errorf("Health() = %v", s.Health())
		}
		r := reader(t, s, "store")
		if got := drain(t, r); !slices.Equal(got, numbers(0, 2)) {
			t.Errorf("reading: %v", got)
		}
		disk.inject(nil)
		appendFrames(t, s, 2, 4, 1000)
		if got := drain(t, r); !slices.Equal(got, numbers(2, 4)) || s.Health() != nil {
			t.Errorf("after it is writable again: %v, %v", got, s.Health())
		}
	})
}

// A card that has become read-only stays so until somebody comes: that is said once, not every second.
func TestACursorThatCannotBeSavedIsSaidOnce(t *testing.T) {
	var log bytes.Buffer
	disk := newDisk()
	s, err := spool.OpenOn(disk.mount(), "/s", small(), textLog(&log))
	if err != nil {
		t.Fatal(err)
	}
	defer closeSpool(t, s)
	ends := appendFrames(t, s, 0, 6, 100)
	r := reader(t, s, "store")
	said := func(words string) int { return strings.Count(log.String(), words) }
	for round := 1; round <= 2; round++ {
		disk.inject(readOnly)
		for _, end := range ends[3*(round-1) : 3*round-1] {
			if err := r.Commit(end); !errors.Is(err, syscall.EROFS) {
				t.Errorf("Commit: %v", err)
			}
		}
		disk.inject(nil)
		if err := r.Commit(ends[3*round-1]); err != nil {
			t.Error(err)
		}
		if said("a cursor cannot be saved") != round || said("a cursor can be saved again") != round {
			t.Errorf("after %d times: %s", round, log.String())
		}
	}
}

func TestIntervalSyncsByTheClockAndByTheByte(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := newDisk()
		cfg := small()
		cfg.Sync = spool.SyncInterval
		cfg.SyncInterval = time.Second
		cfg.SyncBytes = 3000
		s := open(t, disk.mount(), "/s", cfg)
		defer closeSpool(t, s)
		r := reader(t, s, "store")
		appendFrames(t, s, 0, 1, 10)
		base := disk.synced()
		appendFrames(t, s, 1, 3, 10)
		if got := disk.synced() - base; got != 0 {
			t.Errorf("%d syncs before anything was due", got)
		}
		if got := drain(t, r); !slices.Equal(got, numbers(0, 3)) {
			t.Errorf("frames that are written but not synced: got %v", got)
		}
		time.Sleep(1500 * time.Millisecond)
		synctest.Wait()
		if got := disk.synced() - base; got != 1 {
			t.Errorf("%d syncs after one interval, want 1", got)
		}
		appendFrames(t, s, 3, 6, 1000)
		if got := disk.synced() - base; got != 2 {
			t.Errorf("%d syncs after sync_bytes, want 2", got)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if got := disk.synced() - base; got != 2 {
			t.Errorf("%d syncs though nothing was written, want 2", got)
		}
	})
}
