package outbox_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lamppost-city/lamppost/firmware-bridge/outbox"
	"github.com/lamppost-city/lamppost/internal/smalldisk"
)

// Another program fills the card. Readings go on to the broker while it is reached, and wait in memory while it is not;
// when there is room again they go to the card.
func TestFullCardAndBack(t *testing.T) {
	dir := t.TempDir()
	smalldisk.Mount(t, dir, "size=512k")
	b, l := newBoard(1, noon), newLine(true)
	cfg := config()
	cfg.Spool.DiskRetry = 5 * time.Millisecond
	cfg.Spool.SegmentBytes, cfg.Spool.MaxFrameBytes, cfg.Spool.GroupBytes = 32<<10, 32<<10, 32<<10
	r := start(t, cfg, dir, b, l)
	b.tell(r.clock)
	r.put(0, 100)
	r.delivered()

	smalldisk.Fill(t, filepath.Join(dir, "log"))
	n := 100
	for r.Status().Disk != outbox.DiskFull { // the newest file has room for a while
		r.put(n, n+10)
		n += 10
		time.Sleep(time.Millisecond)
		if n > 100_000 {
			t.Fatalf("the card is never full: %+v", r.Status())
		}
	}
	r.eventually("the fault is named", func(s outbox.Status) bool { return s.Disk == outbox.DiskFull && s.DiskError != "" })
	r.put(n, n+200)
	n += 200
	r.eventually("they go to the broker all the same", func(s outbox.Status) bool { return s.AcknowledgedReadings >= uint64(n) })
	l.mu.Lock()
	l.open = false
	l.mu.Unlock()
	r.put(n, n+500)
	n += 500

	if err := os.Remove(filepath.Join(dir, "log")); err != nil {
		t.Fatal(err)
	}
	r.eventually("they go to the card", func(s outbox.Status) bool { return s.Disk == outbox.DiskFine && s.MemoryReadings == 0 })
	if s := r.Status(); s.WaitingReadings < 500 || s.Dropped[outbox.Memory] > 0 {
		t.Errorf("%+v", s)
	}
	r.ended()
	again := newLine(true)
	r = start(t, cfg, dir, b, again)
	r.delivered()
	got := slices.Compact(slices.Sorted(slices.Values(append(numbers(l.decoded(t)), numbers(again.decoded(t))...))))
	check(t, "readings that came, in both runs", got, upTo(0, n))
	r.ended()
}

// A card that comes up read-only after a bad shutdown.
func TestReadOnlyCardAndBack(t *testing.T) {
	dir := t.TempDir()
	smalldisk.Mount(t, dir, "size=4m")
	b := newBoard(1, noon)
	r := start(t, config(), dir, b, newLine(false))
	b.tell(r.clock)
	r.put(0, 100)
	r.ended()
	smalldisk.Remount(t, dir, unix.MS_RDONLY)
	l := newLine(true)
	r = start(t, config(), dir, b, l)
	r.put(100, 200)
	r.eventually("what is new is sent from memory, and the fault is named", func(s outbox.Status) bool {
		return s.AcknowledgedReadings == 100 && s.Disk == outbox.DiskReadOnly && s.DiskError != ""
	})
	smalldisk.Remount(t, dir, 0)
	r.eventually("the card works", func(s outbox.Status) bool { return s.Disk == outbox.DiskFine })
	r.put(200, 300)
	r.delivered()
	check(t, "readings", slices.Sorted(slices.Values(numbers(l.decoded(t)))), upTo(0, 300))
	r.ended()
}
