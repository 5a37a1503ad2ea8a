// Package metrics serves what a Lamppost process counts of itself. It stands beside service so that a program without a scraper,
// such as the bridge on a small board, does not carry Prometheus's client and an HTTP server.
//
//	every part ──► NewRegistry ──► Endpoint ──► GET /metrics on an address of its own
package metrics

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

// Config says where the metrics are served.
type Config struct {
	// Listen is host:port; empty serves no metrics. They hold no readings and no secrets, but numbers about the city:
	// away from loopback put a proxy before them.
	Listen string `mapstructure:"listen"`
}

// DefaultConfig listens on loopback.
func DefaultConfig() Config { return Config{Listen: "127.0.0.1:9464"} }

// Validate reports every fault, each with its key.
func (c Config) Validate() error {
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

// Endpoint serves /metrics.
type Endpoint struct {
	cfg   Config
	reg   *prometheus.Registry
	log   *slog.Logger
	ready chan struct{}
	addr  string
}

// New prepares the server.
func New(cfg Config, reg *prometheus.Registry, log *slog.Logger) *Endpoint {
	return &Endpoint{cfg: cfg, reg: reg, log: log, ready: make(chan struct{})}
}

// Ready is closed when the address is open.
func (e *Endpoint) Ready() <-chan struct{} { return e.ready }

// Addr is the address in use, once ready; "" if metrics are off.
func (e *Endpoint) Addr() string { return e.addr }

// Run serves until ctx ends.
func (e *Endpoint) Run(ctx context.Context) error {
	if e.cfg.Listen == "" {
		close(e.ready)
		<-ctx.Done()
		return nil
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", e.cfg.Listen)
	if err != nil {
		return fmt.Errorf("serve metrics: %w; set another address with --metrics", err)
	}
	e.addr = listener.Addr().String()
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(e.reg, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 10 * time.Second}))
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, WriteTimeout: 15 * time.Second, MaxHeaderBytes: 16 << 10}
	context.AfterFunc(ctx, func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = server.Shutdown(closing)
	})
	close(e.ready)
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve metrics: %w", err)
	}
	return nil
}
