package uplink

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// inbox is a subscription and the messages that wait for its handler.
//
//	paho ──► put ──► waiting, the oldest goes when it is full ──► Handle, one at a time
type inbox struct {
	Subscription
	tooLong func(topic string) // of the session; nil is nobody
	log     *slog.Logger
	some    chan struct{} // capacity 1: something waits

	mu             sync.Mutex
	waiting        []Received
	bytes          int // of their payloads
	granted        bool
	fault          string
	received, lost uint64
}

const (
	defaultWaiting = 16
	// maxWaitingBytes is how much may wait whatever the number of messages.
	maxWaitingBytes = 2 * MaxReceived
)

func newInbox(s Subscription, tooLong func(topic string), log *slog.Logger) *inbox {
	if s.Waiting < 1 {
		s.Waiting = defaultWaiting
	}
	return &inbox{Subscription: s, tooLong: tooLong, log: log.With("filter", s.Filter), some: make(chan struct{}, 1)}
}

// put is called by paho, which it must not keep waiting: it would send no pings meanwhile.
func (in *inbox) put(_ mqtt.Client, m mqtt.Message) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.received++
	if len(m.Payload()) > MaxReceived {
		in.lost++
		if in.tooLong != nil {
			in.tooLong(m.Topic())
		}
		return
	}
	in.bytes += len(m.Payload())
	for len(in.waiting) == in.Waiting || len(in.waiting) > 0 && in.bytes > maxWaitingBytes {
		in.drop()
		in.lost++
	}
	in.waiting = append(in.waiting, Received{Topic: m.Topic(), Payload: m.Payload(), Retained: m.Retained(), At: time.Now()})
	notify(in.some)
}

// run hands over what waits until ctx ends.
func (in *inbox) run(ctx context.Context) {
	for {
		select {
		case <-in.some:
		case <-ctx.Done():
			return
		}
		for ctx.Err() == nil {
			m, ok := in.next()
			if !ok {
				break
			}
			in.Handle(m)
		}
	}
}

func (in *inbox) next() (Received, bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if len(in.waiting) == 0 {
		return Received{}, false
	}
	m := in.waiting[0]
	in.drop()
	return m, true
}

// drop takes the oldest away.
func (in *inbox) drop() {
	in.bytes -= len(in.waiting[0].Payload)
	n := copy(in.waiting, in.waiting[1:])
	in.waiting[n] = Received{} // or the array would hold its payload
	in.waiting = in.waiting[:n]
}

// ask subscribes on k's connection, and notes the answer. It returns when that is known, or the connection is gone.
func (in *inbox) ask(k *link, patience time.Duration) {
	token := k.client.Subscribe(in.Filter, 1, in.put)
	timer := time.NewTimer(patience)
	defer timer.Stop()
	var fault string
	select {
	case <-token.Done():
		fault = in.refusal(token)
	case <-k.lost:
		return
	case <-timer.C:
		fault = fmt.Sprintf("no answer within %s", patience)
	}
	in.mu.Lock()
	in.granted, in.fault = fault == "", fault
	in.mu.Unlock()
	if fault != "" {
		in.log.Warn("subscription failed, nothing can come from the broker there until the next connection", "error", fault)
	}
}

// refusal is why a subscription is not granted. A refused one is no error of paho's (MQTT 3.1.1, section 3.9.3).
func (in *inbox) refusal(token mqtt.Token) string {
	if err := token.Error(); err != nil {
		return err.Error()
	}
	t, ok := token.(*mqtt.SubscribeToken)
	if !ok {
		return ""
	}
	if code, answered := t.Result()[in.Filter]; answered && code >= 0x80 {
		return fmt.Sprintf("the broker refuses it (code 0x%02x): the user may not read this topic", code)
	}
	return ""
}

// gone notes that the connection is lost.
func (in *inbox) gone() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.granted, in.fault = false, ""
}

func (in *inbox) status() SubscriptionStatus {
	in.mu.Lock()
	defer in.mu.Unlock()
	return SubscriptionStatus{Filter: in.Filter, Granted: in.granted, Fault: in.fault, Received: in.received, Lost: in.lost}
}
