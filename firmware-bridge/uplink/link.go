package uplink

import (
	"slices"
	"sync"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// link is one connection of a lane and what is known of the messages sent through it.
type link struct {
	lane   *lane
	client mqtt.Client

	more chan struct{} // capacity 1: the lane has messages to send

	mu         sync.Mutex
	sent       map[uint16]*entry // by packet identifier, without PUBACK so far
	publishing bool              // a message was handed to paho, and its identifier is not known yet
	early      []uint16          // identifiers of PUBACKs that were read meanwhile

	once sync.Once
	lost chan struct{} // closed by end
	why  error         // set before lost is closed
}

// mostEarly bounds link.early. One message is with paho at a time, so more than one early PUBACK is already strange.
const mostEarly = 16

// end tells the lane, once, that the connection is of no more use.
func (k *link) end(why error) {
	k.once.Do(func() {
		k.why = why
		close(k.lost)
	})
}

// greet publishes the birth and subscribes. Only the answers to the subscriptions are waited for, by goroutines of old.
func (k *link) greet(old *sync.WaitGroup) {
	p := k.lane.p
	if p.session.Birth != nil {
		for _, m := range p.session.Birth() {
			k.client.Publish(m.Topic, 1, m.Retained, m.Payload)
		}
	}
	for _, in := range p.inboxes {
		old.Go(func() { in.ask(k, p.cfg.ConnectTimeout) })
	}
}

// lastTry is how long a goodbye may take.
const lastTry = time.Second

// leave publishes the goodbye.
func (k *link) leave() {
	if k.lane.p.session.Goodbye == nil {
		return
	}
	deadline := time.Now().Add(lastTry)
	for _, m := range k.lane.p.session.Goodbye() {
		k.client.Publish(m.Topic, 1, m.Retained, m.Payload).WaitTimeout(time.Until(deadline))
	}
}

// send publishes what the lane has until the connection ends. It waits for nothing else: acknowledgements come through
// puback.
func (k *link) send() {
	batch := make([]*entry, 64)
	for {
		n, present := k.lane.take(k, batch)
		if !present {
			return
		}
		for _, e := range batch[:n] {
			k.mu.Lock()
			k.publishing = true
			k.mu.Unlock()
			token, ok := k.client.Publish(e.Topic, 1, e.Retained, e.Payload).(*mqtt.PublishToken)
			if !ok || token.MessageID() == 0 || failed(token) {
				k.end(errNotSent)
				return
			}
			k.register(token.MessageID(), e)
		}
		if n > 0 {
			continue
		}
		select {
		case <-k.more:
		case <-k.lost:
			return
		}
	}
}

// failed says whether paho gave the message up already. A token that has not ended yet has not failed.
func failed(token mqtt.Token) bool {
	select {
	case <-token.Done():
		return token.Error() != nil
	default:
		return false
	}
}

// register notes under which identifier e was sent.
func (k *link) register(id uint16, e *entry) {
	k.mu.Lock()
	done := slices.Contains(k.early, id)
	if !done {
		k.sent[id] = e
	}
	k.publishing, k.early = false, k.early[:0]
	k.mu.Unlock()
	if done {
		k.lane.acknowledge(e)
	}
}

// puback is called for every PUBACK read from this connection, and only from there. One that answers nothing which was
// sent is ignored; it must not confirm a later message that happens to get the same identifier.
func (k *link) puback(id uint16) {
	k.mu.Lock()
	e := k.sent[id]
	switch {
	case e != nil:
		delete(k.sent, id)
	case k.publishing && len(k.early) < cap(k.early):
		k.early = append(k.early, id)
	}
	k.mu.Unlock()
	if e != nil {
		k.lane.acknowledge(e)
	}
}
