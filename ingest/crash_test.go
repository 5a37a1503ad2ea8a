package ingest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/lamppost-city/lamppost/broker"
	"github.com/lamppost-city/lamppost/ingest"
	"github.com/lamppost-city/lamppost/internal/secret"
	"github.com/lamppost-city/lamppost/store"
	"github.com/lamppost-city/lamppost/store/influx"
	"github.com/lamppost-city/lamppost/telemetry"
)

// childEnv makes the test binary an ingest process; its value is a victim.
const childEnv = "LAMPPOST_INGEST_TEST_CHILD"

// victim is what the ingest process that is killed needs to know.
type victim struct {
	Dir, Broker, User, Password string
	Store, Token, Bucket        string
}

func TestMain(m *testing.M) {
	if text := os.Getenv(childEnv); text != "" {
		if err := runVictim(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func runVictim(text string) error {
	var v victim
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	scfg := influx.DefaultConfig()
	scfg.URL, scfg.Token, scfg.Bucket = v.Store, secret.String(v.Token), v.Bucket
	client, err := influx.New(scfg, log)
	if err != nil {
		return err
	}
	cfg := ingest.DefaultConfig()
	cfg.Dir, cfg.Broker.URL, cfg.Broker.User, cfg.Broker.Password = v.Dir, v.Broker, v.User, secret.String(v.Password)
	cfg.Ledger.FlushInterval = 100 * time.Millisecond
	line, err := ingest.Open(context.Background(), cfg, ingest.Deps{Directory: registered, Store: client, Metrics: prometheus.NewRegistry(), Log: log})
	if err != nil {
		return err
	}
	return line.Run(context.Background()) // until it is killed
}

// traffic is a publisher that sends messages one after the other, and knows what was acknowledged.
type traffic struct {
	t      *testing.T
	rand   *rand.Rand
	client paho.Client
	sent   []traffickedMessage
	want   map[store.Value]telemetry.SensorID
	count  int64 // readings sent, again and again
}

type traffickedMessage struct {
	topic, payload string
	readings       int64
}

// next makes a new message: two readings of a time that was never used for the sensor.
func (p *traffic) next(base time.Time) traffickedMessage {
	n := len(p.sent)
	at := base.Add(time.Duration(n) * 20 * time.Millisecond)
	if n%7 == 3 {
		at = at.Add(-20 * time.Minute) // late, and older than the newest
	}
	sensor, topic := telemetry.SensorID("loop-1"), "city/loop-1/readings"
	if n%3 == 1 {
		sensor, topic = "loop-2", "city/bridge-1/readings"
	}
	ms := telemetry.MilliOf(at)
	p.want[store.Value{Quantity: "speed", Channel: "", Site: "corner", District: "harbour", Time: ms, Value: float64(n % 100)}] = sensor
	p.want[store.Value{Quantity: "intensity", Channel: "2", Site: "corner", District: "harbour", Time: ms, Value: float64(n % 50)}] = sensor
	payload := fmt.Sprintf(`[{"bn":"%s/","bt":%d.%03d,"n":"speed","v":%d},{"n":"intensity/2","v":%d}]`, sensor, ms/1000, ms%1000, n%100, n%50)
	return traffickedMessage{topic, payload, 2}
}

// send publishes until it is acknowledged.
func (p *traffic) send(ctx context.Context, m traffickedMessage) bool {
	token := p.client.Publish(m.topic, 1, false, m.payload)
	select {
	case <-token.Done():
	case <-ctx.Done():
		return false
	}
	if token.Error() != nil {
		p.t.Error(token.Error())
		return false
	}
	p.count += m.readings
	return true
}

func (p *traffic) run(ctx context.Context, base time.Time) {
	for ctx.Err() == nil {
		m := p.next(base)
		p.sent = append(p.sent, m)
		if !p.send(context.Background(), m) {
			return
		}
		if p.rand.IntN(4) == 0 { // again: one of the newest, now and then any
			back := min(len(p.sent), 200)
			if p.rand.IntN(100) == 0 {
				back = len(p.sent)
			}
			if !p.send(context.Background(), p.sent[len(p.sent)-1-p.rand.IntN(back)]) {
				return
			}
		}
		time.Sleep(500 * time.Microsecond) // so that killing, not publishing, is what the test does
	}
}

// Killed again and again at any moment, ingest stores every acknowledged reading, once, and its sums close.
func TestKilledIngestLosesNothingAndCountsNothingTwice(t *testing.T) {
	kills := 12
	if testing.Short() {
		kills = 3
	}
	c := newCity(t, func(cfg *broker.Config) { cfg.AckWait = time.Second })
	user, password := c.broker.Session()
	at := c.client.Config()
	text, err := json.Marshal(victim{
		Dir: filepath.Join(c.dir, "ingest"), Broker: "mqtt://" + c.broker.Addr(), User: user, Password: password.Reveal(),
		Store: at.URL, Token: at.Token.Reveal(), Bucket: at.Bucket,
	})
	if err != nil {
		t.Fatal(err)
	}
	p := &traffic{t: t, rand: rand.New(rand.NewPCG(1, 2)), want: make(map[store.Value]telemetry.SensorID)}
	p.client = paho.NewClient(paho.NewClientOptions().AddBroker("tcp://" + c.broker.Addr()).SetClientID("traffic").SetProtocolVersion(4).SetAutoReconnect(false))
	if token := p.client.Connect(); !token.WaitTimeout(10*time.Second) || token.Error() != nil {
		t.Fatal(token.Error())
	}
	defer p.client.Disconnect(100)
	base := time.Now().Add(-2 * time.Hour).Truncate(time.Second)
	ctx, cancel := context.WithCancel(t.Context())
	var publishing sync.WaitGroup
	publishing.Go(func() { p.run(ctx, base) })

	moments := rand.New(rand.NewPCG(3, 4))
	for range kills {
		child := exec.CommandContext(t.Context(), os.Args[0])
		child.Env = append(os.Environ(), childEnv+"="+string(text))
		child.Stderr = t.Output()
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(100+moments.IntN(1100)) * time.Millisecond) // any moment
		if err := child.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := child.Wait(); child.ProcessState.Exited() {
			t.Fatalf("it ended by itself: %v", err)
		}
	}
	cancel()
	publishing.Wait()

	line, _ := c.ingest(c.client)
	got := c.settled(line, p.count)
	if got.Accepted != int64(len(p.want)) || got.RejectedSum() != 0 || got.Missing != 0 {
		t.Errorf("of %d readings sent, %d different ones, the ledger says %+v", p.count, len(p.want), got)
	}
	stored := make(map[store.Value]telemetry.SensorID)
	for _, s := range []telemetry.SensorID{"loop-1", "loop-2"} {
		if err := c.client.Points(t.Context(), telemetry.Traffic, s, base.Add(-time.Hour), time.Now().Add(24*time.Hour), func(v store.Value) error {
			stored[v] = s
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(p.want, stored); diff != "" {
		t.Errorf("store (-want +got): %.2000s", diff)
	}
	c.clean(line)
	t.Logf("%d kills, %d messages, %d readings received, %d of them more than once", kills, len(p.sent), got.Received, got.Duplicate)
}
