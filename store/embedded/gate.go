package embedded

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lamppost-city/lamppost/internal/secret"
)

// watchEvery is how often the disk and the engine are looked at.
const watchEvery = time.Second

// writePath is where lines are written.
const writePath = "/api/v2/write"

// gate stands between the listener and the engine. It keeps writes from a disk that is nearly full, and opens the engine
// anew after a write to its log has failed: the engine itself goes on failing for ever, also when there is room again.
//
//	request ──► full? 503 ──► being opened anew? 503 ──► engine
type gate struct {
	cfg  Config
	pass secret.String
	log  *slog.Logger
	// free tells how many bytes there are for us on the disk of a folder.
	free func(dir string) (int64, error)

	// use is held for reading by requests, and for writing while engine and handler change.
	use     sync.RWMutex
	engine  *engine // nil while it could not be opened anew
	handler http.Handler

	full    atomic.Bool
	broken  atomic.Bool
	fault   atomic.Pointer[error]
	damaged atomic.Pointer[[]string]
}

// adopt puts an engine behind the gate.
func (g *gate) adopt(e *engine) {
	if len(e.damaged) > 0 {
		g.log.Error("embedded store cannot open parts of its data", "damaged", e.damaged)
	}
	g.engine, g.handler = e, e.handler(g.cfg, g.log)
	g.damaged.Store(&e.damaged)
}

// ServeHTTP answers with what the engine answers, or with 503.
func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	writing := r.URL.Path == writePath
	if writing && g.full.Load() {
		unavailable(w, "5", "the store's disk is full")
		return
	}
	if !g.use.TryRLock() {
		unavailable(w, "1", "the store's files are being opened")
		return
	}
	defer g.use.RUnlock()
	if g.engine == nil {
		unavailable(w, "1", "the store's files cannot be opened")
		return
	}
	if writing {
		w = &writeAnswer{ResponseWriter: w, broken: &g.broken}
	}
	g.handler.ServeHTTP(w, r)
}

func unavailable(w http.ResponseWriter, seconds, why string) {
	w.Header().Set("Retry-After", seconds)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusServiceUnavailable)
	_, _ = fmt.Fprintf(w, `{"error":%q}`, why)
}

// writeAnswer notices that the engine could not write to its log.
type writeAnswer struct {
	http.ResponseWriter
	broken *atomic.Bool
}

// WriteHeader looks at the status and at influxd's explanation on the way.
func (a *writeAnswer) WriteHeader(status int) {
	why := a.Header().Get("X-Influxdb-Error")
	if status >= 500 && (strings.Contains(why, "WAL") || strings.Contains(why, "wal")) {
		a.broken.Store(true)
	}
	a.ResponseWriter.WriteHeader(status)
}

// watch is called every watchEvery, by one goroutine.
func (g *gate) watch() {
	free, err := g.free(g.cfg.Dir)
	if err != nil {
		g.log.Warn("embedded store cannot look at its disk", "dir", g.cfg.Dir, "error", err)
		return
	}
	full := free < g.cfg.MinFreeBytes
	if full != g.full.Swap(full) {
		if full {
			g.log.Error("embedded store's disk is full, writes wait until there is room",
				"dir", g.cfg.Dir, "free_bytes", free, "min_free_bytes", g.cfg.MinFreeBytes)
		} else {
			g.log.Info("embedded store's disk has room again", "dir", g.cfg.Dir, "free_bytes", free)
		}
	}
	if !full && g.broken.Load() {
		g.reopen()
	}
}

// reopen closes the engine and opens it anew. Where that fails it is tried again at the next watch.
func (g *gate) reopen() {
	if g.engine != nil {
		g.log.Warn("embedded store opens its files anew, because writing to its log has failed", "dir", g.cfg.Dir)
		// So that requests under way end soon; only this goroutine changes engine.
		_ = g.engine.queries.Close()
	}
	g.use.Lock()
	defer g.use.Unlock()
	if g.engine != nil {
		if err := g.engine.close(); err != nil {
			g.log.Warn("embedded store closed its files with an error", "error", err)
		}
		g.engine = nil
	}
	e, err := openEngine(g.cfg, g.pass, g.log)
	if err != nil {
		g.log.Error("embedded store cannot open its files anew", "error", err)
		g.fault.Store(&err)
		return
	}
	g.adopt(e)
	g.fault.Store(nil)
	g.broken.Store(false)
}

// health says what a person must do.
func (g *gate) health() error {
	if g.full.Load() {
		return fmt.Errorf("disk of the embedded store in %s has less than %d MB free; make room, writes go on by themselves", g.cfg.Dir, g.cfg.MinFreeBytes>>20)
	}
	if fault := g.fault.Load(); fault != nil {
		return fmt.Errorf("embedded store cannot be opened anew: %w", *fault)
	}
	if g.broken.Load() {
		return fmt.Errorf("embedded store in %s cannot write to its log; look at the disk, it is tried again every second", g.cfg.Dir)
	}
	if damaged := *g.damaged.Load(); len(damaged) > 0 {
		return fmt.Errorf("%d parts of the store cannot be opened and their readings are not found: %s; see the log of the start, and restore them from a backup",
			len(damaged), strings.Join(damaged[:min(len(damaged), 5)], ", "))
	}
	return nil
}

// freeBytes tells how much an ordinary user may still write to the disk of dir.
func freeBytes(dir string) (int64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, fmt.Errorf("look at the disk of %s: %w", dir, err)
	}
	return int64(s.Bavail) * int64(s.Bsize), nil //nolint:unconvert // Bsize has 32 bits on 32-bit ARM
}
