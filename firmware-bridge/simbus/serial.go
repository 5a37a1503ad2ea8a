package simbus

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
)

// SerialLine is a simulated serial line. The bridge has Open; the device or the test at the other end has Say, Talk, Answer,
// Garble and Unplug. What comes in while the line is not open is lost, as on a real one.
type SerialLine struct {
	cfg bus.Config

	mu      sync.Mutex
	changed chan struct{} // closed and replaced when anything changes
	port    *serialPort   // the open end; nil if there is none
	mode    bus.Mode      // in which the line was opened last
	pulled  bool          // the plug
	coming  []spoken      // on the wire, by time
	arrived []byte        // not read yet
	answer  func(heard []byte, say Say)
	garble  func([]byte) []byte
	every   time.Duration
	talk    func(at time.Time) []byte
	next    time.Time // when talk speaks
}

// Say sends bytes that arrive at the bridge after a while.
type Say func(after time.Duration, b []byte)

type spoken struct {
	at time.Time
	b  []byte
}

var _ bus.Line = (*SerialLine)(nil)

// inputBytes is how much a line keeps unread; what comes then is lost, as in the kernel.
const inputBytes = 4096

var (
	errPulled = errors.New("the line has hung up")
	errInUse  = errors.New("the line is in use")
)

// Say makes bytes arrive after a while: in pieces, late or wrong, as the test likes.
func (l *SerialLine) Say(after time.Duration, b []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.say(after, b)
}

func (l *SerialLine) say(after time.Duration, b []byte) {
	s := spoken{at: time.Now().Add(after), b: append([]byte(nil), b...)}
	i := len(l.coming)
	for i > 0 && l.coming[i-1].at.After(s.at) {
		i--
	}
	l.coming = append(l.coming[:i], append([]spoken{s}, l.coming[i:]...)...)
	l.wake()
}

// Talk makes the device speak by itself: first after one period, then at every one. A nil talk silences it.
func (l *SerialLine) Talk(every time.Duration, talk func(at time.Time) []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.every, l.talk, l.next = every, talk, time.Now().Add(every)
	l.wake()
}

// Answer makes the device hear what the bridge writes. It is called without the line's lock, by the one who writes.
func (l *SerialLine) Answer(answer func(heard []byte, say Say)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answer = answer
}

// Garble is the noise on the line: it may change, cut or add to whatever arrives. nil is a clean line.
func (l *SerialLine) Garble(garble func([]byte) []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.garble = garble
}

// Unplug pulls the plug, or plugs it in again.
func (l *SerialLine) Unplug(pulled bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pulled = pulled
	l.wake()
}

// Mode is the one in which the bridge opened the line last.
func (l *SerialLine) Mode() bus.Mode {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mode
}

func (l *SerialLine) wake() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// Open opens the bridge's end.
func (l *SerialLine) Open(driver bus.Mode) (bus.Port, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.pulled:
		return nil, fault.New(fault.Lost, fmt.Errorf("open %s: %w", l.cfg.ID, os.ErrNotExist), "look at its plug")
	case l.port != nil:
		return nil, fault.New(fault.Misconfigured, fmt.Errorf("open %s: %w", l.cfg.ID, errInUse), "one serial line serves one sensor")
	}
	l.advance(time.Now())
	l.arrived = nil
	l.mode = l.cfg.Mode(driver)
	l.port = &serialPort{line: l, timeout: -1}
	return l.port, nil
}

// advance moves what is due from the wire to the input. It returns when the next bytes come; the zero time if none are on
// their way.
func (l *SerialLine) advance(now time.Time) time.Time {
	for len(l.coming) > 0 && !l.coming[0].at.After(now) {
		l.arrive(l.coming[0].b)
		l.coming = l.coming[1:]
	}
	if l.talk != nil && l.every > 0 {
		if behind := now.Sub(l.next); behind > time.Minute+4*l.every {
			l.next = l.next.Add((behind - 4*l.every).Truncate(l.every)) // nobody listened for long
		}
		for !l.next.After(now) {
			l.arrive(l.talk(l.next))
			l.next = l.next.Add(l.every)
		}
	}
	switch {
	case l.talk == nil && len(l.coming) == 0:
		return time.Time{}
	case l.talk == nil || len(l.coming) > 0 && l.coming[0].at.Before(l.next):
		return l.coming[0].at
	}
	return l.next
}

func (l *SerialLine) arrive(b []byte) {
	if l.port == nil {
		return
	}
	if l.garble != nil {
		b = l.garble(append([]byte(nil), b...))
	}
	b = b[:min(len(b), inputBytes-len(l.arrived))]
	l.arrived = append(l.arrived, b...)
}

// serialPort is the bridge's end.
type serialPort struct {
	line    *SerialLine
	closed  bool
	timeout time.Duration
}

func (p *serialPort) fault() error {
	switch {
	case p.closed:
		return os.ErrClosed
	case p.line.pulled:
		return fault.New(fault.Lost, fmt.Errorf("%s: %w", p.line.cfg.ID, errPulled), "look at the plug of the adapter or the line")
	}
	return nil
}

// Read returns 0 bytes and no error when the time set by SetReadTimeout has passed.
func (p *serialPort) Read(b []byte) (int, error) {
	l := p.line
	began := time.Now()
	for {
		l.mu.Lock()
		if err := p.fault(); err != nil {
			l.mu.Unlock()
			return 0, err
		}
		now := time.Now()
		next := l.advance(now)
		if n := copy(b, l.arrived); n > 0 {
			l.arrived = l.arrived[n:]
			l.mu.Unlock()
			return n, nil
		}
		deadline, changed := next, l.changed
		if p.timeout >= 0 {
			end := began.Add(p.timeout)
			if !now.Before(end) {
				l.mu.Unlock()
				return 0, nil
			}
			if deadline.IsZero() || end.Before(deadline) {
				deadline = end
			}
		}
		l.mu.Unlock()
		waitUntil(deadline, changed)
	}
}

// waitUntil waits for a moment, for ever if it is the zero time, or for a change.
func waitUntil(moment time.Time, changed <-chan struct{}) {
	if moment.IsZero() {
		<-changed
		return
	}
	t := time.NewTimer(time.Until(moment))
	defer t.Stop()
	select {
	case <-t.C:
	case <-changed:
	}
}

// Write sends bytes to the device.
func (p *serialPort) Write(b []byte) (int, error) {
	l := p.line
	l.mu.Lock()
	err, answer := p.fault(), l.answer
	l.mu.Unlock()
	if err != nil {
		return 0, err
	}
	if answer != nil {
		answer(append([]byte(nil), b...), l.Say)
	}
	return len(b), nil
}

// SetReadTimeout bounds a Read.
func (p *serialPort) SetReadTimeout(d time.Duration) error {
	p.line.mu.Lock()
	defer p.line.mu.Unlock()
	p.timeout = d
	return p.fault()
}

// ResetInputBuffer forgets what has come in and was not read.
func (p *serialPort) ResetInputBuffer() error {
	p.line.mu.Lock()
	defer p.line.mu.Unlock()
	p.line.advance(time.Now())
	p.line.arrived = nil
	return p.fault()
}

// Close ends a Read that waits.
func (p *serialPort) Close() error {
	l := p.line
	l.mu.Lock()
	defer l.mu.Unlock()
	if p.closed {
		return nil
	}
	p.closed = true
	l.port = nil
	l.wake()
	return nil
}
