package ingest

import (
	"context"
	"errors"
	"fmt"

	"github.com/lamppost-city/lamppost/ingest/ledger"
	"github.com/lamppost-city/lamppost/ingest/mqtt"
	"github.com/lamppost-city/lamppost/telemetry"
)

// retry is a quarantined message on its way through the line again.
type retry struct {
	id        int64
	delivery  mqtt.Delivery
	publisher telemetry.SensorID
	refused   bool
	done      chan bool // receives whether the frame became durable
	finished  func()
}

func (r *retry) finish(durable bool) {
	r.finished()
	r.done <- durable
}

var (
	// ErrCut is returned for a quarantined message that was too large to be kept whole, or is too large by now.
	ErrCut = errors.New("only the beginning of the message was kept, or it is larger than max_payload_bytes; it cannot be taken in again")
	// ErrGone is returned for a message that is not in quarantine any more, or about to leave it.
	ErrGone = errors.New("the message is not in quarantine any more")
	// ErrStopping is returned where ingest ends before the message could be taken in. It stays in quarantine.
	ErrStopping = errors.New("ingest is stopping; the message stays in quarantine")
)

// Retry takes a quarantined message in again, as if it had just been received at its old time of receipt. What is
// still wrong with it lands in quarantine anew; its good readings that were accepted the first time count as duplicates.
// A line that the store refused is checked again and written once more. It reports whether anything was refused again.
// Run must be running.
func (l *Line) Retry(ctx context.Context, m ledger.Message) (refused bool, err error) {
	if m.SizeBytes > int64(len(m.Payload)) || m.SizeBytes > l.cfg.Broker.MaxPayloadBytes {
		return true, fmt.Errorf("message %d: %w", m.ID, ErrCut)
	}
	if err := l.claim(ctx, m.ID); err != nil {
		return true, fmt.Errorf("take message %d in again: %w", m.ID, err)
	}
	r := &retry{
		id:        m.ID,
		delivery:  mqtt.Delivery{Topic: []byte(m.Topic), Payload: m.Payload, SizeBytes: m.SizeBytes, Received: m.Received},
		publisher: m.Publisher,
		done:      make(chan bool, 1),
		finished:  func() { l.unclaim(m.ID) },
	}
	select {
	case l.again <- r:
	case <-l.ended:
		err = ErrStopping
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		l.unclaim(m.ID)
		return true, fmt.Errorf("take message %d in again: %w", m.ID, err)
	}
	select {
	case durable := <-r.done:
		if !durable {
			return true, fmt.Errorf("take message %d in again: %w", m.ID, ErrStopping)
		}
		return r.refused, nil
	case <-ctx.Done():
		return true, fmt.Errorf("take message %d in again: %w", m.ID, ctx.Err())
	}
}

// claim sees to it that a message is taken in once, however many ask for it.
func (l *Line) claim(ctx context.Context, id int64) error {
	l.retrying.Lock()
	defer l.retrying.Unlock()
	if l.taken[id] {
		return ErrGone
	}
	there, err := l.ledger.Quarantines(ctx, id)
	if err != nil {
		return err
	}
	if !there {
		return ErrGone
	}
	l.taken[id] = true
	return nil
}

func (l *Line) unclaim(id int64) {
	l.retrying.Lock()
	defer l.retrying.Unlock()
	delete(l.taken, id)
}
