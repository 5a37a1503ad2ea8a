package mqtt_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/lamppost-city/lamppost/broker"
	"github.com/lamppost-city/lamppost/ingest/mqtt"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const wait = 30 * time.Second

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

// startBroker runs the embedded broker on a folder.
func startBroker(t *testing.T, dir string, change ...func(*broker.Config)) (b *broker.Broker, stop func()) {
	t.Helper()
	cfg := broker.DefaultConfig()
	cfg.Listen, cfg.Dir, cfg.AckWait = "127.0.0.1:0", dir, time.Second
	cfg.Subscribers = []broker.Subscriber{{ClientID: "lamppost-ingest", Filters: []string{"city/#"}}}
	for _, edit := range change {
		edit(&cfg)
	}
	b, err := broker.New(cfg, nil, prometheus.NewRegistry(), discard())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("broker: %v", err)
		}
	})
	t.Cleanup(stop)
	select {
	case <-b.Ready():
	case <-time.After(wait):
		t.Fatal("the broker is not ready")
	}
	return b, stop
}

// publish sends payloads with QoS 1 and waits for their acknowledgements.
func publish(t *testing.T, addr string, payloads ...string) {
	t.Helper()
	client := paho.NewClient(paho.NewClientOptions().AddBroker("tcp://" + addr).SetClientID("publisher").SetProtocolVersion(4).SetAutoReconnect(false))
	if token := client.Connect(); !token.WaitTimeout(wait) || token.Error() != nil {
		t.Fatal("connect", token.Error())
	}
	defer client.Disconnect(100)
	for _, payload := range payloads {
		if token := client.Publish("city/p-1/readings", 1, false, payload); !token.WaitTimeout(wait) || token.Error() != nil {
			t.Fatal("publish", token.Error())
		}
	}
}

func configFor(b *broker.Broker, addr string) mqtt.Config {
	cfg := mqtt.DefaultConfig()
	cfg.URL = "mqtt://" + addr
	cfg.User, cfg.Password = b.Session()
	cfg.MaxBackoff = time.Second
	return cfg
}

// subscriber is a session that runs.
type subscriber struct {
	*mqtt.Session
	t    *testing.T
	out  chan *mqtt.Batch
	stop func()
}

func subscribe(t *testing.T, cfg mqtt.Config) *subscriber {
	t.Helper()
	return subscribeInto(t, cfg, make(chan *mqtt.Batch, 64))
}

func subscribeInto(t *testing.T, cfg mqtt.Config, out chan *mqtt.Batch) *subscriber {
	t.Helper()
	s, err := mqtt.New(cfg, 0, prometheus.NewRegistry(), discard())
	if err != nil {
		t.Fatal(err)
	}
	r := &subscriber{Session: s, t: t, out: out}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, r.out) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		for {
			select {
			case b := <-r.out: // taken before the end
				b.Release()
			case err := <-done:
				if err != nil {
					t.Errorf("run: %v", err)
				}
				for len(r.out) > 0 {
					(<-r.out).Release()
				}
				return
			case <-time.After(wait):
				t.Error("the session does not end")
				return
			}
		}
	})
	t.Cleanup(r.stop)
	return r
}

func (s *subscriber) waitReady() {
	s.t.Helper()
	select {
	case <-s.Ready():
	case <-time.After(wait):
		s.t.Fatalf("not ready: %v", s.Health())
	}
}

// until takes batches, and acknowledges those that keep says, until all payloads have been acknowledged.
func (s *subscriber) until(want map[string]bool, keep func(*mqtt.Batch) bool) {
	s.t.Helper()
	deadline := time.After(wait)
	for len(want) > 0 {
		select {
		case b := <-s.out:
			if keep == nil || keep(b) {
				if err := b.Acknowledge(); err == nil {
					for _, d := range b.Deliveries {
						delete(want, string(d.Payload))
					}
				}
			}
			b.Release()
		case <-deadline:
			s.t.Fatalf("%d messages have not come; health: %v", len(want), s.Health())
		}
	}
}

// unwell waits for a health that contains the words.
func (s *subscriber) unwell(words ...string) {
	s.t.Helper()
	deadline := time.Now().Add(wait)
	for {
		err := s.Health()
		missing := ""
		for _, word := range words {
			if err == nil || !strings.Contains(err.Error(), word) {
				missing = word
			}
		}
		if missing == "" {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("health does not say %q: %v", missing, err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func numbered(from, to int) (payloads []string, set map[string]bool) {
	set = make(map[string]bool)
	for i := from; i < to; i++ {
		payloads = append(payloads, fmt.Sprintf("message %d", i))
		set[payloads[len(payloads)-1]] = true
	}
	return payloads, set
}

// gate is a network that can fail: it passes connections on to a target.
type gate struct {
	net.Listener
	mu     sync.Mutex
	target string // "" refuses
	open   map[net.Conn]bool
	made   int
	cutAt  int64 // cuts the next connection after so many bytes to the client, 0 for never
	all    sync.WaitGroup
}

func newGate(t *testing.T) *gate {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{Listener: l, open: make(map[net.Conn]bool)}
	g.all.Go(g.accept)
	t.Cleanup(func() {
		_ = l.Close()
		g.cut()
		g.all.Wait()
	})
	return g
}

func (g *gate) accept() {
	for {
		in, err := g.Accept()
		if err != nil {
			return
		}
		g.mu.Lock()
		target, cutAt := g.target, g.cutAt
		g.cutAt = 0
		g.made++
		g.mu.Unlock()
		out, err := net.Dial("tcp", target)
		if target == "" || err != nil {
			_ = in.Close()
			continue
		}
		g.mu.Lock()
		g.open[in], g.open[out] = true, true
		g.mu.Unlock()
		pass := func(to, from net.Conn, limit int64) {
			if limit > 0 {
				_, _ = io.CopyN(to, from, limit)
			} else {
				_, _ = io.Copy(to, from)
			}
			_ = to.Close()
			_ = from.Close()
		}
		g.all.Go(func() { pass(out, in, 0) })
		g.all.Go(func() { pass(in, out, cutAt) })
	}
}

func (g *gate) to(target string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.target = target
}

func (g *gate) cut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for c := range g.open {
		_ = c.Close()
	}
	clear(g.open)
}

func (g *gate) cutNextAfter(bytes int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.cutAt = bytes
}

func (g *gate) connections() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.made
}
