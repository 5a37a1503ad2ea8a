package outbox

import (
	"context"
	"errors"

	"github.com/lamppost-city/lamppost/firmware-bridge/uplink"
	"github.com/lamppost-city/lamppost/spool"
)

// step is a frame that the sender has come past, or several that are done with. The cursor follows the steps:
//
//	committed ... | done | in flight | done, done | in flight |  sender ──► not read yet
//	              ▲ first of walk
type step struct {
	frame      // the last of them, without its body
	start, end spool.Position
	flight     *flight // nil: done with
	// frames is how many frames the step stands for, with those that are missing before it.
	frames uint64
	// ahead is the part that was counted as acknowledged ahead.
	ahead totals
	// spent says that it would do no good to come upon the last of them again.
	spent bool
}

// flight is a message that is with the uplink, or was.
type flight struct {
	seq      uint64
	readings int
	walked   bool     // a step stands for it
	done     bool     // acknowledged
	memory   *message // the one in the queue, if it was taken from there
}

// stepped notes that the sender has come past a frame. It is called with mu held.
func (o *Outbox) stepped(s step) {
	s.body = nil
	if n := len(o.walk); s.flight == nil && n > 0 && o.walk[n-1].flight == nil {
		last := &o.walk[n-1]
		s.frames += last.frames
		s.ahead = s.ahead.plus(last.ahead.frames, last.ahead.readings)
		*last = s
	} else {
		o.walk = append(o.walk, s)
	}
	o.advance()
}

// advance moves the place that may be committed past what is done with. It stays one frame behind, so that the spool
// always has the frame whose number was the newest: the numbers go on from there after a restart. (It also keeps its newest
// file, so that nearly always there would be one without that.) It is called with mu held.
func (o *Outbox) advance() {
	n := 0
	for ; n < len(o.walk); n++ {
		s := &o.walk[n]
		if s.flight != nil && !s.flight.done {
			break
		}
		o.commit = s.start
		if s.spent {
			o.commit = s.end
		}
		o.passed = totals{o.passed.frames + s.frames, s.total}
		o.aheadAcked = o.aheadAcked.minus(s.ahead)
	}
	if n > 0 {
		o.walk = append(o.walk[:0], o.walk[n:]...)
	}
}

// acknowledged is the broker's word for a message. It is called by the uplink, from any goroutine.
func (o *Outbox) acknowledged(m uplink.Message) {
	f, ok := m.Note.(*flight)
	if !ok {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if f.done {
		return
	}
	f.done = true
	if o.flights[f.seq] == f {
		delete(o.flights, f.seq)
	}
	o.acked = o.acked.plus(1, uint64(f.readings))
	o.lastAck = o.deps.Clock.Now()
	stored := true
	if f.memory != nil {
		f.memory.acked = true
		stored = f.memory.stored
		o.tidy()
	}
	switch {
	case f.walked:
		o.advance()
	case stored:
		o.aheadAcked = o.aheadAcked.plus(1, uint64(f.readings))
	}
	notify(o.sending)
}

// mark is where the numbers and totals of the spool's frames stand.
type mark struct {
	seq, total uint64
	known      bool
}

// oldest returns the oldest message of the spool that can be sent; nil if there is none.
func (s *sender) oldest(ctx context.Context) *outgoing {
	for ctx.Err() == nil {
		if s.held != nil && s.dateKnown() && !s.rewind() {
			return nil
		}
		b, end, ok, err := s.reader.TryNext()
		if err != nil {
			s.readFailed(err)
			return nil
		}
		if !ok {
			return nil
		}
		start := s.at
		s.at = end
		f, err := parseFrame(b)
		if err != nil {
			s.unreadable(err, start, end)
			continue
		}
		out, err := s.consider(&f, start, end)
		if out != nil {
			return out
		}
		s.lament(&f, err)
	}
	return nil
}

// lament deals with a frame that is never sent.
func (s *sender) lament(f *frame, err error) {
	switch {
	case err == nil:
	case errors.Is(err, errNever):
		if err := s.aside.put(f); err != nil {
			s.complain("readings that cannot be dated are not set aside", err)
		}
	default:
		s.complain("a frame cannot be sent", err)
	}
}

// consider decides what to do with a frame: send it, or go past it. An error says why it is never sent.
func (s *sender) consider(f *frame, start, end spool.Position) (*outgoing, error) {
	o := s.o
	o.mu.Lock()
	defer o.mu.Unlock()
	before := s.last
	s.last = mark{f.seq, f.total, true}
	st := step{frame: *f, start: start, end: end, frames: 1 + s.missing(before, f)}
	o.settle(f.seq)
	if fl := o.flights[f.seq]; fl != nil { // it went ahead
		if s.held == nil {
			fl.walked, st.flight = true, fl
			s.ahead.remove(f.seq)
			o.stepped(st)
		}
		return nil, nil
	}
	if s.ahead.has(f.seq) { // so did it, and the broker has it
		if s.held == nil {
			st.ahead = totals{1, uint64(f.readings)}
			s.ahead.remove(f.seq)
			o.stepped(st)
		}
		return nil, nil
	}
	payload, err := s.compose(f)
	if err == nil && s.held != nil && f.kind == undated {
		err = errNotYet // the date has become known this moment: those before it go first
	}
	switch {
	case err == nil:
		fl := &flight{seq: f.seq, readings: f.readings}
		if s.held == nil {
			fl.walked, st.flight = true, fl
			o.stepped(st)
		} else {
			s.ahead.add(f.seq)
		}
		return &outgoing{payload: payload, flight: fl}, nil
	case errors.Is(err, errNotYet):
		s.hold(f, start, before)
		return nil, nil
	case errors.Is(err, errNever):
		o.drop(Undated, uint64(f.readings))
	default:
		o.drop(Unreadable, uint64(f.readings))
	}
	st.spent = true
	s.pass(st)
	return nil, err
}

// pass notes that nothing more will happen to a frame. It is called with mu held.
func (s *sender) pass(st step) {
	if s.held == nil {
		s.o.stepped(st)
		return
	}
	s.ahead.add(st.seq) // the sender will come here once more
	s.o.aheadAcked = s.o.aheadAcked.plus(1, uint64(st.readings))
}

// unreadable goes past a frame that is none.
func (s *sender) unreadable(err error, start, end spool.Position) {
	s.complain("a frame cannot be read", err)
	o := s.o
	o.mu.Lock()
	defer o.mu.Unlock()
	o.drop(Unreadable, 1) // at least
	if s.held == nil {
		o.stepped(step{frame: frame{seq: s.last.seq, total: max(s.last.total, o.passed.readings)}, start: start, end: end, frames: 1})
	}
}

// missing notes what the spool has lost between two frames, save what went ahead, and returns how many frames that is in
// all. It is called with mu held.
func (s *sender) missing(before mark, f *frame) (frames uint64) {
	o := s.o
	dropped := s.spool.Stats().DroppedFrames
	fresh := dropped > o.noticed
	o.noticed = dropped // the oldest are dropped first, and f is still there
	if s.held != nil {
		return 0 // the sender will come here once more
	}
	defer s.ahead.forget(f.seq)
	readings := less(less(f.total, uint64(f.readings)), before.total)
	if !before.known || readings == 0 {
		return 0
	}
	frames = 1
	if f.seq > before.seq+1 && f.seq-before.seq <= readings+1 {
		frames = f.seq - before.seq - 1
	}
	ahead := min(s.ahead.count(before.seq+1, f.seq), frames)
	there := readings * ahead / frames // their readings, if all have the same number of them
	o.aheadAcked = o.aheadAcked.minus(totals{ahead, there})
	if lost := readings - there; lost > 0 {
		reason := Unreadable
		if fresh {
			reason = Bounds
		}
		o.drop(reason, lost)
	}
	return frames
}

// held is where the frames begin that wait for the date of this boot, and where the numbers stood.
type held struct {
	at   spool.Position
	last mark
}

// hold leaves f for later. What follows it is sent ahead, and the cursor waits here. It is called with mu held.
func (s *sender) hold(f *frame, start spool.Position, before mark) {
	o := s.o
	o.held += uint64(f.readings)
	if s.held != nil {
		return
	}
	s.held = &held{at: start, last: before}
	first := *f
	first.body = nil
	o.heldFrame = &first
}

// rewind goes back to the first frame that was held. It says whether that has worked.
func (s *sender) rewind() bool {
	if err := s.reader.Seek(s.held.at); err != nil {
		s.readFailed(err)
		return false
	}
	s.at, s.last, s.held = s.held.at, s.held.last, nil
	o := s.o
	o.mu.Lock()
	defer o.mu.Unlock()
	o.held, o.heldFrame = 0, nil
	return true
}
