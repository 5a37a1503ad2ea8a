package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lamppost-city/lamppost/ingest"
	"github.com/lamppost-city/lamppost/ingest/frame"
	"github.com/lamppost-city/lamppost/ingest/ledger"
	"github.com/lamppost-city/lamppost/spool"
	"github.com/lamppost-city/lamppost/store"
	"github.com/lamppost-city/lamppost/telemetry"
)

// changing is a registry that can be changed, or made to panic.
type changing struct {
	state atomic.Pointer[state]
}

type state struct {
	sensors
	version uint64
	poison  telemetry.SensorID
}

func newChanging() *changing {
	c := new(changing)
	c.state.Store(&state{sensors: maps.Clone(registered), version: 1})
	return c
}

func (c *changing) Sensors() ingest.Sensors { return c.state.Load() }

func (c *changing) change(edit func(*state)) {
	old := c.state.Load()
	next := &state{sensors: maps.Clone(old.sensors), version: old.version + 1, poison: old.poison}
	edit(next)
	c.state.Store(next)
}

func (s *state) Version() uint64 { return s.version }

func (s *state) Sensor(id telemetry.SensorID) (ingest.Sensor, bool) {
	if id == s.poison && id != "" {
		panic("poison " + id)
	}
	return s.sensors.Sensor(id)
}

func TestMessageThatMakesIngestPanicGoesToQuarantineAlone(t *testing.T) {
	c := newCity(t)
	directory := newChanging()
	directory.change(func(s *state) { s.poison = "poison-1" })
	c.directory = directory
	line, _ := c.ingest(c.client)
	var payloads []string
	for i := range 30 {
		payloads = append(payloads, fmt.Sprintf(`[{"bn":"loop-1/","bt":%d,"n":"speed","v":%d},{"n":"occupancy","v":0.5}]`, time.Now().Unix()-int64(i), i))
		if i%10 == 3 {
			payloads = append(payloads, fmt.Sprintf(`[{"bn":"loop-1/","bt":%d,"n":"speed","v":%d},{"bn":"poison-1/","n":"speed","v":1}]`, time.Now().Unix()-int64(1000+i), i))
		}
	}
	c.publish("city/loop-1/readings", payloads...)
	got := c.settled(line, 63)
	if got.Accepted != 60 || got.Rejected[telemetry.ReasonMalformed] != 3 || got.RejectedSum() != 3 {
		t.Errorf("ledger: %+v", got)
	}
	messages, total, err := line.Ledger().Quarantined(t.Context(), ledger.QuarantineFilter{Limit: 10})
	if err != nil || total != 3 || !strings.Contains(messages[0].Faults[0].Detail, "panics: poison poison-1") {
		t.Errorf("quarantine: %+v, %v", messages, err)
	}
	if !c.said.has("goroutine") {
		t.Error("the log does not say where")
	}
	// Mended, they are taken in again.
	directory.change(func(s *state) { s.poison, s.sensors["poison-1"] = "", ingest.Sensor{Publisher: "loop-1"} })
	for _, m := range messages {
		if refused, err := line.Retry(t.Context(), m); refused || err != nil {
			t.Error(refused, err)
		}
	}
	if got := c.settled(line, 66); got.Accepted != 66 || got.RejectedSum() != 0 {
		t.Errorf("ledger: %+v", got)
	}
	c.clean(line)
}

// away is a store that answers nothing until it is switched on.
func (c *city) away() *refusing {
	r := &refusing{storeOf: c.client}
	r.answer.Store(&store.Error{Kind: store.Retry, Err: errors.New("connection refused")})
	return r
}

// recorded waits until the ledger has received n readings.
func (c *city) recorded(line *ingest.Line, n int64) {
	c.t.Helper()
	c.eventually("the ledger has received enough", func() bool { return line.Ledger().City().Received >= n })
}

func (c *city) eventually(what string, ok func() bool) {
	c.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			c.t.Fatalf("after 20 s not true: %s", what)
		}
	}
}

func speed(offset time.Duration, value int) string {
	return fmt.Sprintf(`{"time":%q,"speed":%d}`, at(offset), value)
}

func TestSpoolThatIsGoneIsToldAndTheNextOneLosesNothing(t *testing.T) {
	c := newCity(t)
	store := c.away()
	line, stop := c.ingest(store)
	c.publish("city/loop-1/readings", speed(0, 1), speed(time.Second, 2), speed(2*time.Second, 3))
	c.recorded(line, 3)
	stop()
	if err := os.RemoveAll(filepath.Join(c.dir, "ingest", "spool")); err != nil {
		t.Fatal(err)
	}
	line, stop = c.ingest(store)
	if !c.said.has("spool is not the one that the ledger knows") || !c.said.has("waiting_readings=3") {
		t.Error("the log does not tell")
	}
	c.publish("city/loop-1/readings", speed(3*time.Second, 4))
	c.recorded(line, 4)
	flush(t, line)
	time.Sleep(1200 * time.Millisecond) // the spool is told several times what it may forget: nothing
	stop()
	store.answer.Store(nil)
	line, _ = c.ingest(store)
	c.eventually("what came since is written", func() bool { return line.Ledger().City().Written == 1 })
	if got := line.Ledger().City(); got.Accepted != 4 || got.Waiting() != 3 {
		t.Errorf("ledger: %+v", got)
	}
	c.clean1(line, 1)
}

// clean1 audits a ledger of which some readings wait for ever.
func (c *city) clean1(line *ingest.Line, rows int64) {
	c.t.Helper()
	n := int64(0)
	err := c.client.Counts(c.t.Context(), telemetry.Traffic, time.Now().Add(-time.Hour), time.Now().Add(time.Hour), time.Hour, func(count store.Count) error {
		n += count.Values
		return nil
	})
	if err != nil || n != rows {
		c.t.Errorf("%d rows in the store, want %d: %v; health: %v", n, rows, err, line.Health())
	}
}

func (c *city) forgetLedger() {
	c.t.Helper()
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(filepath.Join(c.dir, "ingest", "ledger.db"+suffix)); err != nil && !os.IsNotExist(err) {
			c.t.Fatal(err)
		}
	}
}

func TestLedgerThatIsGoneBeginsWithWhatIsInTheSpool(t *testing.T) {
	c := newCity(t)
	store := c.away()
	line, stop := c.ingest(store)
	c.publish("city/loop-1/readings", speed(0, 1), speed(time.Second, 2))
	c.publish("city/ghost-1/readings", speed(0, 1))
	c.recorded(line, 3)
	stop()
	c.forgetLedger()
	store.answer.Store(nil)
	line, _ = c.ingest(store)
	if !c.said.has("ledger begins with what is in the spool") {
		t.Error("the log does not tell")
	}
	if got := c.settled(line, 3); got.Written != 2 || got.RejectedSum() != 1 {
		t.Errorf("ledger: %+v", got)
	}
	c.clean(line)
}

func TestFrameThatLiesInTheSpoolTwiceIsCountedOnce(t *testing.T) {
	c := newCity(t)
	away := c.away()
	line, stop := c.ingest(away)
	c.publish("city/loop-1/readings", speed(0, 1))
	c.recorded(line, 1)
	stop()
	s, err := spool.Open(filepath.Join(c.dir, "ingest", "spool"), spool.DefaultConfig(), discard())
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Reader("again")
	if err != nil {
		t.Fatal(err)
	}
	data, _, ok, err := r.TryNext()
	if !ok || err != nil {
		t.Fatal(ok, err)
	}
	if _, err := s.Append(t.Context(), append([]byte(nil), data...)); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	c.forgetLedger() // which had not heard of either
	away.answer.Store(nil)
	line, _ = c.ingest(away)
	if got := c.settled(line, 1); got.Received != 1 || got.Written != 1 {
		t.Errorf("ledger: %+v", got)
	}
	c.clean(line)
}

func TestSpoolOfAnotherVersionIsLeftAlone(t *testing.T) {
	c := newCity(t)
	line, stop := c.ingest(c.client)
	c.publish("city/loop-1/readings", speed(0, 1))
	c.settled(line, 1)
	stop()
	s, err := spool.Open(filepath.Join(c.dir, "ingest", "spool"), spool.DefaultConfig(), discard())
	if err != nil {
		t.Fatal(err)
	}
	data := frame.Append(nil, &frame.Frame{})
	data[0] = 99
	if _, err := s.Append(t.Context(), data); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	cfg := ingest.DefaultConfig()
	cfg.Dir = filepath.Join(c.dir, "ingest")
	line, err = ingest.Open(t.Context(), cfg, ingest.Deps{Directory: registered, Store: c.client, Metrics: prometheus.NewRegistry(), Log: discard()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = line.Close() }()
	if err := line.Run(t.Context()); !errors.Is(err, frame.ErrVersion) {
		t.Errorf("run: %v", err)
	}
}

func TestRegistryThatChangesWhileIngestRuns(t *testing.T) {
	c := newCity(t)
	directory := newChanging()
	c.directory = directory
	line, _ := c.ingest(c.client)
	const topic = "city/loop-1/readings"
	messages := []string{speed(0, 1), speed(time.Second, 2), speed(2*time.Second, 3)}
	step := func(name string, received, accepted, duplicate, rejected int64, edit func(*state), topic string, payloads ...string) {
		t.Helper()
		if edit != nil {
			directory.change(edit)
		}
		c.publish(topic, payloads...)
		got := c.settled(line, received)
		if got.Received != received || got.Accepted != accepted || got.Duplicate != duplicate || got.RejectedSum() != rejected {
			t.Errorf("%s: %+v", name, got)
		}
	}
	step("at first", 3, 3, 0, 0, nil, topic, messages...)
	step("moved: what comes again is no second point", 6, 3, 3, 0, func(s *state) { s.sensors["loop-1"] = ingest.Sensor{Site: "bridge"} }, topic, messages...)
	step("new readings stand at the new site", 7, 4, 3, 0, nil, topic, speed(3*time.Second, 4))
	step("deleted", 8, 4, 3, 1, func(s *state) { delete(s.sensors, "loop-1") }, topic, speed(4*time.Second, 5))
	step("added again elsewhere", 12, 5, 6, 1, func(s *state) { s.sensors["loop-1"] = ingest.Sensor{Site: "park"} }, topic,
		append(messages, speed(5*time.Second, 6))...)
	bridge := fmt.Sprintf(`[{"n":"loop-1/speed","v":7,"t":%d}]`, time.Now().Unix())
	step("published by whom nobody knows", 13, 5, 6, 2, nil, "city/bridge-1/readings", bridge)
	step("published by its new publisher", 14, 6, 6, 2, func(s *state) { s.sensors["loop-1"] = ingest.Sensor{Site: "park", Publisher: "bridge-1"} },
		"city/bridge-1/readings", bridge)
	step("published by its old publisher", 15, 6, 6, 3, func(s *state) { s.sensors["loop-1"] = ingest.Sensor{Site: "park"} }, "city/bridge-1/readings", bridge)
	c.clean(line)
}

func TestSeriesOfASensorAreBounded(t *testing.T) {
	c := newCity(t)
	line, _ := c.ingest(c.client, func(cfg *ingest.Config) { cfg.MaxSeriesPerSensor = 3 })
	var records []string
	for i := range 5 {
		records = append(records, fmt.Sprintf(`{"n":"loop-1/speed/%d","v":1}`, i))
	}
	c.publish("city/loop-1/readings", "["+strings.Join(records, ",")+"]")
	if got := c.settled(line, 5); got.Accepted != 3 || got.Rejected[telemetry.ReasonSeries] != 2 {
		t.Errorf("ledger: %+v", got)
	}
	c.clean(line)
}

func TestQuarantinedMessageIsTakenInOnceHoweverManyAsk(t *testing.T) {
	c := newCity(t)
	directory := newChanging()
	c.directory = directory
	line, _ := c.ingest(c.client)
	c.publish("city/air-9/readings", fmt.Sprintf(`{"time":%q,"no2":31}`, at(0)))
	c.settled(line, 1)
	messages, _, err := line.Ledger().Quarantined(t.Context(), ledger.QuarantineFilter{Limit: 1})
	if err != nil || len(messages) != 1 {
		t.Fatal(messages, err)
	}
	directory.change(func(s *state) { s.sensors["air-9"] = ingest.Sensor{} })
	var taken, gone atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 5 {
				switch refused, err := line.Retry(t.Context(), messages[0]); {
				case err == nil && !refused:
					taken.Add(1)
				case errors.Is(err, ingest.ErrGone):
					gone.Add(1)
				default:
					t.Errorf("refused %v, error %v", refused, err)
				}
			}
		})
	}
	all.Wait()
	if taken.Load() != 1 || gone.Load() != 39 {
		t.Errorf("taken in %d times", taken.Load())
	}
	if got := c.settled(line, 1); got.Received != 1 || got.Accepted != 1 {
		t.Errorf("ledger: %+v", got)
	}
	c.clean(line)
}

func TestLineThatTheStoreRefusedIsWrittenOnceTheStoreIsMended(t *testing.T) {
	c := newCity(t)
	refusing := &refusing{storeOf: c.client, bad: "speed=13"}
	line, _ := c.ingest(refusing)
	c.publish("city/loop-1/readings", fmt.Sprintf(`{"time":%q,"speed":13,"occupancy":0.5}`, at(0)), speed(time.Second, 14))
	if got := c.settled(line, 3); got.Rejected[telemetry.ReasonStore] != 2 {
		t.Fatalf("ledger: %+v", got)
	}
	retry := func() bool {
		flush(t, line)
		messages, total, err := line.Ledger().Quarantined(t.Context(), ledger.QuarantineFilter{Limit: 10})
		if err != nil || total != 1 {
			t.Fatal(total, err)
		}
		refused, err := line.Retry(t.Context(), messages[0])
		if err != nil {
			t.Fatal(err)
		}
		c.settled(line, 3)
		return refused
	}
	if retry() {
		t.Error("its checks refuse it")
	}
	// Each field has a line of its own now: only the bad one is refused again.
	if got := line.Ledger().City(); got.Received != 3 || got.Accepted != 2 || got.Rejected[telemetry.ReasonStore] != 1 {
		t.Errorf("while the store refuses it still: %+v", got)
	}
	refusing.mended.Store(true)
	if retry() {
		t.Error("its checks refuse it")
	}
	if got := c.settled(line, 3); got.Received != 3 || got.Accepted != 3 || got.RejectedSum() != 0 {
		t.Errorf("once it is mended: %+v", got)
	}
	c.clean(line)
}

func TestRetryEndsWithTheLine(t *testing.T) {
	c := newCity(t)
	line, stop := c.ingest(c.client)
	c.publish("city/ghost-1/readings", speed(0, 1))
	c.settled(line, 1)
	messages, _, err := line.Ledger().Quarantined(t.Context(), ledger.QuarantineFilter{Limit: 1})
	if err != nil || len(messages) != 1 {
		t.Fatal(err)
	}
	errs := make(chan error, 1)
	go func() {
		for {
			if _, err := line.Retry(context.Background(), messages[0]); err != nil {
				if errors.Is(err, ingest.ErrGone) {
					if all, _, err := line.Ledger().Quarantined(context.Background(), ledger.QuarantineFilter{Limit: 1}); err == nil && len(all) == 1 {
						messages = all
						continue
					}
				}
				errs <- err
				return
			}
		}
	}()
	c.eventually("retries are under way", func() bool { return line.Ledger().City().Received >= 1 })
	stop()
	select {
	case err := <-errs:
		t.Log(err)
	case <-time.After(20 * time.Second):
		t.Error("a retry outlives the line")
	}
}

func TestLineFollowsAHugeMessageWithoutLosingItsPlace(t *testing.T) {
	c := newCity(t)
	line, _ := c.ingest(c.client)
	var b strings.Builder
	now := time.Now().Unix()
	for i := range 10_000 {
		fmt.Fprintf(&b, `,{"n":"loop-2/speed/lane-with-a-long-name-%d","v":%d,"t":%d}`, i%100, i%100, now-int64(i))
	}
	message := "[" + b.String()[1:] + "]"
	c.publish("city/bridge-1/readings", message, message, message)
	if got := c.settled(line, 30_000); got.Accepted != 10_000 || got.Duplicate != 20_000 {
		t.Errorf("ledger: %+v", got)
	}
	c.clean(line)
}

func TestConfigNamesEveryFault(t *testing.T) {
	if err := ingest.DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
	cfg := ingest.DefaultConfig()
	cfg.Spool.WhenFull = spool.FullDropOldest
	err := cfg.Validate()
	if err == nil || !strings.Contains(err.Error(), "spool.when_full: ") {
		t.Errorf("a spool that drops: %v", err)
	}
	cfg.Spool.WhenFull = "maybe"
	if err := cfg.Validate(); err == nil || strings.Count(err.Error(), "when_full") != 1 {
		t.Errorf("a spool that may drop: %v", err)
	}
	err = ingest.Config{FutureTolerance: -1, Retention: -1}.Validate()
	for _, key := range []string{
		"dir: ", "future_tolerance: ", "retention: ", "late_after: ", "max_series_per_sensor: ", "max_readings_per_message: ", "broker.url: ",
		"spool.segment_bytes: ", "ledger.max_pending: ", "writer.in_flight: ",
	} {
		if err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%q is not named in: %v", key, err)
		}
	}
}
