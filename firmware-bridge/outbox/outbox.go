package outbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/lamppost-city/lamppost/firmware-bridge/clock"
	"github.com/lamppost-city/lamppost/firmware-bridge/uplink"
	"github.com/lamppost-city/lamppost/spool"
	"github.com/lamppost-city/lamppost/telemetry"
)

// Reading is one value on its way up.
type Reading struct {
	// Sensor is whose reading it is; "" is the publisher itself.
	Sensor telemetry.SensorID
	// Quantity is a name of the catalogue. A reading of another quantity is dropped and counted.
	Quantity string
	// Channel tells alike quantities of one sensor apart; "" if there is only one.
	Channel string
	// Value is in the quantity's unit.
	Value float64
	// At is when it was measured; 0 is now.
	At clock.Instant
	// Date is when it was measured where the device itself said so and it can be; the zero time means that At counts.
	Date time.Time
}

// Deps is what an outbox needs of others.
type Deps struct {
	// Publisher is who publishes: the bridge's own id.
	Publisher telemetry.SensorID
	// Root is the first level of the topics.
	Root  string
	Clock *clock.Clock
	Log   *slog.Logger
}

// Uplink takes messages and reports through Message.Done when the broker has acknowledged one. *uplink.Publisher is one.
type Uplink interface {
	// Publish accepts m, which it keeps until it is acknowledged. It may wait for room, until ctx ends.
	Publish(ctx context.Context, m uplink.Message) error
}

// Outbox keeps readings until the broker has them. Put and Status may be called by several goroutines at once.
type Outbox struct {
	cfg     Config
	dir     string
	deps    Deps
	log     *slog.Logger
	timer   *time.Timer   // makes a message of what is pending, MaxDelay after its first reading
	storing chan struct{} // capacity 1: there is something for the disk
	sending chan struct{} // capacity 1: there is something for the broker, or room for it

	mu     sync.Mutex
	closed bool
	// pending are the readings of the next message, and since is when the first of them came.
	pending []Reading
	since   clock.Instant
	message telemetry.Message // to be used again
	seq     uint64            // the newest that was given
	made    uint64            // messages made by this process
	// queue holds the messages in memory, in the order of their numbers; see memory.go.
	queue []*message

	spool     *spool.Spool // nil while it cannot be opened
	reader    *spool.Reader
	disk      diskFault
	busySince time.Time // when the disk was given what it is at; zero if it is at nothing
	// stored is what was ever put into the spool, passed what the broker has had of it before the first that it has not,
	// aheadAcked what it has beyond. Readings count from the making of the spool, frames from Open.
	stored, passed, aheadAcked totals

	flights map[uint64]*flight // with the uplink, by number
	walk    []step             // see walk.go
	commit  spool.Position     // up to where the spool may forget
	// noticed is how many frames the spool has dropped, as far as the sender has come past them.
	noticed   uint64
	held      uint64 // readings of this boot that wait for the date
	heldFrame *frame // the first of their frames

	taken, sent, sentAhead uint64
	acked                  totals
	lastAck                clock.Instant
	dropped                map[Reason]uint64
}

// readerName names the cursor in the spool's folder.
const readerName = "broker"

// Open opens the spool in folder dir. A disk that is full, read-only or failing is no error: the outbox then keeps its
// messages in memory, sends them from there, says so in its status, and goes over to the disk when that works. ctx
// bounds Open alone. Run or Close gives back what Open takes.
func Open(ctx context.Context, cfg Config, dir string, deps Deps) (*Outbox, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("settings of the outbox: %w", err)
	}
	if err := deps.Publisher.Check(); err != nil {
		return nil, fmt.Errorf("open outbox: publisher: %w", err)
	}
	cfg.Spool.Readers = []string{readerName}
	o := &Outbox{
		cfg: cfg, dir: dir, deps: deps, log: deps.Log, storing: make(chan struct{}, 1), sending: make(chan struct{}, 1),
		flights: make(map[uint64]*flight), dropped: make(map[Reason]uint64), disk: diskFault{state: DiskFine},
		// Beyond what ingest takes for missing messages, whatever it has heard from this publisher before.
		seq: 1<<32 + rand.Uint64N(1<<40),
	}
	if err := ctx.Err(); err != nil {
		return nil, errors.Join(fmt.Errorf("open outbox: %w", err), o.Close())
	}
	if err := o.openSpool(); errors.Is(err, spool.ErrLocked) {
		return nil, errors.Join(fmt.Errorf("open outbox: %w", err), o.Close())
	} else if err != nil {
		o.noteDisk(err)
	}
	return o, nil
}

// openSpool opens the spool and finds out what is in it. It is called by Open, and then by the goroutine that stores.
func (o *Outbox) openSpool() error {
	if err := os.MkdirAll(o.dir, 0o700); err != nil {
		return err
	}
	s, err := spool.Open(filepath.Join(o.dir, "spool"), o.cfg.Spool, o.log)
	if err != nil {
		return err
	}
	r, err := s.Reader(readerName)
	if err != nil {
		return errors.Join(err, s.Close())
	}
	first, newest, err := survey(s, r)
	if err != nil {
		return errors.Join(err, s.Close())
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.spool, o.reader = s, r
	if newest != nil {
		o.stored = totals{s.Stats().Frames, newest.total}
		if o.made == 0 { // otherwise numbers were given while the spool could not be read
			o.seq = newest.seq
		}
	}
	o.passed.readings = o.stored.readings
	if first != nil {
		o.passed.readings = less(first.total, uint64(first.readings))
	}
	o.commit = r.Committed()
	notify(o.sending)
	return nil
}

// survey returns the first frame that is not committed and the newest of all, without their bodies; nil where there is
// none. The reader is where it was afterwards. The newest frame lies in the newest segment, unless a power cut has come
// between making that and writing to it.
func survey(s *spool.Spool, r *spool.Reader) (first, newest *frame, err error) {
	at := r.Committed()
	if first, err = next(r); err != nil {
		return nil, nil, err
	}
	for segment := s.Stats().End.Segment; newest == nil; segment-- {
		if err := r.Seek(spool.Position{Segment: segment}); err != nil {
			return nil, nil, err
		}
		for {
			f, err := next(r)
			if err != nil {
				return nil, nil, err
			}
			if f == nil {
				break
			}
			newest = f
		}
		if segment <= at.Segment || segment == 0 {
			break
		}
	}
	return first, newest, r.Seek(at)
}

// next returns the next frame that can be read, without its body, or nil.
func next(r *spool.Reader) (*frame, error) {
	for {
		b, _, ok, err := r.TryNext()
		if err != nil || !ok {
			return nil, err
		}
		if f, err := parseFrame(b); err == nil {
			f.body = nil
			return &f, nil
		}
	}
}

// Run puts readings on the disk and sends them through up until ctx ends. When it returns, everything that was put is on
// the disk, unless that refuses it for longer than Config.Grace, and the outbox is closed.
func (o *Outbox) Run(ctx context.Context, up Uplink) error {
	var sender, keeper sync.WaitGroup
	sender.Go(func() { o.send(ctx, up) })
	kept, stopKeeping := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stopKeeping(nil)
	keeper.Go(func() { o.keep(kept) })

	<-ctx.Done()
	o.mu.Lock()
	o.makeMessages()
	o.closed = true
	o.mu.Unlock()
	sender.Wait()
	stopKeeping(nil)
	keeper.Wait()
	left := o.abandon()
	err := o.Close()
	if left > 0 {
		err = errors.Join(fmt.Errorf("%d readings are lost: %s", left, o.Status().DiskError), err)
	}
	return err
}

// Close ends an outbox that does not run.
func (o *Outbox) Close() error {
	o.mu.Lock()
	o.closed = true
	s := o.spool
	o.spool, o.reader = nil, nil
	if o.timer != nil {
		o.timer.Stop()
	}
	o.mu.Unlock()
	if s == nil {
		return nil
	}
	return s.Close()
}

func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Uplink's messages come back through acknowledged.
var _ Uplink = (*uplink.Publisher)(nil)
