package simulate_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lamppost-city/lamppost/firmware-bridge/uplink/uplinktest"
	"github.com/lamppost-city/lamppost/simulate"
)

func TestDemoBeginsWithThePastAndGoesOnLive(t *testing.T) {
	broker := uplinktest.New(t, uplinktest.AckAll)
	cfg := simulate.DemoConfig(50)
	cfg.Sins, cfg.Backfill = "none", simulate.DemoBackfill
	cfg.MQTT.URL = "mqtt://" + broker.Address()
	var registry memory
	ctx, cancel := context.WithCancel(t.Context())
	const past = 50 * (23*4 + 60) // the last hour is denser
	go func() {
		for len(broker.Seen()) < past+2 {
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	begin := time.Now()
	report, err := simulate.Demo(ctx, cfg, &registry, quiet())
	if err != nil {
		t.Fatal(err)
	}
	readings, _, bad := decode(t, broker.Seen())
	if len(bad) > 0 || report.Messages < past+2 {
		t.Fatalf("%+v, %d bad", report, len(bad))
	}
	oldest, newest := readings[0].Measured, readings[len(readings)-1].Measured
	if age := begin.Sub(oldest.Time()); age < 23*time.Hour || age > 25*time.Hour {
		t.Errorf("the past begins %s ago", age)
	}
	if newest.Time().Before(begin.Add(-time.Second)) {
		t.Errorf("the newest reading is of %s, the run of %s", newest.Time(), begin)
	}
	if registry.rows != 50 || !bytes.Contains(registry.plan, []byte(`"FeatureCollection"`)) {
		t.Errorf("%d sensors registered, plan of %d bytes", registry.rows, len(registry.plan))
	}
}

type memory struct {
	rows int
	plan []byte
}

func (m *memory) Register(_ context.Context, table io.Reader) error {
	rows, err := csv.NewReader(table).ReadAll()
	m.rows += len(rows) - 1
	return err
}

func (m *memory) PutPlan(_ context.Context, geojson []byte) error {
	m.plan = geojson
	return nil
}

func TestRegistersThroughTheAPI(t *testing.T) {
	var mu sync.Mutex
	var calls []string
	failures := 2
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		body, _ := io.ReadAll(r.Body)
		if r.Header.Get("Authorization") != "Bearer secret-token" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if failures > 0 {
			failures--
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		calls = append(calls, fmt.Sprintf("%s %s %s %d", r.Method, r.URL.Path, r.Header.Get("Content-Type"), bytes.Count(body, []byte("\n"))))
	}))
	defer api.Close()
	broker := uplinktest.New(t, uplinktest.AckAll)
	cfg := fast(broker.Address(), 25, 30)
	cfg.ImportRows = 10
	cfg.HTTP.URL, cfg.HTTP.TokenFile = api.URL, filepath.Join(t.TempDir(), "api-token")
	if err := os.WriteFile(cfg.HTTP.TokenFile, []byte("secret-token\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := simulate.Run(t.Context(), cfg, quiet()); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"POST /api/v1/sensors/import text/csv 11", "POST /api/v1/sensors/import text/csv 11", "POST /api/v1/sensors/import text/csv 6",
		"PUT /api/v1/plan application/geo+json 0",
	}
	if diff := cmp.Diff(want, calls); diff != "" {
		t.Error(diff)
	}
	if err := os.WriteFile(cfg.HTTP.TokenFile, []byte("wrong"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := simulate.Run(t.Context(), cfg, quiet()); err == nil || !strings.Contains(err.Error(), cfg.HTTP.TokenFile) || strings.Contains(err.Error(), "wrong") {
		t.Errorf("with a wrong token: %v", err)
	}
}
