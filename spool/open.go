package spool

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const lockName = "LOCK"

// Open opens the spool in folder dir, which it makes if need be, and starts its background goroutine; Close ends it. It
// reads the headers of all segments and the whole of the newest, cuts a torn tail, and removes what all readers have
// committed. Appending always goes on in a new segment. It returns ErrLocked if somebody else has the folder open.
//
// log may be nil. What a person may want to watch is in Stats; spool/metrics shows it to Prometheus.
func Open(dir string, cfg Config, log *slog.Logger) (*Spool, error) {
	return openOn(osFS{}, dir, cfg, log)
}

func openOn(fsys fileSystem, dir string, cfg Config, log *slog.Logger) (*Spool, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("open spool %s: %w", dir, err)
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if err := fsys.MakeDir(dir); err != nil {
		return nil, fmt.Errorf("open spool: %w", err)
	}
	unlock, err := fsys.Lock(filepath.Join(dir, lockName))
	if err != nil {
		return nil, fmt.Errorf("open spool %s: %w", dir, err)
	}
	s := &Spool{
		dir: dir, cfg: cfg, fsys: fsys, log: log, unlock: unlock,
		cursors: make(map[string]*cursor), group: &group{}, tended: make(chan struct{}),
	}
	s.cfg.Readers = slices.Clone(cfg.Readers)
	err = s.load()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open spool %s: %w", dir, err), unlock.Close())
	}
	s.removeConsumed()
	ctx, cancel := context.WithCancel(context.Background())
	s.stopTend = cancel
	go s.tend(ctx)
	return s, nil
}

// load takes stock of the folder.
func (s *Spool) load() error {
	names, err := s.fsys.List(s.dir)
	if err != nil {
		return err
	}
	slices.Sort(names)
	var numbers []uint64
	for _, name := range names {
		if number, ok := fileNumber(name, segmentSuffix); ok {
			numbers = append(numbers, number)
			s.w.next = max(s.w.next, number)
		}
		if number, ok := fileNumber(name, badSuffix); ok {
			s.w.next = max(s.w.next, number)
		}
		if strings.HasSuffix(name, cursorSuffix+tempSuffix) {
			_ = s.fsys.Remove(filepath.Join(s.dir, name)) // a crash came between writing and renaming it
		}
	}
	if err := s.loadSegments(numbers); err != nil {
		return err
	}
	if err := s.loadCursors(names); err != nil {
		return err
	}
	s.w.next++
	// A cursor may have been renamed by a process that was killed before this.
	if err := s.fsys.SyncDir(s.dir); err != nil {
		return diskError("sync folder", s.dir, err)
	}
	return nil
}

// loadCursors reads the cursors that count, and lets every cursor's position count for the numbering of segments: it
// may be all that is left of a spool that was read to its end.
func (s *Spool) loadCursors(names []string) error {
	places, exists := make(map[string]Position), make(map[string]bool)
	for _, file := range names {
		name, ok := strings.CutSuffix(file, cursorSuffix)
		if !ok || !validReaderName(name) {
			continue
		}
		p, err := readCursor(s.fsys, filepath.Join(s.dir, file))
		if err != nil {
			s.counts.failed(opCursor)
			s.log.Warn("a cursor cannot be read, its reader begins at the oldest frame", "reader", name, "err", err)
		}
		places[name] = p
		exists[name] = true
		s.w.next = max(s.w.next, p.Segment)
		if len(s.segs) == 0 && s.w.last.Before(p) {
			s.w.last = p
		}
	}
	for name := range places {
		if len(s.cfg.Readers) > 0 && !slices.Contains(s.cfg.Readers, name) {
			s.log.Warn("the cursor of an unlisted reader holds nothing", "reader", name, "file", cursorPath(s.dir, name))
			delete(places, name)
		}
	}
	for _, name := range s.cfg.Readers {
		if _, known := places[name]; !known {
			places[name] = Position{}
		}
	}
	for name, p := range places {
		c := &cursor{name: name, saved: p, exists: exists[name]}
		at, frame, err := s.locate(s.clamp(p))
		if err != nil && !errors.Is(err, ErrBadPosition) {
			return fmt.Errorf("cursor of reader %s: %w", name, err)
		}
		c.at, c.frame, c.passed = at, frame, at
		s.cursors[name] = c
	}
	return nil
}

// clamp keeps a cursor from lying behind the end: power loss may have taken frames that had been read and committed.
func (s *Spool) clamp(p Position) Position {
	if end := s.end(); end.Before(p) {
		return end
	}
	return p
}

// loadSegments opens the segments of the given numbers, which are sorted.
func (s *Spool) loadSegments(numbers []uint64) error {
	aside := make(map[uint64]bool)
	for _, number := range numbers {
		seg, err := s.loadSegment(number)
		if err != nil {
			return err
		}
		if seg == nil {
			aside[number] = true
			continue
		}
		s.segs = append(s.segs, seg)
	}
	if err := s.dropHalfCopy(); err != nil {
		return err
	}
	for i, seg := range s.segs {
		var err error
		switch {
		case i == len(s.segs)-1:
			err = s.mendTail(seg)
		case s.segs[i+1].prev != seg.number:
			err = s.bridgeGap(seg, s.segs[i+1], aside)
		default:
			next := s.segs[i+1]
			seg.end, seg.frames, seg.lastAt = next.prevEnd, uint32(next.first-seg.first), next.created
		}
		if err != nil {
			return err
		}
		s.bytes += seg.size
		s.w.last, s.w.lastFrame = seg.last(), seg.first+uint64(seg.frames)
	}
	return nil
}

// loadSegment reads a header. A file without a readable one is set aside, and nil returned.
func (s *Spool) loadSegment(number uint64) (*segment, error) {
	path := segmentPath(s.dir, number)
	f, err := s.fsys.OpenFile(path, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return nil, fmt.Errorf("segment %s: %w", path, err)
	}
	header, err := readSegmentHeader(f)
	if err == nil && header.number != number {
		err = fmt.Errorf("%w: it is that of segment %d", errHeader, header.number)
	}
	switch {
	case err == nil:
		created := plausible(header.created)
		header.created = created
		return &segment{segmentHeader: header, path: path, size: size, firstAt: created, lastAt: created}, nil
	case !errors.Is(err, errHeader):
		return nil, fmt.Errorf("segment %s: %w", path, err)
	case size < segmentHeaderBytes: // a crash came while it was made; nothing had been in it
		s.counts.tornTails.Add(1)
		s.counts.tornBytes.Add(uint64(size))
		s.log.Warn("an unfinished segment is removed", "segment", path, "bytes", size)
		return nil, s.fsys.Remove(path)
	}
	s.counts.badSegments.Add(1)
	s.counts.badBytes.Add(uint64(size))
	s.log.Error("a segment has no readable header and is set aside", "segment", path, "bytes", size, "err", err)
	if err := s.fsys.Rename(path, badPath(s.dir, number, 0)); err != nil {
		return nil, err
	}
	s.pruneBad()
	return nil, nil
}

// plausible keeps a clock that was wrong when a segment was made, as on small computers before the network is up, from
// making its frames too old to keep.
func plausible(created time.Time) time.Time {
	now := time.Now()
	if created.After(now) || created.Year() < 2024 {
		return now
	}
	return created
}

// dropHalfCopy removes the newest segment if it begins with frames that were written again after a failed fsync, and
// not all of them are there: then a crash came before the copy counted, and the original does.
func (s *Spool) dropHalfCopy() error {
	if len(s.segs) == 0 {
		return nil
	}
	seg := s.segs[len(s.segs)-1]
	if seg.carry == 0 {
		return nil
	}
	found, err := s.surveyFile(seg, seg.size)
	if err != nil || found.end >= segmentHeaderBytes+int64(seg.carry) {
		return err
	}
	s.log.Warn("a half-finished copy of frames is removed", "segment", seg.path)
	s.segs = s.segs[:len(s.segs)-1]
	return s.fsys.Remove(seg.path)
}

func (s *Spool) surveyFile(seg *segment, size int64) (survey, error) {
	f, err := s.fsys.OpenFile(seg.path, os.O_RDONLY, 0)
	if err != nil {
		return survey{}, err
	}
	defer f.Close()
	w := newWindow(s.cfg.ReadBufferBytes)
	found, err := surveySegment(&w, f, seg.salt, size)
	if err != nil {
		return found, fmt.Errorf("read segment %s: %w", seg.path, err)
	}
	return found, nil
}

// bridgeGap deals with a segment whose successor is missing, so that nothing says where it ends.
func (s *Spool) bridgeGap(seg, next *segment, aside map[uint64]bool) error {
	found, err := s.surveyFile(seg, seg.size)
	if err != nil {
		return err
	}
	seg.end, seg.frames, seg.lastAt = found.end, found.frames, next.created
	missing := next.first - min(next.first, seg.first+uint64(found.frames))
	s.counts.badFrames.Add(missing)
	if !aside[next.prev] {
		s.counts.badSegments.Add(1)
	}
	s.log.Error("segments are missing, frames are lost", "behind", seg.path, "before", next.path, "frames", missing)
	return nil
}

// mendTail finds the end of the newest segment and cuts off what a crash has left of unfinished frames.
func (s *Spool) mendTail(seg *segment) error {
	found, err := s.surveyFile(seg, seg.size)
	if err != nil {
		return err
	}
	seg.end, seg.frames = found.end, found.frames
	if s.cfg.MaxAge > 0 { // a segment takes frames for a quarter of it
		seg.lastAt = plausible(seg.created.Add(s.cfg.MaxAge / 4))
	}
	f, err := s.fsys.OpenFile(seg.path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if seg.size > seg.end {
		s.cutTail(f, seg, found.suspect)
	}
	// A process that was killed may have left frames with the kernel; none is handed out before it is durable.
	if err := f.Sync(); err != nil {
		return diskError("fdatasync segment", seg.path, err)
	}
	return nil
}

func (s *Spool) cutTail(f file, seg *segment, suspect bool) {
	s.log.Warn("a torn tail is cut", "segment", seg.path, "offset", seg.end, "bytes", seg.size-seg.end)
	s.counts.tornTails.Add(1)
	s.counts.tornBytes.Add(uint64(seg.size - seg.end))
	if suspect {
		s.keepBad(f, seg.number, hole{seg.end, seg.size})
	}
	if err := f.Truncate(seg.end); err != nil {
		// Nothing is appended here, and the next segment's header says where this one ends.
		s.counts.failed(opTruncate)
		s.log.Warn("a torn tail cannot be cut", "segment", seg.path, "err", err)
		return
	}
	seg.size = seg.end
}
