package query_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/lamppost-city/lamppost/query"
	"github.com/lamppost-city/lamppost/store"
	"github.com/lamppost-city/lamppost/telemetry"
	"github.com/lamppost-city/lamppost/telemetry/step"
)

// watched passes questions on and notes them.
type watched struct {
	query.Streamer
	mu    sync.Mutex
	asked []string
	// before, if not nil, is called when a question has been answered, before the asker knows.
	before func()
}

func (w *watched) Stream(ctx context.Context, influxQL string, each func(store.Series) error) error {
	w.mu.Lock()
	w.asked = append(w.asked, influxQL)
	w.mu.Unlock()
	err := w.Streamer.Stream(ctx, influxQL, each)
	if w.before != nil {
		w.before()
	}
	return err
}

func (w *watched) take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	asked := w.asked
	w.asked = nil
	return asked
}

// What is kept must never show: whatever is asked, in whatever order, with readings that come late in between, the
// answer is the one that the store gives.
func TestKeptHistoryIsThatOfTheStore(t *testing.T) {
	c := start(t)
	random := rand.New(rand.NewPCG(5, 6))
	speed, intensity := id(t, "speed"), id(t, "intensity")
	cfg := query.DefaultConfig()
	cfg.CacheBytes = 400_000 // some must go again
	kept := query.NewHistory(cfg, c, prometheus.NewRegistry())
	cfg.CacheBytes = 0
	plain := query.NewHistory(cfg, c, prometheus.NewRegistry())
	const span = 45 * 24 * time.Hour
	var steps []step.Length
	for _, text := range []string{"1m", "10m", "45m", "1h", "3h", "6h", "1d", "2d", "1w", "1mo"} {
		one, _ := step.Parse(text)
		steps = append(steps, one)
	}
	zones := []*time.Location{nil, zoneOf(t, "America/New_York"), zoneOf(t, "Asia/Kolkata")}
	readings := func(n int) {
		var all []telemetry.Reading
		var minutes []int64
		for range n {
			at := telemetry.MilliOf(noon.Add(time.Duration(random.Int64N(int64(span)))))
			q := []string{"speed", "intensity"}[random.IntN(2)]
			all = append(all, reading(t, fmt.Sprintf("loop-%d", random.IntN(4)), q, []string{"", "1"}[random.IntN(2)], float64(random.IntN(1000))/8, at))
			minutes = append(minutes, int64(at)/60_000)
		}
		write(t, c, all...)
		kept.Changed(minutes)
	}
	readings(4000)
	for n := range 300 {
		from := noon.Add(time.Duration(random.Int64N(int64(span))).Truncate(time.Second))
		q := query.HistoryQuery{
			Sensors:    []telemetry.SensorID{"loop-0", "loop-1", "loop-2"}[:1+random.IntN(3)],
			Quantities: []telemetry.QuantityID{speed, intensity}[:1+random.IntN(2)],
			From:       from, To: from.Add(time.Minute + time.Duration(random.Int64N(int64(2*24*time.Hour)))),
			Step: steps[random.IntN(len(steps))], Zone: zones[random.IntN(len(zones))],
			Agg: []query.Agg{query.Natural, query.Max, query.Count, query.P95}[random.IntN(4)],
		}
		if q.Step.Shortest() >= time.Hour && random.IntN(2) == 0 {
			q.To = from.Add(time.Duration(random.Int64N(int64(span))))
		}
		if random.IntN(3) == 0 {
			q.Sensors, q.Group = nil, query.ByDistrict
		}
		want, err := plain.History(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		got, err := kept.History(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateApprox(1e-12, 0), cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("question %d, %+v (-store +kept):\n%s", n, q, diff)
		}
		if n%5 == 0 {
			readings(1 + random.IntN(3))
		}
	}
}

func TestOnlyWhatIsNotKeptIsAsked(t *testing.T) {
	c := start(t)
	midnight := noon.Add(-12 * time.Hour)
	at := func(d time.Duration) telemetry.UnixMilli { return telemetry.MilliOf(midnight.Add(d)) }
	for h := range 48 {
		write(t, c, reading(t, "loop-1", "speed", "", float64(h), at(time.Duration(h)*time.Hour)))
	}
	store := &watched{Streamer: c}
	h := query.NewHistory(query.DefaultConfig(), store, prometheus.NewRegistry())
	ask := query.HistoryQuery{
		Sensors: []telemetry.SensorID{"loop-1"}, Quantities: []telemetry.QuantityID{id(t, "speed")},
		From: midnight, To: midnight.Add(48 * time.Hour), Step: step.Length{Every: time.Hour},
	}
	// asks answers the question and says from when to when the store was asked, in hours since midnight.
	asks := func(q query.HistoryQuery) string {
		t.Helper()
		got, err := h.History(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Series) != 1 || time.Duration(len(got.Series[0].Points)) != (q.To.Sub(q.From)+q.Step.Every-1)/q.Step.Every {
			t.Fatalf("answer is %+v", got)
		}
		var parts []string
		for _, influxQL := range store.take() {
			var from, to int64
			_, bounds, _ := strings.Cut(influxQL, "time >= ")
			if _, err := fmt.Sscanf(bounds, "%dms AND time < %dms", &from, &to); err != nil {
				t.Fatalf("%v in %s", err, influxQL)
			}
			parts = append(parts, fmt.Sprintf("%g-%g", float64(from-midnight.UnixMilli())/3.6e6, float64(to-midnight.UnixMilli())/3.6e6))
		}
		return strings.Join(parts, " ")
	}
	expect := func(rule, want string, q query.HistoryQuery) {
		t.Helper()
		if got := asks(q); got != want {
			t.Errorf("%s: the store is asked for the hours %q, want %q", rule, got, want)
		}
	}
	expect("nothing is kept at first", "0-48", ask)
	expect("everything is kept", "", ask)
	cut := ask
	cut.From, cut.To = midnight.Add(time.Hour), midnight.Add(47*time.Hour)
	expect("blocks that are cut are asked for", "1-6 42-47", cut)
	other := ask
	other.Agg = query.Max
	expect("another question is another answer", "0-48", other)
	h.Changed([]int64{midnight.Unix()/60 + 13*60, midnight.Unix()/60 + 30*60 + 59})
	expect("what has come since is asked for", "12-18 30-36", ask)
	expect("and then kept again", "", ask)

	// A reading that comes while the store is asked may be in the answer or not.
	h.Changed([]int64{midnight.Unix()/60 + 20*60})
	store.before = func() { h.Changed([]int64{midnight.Unix()/60 + 20*60}) }
	expect("a late reading", "18-24", ask)
	store.before = nil
	expect("a late reading that came in between", "18-24", ask)
	expect("after that all is quiet", "", ask)

	odd := ask
	odd.Step = step.Length{Every: 7 * time.Hour}
	odd.From, odd.To = midnight, midnight.Add(7*time.Hour)
	store.take()
	if _, err := h.History(t.Context(), odd); err != nil || len(store.take()) != 1 {
		t.Errorf("a step that fits no block is asked for as it is: %v", err)
	}
}

// answers gives one row a minute, without a store.
type answers struct{}

func (answers) Stream(_ context.Context, _ string, each func(store.Series) error) error {
	s := store.Series{Tags: map[string]string{"sensor": "loop-1"}, Columns: []string{"speed"}, Values: [][]float64{nil}}
	for m := range 24 * 60 {
		s.Times = append(s.Times, telemetry.MilliOf(noon)+telemetry.UnixMilli(m)*60_000)
		s.Values[0] = append(s.Values[0], float64(m))
	}
	return each(s)
}

func TestKeptHistoryIsBoundedInAgeAndBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		metrics := prometheus.NewRegistry()
		cfg := query.DefaultConfig()
		cfg.CacheBytes, cfg.CacheAge = 300_000, time.Hour
		store := &watched{Streamer: answers{}}
		h := query.NewHistory(cfg, store, metrics)
		ask := query.HistoryQuery{
			Sensors: []telemetry.SensorID{"loop-1"}, Quantities: []telemetry.QuantityID{id(t, "speed")},
			From: noon, To: noon.Add(24 * time.Hour), Step: step.Length{Every: time.Minute},
		}
		asked := func() int {
			t.Helper()
			if _, err := h.History(t.Context(), ask); err != nil {
				t.Fatal(err)
			}
			return len(store.take())
		}
		asked()
		if n := asked(); n != 0 {
			t.Errorf("the store is asked %d times for what is kept", n)
		}
		time.Sleep(time.Hour + time.Second)
		if n := asked(); n != 1 {
			t.Errorf("after an hour the store is asked %d times, want 1", n)
		}
		for i := range 50 {
			ask.Sensors = []telemetry.SensorID{telemetry.SensorID(fmt.Sprintf("loop-%d", i))}
			asked()
			if held := gauge(t, metrics, "lamppost_query_history_kept_bytes"); held <= 0 || held > float64(cfg.CacheBytes) {
				t.Fatalf("%v bytes are kept, at most %d are allowed", held, cfg.CacheBytes)
			}
		}
		for year := range 20 { // readings of all times: what is remembered of them is bounded, and nothing old is shown
			var minutes []int64
			for hour := range 8760 {
				minutes = append(minutes, int64(year*8760+hour)*60)
			}
			h.Changed(minutes)
		}
		if n := asked(); n != 1 {
			t.Errorf("after readings of twenty years the store is asked %d times, want 1", n)
		}
	})
}

func gauge(t *testing.T, metrics *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == name {
			return family.GetMetric()[0].GetGauge().GetValue()
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}
