package plugin_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/grafana/grafana-plugin-sdk-go/backend"

	"github.com/lamppost-city/lamppost/dashboards/datasource/plugin"
)

func TestPlanIsHandedOnAndAskedForOnce(t *testing.T) {
	api := newTown(t, "right")
	const streets = `{"type":"FeatureCollection","features":[{"type":"Feature","properties":{"kind":"street","name":"Quay"},"geometry":{"type":"LineString","coordinates":[[10,53],[10.1,53]]}}]}`
	api.handle("plan", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/geo+json")
		w.Header().Set("Etag", `W/"1"`)
		io.WriteString(w, streets) //nolint:errcheck // the test will see
	})
	to := settings(t, api.URL, "right")
	ask := func(tag string) collected {
		var got collected
		request := &backend.CallResourceRequest{PluginContext: to, Method: http.MethodGet, Path: "plan", URL: "plan", Headers: map[string][]string{"If-None-Match": {tag}}}
		if err := shared.Client.CallResource(t.Context(), request, &got); err != nil {
			t.Fatal(err)
		}
		return got
	}
	first := ask("")
	if first.status != http.StatusOK || string(first.body) != streets || first.headers.Get("Etag") != `W/"1"` || first.headers.Get("Content-Type") != "application/geo+json" {
		t.Errorf("%d %v %s", first.status, first.headers, first.body)
	}
	if again := ask(`W/"1"`); again.status != http.StatusNotModified || len(again.body) > 0 {
		t.Errorf("a plan that has not changed: %d %s", again.status, again.body)
	}
	if calls := api.asked("plan"); len(calls) != 1 {
		t.Errorf("the server was asked %d times", len(calls))
	}
}

func TestCityWithoutPlanHasOneWithoutFeatures(t *testing.T) {
	api := newTown(t, "")
	api.handle("plan", func(w http.ResponseWriter, _ *http.Request) {
		problem(w, http.StatusNotFound, "there is no street plan yet; PUT one here")
	})
	to := settings(t, api.URL, "")
	if status, _, body := call(t, to, "plan"); status != http.StatusOK || body != `{"type":"FeatureCollection","features":[]}` {
		t.Errorf("%d %s", status, body)
	}
	api = newTown(t, "right")
	to = settings(t, api.URL, "")
	to.DataSourceInstanceSettings.UID += " without token"
	if status, _, body := call(t, to, "plan"); status != http.StatusUnauthorized || !strings.Contains(body, "wants a token") {
		t.Errorf("without the token: %d %s", status, body)
	}
}

// collected is what a resource call answers.
type collected struct {
	status  int
	headers http.Header
	body    []byte
}

func (c *collected) Send(r *backend.CallResourceResponse) error {
	if r.Status != 0 {
		c.status, c.headers = r.Status, r.Headers
	}
	c.body = append(c.body, r.Body...)
	return nil
}

func call(t *testing.T, to backend.PluginContext, at string) (int, plugin.Choices, string) {
	t.Helper()
	path, _, _ := strings.Cut(at, "?")
	var got collected
	if err := shared.Client.CallResource(t.Context(), &backend.CallResourceRequest{PluginContext: to, Method: http.MethodGet, Path: path, URL: at}, &got); err != nil {
		t.Fatal(err)
	}
	var choices plugin.Choices
	if got.status == http.StatusOK {
		if err := json.Unmarshal(got.body, &choices); err != nil {
			t.Fatalf("%s: %v: %s", at, err, got.body)
		}
	}
	return got.status, choices, string(got.body)
}

func TestListsDependOnOneAnother(t *testing.T) {
	api := newTown(t, "")
	to := settings(t, api.URL, "")
	for at, want := range map[string][]string{
		"districts":                         {"harbour", "old-town"},
		"sites":                             {"quay-1", "quay-2", "market"},
		"sites?district=harbour":            {"quay-1", "quay-2"},
		"sites?district=harbour&q=NORTH":    {"quay-1"},
		"sites?limit=1":                     {"quay-1"},
		"sites?q=quay+north":                {"quay-1"}, // the words in any order, as in a search for sensors
		"quantities?domain=traffic":         {"intensity", "occupancy", "parking_status", "speed"},
		"quantities?sensor=air-1":           {"no2"},
		"quantities?district=harbour":       {"no2", "parking_status"},
		"quantities?q=speed":                {"speed"},
		"channels?sensor=cam-1":             {"lane-1", "lane-2"},
		"sensors?q=a&district=harbour":      {"air-1", "park-1"}, // as the server answers: it searches
		"sites?district=nowhere&q=anything": nil,
	} {
		status, choices, body := call(t, to, at)
		var values []string
		for _, c := range choices.Items {
			values = append(values, c.Value)
		}
		if diff := cmp.Diff(want, values); status != http.StatusOK || diff != "" {
			t.Errorf("%s: %d %s\n%s", at, status, body, diff)
		}
	}
}

// 100,000 sensors are never listed: the server searches, and answers with so many as are shown.
func TestServerSearchesForSensors(t *testing.T) {
	api := newTown(t, "")
	if status, choices, body := call(t, settings(t, api.URL, ""), "sensors?q=quay&site=quay-1&quantity=speed&limit=50000"); status != http.StatusOK || choices.Total != 2 {
		t.Errorf("%d %s", status, body)
	}
	calls := api.asked("sensors")
	if len(calls) != 1 {
		t.Fatalf("asked %v", calls)
	}
	u, err := url.Parse(calls[0])
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(url.Values{"q": {"quay"}, "site": {"quay-1"}, "quantity": {"speed"}, "limit": {"1000"}}, u.Query()); diff != "" {
		t.Error(diff)
	}
}

func TestCatalogueIsAskedForOnce(t *testing.T) {
	api := newTown(t, "")
	to := settings(t, api.URL, "")
	for range 3 {
		call(t, to, "quantities")
		call(t, to, "sites")
	}
	if q, s := api.asked("quantities"), api.asked("sites"); len(q) != 1 || len(s) != 1 {
		t.Errorf("asked %v and %v", q, s)
	}
}

func TestListThatFailsSaysWhy(t *testing.T) {
	api := newTown(t, "right")
	status, _, body := call(t, settings(t, api.URL, ""), "sensors")
	if status != http.StatusUnauthorized || !strings.Contains(body, "wants a token") {
		t.Errorf("%d %s", status, body)
	}
	if status, _, body := call(t, backend.PluginContext{DataSourceInstanceSettings: &backend.DataSourceInstanceSettings{UID: "empty"}}, "districts"); status < 400 || !strings.Contains(body, "set the address") {
		t.Errorf("%d %s", status, body)
	}
}
