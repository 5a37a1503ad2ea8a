package registry_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lamppost-city/lamppost/registry"
)

func TestWhatIsInUseIsNotDeleted(t *testing.T) {
	r := open(t)
	furnish(t, r)
	ctx := t.Context()
	refused := func(err error, words ...string) {
		t.Helper()
		var invalid *registry.InvalidError
		if !errors.As(err, &invalid) || invalid.Fields[0].Field != "id" {
			t.Fatalf("error is %v", err)
		}
		for _, w := range words {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%q does not say %q", err, w)
			}
		}
	}
	version := r.Snapshot().Version
	refused(r.DeleteSite(ctx, by, "bridge"), `site "bridge"`, "2 sensors stand there (loop-1, mix-1)", "move or delete them first")
	refused(r.DeleteDistrict(ctx, by, "old-town"), `district "old-town"`, "1 sites lie in it (bridge)")
	if r.Snapshot().Version != version {
		t.Error("a refused deletion changed something")
	}
	for _, err := range []error{r.DeleteSite(ctx, by, "nowhere"), r.DeleteDistrict(ctx, by, "nowhere")} {
		if !errors.Is(err, registry.ErrNotFound) {
			t.Errorf("error is %v", err)
		}
	}

	must[registry.Outcome](t)(r.PutSensor(ctx, by, registry.Sensor{ID: "loop-1", Site: "park", Quantities: []string{"speed"}}))
	if err := r.DeleteSensor(ctx, by, "mix-1"); err != nil {
		t.Fatal(err)
	}
	if err := r.DeleteSite(ctx, by, "bridge"); err != nil {
		t.Fatal(err)
	}
	if err := r.DeleteDistrict(ctx, by, "old-town"); err != nil {
		t.Fatal(err)
	}
	if _, ok := r.Snapshot().Site("bridge"); ok || len(r.Snapshot().Districts()) != 0 {
		t.Error("the snapshot still has what was deleted")
	}
	entries, _, err := r.Audit(ctx, registry.AuditFilter{Page: registry.Page{Limit: 2}})
	if err != nil {
		t.Fatal(err)
	}
	got := []registry.AuditEntry{{Action: entries[0].Action, Kind: entries[0].Kind, Subject: entries[0].Subject}, {Action: entries[1].Action, Kind: entries[1].Kind, Subject: entries[1].Subject}}
	want := []registry.AuditEntry{
		{Action: registry.ActionDelete, Kind: registry.KindDistrict, Subject: "old-town"}, {Action: registry.ActionDelete, Kind: registry.KindSite, Subject: "bridge"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	// And back again.
	if report, err := importText(t, r, header+"\nloop-1,,bridge,Stone Bridge,old-town,1,2,,,speed\n"); err != nil || report.SitesCreated != 1 || report.DistrictsCreated != 1 {
		t.Errorf("%+v, %v", report, err)
	}
}

// TestTheAuditIsBoundedByAge also holds that a process that was away for longer than the audit reaches back sees all.
func TestTheAuditIsBoundedByAge(t *testing.T) {
	path := filepath.Join(t.TempDir(), "registry.db")
	synctest.Test(t, func(t *testing.T) {
		cfg := testConfig()
		cfg.AuditAge = 48 * time.Hour
		openIt := func() *registry.Registry {
			r, err := registry.OpenWith(t.Context(), path, cfg, nil, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		r, away := openIt(), openIt()
		furnish(t, r)
		if total := audited(t, r); total != 7 {
			t.Fatalf("%d entries", total)
		}
		runOnce(t, away) // sees version 7
		seen := away.Snapshot().Version
		if err := r.DeleteSensor(t.Context(), by, "mix-1"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(49 * time.Hour)
		must[registry.Outcome](t)(r.PutSite(t.Context(), by, registry.Site{ID: "pier", Lon: 1, Lat: 2}))
		runOnce(t, r)
		if total := audited(t, r); total != 1 {
			t.Errorf("%d entries are left", total)
		}
		if away.Snapshot().Version != seen {
			t.Fatal("the other process was not away")
		}
		runOnce(t, away)
		if diff := cmp.Diff(export(t, r), export(t, away)); diff != "" || away.Snapshot().Version != r.Snapshot().Version {
			t.Errorf("version %d and %d\n%s", r.Snapshot().Version, away.Snapshot().Version, diff)
		}
		if _, ok := away.Snapshot().Sensor("mix-1"); ok {
			t.Error("a process that was away still has what was deleted")
		}
		// All of it may be old, and the version goes on.
		time.Sleep(49 * time.Hour)
		runOnce(t, r)
		if total := audited(t, r); total != 0 {
			t.Errorf("%d entries are left", total)
		}
		must[registry.Outcome](t)(r.PutSite(t.Context(), by, registry.Site{ID: "pier", Lon: 2, Lat: 2}))
		if got := r.Snapshot().Version; got != 10 {
			t.Errorf("version is %d", got)
		}
		for _, one := range []*registry.Registry{r, away} {
			if err := one.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}

func audited(t *testing.T, r *registry.Registry) int {
	t.Helper()
	_, total, err := r.Audit(t.Context(), registry.AuditFilter{})
	if err != nil {
		t.Fatal(err)
	}
	return total
}

// runOnce lets Run look once.
func runOnce(t *testing.T, r *registry.Registry) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Second)
	defer stop()
	if err := r.Run(ctx); err != nil {
		t.Error(err)
	}
}
