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

// warnEvery is how often the log says that the broker is still away.
const warnEvery = 10 * time.Second

// run keeps a connection until ctx ends. It returns an error only where trying again makes no sense.
func (l *lane) run(ctx context.Context) error {
	pause, connected := l.p.cfg.RetryMin, false
	var warned time.Time
	var old sync.WaitGroup // links whose sender is still inside paho
	defer old.Wait()
	for ctx.Err() == nil {
		k, err := l.connect(ctx)
		if err == nil {
			connected, pause, warned = true, l.p.cfg.RetryMin, time.Time{}
			l.p.connects.Add(1)
			l.log().Info("connected")
			l.serve(ctx, k, &old)
			continue
		}
		if ctx.Err() != nil {
			return nil
		}
		if !connected && refused(err) {
			return fmt.Errorf("connect to %s: %w: %w", l.p.Broker(), errRefused, err)
		}
		wait := pause/2 + rand.N(pause) // jitter: lanes and publishers must not come back all at once
		pause = min(2*pause, l.p.cfg.RetryMax)
		if time.Since(warned) > warnEvery {
			warned = time.Now()
			l.log().Warn("broker not reached, trying again and again", "error", err.Error())
		}
		sleep(ctx, wait)
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

// connect opens a connection with a client of its own: a paho client that has lost its connection is never used again.
func (l *lane) connect(ctx context.Context) (*link, error) {
	cfg := l.p.cfg
	k := &link{
		lane: l, lost: make(chan struct{}), more: make(chan struct{}, 1),
		sent: make(map[uint16]*entry, cfg.Window), early: make([]uint16, 0, mostEarly),
	}
	o := mqtt.NewClientOptions().AddBroker(l.p.url.Scheme + "://" + l.p.url.Host).
		SetClientID(fmt.Sprintf("%s-%d", l.p.client, l.index)).
		SetUsername(l.p.url.User.Username()).SetPassword(l.p.password).
		SetProtocolVersion(4).SetCleanSession(true).SetAutoReconnect(false).SetConnectRetry(false).SetOrderMatters(true).
		SetKeepAlive(30 * time.Second).SetPingTimeout(10 * time.Second).SetConnectTimeout(cfg.ConnectTimeout).
		// Writes only fill a buffer, so this bounds nothing but a Publish that meets a connection which has just ended.
		SetWriteTimeout(time.Second).
		SetConnectionLostHandler(func(_ mqtt.Client, err error) { k.end(err) }).
		SetCustomOpenConnectionFn(func(*url.URL, mqtt.ClientOptions) (net.Conn, error) {
			ctx, cancel := context.WithTimeout(ctx, cfg.ConnectTimeout)
			defer cancel()
			conn, err := dial(ctx, l.p.url.Host, l.p.secure)
			if err != nil {
				return nil, err
			}
			return newWire(conn, cfg.FlushAfter, cfg.WriteTimeout, k.puback), nil
		})
	k.client = mqtt.NewClient(o)
	token := k.client.Connect()
	token.Wait() // bounded by ConnectTimeout, and by ctx while dialling
	if err := token.Error(); err != nil {
		return nil, err
	}
	return k, nil
}

// serve sends through k until the connection is lost or ctx ends.
func (l *lane) serve(ctx context.Context, k *link, old *sync.WaitGroup) {
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
	k.end(nil)
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
