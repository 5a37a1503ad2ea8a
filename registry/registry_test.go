package registry_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"golang.org/x/crypto/bcrypt"

	"github.com/lamppost-city/lamppost/registry"
	"github.com/lamppost-city/lamppost/telemetry"
)

const by registry.Actor = "test"

func TestMain(m *testing.M) {
	if path := os.Getenv(importForEverIn); path != "" {
		os.Exit(importForEver(path))
	}
	goleak.VerifyTestMain(m)
}

func testConfig() registry.Config {
	cfg := registry.DefaultConfig()
	cfg.PasswordCost = bcrypt.MinCost
	cfg.WatchInterval = 50 * time.Millisecond
	return cfg
}

// tester is what testing.TB and *rapid.T have in common.
type tester interface {
	Helper()
	Context() context.Context
	Cleanup(func())
	Error(...any)
	Fatal(...any)
}

func openAt(t tester, path string, cfg registry.Config) *registry.Registry {
	t.Helper()
	r, err := registry.OpenWith(t.Context(), path, cfg, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func open(t testing.TB) *registry.Registry {
	t.Helper()
	return openAt(t, newFile(t, filepath.Join(t.TempDir(), "registry.db")), testConfig())
}

// newFile puts a registry without content at path, and returns path. Making one takes ten times as long as copying it.
func newFile(t tester, path string) string {
	t.Helper()
	if err := os.WriteFile(path, emptyFile(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

var emptyFile = sync.OnceValue(func() []byte {
	dir, err := os.MkdirTemp("", "lamppost-registry-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "registry.db")
	r, err := registry.Open(context.Background(), path, slog.New(slog.DiscardHandler))
	if err != nil {
		panic(err)
	}
	if err := r.Close(); err != nil { // moves the write-ahead log into the file
		panic(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		panic(err)
	}
	return content
})

// run starts r.Run and stops it at the end of the test.
func run(t *testing.T, r *registry.Registry) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("Run ended with %v", err)
		}
	})
}

func must[T any](t testing.TB) func(T, error) T {
	return func(x T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
}

// furnish registers a small city.
func furnish(t testing.TB, r *registry.Registry) {
	t.Helper()
	ctx := t.Context()
	put := must[registry.Outcome](t)
	put(r.PutDistrict(ctx, by, registry.District{ID: "old-town", Title: "Old Town"}))
	put(r.PutSite(ctx, by, registry.Site{ID: "bridge", Title: "Stone Bridge", District: "old-town", Lon: 13.4, Lat: 52.5}))
	put(r.PutSite(ctx, by, registry.Site{ID: "park", Lon: -0.1275, Lat: 51.507222}))
	put(r.PutSensor(ctx, by, registry.Sensor{ID: "loop-1", Title: "Lane 1, inbound", Site: "bridge", Publisher: "gateway-7", Quantities: []string{"speed", "intensity"}, Cadence: time.Minute}))
	put(r.PutSensor(ctx, by, registry.Sensor{ID: "air-1", Title: "Köln-Platz", Site: "park", Quantities: []string{"no2"}, Cadence: 1500 * time.Millisecond}))
	put(r.PutSensor(ctx, by, registry.Sensor{ID: "mix-1", Site: "bridge", Quantities: []string{"active_power", "no2"}}))
	put(r.PutSensor(ctx, by, registry.Sensor{ID: "gateway-7", Quantities: []string{"temperature"}}))
}

func ids(sensors []*registry.Sensor) string {
	var all []string
	for _, s := range sensors {
		all = append(all, string(s.ID))
	}
	return strings.Join(all, " ")
}

func TestSensorIsKeptInNormalForm(t *testing.T) {
	r := open(t)
	furnish(t, r)
	before := time.Now().Add(-time.Minute)
	if done := must[registry.Outcome](t)(r.PutSensor(t.Context(), by, registry.Sensor{
		ID: "lamp-1", Title: "  ", Site: "park", Quantities: []string{"speed", "active_power"}, CreatedAt: time.Unix(1, 0),
	})); done != registry.Created {
		t.Errorf("done = %q", done)
	}
	got := must[registry.Sensor](t)(r.GetSensor(t.Context(), "lamp-1"))
	want := registry.Sensor{ID: "lamp-1", Title: "lamp-1", Site: "park", Quantities: []string{"active_power", "speed"}}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(registry.Sensor{}, "CreatedAt", "UpdatedAt")); diff != "" {
		t.Error(diff)
	}
	if got.CreatedAt.Before(before) || got.CreatedAt.Location() != time.UTC || !got.UpdatedAt.Equal(got.CreatedAt) {
		t.Errorf("created at %v, updated at %v", got.CreatedAt, got.UpdatedAt)
	}
	if diff := cmp.Diff([]telemetry.Domain{telemetry.Traffic, telemetry.Energy}, got.Domains()); diff != "" {
		t.Error(diff)
	}
}

func TestDomainsAreOfWhatIsMeasured(t *testing.T) {
	for _, c := range []struct {
		quantities []string
		want       []telemetry.Domain
	}{
		{[]string{"battery_level", "laeq", "signal_strength"}, []telemetry.Domain{telemetry.Safety}},
		{[]string{"active_power", "intensity", "latitude"}, []telemetry.Domain{telemetry.Traffic, telemetry.Energy}},
		{[]string{"battery_level", "uptime"}, []telemetry.Domain{telemetry.Energy}},
		{nil, nil},
	} {
		s := registry.Sensor{ID: "s", Quantities: c.quantities}
		if diff := cmp.Diff(c.want, s.Domains()); diff != "" {
			t.Errorf("%v: %s", c.quantities, diff)
		}
		for _, d := range telemetry.Domains() {
			if got := s.In(d); got != slices.Contains(c.want, d) {
				t.Errorf("%v: in %v: %v", c.quantities, d, got)
			}
		}
	}
}

func TestPutTellsWhatItDid(t *testing.T) {
	r := open(t)
	furnish(t, r)
	version := r.Snapshot().Version
	sensor := registry.Sensor{ID: "air-1", Title: "Köln-Platz ", Site: "park", Quantities: []string{"no2"}, Cadence: 1500 * time.Millisecond}
	site := registry.Site{ID: "park", Title: "park", Lon: -0.12750000001, Lat: 51.507222}
	put := must[registry.Outcome](t)
	for name, done := range map[string]registry.Outcome{
		"sensor":   put(r.PutSensor(t.Context(), by, sensor)),
		"site":     put(r.PutSite(t.Context(), by, site)),
		"district": put(r.PutDistrict(t.Context(), by, registry.District{ID: "old-town", Title: "Old Town"})),
	} {
		if done != registry.Unchanged {
			t.Errorf("%s that is the same: %q", name, done)
		}
	}
	if now := r.Snapshot().Version; now != version {
		t.Errorf("version went from %d to %d although nothing was changed", version, now)
	}
	sensor.Cadence = 0
	if done := put(r.PutSensor(t.Context(), by, sensor)); done != registry.Updated {
		t.Errorf("sensor with another cadence: %q", done)
	}
	if now := r.Snapshot().Version; now != version+1 {
		t.Errorf("version went from %d to %d with one change", version, now)
	}
	if s, _ := r.Snapshot().Sensor("air-1"); s.Cadence != 0 {
		t.Error("the snapshot is behind its own process's change")
	}
}

func TestInvalidIsRefusedWithEveryFault(t *testing.T) {
	r := open(t)
	furnish(t, r)
	for _, test := range []struct {
		rule string
		put  func() (registry.Outcome, error)
		want []string
	}{
		{
			"a sensor needs a slug, a title in one line, a site that exists, known quantities, a sane cadence",
			func() (registry.Outcome, error) {
				return r.PutSensor(t.Context(), by, registry.Sensor{
					ID: "Lamp 1", Title: "a\nb", Site: "nowhere", Publisher: "-x",
					Quantities: []string{"speed", "magic", "speed"}, Cadence: time.Microsecond,
				})
			},
			[]string{"id", "title", "publisher", "quantities", "quantities", "cadence_s", "site"},
		},
		{
			"a sensor may not be named like a quantity",
			func() (registry.Outcome, error) {
				return r.PutSensor(t.Context(), by, registry.Sensor{ID: "no2", Quantities: []string{"no2"}})
			},
			[]string{"id"},
		},
		{
			"a sensor measures something",
			func() (registry.Outcome, error) {
				return r.PutSensor(t.Context(), by, registry.Sensor{ID: "lamp-1", Cadence: -1})
			},
			[]string{"quantities", "cadence_s"},
		},
		{
			"a site lies on the earth, in a district that exists",
			func() (registry.Outcome, error) {
				return r.PutSite(t.Context(), by, registry.Site{ID: "s", Title: "\xff", District: "atlantis", Lon: 181, Lat: -91})
			},
			[]string{"id", "title", "lon", "lat", "district"},
		},
		{
			"a district has a title of bounded length",
			func() (registry.Outcome, error) {
				return r.PutDistrict(t.Context(), by, registry.District{ID: "dd", Title: strings.Repeat("ä", 201)})
			},
			[]string{"title"},
		},
		{
			"a change has an actor",
			func() (registry.Outcome, error) {
				return r.PutDistrict(t.Context(), "", registry.District{ID: "dd"})
			},
			[]string{"actor"},
		},
	} {
		t.Run(test.rule, func(t *testing.T) {
			version := r.Snapshot().Version
			_, err := test.put()
			var invalid *registry.InvalidError
			if !errors.As(err, &invalid) {
				t.Fatalf("error is %v", err)
			}
			var fields []string
			for _, f := range invalid.Fields {
				fields = append(fields, f.Field)
			}
			if diff := cmp.Diff(test.want, fields); diff != "" {
				t.Errorf("%v:\n%s", err, diff)
			}
			if r.Snapshot().Version != version {
				t.Error("something was changed")
			}
		})
	}
}

func TestNumberOfSensorsIsBounded(t *testing.T) {
	cfg := testConfig()
	cfg.MaxSensors = 4
	r := openAt(t, filepath.Join(t.TempDir(), "registry.db"), cfg)
	furnish(t, r)
	var invalid *registry.InvalidError
	if _, err := r.PutSensor(t.Context(), by, registry.Sensor{ID: "one-more", Quantities: []string{"no2"}}); !errors.As(err, &invalid) {
		t.Errorf("a fifth sensor: %v", err)
	}
	if _, err := r.PutSensor(t.Context(), by, registry.Sensor{ID: "air-1", Quantities: []string{"no2"}}); err != nil {
		t.Errorf("change of a sensor while the registry is full: %v", err)
	}
	if _, err := r.Import(t.Context(), strings.NewReader(header+"\none-more,,,,,,,,,no2\n"), registry.ImportOptions{By: by}); !errors.Is(err, registry.ErrImport) {
		t.Errorf("import of a fifth sensor: %v", err)
	}
}

func TestWhatIsNotThereIsNotFound(t *testing.T) {
	r := open(t)
	ctx := t.Context()
	_, sensor := r.GetSensor(ctx, "ghost")
	_, site := r.GetSite(ctx, "ghost")
	_, district := r.GetDistrict(ctx, "ghost")
	_, plan := r.Plan(ctx)
	for name, err := range map[string]error{
		"sensor": sensor, "site": site, "district": district, "plan": plan,
		"delete":    r.DeleteSensor(ctx, by, "ghost"),
		"publisher": r.RemovePublisher(ctx, by, "ghost"),
	} {
		if !errors.Is(err, registry.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEveryFaultOfTheConfigurationIsReported(t *testing.T) {
	if err := registry.DefaultConfig().Validate(); err != nil {
		t.Errorf("the default: %v", err)
	}
	err := registry.Config{WatchInterval: 2 * time.Second, PasswordCost: 31}.Validate()
	for _, key := range []string{
		"watch_interval", "readers", "max_sensors", "max_import_bytes", "max_import_errors", "max_plan_bytes",
		"password_cost", "password_checks",
	} {
		if err == nil || !strings.Contains(err.Error(), key+": ") {
			t.Errorf("nothing of %s in %v", key, err)
		}
	}
}

func TestMetrics(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	r, err := registry.OpenWith(t.Context(), filepath.Join(t.TempDir(), "registry.db"), testConfig(), reg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	furnish(t, r)
	r.Verify("ghost", "a password that is wrong")
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]float64)
	for _, f := range families {
		m := f.GetMetric()[0]
		got[f.GetName()] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
	}
	want := map[string]float64{
		"lamppost_registry_sensors": 4, "lamppost_registry_sites": 2, "lamppost_registry_snapshot_loads_total": 8,
		"lamppost_registry_snapshot_failures_total": 0, "lamppost_registry_logins_total": 1,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
