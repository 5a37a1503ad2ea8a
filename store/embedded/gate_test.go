package embedded_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lamppost-city/lamppost/store"
	"github.com/lamppost-city/lamppost/store/embedded"
	"github.com/lamppost-city/lamppost/store/storetest"
)

func TestFullDiskStopsWritesUntilThereIsRoom(t *testing.T) {
	s, err := embedded.New(config(t), storetest.Discard())
	if err != nil {
		t.Fatal(err)
	}
	var free atomic.Int64
	free.Store(10 << 30)
	s.SetFreeForTest(free.Load)
	storetest.RunEmbedded(t, s)
	c := storetest.Client(t, s.Influx())
	write(t, c, point(1, time.Now()))

	free.Store(1 << 20)
	until(t, "the full disk to be noticed", func() bool { return s.Health() != nil })
	var e *store.Error
	if err := c.Write(context.Background(), []byte(point(2, time.Now()))); !errors.As(err, &e) || e.Kind != store.Retry || e.RetryAfter == 0 || !strings.Contains(e.Message, "full") {
		t.Errorf("writing to a full disk: %v", err)
	}
	if got := speeds(t, c); len(got) != 1 {
		t.Errorf("reading from a full disk: %v", got)
	}
	free.Store(10 << 30)
	until(t, "the room to be noticed", func() bool { return s.Health() == nil })
	write(t, c, point(3, time.Now()))
}

// The engine's log stays broken once a write to it has failed, although the disk has room again.
func TestFailedLogIsOpenedAnew(t *testing.T) {
	cfg := config(t)
	s, stop := storetest.StartEmbedded(t, cfg)
	c := storetest.Client(t, s.Influx())
	at := time.Now().Truncate(time.Hour)
	write(t, c, point(1, at))

	// From now on every write to the log's open file finds a full disk.
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("needs /dev/full")
	}
	defer full.Close()
	if err := unix.Dup3(int(full.Fd()), openLog(t, cfg.Dir), unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	var e *store.Error
	if err := c.Write(context.Background(), []byte(point(2, at.Add(time.Second)))); !errors.As(err, &e) || e.Kind != store.Retry || e.Status != 500 {
		t.Fatalf("writing to a log that is full: %v", err)
	}
	if s.Health() == nil {
		t.Error("a store that cannot write says that it is healthy")
	}
	until(t, "the store to mend itself", func() bool { return c.Write(context.Background(), []byte(point(3, at.Add(2*time.Second)))) == nil })
	until(t, "the store to be healthy", func() bool { return s.Health() == nil })
	stop()

	s, _ = storetest.StartEmbedded(t, cfg)
	got := speeds(t, storetest.Client(t, s.Influx()))
	if len(got) < 2 || got[0] != 1 || got[len(got)-1] != 3 {
		t.Errorf("kept %v, want 1 and 3 at least", got)
	}
}

// openLog returns this process's descriptor of the only log below dir.
func openLog(t *testing.T, dir string) int {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("needs /proc")
	}
	for _, fd := range fds {
		link, _ := os.Readlink("/proc/self/fd/" + fd.Name())
		if strings.HasPrefix(link, filepath.Join(dir, "wal")) {
			n, err := strconv.Atoi(fd.Name())
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatal("no log is open")
	return -1
}
