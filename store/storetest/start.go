package storetest

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/lamppost-city/lamppost/store/embedded"
	"github.com/lamppost-city/lamppost/store/influx"
)

// Start runs an embedded store in a folder of its own until the test ends, and returns how to reach it.
func Start(t testing.TB) influx.Config {
	t.Helper()
	cfg := embedded.DefaultConfig()
	cfg.Dir = t.TempDir()
	s, _ := StartEmbedded(t, cfg)
	return s.Influx()
}

// StartEmbedded runs an embedded store until the test ends or stop is called; stop may be called again.
func StartEmbedded(t testing.TB, cfg embedded.Config) (s *embedded.Store, stop func()) {
	t.Helper()
	s, err := embedded.New(cfg, Log(t))
	if err != nil {
		t.Fatal(err)
	}
	return s, RunEmbedded(t, s)
}

// RunEmbedded runs a store until the test ends or stop is called, and returns when it is ready.
func RunEmbedded(t testing.TB, s *embedded.Store) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("stop the embedded store: %v", err)
		}
	}
	select {
	case <-s.Ready():
	case err := <-ended:
		stopped = true
		cancel()
		t.Fatalf("start the embedded store: %v", err)
	case <-time.After(time.Minute):
		t.Error("embedded store is not ready after a minute")
	}
	t.Cleanup(stop)
	return stop
}

// Client returns a client that is closed when the test ends.
func Client(t testing.TB, cfg influx.Config) *influx.Client {
	t.Helper()
	c, err := influx.New(cfg, Log(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// Log returns a log that shows warnings with the test's output.
func Log(t testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// Discard returns a log that shows nothing, for a child process.
func Discard() *slog.Logger { return slog.New(slog.DiscardHandler) }
