package plugin_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"

	"github.com/lamppost-city/lamppost/dashboards/datasource/plugin"
)

// BenchmarkPanelOfFiftySeries is 50 lines of 30 days in steps of an hour, from the query over gRPC to its frames; the server
// answers from memory.
func BenchmarkPanelOfFiftySeries(b *testing.B) {
	var series []map[string]any
	for i := range 50 {
		times, values := make([]int64, 720), make([]float64, 720)
		for n := range times {
			times[n], values[n] = 1_770_000_000_000+int64(n)*3_600_000, float64(i)+float64(n)/7
		}
		series = append(series, map[string]any{"sensor": fmt.Sprintf("cam-%d", i), "site": "quay-1", "district": "harbour", "quantity": "speed", "title": "Mean speed", "unit": "km/h", "agg": "mean", "times": times, "values": values})
	}
	benchmark(b, "history", map[string]any{"step_ms": 3_600_000, "agg": "mean", "series": series}, `{"kind":"history","quantities":["speed"]}`)
}

// BenchmarkMapOfTenThousandSensors is the newest readings of 10,000 sensors, a row each.
func BenchmarkMapOfTenThousandSensors(b *testing.B) {
	items := make([]map[string]any, 10_000)
	for i := range items {
		items[i] = map[string]any{
			"sensor": fmt.Sprintf("cam-%d", i), "quantity": "speed", "channel": "", "value": 41.5, "unit": "km/h", "time": "2026-03-09T11:59:00.000Z", "site": fmt.Sprintf("site-%d", i/4),
			"site_title": "North quay", "district": "harbour", "lon": 10.01, "lat": 53.51, "sensor_title": "Camera", "sensor_state": "ok", "age_s": 12,
		}
	}
	benchmark(b, "latest", map[string]any{"items": items, "total": len(items), "truncated": false}, `{"kind":"latest","quantities":["speed"]}`)
}

func benchmark(b *testing.B, path string, answer any, query string) {
	text, err := json.Marshal(answer)
	if err != nil {
		b.Fatal(err)
	}
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if strings.HasSuffix(r.URL.Path, "/"+path) {
			w.Write(text) //nolint:errcheck // the benchmark will see
			return
		}
		w.Write([]byte(`{"items":[]}`)) //nolint:errcheck // the benchmark will see
	}))
	defer api.Close()
	to := backend.PluginContext{PluginID: plugin.ID, DataSourceInstanceSettings: &backend.DataSourceInstanceSettings{UID: b.Name(), URL: api.URL, JSONData: json.RawMessage(`{}`), Updated: time.Now()}}
	request := &backend.QueryDataRequest{PluginContext: to, Queries: []backend.DataQuery{{RefID: "A", JSON: json.RawMessage(query), MaxDataPoints: 1000, TimeRange: day()}}}
	b.ReportAllocs()
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		response, err := shared.Client.QueryData(b.Context(), request)
		if err != nil || response.Responses["A"].Error != nil {
			b.Fatal(err, response.Responses["A"].Error)
		}
	}
}
