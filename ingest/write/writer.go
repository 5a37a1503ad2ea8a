package write

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lamppost-city/lamppost/ingest/frame"
	"github.com/lamppost-city/lamppost/ingest/ledger"
	"github.com/lamppost-city/lamppost/spool"
	"github.com/lamppost-city/lamppost/store"
	"github.com/lamppost-city/lamppost/telemetry"
)

// Store is where readings come to rest. Its errors are *store.Error.
type Store interface {
	// Write stores line protocol with millisecond timestamps; nil means that every line is stored. It does not keep lines.
	Write(ctx context.Context, lines []byte) error
	// Points visits every value that the store has of a sensor in a domain, from included, to excluded.
	Points(ctx context.Context, domain telemetry.Domain, sensor telemetry.SensorID, from, to time.Time, visit func(store.Value) error) error
}

// Deps are the writer's neighbours.
type Deps struct {
	Reader  *spool.Reader
	Ledger  *ledger.Ledger
	Store   Store
	Metrics prometheus.Registerer
	Log     *slog.Logger
}

// Writer empties a spool into a store.
type Writer struct {
	cfg     Config
	deps    Deps
	log     *slog.Logger
	metrics *metrics
	trouble atomic.Pointer[error]
	delays  delays

	after   spool.Position // frames up to here are settled since before this process
	read    spool.Position // end of the newest frame that was gathered
	serial  uint64         // of that frame
	began   time.Time      // when the newest job was handed to post
	waiting []byte         // memory for the lines of the frame that waits for the next job
	settled atomic.Pointer[spool.Position]

	free  chan *job // as many as may be in flight
	order chan *job // in the spool's order
}

// job is one POST.
type job struct {
	parts []part
	n     int // parts in use
	body  []byte
	lines int
	// kept maps lines of body to lines of the frames where some were left out or parted; nil if none were.
	kept []keptLine
	// spare is memory for another body.
	spare []byte
	done  chan struct{}
	// complete is set before done is closed, unless the writer was stopped.
	complete bool
	// took tells that the store has taken something while the job was posted.
	took bool
	// bad are the lines that the store refused, as indexes into the job's lines.
	bad []badLine
}

// part is a frame of a job.
type part struct {
	frame frame.Frame
	end   spool.Position
	first int // index of the frame's first line in the job
	// verdicts has a byte for each of the frame's suspects; places says where the store has it, and is nil if no value is
	// to be overwritten.
	verdicts []byte
	places   []place
}

type badLine struct {
	index      int
	overwrites bool
	text       []byte
	why        string
}

// New prepares a writer.
func New(cfg Config, deps Deps) *Writer {
	w := &Writer{
		cfg: cfg, deps: deps, log: deps.Log, metrics: newMetrics(deps.Metrics),
		free: make(chan *job, cfg.InFlight), order: make(chan *job, cfg.InFlight),
	}
	for range cap(w.free) {
		w.free <- new(job)
	}
	return w
}

// Start sets where the ledger was told last that frames are in the store.
func (w *Writer) Start(settled spool.Position) error {
	w.after, w.read = settled, settled
	w.settled.Store(&settled)
	if err := w.deps.Reader.Seek(settled); err != nil {
		return fmt.Errorf("find the first frame to write: %w", err)
	}
	return nil
}

// Health says why the store takes nothing, or returns nil.
func (w *Writer) Health() error {
	if err := w.trouble.Load(); err != nil {
		return *err
	}
	return nil
}

// Settled is the position up to which every frame has been written.
func (w *Writer) Settled() spool.Position {
	if p := w.settled.Load(); p != nil {
		return *p
	}
	return spool.Position{}
}

// Run writes until ctx ends.
func (w *Writer) Run(ctx context.Context) {
	var posts, settling sync.WaitGroup
	settling.Go(func() { w.settle(ctx) })
	settling.Go(func() { w.commit(ctx) })
	defer settling.Wait()
	defer close(w.order)
	defer posts.Wait()

	parser := frame.NewParser()
	var ahead *pendingFrame // a frame that was read but did not fit
	for {
		var j *job
		select {
		case j = <-w.free:
		case <-ctx.Done():
			return
		}
		j.reset()
		var err error
		if ahead, err = w.gather(ctx, parser, j, ahead); err != nil {
			if ctx.Err() != nil {
				return
			}
			w.complain(fmt.Errorf("read the spool: %w", err))
			w.free <- j
			if !sleep(ctx, w.cfg.MaxBackoff) {
				return
			}
			continue
		}
		if j.hasSuspects() {
			// Frames before this one may hold the same readings: they must be in the store before it is asked.
			if !w.waitForOthers(ctx) {
				return
			}
			if !w.judge(ctx, j) {
				return
			}
			j.sortOut()
		}
		w.order <- j
		w.began = time.Now()
		posts.Go(func() {
			w.post(ctx, j)
			close(j.done)
		})
	}
}

func (j *job) reset() {
	j.n, j.body, j.lines, j.kept, j.bad, j.took, j.complete = 0, j.body[:0], 0, nil, j.bad[:0], false, false
	j.done = make(chan struct{})
}

func (j *job) hasSuspects() bool { return j.n > 0 && len(j.parts[0].frame.Suspects) > 0 }

// pendingFrame is a parsed frame that waits for the next job.
type pendingFrame struct {
	frame frame.Frame
	end   spool.Position
}

// gather fills a job with the next frames. A frame with suspects only comes first in a job: what lies before it must
// be in the store already. It returns the frame that it had to leave, if any.
func (w *Writer) gather(ctx context.Context, parser *frame.Parser, j *job, ahead *pendingFrame) (*pendingFrame, error) {
	if ahead != nil {
		j.add(&ahead.frame, ahead.end)
	}
	for {
		var data []byte
		var end spool.Position
		var err error
		if j.n == 0 {
			data, end, err = w.deps.Reader.Next(ctx)
		} else {
			var ok bool
			if data, end, ok, err = w.more(ctx, j); err == nil && !ok {
				return nil, nil
			}
		}
		if err != nil {
			if j.n > 0 {
				return nil, nil // what was gathered goes first; the error comes again
			}
			return nil, err
		}
		if !w.after.Before(end) {
			continue
		}
		next := &pendingFrame{end: end}
		if err := w.parse(parser, data, next); err != nil {
			if j.n > 0 {
				return nil, nil
			}
			return nil, err
		}
		if j.n > 0 && !w.fits(j, &next.frame) {
			w.waiting = append(w.waiting[:0], next.frame.Lines...) // the reader's memory is used again
			next.frame.Lines = w.waiting
			next.frame.Refused, next.frame.Released = nil, nil
			return next, nil
		}
		j.add(&next.frame, end)
	}
}

// more returns the next frame for a job that has some; ok is false where there is none before the job is due.
func (w *Writer) more(ctx context.Context, j *job) (data []byte, end spool.Position, ok bool, err error) {
	data, end, ok, err = w.deps.Reader.TryNext()
	due := w.began.Add(w.cfg.MinPause)
	if ok || err != nil || j.full(w.cfg) || !time.Now().Before(due) {
		return data, end, ok, err
	}
	waiting, cancel := context.WithDeadline(ctx, due)
	defer cancel()
	data, end, err = w.deps.Reader.Next(waiting)
	if data == nil && waiting.Err() != nil {
		return nil, spool.Position{}, false, nil
	}
	return data, end, err == nil, err
}

// parse reads a frame. After an error the reader stands before it again.
func (w *Writer) parse(parser *frame.Parser, data []byte, next *pendingFrame) error {
	f := &next.frame
	err := parser.Parse(data, f)
	if errors.Is(err, frame.ErrVersion) {
		return errors.Join(fmt.Errorf("frame that ends at %s: %w; let that version empty the spool", next.end, err), w.deps.Reader.Seek(w.read))
	}
	if err != nil {
		w.log.Error("frame in the spool cannot be read and is passed over", "position", next.end.String(), "error", err)
		f.Reset()
	}
	if f.Serial != 0 && f.Serial == w.serial {
		f.Reset() // written twice, after an error of the disk
	} else {
		w.serial = f.Serial
	}
	w.read = next.end
	return nil
}

// maxParts bounds a job of frames that have few lines, or none.
const maxParts = 1000

// full tells that hardly a frame could join the job.
func (j *job) full(cfg Config) bool {
	return j.n >= maxParts || int64(len(j.body)) >= cfg.MaxBodyBytes || j.lines >= cfg.MaxLines
}

// fits tells whether a frame may join the job. Suspects come first in a job only: what lies before them must be in the
// store when it is asked.
func (w *Writer) fits(j *job, f *frame.Frame) bool {
	return len(f.Suspects) == 0 && j.n < maxParts && int64(len(j.body)+len(f.Lines)) <= w.cfg.MaxBodyBytes && j.lines+len(f.Accepted) <= w.cfg.MaxLines
}

// add takes a frame into the job; lines are copied, the rest is kept.
func (j *job) add(f *frame.Frame, end spool.Position) {
	if j.n == len(j.parts) {
		j.parts = append(j.parts, part{})
	}
	p := &j.parts[j.n]
	j.n++
	j.body = append(j.body, f.Lines...)
	p.frame, p.end, p.first, p.verdicts, p.places = *f, end, j.lines, nil, nil
	p.frame.Lines, p.frame.Refused, p.frame.Released, p.frame.Rejections, p.frame.Sequences, p.frame.Silences = nil, nil, nil, nil, nil, nil
	j.lines += len(f.Accepted)
}

// Drain waits until every frame up to end is settled, or the time is over.
func (w *Writer) Drain(end spool.Position, timeout time.Duration) {
	deadline := time.Now().Add(timeout)
	for w.Settled().Before(end) && w.Health() == nil && time.Now().Before(deadline) {
		time.Sleep(5 * time.Millisecond)
	}
}

// waitForOthers waits until every job but the caller's is settled.
func (w *Writer) waitForOthers(ctx context.Context) bool {
	for range cap(w.free) - 1 {
		select {
		case other := <-w.free:
			defer func() { w.free <- other }()
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// settle tells the ledger of written jobs, in the spool's order.
func (w *Writer) settle(ctx context.Context) {
	for j := range w.order {
		select {
		case <-j.done:
		case <-ctx.Done():
			return
		}
		if !j.complete {
			return
		}
		for i := range j.n {
			p := &j.parts[i]
			corrections, refused := j.corrections(p)
			if err := w.deps.Ledger.Settle(ctx, &p.frame, corrections, refused, p.end); err != nil {
				return
			}
			end := p.end // p is used again
			w.settled.Store(&end)
			if p.frame.Received > 0 {
				w.delays.add(time.Since(p.frame.Received.Time()))
			}
		}
		w.metrics.lines.Add(float64(j.lines))
		w.free <- j
	}
}

// commitPause is how often the spool is told what it may forget.
const commitPause = 500 * time.Millisecond

// commit gives the spool leave to forget what the ledger has on disk.
func (w *Writer) commit(ctx context.Context) {
	ticker := time.NewTicker(commitPause)
	defer ticker.Stop()
	var committed spool.Position
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		durable := w.deps.Ledger.Durable()
		if !committed.Before(durable) {
			continue
		}
		if err := w.deps.Reader.Commit(durable); err != nil {
			w.log.Error("spool's cursor cannot be moved; its space is not freed", "error", err)
			continue
		}
		committed = durable
	}
}
