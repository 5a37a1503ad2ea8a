package spool

import (
	"errors"
	"math/rand/v2"
	"os"
	"time"
)

// writer is the end of the spool that grows. Everything in it is guarded by Spool.flush; seg, owed, last and lastFrame
// change only with Spool.mu held as well, and may be read with either.
type writer struct {
	seg *segment // nil until the first append, and after a segment has ended
	f   file

	size    int64  // where the next frame goes
	frames  uint32 // the index of the next frame
	durable int64  // what the newest fdatasync has confirmed, and how many frames that is
	sure    uint32

	// tail is the frames that readers may have had and that no fdatasync has confirmed, under SyncInterval. When the
	// segment ends by a failed fdatasync they are owed: the next segment begins with them.
	tail []byte
	owed bool

	closed    bool     // nothing may be written any more
	next      uint64   // the number of the next segment
	last      Position // where the newest segment's confirmed frames end
	lastFrame uint64   // the number of the frame that follows it
}

// writeGroup puts the frames of buf on disk, durable under the policy, shows them to readers and returns where they
// begin. After an error none of them is shown. It is called with flush held, as is everything below.
func (s *Spool) writeGroup(buf []byte) (Position, error) {
	if err := s.prepare(int64(len(buf))); err != nil {
		return Position{}, err
	}
	if err := s.writeFrames(buf); err != nil {
		return Position{}, err
	}
	if s.cfg.Sync == SyncInterval {
		base := s.publish(buf)
		s.w.tail = append(s.w.tail, buf...)
		if int64(len(s.w.tail)) >= s.cfg.SyncBytes {
			_ = s.syncTail() // the frames are with the kernel and in tail: that is what the policy promises
		}
		return base, nil
	}
	if err := s.syncFile(); err != nil {
		// A second fsync of the same file would report success for pages that the kernel has thrown away. So the
		// frames go into a new file, once.
		s.abandon()
		if err := s.rewrite(buf); err != nil {
			return Position{}, err
		}
	}
	s.w.durable, s.w.sure = s.w.size+int64(len(buf)), s.w.frames+countFrames(buf)
	return s.publish(buf), nil
}

func (s *Spool) rewrite(buf []byte) error {
	if err := s.newSegment(); err != nil {
		return err
	}
	if err := s.writeFrames(buf); err != nil {
		return err
	}
	if err := s.syncFile(); err != nil {
		s.abandon()
		return err
	}
	return nil
}

// abandon ends a segment whose newest bytes are neither confirmed nor shown. Cutting them off is a courtesy: the next
// segment's header says where this one ends.
func (s *Spool) abandon() {
	_ = s.w.f.Truncate(s.w.durable)
	s.endSegment()
}

// prepare sees to a segment that can take n bytes more.
func (s *Spool) prepare(n int64) error {
	if s.w.seg != nil && s.mustRoll(n) {
		if err := s.syncTail(); err != nil {
			return err
		}
		s.endSegment()
	}
	if s.w.seg == nil {
		return s.newSegment()
	}
	return nil
}

func (s *Spool) mustRoll(n int64) bool {
	if s.w.frames == 0 {
		return false
	}
	if s.w.size+n > s.cfg.SegmentBytes || s.w.frames > 1<<31 {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.w.seg.holes) > 0 {
		return true // nothing is appended behind damage
	}
	return s.cfg.MaxAge > 0 && time.Since(s.w.seg.firstAt) > s.cfg.MaxAge/4
}

// writeFrames writes buf behind the newest frame. What an error leaves of it is cut off again.
func (s *Spool) writeFrames(buf []byte) error {
	w := &s.w
	stampFrames(buf, w.seg.salt, w.size, w.frames)
	_, err := w.f.WriteAt(buf, w.size)
	if err == nil {
		return nil
	}
	s.counts.failed(opWrite)
	path := w.seg.path
	err = diskError("write segment", path, err)
	if cut := w.f.Truncate(w.size); cut != nil {
		s.counts.failed(opTruncate)
		s.endSegment()
		return errors.Join(err, diskError("truncate segment", path, cut))
	}
	return err
}

// publish shows buf, which is written, to the readers.
func (s *Spool) publish(buf []byte) Position {
	w := &s.w
	base := Position{w.seg.number, w.size}
	n := countFrames(buf)
	w.size += int64(len(buf))
	w.frames += n
	now := time.Now()
	s.counts.appendedFrames.Add(uint64(n))
	s.counts.appendedBytes.Add(uint64(len(buf)))

	s.mu.Lock()
	defer s.mu.Unlock()
	if w.seg.frames == 0 {
		w.seg.firstAt = now
	}
	w.seg.end, w.seg.size, w.seg.frames, w.seg.lastAt = w.size, w.size, w.frames, now
	s.bytes += int64(len(buf))
	s.grown.fire()
	return base
}

func (s *Spool) syncFile() error {
	start := time.Now()
	err := s.w.f.Sync()
	s.counts.syncs.add(time.Since(start))
	if err == nil {
		return nil
	}
	s.counts.failed(opSync)
	s.log.Error("fdatasync failed, the segment ends here", "segment", s.w.seg.path, "offset", s.w.durable, "err", err)
	return diskError("fdatasync segment", s.w.seg.path, err)
}

// syncTail makes what is shown durable. If fdatasync fails, the frames in doubt go into a new segment.
func (s *Spool) syncTail() error {
	w := &s.w
	if len(w.tail) == 0 || w.closed {
		return nil
	}
	if w.seg != nil {
		if s.syncFile() == nil {
			w.durable, w.sure, w.tail = w.size, w.frames, w.tail[:0]
			return nil
		}
		s.endSegment()
	}
	err := s.newSegment()
	s.mu.Lock()
	s.noteWrite(err)
	s.mu.Unlock()
	return err
}

// endSegment closes the newest segment: no frame will be added to it.
func (s *Spool) endSegment() {
	w := &s.w
	_ = w.f.Close() // nothing hangs on it: what counts is confirmed already
	s.mu.Lock()
	defer s.mu.Unlock()
	w.owed = len(w.tail) > 0
	w.last = Position{w.seg.number, w.durable}
	w.lastFrame = w.seg.first + uint64(w.sure)
	w.seg, w.f = nil, nil
}

// newSegment starts the next segment, with the frames that are owed, and makes it durable. On an error nothing has
// changed but, perhaps, a file that the next attempt removes.
func (s *Spool) newSegment() error {
	w := &s.w
	seg := &segment{path: segmentPath(s.dir, w.next), segmentHeader: segmentHeader{
		number: w.next, first: w.lastFrame, prev: w.last.Segment, prevEnd: w.last.Offset,
		carry: uint32(len(w.tail)), created: time.Now(), salt: rand.Uint64(),
	}}
	buf := append(seg.appendHeader(nil), w.tail...)
	seg.frames = stampFrames(buf[segmentHeaderBytes:], seg.salt, segmentHeaderBytes, 0)
	seg.end, seg.size = int64(len(buf)), int64(len(buf))
	seg.firstAt, seg.lastAt = seg.created, seg.created

	f, err := s.createFile(seg.path, buf)
	if err != nil {
		s.counts.failed(opCreate)
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if w.owed {
		s.takeOver(seg)
	}
	w.seg, w.f, w.size, w.frames = seg, f, seg.end, seg.frames
	w.durable, w.sure, w.tail, w.owed = seg.end, seg.frames, w.tail[:0], false
	w.next++
	s.segs = append(s.segs, seg)
	s.bytes += seg.size
	s.grown.fire()
	return nil
}

// takeOver ends the segment whose last frames have been written again into seg where they were still sure. Readers
// that are further on find their place by seg's carry. It is called with mu held.
func (s *Spool) takeOver(seg *segment) {
	s.log.Warn("frames in doubt were written again", "segment", seg.path, "frames", seg.frames, "bytes", seg.carry)
	if len(s.segs) == 0 {
		return
	}
	old := s.segs[len(s.segs)-1]
	if old.number == seg.prev {
		old.end, old.frames = seg.prevEnd, uint32(seg.first-old.first)
	}
}

// createFile makes a file of the given content, durable under its name.
func (s *Spool) createFile(path string, content []byte) (file, error) {
	if err := s.fsys.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, diskError("remove the remains of segment", path, err)
	}
	f, err := s.fsys.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, diskError("create segment", path, err)
	}
	_, err = f.WriteAt(content, 0)
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = s.fsys.SyncDir(s.dir)
	}
	if err == nil {
		return f, nil
	}
	_ = f.Close()
	_ = s.fsys.Remove(path) // if this fails too, the next attempt removes it
	return nil, diskError("create segment", path, err)
}

func countFrames(buf []byte) uint32 {
	n := uint32(0)
	for len(buf) > 0 {
		buf = buf[frameHeaderBytes+frameLength(buf):]
		n++
	}
	return n
}
