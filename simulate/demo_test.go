package simulate_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/lamppost-city/lamppost/firmware-bridge/uplink/uplinktest"
	"github.com/lamppost-city/lamppost/simulate"
	"github.com/lamppost-city/lamppost/simulate/city"
	"github.com/lamppost-city/lamppost/telemetry"
)

func TestDemoSendsItsPastBesideThePresent(t *testing.T) {
	const sensors = 20
	broker := uplinktest.New(t, uplinktest.AckAll)
	cfg := simulate.DemoConfig(sensors)
	cfg.Sins, cfg.BackfillSins, cfg.Backfill = "none", "none", simulate.DemoBackfill
	cfg.MQTT.URL, cfg.MQTT.Connections = "mqtt://"+broker.Address(), 1
	var registry memory
	ctx, cancel := context.WithCancel(t.Context())
	past := 0 // a minute of each quarter of an hour, and an hour
	for _, s := range build(t, cfg.Seed, sensors).Sensors() {
		past += int(time.Minute/s.Cadence)*8*24*4 + int(time.Hour/s.Cadence)
	}
	go func() {
		for ctx.Err() == nil && len(broker.Seen()) < past+2 {
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	begin := time.Now()
	report, err := simulate.Demo(ctx, cfg, &registry, quiet())
	if err != nil {
		t.Fatal(err)
	}
	readings, _, bad := decode(t, broker.Seen())
	if len(bad) > 0 || report.Messages < uint64(past) {
		t.Fatalf("%+v, %d bad", report, len(bad))
	}
	seen, last := map[telemetry.SensorID]bool{}, map[telemetry.SensorID]telemetry.UnixMilli{}
	steps := map[telemetry.UnixMilli]map[telemetry.SensorID]map[telemetry.UnixMilli]bool{}
	hour, oldest := telemetry.MilliOf(begin.Add(-time.Hour)), telemetry.MilliOf(begin)
	for _, r := range readings {
		oldest = min(oldest, r.Measured)
		if len(seen) < sensors {
			seen[r.Sensor] = true
			if age := begin.Sub(r.Measured.Time()); age > time.Minute {
				t.Fatalf("%s is seen only with a reading of %s ago, and %d sensors before all are seen", r.Sensor, age, len(seen))
			}
		}
		if r.Measured < hour-1000 {
			step := r.Measured / 900_000
			if steps[step] == nil {
				steps[step] = map[telemetry.SensorID]map[telemetry.UnixMilli]bool{}
			}
			if steps[step][r.Sensor] == nil {
				steps[step][r.Sensor] = map[telemetry.UnixMilli]bool{}
			}
			steps[step][r.Sensor][r.Measured] = true
		}
	}
	if age := begin.Sub(oldest.Time()); age < 8*24*time.Hour || age > simulate.DemoBackfill+time.Minute {
		t.Errorf("the past begins %s ago", age)
	}
	cadence := map[telemetry.SensorID]time.Duration{}
	for _, s := range build(t, cfg.Seed, sensors).Sensors() {
		cadence[s.ID] = s.Cadence
	}
	for step, all := range steps {
		for id, cadence := range cadence {
			if len(all[id]) != int(time.Minute/cadence) {
				t.Errorf("%s with a cadence of %s reports %d times in the step from %s", id, cadence, len(all[id]), (900_000 * step).Time())
			}
		}
	}
	if want := 8 * 24 * 4; len(steps) < want-1 || len(steps) > want+1 {
		t.Errorf("%d steps before the last hour, want about %d", len(steps), want)
	}
	slices.SortFunc(readings, func(a, b telemetry.Reading) int { return cmp.Compare(a.Measured, b.Measured) })
	for _, r := range readings {
		before, ok := last[r.Sensor]
		last[r.Sensor] = r.Measured
		if gap := r.Measured.Time().Sub(before.Time()); ok && before > hour && gap != 0 && (gap-cadence[r.Sensor]).Abs() > time.Millisecond {
			t.Fatalf("%s with a cadence of %s reported at %s and %s later", r.Sensor, cadence[r.Sensor], before.Time(), gap)
		}
	}
	if registry.rows != sensors || !bytes.Contains(registry.plan, []byte(`"FeatureCollection"`)) {
		t.Errorf("%d sensors registered, plan of %d bytes", registry.rows, len(registry.plan))
	}
}

// TestNobodyIsOvertakenByItsPast: of so many sensors some are silent or cut off at any moment.
func TestNobodyIsOvertakenByItsPast(t *testing.T) {
	broker := uplinktest.New(t, uplinktest.AckAll)
	cfg := simulate.DemoConfig(5000)
	cfg.Sins, cfg.BackfillSins, cfg.Backfill, cfg.For = "silence,burst", "silence", time.Hour, 3*time.Second
	cfg.MQTT.URL, cfg.MQTT.Connections = "mqtt://"+broker.Address(), 1
	begin := time.Now()
	if _, err := simulate.Demo(t.Context(), cfg, &memory{}, quiet()); err != nil {
		t.Fatal(err)
	}
	readings, seqs, _ := decode(t, broker.Seen())
	for id, all := range seqs {
		if !slices.IsSorted(all) {
			t.Errorf("%s does not number its messages in the order in which they come", id)
		}
	}
	newest, silent := map[telemetry.SensorID]telemetry.UnixMilli{}, 0
	for _, r := range readings {
		first, ok := newest[r.Sensor]
		if !ok {
			newest[r.Sensor] = r.Measured
			if begin.Sub(r.Measured.Time()) > time.Minute {
				silent++
			}
		}
		if ok && r.Measured > first && r.Measured.Time().Before(begin.Add(-time.Minute)) {
			t.Fatalf("%s said first what it measured at %s, and then that of %s", r.Sensor, first.Time(), r.Measured.Time())
		}
	}
	if len(newest) < 4900 || silent == 0 {
		t.Errorf("%d sensors, %d of them silent", len(newest), silent)
	}
}

func TestThePastOfALargeDemonstrationIsThinner(t *testing.T) {
	for sensors, step := range map[int]time.Duration{1: 15 * time.Minute, 300: 15 * time.Minute, 1000: 30 * time.Minute, 20_000: 3 * time.Hour} {
		if cfg := simulate.DemoConfig(sensors); cfg.BackfillStep != step {
			t.Errorf("%d sensors: a step of %s, want %s", sensors, cfg.BackfillStep, step)
		}
	}
}

func build(t *testing.T, seed uint64, sensors int) *city.City {
	t.Helper()
	c, err := city.New(seed, sensors)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

type memory struct {
	rows     int
	cadences map[string]float64
	plan     []byte
}

func (m *memory) Register(_ context.Context, table io.Reader) error {
	rows, err := csv.NewReader(table).ReadAll()
	if err != nil {
		return err
	}
	if m.cadences == nil {
		m.cadences = map[string]float64{}
	}
	for _, row := range rows[1:] {
		if m.cadences[row[0]], err = strconv.ParseFloat(row[9], 64); err != nil {
			return err
		}
	}
	m.rows += len(rows) - 1
	return nil
}

func (m *memory) PutPlan(_ context.Context, geojson []byte) error {
	m.plan = geojson
	return nil
}

// TestAThinnerCityIsRegisteredAsSuch: what is expected of a city that is to send half of its messages is half as much.
func TestAThinnerCityIsRegisteredAsSuch(t *testing.T) {
	broker := uplinktest.New(t, uplinktest.AckAll)
	sum := 0.0
	for _, s := range build(t, 1, 20).Sensors() {
		sum += 1 / s.Cadence.Seconds()
	}
	for rate, stretch := range map[float64]float64{sum / 2: 2, 10 * sum: 1, simulate.NaturalRate: 1} {
		cfg := simulate.DemoConfig(20)
		cfg.Rate, cfg.Count, cfg.MQTT.URL, cfg.BackfillRate = rate, 1, "mqtt://"+broker.Address(), 0
		cfg.For = time.Millisecond
		var registry memory
		if _, err := simulate.Demo(t.Context(), cfg, &registry, quiet()); err != nil {
			t.Fatal(err)
		}
		for _, s := range build(t, 1, 20).Sensors() {
			if got := registry.cadences[string(s.ID)]; got != stretch*s.Cadence.Seconds() {
				t.Errorf("at %g messages a second %s, which would report every %s, is registered with %g s", rate, s.ID, s.Cadence, got)
			}
		}
	}
}

func TestRegistersThroughTheAPI(t *testing.T) {
	var mu sync.Mutex
	var calls []string
	failures := 2
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		body, _ := io.ReadAll(r.Body)
		if r.Header.Get("Authorization") != "Bearer secret-token" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if failures > 0 {
			failures--
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		calls = append(calls, fmt.Sprintf("%s %s %s %d", r.Method, r.URL.Path, r.Header.Get("Content-Type"), bytes.Count(body, []byte("\n"))))
	}))
	defer api.Close()
	broker := uplinktest.New(t, uplinktest.AckAll)
	cfg := fast(broker.Address(), 25, 30)
	cfg.ImportRows = 10
	cfg.HTTP.URL, cfg.HTTP.TokenFile = api.URL, filepath.Join(t.TempDir(), "api-token")
	if err := os.WriteFile(cfg.HTTP.TokenFile, []byte("secret-token\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := simulate.Run(t.Context(), cfg, quiet()); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"POST /api/v1/sensors/import text/csv 11", "POST /api/v1/sensors/import text/csv 11", "POST /api/v1/sensors/import text/csv 6",
		"PUT /api/v1/plan application/geo+json 0",
	}
	if diff := gocmp.Diff(want, calls); diff != "" {
		t.Error(diff)
	}
	if err := os.WriteFile(cfg.HTTP.TokenFile, []byte("wrong"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := simulate.Run(t.Context(), cfg, quiet()); err == nil || !strings.Contains(err.Error(), cfg.HTTP.TokenFile) || strings.Contains(err.Error(), "wrong") {
		t.Errorf("with a wrong token: %v", err)
	}
}
