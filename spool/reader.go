package spool

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
)

// Reader reads the frames in order, and has a durable cursor of its own, the committed position, that holds them on disk.
// Its methods may be called by several goroutines; a frame goes to one of those that call Next.
type Reader struct {
	s *Spool
	c *cursor

	mu     sync.Mutex // guards the rest; not held while waiting
	closed bool
	pos    Position
	seg    *segment // the one that f is; nil before the first
	f      file
	limit  int64  // no further, as far as is known
	frames uint32 // how many the segment has up to limit
	index  int64  // of the frame at pos; -1 if not known
	tries  int    // how often in a row the disk refused to be read here
	w      window
}

// Reader opens the reader of the given name, which must be one of Config.Readers unless that is empty; then its cursor
// is made, durably, if there is none. It goes on behind what it has committed; a new one begins at the oldest frame. A
// name can be open once at a time. The reader takes Config.ReadBufferBytes of memory, or the largest frame it has met,
// and one file descriptor.
func (s *Spool) Reader(name string) (*Reader, error) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil, ErrClosed
	}
	c, err := s.cursor(name)
	if err != nil {
		s.mu.Unlock()
		return nil, fmt.Errorf("reader %q: %w", name, err)
	}
	r := &Reader{s: s, c: c, pos: c.at, index: -1, w: newWindow(s.cfg.ReadBufferBytes)}
	c.reader = r
	listed := len(s.cfg.Readers) > 0
	s.mu.Unlock()
	if listed {
		return r, nil // it holds its frames without a file as well
	}
	if err := s.saveCursor(c); err != nil && !isDiskFull(err) {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// cursor returns the cursor for a reader that is about to be opened. It is called with mu held.
func (s *Spool) cursor(name string) (*cursor, error) {
	c := s.cursors[name]
	if c == nil {
		if len(s.cfg.Readers) > 0 {
			return nil, fmt.Errorf("%w: have %q", ErrUnknownReader, s.cfg.Readers)
		}
		if !validReaderName(name) {
			return nil, fmt.Errorf("%w: use 1 to 63 of a-z, 0-9 and -, starting with a letter or digit", ErrUnknownReader)
		}
		if len(s.cursors) >= maxReaders {
			return nil, fmt.Errorf("%w: there are %d cursors already", ErrUnknownReader, len(s.cursors))
		}
		c = &cursor{name: name, at: s.end(), frame: s.nextFrame()}
		if len(s.segs) > 0 {
			c.at, c.frame = s.segs[0].start(), s.segs[0].first
		}
		c.passed = c.at
		s.cursors[name] = c
	}
	if c.reader != nil {
		return nil, ErrReaderOpen
	}
	return c, nil
}

// Next returns the next frame and the position behind it, and waits for one if need be. The frame is the reader's: it is
// valid until the next call of Next, TryNext or Close. Only frames that are durable under the policy are returned.
// An error of the disk leaves the reader where it is: wait and call again. After several in a row at the same place, it
// steps over what cannot be read, provided that something behind it can.
func (r *Reader) Next(ctx context.Context) ([]byte, Position, error) {
	for {
		frame, end, wait, err := r.step()
		if wait == nil {
			return frame, end, err
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, Position{}, context.Cause(ctx)
		}
	}
}

// TryNext is Next that does not wait: ok is false, and err nil, if there is no frame now.
func (r *Reader) TryNext() (frame []byte, end Position, ok bool, err error) {
	frame, end, _, err = r.step()
	return frame, end, frame != nil, err
}

// step returns a frame, or an error, or what to wait for.
func (r *Reader) step() ([]byte, Position, <-chan struct{}, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		wait, err := r.advance()
		if wait != nil || err != nil {
			return nil, Position{}, wait, err
		}
		frame, h, v, err := readFrame(&r.w, r.f, r.seg.salt, r.pos.Offset, r.limit)
		if v == frameWhole {
			r.pos.Offset += h.size()
			r.index, r.tries = int64(h.index)+1, 0
			r.s.counts.deliveredFrames.Add(1)
			return frame, r.pos, nil, nil
		}
		if err := r.stepOver(h, v, err); err != nil {
			return nil, Position{}, nil, err
		}
	}
}

// advance sees to it that there is something to read at pos, or returns what to wait for.
func (r *Reader) advance() (<-chan struct{}, error) {
	for {
		if r.closed {
			return nil, ErrClosed
		}
		if r.f != nil && r.pos.Offset < r.limit && r.pos.Segment >= r.s.oldest.Load() {
			return nil, nil
		}
		r.s.mu.Lock()
		seg, pos := r.s.resolve(r.pos)
		if seg == nil || pos.Offset == seg.end {
			wait := r.s.grown.wait()
			r.s.mu.Unlock()
			return wait, nil
		}
		if pos != r.pos {
			r.pos, r.index = pos, -1
		}
		if pos == seg.start() {
			r.index = 0
		}
		r.limit, r.frames = seg.end, seg.frames
		r.s.mu.Unlock()
		if seg == r.seg {
			continue
		}
		if err := r.open(seg); err != nil {
			return nil, err
		}
	}
}

// open changes to another segment's file. A file that is gone is no error: the caller looks again where to go on.
func (r *Reader) open(seg *segment) error {
	if err := r.release(); err != nil {
		r.s.log.Warn("a segment cannot be closed", "reader", r.c.name, "err", err)
	}
	f, err := r.s.fsys.OpenFile(seg.path, os.O_RDONLY, 0)
	if err == nil {
		r.seg, r.f = seg, f
		return nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		r.s.counts.failed(opRead)
		return fmt.Errorf("open segment: %w", err)
	}
	if r.s.holds(seg) { // somebody has removed it by hand
		r.s.noteHole(seg, hole{r.pos.Offset, r.limit}, r.missing(int64(r.frames)))
		r.pos.Offset, r.index = r.limit, int64(r.frames)
	}
	return nil
}

func (r *Reader) release() error {
	f := r.f
	r.seg, r.f = nil, nil
	r.w.forget()
	if f == nil {
		return nil
	}
	return f.Close()
}

// Seek makes Next go on at p, which must be the zero Position (the oldest frame) or a position behind a frame, or before
// the first one of a segment. A place that is gone means the oldest frame behind it. Seek does not commit.
func (r *Reader) Seek(p Position) error {
	at, frame, err := r.s.locate(p)
	if err != nil {
		return fmt.Errorf("seek reader %s: %w", r.c.name, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return ErrClosed
	}
	r.pos, r.limit, r.tries, r.index = at, 0, 0, -1
	if seg := r.seg; seg != nil && seg.number == at.Segment {
		r.index = int64(frame - seg.first)
	}
	return nil
}

// Commit says that all frames before p are done with, and p is durable when it returns (under SyncInterval: within the
// interval, so that a process that dies reads a little again). Segments that every reader has committed are removed.
// p is a position that Next or Append returned; one that lies before the committed position changes nothing. After an
// error the position counts, but a restart may read the frames again; it is tried again with the next Commit.
func (r *Reader) Commit(p Position) error { return r.s.commit(r.c, p) }

// Committed returns the position that the reader would go on from after a restart.
func (r *Reader) Committed() Position {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	return r.c.at
}

// Close gives back the reader's memory and file, and its name. The cursor stays and goes on holding frames. Calls that
// wait in Next return ErrClosed.
func (r *Reader) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return ErrClosed
	}
	r.closed = true
	err := r.release()
	r.w = window{}
	r.s.mu.Lock()
	r.c.reader = nil
	r.s.grown.fire()
	r.s.mu.Unlock()
	return err
}

func (s *Spool) closeReaders() error {
	s.mu.Lock()
	var open []*Reader
	for _, c := range s.cursors {
		if c.reader != nil {
			open = append(open, c.reader)
		}
	}
	s.mu.Unlock()
	var err error
	for _, r := range open {
		if e := r.Close(); !errors.Is(e, ErrClosed) {
			err = errors.Join(err, e)
		}
	}
	return err
}
