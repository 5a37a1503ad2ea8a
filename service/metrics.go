package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// MetricsConfig says where the metrics are served.
type MetricsConfig struct {
	// Listen is host:port; empty serves no metrics. They hold no readings and no secrets, but numbers about the city:
	// away from loopback put a proxy before them.
	Listen string `mapstructure:"listen"`
}

// DefaultMetricsConfig listens on loopback.
func DefaultMetricsConfig() MetricsConfig { return MetricsConfig{Listen: "127.0.0.1:9464"} }

// Validate reports every fault, each with its key.
func (c MetricsConfig) Validate() error {
	if c.Listen == "" {
		return nil
	}
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		return fmt.Errorf("listen: must be host:port or empty, is %q", c.Listen)
	}
	return nil
}

// NewRegistry returns a registry of metrics that holds those of the process and of the Go runtime.
func NewRegistry() *prometheus.Registry {
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return reg
}

// Metrics serves /metrics.
type Metrics struct {
	cfg   MetricsConfig
	reg   *prometheus.Registry
	log   *slog.Logger
	ready chan struct{}
	addr  string
}

// NewMetrics prepares the server.
func NewMetrics(cfg MetricsConfig, reg *prometheus.Registry, log *slog.Logger) *Metrics {
	return &Metrics{cfg: cfg, reg: reg, log: log, ready: make(chan struct{})}
}

// Ready is closed when the address is open.
func (m *Metrics) Ready() <-chan struct{} { return m.ready }

// Addr is the address in use, once ready; "" if metrics are off.
func (m *Metrics) Addr() string { return m.addr }

// Run serves until ctx ends.
func (m *Metrics) Run(ctx context.Context) error {
	if m.cfg.Listen == "" {
		close(m.ready)
		<-ctx.Done()
		return nil
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", m.cfg.Listen)
	if err != nil {
		return fmt.Errorf("serve metrics: %w; set another address with --metrics", err)
	}
	m.addr = listener.Addr().String()
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.reg, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 10 * time.Second}))
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, WriteTimeout: 15 * time.Second, MaxHeaderBytes: 16 << 10}
	context.AfterFunc(ctx, func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = server.Shutdown(closing)
	})
	close(m.ready)
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve metrics: %w", err)
	}
	return nil
}
