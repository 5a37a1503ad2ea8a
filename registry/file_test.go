package registry_test

import (
	"database/sql"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lamppost-city/lamppost/registry"
	"github.com/lamppost-city/lamppost/telemetry"
)

func TestWhoLooksAgainSeesTheChangeOfAnotherProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "registry.db")
	ours, other := openAt(t, path, testConfig()), openAt(t, path, testConfig())
	for _, id := range []telemetry.SensorID{"lamp-1", "lamp-2"} {
		if _, err := other.PutSensor(t.Context(), by, registry.Sensor{ID: id, Quantities: []string{"no2"}}); err != nil {
			t.Fatal(err)
		}
		deadline := time.Now().Add(10 * time.Second)
		for known := false; !known; _, known = ours.Snapshot().Sensor(id) { // it looks every 10 ms at most
			if err := ours.Renew(t.Context()); err != nil || time.Now().After(deadline) {
				t.Fatalf("%s is not known: %v", id, err)
			}
		}
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
