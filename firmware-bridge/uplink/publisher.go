package uplink

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"net/url"
	"sync"
	"sync/atomic"
	"time"
)

// Message is one MQTT message on its way.
type Message struct {
	Topic string
	// Payload belongs to the publisher from Publish on; nobody may change it.
	Payload []byte
	// Readings is how many readings Payload holds; it is only counted.
	Readings int
	// Retained asks the broker to keep the message for later subscribers of the topic.
	Retained bool
	// Note is whatever the caller wants to find again in Acknowledged.
	Note any
	// Done is called when the message is acknowledged, in place of the publisher's own function and by its rules; nil
	// leaves it to that.
	Done func(Message)
}

// Counts is the state of a publisher.
type Counts struct {
	// Messages and Readings were acknowledged by the broker.
	Messages, Readings uint64
	// Waiting is how many messages were accepted by Publish and are not acknowledged yet.
	Waiting uint64
	// Resent is how many messages were sent again after a connection was lost.
	Resent uint64
	// Connects is how many connections were established; with every lane connected once it is Config.Connections.
	Connects uint64
}

// Publisher sends messages until they are acknowledged. Publish, Flush and Counts work while Run runs.
type Publisher struct {
	cfg      Config
	log      *slog.Logger
	url      *url.URL
	password string
	client   string // client id without the lane's number
	lanes    []*lane
	topics   maphash.Seed
	session  Session
	inboxes  []*inbox
	state    state

	messages, readings, waiting, resent, connects, tooLong atomic.Uint64

	progress chan struct{} // capacity 1: something was acknowledged
}

// New prepares a publisher that only publishes; Run connects. acknowledged, which may be nil, is called once for each message whose PUBACK
// came, from goroutines of the connections, several at the same time and in any order. It must be quick, and it must not
// call the publisher.
func New(cfg Config, acknowledged func(Message), log *slog.Logger) (*Publisher, error) {
	return NewSession(cfg, Session{Acknowledged: acknowledged}, log)
}

// NewSession is New for a publisher that also has a will, is born, and listens. What is in session belongs to the
// publisher, which calls its functions from Run.
func NewSession(cfg Config, session Session, log *slog.Logger) (*Publisher, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("settings of the MQTT publisher: %w", err)
	}
	u, err := parseURL(cfg.URL)
	if err != nil {
		return nil, err
	}
	p := &Publisher{cfg: cfg, log: log, url: u, topics: maphash.MakeSeed(), session: session, progress: make(chan struct{}, 1)}
	if cfg.User != "" {
		p.url.User, p.password = url.User(cfg.User), cfg.Password.Reveal()
	} else {
		p.password, _ = u.User.Password()
	}
	for i := range cfg.Connections {
		p.lanes = append(p.lanes, newLane(p, i))
	}
	for _, s := range session.Subscriptions {
		p.inboxes = append(p.inboxes, newInbox(s, session.TooLong, log))
	}
	p.state.up, p.state.since = make([]bool, cfg.Connections), time.Now()
	unique := make([]byte, 6)
	rand.Read(unique)
	p.client = cfg.ClientName + "-" + hex.EncodeToString(unique)
	return p, nil
}

// clientID is the same after every start only where the settings say which it is.
func (p *Publisher) clientID(lane int) string {
	switch {
	case p.cfg.ClientID == "":
		return fmt.Sprintf("%s-%d", p.client, lane)
	case len(p.lanes) == 1:
		return p.cfg.ClientID
	}
	return fmt.Sprintf("%s-%d", p.cfg.ClientID, lane)
}

// Run connects and sends until ctx ends or, where Config.RetryRefused is 0, the broker turns the user away. It does not
// wait for messages that are still unacknowledged when ctx ends: call Flush first. It does wait for the handlers.
func (p *Publisher) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var all sync.WaitGroup
	for _, in := range p.inboxes {
		all.Go(func() { in.run(ctx) })
	}
	faults := make([]error, len(p.lanes))
	for i, l := range p.lanes {
		all.Go(func() {
			if faults[i] = l.run(ctx); faults[i] != nil {
				stop()
			}
		})
	}
	all.Wait()
	for _, err := range faults {
		if err != nil {
			return err // the same refusal on every lane: one is enough
		}
	}
	return nil
}

// Publish hands m over. It waits while the window of m's lane is full, and returns ctx's error when ctx ends first; then
// the message was not accepted. A nil error means accepted, not acknowledged.
func (p *Publisher) Publish(ctx context.Context, m Message) error {
	l := p.lanes[0]
	if len(p.lanes) > 1 {
		l = p.lanes[maphash.String(p.topics, m.Topic)%uint64(len(p.lanes))]
	}
	return l.put(ctx, m)
}

// Flush waits until every message accepted so far is acknowledged, or until ctx ends.
func (p *Publisher) Flush(ctx context.Context) error {
	check := time.NewTicker(50 * time.Millisecond) // progress wakes only one of several callers
	defer check.Stop()
	for p.waiting.Load() > 0 {
		select {
		case <-p.progress:
		case <-check.C:
		case <-ctx.Done():
			return fmt.Errorf("wait for %d messages to be acknowledged: %w", p.waiting.Load(), context.Cause(ctx))
		}
	}
	return nil
}

// Counts returns the present state.
func (p *Publisher) Counts() Counts {
	return Counts{
		Messages: p.messages.Load(), Readings: p.readings.Load(), Waiting: p.waiting.Load(),
		Resent: p.resent.Load(), Connects: p.connects.Load(),
	}
}

// Broker returns the broker's address without the password, for people.
func (p *Publisher) Broker() string { return p.url.Redacted() }

// confirm counts one acknowledged message. The hook comes first: what is counted was recorded.
func (p *Publisher) confirm(m Message) {
	switch {
	case m.Done != nil:
		m.Done(m)
	case p.session.Acknowledged != nil:
		p.session.Acknowledged(m)
	}
	p.messages.Add(1)
	p.readings.Add(uint64(m.Readings))
	p.waiting.Add(^uint64(0))
	notify(p.progress)
}

var (
	errRefused = errors.New("the broker refuses the user or password")
	errNotSent = errors.New("the client took no message")
)
