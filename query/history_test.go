package query_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/lamppost-city/lamppost/query"
	"github.com/lamppost-city/lamppost/store/influx"
	"github.com/lamppost-city/lamppost/store/storetest"
	"github.com/lamppost-city/lamppost/telemetry"
	"github.com/lamppost-city/lamppost/telemetry/step"
)

// noon is not a whole multiple of a day.
var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

func start(t testing.TB) *influx.Client { return storetest.Client(t, storetest.Start(t)) }

func write(t testing.TB, c *influx.Client, readings ...telemetry.Reading) {
	t.Helper()
	var b strings.Builder
	for _, r := range readings {
		channel := ""
		if r.Channel != "" {
			channel = ",channel=" + r.Channel
		}
		q := r.Quantity.Quantity()
		fmt.Fprintf(&b, "%s%s,district=north,sensor=%s,site=s-%s %s=%v %d\n", q.Domain, channel, r.Sensor, r.Sensor, q.Name, r.Value, r.Measured)
	}
	if err := c.Write(context.Background(), []byte(b.String())); err != nil {
		t.Fatal(err)
	}
}

func points(pairs ...float64) []query.Point {
	var all []query.Point
	for i := 0; i < len(pairs); i += 2 {
		all = append(all, query.Point{Time: telemetry.MilliOf(noon) + telemetry.UnixMilli(pairs[i]), Value: pairs[i+1]})
	}
	return all
}

func TestHistoryIsWhatWasStored(t *testing.T) {
	c := start(t)
	at := func(ms int64) telemetry.UnixMilli { return telemetry.MilliOf(noon) + telemetry.UnixMilli(ms) }
	write(t, c,
		reading(t, "loop-1", "speed", "1", 50, at(0)),
		reading(t, "loop-1", "speed", "1", 60, at(10_000)),
		reading(t, "loop-1", "speed", "1", 10, at(70_000)),
		reading(t, "loop-1", "intensity", "1", 4, at(0)),
		reading(t, "loop-1", "intensity", "1", 5, at(30_000)),
		reading(t, "loop-1", "speed", "", 33, at(1)),
		reading(t, "loop-2", "speed", "", 70, at(0)),
		reading(t, "loop-9", "speed", "", 99, at(0)), // not asked for
		reading(t, "meter-1", "voltage", "L1", 231, at(0)),
		reading(t, "loop-1", "speed", "1", 1, at(-1)),      // before
		reading(t, "loop-1", "speed", "1", 2, at(120_000)), // To is not included
	)
	lane := "1"
	none := ""
	sensors := []telemetry.SensorID{"loop-1", "loop-2", "meter-1"}
	speed, intensity, voltage := id(t, "speed"), id(t, "intensity"), id(t, "voltage")
	h := query.NewHistory(query.DefaultConfig(), c, prometheus.NewRegistry())
	for _, one := range []struct {
		rule string
		ask  query.HistoryQuery
		want []query.HistorySeries
	}{
		{
			"raw, of several sensors, quantities and domains",
			query.HistoryQuery{Sensors: sensors, Quantities: []telemetry.QuantityID{speed, voltage, intensity}},
			[]query.HistorySeries{
				{Sensor: "loop-1", Quantity: intensity, Channel: "1", Points: points(0, 4, 30_000, 5)},
				{Sensor: "loop-1", Quantity: speed, Points: points(1, 33)},
				{Sensor: "loop-1", Quantity: speed, Channel: "1", Points: points(0, 50, 10_000, 60, 70_000, 10)},
				{Sensor: "loop-2", Quantity: speed, Points: points(0, 70)},
				{Sensor: "meter-1", Quantity: voltage, Channel: "L1", Points: points(0, 231)},
			},
		},
		{
			"each quantity has its natural aggregate",
			query.HistoryQuery{Sensors: sensors[:1], Quantities: []telemetry.QuantityID{speed, intensity}, Channel: &lane, Step: step.Length{Every: time.Minute}},
			[]query.HistorySeries{
				{Sensor: "loop-1", Quantity: intensity, Channel: "1", Points: points(0, 9)},
				{Sensor: "loop-1", Quantity: speed, Channel: "1", Points: points(0, 55, 60_000, 10)},
			},
		},
		{
			"readings without a channel can be asked for",
			query.HistoryQuery{Sensors: sensors, Quantities: []telemetry.QuantityID{speed}, Channel: &none},
			[]query.HistorySeries{
				{Sensor: "loop-1", Quantity: speed, Points: points(1, 33)},
				{Sensor: "loop-2", Quantity: speed, Points: points(0, 70)},
			},
		},
		{
			"nothing is no series",
			query.HistoryQuery{Sensors: []telemetry.SensorID{"loop-7"}, Quantities: []telemetry.QuantityID{speed}, Step: step.Length{Every: time.Hour}},
			nil,
		},
	} {
		t.Run(one.rule, func(t *testing.T) {
			one.ask.From, one.ask.To = noon, noon.Add(2*time.Minute)
			got, err := h.History(context.Background(), one.ask)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(one.want, got.Series, cmpopts.EquateEmpty()); diff != "" || got.Truncated {
				t.Errorf("series, truncated %v (-want +got):\n%s", got.Truncated, diff)
			}
		})
	}
}

// Every aggregate is computed here as well, from random readings, with steps that do not divide the range.
func TestStepsHoldTheAggregateOfTheirReadings(t *testing.T) {
	c := start(t)
	random := rand.New(rand.NewPCG(1, 2))
	const every = 7 * time.Minute
	from, to := noon.Add(-time.Hour), noon.Add(time.Hour)
	values := map[telemetry.UnixMilli][]float64{}
	var all []telemetry.Reading
	for at := from.Add(-10 * time.Minute); at.Before(to.Add(10 * time.Minute)); at = at.Add(time.Duration(1+random.IntN(60_000)) * time.Millisecond) {
		r := reading(t, "loop-1", "speed", "", float64(random.IntN(1000))/8, telemetry.MilliOf(at))
		all = append(all, r)
		if !at.Before(from) && at.Before(to) {
			bucket := r.Measured - r.Measured%telemetry.UnixMilli(every.Milliseconds())
			values[bucket] = append(values[bucket], r.Value)
		}
	}
	write(t, c, all...)
	rank := func(v []float64, p float64) float64 { return v[max(0, int(float64(len(v))*p/100+0.5)-1)] }
	h := query.NewHistory(query.DefaultConfig(), c, prometheus.NewRegistry())
	for agg, of := range map[query.Agg]func(sorted []float64, sum float64) float64{
		query.Mean:  func(v []float64, sum float64) float64 { return sum / float64(len(v)) },
		query.Min:   func(v []float64, _ float64) float64 { return v[0] },
		query.Max:   func(v []float64, _ float64) float64 { return v[len(v)-1] },
		query.Sum:   func(_ []float64, sum float64) float64 { return sum },
		query.Count: func(v []float64, _ float64) float64 { return float64(len(v)) },
		query.P50:   func(v []float64, _ float64) float64 { return rank(v, 50) },
		query.P95:   func(v []float64, _ float64) float64 { return rank(v, 95) },
	} {
		var want []query.Point
		for bucket, v := range values {
			v = slices.Sorted(slices.Values(v))
			sum := 0.0
			for _, one := range v {
				sum += one
			}
			want = append(want, query.Point{Time: bucket, Value: of(v, sum)})
		}
		slices.SortFunc(want, func(a, b query.Point) int { return int(a.Time - b.Time) })
		got, err := h.History(context.Background(), query.HistoryQuery{
			Sensors: []telemetry.SensorID{"loop-1"}, Quantities: []telemetry.QuantityID{id(t, "speed")}, From: from, To: to, Step: step.Length{Every: every}, Agg: agg,
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Series) != 1 {
			t.Fatalf("%s: %d series", agg, len(got.Series))
		}
		if diff := cmp.Diff(want, got.Series[0].Points, cmpopts.EquateApprox(1e-12, 0)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", agg, diff)
		}
		if parsed, ok := query.ParseAgg(agg.String()); !ok || parsed != agg {
			t.Errorf("%s is read back as %s", agg, parsed)
		}
	}
}

func TestLongHistoryIsTruncatedAndSaysSo(t *testing.T) {
	c := start(t)
	var all []telemetry.Reading
	for i := range 300 {
		at := telemetry.MilliOf(noon) + telemetry.UnixMilli(i)*1000
		// The two quantities come at different times: a row of the store holds only one of them.
		all = append(all, reading(t, "loop-1", "speed", "", float64(i), at), reading(t, "loop-1", "intensity", "", 1, at+500),
			reading(t, "loop-2", "speed", "", float64(i), at))
	}
	write(t, c, all...)
	ask := query.HistoryQuery{From: noon, To: noon.Add(time.Hour)}
	for _, one := range []struct {
		rule                  string
		sensors               []telemetry.SensorID
		quantities            []string
		maxPoints, maxSeries  int
		step                  time.Duration
		truncated             bool
		wantSeries, wantTotal int
	}{
		{"all fits", []telemetry.SensorID{"loop-1", "loop-2"}, []string{"speed"}, 600, 10, 0, false, 2, 600},
		{"points are shared among sensors", []telemetry.SensorID{"loop-1", "loop-2"}, []string{"speed"}, 100, 10, 0, true, 2, 100},
		{"rows of two quantities count once", []telemetry.SensorID{"loop-1"}, []string{"speed", "intensity"}, 1200, 10, 0, false, 2, 600},
		{"rows that the store cut are missed", []telemetry.SensorID{"loop-1"}, []string{"speed", "intensity"}, 800, 10, 0, true, 2, 400},
		{"series are bounded", []telemetry.SensorID{"loop-1", "loop-2"}, []string{"speed"}, 1000, 1, 0, true, 1, 300},
		{"steps count as points", []telemetry.SensorID{"loop-1", "loop-2"}, []string{"speed"}, 20, 10, 4 * time.Minute, false, 2, 4},
	} {
		t.Run(one.rule, func(t *testing.T) {
			cfg := query.DefaultConfig()
			cfg.MaxPoints, cfg.MaxSeries = one.maxPoints, one.maxSeries
			ask.Sensors, ask.Step, ask.Quantities = one.sensors, step.Length{Every: one.step}, nil
			for _, name := range one.quantities {
				ask.Quantities = append(ask.Quantities, id(t, name))
			}
			got, err := query.NewHistory(cfg, c, prometheus.NewRegistry()).History(context.Background(), ask)
			if err != nil {
				t.Fatal(err)
			}
			total := 0
			for _, s := range got.Series {
				total += len(s.Points)
				if s.Points[0].Time > telemetry.MilliOf(noon)+500 {
					t.Errorf("%s: the oldest points are missing", s.Sensor)
				}
			}
			if got.Truncated != one.truncated || len(got.Series) != one.wantSeries || total < one.wantTotal-1 || total > one.wantTotal+1 {
				t.Errorf("%d series, %d points, truncated %v; want %d, %d, %v", len(got.Series), total, got.Truncated, one.wantSeries, one.wantTotal, one.truncated)
			}
		})
	}
}

func TestWrongQuestionIsTheAskersFault(t *testing.T) {
	cfg := query.DefaultConfig()
	cfg.MaxSensors, cfg.MaxQuantities, cfg.MaxPoints = 2, 2, 100
	bad := "a b"
	speed := id(t, "speed")
	good := query.HistoryQuery{Sensors: []telemetry.SensorID{"loop-1"}, Quantities: []telemetry.QuantityID{speed}, From: noon, To: noon.Add(time.Hour)}
	for param, spoil := range map[string]func(*query.HistoryQuery){
		"sensor: is missing":   func(q *query.HistoryQuery) { q.Sensors = nil },
		"sensor: names 3":      func(q *query.HistoryQuery) { q.Sensors = []telemetry.SensorID{"aa", "bb", "cc"} },
		"sensor: id":           func(q *query.HistoryQuery) { q.Sensors = []telemetry.SensorID{`x' OR '1'='1`} },
		"quantity: is missing": func(q *query.HistoryQuery) { q.Quantities = nil },
		"quantity: names 3":    func(q *query.HistoryQuery) { q.Quantities = []telemetry.QuantityID{speed, speed, speed} },
		"channel: channel":     func(q *query.HistoryQuery) { q.Channel = &bad },
		"from: must be before": func(q *query.HistoryQuery) { q.To = q.From },
		"from: and to":         func(q *query.HistoryQuery) { q.From = time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC) },
		"from: is 5":           func(q *query.HistoryQuery) { q.From = q.To.AddDate(-160, 0, 0) },
		"step: of 36s":         func(q *query.HistoryQuery) { q.Step = step.Length{Every: 36 * time.Second} },
		"step: is -1s":         func(q *query.HistoryQuery) { q.Step = step.Length{Every: -time.Second} },
		"step: is 1ms": func(q *query.HistoryQuery) {
			q.Step = step.Length{Every: time.Millisecond}
			q.To = q.From.Add(time.Millisecond)
		},
		"agg: is unknown": func(q *query.HistoryQuery) { q.Agg = 200 },
	} {
		q := good
		spoil(&q)
		_, err := query.NewHistory(cfg, nil, prometheus.NewRegistry()).History(context.Background(), q)
		var invalid *query.InvalidError
		if !errors.As(err, &invalid) || !strings.HasPrefix(invalid.Error(), param) {
			t.Errorf("%s…: %v", param, err)
		}
	}
}

func TestAutoStepIsTheShortestThatFits(t *testing.T) {
	for _, c := range []struct {
		span   time.Duration
		points int
		want   string
	}{
		{time.Minute, 1000, "1s"},
		{time.Hour, 400, "10s"},
		{time.Hour, 60, "2m"},
		{24 * time.Hour, 500, "5m"},
		{7 * 24 * time.Hour, 500, "30m"},
		{366 * 24 * time.Hour, 500, "1d"},
		{10 * 366 * 24 * time.Hour, 100, "3mo"},
		{100 * 366 * 24 * time.Hour, 100, "2y"},
		{0, 10, "1s"},
	} {
		from := noon
		got := query.AutoStep(from, from.Add(c.span), c.points)
		if got.String() != c.want || c.span/got.Shortest()+1 > time.Duration(c.points) {
			t.Errorf("AutoStep of %s in %d points = %s, want %s", c.span, c.points, got, c.want)
		}
	}
}

func TestSeedFindsTheNewestOfEverySensor(t *testing.T) {
	c := start(t)
	at := func(d time.Duration) telemetry.UnixMilli { return telemetry.MilliOf(noon.Add(d)) }
	want := []telemetry.Reading{
		reading(t, "air-1", "no2", "", 21, at(-time.Hour)),
		reading(t, "loop-1", "intensity", "1", 4, at(-2*time.Hour)),
		reading(t, "loop-1", "speed", "1", 50, at(-time.Minute)),
		reading(t, "loop-1", "speed", "2", 40, at(-time.Hour)),
		reading(t, "old-1", "speed", "", 30, at(-22*365*24*time.Hour)), // a recording of long ago
		reading(t, "old-2", "speed", "", 31, at(-400*24*time.Hour)),
	}
	write(t, c, want...)
	write(t, c,
		reading(t, "loop-1", "speed", "1", 1, at(-2*time.Minute)), reading(t, "loop-1", "intensity", "1", 1, at(-3*time.Hour)),
		reading(t, "old-1", "speed", "", 1, at(-23*365*24*time.Hour)), reading(t, "loop-2", "speed", "", 1, at(-time.Hour)),
	)
	if err := c.Write(context.Background(), fmt.Appendf(nil, "traffic,sensor=loop-1 speed_raw=1,of_tomorrow=2 %d", at(0))); err != nil {
		t.Fatal(err)
	}
	l := query.NewLatest(query.DefaultConfig(), prometheus.NewRegistry())
	// What the live stream brought meanwhile is newer.
	live := reading(t, "loop-2", "speed", "", 77, at(0))
	l.Add([]telemetry.Reading{live})
	if err := l.Seed(context.Background(), c, noon); err != nil {
		t.Fatal(err)
	}
	got := l.Select(query.Filter{})
	want = slices.Insert(want, 4, live)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("seeded (-want +got):\n%s", diff)
	}

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := query.NewLatest(query.DefaultConfig(), prometheus.NewRegistry()).Seed(ctx, c, noon); !errors.Is(err, context.Canceled) {
		t.Errorf("seeding with an ended context: %v", err)
	}
}

func TestConfigNamesEveryFault(t *testing.T) {
	if err := query.DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
	err := query.Config{CacheBytes: -1}.Validate()
	for _, key := range []string{
		"max_latest", "max_latest_of_sensor", "seed_range", "max_sensors", "max_places", "max_quantities", "max_series", "max_points", "max_range", "min_step", "cache_bytes", "cache_age",
	} {
		if err == nil || !strings.Contains("\n"+err.Error(), "\n"+key+": ") {
			t.Errorf("no fault for %s in %v", key, err)
		}
	}
}
