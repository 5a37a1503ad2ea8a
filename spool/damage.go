package spool

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

const (
	// readTries is how often a reader asks the disk for the same place before it takes it for lost.
	readTries = 5
	// maxBadFiles bounds the *.bad files beside MaxBadBytes.
	maxBadFiles = 256
)

// stepOver moves the reader behind damage: to the next whole frame of the segment, or else to its end. What lies
// between is kept in a bad file, and counted. It is called with r.mu held.
func (r *Reader) stepOver(h frameHeader, v verdict, failure error) error {
	if failure != nil {
		r.s.counts.failed(opRead)
		if r.tries++; r.tries < readTries {
			return fmt.Errorf("read segment %s: %w", r.seg.path, failure)
		}
	}
	to, index := r.limit, int64(r.frames)
	if v == frameWrongPayload {
		to, index = r.pos.Offset+h.size(), int64(h.index)+1
	} else {
		at, next, found, err := r.findNext(failure != nil)
		if err != nil {
			return fmt.Errorf("read segment %s: %w", r.seg.path, err)
		}
		if found {
			to, index = at, int64(next.index)
		} else if failure != nil && !r.s.readableBehind(r.seg) {
			// Nothing behind can be read either: it is the disk that is away, not a few of its blocks.
			return fmt.Errorf("read segment %s: %w", r.seg.path, failure)
		}
	}
	gone := hole{r.pos.Offset, to}
	if r.s.noteHole(r.seg, gone, r.missing(index)) {
		r.s.keepBad(r.f, r.seg.number, gone)
	}
	r.pos.Offset, r.index, r.tries = to, index, 0
	return nil
}

func (r *Reader) findNext(pastErrors bool) (int64, frameHeader, bool, error) {
	size, err := r.f.Size()
	if err != nil {
		return 0, frameHeader{}, false, err
	}
	return findFrame(&r.w, r.f, r.seg.salt, r.pos.Offset+1, min(size, r.limit), pastErrors)
}

// missing is how many frames there are from the reader's place to the one of the given index; 1 if that is not known.
func (r *Reader) missing(index int64) uint64 {
	if r.index < 0 || index < r.index {
		return 1
	}
	return uint64(index - r.index)
}

// holds reports whether seg is still part of the spool.
func (s *Spool) holds(seg *segment) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Contains(s.segs, seg)
}

// noteHole counts damage in seg, once for all readers, and reports whether it was new.
func (s *Spool) noteHole(seg *segment, gone hole, frames uint64) bool {
	s.mu.Lock()
	i, known := slices.BinarySearchFunc(seg.holes, gone.from, func(h hole, from int64) int { return cmp.Compare(h.from, from) })
	known = known || i > 0 && seg.holes[i-1].to > gone.from
	if !known {
		if len(seg.holes) == 0 {
			s.counts.badSegments.Add(1)
		}
		seg.holes = slices.Insert(seg.holes, i, gone)
	}
	s.mu.Unlock()
	if known {
		return false
	}
	s.counts.badFrames.Add(frames)
	s.counts.badBytes.Add(uint64(gone.to - gone.from))
	s.log.Error("a segment is damaged, frames are lost", "segment", seg.path, "offset", gone.from, "bytes", gone.to-gone.from, "frames", frames)
	return true
}

// readableBehind reports whether a segment behind seg can be read.
func (s *Spool) readableBehind(seg *segment) bool {
	s.mu.Lock()
	var paths []string
	for _, g := range s.segs {
		if g.number > seg.number {
			paths = append(paths, g.path)
		}
	}
	s.mu.Unlock()
	for _, path := range paths {
		f, err := s.fsys.OpenFile(path, os.O_RDONLY, 0)
		if err != nil {
			continue
		}
		_, err = readSegmentHeader(f)
		_ = f.Close()
		if err == nil {
			return true
		}
	}
	return false
}

// keepBad copies damaged bytes of f, the file of the given segment, into a bad file, as far as they can be read and
// MaxBadBytes goes. It is for people: nothing reads it, and nothing fails if it cannot be written.
func (s *Spool) keepBad(f file, number uint64, gone hole) {
	size, err := f.Size()
	gone.to = min(gone.to, size, gone.from+s.cfg.MaxBadBytes)
	if err != nil || gone.to <= gone.from {
		return
	}
	path := badPath(s.dir, number, gone.from)
	if err := s.copyBad(f, path, gone); err != nil {
		if !errors.Is(err, fs.ErrExist) {
			s.log.Warn("the damaged bytes cannot be kept", "file", path, "err", err)
		}
		return
	}
	s.pruneBad()
}

func (s *Spool) copyBad(f file, path string, gone hole) error {
	bad, err := s.fsys.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	buf := make([]byte, min(gone.to-gone.from, 64<<10))
	for at := gone.from; at < gone.to && err == nil; at += int64(len(buf)) {
		n, unread := f.ReadAt(buf[:min(int64(len(buf)), gone.to-at)], at)
		if n > 0 {
			_, err = bad.WriteAt(buf[:n], at-gone.from)
		}
		if unread != nil {
			break
		}
	}
	if err = errors.Join(err, bad.Close()); err != nil {
		_ = s.fsys.Remove(path)
	}
	return err
}

// pruneBad removes the oldest bad files until the rest is within bounds.
func (s *Spool) pruneBad() {
	s.removal.Lock()
	defer s.removal.Unlock()
	names, err := s.fsys.List(s.dir)
	if err != nil {
		return
	}
	names = slices.DeleteFunc(names, func(name string) bool { _, bad := fileNumber(name, badSuffix); return !bad })
	slices.Sort(names)
	slices.Reverse(names)
	total := int64(0)
	for i, name := range names {
		path := filepath.Join(s.dir, name)
		total += s.fileSize(path)
		if i >= maxBadFiles || total > s.cfg.MaxBadBytes {
			_ = s.fsys.Remove(path)
		}
	}
}

func (s *Spool) fileSize(path string) int64 {
	f, err := s.fsys.OpenFile(path, os.O_RDONLY, 0)
	if err != nil {
		return 0
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return 0
	}
	return size
}
