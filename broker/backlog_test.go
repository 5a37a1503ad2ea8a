package broker_test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/lamppost-city/lamppost/broker"
)

// whole is a broker whose ingest reads everything below the root.
func whole(t testing.TB) broker.Config {
	t.Helper()
	cfg := config(t)
	cfg.Subscribers = []broker.Subscriber{{ClientID: "ingest", Filters: []string{cfg.TopicRoot + "/#"}}}
	return cfg
}

// taking is an ingest that notes topics and acknowledges.
func taking(t testing.TB, b *broker.Broker, filter string) (topics func() []string) {
	t.Helper()
	var mu sync.Mutex
	var got []string
	user, password := b.Session()
	c := connect(t, options(b.Addr(), "ingest", user, password.Reveal()).SetCleanSession(false).SetDefaultPublishHandler(func(_ mqtt.Client, m mqtt.Message) {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, m.Topic())
	}))
	if token := c.Subscribe(filter, 1, nil); !token.WaitTimeout(wait) || token.Error() != nil {
		t.Fatalf("subscribe: %v", token.Error())
	}
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Sorted(slices.Values(got))
	}
}

// nats-server reads a backlog straight on only where a subscription's filter is, letter for letter, the one subject of
// the messages. Else each message costs a look at all topics that wait.
func TestIngestsFilterIsTheSubjectOfAllMessages(t *testing.T) {
	for _, root := range []string{"city", "acme/city"} {
		t.Run(root, func(t *testing.T) {
			cfg := config(t)
			cfg.TopicRoot = root
			cfg.Subscribers[0].Filters = []string{root + "/#"}
			start(t, cfg, nil).stop()
			var stream struct{ Subjects []string }
			read := func(file string, into any) {
				data, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				if err := json.Unmarshal(data, into); err != nil {
					t.Fatal(err)
				}
			}
			read(files(t, cfg.Dir, "$MQTT_msgs/meta.inf")[0], &stream)
			if len(stream.Subjects) != 1 {
				t.Fatalf("subjects %q, want one", stream.Subjects)
			}
			var filters []string
			for _, file := range files(t, cfg.Dir, "$MQTT_msgs/obs/*/meta.inf") {
				var consumer struct {
					Filter string `json:"filter_subject"`
				}
				read(file, &consumer)
				filters = append(filters, consumer.Filter)
			}
			if !slices.Contains(filters, stream.Subjects[0]) {
				t.Errorf("the messages' subject is %s, ingest reads %q", stream.Subjects[0], filters)
			}
		})
	}
}

func TestMessageToTheRootItselfIsNotLost(t *testing.T) {
	r := start(t, whole(t), nil)
	pub := connect(t, options(r.Addr(), "cam", "", ""))
	for _, topic := range []string{"city", "city/", "city/cam-01", "city//readings", "city/a/b/c/d"} {
		publish(t, pub, topic, "m", 1)
	}
	topics := taking(t, r.Broker, "city/#")
	want := []string{"city/", "city/", "city//readings", "city/a/b/c/d", "city/cam-01"}
	eventually(t, "all five arrive, once, the root as a topic below itself", func() bool { return slices.Equal(topics(), want) })
}

func TestWaitingMessagesOutliveAChangeOfTheRoot(t *testing.T) {
	cfg := whole(t)
	r := start(t, cfg, nil)
	publish(t, connect(t, options(r.Addr(), "cam", "", "")), "city/cam-01/readings", "m", 100)
	r.stop()
	cfg.TopicRoot = "town"
	r = start(t, cfg, nil)
	topics := taking(t, r.Broker, "city/#")
	eventually(t, "what waited below the old root arrives", func() bool { return len(topics()) == 100 })
}

// BenchmarkBacklog reads messages of a number of topics that have waited for ingest. The broker is a process of its
// own; its CPU a message is broker-µs/op.
func BenchmarkBacklog(b *testing.B) {
	for _, topics := range []int{1, 1_000, 10_000} {
		b.Run(fmt.Sprintf("topics=%d", topics), func(b *testing.B) {
			p := spawn(b, b.TempDir(), childFilter+"=city/#")
			pub := connect(b, options(p.addr, "cam", "", ""))
			window := make(chan mqtt.Token, 500)
			go func() {
				defer close(window)
				for i := range b.N {
					window <- pub.Publish(fmt.Sprintf("city/cam-%d/readings", i%topics), 1, false, make([]byte, 200))
				}
			}()
			for token := range window {
				if !token.WaitTimeout(wait) || token.Error() != nil {
					b.Fatal("publish: ", token.Error())
				}
			}
			var got atomic.Int64
			before := cpu(b, p.cmd.Process.Pid)
			b.ResetTimer()
			connect(b, options(p.addr, "ingest", p.user, p.password).SetCleanSession(false).
				SetDefaultPublishHandler(func(mqtt.Client, mqtt.Message) { got.Add(1) }))
			for end := time.Now().Add(5 * time.Minute); got.Load() < int64(b.N); time.Sleep(time.Millisecond) {
				if time.Now().After(end) {
					b.Fatalf("%d of %d arrived", got.Load(), b.N)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msgs/s")
			b.ReportMetric((cpu(b, p.cmd.Process.Pid)-before).Seconds()*1e6/float64(b.N), "broker-µs/op")
		})
	}
}
