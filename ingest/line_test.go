package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/lamppost-city/lamppost/broker"
	"github.com/lamppost-city/lamppost/ingest"
	"github.com/lamppost-city/lamppost/ingest/audit"
	"github.com/lamppost-city/lamppost/ingest/ledger"
	"github.com/lamppost-city/lamppost/ingest/live"
	"github.com/lamppost-city/lamppost/internal/secret"
	"github.com/lamppost-city/lamppost/store"
	"github.com/lamppost-city/lamppost/store/embedded"
	"github.com/lamppost-city/lamppost/store/influx"
	"github.com/lamppost-city/lamppost/telemetry"
)

// sensors is a fixed registry.
type sensors map[telemetry.SensorID]ingest.Sensor

func (s sensors) Sensors() ingest.Sensors { return s }
func (s sensors) Version() uint64         { return 1 }
func (s sensors) Sensor(id telemetry.SensorID) (ingest.Sensor, bool) {
	sensor, ok := s[id]
	return sensor, ok
}

func (s sensors) Publisher(id telemetry.SensorID) bool {
	for _, sensor := range s {
		if sensor.Publisher == id {
			return true
		}
	}
	return false
}

var registered = sensors{
	"loop-1": {Site: "corner", District: "harbour"},
	"loop-2": {Site: "corner", District: "harbour", Publisher: "bridge-1"},
	"air-1":  {},
}

// city is a broker and a store that live as long as a test, and ingest processes between them that do not.
type city struct {
	t      *testing.T
	dir    string
	broker *broker.Broker
	client *influx.Client
	hub    live.Hub
	// directory is what ingest is given next, and renew what brings it up to date.
	directory ingest.Directory
	renew     func(context.Context)
	said      said
}

// said is the log.
type said struct {
	mu   sync.Mutex
	text strings.Builder
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *said) has(words string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Contains(s.text.String(), words)
}

func newCity(t *testing.T, change ...func(*broker.Config)) *city {
	t.Helper()
	c := &city{t: t, dir: t.TempDir(), directory: registered}
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))

	bcfg := broker.DefaultConfig()
	bcfg.Listen, bcfg.Dir = "127.0.0.1:0", filepath.Join(c.dir, "broker")
	bcfg.Subscribers = []broker.Subscriber{{ClientID: "lamppost-ingest", Filters: []string{"city/#"}}}
	for _, edit := range change {
		edit(&bcfg)
	}
	b, err := broker.New(bcfg, nil, prometheus.NewRegistry(), log)
	if err != nil {
		t.Fatal(err)
	}
	c.broker = b
	run(t, b.Run, b.Ready())

	scfg := embedded.DefaultConfig()
	scfg.Dir = filepath.Join(c.dir, "store")
	s, err := embedded.New(scfg, log)
	if err != nil {
		t.Fatal(err)
	}
	run(t, s.Run, s.Ready())
	if c.client, err = influx.New(s.Influx(), log); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.client.Close)
	return c
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

// run starts a part and stops it when the test ends.
func run(t *testing.T, part func(context.Context) error, ready <-chan struct{}) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- part(ctx) }()
	select {
	case <-ready:
	case err := <-done:
		t.Fatalf("part ended: %v", err)
	case <-time.After(30 * time.Second):
		t.Fatal("part is not ready after 30 s")
	}
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("part ended: %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// ingest starts an ingest process on the city's folder.
func (c *city) ingest(s storeOf, change ...func(*ingest.Config)) (line *ingest.Line, stop func()) {
	c.t.Helper()
	cfg := ingest.DefaultConfig()
	cfg.Dir = filepath.Join(c.dir, "ingest")
	cfg.Broker.URL = "mqtt://" + c.broker.Addr()
	var password secret.String
	cfg.Broker.User, password = c.broker.Session()
	cfg.Broker.Password = password
	cfg.Ledger.FlushInterval = 100 * time.Millisecond
	cfg.Writer.MaxBackoff = 200 * time.Millisecond
	for _, edit := range change {
		edit(&cfg)
	}
	log := slog.New(slog.NewTextHandler(&c.said, &slog.HandlerOptions{Level: slog.LevelInfo}))
	line, err := ingest.Open(c.t.Context(), cfg, ingest.Deps{Directory: c.directory, Renew: c.renew, Store: s, Hub: &c.hub, Metrics: prometheus.NewRegistry(), Log: log})
	if err != nil {
		c.t.Fatal(err)
	}
	end := run(c.t, line.Run, line.Ready())
	stop = sync.OnceFunc(func() {
		end()
		if err := line.Close(); err != nil {
			c.t.Error(err)
		}
	})
	c.t.Cleanup(stop)
	return line, stop
}

type storeOf interface {
	Write(ctx context.Context, lines []byte) error
	Points(ctx context.Context, domain telemetry.Domain, sensor telemetry.SensorID, from, to time.Time, visit func(store.Value) error) error
}

// publish sends messages one after the other, each with quality of service 1, and waits for their acknowledgements.
func (c *city) publish(topic string, payloads ...string) {
	c.t.Helper()
	client := paho.NewClient(paho.NewClientOptions().AddBroker("tcp://" + c.broker.Addr()).SetClientID("test").SetAutoReconnect(false))
	if token := client.Connect(); !token.WaitTimeout(10*time.Second) || token.Error() != nil {
		c.t.Fatal("connect", token.Error())
	}
	defer client.Disconnect(100)
	for _, payload := range payloads {
		if token := client.Publish(topic, 1, false, payload); !token.WaitTimeout(10*time.Second) || token.Error() != nil {
			c.t.Fatal("publish", token.Error())
		}
	}
}

// settled waits until the ledger has received n readings and none waits, and returns its sums.
func (c *city) settled(line *ingest.Line, n int64) ledger.Totals {
	c.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		flush(c.t, line)
		got, err := line.Ledger().Totals(c.t.Context(), time.Unix(0, 0), time.Now().Add(time.Hour))
		if err != nil {
			c.t.Fatal(err)
		}
		if got.Received >= n && got.Waiting() == 0 {
			if got.Received != got.Duplicate+got.RejectedSum()+got.Accepted {
				c.t.Errorf("sums do not close: %+v", got)
			}
			return got
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("after 20 s the ledger says %+v, want %d received; health: %v", got, n, line.Health())
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// flush makes what the ledger gives out as new as can be.
func flush(t *testing.T, line *ingest.Line) {
	t.Helper()
	if err := line.Ledger().Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// clean audits ledger against store.
func (c *city) clean(line *ingest.Line) {
	c.t.Helper()
	report, err := audit.Run(c.t.Context(), line.Ledger(), c.client, time.Time{}, time.Time{})
	if err != nil {
		c.t.Fatal(err)
	}
	if !report.Clean() || report.Written != report.Rows {
		c.t.Errorf("audit: %+v", report)
	}
}

// at is a time a little ago; times in payloads are relative to it.
func at(offset time.Duration) string {
	return time.Now().UTC().Add(-time.Minute).Truncate(time.Second).Add(offset).Format("2006-01-02T15:04:05.000Z")
}

func TestReadingsReachTheStoreUnderTheirNames(t *testing.T) {
	c := newCity(t)
	line, _ := c.ingest(c.client)
	when := time.Date(2026, 3, 1, 12, 0, 0, 250e6, time.UTC)
	c.publish("city/loop-1/readings", `{"time":"2026-03-01T12:00:00.250Z","seq":1,"speed":47.5,"intensity":12,"occupancy":0.31}`)
	c.publish("city/bridge-1/readings", fmt.Sprintf(`[{"bn":"loop-2/","bt":%d,"n":"speed/lane1","u":"m/s","v":10},{"n":"temperature","v":-3.25}]`, when.Unix()))
	if got := c.settled(line, 5); got.Accepted != 5 || got.Written != 5 {
		t.Errorf("ledger: %+v", got)
	}
	var all []store.Value
	for _, s := range []telemetry.SensorID{"loop-1", "loop-2"} {
		for _, d := range telemetry.Domains() {
			if err := c.client.Points(t.Context(), d, s, when.Add(-time.Hour), when.Add(time.Hour), func(v store.Value) error {
				all = append(all, v)
				return nil
			}); err != nil {
				t.Fatal(err)
			}
		}
	}
	ms := telemetry.MilliOf(when)
	want := []store.Value{
		{Quantity: "intensity", Time: ms, Value: 12},
		{Quantity: "occupancy", Time: ms, Value: 0.31},
		{Quantity: "speed", Time: ms, Value: 47.5},
		{Quantity: "speed", Channel: "lane1", Time: ms - 250, Value: 36},
		{Quantity: "temperature", Time: ms - 250, Value: -3.25},
	}
	for i := range want {
		want[i].Site, want[i].District = "corner", "harbour"
	}
	if diff := cmp.Diff(want, all); diff != "" {
		t.Error(diff)
	}
	c.clean(line)
}

func TestRedeliveredReadingCountsOnceAlsoAfterARestart(t *testing.T) {
	c := newCity(t)
	payloads := make([]string, 50)
	for i := range payloads {
		payloads[i] = fmt.Sprintf(`{"time":%q,"speed":%d,"occupancy":0.5}`, at(time.Duration(i)*time.Second/2), i)
	}
	line, stop := c.ingest(c.client)
	c.publish("city/loop-1/readings", payloads...)
	c.publish("city/loop-1/readings", payloads[40:]...) // within what is remembered
	c.publish("city/loop-1/readings", payloads[:3]...)  // beyond it: the store tells
	got := c.settled(line, 126)
	if got.Accepted != 100 || got.Duplicate != 26 {
		t.Errorf("before the restart: %+v", got)
	}
	stop()

	line, _ = c.ingest(c.client)
	c.publish("city/loop-1/readings", payloads...)
	c.publish("city/loop-1/readings", fmt.Sprintf(`{"time":%q,"speed":1}`, at(250*time.Millisecond))) // late, but new
	got = c.settled(line, 227)
	if got.Accepted != 101 || got.Duplicate != 126 {
		t.Errorf("after the restart: %+v", got)
	}
	c.clean(line)
}

func TestBadInputGoesToQuarantineAndItsNeighboursToTheStore(t *testing.T) {
	c := newCity(t)
	line, _ := c.ingest(c.client)
	good := fmt.Sprintf(`{"time":%q,"speed":50}`, at(0))
	for _, bad := range []struct {
		reason telemetry.Reason
		topic  string
		body   string
	}{
		{telemetry.ReasonMalformed, "city/loop-1/readings", `{"speed":`},
		{telemetry.ReasonMalformed, "city/loop-1/readings", "\x9f\xa2\x00"},
		{telemetry.ReasonTooLarge, "city/loop-1/readings", strings.Repeat("x", 10<<20)},
		{telemetry.ReasonUnregistered, "city/ghost-1/readings", good},
		{telemetry.ReasonUnknownQuantity, "city/loop-1/readings", fmt.Sprintf(`{"time":%q,"sped":50}`, at(0))},
		{telemetry.ReasonUnit, "city/loop-1/readings", `[{"n":"speed","u":"Cel","v":20}]`},
		{telemetry.ReasonNotANumber, "city/loop-1/readings", fmt.Sprintf(`{"time":%q,"speed":"fast"}`, at(0))},
		{telemetry.ReasonNotANumber, "city/loop-1/readings", fmt.Sprintf(`{"time":%q,"speed":NaN}`, at(0))},
		{telemetry.ReasonTooOld, "city/loop-1/readings", `{"time":"1970-01-01T00:00:01Z","speed":50}`},
		{telemetry.ReasonFuture, "city/loop-1/readings", `{"time":"2100-01-01T00:00:01Z","speed":50}`},
		{telemetry.ReasonRange, "city/loop-1/readings", fmt.Sprintf(`{"time":%q,"speed":5000}`, at(0))},
		{telemetry.ReasonNotAllowed, "city/air-1/readings", `[{"n":"loop-2/speed","v":20}]`},
		{telemetry.ReasonTopic, "city/loop-1/lane/readings", good},
		{telemetry.ReasonTopic, "city/readings", good},
		{telemetry.ReasonTopic, "city/Loop-1/readings", good},
		{telemetry.ReasonEncoding, "city/loop-1/readings", "{\"time\":\"\xff\xfe\",\"speed\":50}"},
	} {
		t.Run(bad.reason.String()+" "+bad.topic, func(t *testing.T) {
			_, before, err := line.Ledger().Quarantined(t.Context(), ledger.QuarantineFilter{Reason: bad.reason, Limit: 1})
			if err != nil {
				t.Fatal(err)
			}
			c.publish(bad.topic, bad.body)
			deadline := time.Now().Add(10 * time.Second)
			for {
				messages, now, err := line.Ledger().Quarantined(t.Context(), ledger.QuarantineFilter{Reason: bad.reason, Limit: 1})
				if err != nil {
					t.Fatal(err)
				}
				if now == before+1 {
					if m := messages[0]; m.Topic != bad.topic || m.SizeBytes != int64(len(bad.body)) || !strings.HasPrefix(bad.body, string(m.Payload)) {
						t.Errorf("kept topic %q and %d bytes", m.Topic, m.SizeBytes)
					}
					return
				}
				if time.Now().After(deadline) {
					all, _, _ := line.Ledger().Quarantined(t.Context(), ledger.QuarantineFilter{Limit: 3})
					t.Fatalf("not in quarantine under its reason; newest: %+v", all)
				}
				time.Sleep(10 * time.Millisecond)
			}
		})
	}
	// In one message the good readings are kept beside the bad one.
	c.publish("city/loop-1/readings", fmt.Sprintf(`{"time":%q,"speed":51,"sped":1,"occupancy":0.2}`, at(time.Second)))
	got := c.settled(line, 19)
	if got.Accepted != 2 || got.RejectedSum() != 17 {
		t.Errorf("ledger: %+v", got)
	}
	c.clean(line)
}

func TestQuarantinedMessageIsTakenInAgainWhenItsCauseIsMended(t *testing.T) {
	c := newCity(t)
	line, _ := c.ingest(c.client)
	c.publish("city/air-9/readings", fmt.Sprintf(`{"time":%q,"no2":31}`, at(0)))
	c.settled(line, 1)
	messages, _, err := line.Ledger().Quarantined(t.Context(), ledger.QuarantineFilter{Reason: telemetry.ReasonUnregistered, Limit: 1})
	if err != nil || len(messages) != 1 {
		t.Fatal(messages, err)
	}
	if refused, err := line.Retry(t.Context(), messages[0]); err != nil || !refused {
		t.Fatalf("without a registered sensor it was taken in: refused %v, error %v", refused, err)
	}
	flush(t, line)
	registered["air-9"] = ingest.Sensor{}
	t.Cleanup(func() { delete(registered, "air-9") })
	messages, _, err = line.Ledger().Quarantined(t.Context(), ledger.QuarantineFilter{Limit: 10})
	if err != nil || len(messages) != 1 {
		t.Fatal(messages, err)
	}
	if refused, err := line.Retry(t.Context(), messages[0]); err != nil || refused {
		t.Fatalf("refused %v, error %v", refused, err)
	}
	got := c.settled(line, 1)
	if city := line.Flow().Totals; city.Received != 1 || city.Accepted != 1 || city.Waiting() != 0 || city.RejectedSum() != 0 {
		t.Errorf("sums in memory: %+v", city)
	}
	if diff := cmp.Diff(int64(1), got.Received); diff != "" || got.Accepted != 1 || got.RejectedSum() != 0 {
		t.Errorf("ledger: %+v", got)
	}
	if _, left, _ := line.Ledger().Quarantined(t.Context(), ledger.QuarantineFilter{Limit: 1}); left != 0 {
		t.Errorf("%d messages are left in quarantine", left)
	}
	c.clean(line)
}

// refusing is a store that refuses chosen lines, and answers in other ways on request.
type refusing struct {
	storeOf
	bad    string
	mended atomic.Bool // no line is bad any more
	answer atomic.Pointer[store.Error]
	limit  int
}

func (r *refusing) Write(ctx context.Context, lines []byte) error {
	if answer := r.answer.Load(); answer != nil {
		return answer
	}
	if r.limit > 0 && len(lines) > r.limit {
		return &store.Error{Kind: store.TooLarge, Status: 413}
	}
	if r.bad != "" && !r.mended.Load() && strings.Contains(string(lines), r.bad) {
		return &store.Error{Kind: store.Rejected, Status: 400, Message: "bad line"}
	}
	return r.storeOf.Write(ctx, lines)
}

func TestLineThatTheStoreRefusesIsIsolated(t *testing.T) {
	c := newCity(t)
	line, _ := c.ingest(&refusing{storeOf: c.client, bad: "speed=13,", limit: 300})
	payloads := make([]string, 40)
	for i := range payloads {
		payloads[i] = fmt.Sprintf(`{"time":%q,"speed":%d,"occupancy":0.5}`, at(time.Duration(i)*time.Second/2), i)
	}
	c.publish("city/loop-1/readings", payloads...)
	got := c.settled(line, 80)
	if got.Accepted != 78 || got.Rejected[telemetry.ReasonStore] != 2 {
		t.Errorf("ledger: %+v", got)
	}
	messages, total, err := line.Ledger().Quarantined(t.Context(), ledger.QuarantineFilter{Reason: telemetry.ReasonStore, Limit: 10})
	if err != nil || total != 1 || !strings.Contains(string(messages[0].Payload), "speed=13,occupancy=0.5") {
		t.Errorf("%d messages in quarantine: %+v, %v", total, messages, err)
	}
	c.clean(line)
}

func TestStoreThatIsAwayLosesNothing(t *testing.T) {
	for name, answer := range map[string]*store.Error{
		"no answer":         {Kind: store.Retry, Err: errors.New("connection refused")},
		"too many requests": {Kind: store.Retry, Status: 429, RetryAfter: 50 * time.Millisecond},
		"unauthorised":      {Kind: store.Denied, Status: 401},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCity(t)
			away := &refusing{storeOf: c.client}
			away.answer.Store(answer)
			line, stop := c.ingest(away)
			c.publish("city/loop-1/readings", fmt.Sprintf(`{"time":%q,"speed":1}`, at(0)), fmt.Sprintf(`{"time":%q,"speed":2}`, at(time.Second)))
			deadline := time.Now().Add(10 * time.Second)
			for {
				got, err := line.Ledger().Totals(t.Context(), time.Unix(0, 0), time.Now().Add(time.Hour))
				if err != nil {
					t.Fatal(err)
				}
				if got.Waiting() == 2 && line.Health() != nil {
					break
				}
				if time.Now().After(deadline) {
					t.Fatalf("ledger: %+v, health: %v", got, line.Health())
				}
				time.Sleep(10 * time.Millisecond)
			}
			stop()
			line, _ = c.ingest(away)
			away.answer.Store(nil)
			c.settled(line, 2)
			if err := line.Health(); err != nil {
				t.Errorf("the store is back, and health says: %v", err)
			}
			c.clean(line)
		})
	}
}

func TestLiveReadingsAreThoseAccepted(t *testing.T) {
	c := newCity(t)
	line, _ := c.ingest(c.client)
	s := c.hub.Subscribe(16)
	defer s.Close()
	c.publish("city/loop-1/readings", fmt.Sprintf(`{"time":%q,"speed":50,"occupancy":7}`, at(0)))
	select {
	case got := <-s.C():
		if len(got) != 1 || got[0].Sensor != "loop-1" || math.Abs(got[0].Value-50) > 0 {
			t.Errorf("live: %+v", got)
		}
	case <-time.After(10 * time.Second):
		t.Error("nothing came")
	}
	c.settled(line, 2)
}
