package spool

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
)

// resolve finds the segment in which reading at p goes on, and where in it: a place in a segment that is gone means the
// oldest frame behind it, the end of a segment that has ended means the beginning of the next, and a place in what a
// failed fsync made doubtful means its copy. The segment is nil if there is none at or behind p. It is called with mu held.
func (s *Spool) resolve(p Position) (*segment, Position) {
	i, found := slices.BinarySearchFunc(s.segs, p.Segment, func(g *segment, number uint64) int {
		return cmp.Compare(g.number, number)
	})
	if i == len(s.segs) {
		return nil, p
	}
	seg := s.segs[i]
	if !found {
		p = seg.take(p)
	}
	p.Offset = max(p.Offset, segmentHeaderBytes)
	for p.Offset >= seg.end {
		if i++; i == len(s.segs) {
			p = seg.last()
			return seg, p
		}
		seg = s.segs[i]
		p = seg.take(p)
	}
	return seg, p
}

// take returns where in g reading goes on that has come to p, in an earlier segment of which nothing is left behind p.
func (g *segment) take(p Position) Position {
	q := g.start()
	if copied := p.Offset - g.prevEnd; g.prev == p.Segment && copied > 0 && copied <= int64(g.carry) {
		q.Offset += copied
	}
	return q
}

// locate resolves p, checks that it is the edge of a frame, and returns the number of the frame behind it.
func (s *Spool) locate(p Position) (Position, uint64, error) {
	for {
		s.mu.Lock()
		if end := s.end(); end.Before(p) {
			s.mu.Unlock()
			return p, 0, fmt.Errorf("%w: %s lies behind the end at %s", ErrBadPosition, p, end)
		}
		seg, q := s.resolve(p)
		if seg == nil {
			defer s.mu.Unlock()
			return s.end(), s.nextFrame(), nil
		}
		known := *seg
		s.mu.Unlock()
		switch q.Offset {
		case segmentHeaderBytes:
			return q, known.first, nil
		case known.end:
			return q, known.first + uint64(known.frames), nil
		}
		index, err := s.indexAt(&known, q.Offset)
		if errors.Is(err, fs.ErrNotExist) {
			continue // dropped, or read by all, in this moment
		}
		return q, known.first + uint64(index), err
	}
}

// indexAt returns the index of the frame that begins at offset at. Where the header there is damaged, the segment
// is read up to there to find out whether a frame ends there, or all around is damaged.
func (s *Spool) indexAt(seg *segment, at int64) (uint32, error) {
	f, err := s.fsys.OpenFile(seg.path, os.O_RDONLY, 0)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	var b [frameHeaderBytes]byte
	if n, _ := f.ReadAt(b[:], at); n == len(b) {
		if h, ok := parseFrameHeader(b[:], seg.salt, at); ok {
			return h.index, nil
		}
	}
	w := newWindow(s.cfg.ReadBufferBytes)
	found, err := surveySegment(&w, f, seg.salt, at)
	if err != nil {
		return 0, fmt.Errorf("read segment %s: %w", seg.path, err)
	}
	if found.end == at {
		return found.frames, nil
	}
	_, _, v, err := readFrame(&w, f, seg.salt, found.end, seg.end)
	if err != nil {
		return 0, fmt.Errorf("read segment %s: %w", seg.path, err)
	}
	if v == frameWhole || v == frameWrongPayload {
		return 0, fmt.Errorf("%w: %d:%d", ErrBadPosition, seg.number, at)
	}
	return found.frames, nil // within damage: there may well have been the edge of a frame
}
