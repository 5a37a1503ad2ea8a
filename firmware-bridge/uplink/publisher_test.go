package uplink_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/lamppost-city/lamppost/firmware-bridge/uplink"
	"github.com/lamppost-city/lamppost/firmware-bridge/uplink/uplinktest"
)

func TestMain(m *testing.M) {
	// A toxic of a link that was cut, or what feeds it, stays in its send for ever: toxiproxy 2.12's own leak.
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/Shopify/toxiproxy/v2/toxics.(*NoopToxic).Pipe"),
		goleak.IgnoreTopFunction("github.com/Shopify/toxiproxy/v2/stream.(*ChanWriter).Write"))
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func config(url string) uplink.Config {
	cfg := uplink.DefaultConfig()
	cfg.URL, cfg.Connections, cfg.Window = url, 1, 100
	cfg.RetryMin, cfg.RetryMax, cfg.AckTimeout = time.Millisecond, 50*time.Millisecond, 300*time.Millisecond
	return cfg
}

// confirmed collects what the publisher reports as acknowledged.
type confirmed struct {
	mu       sync.Mutex
	payloads map[string]int
}

func (c *confirmed) note(m uplink.Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.payloads == nil {
		c.payloads = map[string]int{}
	}
	c.payloads[string(m.Payload)]++
}

// running starts a publisher; the returned function stops it and returns Run's error.
func running(t *testing.T, cfg uplink.Config, hook func(uplink.Message)) (*uplink.Publisher, func() error) {
	t.Helper()
	p, err := uplink.New(cfg, hook, quiet())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	var once sync.Once
	var result error
	stop := func() error {
		once.Do(func() {
			cancel()
			result = <-ended
		})
		return result
	}
	t.Cleanup(func() { _ = stop() })
	return p, stop
}

func publish(t *testing.T, p *uplink.Publisher, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		m := uplink.Message{Topic: fmt.Sprintf("city/s%d/readings", i%50), Payload: fmt.Appendf(nil, "%d", i), Readings: 3}
		if err := p.Publish(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
}

func flush(t *testing.T, p *uplink.Publisher) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := p.Flush(ctx); err != nil {
		t.Fatal(err)
	}
}

func TestMessageWithoutPubackIsSentAgainAndNeverCounted(t *testing.T) {
	for name, answer := range map[string]func(int) uplinktest.Verdict{
		"connection dropped on every 17th message": func(nth int) uplinktest.Verdict {
			if nth%17 == 0 {
				return uplinktest.Drop
			}
			return uplinktest.Ack
		},
		"silence, then the connection is dropped": func(nth int) uplinktest.Verdict {
			switch n := nth % 60; {
			case n == 59:
				return uplinktest.Drop
			case n > 30:
				return uplinktest.Silence
			}
			return uplinktest.Ack
		},
		"PUBACK for identifiers that were never used": func(nth int) uplinktest.Verdict {
			switch n := nth % 40; {
			case n == 39:
				return uplinktest.Drop
			case n > 30:
				return uplinktest.Other
			}
			return uplinktest.Ack
		},
	} {
		t.Run(name, func(t *testing.T) {
			broker := uplinktest.New(t, answer)
			var got confirmed
			p, stop := running(t, config("mqtt://"+broker.Address()), got.note)
			publish(t, p, 0, 500)
			flush(t, p)
			counts := p.Counts()
			if err := stop(); err != nil {
				t.Fatal(err)
			}
			answered := broker.Answered()
			for payload := range got.payloads {
				if answered[payload] == 0 {
					t.Errorf("message %s counts as acknowledged, but the broker never answered it", payload)
				}
				if got.payloads[payload] != 1 {
					t.Errorf("message %s was confirmed %d times", payload, got.payloads[payload])
				}
			}
			if len(got.payloads) != 500 || counts.Messages != 500 || counts.Readings != 1500 || counts.Waiting != 0 {
				t.Errorf("%d messages confirmed, counts %+v; want 500 messages, 1500 readings", len(got.payloads), counts)
			}
			if counts.Resent == 0 || counts.Connects < 2 {
				t.Errorf("counts %+v: the broker dropped connections, so there must be messages sent again", counts)
			}
		})
	}
}

func TestMessagesOfATopicKeepTheirOrder(t *testing.T) {
	broker := uplinktest.New(t, func(nth int) uplinktest.Verdict {
		if nth%101 == 0 {
			return uplinktest.Drop
		}
		return uplinktest.Ack
	})
	cfg := config("mqtt://" + broker.Address())
	cfg.Connections = 3
	p, _ := running(t, cfg, nil)
	publish(t, p, 0, 600)
	flush(t, p)
	seen := broker.Seen()
	first := map[int][]int{} // topic -> messages in the order in which each came first
	known := map[string]bool{}
	for _, m := range seen {
		payload := m.Payload
		if known[payload] {
			continue
		}
		known[payload] = true
		var n int
		if _, err := fmt.Sscan(payload, &n); err != nil {
			t.Fatal(err)
		}
		first[n%50] = append(first[n%50], n)
	}
	for topic, order := range first {
		if !slices.IsSorted(order) {
			t.Errorf("topic %d came as %v", topic, order)
		}
	}
}

func TestWindowIsBoundedAndPublishWaits(t *testing.T) {
	broker := uplinktest.New(t, func(int) uplinktest.Verdict { return uplinktest.Silence })
	cfg := config("mqtt://" + broker.Address())
	cfg.Window, cfg.AckTimeout = 10, time.Minute
	p, _ := running(t, cfg, nil)
	publish(t, p, 0, 10)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err := p.Publish(ctx, uplink.Message{Topic: "city/s/readings", Payload: []byte("11th")})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the 11th message into a window of 10: %v, want it to wait", err)
	}
	if err := p.Flush(ctx); err == nil || !strings.Contains(err.Error(), "10 messages") {
		t.Errorf("Flush() = %v, want it to name 10 messages", err)
	}
	want := uplink.Counts{Waiting: 10, Connects: 1}
	if diff := cmp.Diff(want, p.Counts()); diff != "" {
		t.Error(diff)
	}
}

func TestSilentBrokerIsGivenUpAndTriedAgain(t *testing.T) {
	broker := uplinktest.New(t, func(nth int) uplinktest.Verdict {
		if nth <= 5 {
			return uplinktest.Silence
		}
		return uplinktest.Ack
	})
	cfg := config("mqtt://" + broker.Address())
	cfg.AckTimeout = 50 * time.Millisecond
	p, _ := running(t, cfg, nil)
	publish(t, p, 0, 5)
	flush(t, p)
	if c := p.Counts(); c.Messages != 5 || c.Resent != 5 {
		t.Errorf("counts %+v, want 5 messages, all sent again", c)
	}
}

func TestRefusedUserEndsRunWithoutThePassword(t *testing.T) {
	m := uplinktest.StartMosquitto(t)
	m.RestartWith("allow_anonymous false\n")
	p, err := uplink.New(config("mqtt://someone:opensesame@"+m.Address()), nil, quiet())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	err = p.Run(ctx)
	if err == nil || strings.Contains(err.Error(), "opensesame") || !strings.Contains(err.Error(), "someone") {
		t.Errorf("Run() = %v, want a refusal that names the user and not the password", err)
	}
}

func TestTLSTrustsTheGivenAuthorityAndNoOther(t *testing.T) {
	broker, caFile := uplinktest.NewTLS(t)
	cfg := config("mqtts://" + broker.Address())
	cfg.CAFile = caFile
	p, _ := running(t, cfg, nil)
	publish(t, p, 0, 20)
	flush(t, p)

	cfg.CAFile = "" // the system's authorities do not know this one
	stranger, _ := running(t, cfg, nil)
	publish(t, stranger, 0, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := stranger.Flush(ctx); err == nil || stranger.Counts().Connects > 0 {
		t.Errorf("a broker that nobody vouches for was trusted: %v, %+v", err, stranger.Counts())
	}

	cfg.CAFile = "/nowhere/ca.pem"
	lost, err := uplink.New(cfg, nil, quiet())
	if err != nil {
		t.Fatal(err)
	}
	if err := lost.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "/nowhere/ca.pem") {
		t.Errorf("Run() = %v, want it to name the file", err)
	}
}

func TestConfigNamesEveryFault(t *testing.T) {
	cfg := uplink.Config{URL: "http://user:opensesame@host/x", Window: 100_000}
	err := cfg.Validate()
	for _, key := range []string{"url:", "client_name:", "connections:", "window:", "ack_timeout:", "retry_min:"} {
		if err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("Validate() = %v, does not name %s", err, key)
		}
	}
	if strings.Contains(err.Error(), "opensesame") {
		t.Errorf("Validate() shows the password: %v", err)
	}
	if err := uplink.DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
}

// The real thing: Mosquitto, a subscriber with a persistent session, a proxy that cuts the connections again and again,
// and a broker that is restarted.
func TestNothingIsLostThroughCutsAndRestarts(t *testing.T) {
	m := uplinktest.StartMosquitto(t)
	proxies := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.New(io.Discard))
	proxy := toxiproxy.NewProxy(proxies, "broker", "127.0.0.1:0", m.Address())
	if err := proxy.Start(); err != nil {
		t.Fatal(err)
	}
	defer proxy.Stop()

	var received sync.Map
	listener := subscriber(t, m.Address(), func(payload string) { received.Store(payload, true) })
	defer listener.Disconnect(100)

	cfg := config("mqtt://" + proxy.Listen)
	cfg.Connections = 3
	var got confirmed
	p, stop := running(t, cfg, got.note)
	const all = 20_000
	done := make(chan struct{})
	go func() {
		defer close(done)
		publish(t, p, 0, all)
	}()
	for cut := range 8 {
		uplinktest.Eventually(t, "messages are acknowledged between cuts", func() bool { return p.Counts().Messages > uint64((cut+1)*all/10) })
		if cut == 4 {
			m.Restart()
			continue
		}
		proxy.Stop()
		if err := proxy.Start(); err != nil {
			t.Fatal(err)
		}
	}
	<-done
	flush(t, p)
	counts := p.Counts()
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if counts.Messages != all || counts.Readings != 3*all || len(got.payloads) != all {
		t.Errorf("counts %+v, %d confirmed; want %d messages", counts, len(got.payloads), all)
	}
	uplinktest.Eventually(t, "every acknowledged message has reached the subscriber", func() bool {
		for payload := range got.payloads {
			if _, ok := received.Load(payload); !ok {
				return false
			}
		}
		return true
	})
	t.Logf("%+v", counts)
}

func subscriber(t *testing.T, address string, note func(string)) mqtt.Client {
	o := mqtt.NewClientOptions().AddBroker("tcp://" + address).SetClientID("listener").SetCleanSession(false).
		SetAutoReconnect(true).SetMaxReconnectInterval(50 * time.Millisecond).
		SetDefaultPublishHandler(func(_ mqtt.Client, m mqtt.Message) { note(string(m.Payload())) })
	c := mqtt.NewClient(o)
	if token := c.Connect(); token.Wait() && token.Error() != nil {
		t.Fatal(token.Error())
	}
	if token := c.Subscribe("city/+/readings", 1, nil); token.Wait() && token.Error() != nil {
		t.Fatal(token.Error())
	}
	return c
}

// BenchmarkPublish measures messages to a real Mosquitto, the broker's work on the same machine included.
func BenchmarkPublish(b *testing.B) {
	cfg := uplink.DefaultConfig()
	cfg.URL = "mqtt://" + uplinktest.StartMosquitto(b).Address()
	p, err := uplink.New(cfg, nil, quiet())
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	payload := []byte(strings.Repeat("x", 150))
	topics := make([]string, 1000)
	for i := range topics {
		topics[i] = fmt.Sprintf("city/sensor-%d/readings", i)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if err := p.Publish(ctx, uplink.Message{Topic: topics[i%1000], Payload: payload}); err != nil {
			b.Fatal(err)
		}
		i++
	}
	if err := p.Flush(ctx); err != nil {
		b.Fatal(err)
	}
	cancel()
	if err := <-ended; err != nil {
		b.Fatal(err)
	}
}
