package registry_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lamppost-city/lamppost/registry"
)

const smallPlan = `{ "type": "FeatureCollection", "features": [
	{"type": "Feature", "geometry": {"type": "LineString", "coordinates": [[13.4, 52.5], [13.41, 52.5, 30]]},
	 "properties": {"kind": "street", "name": "Long Street"}},
	{"type": "Feature", "geometry": null, "properties": null}
] }`

func TestPlanIsKeptCompactUnderATag(t *testing.T) {
	path := filepath.Join(t.TempDir(), "registry.db")
	r := openAt(t, path, testConfig())
	set := must[registry.Plan](t)(r.SetPlan(t.Context(), by, []byte(smallPlan)))
	again := must[registry.Plan](t)(r.SetPlan(t.Context(), by, set.Body))
	if set.Tag == "" || again.Tag != set.Tag || !again.UpdatedAt.Equal(set.UpdatedAt) || r.Snapshot().Version != 1 {
		t.Errorf("the same plan again: %q at %v, before %q at %v", again.Tag, again.UpdatedAt, set.Tag, set.UpdatedAt)
	}
	got := must[registry.Plan](t)(openAt(t, path, testConfig()).Plan(t.Context()))
	if got.Tag != set.Tag || string(got.Body) != string(set.Body) || !got.UpdatedAt.Equal(set.UpdatedAt) {
		t.Errorf("read again: %+v", got)
	}
	if strings.ContainsAny(string(got.Body), "\n\t") {
		t.Errorf("not compact: %s", got.Body)
	}
	other := must[registry.Plan](t)(r.SetPlan(t.Context(), by, []byte(`{"type":"FeatureCollection","features":[]}`)))
	if other.Tag == set.Tag {
		t.Error("another plan has the same tag")
	}
}

func TestPlanThatIsNoFeatureCollectionIsRefused(t *testing.T) {
	feature := func(geometry string) string {
		return `{"type":"FeatureCollection","features":[{"type":"Feature","properties":{},"geometry":` + geometry + `}]}`
	}
	cfg := testConfig()
	cfg.MaxPlanBytes = 2048
	r := openAt(t, filepath.Join(t.TempDir(), "registry.db"), cfg)
	for rule, body := range map[string]string{
		"nothing":                    ``,
		"no JSON":                    `{"type":`,
		"two documents":              `{"type":"FeatureCollection","features":[]}{}`,
		"another type":               `{"type":"Feature","features":[]}`,
		"no features":                `{"type":"FeatureCollection"}`,
		"features that are none":     `{"type":"FeatureCollection","features":[{"type":"Point"}]}`,
		"features of another kind":   `{"type":"FeatureCollection","features":[1]}`,
		"unknown geometry":           feature(`{"type":"Circle","coordinates":[1,2]}`),
		"no coordinates":             feature(`{"type":"Point"}`),
		"too shallow":                feature(`{"type":"Polygon","coordinates":[[1,2],[3,4]]}`),
		"too deep":                   feature(`{"type":"Point","coordinates":[[1,2]]}`),
		"position with one number":   feature(`{"type":"Point","coordinates":[1]}`),
		"latitude before longitude":  feature(`{"type":"Point","coordinates":[52.5,113.4]}`),
		"position with text":         feature(`{"type":"Point","coordinates":["1","2"]}`),
		"not UTF-8":                  feature(`{"type":"Point","coordinates":[1,2],"name":"` + "\xff" + `"}`),
		"larger than the limit":      feature(`{"type":"Point","coordinates":[1,2],"name":"` + strings.Repeat("x", 2048) + `"}`),
		"number that is no position": feature(`{"type":"Point","coordinates":7}`),
	} {
		t.Run(rule, func(t *testing.T) {
			_, err := r.SetPlan(t.Context(), by, []byte(body))
			var invalid *registry.InvalidError
			if !errors.As(err, &invalid) {
				t.Errorf("error is %v", err)
			}
		})
	}
	if _, err := r.Plan(t.Context()); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("a refused plan was kept: %v", err)
	}
}
