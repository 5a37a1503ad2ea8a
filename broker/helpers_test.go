package broker_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"sync"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/lamppost-city/lamppost/broker"
)

const wait = 30 * time.Second

// config is a broker on a free port, with the durable session of ingest.
func config(t testing.TB) broker.Config {
	t.Helper()
	cfg := broker.DefaultConfig()
	cfg.Listen = "127.0.0.1:0"
	cfg.Dir = t.TempDir()
	cfg.Subscribers = []broker.Subscriber{{ClientID: "ingest", Filters: []string{"city/+/readings"}}}
	return cfg
}

// running is a broker that a test started.
type running struct {
	*broker.Broker
	reg  *prometheus.Registry
	stop func()
}

func start(t testing.TB, cfg broker.Config, creds broker.Credentials) *running {
	t.Helper()
	r := &running{reg: prometheus.NewRegistry()}
	handler := slog.DiscardHandler
	if testing.Verbose() {
		handler = slog.NewTextHandler(os.Stderr, nil)
	}
	b, err := broker.New(cfg, creds, r.reg, slog.New(handler))
	if err != nil {
		t.Fatal(err)
	}
	r.Broker = b
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	var once sync.Once
	r.stop = func() {
		once.Do(func() {
			cancel()
			select {
			case err := <-done:
				if err != nil {
					t.Errorf("run: %v", err)
				}
			case <-time.After(wait):
				t.Error("the broker does not stop")
			}
		})
	}
	t.Cleanup(r.stop)
	select {
	case <-b.Ready():
	case err := <-done:
		done <- nil
		t.Fatalf("run: %v", err)
	case <-time.After(wait):
		t.Fatal("the broker is not ready")
	}
	return r
}

// options of a paho client that never connects again by itself: with AutoReconnect paho ends a publish token without an
// error and without PUBACK when the connection drops. Without the version, it hides a refusal behind that of a second
// attempt with MQTT 3.1.
func options(addr, id, user, password string) *mqtt.ClientOptions {
	return mqtt.NewClientOptions().AddBroker("tcp://" + addr).SetClientID(id).SetUsername(user).SetPassword(password).
		SetProtocolVersion(4).SetAutoReconnect(false).SetConnectTimeout(wait).SetWriteTimeout(wait).SetCleanSession(true)
}

func connect(t testing.TB, o *mqtt.ClientOptions) mqtt.Client {
	t.Helper()
	c := mqtt.NewClient(o)
	token := c.Connect()
	if !token.WaitTimeout(wait) || token.Error() != nil {
		t.Fatalf("connect %s: %v", o.ClientID, token.Error())
	}
	t.Cleanup(func() { c.Disconnect(0) })
	return c
}

// inbox collects payloads and counts each.
type inbox struct {
	mu    sync.Mutex
	got   map[string]int
	total int
	hold  bool // do not acknowledge
}

func newInbox() *inbox { return &inbox{got: map[string]int{}} }

func (i *inbox) handle(_ mqtt.Client, m mqtt.Message) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.got[string(m.Payload())]++
	i.total++
	if !i.hold {
		m.Ack()
	}
}

func (i *inbox) counts() (distinct, total int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return len(i.got), i.total
}

func (i *inbox) count(payload string) int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.got[payload]
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(wait); ; time.Sleep(5 * time.Millisecond) {
		if ok() {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", wait, what)
		}
	}
}

// ingest connects as ingest does: persistent session, own acknowledgement.
func ingest(t testing.TB, b *broker.Broker, in *inbox) mqtt.Client {
	t.Helper()
	user, password := b.Session()
	o := options(b.Addr(), "ingest", user, password.Reveal()).SetCleanSession(false).SetAutoAckDisabled(true).
		SetDefaultPublishHandler(in.handle)
	c := connect(t, o)
	token := c.Subscribe("city/+/readings", 1, in.handle)
	if !token.WaitTimeout(wait) || token.Error() != nil {
		t.Fatalf("subscribe: %v", token.Error())
	}
	for filter, code := range token.(*mqtt.SubscribeToken).Result() {
		if code != 1 {
			t.Fatalf("subscribe %s: code %d", filter, code)
		}
	}
	return c
}

// publish sends n payloads with QoS 1 and waits for every PUBACK.
func publish(t testing.TB, c mqtt.Client, topic, prefix string, n int) {
	t.Helper()
	tokens := make([]mqtt.Token, 0, n)
	for i := range n {
		tokens = append(tokens, c.Publish(topic, 1, false, fmt.Sprintf("%s-%d", prefix, i)))
	}
	for _, token := range tokens {
		if !token.WaitTimeout(wait) || token.Error() != nil || !c.IsConnectionOpen() {
			t.Fatalf("publish: %v, connected %v", token.Error(), c.IsConnectionOpen())
		}
	}
}

// subscribe to a filter with QoS 1; every payload is counted.
func (i *inbox) subscribe(t testing.TB, c mqtt.Client, filter string) {
	t.Helper()
	token := c.Subscribe(filter, 1, i.handle).(*mqtt.SubscribeToken)
	if !token.WaitTimeout(wait) || token.Error() != nil || token.Result()[filter] != 1 {
		t.Fatalf("subscribe %s: %v, code %d", filter, token.Error(), token.Result()[filter])
	}
}

// cutter opens a connection that the test can cut, as a network does.
type cutter struct{ conn net.Conn }

func (c *cutter) open(uri *url.URL, _ mqtt.ClientOptions) (net.Conn, error) {
	return c.openAddr(uri.Host)
}

func (c *cutter) openAddr(addr string) (net.Conn, error) {
	conn, err := net.Dial("tcp", addr)
	c.conn = conn
	return conn, err
}

func (c *cutter) cut() { _ = c.conn.Close() }

// metric reads a value; label is that of its only label, or "".
func (r *running) metric(t testing.TB, name, label string) float64 {
	t.Helper()
	families, err := r.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name && (label == "" || m.GetLabel()[0].GetValue() == label) {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	t.Fatalf("no metric %s %s", name, label)
	return 0
}
