package telemetry_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/lamppost-city/lamppost/telemetry"
)

func TestCatalogueKeepsItsPromises(t *testing.T) {
	snake := regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)
	model := regexp.MustCompile(`^([A-Z][A-Za-z]+\.[A-Za-z0-9]+)?$`)
	// Tags and columns of the store, words of the payloads, and SenML labels: a quantity of such a name would be ambiguous.
	taken := strings.Fields("sensor site district channel time seq n u v vs vb vd s t ut bn bt bu bv bs bver")
	all := telemetry.Quantities()
	if len(all) < 45 {
		t.Fatalf("%d quantities, want at least 45", len(all))
	}
	perDomain := map[telemetry.Domain]int{}
	for i := range all {
		q := &all[i]
		perDomain[q.Domain]++
		if i > 0 && (all[i-1].Domain > q.Domain || all[i-1].Domain == q.Domain && all[i-1].Name >= q.Name) {
			t.Errorf("%s does not come after %s by domain, then name", q.Name, all[i-1].Name)
		}
		if !snake.MatchString(q.Name) || slices.Contains(taken, q.Name) || strings.HasSuffix(q.Name, "_raw") {
			t.Errorf("name %q is not free snake_case", q.Name)
		}
		if q.Title == "" || !model.MatchString(q.Model) {
			t.Errorf("%s: title %q, model %q", q.Name, q.Title, q.Model)
		}
		if q.Min >= q.Max {
			t.Errorf("%s: range %g to %g is empty", q.Name, q.Min, q.Max)
		}
		if isState := q.Kind == telemetry.State; isState != (len(q.States) > 0) || isState != (q.Unit == telemetry.Index) ||
			isState && (q.Min != 0 || q.Max != float64(len(q.States)-1)) {
			t.Errorf("%s: kind %s, states %q, unit %v, range %g to %g do not agree", q.Name, q.Kind, q.States, q.Unit, q.Min, q.Max)
		}
		if got := q.ID.Quantity(); got != q || q.ID.String() != q.Name {
			t.Errorf("%s: id %d leads to %s", q.Name, q.ID, got.Name)
		}
		if got, ok := telemetry.QuantityByName(q.Name); !ok || got != q {
			t.Errorf("%s is not found by its name", q.Name)
		}
	}
	for _, d := range telemetry.Domains() {
		if perDomain[d] < 15 {
			t.Errorf("%s has %d quantities, want at least 15", d, perDomain[d])
		}
	}
}

func TestQuantityIsNotFoundByAnotherName(t *testing.T) {
	for _, name := range []string{"", "Speed", "averageVehicleSpeed", "seq"} {
		if q, ok := telemetry.QuantityByName(name); ok {
			t.Errorf("%q leads to %s", name, q.Name)
		}
	}
}

func TestStateIndex(t *testing.T) {
	door, _ := telemetry.QuantityByName("door")
	if i, ok := door.StateIndex("open"); i != 1 || !ok {
		t.Errorf("open is state %d, %t", i, ok)
	}
	if _, ok := door.StateIndex("ajar"); ok {
		t.Error("ajar is a state")
	}
}

func TestDomainsAndReasonsAreFoundByTheirNames(t *testing.T) {
	for _, d := range telemetry.Domains() {
		if got, ok := telemetry.ParseDomain(d.String()); got != d || !ok {
			t.Errorf("domain %s becomes %s", d, got)
		}
	}
	for _, r := range telemetry.Reasons() {
		if got, ok := telemetry.ParseReason(r.String()); got != r || !ok {
			t.Errorf("reason %s becomes %s", r, got)
		}
	}
	if _, ok := telemetry.ParseReason("none"); ok {
		t.Error("none is a reason to refuse")
	}
}

func TestIDsAndChannels(t *testing.T) {
	for id, valid := range map[telemetry.SensorID]bool{
		"ab": true, "cam-1": true, "0a": true, "a-": true, telemetry.SensorID(strings.Repeat("a", 63)): true,
		"": false, "a": false, "-a": false, "Cam": false, "a_b": false, "a/b": false, "a b": false, "é1": false,
		telemetry.SensorID(strings.Repeat("a", 64)): false,
	} {
		if err := id.Check(); (err == nil) != valid {
			t.Errorf("id %q: %v", id, err)
		}
	}
	for channel, valid := range map[string]bool{
		"": true, "2": true, "L1-N": true, "lane_2.a": true, strings.Repeat("a", 32): true,
		strings.Repeat("a", 33): false, "a/b": false, "a b": false, "ü": false,
	} {
		if err := telemetry.CheckChannel(channel); (err == nil) != valid {
			t.Errorf("channel %q: %v", channel, err)
		}
	}
}

func TestLimitsNameEveryFault(t *testing.T) {
	if err := telemetry.DefaultLimits().Validate(); err != nil {
		t.Error(err)
	}
	err := telemetry.Limits{}.Validate()
	for _, key := range []string{"max_readings:", "max_depth:", "max_names:"} {
		if err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%v does not name %s", err, key)
		}
	}
}
