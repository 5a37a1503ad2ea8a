package spool

import (
	"context"
	"fmt"
	"runtime"
)

// group is the frames that go out in one write. It fills while the group before it is written; whoever comes first
// leads: writes it, and tells the others.
type group struct {
	buf     []byte        // nil once it is written
	members int           // callers that still have to look at the result; guarded by Spool.mu
	done    chan struct{} // closed when base and err are set; made by the first follower
	base    Position      // where buf begins on disk
	err     error
}

// member is one caller's share of a group.
type member struct {
	group  *group
	at     int64 // where the share begins in the group's buf
	frames int
	leads  bool
}

func (g *group) fits(bytes, limit int64) bool {
	return len(g.buf) == 0 || int64(len(g.buf))+bytes <= limit
}

// admit copies the first of frames, and as many more as fit, into the group that fills. It waits for room in the group,
// and if wait is set also for room in the spool.
func (s *Spool) admit(ctx context.Context, frames [][]byte, wait bool) (member, error) {
	if err := ctx.Err(); err != nil {
		return member{}, err
	}
	need := frameHeaderBytes + int64(len(frames[0]))
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		if s.closed {
			return member{}, ErrClosed
		}
		if !s.group.fits(need, s.cfg.GroupBytes) {
			if err := s.awaitGroup(ctx); err != nil {
				return member{}, err
			}
			continue
		}
		if s.hasRoom(need) {
			break
		}
		if err := s.makeRoom(ctx, need, wait); err != nil {
			return member{}, err
		}
	}
	s.foundRoom()
	return s.join(frames), nil
}

// awaitGroup waits until the group that fills is taken. mu is held, and given back meanwhile.
func (s *Spool) awaitGroup(ctx context.Context) error {
	room := s.room.wait()
	s.mu.Unlock()
	defer s.mu.Lock()
	select {
	case <-room:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("append: the disk is slow: %w", context.Cause(ctx))
	}
}

// join is called with mu held, when there is room for the first of frames.
func (s *Spool) join(frames [][]byte) member {
	g := s.group
	m := member{group: g, at: int64(len(g.buf)), leads: g.members == 0}
	for _, frame := range frames {
		need := frameHeaderBytes + int64(len(frame))
		if m.frames > 0 && (!g.fits(need, s.cfg.GroupBytes) || !s.hasRoom(need)) {
			break
		}
		g.buf = appendFrame(g.buf, frame)
		s.reserved += need
		m.frames++
	}
	g.members++
	if m.leads {
		s.flights++
	} else if g.done == nil {
		g.done = make(chan struct{})
	}
	return m
}

// land waits until m's group is on disk, or puts it there, and returns where m's share begins.
func (s *Spool) land(ctx context.Context, m member) (Position, error) {
	g := m.group
	var ended error
	if m.leads {
		s.lead(g)
	} else {
		select {
		case <-g.done:
		case <-ctx.Done():
			ended = fmt.Errorf("append: the frame may be or not be in the spool: %w", context.Cause(ctx))
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	base, err := Position{}, ended
	if ended == nil {
		base, err = g.base, g.err
		base.Offset += m.at
	}
	g.members--
	s.recycle(g)
	return base, err
}

// recycle keeps g for a later group if nobody needs it any more. It is called with mu held.
func (s *Spool) recycle(g *group) {
	if g.members > 0 || g == s.group {
		return
	}
	g.done, g.base, g.err = nil, Position{}, nil
	s.spare = g
}

// lead writes g. While it waits for the group before, others may still join.
func (s *Spool) lead(g *group) {
	s.flush.Lock()
	defer s.flush.Unlock()
	if s.cfg.Sync == SyncCommit {
		// Those that the group before has just released may join this one: with 64 callers 46 frames a sync, not 32.
		runtime.Gosched()
	}
	s.takeGroup()

	g.base, g.err = s.writeGroup(g.buf)
	for isDiskFull(g.err) && s.cfg.WhenFull == FullDropOldest && s.dropOne() {
		g.base, g.err = s.writeGroup(g.buf)
	}

	s.mu.Lock()
	s.reserved -= int64(len(g.buf))
	if int64(cap(g.buf)) <= 2*s.cfg.GroupBytes {
		s.buf = g.buf[:0]
	}
	g.buf = nil
	s.noteWrite(g.err)
	if g.done != nil {
		close(g.done)
	}
	s.flights--
	if s.flights == 0 {
		s.landed.fire()
	}
	s.mu.Unlock()
}

// takeGroup closes the group that fills and opens another. Its buffer is the one of the group before, which is written.
func (s *Spool) takeGroup() {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := s.spare
	if next == nil {
		next = &group{}
	}
	next.buf = s.buf
	s.group, s.spare, s.buf = next, nil, nil
	s.room.fire()
}

// noteWrite remembers for Health how the newest write went. It is called with mu held.
func (s *Spool) noteWrite(err error) {
	full := isDiskFull(err)
	if full != s.diskFull {
		if full {
			s.log.Warn("the disk is full", "dir", s.dir, "when_full", s.cfg.WhenFull, "err", err)
		} else {
			s.log.Info("the disk has room again", "dir", s.dir)
		}
	}
	if err != nil && s.failure == nil && !full {
		s.log.Error("the spool cannot write", "dir", s.dir, "err", err)
	}
	s.diskFull, s.failure = full, err
}
