package uplink

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/url"
	"sync"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/eclipse/paho.mqtt.golang/packets"
)

// entry is a message in a lane's window.
type entry struct {
	Message
	acked bool
	sent  bool // at least once
}

// lane is one connection after the other, and the window of messages that they have in common.
//
//	window:  acked  sent  sent | not yet sent
//	         └ removed when    └ next
//	           it is the first
type lane struct {
	p     *Publisher
	index int
	slots chan struct{} // one token for each message in the window

	mu      sync.Mutex
	window  []*entry
	next    int       // index in window of the first message that this connection has not sent
	present *link     // the connection that counts; acknowledgements through others are of no use
	heard   time.Time // last acknowledgement, or last time that nothing was waiting for one
}

func newLane(p *Publisher, index int) *lane {
	return &lane{p: p, index: index, slots: make(chan struct{}, p.cfg.Window)}
}

func (l *lane) put(ctx context.Context, m Message) error {
	select {
	case l.slots <- struct{}{}:
	default:
		select {
		case l.slots <- struct{}{}:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	l.p.waiting.Add(1)
	l.mu.Lock()
	if len(l.window) == 0 {
		l.heard = time.Now()
	}
	l.window = append(l.window, &entry{Message: m})
	if l.present != nil {
		notify(l.present.more)
	}
	l.mu.Unlock()
	return nil
}

const (
	// warnFirst is how long after the first warning the log says again that the broker is still away; then it takes twice
	// as long each time, up to warnLast.
	warnFirst = 10 * time.Second
	warnLast  = time.Hour
	// shortLife is how long a connection lives that was worth making. After a shorter one the next is not made at once.
	shortLife = 5 * time.Second
	// suspicious is how many short ones in a row are no accident.
	suspicious = 3
)

// attempts is how a lane's connecting goes.
type attempts struct {
	connected bool // ever
	pause     time.Duration
	short     int // connections in a row that did not live long
	warned    time.Time
	quiet     time.Duration // until the next warning
}

// run keeps a connection until ctx ends. It returns an error only where trying again makes no sense.
func (l *lane) run(ctx context.Context) error {
	a := attempts{pause: l.p.cfg.RetryMin}
	var old sync.WaitGroup // links whose sender is still inside paho
	defer old.Wait()
	for ctx.Err() == nil {
		k, err := l.connect(ctx)
		if err == nil {
			l.p.connects.Add(1)
			l.p.state.connectedLane(l.index)
			l.log().Info("connected")
			start, before := time.Now(), l.p.messages.Load()
			l.serve(ctx, k, &old)
			useful := time.Since(start) >= shortLife || l.p.cfg.ClientID == "" && l.p.messages.Load() > before
			if ctx.Err() != nil {
				return nil
			}
			if a.ended(l, k, useful) {
				continue
			}
		} else if ctx.Err() == nil {
			if err := a.failed(l, err); err != nil {
				return err
			}
		}
		sleep(ctx, a.pause/2+rand.N(a.pause)) // jitter: lanes and publishers must not come back all at once
		a.pause = min(2*a.pause, l.p.cfg.RetryMax)
	}
	return nil
}

// ended notes how a connection has ended, and says whether the next one should be made at once.
func (a *attempts) ended(l *lane, k *link, useful bool) bool {
	a.connected, a.warned, a.quiet = true, time.Time{}, 0
	why := "the broker acknowledges nothing"
	if k.why != nil {
		why = k.why.Error()
	}
	if useful {
		a.pause, a.short = l.p.cfg.RetryMin, 0
	} else if a.short++; a.short >= suspicious && l.p.cfg.ClientID != "" {
		why = fmt.Sprintf("connections end soon after they were made, %d in a row; is another client connected as %q? %s", a.short, l.p.cfg.ClientID, why)
		if a.short == suspicious {
			l.log().Error("connections end soon after they were made; is another client connected under the same id?", "client_id", l.p.cfg.ClientID)
		}
	}
	l.p.state.lostLane(l.index, false, why)
	return useful
}

// failed notes that there is no connection. It returns an error where that ends Run.
func (a *attempts) failed(l *lane, err error) error {
	turnedAway, files := refused(err), errors.Is(err, errFiles)
	if turnedAway {
		err = fmt.Errorf("%w: %w", errRefused, err)
	}
	l.p.state.lostLane(l.index, turnedAway, err.Error())
	if turnedAway || files {
		if l.p.cfg.RetryRefused > 0 {
			a.pause = l.p.cfg.RetryRefused
		} else if !a.connected {
			return fmt.Errorf("connect to %s: %w", l.p.Broker(), err)
		}
	}
	if time.Since(a.warned) > a.quiet {
		a.warned, a.quiet = time.Now(), min(max(2*a.quiet, warnFirst), warnLast)
		l.log().Warn("broker not reached, trying again and again", "error", err.Error())
	}
	return nil
}

func (l *lane) log() *slog.Logger { return l.p.log.With("broker", l.p.Broker(), "connection", l.index) }

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

func refused(err error) bool {
	return errors.Is(err, packets.ErrorRefusedBadUsernameOrPassword) || errors.Is(err, packets.ErrorRefusedNotAuthorised) ||
		errors.Is(err, packets.ErrorRefusedIDRejected) || errors.Is(err, packets.ErrorRefusedBadProtocolVersion)
}

// pingTimeout is how long a PINGRESP may take.
const pingTimeout = 10 * time.Second

// connect opens a connection with a client of its own: a paho client that has lost its connection is never used again.
func (l *lane) connect(ctx context.Context) (*link, error) {
	cfg := l.p.cfg
	access, err := l.p.access()
	if err != nil {
		return nil, err
	}
	k := &link{
		lane: l, lost: make(chan struct{}), more: make(chan struct{}, 1),
		sent: make(map[uint16]*entry, cfg.Window), early: make([]uint16, 0, mostEarly),
	}
	release := func() bool { return false }
	o := mqtt.NewClientOptions().AddBroker(l.p.url.Scheme + "://" + l.p.url.Host).
		SetClientID(l.p.clientID(l.index)).
		SetUsername(l.p.url.User.Username()).SetPassword(access.password).
		SetProtocolVersion(4).SetCleanSession(true).SetAutoReconnect(false).SetConnectRetry(false).SetOrderMatters(true).
		SetKeepAlive(cfg.KeepAlive).SetPingTimeout(min(pingTimeout, cfg.KeepAlive)).SetConnectTimeout(cfg.ConnectTimeout).
		// Writes only fill a buffer, so this bounds nothing but a Publish that meets a connection which has just ended.
		SetWriteTimeout(time.Second).
		SetConnectionLostHandler(func(_ mqtt.Client, err error) { k.end(err) }).
		SetCustomOpenConnectionFn(func(*url.URL, mqtt.ClientOptions) (net.Conn, error) {
			outer := ctx
			ctx, cancel := context.WithTimeout(ctx, cfg.ConnectTimeout)
			defer cancel()
			conn, err := dial(ctx, l.p.url.Host, access.secure)
			if err != nil {
				return nil, err
			}
			release = context.AfterFunc(outer, func() { conn.Close() }) // the end of Run does not wait for CONNACK
			return newWire(conn, cfg.FlushAfter, cfg.WriteTimeout, k.puback, l.p.leftOut), nil
		})
	if w := l.p.session.Will; w != nil && l.index == 0 {
		o.SetBinaryWill(w.Topic, w.Payload, 1, w.Retained)
	}
	k.client = mqtt.NewClient(o)
	token := k.client.Connect()
	token.Wait() // bounded by ConnectTimeout and ctx
	release()
	if err := token.Error(); err != nil {
		return nil, err
	}
	return k, nil
}

// serve sends through k until the connection is lost or ctx ends.
func (l *lane) serve(ctx context.Context, k *link, old *sync.WaitGroup) {
	if l.index == 0 {
		k.greet(old)
	}
	l.mu.Lock()
	l.present, l.next, l.heard = k, 0, time.Now()
	l.mu.Unlock()
	old.Go(k.send)

	check := time.NewTicker(max(l.p.cfg.AckTimeout/10, 10*time.Millisecond))
	defer check.Stop()
	for alive := true; alive; {
		select {
		case <-ctx.Done():
			alive = false
		case <-k.lost:
			l.log().Warn("connection lost, will send again what was not acknowledged", "error", k.why, "waiting", len(l.slots))
			alive = false
		case <-check.C:
			if silent := l.silence(); silent > l.p.cfg.AckTimeout {
				l.log().Warn("no acknowledgement, will send again on another connection", "silent", silent.Round(time.Second), "waiting", len(l.slots))
				alive = false
			}
		}
	}
	l.mu.Lock()
	l.present = nil
	l.mu.Unlock()
	if l.index == 0 && ctx.Err() != nil {
		k.leave()
	}
	k.end(nil)
	if l.index == 0 {
		for _, in := range l.p.inboxes {
			in.gone()
		}
	}
	k.client.Disconnect(uint(lastWords / time.Millisecond))
}

// silence is how long messages have been waiting without any acknowledgement.
func (l *lane) silence() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.window) == 0 {
		return 0
	}
	return time.Since(l.heard)
}

// take returns the messages that k has to send next, at most len(dst); none once k no longer counts.
func (l *lane) take(k *link, dst []*entry) (n int, present bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.present != k {
		return 0, false
	}
	for n < len(dst) && l.next < len(l.window) {
		if e := l.window[l.next]; !e.acked { // acknowledged ones behind an unacknowledged one stay until it goes
			dst[n] = e
			n++
			if e.sent {
				l.p.resent.Add(1)
			}
			e.sent = true
		}
		l.next++
	}
	return n, true
}

// acknowledge marks e and lets go of the acknowledged messages at the front of the window.
func (l *lane) acknowledge(e *entry) {
	l.mu.Lock()
	if e.acked { // sent twice and confirmed twice
		l.mu.Unlock()
		return
	}
	e.acked = true
	l.heard = time.Now()
	free := 0
	for free < len(l.window) && l.window[free].acked {
		l.window[free] = nil
		free++
	}
	l.window = l.window[free:]
	l.next -= min(free, l.next)
	if len(l.window) == 0 {
		l.window = nil
	}
	l.mu.Unlock()
	l.p.confirm(e.Message)
	for range free {
		<-l.slots
	}
}
