package simbus

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
)

// Broker is a simulated local broker. Devices and tests have Publish, Talk and Leave. What is published while nobody listens is
// lost, save what is retained.
type Broker struct {
	name string

	mu       sync.Mutex
	changed  chan struct{} // closed and replaced when anything changes
	away     bool
	retained map[string][]byte
	ears     map[*ear]bool
	talkers  []talker
}

// talker is a device that publishes at a pace.
type talker struct {
	began time.Time
	every time.Duration
	talk  func(at time.Time) (topic string, payload []byte)
}

// next is when it speaks after a moment.
func (t *talker) next(after time.Time) time.Time {
	return t.began.Add(after.Sub(t.began).Truncate(t.every) + t.every)
}

// ear is one Listen, and what waits for it.
type ear struct {
	bus.Ear
	waiting []bus.Message
	missed  int
	heard   time.Time // up to when talkers were heard
	fresh   bool      // it has not got what is retained
	told    bool      // that the broker is away
}

var _ bus.Topics = (*Broker)(nil)

// waitingMessages is how many messages wait for an ear; then the oldest go, as on a real connection.
const waitingMessages = 256

var errBrokerAway = errors.New("the simulated broker is away")

// Publish hands a message to whoever listens now. A retained one is kept for those who will; an empty retained one makes the
// broker forget the topic's.
func (b *Broker) Publish(topic string, payload []byte, retain bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.away {
		return
	}
	switch {
	case retain && len(payload) == 0:
		delete(b.retained, topic)
	case retain:
		b.retained[topic] = slices.Clone(payload)
	}
	for e := range b.ears {
		e.hear(bus.Message{Topic: topic, Payload: slices.Clone(payload), At: time.Now()})
	}
	b.wake()
}

// Talk makes a device publish at a pace, while the broker is there.
func (b *Broker) Talk(every time.Duration, talk func(at time.Time) (topic string, payload []byte)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.talkers = append(b.talkers, talker{time.Now(), every, talk})
	b.wake()
}

// Leave takes the broker away, or brings it back. It keeps what is retained.
func (b *Broker) Leave(away bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.away = away
	b.wake()
}

func (b *Broker) wake() {
	close(b.changed)
	b.changed = make(chan struct{})
}

func (e *ear) hear(m bus.Message) {
	if !slices.ContainsFunc(e.Filters, func(f string) bool { return bus.TopicMatches(f, m.Topic) }) {
		return
	}
	if len(e.waiting) == waitingMessages {
		e.waiting = slices.Delete(e.waiting, 0, 1)
		e.missed++
	}
	e.waiting = append(e.waiting, m)
}

// Listen hears until ctx ends.
func (b *Broker) Listen(ctx context.Context, to bus.Ear) error {
	e := &ear{Ear: to, fresh: true, heard: time.Now()}
	b.mu.Lock()
	b.ears[e] = true
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		delete(b.ears, e)
		b.mu.Unlock()
	}()
	for ctx.Err() == nil {
		b.mu.Lock()
		next := b.advance(e, time.Now())
		waiting, missed, changed, away := e.waiting, e.missed, b.changed, b.away
		e.waiting, e.missed = nil, 0
		b.mu.Unlock()
		if away != e.told {
			e.told = away
			e.Broker(b.fault(away))
		}
		for _, m := range waiting {
			e.Hear(m)
		}
		if missed > 0 {
			e.Broker(fault.New(fault.Other, fmt.Errorf("it floods: %d messages were left out", missed), ""))
			e.Broker(nil)
		}
		if len(waiting) == 0 {
			waitFor(ctx, next, changed)
		}
	}
	return ctx.Err()
}

func (b *Broker) fault(away bool) error {
	if !away {
		return nil
	}
	return fault.New(fault.Lost, fmt.Errorf("%s: %w", b.name, errBrokerAway), "look whether the broker runs")
}

// advance puts what is due into an ear's queue. It returns when the next device speaks; the zero time if none will.
func (b *Broker) advance(e *ear, now time.Time) (next time.Time) {
	if b.away {
		e.fresh, e.heard = true, now
		return time.Time{}
	}
	if e.fresh {
		for _, topic := range slices.Sorted(maps.Keys(b.retained)) {
			e.hear(bus.Message{Topic: topic, Payload: slices.Clone(b.retained[topic]), Retained: true, At: now})
		}
		e.fresh = false
	}
	for i := range b.talkers {
		t := &b.talkers[i]
		due := t.next(e.heard)
		for ; !due.After(now); due = due.Add(t.every) {
			topic, payload := t.talk(due)
			e.hear(bus.Message{Topic: topic, Payload: payload, At: due})
		}
		if next.IsZero() || due.Before(next) {
			next = due
		}
	}
	e.heard = now
	return next
}

// waitFor waits for a moment, for ever if it is the zero time, for a change, or for the end of ctx.
func waitFor(ctx context.Context, moment time.Time, changed <-chan struct{}) {
	var due <-chan time.Time
	if !moment.IsZero() {
		t := time.NewTimer(time.Until(moment))
		defer t.Stop()
		due = t.C
	}
	select {
	case <-due:
	case <-changed:
	case <-ctx.Done():
	}
}
