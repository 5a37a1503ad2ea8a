package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"

	"github.com/lamppost-city/lamppost/firmware-bridge/uplink/uplinktest"
	"github.com/lamppost-city/lamppost/internal/endtoend"
	"github.com/lamppost-city/lamppost/store/embedded"
	"github.com/lamppost-city/lamppost/store/influx"
)

// size is how much a test of loss does.
type size struct {
	messages, sensors, kills int
	away                     time.Duration
}

func trialSize() size {
	if full() {
		return size{messages: 200_000, sensors: 500, kills: 5, away: time.Minute}
	}
	return size{messages: 30_000, sensors: 200, kills: 3, away: 8 * time.Second}
}

// seed makes the moments of a trial; LAMPPOST_TEST_SEED repeats one.
func seed(t *testing.T) *rand.Rand {
	t.Helper()
	s := rand.Uint64()
	if text := os.Getenv("LAMPPOST_TEST_SEED"); text != "" {
		var err error
		if s, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("LAMPPOST_TEST_SEED=%d repeats the moments", s)
	return rand.New(rand.NewPCG(s, 1))
}

// trial is a city, and a simulation that publishes to it at full speed and writes down what was acknowledged.
type trial struct {
	t      *testing.T
	size   size
	city   *endtoend.City
	sender *endtoend.Process
	record string
	began  time.Time
}

// publish registers the sensors and starts to publish to a broker.
func publish(t *testing.T, city *endtoend.City, broker string, s size) *trial {
	t.Helper()
	r := &trial{t: t, size: s, city: city, record: filepath.Join(t.TempDir(), "acknowledged.csv"), began: time.Now()}
	r.sender = lamppost.built.Start(t, "simulate", "--count", strconv.Itoa(s.messages), "--rate", "0", "--sensors", strconv.Itoa(s.sensors),
		"--mqtt", "mqtt://"+broker, "--http", city.URL(), "--token-file", city.TokenFile(), "--record", r.record, "--log", "info")
	return r
}

// lineBytes is about how much of the record one message takes.
const lineBytes = 190

// until waits until about this part of the messages is acknowledged. It looks at the record alone: asking the process would
// make its ledger write, and a kill would never meet what is not yet written.
func (r *trial) until(part float64) {
	r.t.Helper()
	want := int64(part * lineBytes * float64(r.size.messages))
	endtoend.Eventually(r.t, 3*time.Minute, fmt.Sprintf("%.0f%% of the messages are acknowledged", 100*part), func() error {
		if r.sender.Ended() {
			return nil // its end is looked at later
		}
		if info, err := os.Stat(r.record); err != nil || info.Size() < want {
			return fmt.Errorf("record: %d bytes of %d", size64(info), want)
		}
		return nil
	})
}

func size64(info os.FileInfo) int64 {
	if info == nil {
		return 0
	}
	return info.Size()
}

// moments are random parts of the whole, in ascending order.
func moments(random *rand.Rand, n int) []float64 {
	all := make([]float64, n)
	for i := range all {
		all[i] = 0.02 + 0.85*random.Float64()
	}
	slices.Sort(all)
	return all
}

// killAndRestart ends `up` at random moments. Half of the time the next process is killed once more while it starts.
func (r *trial) killAndRestart(random *rand.Rand) {
	r.t.Helper()
	for i, moment := range moments(random, r.size.kills) {
		r.until(moment)
		pause(time.Duration(random.IntN(300)) * time.Millisecond) // the record is written in pieces: any moment of one
		late := r.sender.Ended()
		r.city.Kill()
		again := random.IntN(2) == 0
		r.t.Logf("kill %d at %.0f%% (%s), the next one while it starts: %t, too late: %t", i+1, 100*moment, time.Since(r.began).Round(time.Millisecond), again, late)
		if again {
			r.city.Spawn()
			pause(time.Duration(random.IntN(900)) * time.Millisecond)
			r.city.Kill()
		}
		pause(time.Duration(random.IntN(500)) * time.Millisecond)
		r.city.Start()
	}
}

// pause is part of an experiment: nothing is waited for.
func pause(d time.Duration) { time.Sleep(d) }

// finish waits until the sender has every acknowledgement, and every acknowledged reading is written. It compares the store with
// the record, and ledger and store with each other, on the running system and on the stopped one.
func (r *trial) finish(store func() *influx.Client) {
	t := r.t
	t.Helper()
	end := r.sender.Wait(5 * time.Minute)
	if end.Code != 0 || strings.Contains(end.Stdout, "not acknowledged") || !strings.HasPrefix(end.Stdout, strconv.Itoa(r.size.messages)+" messages ") {
		t.Fatalf("the sender ended with code %d: %s%s", end.Code, end.Stdout, end.Stderr)
	}
	want, err := endtoend.ReadRecord(r.record)
	if err != nil {
		t.Fatal(err)
	}
	sent := time.Since(r.began)
	ledger := r.city.Settled(want.Count(), 2*time.Minute)
	settled := time.Since(r.began)
	if len(ledger.Rejected) > 0 {
		t.Errorf("readings were refused: %v", ledger.Rejected)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	got, err := endtoend.ReadStore(ctx, store())
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range endtoend.Differences(want, got) {
		t.Error(d)
	}
	r.city.MustBeClean()
	r.city.Stop()
	r.city.MustBeClean()
	t.Logf("%s", strings.TrimSpace(end.Stdout))
	t.Logf("%d series, %d readings acknowledged with checksum %016x; the store has %d with checksum %016x; %d came again; all acknowledged after %s, all written after %s",
		len(want), want.Count(), want.Checksum(), got.Count(), got.Checksum(), ledger.Duplicate, sent.Round(time.Millisecond), settled.Round(time.Millisecond))
}

func TestNoAcknowledgedReadingIsLostWhereTheProcessIsKilled(t *testing.T) {
	random := seed(t)
	city := endtoend.NewCity(t, lamppost.built, "--demo", "0")
	city.Start()
	r := publish(t, city, city.MQTT, trialSize())
	r.killAndRestart(random)
	r.finish(city.Store)
}

// proxy stands before an address and can be told to misbehave.
func proxy(t *testing.T, upstream string) *toxiproxy.Proxy {
	t.Helper()
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.New(io.Discard))
	p := toxiproxy.NewProxy(server, t.Name(), "127.0.0.1:0", upstream)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	return p
}

// farStore is a store in this process, as one of its own would be, and the configuration of a city that uses it through a proxy.
func farStore(t *testing.T) (direct *influx.Client, between *toxiproxy.Proxy, environment []string) {
	t.Helper()
	cfg := embedded.DefaultConfig()
	cfg.Dir = filepath.Join(t.TempDir(), "store")
	quiet := slog.New(slog.DiscardHandler)
	s, err := embedded.New(cfg, quiet)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("stop the store: %v", err)
		}
	})
	select {
	case <-s.Ready():
	case err := <-ended:
		ended <- nil
		t.Fatalf("start the store: %v", err)
	}
	at := s.Influx()
	if direct, err = influx.New(at, quiet); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(direct.Close)
	between = proxy(t, strings.TrimPrefix(at.URL, "http://"))
	return direct, between, []string{
		"LAMPPOST_STORE_EMBEDDED=false", "LAMPPOST_STORE_INFLUX_URL=http://" + between.Listen, "LAMPPOST_STORE_INFLUX_TOKEN=" + at.Token.Reveal(),
		"LAMPPOST_STORE_INFLUX_ORG=" + at.Org, "LAMPPOST_STORE_INFLUX_BUCKET=" + at.Bucket, "LAMPPOST_STORE_INFLUX_TIMEOUT=5s",
		"LAMPPOST_INGEST_WRITER_MAX_BACKOFF=2s",
	}
}

// toxic adds a toxic and returns what takes it away.
func toxic(t *testing.T, p *toxiproxy.Proxy, name, attributes string) (remove func()) {
	t.Helper()
	text := fmt.Sprintf(`{"name": %q, "type": %q, "stream": "downstream", "toxicity": 1, "attributes": %s}`, name, name, attributes)
	if _, err := p.Toxics.AddToxicJson(strings.NewReader(text)); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := p.Toxics.RemoveToxic(context.Background(), name); err != nil {
			t.Error(err)
		}
	}
}

func TestNoAcknowledgedReadingIsLostWhereTheStoreIsAway(t *testing.T) {
	random := seed(t)
	direct, between, environment := farStore(t)
	city := endtoend.NewCity(t, lamppost.built.With(environment...), "--demo", "0")
	city.Start()
	s := trialSize()
	r := publish(t, city, city.MQTT, s)

	r.until(0.05)
	between.Stop()
	gone := time.Now()
	t.Logf("the store is away for %s from %s on", s.away, time.Since(r.began).Round(time.Millisecond))
	waits := func() (l endtoend.Ledger) {
		endtoend.Eventually(t, s.away, "readings are taken while the store is away", func() error {
			l = endtoend.Ledger{}
			if err := city.Get("/api/v1/ledger", &l); err != nil {
				return err
			}
			if l.Waiting == 0 {
				return errLedger(l)
			}
			return l.Closes()
		})
		return l
	}
	waits()
	endtoend.Eventually(t, 20*time.Second, "readyz says that the store is away", func() error {
		if err := city.Get("/readyz", nil); err == nil || !strings.Contains(err.Error(), "503") || !strings.Contains(err.Error(), "store") {
			return fmt.Errorf("readyz: %w", err)
		}
		return nil
	})
	if random.IntN(2) == 0 || full() {
		city.Kill() // with everything in the spool, and no store to come back to
		city.Spawn()
		t.Log("killed while the store was away")
	}
	pause(s.away - time.Since(gone))
	before := waits()
	t.Logf("after %s: %d readings taken, %d wait for the store, the sender has ended: %t", time.Since(gone).Round(time.Millisecond), before.Accepted, before.Waiting, r.sender.Ended())
	comeBack(t, between)
	city.Ready()
	r.finish(func() *influx.Client { return direct })
}

// comeBack lets the store be reached again, badly at first: slowly, then with answers of which only the beginning arrives, so
// that what was written is written again, then with connections that are reset.
func comeBack(t *testing.T, between *toxiproxy.Proxy) {
	t.Helper()
	slow := toxic(t, between, "latency", `{"latency": 200, "jitter": 150}`)
	if err := between.Start(); err != nil {
		t.Fatal(err)
	}
	pause(time.Second)
	cut := toxic(t, between, "limit_data", `{"bytes": 40}`)
	slow()
	pause(2 * time.Second)
	reset := toxic(t, between, "reset_peer", `{"timeout": 20}`)
	cut()
	pause(2 * time.Second)
	reset()
}

// mosquitto is a real broker that drops nothing.
func mosquitto(t *testing.T) (broker *uplinktest.Mosquitto, restart func()) {
	t.Helper()
	broker = uplinktest.StartMosquitto(t)
	settings := fmt.Sprintf("allow_anonymous true\npersistence true\npersistence_location %s/\nmax_inflight_messages 0\nmax_queued_messages 0\n", t.TempDir())
	if os.Geteuid() == 0 {
		settings += "user root\n" // or it gives up its rights and cannot write into the test's folder
	}
	restart = func() { broker.RestartWith(settings) }
	restart()
	return broker, restart
}

func TestNoAcknowledgedReadingIsLostWithMosquitto(t *testing.T) {
	random := seed(t)
	broker, restart := mosquitto(t)
	city := endtoend.NewCity(t, lamppost.built.With("LAMPPOST_BROKER_EMBEDDED=false", "LAMPPOST_INGEST_BROKER_URL=mqtt://"+broker.Address(),
		"LAMPPOST_INGEST_BROKER_MAX_BACKOFF=1s"), "--demo", "0")
	city.Start()
	s := trialSize()
	r := publish(t, city, broker.Address(), s)
	r.until(0.02 + 0.3*random.Float64())
	if random.IntN(2) == 0 {
		city.Kill()
		t.Log("lamppost up was killed first")
		restart()
		city.Start()
	} else {
		restart()
	}
	t.Logf("mosquitto was restarted after %s, the sender had ended: %t", time.Since(r.began).Round(time.Millisecond), r.sender.Ended())
	for i := range s.kills {
		// Mosquitto takes messages much faster than they are written, so the moments are not those of the sender.
		pause(time.Duration(random.IntN(700)) * time.Millisecond)
		city.Kill()
		t.Logf("kill %d after %s", i+1, time.Since(r.began).Round(time.Millisecond))
		city.Start()
	}
	r.finish(city.Store)
}
