package broker_test

import (
	"bytes"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

func TestEveryMessageToAnAbsentSubscriberArrivesLater(t *testing.T) {
	cfg := config(t)
	r := start(t, cfg, nil)
	publish(t, connect(t, options(r.Addr(), "cam", "", "")), "city/cam-01/readings", "m", 20_000)
	in := newInbox()
	ingest(t, r.Broker, in)
	eventually(t, "20,000 messages arrive", func() bool { n, _ := in.counts(); return n == 20_000 })
	if _, total := in.counts(); total != 20_000 {
		t.Errorf("got %d messages, want 20,000: some came twice", total)
	}
}

func TestUnacknowledgedMessagesComeAgainAtOnceAfterReconnect(t *testing.T) {
	cfg := config(t)
	r := start(t, cfg, nil)
	publish(t, connect(t, options(r.Addr(), "cam", "", "")), "city/cam-01/readings", "m", 100)
	in := newInbox()
	in.hold = true
	c := ingest(t, r.Broker, in)
	eventually(t, "100 messages arrive", func() bool { n, _ := in.counts(); return n == 100 })
	c.Disconnect(0)
	again := newInbox()
	began := time.Now()
	ingest(t, r.Broker, again)
	eventually(t, "100 messages come again", func() bool { n, _ := again.counts(); return n == 100 })
	if d := time.Since(began); d > 10*time.Second {
		t.Errorf("took %v, want less than ack_wait", d)
	}
}

func TestSessionAndMessagesOutliveARestart(t *testing.T) {
	cfg := config(t)
	r := start(t, cfg, nil)
	in := newInbox()
	in.hold = true
	c := ingest(t, r.Broker, in)
	publish(t, connect(t, options(r.Addr(), "cam", "", "")), "city/cam-01/readings", "held", 50)
	eventually(t, "50 messages arrive", func() bool { n, _ := in.counts(); return n == 50 })
	c.Disconnect(0)
	publish(t, connect(t, options(r.Addr(), "cam-2", "", "")), "city/cam-01/readings", "absent", 50)
	r.stop()

	r = start(t, cfg, nil)
	in = newInbox()
	began := time.Now()
	ingest(t, r.Broker, in)
	eventually(t, "all 100 messages arrive", func() bool { n, _ := in.counts(); return n == 100 })
	if d := time.Since(began); d > cfg.AckWait/2 {
		t.Errorf("took %v: unacknowledged messages waited for ack_wait", d)
	}
	eventually(t, "the store is empty", func() bool { return r.Stats().Stored == 0 })
}

func TestSubscriberIsServedFromTheFirstMessage(t *testing.T) {
	r := start(t, config(t), nil) // ingest has never been there
	publish(t, connect(t, options(r.Addr(), "cam", "", "")), "city/cam-01/readings", "m", 1)
	in := newInbox()
	ingest(t, r.Broker, in)
	eventually(t, "the message arrives", func() bool { n, _ := in.counts(); return n == 1 })
}

func TestUnacknowledgedMessagesComeAgainWhileConnected(t *testing.T) {
	cfg := config(t)
	cfg.AckWait = time.Second
	r := start(t, cfg, nil)
	in := newInbox()
	in.hold = true
	ingest(t, r.Broker, in)
	publish(t, connect(t, options(r.Addr(), "cam", "", "")), "city/cam-01/readings", "m", 10)
	eventually(t, "each comes a second time", func() bool { n, total := in.counts(); return n == 10 && total >= 20 })
}

func TestSubscriberThatHoldsItsBreathKeepsItsConnection(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	cfg.MaxAckPending = 100
	r := start(t, cfg, nil)
	release := make(chan struct{})
	in := newInbox()
	user, password := r.Session()
	lost := make(chan error, 1)
	o := options(r.Addr(), "ingest", user, password.Reveal()).SetCleanSession(false).SetAutoAckDisabled(true).SetKeepAlive(0).
		SetConnectionLostHandler(func(_ mqtt.Client, err error) { lost <- err })
	c := connect(t, o)
	c.Subscribe("city/+/readings", 1, func(c mqtt.Client, m mqtt.Message) { <-release; in.handle(c, m) }).WaitTimeout(wait)
	pub := connect(t, options(r.Addr(), "cam", "", ""))
	big := bytes.Repeat([]byte("x"), 300_000)
	for range 150 { // 45 MB, more than the sockets hold
		if token := pub.Publish("city/cam-01/readings", 1, false, big); !token.WaitTimeout(wait) || token.Error() != nil {
			t.Fatal(token.Error())
		}
	}
	// Longer than nats-server's ten seconds for one write.
	select {
	case err := <-lost:
		t.Fatalf("connection lost: %v", err)
	case <-time.After(12 * time.Second):
	}
	close(release)
	eventually(t, "all 150 arrive", func() bool { _, total := in.counts(); return total >= 150 })
}

func TestLargePayloadPassesThrough(t *testing.T) {
	r := start(t, config(t), nil)
	in := newInbox()
	ingest(t, r.Broker, in)
	payload := bytes.Repeat([]byte("0123456789"), 1<<20)
	if token := connect(t, options(r.Addr(), "cam", "", "")).Publish("city/cam-01/readings", 1, false, payload); !token.WaitTimeout(wait) || token.Error() != nil {
		t.Fatal(token.Error())
	}
	eventually(t, "10 MB arrive", func() bool { return in.count(string(payload)) == 1 })
}

func TestStatusIsRetainedAndTheWillIsSent(t *testing.T) {
	r := start(t, config(t), nil)
	o := options(r.Addr(), "cam", "", "").SetWill("city/cam-01/status", "offline", 1, true)
	conn := &cutter{}
	o.SetCustomOpenConnectionFn(conn.open)
	pub := connect(t, o)
	if token := pub.Publish("city/cam-01/status", 1, true, "online"); !token.WaitTimeout(wait) || token.Error() != nil {
		t.Fatal(token.Error())
	}
	in, watch := newInbox(), connect(t, options(r.Addr(), "watch", "", ""))
	eventually(t, "the retained birth arrives", func() bool { // soon after its PUBACK, not at once
		in.subscribe(t, watch, "city/+/status")
		return in.count("online") > 0
	})
	conn.cut()
	eventually(t, "the will arrives", func() bool { return in.count("offline") > 0 })
	late, lateWatch := newInbox(), connect(t, options(r.Addr(), "watch-2", "", ""))
	eventually(t, "the will is retained", func() bool {
		late.subscribe(t, lateWatch, "city/+/status")
		return late.count("offline") > 0
	})
}
