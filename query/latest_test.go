package query_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/lamppost-city/lamppost/query"
	"github.com/lamppost-city/lamppost/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func id(t testing.TB, name string) telemetry.QuantityID {
	t.Helper()
	q, ok := telemetry.QuantityByName(name)
	if !ok {
		t.Fatalf("no quantity %s", name)
	}
	return q.ID
}

func reading(t testing.TB, sensor, quantity, channel string, value float64, at telemetry.UnixMilli) telemetry.Reading {
	t.Helper()
	return telemetry.Reading{Sensor: telemetry.SensorID(sensor), Quantity: id(t, quantity), Channel: channel, Value: value, Measured: at}
}

func TestLatestKeepsWhatWasMeasuredLast(t *testing.T) {
	l := query.NewLatest(query.DefaultConfig(), prometheus.NewRegistry())
	l.Add([]telemetry.Reading{
		reading(t, "loop-1", "speed", "", 50, 2000),
		reading(t, "loop-1", "speed", "", 40, 1000), // late: changes nothing
		reading(t, "loop-1", "speed", "2", 60, 500),
		reading(t, "loop-2", "intensity", "", 7, 3000),
		reading(t, "loop-2", "intensity", "", 8, 3000), // the same time again: corrects
		reading(t, "loop-1", "intensity", "", 3, 2500),
		reading(t, "meter-1", "voltage", "L1", 230, -5),
	})
	want := []telemetry.Reading{
		reading(t, "loop-1", "intensity", "", 3, 2500),
		reading(t, "loop-1", "speed", "", 50, 2000),
		reading(t, "loop-1", "speed", "2", 60, 500),
		reading(t, "loop-2", "intensity", "", 8, 3000),
		reading(t, "meter-1", "voltage", "L1", 230, -5),
	}
	if diff := cmp.Diff(want, l.Select(query.Filter{})); diff != "" {
		t.Errorf("all (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want[:3], l.AppendLatest(nil, "loop-1")); diff != "" {
		t.Errorf("of one sensor (-want +got):\n%s", diff)
	}
	if at, ok := l.LastSeen("loop-1"); !ok || at != 2500 {
		t.Errorf("loop-1 was seen %d, %v; want 2500", at, ok)
	}
	if at, ok := l.LastSeen("meter-1"); !ok || at != -5 {
		t.Errorf("meter-1 was seen %d, %v; want -5", at, ok)
	}
	if _, ok := l.LastSeen("loop-3"); ok {
		t.Error("a sensor that never reported was seen")
	}
	for rule, c := range map[string]struct {
		filter query.Filter
		want   []telemetry.Reading
	}{
		"by domain":   {query.Filter{Domain: telemetry.Energy}, want[4:]},
		"by quantity": {query.Filter{Quantities: []telemetry.QuantityID{id(t, "intensity")}}, []telemetry.Reading{want[0], want[3]}},
		"by sensor":   {query.Filter{Sensors: []telemetry.SensorID{"loop-2", "none", "loop-2"}}, want[3:4]},
		"by nothing":  {query.Filter{Sensors: []telemetry.SensorID{}}, nil},
		"by all":      {query.Filter{Sensors: []telemetry.SensorID{"loop-1"}, Domain: telemetry.Energy}, nil},
	} {
		if diff := cmp.Diff(c.want, l.Select(c.filter)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", rule, diff)
		}
	}
}

func TestLatestIsBounded(t *testing.T) {
	cfg := query.DefaultConfig()
	cfg.MaxLatest, cfg.MaxLatestOfSensor = 10, 3
	reg := prometheus.NewRegistry()
	l := query.NewLatest(cfg, reg)
	for i := range 5 {
		l.Add([]telemetry.Reading{reading(t, "many", "voltage", fmt.Sprint("L", i), 1, 1)})
	}
	if got := len(l.AppendLatest(nil, "many")); got != 3 {
		t.Errorf("%d series of one sensor, want 3", got)
	}
	for i := range 20 {
		l.Add([]telemetry.Reading{reading(t, fmt.Sprint("loop-", i), "speed", "", 1, 1)})
	}
	// Those that are kept go on.
	l.Add([]telemetry.Reading{reading(t, "loop-0", "speed", "", 2, 2)})
	all := l.Select(query.Filter{})
	if len(all) != 10 || l.AppendLatest(nil, "loop-0")[0].Value != 2 {
		t.Errorf("kept %v", all)
	}
	if _, ok := l.LastSeen("loop-19"); ok {
		t.Error("a sensor for which there was no room was seen")
	}
	for name, want := range map[string]float64{"lamppost_query_latest_series": 10, "lamppost_query_latest_refused_total": 15} {
		if got := value(t, reg, name); got != want {
			t.Errorf("%s = %v, want %v", name, got, want)
		}
	}
}

func value(t *testing.T, reg *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.Metric[0].GetGauge().GetValue() + f.Metric[0].GetCounter().GetValue()
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}

func TestRunFollowsTheStreamUntilItEnds(t *testing.T) {
	l := query.NewLatest(query.DefaultConfig(), prometheus.NewRegistry())
	batches := make(chan []telemetry.Reading)
	ended := make(chan error, 1)
	go func() { ended <- l.Run(context.Background(), batches) }()
	batch := []telemetry.Reading{reading(t, "loop-1", "speed", "", 1, 1)}
	batches <- batch
	close(batches)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	batch[0].Value = 99 // the memory of a batch is used again
	if got := l.AppendLatest(nil, "loop-1"); len(got) != 1 || got[0].Value != 1 {
		t.Errorf("kept %v", got)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := l.Run(ctx, nil); err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// With -race this also shows that readers and writers do not disturb each other.
func TestReadersDoNotDisturbTheFeed(t *testing.T) {
	l := query.NewLatest(query.DefaultConfig(), prometheus.NewRegistry())
	const sensors, rounds = 500, 20
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for round := range rounds {
				for _, r := range city(t, sensors, telemetry.UnixMilli(round)) {
					l.Add([]telemetry.Reading{r})
				}
			}
		})
		wg.Go(func() {
			for range rounds {
				_ = l.Select(query.Filter{Domain: telemetry.Traffic})
				_ = query.Figures(l, time.UnixMilli(0), always(time.Hour))
			}
		})
	}
	wg.Wait()
	all := l.Select(query.Filter{})
	if len(all) != 3*sensors {
		t.Fatalf("%d series, want %d", len(all), 3*sensors)
	}
	if old := slices.IndexFunc(all, func(r telemetry.Reading) bool { return r.Measured != rounds-1 }); old >= 0 {
		t.Errorf("an old reading was kept: %v", all[old])
	}
}

// city is a reading of three quantities of each sensor.
func city(t testing.TB, sensors int, at telemetry.UnixMilli) []telemetry.Reading {
	speed, intensity, occupancy := id(t, "speed"), id(t, "intensity"), id(t, "occupancy")
	all := make([]telemetry.Reading, 0, 3*sensors)
	for i := range sensors {
		sensor := telemetry.SensorID(fmt.Sprintf("loop-%d", i))
		all = append(all,
			telemetry.Reading{Sensor: sensor, Quantity: speed, Value: 50, Measured: at},
			telemetry.Reading{Sensor: sensor, Quantity: intensity, Value: 7, Measured: at},
			telemetry.Reading{Sensor: sensor, Quantity: occupancy, Value: 0.1, Measured: at})
	}
	return all
}

func BenchmarkLatestAdd(b *testing.B) {
	l := query.NewLatest(query.DefaultConfig(), prometheus.NewRegistry())
	all := city(b, 10_000, 1)
	l.Add(all)
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		l.Add(all)
		n += len(all)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/reading")
}

func BenchmarkFiguresOf10000Sensors(b *testing.B) {
	l := query.NewLatest(query.DefaultConfig(), prometheus.NewRegistry())
	l.Add(city(b, 10_000, 1))
	b.ReportAllocs()
	for b.Loop() {
		_ = query.Figures(l, time.UnixMilli(1), always(time.Hour))
	}
}

func BenchmarkSelectOf10000Sensors(b *testing.B) {
	l := query.NewLatest(query.DefaultConfig(), prometheus.NewRegistry())
	l.Add(city(b, 10_000, 1))
	b.ReportAllocs()
	for b.Loop() {
		_ = l.Select(query.Filter{})
	}
}
