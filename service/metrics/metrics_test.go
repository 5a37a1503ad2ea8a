package metrics_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/lamppost-city/lamppost/service/metrics"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var discard = slog.New(slog.DiscardHandler)

func TestMetricsAreServedOnTheirOwnAddress(t *testing.T) {
	reg := metrics.NewRegistry()
	reg.MustRegister(prometheus.NewGauge(prometheus.GaugeOpts{Name: "lamppost_test_things", Help: "Things."}))
	m := metrics.New(metrics.Config{Listen: "127.0.0.1:0"}, reg, discard)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	<-m.Ready()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Get("http://" + m.Addr() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(answer.Body)
	_ = answer.Body.Close()
	if err != nil || !strings.Contains(string(text), "lamppost_test_things 0") || !strings.Contains(string(text), "go_goroutines") {
		t.Errorf("%v:\n%.300s", err, text)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestTakenAddressIsSaidInOneSentence(t *testing.T) {
	taken := httptest.NewServer(http.NotFoundHandler())
	defer taken.Close()
	m := metrics.New(metrics.Config{Listen: taken.Listener.Addr().String()}, metrics.NewRegistry(), discard)
	err := m.Run(t.Context())
	if err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("error: %v", err)
	}
}
