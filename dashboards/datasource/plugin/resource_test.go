package plugin_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/grafana/grafana-plugin-sdk-go/backend"

	"github.com/lamppost-city/lamppost/dashboards/datasource/plugin"
)

// collected is what a resource call answers.
type collected struct {
	status int
	body   []byte
}

func (c *collected) Send(r *backend.CallResourceResponse) error {
	if r.Status != 0 {
		c.status = r.Status
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
