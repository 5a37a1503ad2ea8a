package outbox

import (
	"context"
	"time"

	"github.com/lamppost-city/lamppost/firmware-bridge/uplink"
	"github.com/lamppost-city/lamppost/spool"
	"github.com/lamppost-city/lamppost/telemetry"
	"github.com/lamppost-city/lamppost/telemetry/senml"
)

// sender takes messages from the spool, oldest first, and some of the newest from memory, to the uplink. One goroutine
// uses it.
type sender struct {
	o     *Outbox
	up    Uplink
	topic string
	aside *aside

	spool  *spool.Spool // nil until there is one
	reader *spool.Reader
	at     spool.Position // behind the frame that was read last
	last   mark           // that frame

	// ahead is what was sent, or done with, before the sender came to it in the spool.
	ahead runs
	// frontier is the newest number that was sent ahead.
	frontier uint64
	credit   float64 // of the newest, in messages
	held     *held

	committed   spool.Position
	committedAt time.Time
	retryAt     time.Time // the disk is left alone until then

	message telemetry.Message
	decoder *senml.Decoder  // made when it is needed
	heard   map[string]bool // what the log has heard
}

// outgoing is a message that goes to the uplink next.
type outgoing struct {
	payload []byte
	flight  *flight
}

// mostRuns is in how many places the sender may be ahead of itself. Ingest remembers 64 gaps in the numbers of a
// publisher; those that it forgets would count as missing for good. Restarts add some.
const mostRuns = 30

// crowdedShare takes the place of a smaller newest share while many of the newest wait: a link that carries what is new,
// and a little more, then needs no gaps.
const crowdedShare = 0.75

// send works until ctx ends.
func (o *Outbox) send(ctx context.Context, up Uplink) {
	s := &sender{
		o: o, up: up, topic: o.deps.Root + "/" + string(o.deps.Publisher) + "/readings", aside: newAside(o.dir, o.cfg.AsideBytes),
		committedAt: time.Now(), heard: make(map[string]bool),
	}
	defer s.end()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		s.commitDue()
		if out := s.pick(ctx); out != nil {
			s.publish(ctx, out)
			continue
		}
		var known <-chan struct{}
		if s.held != nil {
			known = o.deps.Clock.Known()
		}
		timer.Reset(s.patience())
		select {
		case <-ctx.Done():
		case <-o.sending:
		case <-known:
		case <-timer.C:
		}
	}
}

// end leaves the disk as it should be found.
func (s *sender) end() {
	s.commitNow()
	if err := s.aside.close(); err != nil {
		s.complain("readings that cannot be dated are not set aside", err)
	}
}

// patience is how long there is nothing to do but to wait for a signal.
func (s *sender) patience() time.Duration {
	wait := time.Until(s.committedAt.Add(s.o.cfg.CommitEvery))
	if retry := time.Until(s.retryAt); retry > 0 {
		wait = min(wait, retry)
	}
	s.o.mu.Lock()
	defer s.o.mu.Unlock()
	if !s.o.busySince.IsZero() { // the disk may stall
		wait = min(wait, time.Second)
	}
	return max(wait, time.Second/10)
}

// pick returns what to send next; nil if there is nothing now, or no room for it.
func (s *sender) pick(ctx context.Context) *outgoing {
	o := s.o
	o.mu.Lock()
	if s.spool == nil && o.spool != nil {
		s.spool, s.reader, s.at, s.committed = o.spool, o.reader, o.commit, o.commit
	}
	room := len(o.flights) < o.cfg.InFlight
	faulty := o.disk.state != DiskFine || o.stalled() > 0
	share := o.cfg.NewestShare
	if share > 0 && len(o.queue) > newestKept/2 {
		share = max(share, crowdedShare)
	}
	o.mu.Unlock()
	if !room {
		return nil
	}
	if s.credit >= 1 {
		if out := s.newest(faulty); out != nil {
			s.credit--
			return out
		}
	}
	if s.reader != nil && !time.Now().Before(s.retryAt) {
		if out := s.oldest(ctx); out != nil {
			gain := share / (1 - share)
			s.credit = min(s.credit+gain, max(gain, 1))
			return out
		}
	}
	if faulty {
		return s.unstored()
	}
	return nil
}

// newest returns one of the newest messages while there is a backlog. They go in the order of their numbers from the
// first on that was not sent, so that ingest sees few gaps.
func (s *sender) newest(faulty bool) *outgoing {
	o := s.o
	o.mu.Lock()
	defer o.mu.Unlock()
	if !s.last.known || o.seq-s.last.seq <= uint64(o.cfg.InFlight) {
		return nil
	}
	for _, m := range o.queue {
		if m.sent || !m.stored && !faulty || m.kind == undated && !s.dateKnown() {
			continue
		}
		if m.seq != s.frontier+1 && len(s.ahead) >= mostRuns {
			return nil
		}
		return s.aheadOf(m)
	}
	return nil
}

// unstored returns the oldest message that the disk did not take.
func (s *sender) unstored() *outgoing {
	o := s.o
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, m := range o.queue {
		if !m.sent && !m.stored && (m.kind == dated || s.dateKnown()) {
			return s.aheadOf(m)
		}
	}
	return nil
}

// aheadOf sends m before the spool's turn. It is called with mu held.
func (s *sender) aheadOf(m *message) *outgoing {
	payload, err := s.compose(&m.frame)
	if err != nil {
		return nil
	}
	m.sent = true
	s.ahead.add(m.seq)
	s.frontier = m.seq
	s.o.sentAhead++
	out := &outgoing{payload: payload, flight: &flight{seq: m.seq, readings: m.readings, memory: m}}
	s.o.tidy()
	return out
}

func (s *sender) publish(ctx context.Context, out *outgoing) {
	o := s.o
	o.mu.Lock()
	o.flights[out.flight.seq] = out.flight
	o.sent++
	o.mu.Unlock()
	m := uplink.Message{Topic: s.topic, Payload: out.payload, Readings: out.flight.readings, Note: out.flight, Done: o.acknowledged}
	// It fails when ctx ends, and then the message is still on the disk.
	_ = s.up.Publish(ctx, m)
}

func (s *sender) dateKnown() bool {
	select {
	case <-s.o.deps.Clock.Known():
		return true
	default:
		return false
	}
}

// readFailed leaves the disk alone for a while.
func (s *sender) readFailed(err error) {
	s.retryAt = time.Now().Add(s.o.cfg.Spool.DiskRetry)
	s.complain("the spool cannot be read, trying again and again", err)
}

// complain logs a fault, once for each text.
func (s *sender) complain(what string, err error) {
	if s.heard[what] {
		return
	}
	s.heard[what] = true
	s.o.log.Error("sending has a fault", "fault", what, "error", err.Error())
}

// commitDue commits when a file of the spool is done with, or a while after the last time; at once when the disk is
// short of room.
func (s *sender) commitDue() {
	if s.spool == nil {
		return
	}
	since := time.Since(s.committedAt)
	if since >= time.Second && s.short() {
		s.commitAll()
	}
	s.o.mu.Lock()
	to := s.o.commit
	s.o.mu.Unlock()
	if to == s.committed {
		if since >= s.o.cfg.CommitEvery {
			s.committedAt = time.Now()
		}
		return
	}
	if since >= s.o.cfg.CommitEvery || to.Segment != s.committed.Segment || since >= time.Second && s.short() {
		s.commitNow()
	}
}

// commitAll gives up the newest frame too, if the broker has it, so that a disk that is full but for this one spool gets
// room. Its number is kept in memory; should power fail before there is another frame, the numbers begin anew.
func (s *sender) commitAll() {
	o := s.o
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.walk) == 0 && s.held == nil && s.at == s.spool.Stats().End {
		o.commit = s.at
	}
}

// short says whether the disk, or the spool, is short of room.
func (s *sender) short() bool {
	stats := s.spool.Stats()
	return stats.Full || stats.DiskFull
}

// commitNow lets the spool forget what the broker has.
func (s *sender) commitNow() {
	if s.spool == nil {
		return
	}
	if err := s.aside.sync(); err != nil {
		s.complain("readings that cannot be dated are not set aside", err)
	}
	o := s.o
	o.mu.Lock()
	to := o.commit
	o.mu.Unlock()
	s.committedAt = time.Now()
	if to == s.committed {
		return
	}
	if err := s.reader.Commit(to); err != nil { // a restart sends a little more again
		s.complain("the place up to which all is sent cannot be kept", err)
	}
	s.committed = to
}
