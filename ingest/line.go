package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lamppost-city/lamppost/ingest/ledger"
	"github.com/lamppost-city/lamppost/ingest/live"
	"github.com/lamppost-city/lamppost/ingest/mqtt"
	"github.com/lamppost-city/lamppost/ingest/write"
	"github.com/lamppost-city/lamppost/spool"
	spoolmetrics "github.com/lamppost-city/lamppost/spool/metrics"
)

// Deps are the neighbours of ingest.
type Deps struct {
	Directory Directory
	// Renew, if not nil, brings the newest changes into Directory. It is called by one goroutine before somebody unknown is
	// refused, however often that is, and bounds by itself how often it looks.
	Renew func(context.Context)
	Store write.Store
	// Hub, if not nil, is given every accepted reading.
	Hub     *live.Hub
	Metrics prometheus.Registerer
	Log     *slog.Logger
}

// Line is ingest, from the broker's messages to the store.
type Line struct {
	cfg      Config
	deps     Deps
	log      *slog.Logger
	spool    *spool.Spool
	ledger   *ledger.Ledger
	reader   *spool.Reader
	sessions []*mqtt.Session
	writer   *write.Writer

	batches chan *mqtt.Batch
	again   chan *retry
	units   chan *unit
	free    chan *unit

	metrics *metrics
	serial  uint64 // of the newest frame
	meter   meter
	trouble atomic.Pointer[error]
	ready   chan struct{}
	opened  chan struct{}
	ended   chan struct{} // closed when no more messages are judged

	retrying sync.Mutex
	taken    map[int64]bool // quarantined messages that are being taken in again
}

// readerName is the spool's cursor of the writer.
const readerName = "store"

// unitsInFlight is how many frames are built, made durable and acknowledged at the same time.
const unitsInFlight = 3

// Open opens or makes the spool and the ledger in the configuration's folder. Close must be called, after Run.
func Open(ctx context.Context, cfg Config, deps Deps) (*Line, error) {
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("ingest's folder: %w", err)
	}
	l := &Line{
		cfg: cfg, deps: deps, log: deps.Log,
		batches: make(chan *mqtt.Batch, 16), again: make(chan *retry), units: make(chan *unit, unitsInFlight), free: make(chan *unit, unitsInFlight),
		metrics: newMetrics(deps.Metrics), serial: rand.Uint64(), // another start than the process before had
		ready: make(chan struct{}), opened: make(chan struct{}), ended: make(chan struct{}), taken: make(map[int64]bool),
	}
	for range unitsInFlight {
		l.free <- new(unit)
	}
	var err error
	if l.spool, err = spool.Open(filepath.Join(cfg.Dir, "spool"), cfg.spool(), deps.Log); err != nil {
		return nil, err
	}
	deps.Metrics.MustRegister(spoolmetrics.New(l.spool))
	if l.ledger, err = ledger.Open(ctx, filepath.Join(cfg.Dir, "ledger.db"), cfg.Ledger, deps.Metrics, deps.Log); err != nil {
		return nil, errors.Join(err, l.spool.Close())
	}
	l.ledger.Expect(planOf(deps.Directory))
	if l.reader, err = l.spool.Reader(readerName); err == nil {
		l.writer = write.New(cfg.Writer, write.Deps{Reader: l.reader, Ledger: l.ledger, Store: deps.Store, Metrics: deps.Metrics, Log: deps.Log})
		err = l.openSessions()
	}
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func (l *Line) openSessions() error {
	for number := range l.cfg.Broker.Connections {
		s, err := mqtt.New(l.cfg.Broker, number, l.deps.Metrics, l.log)
		if err != nil {
			return err
		}
		l.sessions = append(l.sessions, s)
	}
	return nil
}

// Close writes the ledger, lets the spool forget what that holds, and closes the files.
func (l *Line) Close() error {
	err := l.ledger.Close()
	if l.reader != nil {
		err = errors.Join(err, l.reader.Commit(l.ledger.Durable()))
	}
	return errors.Join(err, l.spool.Close())
}

// Ledger is the account that the line keeps.
func (l *Line) Ledger() *ledger.Ledger { return l.ledger }

// Ready is closed once every connection to the broker takes messages.
func (l *Line) Ready() <-chan struct{} { return l.ready }

// Opened is closed once Run has gone on where the process before ended, whether the broker is there or not.
func (l *Line) Opened() <-chan struct{} { return l.opened }

// Run carries messages until ctx ends; then it takes no more, makes durable and acknowledges what it has taken, and
// gives the writer a moment to empty the spool.
func (l *Line) Run(ctx context.Context) error {
	judge, err := l.start(ctx)
	if err != nil {
		return err
	}
	close(l.opened)
	// Each stage outlives the one before it: what a stage has handed on is finished by the next.
	judging, stopJudging := context.WithCancel(context.WithoutCancel(ctx))
	defer stopJudging()
	writing, stopWriting := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWriting()

	var sources, stages, writers sync.WaitGroup
	writers.Go(func() { _ = l.ledger.Run(writing) })
	writers.Go(func() { l.writer.Run(writing) })
	writers.Go(func() { l.meter.run(writing, l.ledger) })
	stages.Go(func() { l.append(judging) })
	stages.Go(func() { l.judge(judging, judge) })
	for _, s := range l.sessions {
		sources.Go(func() { _ = s.Run(ctx, l.batches) })
	}
	sources.Go(func() { l.announce(ctx) })

	<-ctx.Done()
	sources.Wait() // each leaves its broker only after the last acknowledgement
	stopJudging()
	stages.Wait()
	l.writer.Drain(l.spool.Stats().End, l.cfg.Writer.DrainTimeout)
	stopWriting()
	writers.Wait()
	return nil
}

// announce closes ready when every session has subscribed.
func (l *Line) announce(ctx context.Context) {
	for _, s := range l.sessions {
		select {
		case <-s.Ready():
		case <-ctx.Done():
			return
		}
	}
	close(l.ready)
}
