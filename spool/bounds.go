package spool

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"time"
)

// hasRoom reports whether need bytes more stay within MaxBytes. It is called with mu held.
func (s *Spool) hasRoom(need int64) bool {
	return s.bytes+s.reserved+need+segmentHeaderBytes <= s.cfg.MaxBytes
}

// makeRoom returns nil when it is worth looking again whether there is room for need bytes: after it has dropped, or
// after it has waited. It is called with mu held, and gives it back meanwhile.
func (s *Spool) makeRoom(ctx context.Context, need int64, wait bool) error {
	full := fmt.Errorf("%w: %d of %d bytes in %s", ErrFull, s.bytes, s.cfg.MaxBytes, s.dir)
	room := s.room.wait()
	s.mu.Unlock()
	defer s.mu.Lock()
	if s.cfg.WhenFull == FullDropOldest {
		if s.dropFor(need) {
			return nil
		}
		s.foundNone()
		return full
	}
	if s.releaseNewest() {
		return nil
	}
	s.foundNone()
	if !wait {
		return full
	}
	return s.pause(ctx, room, full)
}

func (s *Spool) foundNone() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.full {
		s.full = true
		s.log.Warn("the spool is full", "dir", s.dir, "bytes", s.bytes, "max_bytes", s.cfg.MaxBytes, "when_full", s.cfg.WhenFull)
	}
}

// foundRoom is called with mu held.
func (s *Spool) foundRoom() {
	if s.full {
		s.full = false
		s.log.Info("the spool has room again", "dir", s.dir, "bytes", s.bytes)
	}
}

// dropFor drops the oldest segment unless there is room for need bytes meanwhile. It reports false if nothing can go.
func (s *Spool) dropFor(need int64) bool {
	s.removeDoomed()
	s.mu.Lock()
	if s.hasRoom(need) {
		s.mu.Unlock()
		return true
	}
	return s.dropOldest()
}

// dropOne drops the oldest segment to get room on the disk. It reports false if nothing can go.
func (s *Spool) dropOne() bool {
	s.removeDoomed()
	s.mu.Lock()
	return s.dropOldest()
}

// dropOldest is called with mu held, and gives it back. It refuses while files that should be gone are still there:
// on a disk that removes nothing it would lose everything and gain nothing.
func (s *Spool) dropOldest() bool {
	if s.closed || len(s.doomed) > 0 || len(s.segs) == 0 || s.w.seg == s.segs[0] || s.w.owed && len(s.segs) == 1 {
		s.mu.Unlock()
		return false
	}
	seg := s.segs[0]
	behind := seg.first + uint64(seg.frames)
	lost := behind - min(behind, max(seg.first, s.lowestFrame()))
	s.doom(1)
	for _, c := range s.cursors {
		if c.at.Before(seg.last()) {
			c.at, c.frame = seg.last(), behind
		}
	}
	s.mu.Unlock()
	s.counts.droppedFrames.Add(lost)
	s.counts.droppedBytes.Add(uint64(seg.size))
	level := slog.LevelDebug
	if lost > 0 {
		level = slog.LevelWarn
	}
	s.log.Log(context.Background(), level, "the oldest segment was dropped", "segment", seg.path, "frames", lost, "bytes", seg.size)
	// The cursors keep the segment's number, so that it is not given again should no segment be left. If they cannot
	// be saved nothing is lost: a cursor in a segment that is gone stands at the oldest frame.
	_ = s.saveCursors()
	s.removeDoomed()
	return true
}

// dropAged drops the segments whose newest frame is older than MaxAge.
func (s *Spool) dropAged() {
	s.flush.Lock()
	s.mu.Lock()
	old := s.w.seg != nil && s.w.seg.frames > 0 && time.Since(s.w.seg.lastAt) > s.cfg.MaxAge
	s.mu.Unlock()
	if old && s.syncTail() == nil && s.w.seg != nil {
		s.endSegment()
	}
	s.flush.Unlock()
	for {
		s.mu.Lock()
		if len(s.segs) == 0 || time.Since(s.segs[0].lastAt) <= s.cfg.MaxAge {
			s.mu.Unlock()
			return
		}
		if !s.dropOldest() {
			return
		}
	}
}

// removeConsumed removes the segments that every reader has passed, but for the newest.
func (s *Spool) removeConsumed() {
	s.mu.Lock()
	n := 0
	if low, ok := s.lowest(); ok {
		for n < len(s.segs)-1 && s.segs[n].number < low.Segment {
			n++
		}
	}
	s.doom(n)
	s.mu.Unlock()
	if n > 0 {
		s.removeDoomed()
	}
}

// releaseNewest ends and removes the newest segment if every reader has passed all of it: otherwise a spool, or a disk,
// that is full but for what is in it would stay so. It reports whether anything was removed.
func (s *Spool) releaseNewest() bool {
	s.mu.Lock()
	all := s.allConsumed()
	s.mu.Unlock()
	if !all {
		return false
	}
	s.flush.Lock()
	defer s.flush.Unlock()
	if s.w.seg != nil {
		if s.w.frames == 0 || s.syncTail() != nil {
			return false
		}
		s.endSegment()
	}
	s.mu.Lock()
	if s.closed || s.w.owed || !s.allConsumed() {
		s.mu.Unlock()
		return false
	}
	s.doom(len(s.segs))
	s.mu.Unlock()
	s.removeDoomed()
	_ = s.saveCursors() // now that there is room
	return true
}

// allConsumed reports whether every reader has passed every frame. It is called with mu held.
func (s *Spool) allConsumed() bool {
	low, ok := s.lowest()
	return ok && len(s.segs) > 0 && low == s.end()
}

// doom takes the oldest n segments out of the spool. It is called with mu held; removeDoomed does the rest.
func (s *Spool) doom(n int) {
	s.doomed = append(s.doomed, s.segs[:n]...)
	s.segs = slices.Delete(s.segs, 0, n)
	if n > 0 {
		s.oldest.Store(s.doomed[len(s.doomed)-1].number + 1)
	}
}

// removeDoomed removes the files of doomed segments. What cannot be removed is tried again by the next call.
func (s *Spool) removeDoomed() {
	s.removal.Lock()
	defer s.removal.Unlock()
	s.mu.Lock()
	todo := slices.Clone(s.doomed)
	s.mu.Unlock()
	if len(todo) == 0 {
		return
	}
	for _, seg := range todo {
		if err := s.fsys.Remove(seg.path); err != nil && !errors.Is(err, os.ErrNotExist) {
			s.counts.failed(opRemove)
			s.log.Error("a segment cannot be removed", "segment", seg.path, "err", err)
			break
		}
		s.mu.Lock()
		s.doomed = slices.DeleteFunc(s.doomed, func(d *segment) bool { return d == seg })
		s.bytes -= seg.size
		s.room.fire()
		s.mu.Unlock()
	}
	if err := s.fsys.SyncDir(s.dir); err != nil {
		// Power loss may bring a segment back: its frames come again, none is lost.
		s.counts.failed(opRemove)
		s.log.Error("the removal of segments is not durable", "dir", s.dir, "err", err)
	}
}
