package registry_test

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
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

func openAt(t testing.TB, path string, cfg registry.Config) *registry.Registry {
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
	return openAt(t, filepath.Join(t.TempDir(), "registry.db"), testConfig())
}

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

func TestSnapshotIndexes(t *testing.T) {
	r := open(t)
	furnish(t, r)
	snap := r.Snapshot()
	for _, test := range []struct{ rule, got, want string }{
		{"all, in order of id", ids(snap.Sensors()), "air-1 gateway-7 loop-1 mix-1"},
		{"at a site", ids(snap.SensorsAt("bridge")), "loop-1 mix-1"},
		{"without a site", ids(snap.SensorsAt("")), "gateway-7"},
		{"in a district", ids(snap.SensorsIn("old-town")), "loop-1 mix-1"},
		{"without a district", ids(snap.SensorsIn("")), "air-1 gateway-7"},
		{"of a bridge that is a sensor too", ids(snap.SensorsOf("gateway-7")), "gateway-7 loop-1"},
		{"of a sensor that speaks for itself", ids(snap.SensorsOf("air-1")), "air-1"},
		{"of somebody unknown", ids(snap.SensorsOf("ghost")), ""},
	} {
		if test.got != test.want {
			t.Errorf("sensors %s: %q, want %q", test.rule, test.got, test.want)
		}
	}
	must[registry.Outcome](t)(r.PutSite(t.Context(), by, registry.Site{ID: "bridge", Lon: 1, Lat: 1}))
	if got := ids(r.Snapshot().SensorsIn("old-town")); got != "" {
		t.Errorf("the site left the district, its sensors did not: %s", got)
	}
	if err := r.DeleteSensor(t.Context(), by, "loop-1"); err != nil {
		t.Fatal(err)
	}
	if got := ids(r.Snapshot().SensorsAt("bridge")); got != "mix-1" {
		t.Errorf("after a delete: %s", got)
	}
	if got := ids(snap.SensorsAt("bridge")); got != "loop-1 mix-1" {
		t.Errorf("an old snapshot changed: %s", got)
	}
}

func TestPublisherOfSensorIsAccepted(t *testing.T) {
	r := open(t)
	furnish(t, r)
	for _, test := range []struct {
		sensor, publisher telemetry.SensorID
		want              bool
	}{
		{"loop-1", "gateway-7", true},
		{"loop-1", "loop-1", true},
		{"loop-1", "air-1", false},
		{"air-1", "air-1", true},
		{"air-1", "gateway-7", false},
		{"air-1", "", false},
	} {
		s, ok := r.Snapshot().Sensor(test.sensor)
		if !ok {
			t.Fatal(test.sensor)
		}
		if s.Accepts(test.publisher) != test.want {
			t.Errorf("%s accepts %q: %v", test.sensor, test.publisher, !test.want)
		}
	}
}

func TestList(t *testing.T) {
	r := open(t)
	furnish(t, r)
	for _, test := range []struct {
		rule   string
		filter registry.Filter
		page   registry.Page
		want   string
		total  int
	}{
		{"everything", registry.Filter{}, registry.Page{}, "air-1 gateway-7 loop-1 mix-1", 4},
		{"id", registry.Filter{Q: "LOOP"}, registry.Page{}, "loop-1", 1},
		{"title beyond ASCII, upper case", registry.Filter{Q: "KÖLN"}, registry.Page{}, "air-1", 1},
		{"title of the site", registry.Filter{Q: "stone"}, registry.Page{}, "loop-1 mix-1", 2},
		{"every word must match", registry.Filter{Q: "stone lane"}, registry.Page{}, "loop-1", 1},
		{"nothing", registry.Filter{Q: "stone nothing"}, registry.Page{}, "", 0},
		{"domain", registry.Filter{Domain: telemetry.Safety}, registry.Page{}, "air-1 gateway-7 mix-1", 3},
		{"district and domain", registry.Filter{District: "old-town", Domain: telemetry.Safety}, registry.Page{}, "mix-1", 1},
		{"site", registry.Filter{Site: "park"}, registry.Page{}, "air-1", 1},
		{"site outside the district", registry.Filter{Site: "park", District: "old-town"}, registry.Page{}, "", 0},
		{"first page", registry.Filter{}, registry.Page{Limit: 3}, "air-1 gateway-7 loop-1", 4},
		{"last page", registry.Filter{}, registry.Page{Limit: 3, Offset: 3}, "mix-1", 4},
		{"beyond the end", registry.Filter{}, registry.Page{Limit: 3, Offset: 9}, "", 4},
		{"negative offset", registry.Filter{}, registry.Page{Limit: 1, Offset: -9}, "air-1", 4},
	} {
		t.Run(test.rule, func(t *testing.T) {
			items, total, err := r.List(t.Context(), test.filter, test.page)
			if err != nil {
				t.Fatal(err)
			}
			if ids(items) != test.want || total != test.total {
				t.Errorf("got %q of %d, want %q of %d", ids(items), total, test.want, test.total)
			}
		})
	}
}

func TestChangeByAnotherProcessIsSeenWithinASecond(t *testing.T) {
	path := filepath.Join(t.TempDir(), "registry.db")
	cfg := testConfig()
	cfg.WatchInterval = registry.DefaultConfig().WatchInterval
	ours, other := openAt(t, path, cfg), openAt(t, path, cfg)
	run(t, ours)
	furnish(t, other)
	for _, step := range []struct {
		rule string
		do   func() error
		seen func(*registry.Snapshot) bool
	}{
		{
			"created",
			func() error {
				_, err := other.PutSensor(t.Context(), by, registry.Sensor{ID: "lamp-1", Quantities: []string{"no2"}})
				return err
			},
			func(s *registry.Snapshot) bool { _, ok := s.Sensor("lamp-1"); return ok },
		},
		{
			"deleted",
			func() error { return other.DeleteSensor(t.Context(), by, "lamp-1") },
			func(s *registry.Snapshot) bool { _, ok := s.Sensor("lamp-1"); return !ok },
		},
		{
			"imported, too much to be read one by one",
			func() error {
				_, err := other.Import(t.Context(), strings.NewReader(cityCSV(2000)), registry.ImportOptions{By: by})
				return err
			},
			func(s *registry.Snapshot) bool { return len(s.Sensors()) == 2004 },
		},
		{
			"password set",
			func() error {
				_, err := other.NewPassword(t.Context(), by, registry.Publisher{ID: "gateway-7"})
				return err
			},
			func(*registry.Snapshot) bool { return ours.Required() },
		},
	} {
		t.Run(step.rule, func(t *testing.T) {
			if err := step.do(); err != nil {
				t.Fatal(err)
			}
			deadline := time.After(time.Second)
			for {
				changed := ours.Changed()
				if step.seen(ours.Snapshot()) {
					return
				}
				select {
				case <-changed:
				case <-deadline:
					t.Fatal("not seen within a second")
				}
			}
		})
	}
	if err := ours.Health(); err != nil {
		t.Error(err)
	}
}

func TestWritersInSeveralProcessesDoNotLoseChanges(t *testing.T) {
	path := filepath.Join(t.TempDir(), "registry.db")
	registries := []*registry.Registry{openAt(t, path, testConfig()), openAt(t, path, testConfig())}
	var writers sync.WaitGroup
	const each = 40
	for i := range 4 {
		writers.Go(func() {
			for n := range each {
				id := telemetry.SensorID("lamp-" + string(rune('a'+i)) + "-" + string(rune('0'+n/10)) + string(rune('0'+n%10)))
				if _, err := registries[i%2].PutSensor(t.Context(), by, registry.Sensor{ID: id, Quantities: []string{"no2"}}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	for i, r := range registries {
		_, total, err := r.List(t.Context(), registry.Filter{}, registry.Page{})
		if err != nil || total != 4*each || r.Snapshot().Version != 4*each {
			t.Errorf("registry %d: %d sensors, version %d, %v", i, total, r.Snapshot().Version, err)
		}
	}
}

func TestFileIsPrivateAndKeepsItsContent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "with space?#%&", "registry.db")
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	furnish(t, openAt(t, path, testConfig()))
	again := openAt(t, path, testConfig())
	if got := ids(again.Snapshot().Sensors()); got != "air-1 gateway-7 loop-1 mix-1" {
		t.Errorf("after opening again: %s", got)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode is %v", info.Mode())
	}
}

func TestSeveralProcessesMayStartOnANewFileAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "registry.db")
	var starts sync.WaitGroup
	for range 6 {
		starts.Go(func() {
			r, err := registry.Open(t.Context(), path, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Error(err)
				return
			}
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	starts.Wait()
}

func TestOpenRefuses(t *testing.T) {
	newer := filepath.Join(t.TempDir(), "newer.db")
	r, err := registry.Open(t.Context(), newer, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	tamper(t, newer, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)`)
	garbage := filepath.Join(t.TempDir(), "garbage.db")
	if err := os.WriteFile(garbage, []byte(strings.Repeat("not a database ", 500)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ rule, path, want string }{
		{"a file of a newer version", newer, "newer version of lamppost"},
		{"a file that is no database", garbage, "not a database"},
		{"a folder that does not exist", filepath.Join(t.TempDir(), "no", "registry.db"), "no such file"},
	} {
		t.Run(test.rule, func(t *testing.T) {
			_, err := registry.OpenWith(t.Context(), test.path, testConfig(), nil, slog.New(slog.DiscardHandler))
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), test.path) {
				t.Errorf("error is %v", err)
			}
		})
	}
}

// tamper changes the file behind the registry's back.
func tamper(t *testing.T, path, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestUnreadableFileRaisesHealthAndKeepsTheSnapshot(t *testing.T) {
	path := filepath.Join(t.TempDir(), "registry.db")
	r := openAt(t, path, testConfig())
	furnish(t, r)
	run(t, r)
	tamper(t, path, `ALTER TABLE revision RENAME TO elsewhere`)
	eventually(t, "health is raised", func() bool { return r.Health() != nil })
	if _, ok := r.Snapshot().Sensor("air-1"); !ok {
		t.Error("the snapshot is gone")
	}
	tamper(t, path, `ALTER TABLE elsewhere RENAME TO revision`)
	eventually(t, "health is well again", func() bool { return r.Health() == nil })
}

// eventually polls, because what it waits for happens in real time.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

func TestAuditSaysWhoChangedWhatWhen(t *testing.T) {
	r := open(t)
	begin := time.Now().Add(-time.Second)
	furnish(t, r)
	ctx := t.Context()
	must[registry.Outcome](t)(r.PutSensor(ctx, "anna", registry.Sensor{ID: "air-1", Title: "New", Quantities: []string{"no2"}, Cadence: time.Second}))
	if err := r.DeleteSensor(ctx, "anna", "mix-1"); err != nil {
		t.Fatal(err)
	}
	if _, err := r.SetPlan(ctx, "anna", []byte(`{"type":"FeatureCollection","features":[]}`)); err != nil {
		t.Fatal(err)
	}
	got, total, err := r.Audit(ctx, registry.AuditFilter{Actor: "anna", From: begin})
	if err != nil {
		t.Fatal(err)
	}
	want := []registry.AuditEntry{
		{Version: 10, Actor: "anna", Action: registry.ActionCreate, Kind: registry.KindPlan, Subject: "plan"},
		{Version: 9, Actor: "anna", Action: registry.ActionDelete, Kind: registry.KindSensor, Subject: "mix-1"},
		{Version: 8, Actor: "anna", Action: registry.ActionUpdate, Kind: registry.KindSensor, Subject: "air-1", Fields: []string{"title", "site", "cadence_s"}},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(registry.AuditEntry{}, "At"), cmpopts.EquateEmpty()); diff != "" || total != 3 {
		t.Errorf("total %d\n%s", total, diff)
	}
	for _, test := range []struct {
		rule   string
		filter registry.AuditFilter
		items  int
		total  int
	}{
		{"all", registry.AuditFilter{}, 10, 10},
		{"a page", registry.AuditFilter{Page: registry.Page{Limit: 4, Offset: 8}}, 2, 10},
		{"kind", registry.AuditFilter{Kind: registry.KindSite}, 2, 2},
		{"subject", registry.AuditFilter{Subject: "air-1"}, 2, 2},
		{"before", registry.AuditFilter{To: begin}, 0, 0},
	} {
		items, total, err := r.Audit(ctx, test.filter)
		if err != nil || len(items) != test.items || total != test.total {
			t.Errorf("%s: %d of %d, %v", test.rule, len(items), total, err)
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

func TestLookupInASnapshotAllocatesNothing(t *testing.T) {
	r := open(t)
	furnish(t, r)
	if n := testing.AllocsPerRun(100, func() {
		s, _ := r.Snapshot().Sensor("loop-1")
		_, _ = r.Snapshot().Site(s.Site)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
