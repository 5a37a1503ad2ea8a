// Package live hands accepted readings to whoever wants to see them as they come: the cache of latest values, and web
// pages. It stands beside the line, not in it: a listener that is slow misses readings and is told how many, and the
// line never waits.
//
//	ingest ──Publish──► Hub ──C()──► query.Latest, api's live stream, ...
package live

import (
	"sync"
	"sync/atomic"

	"github.com/lamppost-city/lamppost/telemetry"
)

// Hub passes batches of readings on to its subscriptions. The zero Hub is ready for use.
type Hub struct {
	mu            sync.Mutex
	subscriptions atomic.Pointer[[]*Subscription]
}

// Subscription is one listener's queue of batches.
type Subscription struct {
	hub  *Hub
	c    chan []telemetry.Reading
	lost atomic.Uint64

	mu     sync.Mutex
	closed bool
}

// Subscribe adds a listener that may fall behind by the given number of batches before it misses some.
func (h *Hub) Subscribe(batches int) *Subscription {
	s := &Subscription{hub: h, c: make(chan []telemetry.Reading, max(batches, 1))}
	h.change(func(old []*Subscription) []*Subscription { return append(old, s) })
	return s
}

// Listened tells whether there is anybody to publish to, so that a publisher can spare the work.
func (h *Hub) Listened() bool {
	all := h.subscriptions.Load()
	return all != nil && len(*all) > 0
}

// Publish gives the readings to every listener. All share the one slice: nobody may change it, neither listeners nor,
// from now on, the caller. Publish never blocks.
func (h *Hub) Publish(readings []telemetry.Reading) {
	all := h.subscriptions.Load()
	if all == nil || len(readings) == 0 {
		return
	}
	for _, s := range *all {
		s.offer(readings)
	}
}

func (s *Subscription) offer(readings []telemetry.Reading) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	select {
	case s.c <- readings:
	default:
		s.lost.Add(uint64(len(readings)))
	}
}

// C delivers the batches; it is closed by Close.
func (s *Subscription) C() <-chan []telemetry.Reading { return s.c }

// Lost is the number of readings that this listener has missed since it subscribed.
func (s *Subscription) Lost() uint64 { return s.lost.Load() }

// Close ends the subscription. It may be called more than once.
func (s *Subscription) Close() {
	s.hub.change(func(old []*Subscription) []*Subscription {
		kept := make([]*Subscription, 0, len(old))
		for _, other := range old {
			if other != s {
				kept = append(kept, other)
			}
		}
		return kept
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.closed = true
		close(s.c)
	}
}

// change replaces the list of subscriptions, which Publish reads without a lock.
func (h *Hub) change(edit func(old []*Subscription) []*Subscription) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var old []*Subscription
	if p := h.subscriptions.Load(); p != nil {
		old = append(old, *p...)
	}
	edited := edit(old)
	h.subscriptions.Store(&edited)
}
