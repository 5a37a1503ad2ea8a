package broker_test

import (
	"bytes"
	"fmt"
	"sync"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// nats-server's own removal loses about one message in 200 here.
func TestSessionsThatEndTakeNoMessageWithThem(t *testing.T) {
	t.Parallel()
	r := start(t, config(t), nil)
	in := newInbox()
	ingest(t, r.Broker, in)
	stop := make(chan struct{})
	var coming sync.WaitGroup
	for w := range 4 {
		coming.Go(func() { comeAndGo(t, r.Addr(), fmt.Sprintf("bridge-%d", w), stop) })
	}
	acknowledged := make([]int, 3)
	var publishing sync.WaitGroup
	for p := range acknowledged {
		name := fmt.Sprintf("cam-%d", p)
		c := connect(t, options(r.Addr(), name, "", ""))
		publishing.Go(func() {
			for began := time.Now(); time.Since(began) < 5*time.Second; acknowledged[p]++ {
				token := c.Publish("city/"+name+"/readings", 1, false, fmt.Sprintf("%s-%d", name, acknowledged[p]))
				if !token.WaitTimeout(wait) || token.Error() != nil {
					t.Errorf("%s: message %d: %v", name, acknowledged[p], token.Error())
					return
				}
			}
		})
	}
	publishing.Wait()
	close(stop)
	coming.Wait()
	want := acknowledged[0] + acknowledged[1] + acknowledged[2]
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		got, _ := in.counts()
		if got == want {
			t.Logf("%d messages", want)
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d of %d acknowledged messages arrived", got, want)
		}
	}
}

// comeAndGo connects, subscribes and leaves, again and again until stop is closed.
func comeAndGo(t *testing.T, addr, name string, stop <-chan struct{}) {
	for i := 0; ; i++ {
		select {
		case <-stop:
			return
		default:
		}
		c := mqtt.NewClient(options(addr, fmt.Sprintf("%s-%d", name, i), "", ""))
		if token := c.Connect(); !token.WaitTimeout(wait) || token.Error() != nil {
			t.Errorf("connect %s: %v", name, token.Error())
			return
		}
		for _, about := range []string{"config", "command"} {
			token := c.Subscribe("city/"+name+"/"+about, 1, func(mqtt.Client, mqtt.Message) {})
			if !token.WaitTimeout(wait) || token.Error() != nil {
				t.Errorf("subscribe %s: %v", name, token.Error())
			}
		}
		c.Disconnect(0)
	}
}

// flow publishes messages of 64 KiB one after the other, and waits for each to be acknowledged.
func flow(t *testing.T, r *running, name string, n int) {
	t.Helper()
	c := connect(t, options(r.Addr(), name, "", ""))
	payload := bytes.Repeat([]byte{'x'}, 64<<10)
	for i := range n {
		token := c.Publish("city/"+name+"/readings", 1, false, append(payload, fmt.Sprintf("%s-%d", name, i)...))
		if !token.WaitTimeout(wait) || token.Error() != nil {
			t.Fatalf("message %d: %v", i, token.Error())
		}
		if i%16 == 0 {
			time.Sleep(100 * time.Millisecond) // 10 MB a second, so that the store is not filled between two looks at it
		}
	}
}

func TestWhatAllHaveTakenMakesRoom(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	cfg.MaxStoreBytes = 32 << 20
	r := start(t, cfg, nil)
	in := newInbox()
	ingest(t, r.Broker, in)
	flow(t, r, "cam-01", 1000)
	eventually(t, "all arrive", func() bool { n, _ := in.counts(); return n == 1000 })
	if n := r.metric(t, "lamppost_broker_refused_total", "store"); n != 0 {
		t.Errorf("%v messages were refused for want of room", n)
	}
	eventually(t, "the store gives its room back", func() bool { return r.Stats().StoredBytes < 16<<20 })
}

func TestSubscriberThatIsAwayHoldsUpItsOwnMessagesOnly(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	cfg.MaxStoreBytes = 32 << 20
	r := start(t, cfg, nil)
	in := newInbox()
	ingest(t, r.Broker, in)
	sleeper := newInbox()
	away := connect(t, options(r.Addr(), "bridge-7", "", "").SetCleanSession(false))
	sleeper.subscribe(t, away, "city/bridge-7/command")
	away.Disconnect(0)
	publish(t, connect(t, options(r.Addr(), "desk", "", "")), "city/bridge-7/command", "restart", 3)
	flow(t, r, "cam-01", 1000)
	eventually(t, "all readings arrive", func() bool { n, _ := in.counts(); return n == 1000 })
	if n := r.metric(t, "lamppost_broker_refused_total", "store"); n != 0 {
		t.Errorf("%v messages were refused for want of room", n)
	}
	connect(t, options(r.Addr(), "bridge-7", "", "").SetCleanSession(false).SetDefaultPublishHandler(sleeper.handle))
	eventually(t, "the commands arrive", func() bool { n, _ := sleeper.counts(); return n == 3 })
}
