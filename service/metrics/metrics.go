// Package metrics serves what a Lamppost process counts of itself. It stands beside service so that a program without a scraper,
// such as the bridge on a small board, does not carry Prometheus's client and an HTTP server.
//
//	every part ──► NewRegistry ──► Endpoint ──► GET /metrics on an address of its own
//
// On loopback everybody may read them. An address that others can reach speaks TLS only, and asks for a token.
package metrics

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/lamppost-city/lamppost/internal/certificate"
	"github.com/lamppost-city/lamppost/internal/listen"
	"github.com/lamppost-city/lamppost/internal/secret"
)

// Config says where the metrics are served.
type Config struct {
	// Listen is host:port; empty serves no metrics. Away from loopback a Guard is needed.
	Listen string `mapstructure:"listen"`
}

// DefaultConfig listens on loopback.
func DefaultConfig() Config { return Config{Listen: "127.0.0.1:9464"} }

// Validate reports every fault, each with its key.
func (c Config) Validate() error {
	if c.Listen == "" {
		return nil
	}
	if err := listen.Check(c.Listen, DefaultConfig().Listen); err != nil {
		return fmt.Errorf("listen: %w, or leave it empty to serve no metrics", err)
	}
	return nil
}

// OnLoopback says whether nobody but this machine can read the metrics.
func (c Config) OnLoopback() bool { return c.Listen == "" || listen.OnLoopback(c.Listen) }

// Guard is what an address away from loopback needs. On loopback it is not used.
type Guard struct {
	// Certificate is what the address proves itself with.
	Certificate *certificate.Renewed
	// Token is what a scraper has to show, as Authorization: Bearer.
	Token secret.String
}

// ErrOpen is returned by New for an address away from loopback without a whole Guard.
var ErrOpen = errors.New("refusing to serve metrics beyond this machine")

// NewRegistry returns a registry of metrics that holds those of the process and of the Go runtime.
func NewRegistry() *prometheus.Registry {
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return reg
}

// Endpoint serves /metrics.
type Endpoint struct {
	cfg   Config
	guard Guard
	reg   *prometheus.Registry
	log   *slog.Logger
	ready chan struct{}
	addr  string
}

// New prepares the server. It opens and reads nothing.
func New(cfg Config, guard Guard, reg *prometheus.Registry, log *slog.Logger) (*Endpoint, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if !cfg.OnLoopback() && (guard.Certificate == nil || guard.Token == "") {
		return nil, fmt.Errorf("%w on %s without a certificate and a token; set both, or listen on 127.0.0.1", ErrOpen, cfg.Listen)
	}
	return &Endpoint{cfg: cfg, guard: guard, reg: reg, log: log, ready: make(chan struct{})}, nil
}

// Ready is closed when the address is open.
func (e *Endpoint) Ready() <-chan struct{} { return e.ready }

// URL is where the metrics are, with the port that was taken, once ready; "" if metrics are off.
func (e *Endpoint) URL() string {
	switch {
	case e.addr == "":
		return ""
	case e.cfg.OnLoopback():
		return "http://" + e.addr + "/metrics"
	}
	return "https://" + e.addr + "/metrics"
}

// Run serves until ctx ends.
func (e *Endpoint) Run(ctx context.Context) error {
	if e.cfg.Listen == "" {
		close(e.ready)
		<-ctx.Done()
		return nil
	}
	listener, err := e.open(ctx)
	if err != nil {
		return err
	}
	e.addr = listener.Addr().String()
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", e.ask(promhttp.HandlerFor(e.reg, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 10 * time.Second})))
	server := &http.Server{
		Handler: mux, ReadHeaderTimeout: 5 * time.Second, WriteTimeout: 15 * time.Second, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(e.log.Handler(), slog.LevelDebug),
	}
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

// open takes the address, and wraps it in TLS where others can reach it.
func (e *Endpoint) open(ctx context.Context) (net.Listener, error) {
	guarded := !e.cfg.OnLoopback()
	if guarded {
		if _, err := e.guard.Certificate.Current(); err != nil {
			return nil, fmt.Errorf("serve metrics: %w", err)
		}
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", e.cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("serve metrics: %w; set another address with --metrics", err)
	}
	if guarded {
		listener = tls.NewListener(listener, e.guard.Certificate.Server())
	}
	return listener, nil
}

// ask lets only those through who show the token, where others can reach the address. Hashing first makes the lengths
// equal; 256 random bits are not guessed, however often somebody tries.
func (e *Endpoint) ask(next http.Handler) http.Handler {
	if e.cfg.OnLoopback() {
		return next
	}
	right := sha256.Sum256([]byte(e.guard.Token.Reveal()))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		sum := sha256.Sum256([]byte(strings.TrimSpace(token)))
		if !strings.EqualFold(scheme, "Bearer") || subtle.ConstantTimeCompare(sum[:], right[:]) != 1 {
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, "the metrics need the header Authorization: Bearer with the token of the file api-token in the data folder", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}
