package spool_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/lamppost-city/lamppost/spool"
)

// Any bytes for a segment, whole or with its header as it should be: no panic, no endless loop, and what is read was
// in it. A spool over such a file opens, gives what can be read and goes on.
func FuzzSegment(f *testing.F) {
	dir := f.TempDir()
	s, err := spool.Open(dir, small(), nil)
	if err != nil {
		f.Fatal(err)
	}
	for n := range 4 {
		if _, err := s.Append(f.Context(), frameOf(n, 20*n)); err != nil {
			f.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		f.Fatal(err)
	}
	content := fuzzSeed(f, dir)
	header := content[:spool.SegmentHeaderBytes]
	f.Add(content, false)
	f.Add(content[spool.SegmentHeaderBytes:], true)
	f.Add(content[:len(content)-3], false)
	f.Add([]byte{}, false)
	f.Add(make([]byte, 200), true)
	f.Fuzz(func(t *testing.T, content []byte, withHeader bool) {
		if withHeader {
			content = append(bytes.Clone(header), content...)
		}
		payloads, end, err := spool.ParseSegment(bytes.NewReader(content), int64(len(content)))
		if err == nil && (end < spool.SegmentHeaderBytes || end > max(int64(len(content)), spool.SegmentHeaderBytes)) {
			t.Fatalf("the frames end at %d of %d", end, len(content))
		}
		for _, payload := range payloads {
			if len(payload) == 0 || !bytes.Contains(content, payload) {
				t.Fatalf("payload %q is not in the file", payload)
			}
		}
		openFuzzed(t, content, payloads, err != nil)
	})
}

func fuzzSeed(f *testing.F, dir string) []byte {
	f.Helper()
	content, err := os.ReadFile(filepath.Join(dir, segmentOne))
	if err != nil {
		f.Fatal(err)
	}
	return content
}

func openFuzzed(t *testing.T, content []byte, payloads [][]byte, headless bool) {
	disk := newDisk()
	disk.put("/s/"+segmentOne, content)
	s, err := spool.OpenOn(disk.mount(), "/s", small(), nil)
	if err != nil {
		return // the header may be one of another version
	}
	defer closeSpool(t, s)
	if _, err := s.Append(t.Context(), []byte("last")); err != nil {
		t.Fatal(err)
	}
	r := reader(t, s, "store")
	var got [][]byte
	for {
		frame, _, ok, err := r.TryNext()
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			break
		}
		got = append(got, bytes.Clone(frame))
	}
	if headless {
		payloads = nil
	}
	if len(got) == 0 || string(got[len(got)-1]) != "last" || len(got)-1 > len(payloads) {
		t.Fatalf("got %q, the file holds %q", got, payloads)
	}
	for i, frame := range got[:len(got)-1] {
		if !bytes.Equal(frame, payloads[i]) {
			t.Fatalf("frame %d is %q, want %q", i, frame, payloads[i])
		}
	}
}

func FuzzCursor(f *testing.F) {
	f.Add(spool.AppendCursor(nil, spool.Position{Segment: 8, Offset: 3456}))
	f.Add([]byte("8:3456 00000000\n"))
	f.Add([]byte(" "))
	f.Fuzz(func(t *testing.T, content []byte) {
		p, err := spool.ParseCursor(content)
		if err != nil {
			return
		}
		if q, err := spool.ParseCursor(spool.AppendCursor(nil, p)); err != nil || q != p {
			t.Fatalf("%q is %s, then %s, %v", content, p, q, err)
		}
	})
}
