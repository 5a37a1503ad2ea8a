package uplink

import (
	"errors"
	"slices"
	"sync"
	"time"
)

// Session is what a publisher's connection carries beside the messages of Publish. The zero Session carries nothing.
// All of it belongs to the first connection where there are several.
type Session struct {
	// Acknowledged is called once for each message of Publish whose PUBACK came, unless the message has a Done of its
	// own; see New.
	Acknowledged func(Message)
	// Will is what the broker publishes when the connection ends without a goodbye; nil is none.
	Will *Message
	// Birth returns what is published first on every connection, such as the retained status. It must be quick. It is
	// sent once: the next connection asks Birth again.
	Birth func() []Message
	// Goodbye returns what is published last when Run's context ends, where there is a connection.
	Goodbye func() []Message
	// Subscriptions are made on every connection, after the birth.
	Subscriptions []Subscription
	// TooLong is told the topic of a message that is longer than MaxReceived, and that no handler gets; "" if that is very long
	// too. It must be quick, and may come from several goroutines. nil is nobody.
	TooLong func(topic string)
	// Date says what time it is, or that nobody knows; it decides whether the broker's certificate is valid. nil is the
	// system's clock.
	Date func() (time.Time, bool)
}

// Subscription is a topic filter and whoever handles what comes.
type Subscription struct {
	// Filter is subscribed to with QoS 1.
	Filter string
	// Handle gets the messages, one at a time, while Run runs. It may take its time: what comes meanwhile waits, and
	// where too much waits the oldest goes and is counted.
	Handle func(Received)
	// Waiting is how many messages may wait for Handle, 2 MiB of them at most; 0 is 16.
	Waiting int
}

// MaxReceived is the length, in bytes, of the longest message that is handed to a handler. A longer one is lost.
const MaxReceived = 1 << 20

// Received is a message that came down.
type Received struct {
	Topic string
	// Payload is the handler's, and at most MaxReceived long.
	Payload []byte
	// Retained says that the broker had kept it: it may be old.
	Retained bool
	// At is when it came, by the system's clock with its monotonic part: time.Since(At) is right whatever the date.
	At time.Time
}

// Status is how the connection is.
type Status struct {
	// Connected says whether all connections are established; Since is since when it is so, or is not so.
	Connected bool
	Since     time.Time
	// Refused says that the broker does not let this user or client in.
	Refused bool
	// Fault says to a person what was last wrong with the connection; "" while it is well.
	Fault string
	// TooLong is how many messages were left out because no handler takes so much; what is little longer than MaxReceived
	// is counted as lost by its subscription.
	TooLong uint64
	// Subscriptions are how Session.Subscriptions are on the present connection, in their order.
	Subscriptions []SubscriptionStatus
}

// SubscriptionStatus is how a subscription is.
type SubscriptionStatus struct {
	Filter string
	// Granted says that the broker has granted it on the present connection.
	Granted bool
	// Fault says why not; "" where it is granted or not asked for yet.
	Fault string
	// Received is how many messages came, and Lost how many of them waited too long for the handler and went.
	Received, Lost uint64
}

// ErrAway is returned by Announce while there is no connection.
var ErrAway = errors.New("there is no connection to the broker")

// Announce sends m on the present connection and forgets it: it comes at most once, and nobody is told. It waits for a
// second at most, where the network is stuck. It is for a status, which the next birth replaces, and for answers that
// nobody needs later. It returns ErrAway while there is no connection.
func (p *Publisher) Announce(m Message) error {
	l := p.lanes[0]
	l.mu.Lock()
	k := l.present
	l.mu.Unlock()
	if k == nil {
		return ErrAway
	}
	if failed(k.client.Publish(m.Topic, 1, m.Retained, m.Payload)) {
		return ErrAway
	}
	return nil
}

// leftOut notes a message that was too long to be read.
func (p *Publisher) leftOut(topic string) {
	p.tooLong.Add(1)
	if p.session.TooLong != nil {
		p.session.TooLong(topic)
	}
}

// Status returns how the connection is.
func (p *Publisher) Status() Status {
	s := p.state.status()
	s.TooLong = p.tooLong.Load()
	for _, in := range p.inboxes {
		s.Subscriptions = append(s.Subscriptions, in.status())
	}
	return s
}

// state is what Status tells of the connections.
type state struct {
	mu        sync.Mutex
	up        []bool // by lane
	connected bool   // all of them
	since     time.Time
	refused   bool
	fault     string
}

func (s *state) status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Status{Connected: s.connected, Since: s.since, Refused: s.refused, Fault: s.fault}
}

// connectedLane notes that a lane has a connection.
func (s *state) connectedLane(lane int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.up[lane], s.refused = true, false
	if !s.connected && !slices.Contains(s.up, false) {
		s.connected, s.since, s.fault = true, time.Now(), ""
	}
}

// lostLane notes that a lane has lost its connection, or could not get one.
func (s *state) lostLane(lane int, refused bool, fault string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.up[lane], s.refused, s.fault = false, refused, fault
	if s.connected {
		s.connected, s.since = false, time.Now()
	}
}
