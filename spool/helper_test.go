package spool_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lamppost-city/lamppost/spool"
)

// small is a configuration with segments of 4 KiB and the one reader "store".
func small() spool.Config {
	cfg := spool.DefaultConfig()
	cfg.SegmentBytes = 4096
	cfg.MaxFrameBytes = 4096
	cfg.GroupBytes = 4096
	cfg.ReadBufferBytes = 4096
	cfg.MaxBytes = 64 << 10
	cfg.Readers = []string{"store"}
	return cfg
}

// frameOf is a frame of the given size that begins with its number.
func frameOf(n, size int) []byte {
	frame := fmt.Appendf(nil, "frame %d ", n)
	return append(frame, bytes.Repeat([]byte{'.'}, max(0, size-len(frame)))...)
}

func numberOf(t *testing.T, frame []byte) int {
	t.Helper()
	var n int
	if _, err := fmt.Sscanf(string(frame), "frame %d ", &n); err != nil {
		t.Fatalf("frame %q: %v", frame, err)
	}
	return n
}

func open(t *testing.T, fsys spool.FileSystem, dir string, cfg spool.Config) *spool.Spool {
	t.Helper()
	s, err := spool.OpenOn(fsys, dir, cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func closeSpool(t *testing.T, s *spool.Spool) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func reader(t *testing.T, s *spool.Spool, name string) *spool.Reader {
	t.Helper()
	r, err := s.Reader(name)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// appendFrames appends the frames from first to before behind, each of the given size.
func appendFrames(t *testing.T, s *spool.Spool, first, behind, size int) []spool.Position {
	t.Helper()
	var ends []spool.Position
	for n := first; n < behind; n++ {
		end, err := s.Append(context.Background(), frameOf(n, size))
		if err != nil {
			t.Fatalf("frame %d: %v", n, err)
		}
		ends = append(ends, end)
	}
	return ends
}

// drain returns the numbers of the frames that there are to read.
func drain(t *testing.T, r *spool.Reader) []int {
	t.Helper()
	var got []int
	for {
		frame, _, ok, err := r.TryNext()
		if err != nil {
			t.Fatalf("after %v: %v", got, err)
		}
		if !ok {
			return got
		}
		got = append(got, numberOf(t, frame))
	}
}

// numbers is first, first+1 ... behind-1.
func numbers(first, behind int) []int {
	var all []int
	for n := first; n < behind; n++ {
		all = append(all, n)
	}
	return all
}

func files(t *testing.T, dir, suffix string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, entry := range entries {
		if strings.HasSuffix(entry.Name(), suffix) {
			paths = append(paths, filepath.Join(dir, entry.Name()))
		}
	}
	slices.Sort(paths)
	return paths
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func writeFile(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// eventually polls, for things that happen in another goroutine of the real world.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

func textLog(to *bytes.Buffer) *slog.Logger {
	return slog.New(slog.NewTextHandler(to, &slog.HandlerOptions{Level: slog.LevelInfo}))
}
