// Package edge tells the real changes of a pin from bounce and noise.
//
// A contact bounces for milliseconds when it closes, and a long cable picks up spikes. A change counts once the level has
// stayed for the debounce time; it is dated with the first edge of the burst that led to it. Only the times that the kernel
// gave the edges decide, so a process that had no time for a while finds the same changes in the queue afterwards.
//
//	pin    ────┐ ┌┐┌────────┐┌──────   bounce and a spike
//	           └─┘└┘        └┘
//	change     ▼  none      none: nothing stayed for the debounce time
//
// The drivers of what hangs on a pin call it: pulse, contact.
package edge

import (
	"context"
	"errors"
	"fmt"
	"time"

	"periph.io/x/conn/v3/gpio"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/clock"
)

// Change is a real change of a pin.
type Change struct {
	// Level is what the pin went to and stayed at.
	Level gpio.Level
	// At is when its first edge was.
	At clock.Instant
}

// Watch reads a pin's edges and calls back for what they mean. The pin has to be an input with both edges (gpio.BothEdges).
type Watch struct {
	Pin bus.Pin
	// Debounce is how long a level has to stay to count; 0 means that every edge counts.
	Debounce time.Duration
	// Clock dates the changes.
	Clock interface{ Now() clock.Instant }
	// Changed is called for every real change, by Run's goroutine. It must not block for long.
	Changed func(Change)
	// Noise is called with a number of edges that came too fast to be looked at. It may be nil.
	Noise func(edges int)
}

// Bounds of a pin that floods.
const (
	// mostEdges a second are looked at; nothing that a contact or a meter does comes near. Beyond, the rest of the second is
	// slept through.
	mostEdges = 2000
	// slack is for the edge that the kernel has stamped and not delivered yet when the debounce time is over.
	slack = time.Millisecond
)

// Run reads edges until ctx ends, which is no error, or the pin fails.
func (w *Watch) Run(ctx context.Context) error {
	level, err := w.Pin.Level()
	if err != nil {
		return fmt.Errorf("read the level of pin %s: %w", w.Pin, err)
	}
	s := settler{debounce: w.Debounce, stable: level}
	second, edges := w.Pin.Now(), 0
	for {
		e, quiet, err := w.next(ctx, &s)
		if quiet && ctx.Err() == nil {
			w.emit(s.settle(w.Pin.Now()))
			continue
		}
		if err != nil {
			return unlessEnded(ctx, err)
		}
		if e.Lost > 0 {
			w.noise(e.Lost)
		}
		w.emit(s.put(e))
		if now := w.Pin.Now(); now-second >= time.Second {
			second, edges = now, 0
		}
		if edges++; edges == mostEdges {
			w.noise(edges)
			if !sleep(ctx, time.Second-(w.Pin.Now()-second)) {
				return nil
			}
		}
	}
}

// next waits for an edge, or until the level has stayed long enough.
func (w *Watch) next(ctx context.Context, s *settler) (e bus.Edge, quiet bool, err error) {
	due, bouncing := s.due()
	if bouncing {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, due+slack-w.Pin.Now())
		defer cancel()
	}
	e, err = w.Pin.NextEdge(ctx)
	return e, bouncing && errors.Is(err, context.DeadlineExceeded), err
}

// unlessEnded is nil if ctx has ended: then err is only how that was noticed.
func unlessEnded(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	return nil
}

func (w *Watch) emit(level gpio.Level, at time.Duration, changed bool) {
	if changed {
		w.Changed(Change{Level: level, At: w.Clock.Now().Add(at - w.Pin.Now())})
	}
}

func (w *Watch) noise(edges int) {
	if w.Noise != nil {
		w.Noise(edges)
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// settler finds the levels that stay.
type settler struct {
	debounce time.Duration
	stable   gpio.Level

	bouncing    bool
	level       gpio.Level    // after the newest edge
	first, last time.Duration // of the burst's edges
}

// put takes an edge, and says whether the level before it had stayed, or with no debounce time whether this is a change.
func (s *settler) put(e bus.Edge) (level gpio.Level, at time.Duration, changed bool) {
	if s.debounce == 0 {
		changed = e.Level != s.stable
		s.stable = e.Level
		return e.Level, e.At, changed
	}
	if e.Lost == 0 {
		level, at, changed = s.settle(e.At)
	}
	if !s.bouncing {
		s.bouncing, s.first = true, e.At
	}
	s.level, s.last = e.Level, e.At
	return level, at, changed
}

// settle is told that there was no edge up to now.
func (s *settler) settle(now time.Duration) (level gpio.Level, at time.Duration, changed bool) {
	if !s.bouncing || now-s.last < s.debounce {
		return s.stable, 0, false
	}
	s.bouncing = false
	changed = s.level != s.stable
	s.stable = s.level
	return s.stable, s.first, changed
}

// due is when the present level will have stayed for long enough, if it is waited for.
func (s *settler) due() (time.Duration, bool) { return s.last + s.debounce, s.bouncing }

// Bucket bounds how often something may happen: it lets through what comes at the given rate, and a burst of one second's
// worth, or of four.
type Bucket struct {
	perSecond, most, left float64
	last                  clock.Instant
}

// NewBucket makes a full bucket.
func NewBucket(perSecond float64) *Bucket {
	most := max(perSecond, 4)
	return &Bucket{perSecond: perSecond, most: most, left: most}
}

// Take says whether one more may be let through. Instants do not go back.
func (b *Bucket) Take(at clock.Instant) bool {
	b.left = min(b.most, b.left+max(0, at.Sub(b.last)).Seconds()*b.perSecond)
	b.last = max(b.last, at)
	if b.left < 1 {
		return false
	}
	b.left--
	return true
}
