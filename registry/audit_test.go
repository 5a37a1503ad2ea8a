package registry_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/lamppost-city/lamppost/registry"
)

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
