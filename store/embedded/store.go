package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/net/netutil"

	"github.com/lamppost-city/lamppost/internal/secret"
	"github.com/lamppost-city/lamppost/store/influx"
)

// Store is an InfluxDB inside this process. Run it once; several may run one after the other, or beside each other in
// different folders.
type Store struct {
	cfg   Config
	log   *slog.Logger
	ready chan struct{}
	// free is freeBytes but in tests.
	free func(dir string) (int64, error)
	// running is nil before Run is ready and after it has ended.
	running atomic.Pointer[running]
}

// running is what is known once the store serves.
type running struct {
	address  string
	password secret.String
	gate     *gate
}

// New returns a store that is not running. It touches nothing.
func New(cfg Config, log *slog.Logger) (*Store, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("configure the embedded store: %w", err)
	}
	return &Store{cfg: cfg, log: log, ready: make(chan struct{}), free: freeBytes}, nil
}

// Ready is closed when the store can be reached.
func (s *Store) Ready() <-chan struct{} { return s.ready }

// Influx returns how to reach the store, with everything else at its default. It is valid from Ready until Run returns;
// before and after, its URL is empty. Bodies are not compressed: on loopback that only costs.
func (s *Store) Influx() influx.Config {
	cfg := influx.DefaultConfig()
	cfg.GzipLevel = 0
	cfg.Org = user // not looked at, but a v2 request has one
	cfg.Bucket = database + "/" + policy
	if r := s.running.Load(); r != nil {
		cfg.URL = "http://" + r.address
		cfg.Token = secret.String(user + ":" + r.password.Reveal())
	}
	return cfg
}

// Health says what is wrong with the store, or returns nil.
func (s *Store) Health() error {
	r := s.running.Load()
	if r == nil {
		return errors.New("embedded store is not running")
	}
	return r.gate.health()
}

// Run opens the folder, serves until ctx ends, and closes the folder. Everything that was answered is on disk whenever
// and however it ends.
func (s *Store) Run(ctx context.Context) error {
	lock, err := lockFolder(s.cfg.Dir)
	if err != nil {
		return err
	}
	defer lock.Close()
	pass, err := password(s.cfg.Dir)
	if err != nil {
		return err
	}
	var from net.ListenConfig
	listener, err := from.Listen(ctx, "tcp", s.cfg.Listen)
	if err != nil {
		return fmt.Errorf("listen for the embedded store: %w", err)
	}
	defer listener.Close()

	started := time.Now()
	e, err := openEngine(s.cfg, pass, s.log)
	if err != nil {
		return fmt.Errorf("open the embedded store in %s: %w", s.cfg.Dir, err)
	}
	g := &gate{cfg: s.cfg, pass: pass, log: s.log, free: s.free}
	g.adopt(e)
	g.watch()
	s.log.Info("embedded store started", "dir", s.cfg.Dir, "address", listener.Addr().String(), "took_ms", time.Since(started).Milliseconds())
	s.running.Store(&running{address: listener.Addr().String(), password: pass, gate: g})
	close(s.ready)

	err = s.serve(ctx, g, listener)
	s.running.Store(nil)
	return errors.Join(err, s.close(g))
}

// serve answers until ctx ends, then lets requests under way finish.
func (s *Store) serve(ctx context.Context, g *gate, listener net.Listener) error {
	server := &http.Server{
		Handler:           g,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(netutil.LimitListener(listener, s.cfg.MaxConnections)) }()

	watch := time.NewTicker(watchEvery)
	defer watch.Stop()
	for running := true; running; {
		select {
		case err := <-served:
			return fmt.Errorf("serve the embedded store: %w", err)
		case <-watch.C:
			g.watch()
		case <-ctx.Done():
			running = false
		}
	}
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.StopTimeout)
	defer cancel()
	// A query that takes long must not hold up the stop; a write that is under way should be answered.
	if g.engine != nil {
		if err := g.engine.queries.Close(); err != nil {
			s.log.Warn("embedded store cannot end its queries", "error", err)
		}
	}
	if err := server.Shutdown(within); err != nil {
		s.log.Warn("embedded store cut off requests on stopping", "after", s.cfg.StopTimeout)
		_ = server.Close()
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		s.log.Warn("embedded store's listener ended badly", "error", err)
	}
	return nil
}

// close closes the engine, but not for longer than StopTimeout.
func (s *Store) close(g *gate) error {
	if g.engine == nil {
		return nil
	}
	closed := make(chan error, 1)
	go func() { closed <- g.engine.close() }()
	timer := time.NewTimer(s.cfg.StopTimeout)
	defer timer.Stop()
	select {
	case err := <-closed:
		if err != nil {
			return fmt.Errorf("close the embedded store: %w", err)
		}
		s.log.Info("embedded store stopped")
		return nil
	case <-timer.C:
		return fmt.Errorf("close the embedded store: not done within %s; nothing that was stored is lost", s.cfg.StopTimeout)
	}
}
