package plugin_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"

	"github.com/lamppost-city/lamppost/dashboards/datasource/plugin"
)

// BenchmarkPanelOfARealPast is 50 lines of 30 days with the step chosen by the server, for other sensors each time, from
// the query over gRPC to its frames, of the server at LAMPPOST_BENCH_URL. internal/bench/past makes the past for it:
//
//	LAMPPOST_BENCH_URL=http://127.0.0.1:8080 go test -run '^$' -bench RealPast -benchtime 300x ./dashboards/datasource/plugin
func BenchmarkPanelOfARealPast(b *testing.B) {
	address := os.Getenv("LAMPPOST_BENCH_URL")
	if address == "" {
		b.Skip("needs a server with a long past at LAMPPOST_BENCH_URL")
	}
	sensors := sensorsOf(b, address, "no2")
	to := backend.PluginContext{PluginID: plugin.ID, DataSourceInstanceSettings: &backend.DataSourceInstanceSettings{
		UID: b.Name(), URL: address, JSONData: json.RawMessage(`{}`), Updated: time.Now(),
	}}
	random := rand.New(rand.NewPCG(1, 1))
	within := backend.TimeRange{From: time.Now().Add(-30 * 24 * time.Hour), To: time.Now()}
	var took []time.Duration
	for b.Loop() {
		random.Shuffle(len(sensors), func(i, j int) { sensors[i], sensors[j] = sensors[j], sensors[i] })
		query, err := json.Marshal(map[string]any{"kind": "history", "quantities": []string{"no2"}, "sensors": sensors[:50]})
		if err != nil {
			b.Fatal(err)
		}
		began := time.Now()
		response, err := shared.Client.QueryData(b.Context(), &backend.QueryDataRequest{
			PluginContext: to, Queries: []backend.DataQuery{{RefID: "A", JSON: query, MaxDataPoints: 1800, TimeRange: within}},
		})
		took = append(took, time.Since(began))
		if err != nil || response.Responses["A"].Error != nil {
			b.Fatal(err, response.Responses["A"].Error)
		}
		if n := len(response.Responses["A"].Frames); n < 50 {
			b.Fatalf("%d of 50 lines", n)
		}
	}
	slices.Sort(took)
	for _, p := range []int{50, 99} {
		b.ReportMetric(float64(took[len(took)*p/100].Microseconds())/1000, fmt.Sprintf("p%d-ms", p))
	}
}

// sensorsOf are the ids of at least 50 sensors that measure a quantity.
func sensorsOf(b *testing.B, address, quantity string) []string {
	b.Helper()
	request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, address+"/api/v1/sensors?limit=1000&quantity="+quantity, http.NoBody)
	if err != nil {
		b.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		b.Fatal(err)
	}
	defer answer.Body.Close()
	var list struct {
		Items []struct{ ID string }
	}
	if err := json.NewDecoder(answer.Body).Decode(&list); err != nil || len(list.Items) < 50 {
		b.Fatalf("%s lists %d sensors of %s: %v", address, len(list.Items), quantity, err)
	}
	ids := make([]string, len(list.Items))
	for i := range list.Items {
		ids[i] = list.Items[i].ID
	}
	return ids
}
