package registry

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Registry is an open registry. Its methods may be called from any goroutine.
type Registry struct {
	cfg     Config
	file    *file
	log     *slog.Logger
	metrics *metrics
	logins  *logins

	snapshot atomic.Pointer[Snapshot]
	// loading is held while a snapshot is made, so that versions only grow.
	loading sync.Mutex
	// renewed is when Renew last looked; looking is held while it does.
	looking sync.Mutex
	renewed time.Time

	// mu guards what follows.
	mu      sync.Mutex
	changed chan struct{}
	fault   error
}

// Open opens the registry in the file at path with the default configuration and without metrics. See OpenWith.
func Open(ctx context.Context, path string, log *slog.Logger) (*Registry, error) {
	return OpenWith(ctx, path, DefaultConfig(), nil, log)
}

// OpenWith opens the registry in the file at path, makes the file where there is none (its folder must exist) and brings
// its tables up to date. Several processes may have the same file open. When it returns the Snapshot is complete; the
// caller ends with Close. A nil reg leaves the metrics unregistered.
func OpenWith(
	ctx context.Context, path string, cfg Config, reg prometheus.Registerer, log *slog.Logger,
) (*Registry, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	file, err := openFile(ctx, path, cfg.Readers, log)
	if err != nil {
		return nil, fmt.Errorf("open registry %s: %w", path, err)
	}
	r := &Registry{
		cfg:     cfg,
		file:    file,
		log:     log,
		metrics: newMetrics(reg),
		logins:  newLogins(cfg),
		changed: make(chan struct{}),
	}
	r.snapshot.Store(emptySnapshot())
	if _, err := r.refresh(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("read registry %s: %w", path, err), file.close())
	}
	return r, nil
}

// Close ends the use of the file. Run must have returned; Snapshots stay usable.
func (r *Registry) Close() error { return r.file.close() }

// Run brings changes made by other processes into the Snapshot, within Config.WatchInterval, until ctx ends. It returns
// nil then. While the file cannot be read the last Snapshot stays, and Health says why. It also takes from the audit what
// is older than Config.AuditAge, now and every hour.
func (r *Registry) Run(ctx context.Context) error {
	tick, prune := time.NewTicker(r.cfg.WatchInterval), time.NewTicker(time.Hour)
	defer tick.Stop()
	defer prune.Stop()
	r.prune(ctx)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			r.watch(ctx)
		case <-prune.C:
			r.prune(ctx)
		}
	}
}

func (r *Registry) watch(ctx context.Context) {
	_, err := r.refresh(ctx)
	if ctx.Err() != nil {
		return
	}
	r.mu.Lock()
	before := r.fault
	r.fault = err
	r.mu.Unlock()
	switch {
	case err != nil && before == nil:
		r.log.WarnContext(ctx, "registry cannot be read, the last snapshot stays in use", "error", err)
	case err == nil && before != nil:
		r.log.InfoContext(ctx, "registry can be read again")
	}
}

// renewPause bounds how often Renew looks at the file. It is less than any other process needs to be told that its change is
// made, and to make use of it.
const renewPause = 10 * time.Millisecond

// Renew brings changes made by other processes into the Snapshot at once, for whoever is about to refuse what may just have
// been registered. It looks at most every 10 ms, whoever asks, and waits for a look that is under way. A look that finds
// nothing new costs some 20 µs.
func (r *Registry) Renew(ctx context.Context) error {
	r.looking.Lock()
	defer r.looking.Unlock()
	if time.Since(r.renewed) < renewPause {
		return nil
	}
	_, err := r.refresh(ctx)
	r.renewed = time.Now()
	return err
}

// Health says why Run could not read the file when it last looked; nil if it could.
func (r *Registry) Health() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.fault
}

// Snapshot returns what is registered now. It costs one atomic load.
func (r *Registry) Snapshot() *Snapshot { return r.snapshot.Load() }

// Changed returns a channel that is closed when the Snapshot is next replaced. Whoever must see every change takes the
// channel first and the Snapshot after it.
func (r *Registry) Changed() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.changed
}

// refresh makes the Snapshot equal to the file, and returns it.
func (r *Registry) refresh(ctx context.Context) (*Snapshot, error) {
	r.loading.Lock()
	defer r.loading.Unlock()
	old := r.snapshot.Load()
	next, err := r.read(ctx, old)
	if err != nil {
		r.metrics.failures.Inc()
		return nil, err
	}
	if next == old {
		return old, nil
	}
	r.metrics.loads.Inc()
	r.metrics.sensors.Set(float64(len(next.sensors)))
	r.metrics.sites.Set(float64(len(next.sites)))
	r.mu.Lock()
	r.snapshot.Store(next)
	close(r.changed)
	r.changed = make(chan struct{})
	r.mu.Unlock()
	return next, nil
}

// read returns old if it is up to date, otherwise a new snapshot. It sees one state of the file throughout.
func (r *Registry) read(ctx context.Context, old *Snapshot) (*Snapshot, error) {
	tx, err := r.file.readers.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	defer tx.Rollback() //nolint:errcheck // nothing was written
	return load(ctx, tx, old)
}
