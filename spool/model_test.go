package spool_test

import (
	"encoding/binary"
	"errors"
	"slices"
	"syscall"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/lamppost-city/lamppost/spool"
)

// model is what a spool should hold: frames are numbered from 0 and carry their number.
type model struct {
	disk  *disk
	mount *mount
	cfg   spool.Config
	spool *spool.Spool

	live    []int // frames appended and not lost, in order
	synced  int   // frames below are durable
	doubted []int // frames that a failed fsync left in doubt when the process died: power loss may take them at any time
	next    int   // number of the next frame
	highest spool.Position
	ends    map[int]spool.Position // where the frame ended when it was last seen
	readers map[string]*readerModel
}

type readerModel struct {
	reader    *spool.Reader
	next      int // the frame that Next returns, or the first one after it that lives
	committed int // frames below are committed
	durable   int // and that is certain to have been saved
}

func TestSpoolAgreesWithASliceThroughCrashesAndFaults(t *testing.T) {
	for range 4 { // times 100 runs, or what -rapid.checks says
		rapid.Check(t, checkModel)
	}
}

func checkModel(t *rapid.T) {
	m := &model{disk: newDisk(), ends: map[int]spool.Position{}, readers: map[string]*readerModel{"a": {}, "b": {}}}
	m.cfg = spool.DefaultConfig()
	m.cfg.Sync = rapid.SampledFrom([]spool.SyncPolicy{spool.SyncCommit, spool.SyncInterval}).Draw(t, "policy")
	m.cfg.SegmentBytes = 4096
	m.cfg.GroupBytes = int64(rapid.IntRange(1, 4096).Draw(t, "group"))
	m.cfg.SyncBytes = int64(rapid.IntRange(1, 8192).Draw(t, "sync bytes"))
	m.cfg.SyncInterval = 10 * time.Minute // the clock stays out of it
	m.cfg.ReadBufferBytes = 4096
	m.cfg.Readers = []string{"a", "b"}
	m.open(t)
	defer func() { _ = m.spool.Close() }()
	t.Repeat(map[string]func(*rapid.T){
		"append":        m.append,
		"append faulty": m.appendOnFailingSync,
		"disk full":     m.appendOnFullDisk,
		"read":          m.read,
		"commit":        m.commit,
		"seek":          m.seek,
		"sync":          m.sync,
		"sync faulty":   m.syncFailing,
		"reopen":        m.reopen,
		"kill":          m.kill,
		"die within":    m.dieWithin,
		"lose power":    m.losePower,
		"":              m.check,
	})
}

func (m *model) open(t *rapid.T) {
	m.mount = m.disk.mount()
	s, err := spool.OpenOn(m.mount, "/spool", m.cfg, nil)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	m.spool = s
	for name, r := range m.readers {
		if r.reader, err = s.Reader(name); err != nil {
			t.Fatalf("reader %s: %v", name, err)
		}
	}
}

func (m *model) frames(t *rapid.T) [][]byte {
	sizes := rapid.SliceOfN(rapid.IntRange(8, 1500), 1, 8).Draw(t, "sizes")
	frames := make([][]byte, len(sizes))
	for i, size := range sizes {
		frames[i] = make([]byte, size)
		binary.LittleEndian.PutUint64(frames[i], uint64(m.next+i))
	}
	return frames
}

func (m *model) append(t *rapid.T) {
	ends, err := m.spool.AppendBatch(t.Context(), m.frames(t))
	if err != nil {
		t.Fatalf("append: %v", err)
	}
	m.appended(t, ends)
}

func (m *model) appended(t *rapid.T, ends []spool.Position) {
	for _, end := range ends {
		if !m.highest.Before(end) {
			t.Fatalf("position %s was given after %s", end, m.highest)
		}
		m.highest = end
		m.ends[m.next] = end
		m.live = append(m.live, m.next)
		m.next++
	}
	if m.cfg.Sync == spool.SyncCommit {
		m.synced = m.next
	}
}

func (m *model) appendOnFailingSync(t *rapid.T) {
	m.disk.inject(failing(opSync, rapid.IntRange(0, 2).Draw(t, "skip"), 1, syscall.EIO))
	defer m.disk.inject(nil)
	frames := m.frames(t)
	ends, err := m.spool.AppendBatch(t.Context(), frames)
	if err == nil {
		m.appended(t, ends)
		return
	}
	// The segment could not even be made. Nothing of the rest may turn up while the process lives.
	if !errors.Is(err, syscall.EIO) {
		t.Fatalf("append: %v", err)
	}
	m.appended(t, ends)
	m.abandon(t)
}

// abandon skips the numbers of frames that may turn up after a crash though their Append has failed.
func (m *model) abandon(*rapid.T) { m.next += 8 }

func (m *model) appendOnFullDisk(t *rapid.T) {
	m.disk.setRoom(int64(rapid.IntRange(0, 4000).Draw(t, "room")))
	defer m.disk.setRoom(-1)
	for _, frame := range m.frames(t) {
		end, err := m.spool.TryAppend(t.Context(), frame)
		if errors.Is(err, spool.ErrDiskFull) {
			m.abandon(t)
			return
		}
		if err != nil {
			t.Fatalf("append: %v", err)
		}
		m.appended(t, []spool.Position{end})
	}
}

func (m *model) pick(t *rapid.T) (string, *readerModel) {
	name := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "reader")
	return name, m.readers[name]
}

func (m *model) read(t *rapid.T) {
	name, r := m.pick(t)
	for range rapid.IntRange(1, 10).Draw(t, "frames") {
		i, _ := slices.BinarySearch(m.live, r.next)
		frame, end, ok, err := r.reader.TryNext()
		if err != nil {
			t.Fatalf("reader %s: %v", name, err)
		}
		if ok != (i < len(m.live)) {
			t.Fatalf("reader %s: TryNext() = %v, model has %d of %d", name, ok, i, len(m.live))
		}
		if !ok {
			return
		}
		got := int(binary.LittleEndian.Uint64(frame))
		if got != m.live[i] {
			t.Fatalf("reader %s: got frame %d, want %d", name, got, m.live[i])
		}
		m.ends[got] = end
		r.next = got + 1
	}
}

func (m *model) commit(t *rapid.T) {
	name, r := m.pick(t)
	i, _ := slices.BinarySearch(m.live, r.next)
	j, _ := slices.BinarySearch(m.live, r.committed)
	if i <= j {
		return
	}
	frame := m.live[rapid.IntRange(j, i-1).Draw(t, "frame")]
	if err := r.reader.Commit(m.ends[frame]); err != nil {
		t.Fatalf("commit reader %s: %v", name, err)
	}
	r.committed = frame + 1
	if m.cfg.Sync == spool.SyncCommit {
		r.durable = r.committed
	}
}

func (m *model) seek(t *rapid.T) {
	name, r := m.pick(t)
	low, _ := slices.BinarySearch(m.live, r.committed) // what lies before is only there while the other reader holds it
	if low == len(m.live) {
		return
	}
	frame := m.live[rapid.IntRange(low, len(m.live)-1).Draw(t, "frame")]
	if err := r.reader.Seek(m.ends[frame]); err != nil {
		t.Fatalf("seek reader %s to %s: %v", name, m.ends[frame], err)
	}
	r.next = frame + 1
}

func (m *model) sync(t *rapid.T) {
	if err := m.spool.Sync(); err != nil {
		t.Fatalf("sync: %v", err)
	}
	m.certain()
}

func (m *model) syncFailing(t *rapid.T) {
	m.disk.inject(failing(opSync, 0, 1, syscall.EIO))
	err := m.spool.Sync()
	m.disk.inject(nil)
	if err == nil {
		m.certain()
		return
	}
	m.sync(t)
}

// certain notes that everything is durable.
func (m *model) certain() {
	m.synced = m.next
	for _, r := range m.readers {
		r.durable = r.committed
	}
}

func (m *model) reopen(t *rapid.T) {
	if err := m.spool.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
	m.certain()
	m.restart(t, false)
}

func (m *model) kill(t *rapid.T) {
	m.mount.kill()
	_ = m.spool.Close()
	m.restart(t, false)
}

// dieWithin kills the process in the midst of something, and perhaps the power goes as well.
func (m *model) dieWithin(t *rapid.T) {
	sure := m.synced
	if rapid.Bool().Draw(t, "fsync fails first") {
		defer func() {
			for n := sure; n < m.next; n++ {
				m.doubted = append(m.doubted, n)
			}
		}()
		failing, killer := failing(opSync, 0, 1, syscall.EIO), m.mount.killer(rapid.IntRange(1, 8).Draw(t, "operations"))
		m.disk.inject(func(o op, path string) error { return errors.Join(killer(o, path), failing(o, path)) })
	} else {
		m.disk.inject(m.mount.killer(rapid.IntRange(0, 8).Draw(t, "operations")))
	}
	switch rapid.SampledFrom([]string{"append", "commit", "sync"}).Draw(t, "within") {
	case "append":
		ends, _ := m.spool.AppendBatch(t.Context(), m.frames(t))
		m.appended(t, ends)
		m.abandon(t)
	case "sync":
		if m.spool.Sync() == nil {
			m.certain()
		}
	case "commit":
		_, r := m.pick(t)
		i, _ := slices.BinarySearch(m.live, r.next)
		if i > 0 && m.live[i-1] >= r.committed {
			r.committed = m.live[i-1] + 1
			if r.reader.Commit(m.ends[m.live[i-1]]) == nil && m.cfg.Sync == spool.SyncCommit {
				r.durable = r.committed
			}
		}
	}
	m.disk.inject(nil)
	if rapid.Bool().Draw(t, "power goes") {
		m.losePower(t)
	} else {
		m.kill(t)
	}
}

func (m *model) losePower(t *rapid.T) {
	keep := rapid.SampledFrom([]string{"nothing", "all", "some"}).Draw(t, "what is kept")
	m.disk.losePower(m.mount, rapid.Bool().Draw(t, "names are kept"), func(e extent) int64 {
		switch keep {
		case "nothing":
			return 0
		case "all":
			return e.to - e.from
		}
		return rapid.Int64Range(0, e.to-e.from).Draw(t, "kept")
	})
	_ = m.spool.Close()
	m.restart(t, true)
}

// restart opens the spool again, and adopts what it may have lost or kept.
func (m *model) restart(t *rapid.T, powerLost bool) {
	m.open(t)
	starts := map[string]spool.Position{}
	for name, r := range m.readers {
		starts[name] = r.reader.Committed()
	}
	m.adoptFrames(t, powerLost)
	for name, r := range m.readers {
		if err := r.reader.Seek(starts[name]); err != nil {
			t.Fatalf("reader %s: %v", name, err)
		}
		frame, _, ok, err := r.reader.TryNext()
		if err != nil {
			t.Fatalf("reader %s: %v", name, err)
		}
		at := m.next
		if ok {
			at = int(binary.LittleEndian.Uint64(frame))
		}
		first := func(n int) int {
			if i, _ := slices.BinarySearch(m.live, n); i < len(m.live) {
				return m.live[i]
			}
			return m.next
		}
		if at < first(r.durable) || at > first(r.committed) {
			t.Fatalf("reader %s goes on at %d, not within %d and %d", name, at, r.durable, r.committed)
		}
		r.committed, r.durable, r.next = at, at, at
		if err := r.reader.Seek(starts[name]); err != nil {
			t.Fatalf("reader %s: %v", name, err)
		}
	}
}

// adoptFrames reads all that is there: what was durable must be, nothing may be that never was appended.
func (m *model) adoptFrames(t *rapid.T, powerLost bool) {
	r := m.readers["a"].reader
	if err := r.Seek(spool.Position{}); err != nil {
		t.Fatal(err)
	}
	var got []int
	for {
		frame, end, ok, err := r.TryNext()
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			break
		}
		n := int(binary.LittleEndian.Uint64(frame))
		if len(got) > 0 && n <= got[len(got)-1] {
			t.Fatalf("frame %d comes after %d", n, got[len(got)-1])
		}
		if n >= m.next {
			t.Fatalf("frame %d was never appended", n)
		}
		got = append(got, n)
		m.ends[n] = end
	}
	held := min(m.readers["a"].committed, m.readers["b"].committed)
	for _, n := range m.live {
		sure := !powerLost || n < m.synced && !slices.Contains(m.doubted, n)
		if _, found := slices.BinarySearch(got, n); !found && n >= held && sure {
			t.Fatalf("frame %d is lost: held from %d on, synced below %d, got %v", n, held, m.synced, got)
		}
	}
	m.live, m.synced = got, m.next
}

func (m *model) check(t *rapid.T) {
	stats := m.spool.Stats()
	low := min(m.readers["a"].committed, m.readers["b"].committed)
	i, _ := slices.BinarySearch(m.live, low)
	if want := uint64(len(m.live) - i); stats.BadFrames == 0 && stats.Frames != want {
		t.Fatalf("Stats().Frames = %d, want %d", stats.Frames, want)
	}
	if stats.Bytes > m.cfg.MaxBytes || stats.Bytes < 0 {
		t.Fatalf("Stats().Bytes = %d", stats.Bytes)
	}
	if stats.DroppedFrames > 0 {
		t.Fatalf("Stats().DroppedFrames = %d", stats.DroppedFrames)
	}
}
