package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lamppost-city/lamppost/ingest/frame"
	"github.com/lamppost-city/lamppost/ingest/ledger"
	"github.com/lamppost-city/lamppost/ingest/live"
	"github.com/lamppost-city/lamppost/ingest/mqtt"
	"github.com/lamppost-city/lamppost/ingest/write"
	"github.com/lamppost-city/lamppost/spool"
	"github.com/lamppost-city/lamppost/telemetry"
)

// Deps are the neighbours of ingest.
type Deps struct {
	Directory Directory
	Store     write.Store
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

	end     atomic.Pointer[spool.Position] // of the last frame that became durable
	meter   meter
	trouble atomic.Pointer[error]
	ready   chan struct{}
	opened  chan struct{}
}

// unit is a frame on its way from judge to append, with the messages that wait for it.
type unit struct {
	frame    frame.Frame
	batches  []*mqtt.Batch
	retries  []*retry
	accepted []telemetry.Reading
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
		ready: make(chan struct{}), opened: make(chan struct{}),
	}
	for range unitsInFlight {
		l.free <- new(unit)
	}
	var err error
	cfg.Spool.Readers = []string{readerName}
	if l.spool, err = spool.Open(filepath.Join(cfg.Dir, "spool"), cfg.Spool, deps.Metrics, deps.Log); err != nil {
		return nil, err
	}
	if l.ledger, err = ledger.Open(ctx, filepath.Join(cfg.Dir, "ledger.db"), cfg.Ledger, deps.Metrics, deps.Log); err != nil {
		return nil, errors.Join(err, l.spool.Close())
	}
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

// Close writes the ledger and closes the files.
func (l *Line) Close() error { return errors.Join(l.ledger.Close(), l.spool.Close()) }

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
	go l.announce(ctx)

	<-ctx.Done()
	sources.Wait() // each leaves its broker only after the last acknowledgement
	stopJudging()
	stages.Wait()
	l.writer.Drain(l.spool.Stats().End, l.cfg.Writer.DrainTimeout)
	stopWriting()
	writers.Wait()
	return nil
}

// CatchUp writes everything that is in the spool to the store and returns when the ledger knows of it, without
// reading from a broker. It is for a process that only looks at the folder; Run must not be called beside it.
func (l *Line) CatchUp(ctx context.Context) error {
	if _, err := l.start(ctx); err != nil {
		return err
	}
	writing, stop := context.WithCancel(ctx)
	defer stop()
	var writers sync.WaitGroup
	writers.Go(func() { l.writer.Run(writing) })
	for end := l.spool.Stats().End; l.writer.Settled().Before(end); {
		if err := l.writer.Health(); err != nil {
			stop()
			writers.Wait()
			return err
		}
		select {
		case <-ctx.Done():
			writers.Wait()
			return ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
	stop()
	writers.Wait()
	return l.ledger.Flush(ctx)
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

// start goes on where the process before this one ended.
func (l *Line) start(ctx context.Context) (*judge, error) {
	recorded, settled, err := l.ledger.Positions(ctx)
	if err != nil {
		return nil, err
	}
	if end := l.spool.Stats().End; end.Before(recorded) || end.Before(settled) {
		l.log.Error("spool is older than the ledger; has its folder been replaced? All of it is taken for new", "spool_ends", end, "ledger_recorded", recorded)
		recorded, settled = spool.Position{}, spool.Position{}
	}
	if err := l.recover(ctx, recorded); err != nil {
		return nil, err
	}
	if err := l.writer.Start(settled); err != nil {
		return nil, err
	}
	newest, err := l.ledger.Newest(ctx)
	if err != nil {
		return nil, err
	}
	sequences, err := l.ledger.Sequences(ctx)
	if err != nil {
		return nil, err
	}
	return newJudge(l.cfg, newest, sequences), nil
}

// recover tells the ledger of frames that became durable after its last flush.
func (l *Line) recover(ctx context.Context, recorded spool.Position) error {
	if err := l.reader.Seek(recorded); err != nil {
		return fmt.Errorf("find the spool's frames that the ledger does not know: %w", err)
	}
	parser, count := frame.NewParser(), 0
	var f frame.Frame
	for {
		data, end, ok, err := l.reader.TryNext()
		if err != nil {
			return fmt.Errorf("read the spool again: %w", err)
		}
		if !ok {
			break
		}
		if err := parser.Parse(data, &f); err != nil {
			l.log.Error("frame in the spool cannot be read and is passed over", "position", end, "error", err)
			continue
		}
		if err := l.ledger.Record(ctx, &f, end); err != nil {
			return err
		}
		count++
	}
	if count > 0 {
		l.log.Info("ledger caught up with the spool", "frames", count)
	}
	return l.ledger.Flush(ctx)
}

// Bounds of a frame. A frame is one write to the spool and one POST to the store.
const (
	maxFrameBytes    = 1 << 20
	maxFrameMessages = 20_000
)

// judge builds frames out of whatever has arrived. While a frame is being made durable the next one is built, and what
// arrives meanwhile becomes the one after it: the busier the line, the larger its frames.
func (l *Line) judge(ctx context.Context, j *judge) {
	defer close(l.units)
	for {
		var u *unit
		select {
		case u = <-l.free:
		case <-ctx.Done():
			return
		}
		select {
		case b := <-l.batches:
			l.begin(j, u)
			j.addBatch(u, b)
		case r := <-l.again:
			l.begin(j, u)
			j.addRetry(u, r)
		case <-ctx.Done():
			return
		}
		messages := 0
		for len(u.frame.Lines) < maxFrameBytes && messages < maxFrameMessages {
			more := false
			select {
			case b := <-l.batches:
				messages += len(b.Deliveries)
				j.addBatch(u, b)
				more = true
			default:
			}
			if !more {
				break
			}
		}
		u.accepted = j.accepted
		l.units <- u
	}
}

func (l *Line) begin(j *judge, u *unit) {
	u.batches, u.retries = u.batches[:0], u.retries[:0]
	j.begin(&u.frame, l.deps.Directory.Sensors(), time.Now(), l.deps.Hub != nil && l.deps.Hub.Listened())
}

func (j *judge) addBatch(u *unit, b *mqtt.Batch) {
	for i := range b.Deliveries {
		j.add(&b.Deliveries[i])
	}
	u.batches = append(u.batches, b)
}

// append makes frames durable, acknowledges their messages, and tells the ledger and the listeners.
func (l *Line) append(ctx context.Context) {
	var buffer []byte
	for u := range l.units {
		end, durable := spool.Position{}, true
		if !u.frame.Empty() {
			buffer = frame.Append(buffer[:0], &u.frame)
			end, durable = l.makeDurable(ctx, buffer)
		}
		for _, b := range u.batches {
			if durable {
				l.acknowledge(b)
			}
		}
		if durable && !u.frame.Empty() {
			if err := l.ledger.Record(ctx, &u.frame, end); err != nil && ctx.Err() == nil {
				l.log.Error("ledger did not take a frame", "error", err)
			}
			if l.deps.Hub != nil {
				l.deps.Hub.Publish(u.accepted)
			}
		}
		for _, b := range u.batches {
			b.Release() // only now: refused payloads are parts of it
		}
		for _, r := range u.retries {
			r.finish(durable)
		}
		clear(u.batches)
		clear(u.retries)
		u.accepted = nil
		l.free <- u
	}
}

// makeDurable tries until the frame is in the spool or ctx ends. Meanwhile nothing is acknowledged.
func (l *Line) makeDurable(ctx context.Context, data []byte) (spool.Position, bool) {
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		end, err := l.spool.Append(ctx, data)
		if err == nil {
			if l.trouble.Swap(nil) != nil {
				l.log.Info("spool can be written again")
			}
			return end, true
		}
		if ctx.Err() != nil {
			return spool.Position{}, false
		}
		if l.trouble.Swap(&err) == nil {
			l.log.Error("spool cannot be written; nothing is acknowledged until it can", "error", err)
		}
		select {
		case <-ctx.Done():
			return spool.Position{}, false
		case <-time.After(pause):
		}
	}
}

func (l *Line) acknowledge(b *mqtt.Batch) {
	if err := b.Acknowledge(); err != nil {
		l.log.Warn("messages are stored but the broker could not be told; they will come again", "error", err)
	}
}
