package outbox_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lamppost-city/lamppost/firmware-bridge/outbox"
)

// The newest file of the spool is cut at every byte, as a power cut may leave it. What was whole comes out, in order and
// nothing else; and the numbers go on behind the newest that is left.
func TestSpoolCutAtEveryByteGoesOn(t *testing.T) {
	for name, known := range map[string]bool{"dated": true, "undated": false} {
		t.Run(name, func(t *testing.T) { cutEverywhere(t, known) })
	}
}

func cutEverywhere(t *testing.T, known bool) {
	dir := t.TempDir()
	b := newBoard(1, noon)
	cfg := config()
	cfg.MaxReadings = 2
	const all = 12
	for from := 0; from < all; from += all / 2 { // two files, the newest with three frames
		r := start(t, cfg, dir, b, newLine(false))
		if known {
			b.tell(r.clock)
		}
		r.put(from, from+all/2)
		r.ended()
	}
	folder := filepath.Join(dir, "outbox", "spool")
	newest := segments(t, folder)[1]
	whole, err := os.ReadFile(filepath.Join(folder, newest))
	if err != nil {
		t.Fatal(err)
	}
	step := 1
	if testing.Short() {
		step = 7
	}
	most, first := 0, uint64(0)
	for cut := 0; cut <= len(whole); cut += step {
		place := t.TempDir()
		if err := os.CopyFS(place, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(filepath.Join(place, "outbox", "spool", newest), int64(cut)); err != nil {
			t.Fatal(err)
		}
		got, numbersGot := drained(t, cfg, place, b, all)
		left := len(got) - 1 // the last is the new one
		if left < all/2 || left < most || left%2 > 0 {
			t.Fatalf("cut at %d of %d: %v", cut, len(whole), got)
		}
		most = left
		check(t, fmt.Sprintf("readings, cut at %d", cut), got, append(upTo(0, left), all))
		if first == 0 {
			first = numbersGot[0]
		}
		for i, seq := range numbersGot {
			if seq != first+uint64(i) {
				t.Fatalf("cut at %d: numbers %v, want them from %d on", cut, numbersGot, first)
			}
		}
	}
	if most != all {
		t.Errorf("uncut, %d of %d readings are there", most, all)
	}
}

// drained opens the outbox in dir, puts reading n, and returns what comes out.
func drained(t *testing.T, cfg outbox.Config, dir string, b *board, n int) ([]int, []uint64) {
	t.Helper()
	cfg.MaxDelay = time.Millisecond // for the one reading
	l := newLine(true)
	r := start(t, cfg, dir, b, l)
	b.tell(r.clock)
	r.put(n, n+1)
	r.delivered()
	r.ended()
	all := l.decoded(t)
	return numbers(all), seqs(all)
}

func segments(t *testing.T, folder string) (names []string) {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(folder, "*.seg"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range all {
		names = append(names, filepath.Base(path))
	}
	return names
}

// A frame in the middle is damaged: it is lost and counted, and nothing else is.
func TestDamagedFrameIsLostAlone(t *testing.T) {
	dir := t.TempDir()
	b := newBoard(1, noon)
	r := start(t, config(), dir, b, newLine(false))
	b.tell(r.clock)
	r.put(0, 100)
	r.ended()
	folder := filepath.Join(dir, "outbox", "spool")
	path := filepath.Join(folder, segments(t, folder)[0])
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	content[len(content)/2] ^= 0xff
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	l := newLine(true)
	r = start(t, config(), dir, b, l)
	r.put(100, 110)
	r.delivered()
	got := numbers(l.decoded(t))
	if s := r.Status(); len(got) != 100 || !slices.IsSorted(got) || got[99] != 109 || s.Dropped[outbox.Unreadable] != 10 {
		t.Errorf("%v, %+v", brief(got), s)
	}
}

// While the disk cannot be used at all, readings go to the broker from memory; then they go to the disk again.
func TestReadingsAreSentFromMemoryWhileThereIsNoDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		b, l := newBoard(1, noon), newLine(true)
		place := filepath.Join(dir, "outbox")
		if err := os.WriteFile(place, nil, 0o600); err != nil { // a file where the folder should be
			t.Fatal(err)
		}
		r := start(t, oldestFirst(), dir, b, l)
		b.tell(r.clock)
		if s := r.Status(); s.Disk != outbox.DiskFailing || s.DiskError == "" {
			t.Errorf("%+v", s)
		}
		r.put(0, 100)
		synctest.Wait()
		check(t, "readings", numbers(l.decoded(t)), upTo(0, 100))
		l.mu.Lock()
		l.open = false
		l.mu.Unlock()
		r.put(100, 300)
		synctest.Wait()
		if s := r.Status(); s.WaitingReadings != 200 || s.MemoryReadings != 200 {
			t.Errorf("%+v", s)
		}
		if err := os.Remove(place); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if s := r.Status(); s.WaitingReadings != 200 || s.MemoryReadings != 0 || s.Disk != outbox.DiskFine || s.DiskError != "" {
			t.Errorf("the disk is back: %+v", s)
		}
		r.ended()
		was := r.Status().Seq

		l = newLine(true)
		r = start(t, oldestFirst(), dir, b, l)
		r.put(300, 310)
		r.delivered()
		got := l.decoded(t)
		if n := got[len(got)-1].seq; n != was+1 {
			t.Errorf("the next number is %d, want %d", n, was+1)
		}
		// The newest one that was sent from memory was stored as well, for its number; those that waited come now.
		check(t, "readings after a restart", numbers(got), upTo(100, 310))
	})
}

func TestMemoryIsBoundedAndTheOldestGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		b, l := newBoard(1, noon), newLine(false)
		place := filepath.Join(dir, "outbox")
		if err := os.WriteFile(place, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		cfg := oldestFirst()
		cfg.MemoryBytes, cfg.Grace = 64<<10, 100*time.Millisecond
		r := start(t, cfg, dir, b, l)
		b.tell(r.clock)
		const all = 20_000
		r.put(0, all)
		synctest.Wait()
		s := r.Status()
		if s.MemoryBytes > cfg.MemoryBytes || s.MemoryReadings < 1000 || s.WaitingReadings+s.Dropped[outbox.Memory] != all {
			t.Errorf("%+v", s)
		}
		l.release()
		r.eventually("all is delivered", func(s outbox.Status) bool { return s.WaitingReadings == 0 })
		got := numbers(l.decoded(t))
		if len(got)+int(s.Dropped[outbox.Memory]) != all || got[len(got)-1] != all-1 || !slices.IsSorted(got) {
			t.Errorf("%d came, %+v", len(got), s)
		}
		// What is left when it must stop is lost, and Run says so.
		l.mu.Lock()
		l.open = false
		l.mu.Unlock()
		r.put(all, all+25)
		if err := r.stop(); err == nil || !strings.Contains(err.Error(), "25 readings are lost") {
			t.Errorf("Run ended with %v", err)
		}
		if s := r.Status(); s.Dropped[outbox.Stopped] != 25 {
			t.Errorf("%+v", s)
		}
	})
}

// crashImage copies what is on the disk now, as a killed process leaves it.
func crashImage(t *testing.T, dir string) string {
	t.Helper()
	place := t.TempDir()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		to := filepath.Join(place, name)
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return err
		}
		return os.WriteFile(to, content, 0o600)
	})
	if errors.Is(err, fs.ErrNotExist) { // what was listed is done with, or was renamed
		return crashImage(t, dir)
	}
	if err != nil {
		t.Fatal(err)
	}
	return place
}

// Whenever the process ends, what had not been acknowledged is there, in order, and the numbers go on.
func TestProcessMayEndAtAnyMoment(t *testing.T) {
	dir := t.TempDir()
	b, l := newBoard(1, noon), newLine(false)
	cfg := config()
	cfg.CommitEvery = 10 * time.Millisecond
	cfg.Spool.SyncInterval = 5 * time.Millisecond
	cfg.Spool.SegmentBytes, cfg.Spool.MaxFrameBytes, cfg.Spool.GroupBytes = 8<<10, 8<<10, 8<<10
	r := start(t, cfg, dir, b, l)
	b.tell(r.clock)
	put, acknowledged := 0, 0
	for i := range 60 {
		r.put(put, put+30)
		put += 30
		r.stored()
		for range 2 {
			if l.acknowledge(0) {
				acknowledged += 10
			}
		}
		if i%3 > 0 {
			continue
		}
		image := crashImage(t, dir)
		again := newLine(true)
		other := start(t, cfg, image, b, again)
		b.tell(other.clock) // the image may be from before the time was on the disk
		other.put(put, put+10)
		other.delivered()
		other.ended()
		got := again.decoded(t)
		values := numbers(got)
		if len(values) == 0 || values[0] > acknowledged {
			t.Fatalf("after %d acknowledged and %d put: %v", acknowledged, put, brief(values))
		}
		check(t, "readings", slices.Sorted(slices.Values(values)), upTo(values[0], put+10))
		if n := slices.Max(seqs(got)); n != r.Status().Seq+1 {
			t.Errorf("the next number is %d, want %d", n, r.Status().Seq+1)
		}
	}
}
