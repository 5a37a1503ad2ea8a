package spool

import (
	"errors"
	"fmt"
	"io"
)

// window reads a file ahead into one buffer, which it reuses and which grows only for a frame that is larger.
type window struct {
	buf []byte
	at  int64 // where buf[0] stands in the file
	n   int   // how many bytes of buf are filled
}

func newWindow(size int64) window { return window{buf: make([]byte, size)} }

// forget empties the window, for another file.
func (w *window) forget() { w.n = 0 }

// errShort says that the file ends before the bytes asked for.
var errShort = errors.New("the file is too short")

// bytes returns the n bytes at offset off, valid until the next call. Nothing at or behind limit is read, also not ahead.
func (w *window) bytes(f io.ReaderAt, off int64, n int, limit int64) ([]byte, error) {
	if off+int64(n) > limit {
		return nil, errShort
	}
	if off >= w.at && off+int64(n) <= w.at+int64(w.n) {
		return w.buf[off-w.at:][:n], nil
	}
	kept := 0
	if off >= w.at && off < w.at+int64(w.n) {
		kept = int(w.at + int64(w.n) - off)
	}
	old := w.buf
	if n > len(w.buf) {
		w.buf = make([]byte, n)
	}
	copy(w.buf, old[w.n-kept:w.n])
	w.at, w.n = off, kept
	ahead := min(int64(len(w.buf)), limit-off)
	read, err := f.ReadAt(w.buf[kept:ahead], off+int64(kept))
	w.n += read
	if w.n >= n {
		return w.buf[:n], nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		return nil, errShort
	}
	return nil, fmt.Errorf("read at offset %d: %w", off, err)
}

// verdict is what a look at one place of a segment finds.
type verdict int

const (
	frameWhole        verdict = iota
	frameCut                  // the header is fine, or incomplete, and the file ends too early
	frameWrongHeader          // no telling where the next frame begins
	frameWrongPayload         // the next frame begins behind this one
)

// readFrame looks at offset at. The payload is returned for a whole frame only, valid until the window's next use; the
// header where there is one. An error is one of reading the file.
func readFrame(w *window, f io.ReaderAt, salt uint64, at, limit int64) ([]byte, frameHeader, verdict, error) {
	b, err := w.bytes(f, at, frameHeaderBytes, limit)
	if errors.Is(err, errShort) {
		return nil, frameHeader{}, frameCut, nil
	}
	if err != nil {
		return nil, frameHeader{}, frameCut, err
	}
	h, ok := parseFrameHeader(b, salt, at)
	if !ok {
		return nil, frameHeader{}, frameWrongHeader, nil
	}
	b, err = w.bytes(f, at, int(h.size()), limit)
	if errors.Is(err, errShort) {
		return nil, h, frameCut, nil
	}
	if err != nil {
		return nil, h, frameCut, err
	}
	payload := b[frameHeaderBytes:]
	if checksum(payload) != h.sum {
		return nil, h, frameWrongPayload, nil
	}
	return payload, h, frameWhole, nil
}

// findFrame looks for the first whole frame at or behind from. It tries every offset, which is safe because a header
// proves its place (see frameHeader), and quick because it tries headers only: linear in the bytes, whatever they are.
// With pastErrors, blocks that cannot be read count as damage; otherwise the first error ends the search. limit must not
// lie behind the end of the file.
func findFrame(w *window, f io.ReaderAt, salt uint64, from, limit int64, pastErrors bool) (int64, frameHeader, bool, error) {
	const block = 4096
	for off := from; off+frameHeaderBytes < limit; {
		n := min(block-off%block+frameHeaderBytes-1, limit-off)
		b, err := w.bytes(f, off, int(n), limit)
		if errors.Is(err, errShort) {
			return 0, frameHeader{}, false, nil
		}
		if err != nil {
			if !pastErrors {
				return 0, frameHeader{}, false, err
			}
			off += block - off%block
			continue
		}
		at, h, found := findHeader(b, salt, off)
		if !found {
			off += n - frameHeaderBytes + 1
			continue
		}
		_, _, v, err := readFrame(w, f, salt, at, limit)
		switch {
		case v == frameWhole:
			return at, h, true, nil
		case err != nil && !pastErrors:
			return 0, frameHeader{}, false, err
		case v == frameCut && err == nil:
			return 0, frameHeader{}, false, nil // a true header, so nothing follows
		}
		off = at + h.size()
	}
	return 0, frameHeader{}, false, nil
}

func findHeader(b []byte, salt uint64, at int64) (int64, frameHeader, bool) {
	for i := 0; i+frameHeaderBytes <= len(b); i++ {
		if h, ok := parseFrameHeader(b[i:], salt, at+int64(i)); ok {
			return at + int64(i), h, true
		}
	}
	return 0, frameHeader{}, false
}

// survey is what reading a whole segment finds.
type survey struct {
	end    int64  // behind the last complete frame, be its payload right or wrong
	frames uint32 // complete or missing before end
	// suspect says that the bytes behind end may have been a complete frame whose header is damaged, rather than one
	// that was never finished.
	suspect bool
}

// surveySegment reads the file's frames up to size, which must not lie behind the end of the file.
func surveySegment(w *window, f io.ReaderAt, salt uint64, size int64) (survey, error) {
	found := survey{end: segmentHeaderBytes}
	for at := found.end; at < size; {
		_, h, v, err := readFrame(w, f, salt, at, size)
		if err != nil {
			return found, err
		}
		switch v {
		case frameWhole, frameWrongPayload:
			at += h.size()
			found.end, found.frames = at, h.index+1
			continue
		case frameCut:
			if h.length == 0 { // not even a header
				return found, nil
			}
		}
		next, _, ok, err := findFrame(w, f, salt, at+1, size, false)
		if err != nil {
			return found, err
		}
		if !ok {
			if v == frameWrongHeader {
				found.suspect, err = anySet(w, f, at, size)
			}
			return found, err
		}
		at = next
	}
	return found, nil
}

// anySet reports whether there is anything but zeros, which is what power loss leaves of a file that had been extended.
func anySet(w *window, f io.ReaderAt, from, to int64) (bool, error) {
	for off := from; off < to; {
		n := min(int64(len(w.buf)), to-off)
		b, err := w.bytes(f, off, int(n), to)
		if err != nil {
			return false, err
		}
		for _, c := range b {
			if c != 0 {
				return true, nil
			}
		}
		off += n
	}
	return false, nil
}
