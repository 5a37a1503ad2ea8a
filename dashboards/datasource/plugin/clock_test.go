package plugin_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
)

// A machine whose clock is 10 minutes ahead of the server's, or behind.
func TestAClockThatIsWrongIsToldAndHarmsNoStream(t *testing.T) {
	for words, behind := range map[string]time.Duration{"10m0s ahead of": 10 * time.Minute, "10m0s behind": -10 * time.Minute} {
		t.Run(words, func(t *testing.T) {
			t.Parallel()
			api := newTown(t, "")
			api.behind = behind
			said := api.live(0)
			var mu sync.Mutex
			var asked []time.Duration
			api.handle("history", func(w http.ResponseWriter, r *http.Request) {
				from, err := time.Parse(time.RFC3339, r.URL.Query().Get("from"))
				if err != nil {
					t.Error(err)
				}
				if !r.URL.Query().Has("to") { // of a stream
					mu.Lock()
					asked = append(asked, time.Now().Add(-behind).Sub(from))
					mu.Unlock()
				}
				writeJSON(w, map[string]any{"series": []any{}})
			})
			to := settings(t, api.URL, "")
			health, err := shared.Client.CheckHealth(t.Context(), &backend.CheckHealthRequest{PluginContext: to})
			if err != nil || health.Status != backend.HealthStatusOk || !strings.Contains(health.Message, words+" Lamppost's") {
				t.Errorf("%v %v", health, err)
			}
			now := time.Now().Add(-behind) // the browser's clock is right
			answer := ask(t, to, backend.TimeRange{From: now.Add(-5 * time.Minute), To: now}, liveQuery)
			if answer.Error != nil {
				t.Fatal(answer.Error)
			}
			p := &panel{t: t, ended: make(chan struct{})}
			p.run(to, followed(t, answer.Frames[0]))
			eventually(t, 10*time.Second, "the stream is open", func() bool { open, _ := said.listening(); return open == 1 })
			eventually(t, 30*time.Second, "its hole is asked for three times", func() bool { mu.Lock(); defer mu.Unlock(); return len(asked) >= 3 })
			mu.Lock()
			defer mu.Unlock()
			for _, before := range asked {
				if before < 0 || before > 2*time.Minute {
					t.Errorf("the history was asked from %s before the server's now", before)
				}
			}
		})
	}
}
