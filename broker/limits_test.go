package broker_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/google/go-cmp/cmp"

	"github.com/lamppost-city/lamppost/broker"
)

// fill publishes with QoS 1, one at a time, until a message is not acknowledged, and returns how many were.
func fill(t *testing.T, r *running, id string, payload []byte) int {
	t.Helper()
	c := connect(t, options(r.Addr(), id, "", ""))
	for n := range 1000 {
		token := c.Publish("city/cam-01/readings", 1, false, append(fmt.Appendf(nil, "%06d-", n), payload...))
		if !token.WaitTimeout(wait) {
			t.Fatal("neither PUBACK nor end of the connection")
		}
		if token.Error() != nil {
			return n
		}
	}
	t.Fatal("the store never fills")
	return 0
}

func TestFullStoreWithholdsPUBACKAndGoesOnWhenDrained(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	cfg.MaxStoreBytes = 2 << 20
	r := start(t, cfg, nil)
	payload := bytes.Repeat([]byte("x"), 100_000)
	stored := fill(t, r, "cam-1", payload)
	if stored < 18 || stored > 20 {
		t.Errorf("stored %d messages of 100 kB in 2 MiB", stored)
	}
	if err := r.Health(); err == nil || !strings.Contains(err.Error(), "full") {
		t.Errorf("health is %v, want a full store", err)
	}
	if r.metric(t, "lamppost_broker_refused_total", "store") == 0 {
		t.Error("not counted")
	}
	// Also a second publisher gets nothing, and what is stored stays.
	if n := fill(t, r, "cam-2", payload); n != 0 {
		t.Errorf("%d more were acknowledged", n)
	}
	in := newInbox()
	ingest(t, r.Broker, in)
	eventually(t, "all that was acknowledged arrives", func() bool { n, _ := in.counts(); return n == stored })
	eventually(t, "healthy again", func() bool { return r.Health() == nil })
	publish(t, connect(t, options(r.Addr(), "cam-3", "", "")), "city/cam-01/readings", "later", 100)
	eventually(t, "later messages arrive", func() bool { n, _ := in.counts(); return n == stored+100 })
}

func TestNearlyFullDiskKeepsPublishersWaitingAndLetsIngestWork(t *testing.T) {
	cfg := config(t)
	r := start(t, cfg, nil)
	publish(t, connect(t, options(r.Addr(), "cam", "", "")), "city/cam-01/readings", "m", 10)
	r.stop()
	cfg.MinFreeBytes = 1 << 50 // more than any disk has
	r = start(t, cfg, nil)
	if err := r.Health(); err == nil || !strings.Contains(err.Error(), "bytes left") {
		t.Errorf("health is %v, want a disk without room", err)
	}
	refusedWith(t, options(r.Addr(), "cam", "", "").SetConnectTimeout(500*time.Millisecond))
	in := newInbox()
	ingest(t, r.Broker, in)
	eventually(t, "ingest takes what is stored", func() bool { n, _ := in.counts(); return n == 10 })
}

func TestAllConnectionsAreThereForClientsOnceReady(t *testing.T) {
	t.Parallel()
	for range 20 {
		cfg := config(t)
		cfg.MaxConnections = 1
		r := start(t, cfg, nil)
		connect(t, options(r.Addr(), "c", "", ""))
		r.stop()
	}
}

func TestLimitsAreHeld(t *testing.T) {
	t.Parallel()
	t.Run("connections", func(t *testing.T) {
		cfg := config(t)
		cfg.MaxConnections = 3
		r := start(t, cfg, nil)
		for i := range 3 {
			connect(t, options(r.Addr(), fmt.Sprint("c", i), "", ""))
		}
		refusedWith(t, options(r.Addr(), "c4", "", ""))
		eventually(t, "three are counted", func() bool { return r.Stats().Connections == 3 })
		eventually(t, "the refusal is counted", func() bool { return r.metric(t, "lamppost_broker_refused_total", "connections") == 1 })
	})
	t.Run("payload", func(t *testing.T) {
		cfg := config(t)
		cfg.MaxPayloadBytes = 4096
		r := start(t, cfg, nil)
		c := connect(t, options(r.Addr(), "c", "", ""))
		if token := c.Publish("city/cam-01/readings", 1, false, make([]byte, 5000)); !token.WaitTimeout(wait) || token.Error() == nil {
			t.Error("5000 bytes were acknowledged")
		}
		eventually(t, "counted", func() bool { return r.metric(t, "lamppost_broker_refused_total", "payload") == 1 })
	})
	t.Run("subscriptions", func(t *testing.T) {
		cfg := config(t)
		cfg.MaxSubscriptions = 5
		r := start(t, cfg, nil)
		c := connect(t, options(r.Addr(), "c", "", ""))
		refused := 0
		for i := range 20 {
			filter := fmt.Sprintf("city/cam-%d/config", i)
			token := c.Subscribe(filter, 0, func(mqtt.Client, mqtt.Message) {}).(*mqtt.SubscribeToken)
			if !token.WaitTimeout(wait) || token.Result()[filter] == 0x80 {
				refused++
			}
		}
		if refused == 0 {
			t.Error("20 subscriptions with a limit of 5")
		}
	})
	t.Run("sessions", func(t *testing.T) {
		cfg := config(t)
		cfg.MaxSessions = 4 // one is ingest's
		r := start(t, cfg, nil)
		for i := range 3 {
			connect(t, options(r.Addr(), fmt.Sprint("c", i), "", "").SetCleanSession(false)).Disconnect(0)
			eventually(t, "it is gone", func() bool { return r.Stats().Connections == 0 })
		}
		refusedWith(t, options(r.Addr(), "c3", "", "").SetCleanSession(false))
		connect(t, options(r.Addr(), "c1", "", "").SetCleanSession(false)) // one that is known comes in
		ingest(t, r.Broker, newInbox())
		if r.metric(t, "lamppost_broker_refused_total", "session") == 0 {
			t.Error("not counted")
		}
	})
	t.Run("retained", func(t *testing.T) {
		cfg := config(t)
		cfg.MaxRetained = 2
		r := start(t, cfg, nil)
		c := connect(t, options(r.Addr(), "c", "", ""))
		for i := range 4 {
			c.Publish(fmt.Sprintf("city/cam-%d/status", i), 1, true, "online").WaitTimeout(wait)
		}
		eventually(t, "two are kept", func() bool { return r.Stats().Retained == 2 })
		if n := r.metric(t, "lamppost_broker_refused_total", "retained"); n != 2 {
			t.Errorf("counted %v, want 2", n)
		}
	})
}

func TestOddTopicsHarmNothing(t *testing.T) {
	r := start(t, config(t), nil)
	in := newInbox()
	ingest(t, r.Broker, in)
	for i, topic := range []string{
		"/", "//", "///", "/city", "city/", "city//readings", "city/cam-01//readings", "/city/cam-01/readings", "city/cam-01/readings/",
		"$SYS", "$SYS/REQ/SERVER/PING", "$", "$share/g/city", "city/+/readings", "city/#", "#", "+", "a+b", "city/cam 01/readings", "city/cam-01/read\tings",
		"city/cam.01/readings", "city/.../readings", ".", "..", "*", ">", "city/*/readings", "city/>", "city/\u00e9/readings", "city/\U0001F6A6/readings",
		"city/\x7f/readings", "city/\x01/readings", "city/\x00/readings", "city/\xff\xfe/readings", strings.Repeat("a/", 2000) + "a", strings.Repeat("x", 60_000),
	} {
		c := connect(t, options(r.Addr(), fmt.Sprint("odd-", i), "", ""))
		token := c.Publish(topic, 1, false, "odd")
		if !token.WaitTimeout(wait) {
			t.Errorf("topic %.40q: neither PUBACK nor end of the connection", topic)
		}
		c.Disconnect(0)
	}
	publish(t, connect(t, options(r.Addr(), "cam", "", "")), "city/cam-01/readings", "m", 100)
	eventually(t, "the others arrive", func() bool { n, _ := in.counts(); return n >= 100 })
	if err := r.Health(); err != nil {
		t.Error(err)
	}
}

func TestNoiseOnThePortHarmsNothing(t *testing.T) {
	r := start(t, config(t), nil)
	for _, bytes := range []string{"", "GET / HTTP/1.1\r\n\r\n", "\x10", "\x10\xff\xff\xff\xff\xff", "\x30\x00", "\x16\x03\x01", strings.Repeat("\x00", 4096), "\x10\x0c\x00\x04MQTT\x05\x02\x00\x3c\x00\x00"} {
		conn := &cutter{}
		raw, err := conn.openAddr(r.Addr())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = raw.Write([]byte(bytes))
		_ = raw.Close()
	}
	publish(t, connect(t, options(r.Addr(), "cam", "", "")), "city/cam-01/readings", "m", 10)
	if err := r.Health(); err != nil {
		t.Error(err)
	}
}

func TestConfigurationFaultsAreReportedTogether(t *testing.T) {
	cfg := broker.Config{
		Listen: "nowhere", TopicRoot: "city/+", Sync: "often", TLS: broker.TLS{CertFile: "c"}, MaxPayloadBytes: 1, AckWait: time.Minute,
		MaxAckPending: 40_000, MaxConnections: 1, MaxSubscriptions: 1, MaxSessions: 1, MaxRetained: 1, MaxStoreBytes: 1 << 30, MaxPendingBytes: 1 << 20,
		Subscribers: []broker.Subscriber{{ClientID: "a b", Filters: []string{"x"}}, {ClientID: "c", Filters: []string{"a", "b"}}},
	}
	_, err := broker.New(cfg, nil, nil, slog.New(slog.DiscardHandler))
	var joined interface{ Unwrap() []error }
	if !errors.As(err, &joined) {
		t.Fatalf("got %v", err)
	}
	var keys []string
	for _, e := range joined.Unwrap() {
		keys = append(keys, strings.SplitN(e.Error(), ": ", 2)[0])
	}
	want := []string{"listen", "dir", "topic_root", "subscribers[0]", "max_ack_pending", "tls", "max_payload_bytes", "sync"}
	if d := cmp.Diff(want, keys); d != "" {
		t.Errorf("keys (-want +got):\n%s", d)
	}
	if err := config(t).Validate(); err != nil {
		t.Errorf("the defaults: %v", err)
	}
}

// nats-server allows a thousand by itself.
func TestMoreThanAThousandSubscriptionsAreServed(t *testing.T) {
	t.Parallel()
	r := start(t, config(t), nil)
	in := newInbox()
	const clients, each = 150, 7 // a session shares 65,535 unacknowledged messages among its subscriptions
	for i := range clients {
		c := connect(t, options(r.Addr(), fmt.Sprintf("bridge-%d", i), "", ""))
		filters := map[string]byte{}
		for k := range each {
			filters[fmt.Sprintf("city/bridge-%d-%d/config", i, k)] = 1
		}
		token := c.SubscribeMultiple(filters, in.handle).(*mqtt.SubscribeToken)
		if !token.WaitTimeout(wait) || token.Error() != nil {
			t.Fatalf("client %d: %v", i, token.Error())
		}
		refused := 0
		for _, code := range token.Result() {
			if code != 1 {
				refused++
			}
		}
		if refused > 0 {
			t.Fatalf("client %d: %d of %d refused", i, refused, each)
		}
	}
	publish(t, connect(t, options(r.Addr(), "desk", "", "")), fmt.Sprintf("city/bridge-%d-%d/config", clients-1, each-1), "settings", 1)
	eventually(t, "the last one hears", func() bool { n, _ := in.counts(); return n == 1 })
}
