package spool_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lamppost-city/lamppost/spool"
)

// segmentOf returns the bytes of a segment with frames of different sizes, and where each frame begins.
func segmentOf(t *testing.T, frames int) (content []byte, starts []int64) {
	t.Helper()
	dir := t.TempDir()
	s := open(t, spool.RealDisk(), dir, small())
	at := int64(spool.SegmentHeaderBytes)
	for n := range frames {
		starts = append(starts, at)
		at = appendFrames(t, s, n, n+1, 10+7*n)[0].Offset
	}
	closeSpool(t, s)
	return readFile(t, files(t, dir, ".seg")[0]), append(starts, at)
}

const segmentOne = "00000000000000000001.seg"

func TestFileCutAtAnyByteGivesAPrefixAndAppendingContinues(t *testing.T) {
	content, starts := segmentOf(t, 6)
	for size := range len(content) + 1 {
		disk := newDisk()
		disk.put("/s/"+segmentOne, content[:size])
		s := open(t, disk.mount(), "/s", small())
		r := reader(t, s, "store")
		whole := 0
		for whole+1 < len(starts) && starts[whole+1] <= int64(size) {
			whole++
		}
		if got := drain(t, r); !slices.Equal(got, numbers(0, whole)) {
			t.Fatalf("cut at %d: got frames %v, want %d", size, got, whole)
		}
		torn := uint64(0)
		if size < spool.SegmentHeaderBytes/2 || int64(size) > starts[whole] && size > spool.SegmentHeaderBytes {
			torn = 1
		}
		if stats := s.Stats(); stats.TornTails != torn || stats.BadFrames != 0 {
			t.Fatalf("cut at %d: TornTails = %d, BadFrames = %d, want %d, 0", size, stats.TornTails, stats.BadFrames, torn)
		}
		appendFrames(t, s, whole, whole+3, 20)
		closeSpool(t, s)
		again := open(t, disk.mount(), "/s", small())
		if got := drain(t, reader(t, again, "store")); !slices.Equal(got, numbers(0, whole+3)) {
			t.Fatalf("cut at %d: after appending got frames %v, want %d", size, got, whole+3)
		}
		closeSpool(t, again)
	}
}

// A flip of any bit costs the frame that it is in, and no other.
func TestAnyFlippedBitCostsAtMostOneFrame(t *testing.T) {
	content, starts := segmentOf(t, 6)
	for bit := range len(content) * 8 {
		hit := -1
		for n := range starts[1:] {
			if at := int64(bit / 8); at >= starts[n] && at < starts[n+1] {
				hit = n
			}
		}
		want := slices.DeleteFunc(numbers(0, 6), func(n int) bool { return n == hit })
		for _, newest := range []bool{true, false} {
			disk := newDisk()
			flipped := bytes.Clone(content)
			flipped[bit/8] ^= 1 << (bit % 8)
			disk.put("/s/"+segmentOne, content)
			if !newest { // a segment behind it, so that it is not surveyed
				s := open(t, disk.mount(), "/s", small())
				appendFrames(t, s, 6, 8, 30)
				closeSpool(t, s)
			}
			disk.put("/s/"+segmentOne, flipped)
			checkFlipped(t, disk, bit, hit, newest, want)
		}
	}
}

func checkFlipped(t *testing.T, disk *disk, bit, hit int, newest bool, want []int) {
	t.Helper()
	s := open(t, disk.mount(), "/s", small())
	defer closeSpool(t, s)
	if !newest {
		want = append(slices.Clone(want), 6, 7)
	}
	got := drain(t, reader(t, s, "store"))
	if !slices.Equal(got, want) {
		t.Fatalf("bit %d of byte %d, newest %v: got frames %v, want %v", bit%8, bit/8, newest, got, want)
	}
	stats := s.Stats()
	tail := newest && hit == 5 // whether it was finished cannot be known if its header is damaged
	if hit >= 0 && stats.BadFrames+stats.TornTails != 1 || hit < 0 && stats.BadFrames+stats.TornTails != 0 {
		t.Fatalf("bit %d of byte %d, newest %v: BadFrames = %d, TornTails = %d", bit%8, bit/8, newest, stats.BadFrames, stats.TornTails)
	}
	if hit >= 0 && !tail && (stats.BadFrames != 1 || stats.BadSegments != 1) {
		t.Fatalf("bit %d of byte %d, newest %v: BadFrames = %d, BadSegments = %d", bit%8, bit/8, newest, stats.BadFrames, stats.BadSegments)
	}
	bad := disk.list(".bad")
	if hit >= 0 && len(bad) != 1 || hit < 0 && len(bad) != 0 {
		t.Fatalf("bit %d of byte %d, newest %v: bad files %v", bit%8, bit/8, newest, bad)
	}
}

// Both copies of the header must be damaged before the segment is lost, and then only that segment is.
func TestSegmentWithoutAHeaderIsSetAside(t *testing.T) {
	dir := t.TempDir()
	s := open(t, spool.RealDisk(), dir, small())
	appendFrames(t, s, 0, 12, 1000)
	closeSpool(t, s)
	path := files(t, dir, ".seg")[1]
	content := readFile(t, path)
	content[3]++
	content[spool.SegmentHeaderBytes/2+3]++
	writeFile(t, path, content)

	var logged bytes.Buffer
	s, err := spool.Open(dir, small(), textLog(&logged))
	if err != nil {
		t.Fatal(err)
	}
	defer closeSpool(t, s)
	got := drain(t, reader(t, s, "store"))
	const per = 3 // frames in a segment
	want := slices.Concat(numbers(0, per), numbers(2*per, 12))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("frames (-want +got):\n%s", diff)
	}
	if stats := s.Stats(); stats.BadSegments != 1 || stats.BadFrames != per {
		t.Errorf("BadSegments = %d, BadFrames = %d, want 1, %d", stats.BadSegments, stats.BadFrames, per)
	}
	bad := files(t, dir, ".bad")
	if len(bad) != 1 || !bytes.Equal(readFile(t, bad[0]), content) {
		t.Errorf("bad files: %v", bad)
	}
	if !strings.Contains(logged.String(), "set aside") {
		t.Errorf("the log says nothing:\n%s", logged.String())
	}
}

func TestSegmentOfAnotherVersionIsNotDamage(t *testing.T) {
	content, _ := segmentOf(t, 2)
	for _, at := range []int{8, spool.SegmentHeaderBytes/2 + 8} {
		content[at] = 2
	}
	spool.SealHeader(content)
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, segmentOne), content)
	if _, err := spool.Open(dir, small(), nil); err == nil || !strings.Contains(err.Error(), "version 2") {
		t.Errorf("Open returns %v", err)
	}
	if bad := files(t, dir, ".bad"); len(bad) > 0 {
		t.Errorf("bad files %v", bad)
	}
}

// Whoever can choose a payload, a publisher say, might put frames in it. Damage before it must not bring them to light.
func TestFramesInsideAPayloadAreNeverDelivered(t *testing.T) {
	const start = spool.SegmentHeaderBytes + spool.FrameHeaderBytes + 100 // of the second frame
	for name, payload := range map[string]func(t *testing.T, own []byte) []byte{
		"frames of another segment": func(t *testing.T, _ []byte) []byte {
			other, starts := segmentOf(t, 6)
			return other[starts[0]:]
		},
		"frames of the same segment, elsewhere": func(_ *testing.T, own []byte) []byte { return own[spool.SegmentHeaderBytes:] },
		"a frame of another segment, from the same place": func(t *testing.T, _ []byte) []byte {
			const before = 10
			at := start + spool.FrameHeaderBytes + before // where it will stand
			dir := t.TempDir()
			s := open(t, spool.RealDisk(), dir, small())
			ends := appendFrames(t, s, 0, 1, at-spool.SegmentHeaderBytes-spool.FrameHeaderBytes)
			appendFrames(t, s, 1, 2, 50)
			closeSpool(t, s)
			if ends[0].Offset != int64(at) {
				t.Fatal(ends)
			}
			return append(make([]byte, before), readFile(t, files(t, dir, ".seg")[0])[at:]...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, spool.RealDisk(), dir, small())
			appendFrames(t, s, 0, 1, 100)
			if _, err := s.Append(t.Context(), payload(t, readFile(t, files(t, dir, ".seg")[0]))); err != nil {
				t.Fatal(err)
			}
			appendFrames(t, s, 2, 3, 100)
			closeSpool(t, s)
			path := files(t, dir, ".seg")[0]
			content := readFile(t, path)
			content[start]++ // the length
			writeFile(t, path, content)

			s = open(t, spool.RealDisk(), dir, small())
			defer closeSpool(t, s)
			if got := drain(t, reader(t, s, "store")); !slices.Equal(got, []int{0, 2}) {
				t.Errorf("got frames %v, want 0 and 2", got)
			}
		})
	}
}

// The index in the headers tells how many frames a stretch has cost, and two readers do not count it twice.
func TestDamageOverSeveralFramesIsCountedOnce(t *testing.T) {
	dir := t.TempDir()
	cfg := small()
	cfg.Readers = []string{"a", "b"}
	s := open(t, spool.RealDisk(), dir, cfg)
	ends := appendFrames(t, s, 0, 20, 100)
	path := files(t, dir, ".seg")[0]
	content := readFile(t, path)
	clear(content[ends[4].Offset+5 : ends[9].Offset+5])
	writeFile(t, path, content)

	want := slices.Concat(numbers(0, 5), numbers(11, 20))
	for _, name := range cfg.Readers {
		if got := drain(t, reader(t, s, name)); !slices.Equal(got, want) {
			t.Errorf("reader %s got %v, want %v", name, got, want)
		}
	}
	if stats := s.Stats(); stats.BadFrames != 6 || stats.BadSegments != 1 || stats.BadBytes != 6*116 {
		t.Errorf("BadFrames = %d, BadSegments = %d, BadBytes = %d", stats.BadFrames, stats.BadSegments, stats.BadBytes)
	}
	after := appendFrames(t, s, 20, 21, 100)
	if after[0].Segment == ends[19].Segment {
		t.Errorf("frame 20 was appended at %s, behind the damage", after[0])
	}
	closeSpool(t, s)
}

func TestCommitBesideDamageIsAccepted(t *testing.T) {
	dir := t.TempDir()
	s := open(t, spool.RealDisk(), dir, small())
	defer closeSpool(t, s)
	ends := appendFrames(t, s, 0, 10, 100)
	path := files(t, dir, ".seg")[0]
	content := readFile(t, path)
	content[ends[3].Offset] ^= 0x80
	writeFile(t, path, content)
	r := reader(t, s, "store")
	for n := range 4 {
		if _, _, err := r.Next(t.Context()); err != nil {
			t.Fatalf("frame %d: %v", n, err)
		}
	}
	if err := r.Commit(ends[3]); err != nil {
		t.Error(err)
	}
	if got, want := s.Stats().Frames, uint64(6); got != want {
		t.Errorf("Stats().Frames = %d, want %d", got, want)
	}
	if err := r.Commit(spool.Position{Segment: 1, Offset: ends[5].Offset + 1}); !errors.Is(err, spool.ErrBadPosition) {
		t.Errorf("a position inside a frame: %v", err)
	}
}

func TestSegmentRemovedByHandIsReadOver(t *testing.T) {
	for _, running := range []bool{true, false} {
		t.Run(fmt.Sprintf("while running %v", running), func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, spool.RealDisk(), dir, small())
			appendFrames(t, s, 0, 12, 1000)
			if !running {
				closeSpool(t, s)
			}
			if err := os.Remove(files(t, dir, ".seg")[1]); err != nil {
				t.Fatal(err)
			}
			if !running {
				s = open(t, spool.RealDisk(), dir, small())
			}
			defer closeSpool(t, s)
			if got, want := drain(t, reader(t, s, "store")), slices.Concat(numbers(0, 3), numbers(6, 12)); !slices.Equal(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
			if stats := s.Stats(); stats.BadFrames != 3 || stats.BadSegments != 1 {
				t.Errorf("BadFrames = %d, BadSegments = %d, want 3, 1", stats.BadFrames, stats.BadSegments)
			}
		})
	}
}

func TestBadFilesAreBounded(t *testing.T) {
	dir := t.TempDir()
	cfg := small()
	cfg.MaxBytes = 1 << 20
	cfg.MaxBadBytes = 2000
	s := open(t, spool.RealDisk(), dir, cfg)
	defer closeSpool(t, s)
	appendFrames(t, s, 0, 60, 500)
	for _, path := range files(t, dir, ".seg") {
		content := readFile(t, path)
		content[spool.SegmentHeaderBytes+spool.FrameHeaderBytes]++
		writeFile(t, path, content)
	}
	got := drain(t, reader(t, s, "store"))
	total := 0
	for _, path := range files(t, dir, ".bad") {
		total += len(readFile(t, path))
	}
	if total == 0 || int64(total) > cfg.MaxBadBytes {
		t.Errorf("%d bytes of bad files, max_bad_bytes is %d", total, cfg.MaxBadBytes)
	}
	if stats := s.Stats(); stats.BadFrames != uint64(60-len(got)) || stats.BadFrames < 5 {
		t.Errorf("BadFrames = %d, %d frames read of 60", stats.BadFrames, len(got))
	}
}

func TestUnreadableBlockIsReadOverButAnAbsentDiskIsNot(t *testing.T) {
	const block = 4096
	disk := newDisk()
	cfg := small()
	cfg.SegmentBytes = 4 * block
	s := open(t, disk.mount(), "/s", cfg)
	defer closeSpool(t, s)
	ends := appendFrames(t, s, 0, 20, 1000)
	r := reader(t, s, "store")

	disk.setUnread(func(string, int64) bool { return true })
	for range 20 {
		if _, _, _, err := r.TryNext(); !errors.Is(err, syscall.EIO) {
			t.Fatalf("TryNext() on a disk that is away: %v", err)
		}
	}
	disk.setUnread(func(path string, at int64) bool { return strings.HasSuffix(path, segmentOne) && at/block == 1 })
	want := slices.DeleteFunc(numbers(0, 20), func(n int) bool {
		return ends[n].Segment == 1 && ends[n].Offset > block && ends[n].Offset-1000-spool.FrameHeaderBytes < 2*block
	})
	var got []int
	for refused := 0; ; {
		frame, _, ok, err := r.TryNext()
		if err != nil {
			if refused++; refused > 10 {
				t.Fatalf("after %v: %v", got, err)
			}
			continue
		}
		if !ok {
			break
		}
		got = append(got, numberOf(t, frame))
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if lost := s.Stats().BadFrames; lost != uint64(20-len(want)) {
		t.Errorf("BadFrames = %d, want %d", lost, 20-len(want))
	}
}
