package spool_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lamppost-city/lamppost/internal/smalldisk"
	"github.com/lamppost-city/lamppost/spool"
)

func TestRealFullDiskAndBack(t *testing.T) {
	policies(t, func(t *testing.T, cfg spool.Config) {
		dir := t.TempDir()
		smalldisk.Mount(t, dir, "size=256k")
		cfg.SegmentBytes = 32 << 10
		cfg.MaxBytes = 10 << 20
		cfg.DiskRetry = 5 * time.Millisecond
		s := open(t, spool.RealDisk(), dir, cfg)
		defer closeSpool(t, s)
		n := 0
		for ; ; n++ {
			_, err := s.TryAppend(t.Context(), frameOf(n, 1000))
			if errors.Is(err, spool.ErrDiskFull) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if n < 100 {
			t.Fatalf("only %d frames of 1000 bytes fit into 256 KiB", n)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		done := make(chan error, 1)
		go func() {
			_, err := s.Append(ctx, frameOf(n, 1000))
			done <- err
		}()
		r := reader(t, s, "store")
		var end spool.Position
		for i := range n / 2 {
			frame, at, err := r.Next(t.Context())
			if err != nil || numberOf(t, frame) != i {
				t.Fatalf("frame %d: %q, %v", i, frame, err)
			}
			end = at
		}
		if err := r.Commit(end); err != nil && !errors.Is(err, spool.ErrDiskFull) {
			t.Fatal(err)
		}
		if err := <-done; err != nil {
			t.Fatalf("Append after there was room: %v", err)
		}
		if got := drain(t, r); !slices.Equal(got, numbers(n/2, n+1)) {
			t.Errorf("got %v, want %d to %d", got, n/2, n)
		}
	})
}

func TestRealReadOnlyFileSystemAndBack(t *testing.T) {
	dir := t.TempDir()
	smalldisk.Mount(t, dir, "size=1m")
	s := open(t, spool.RealDisk(), dir, small())
	appendFrames(t, s, 0, 2, 100)
	closeSpool(t, s) // a file that is open for writing would keep it from being mounted read-only
	smalldisk.Remount(t, dir, unix.MS_RDONLY)
	if _, err := spool.Open(dir, small(), nil); !errors.Is(err, unix.EROFS) {
		t.Errorf("Open on a read-only file system: %v", err)
	}
	smalldisk.Remount(t, dir, 0)
	s = open(t, spool.RealDisk(), dir, small())
	defer closeSpool(t, s)
	appendFrames(t, s, 2, 4, 100)
	if got := drain(t, reader(t, s, "store")); !slices.Equal(got, numbers(0, 4)) {
		t.Errorf("got %v", got)
	}
}
