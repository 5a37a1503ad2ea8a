package spool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// Spool is a durable queue of frames in one folder. All methods may be called by several goroutines at once. It owns one
// background goroutine, from Open to Close.
type Spool struct {
	dir      string
	cfg      Config
	fsys     fileSystem
	log      *slog.Logger
	counts   counts
	unlock   io.Closer
	stopTend context.CancelFunc
	tended   chan struct{} // closed when the background goroutine has ended

	// Locks are taken in the order of these fields; a cursor's save comes between flush and removal.

	flush sync.Mutex // held by whoever writes to the newest segment
	w     writer     // guarded by flush

	removal sync.Mutex    // held by whoever removes files
	oldest  atomic.Uint64 // segments below are gone: a reader in one of them must look where to go on

	mu       sync.Mutex
	closed   bool
	segs     []*segment // oldest first
	doomed   []*segment // no longer part of the spool, but still on the disk
	bytes    int64      // of segs and doomed
	cursors  map[string]*cursor
	group    *group // the one that fills
	spare    *group // to be used again
	buf      []byte // likewise
	flights  int    // groups that hold frames and are not finished
	reserved int64  // bytes admitted to groups and not written yet
	full     bool   // an append found no room, and none has come since
	diskFull bool   // so does the disk
	failure  error  // the newest write or fsync failed so
	grown    signal // there are frames for readers, or the spool closes
	room     signal // there is room in the group or on the disk, or the spool closes
	landed   signal // flights has reached 0
}

// Close ends the spool: appends that were admitted are finished, everything written is forced to the disk, committed
// cursors are saved, readers are closed and the folder is free for another process. Calls that wait return ErrClosed. An
// error says what did not become durable; the spool is closed all the same.
func (s *Spool) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return ErrClosed
	}
	s.closed = true
	s.grown.fire()
	s.room.fire()
	for s.flights > 0 {
		landed := s.landed.wait()
		s.mu.Unlock()
		<-landed
		s.mu.Lock()
	}
	s.mu.Unlock()
	s.stopTend()
	<-s.tended

	s.flush.Lock()
	err := s.syncTail()
	if s.w.seg != nil {
		s.endSegment()
	}
	s.w.closed = true
	s.flush.Unlock()
	err = errors.Join(err, s.saveCursors(), s.closeReaders())
	if err := errors.Join(err, s.unlock.Close()); err != nil {
		return fmt.Errorf("close spool %s: %w", s.dir, err)
	}
	return nil
}

// Sync forces all frames and committed cursors to the disk now, whatever the policy. It is of use under SyncInterval
// only: before a planned power cut, or when a bridge goes to sleep.
func (s *Spool) Sync() error {
	s.mu.Lock()
	closed := s.closed
	s.mu.Unlock()
	if closed {
		return ErrClosed
	}
	s.flush.Lock()
	err := s.syncTail()
	s.flush.Unlock()
	if err := errors.Join(err, s.saveCursors()); err != nil {
		return fmt.Errorf("sync spool %s: %w", s.dir, err)
	}
	s.removeConsumed()
	return nil
}

// Health returns nil while frames can be taken, and otherwise what keeps them from it: ErrFull, ErrDiskFull or the error
// of the newest write.
func (s *Spool) Health() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return ErrClosed
	case s.failure != nil:
		return s.failure
	case s.full:
		return fmt.Errorf("%w: %d of %d bytes in %s; readers must catch up", ErrFull, s.bytes, s.cfg.MaxBytes, s.dir)
	}
	return nil
}

// tend does what is due by the clock, until ctx ends.
func (s *Spool) tend(ctx context.Context) {
	defer close(s.tended)
	period := time.Second
	if s.cfg.Sync == SyncInterval {
		period = s.cfg.SyncInterval
	}
	ticker := time.NewTicker(period)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if s.cfg.Sync == SyncInterval {
			s.flush.Lock()
			_ = s.syncTail() // counted, logged and shown by Health; tried again next time
			s.flush.Unlock()
		}
		_ = s.saveCursors() // likewise
		s.removeConsumed()
		if s.cfg.MaxAge > 0 {
			s.dropAged()
		}
		s.removeDoomed()
	}
}

// nextFrame is the number of the frame that comes next, counted over the life of the spool. It is called with mu held.
func (s *Spool) nextFrame() uint64 {
	if len(s.segs) == 0 {
		return s.w.lastFrame
	}
	newest := s.segs[len(s.segs)-1]
	return newest.first + uint64(newest.frames)
}

// end is the position behind the newest frame. It is called with mu held.
func (s *Spool) end() Position {
	if len(s.segs) == 0 {
		return s.w.last
	}
	return s.segs[len(s.segs)-1].last()
}
