package ingest

import (
	"context"
	"errors"
	"fmt"

	"github.com/lamppost-city/lamppost/ingest/ledger"
	"github.com/lamppost-city/lamppost/ingest/mqtt"
)

// retry is a quarantined message on its way through the line again.
type retry struct {
	id       int64
	delivery mqtt.Delivery
	refused  bool
	done     chan bool // receives whether the frame became durable
}

func (r *retry) finish(durable bool) { r.done <- durable }

func (j *judge) addRetry(u *unit, r *retry) {
	before := len(j.frame.Refused)
	j.add(&r.delivery)
	r.refused = len(j.frame.Refused) > before
	j.frame.Released = append(j.frame.Released, r.id)
	u.retries = append(u.retries, r)
}

// ErrCut is returned for a quarantined message that was too large to be kept whole.
var ErrCut = errors.New("only the beginning of the message was kept; it cannot be taken in again")

// Retry takes a quarantined message in again, as if it had just been received at its old time of receipt. What is
// still wrong with it lands in quarantine anew; its good readings that were accepted the first time count as duplicates.
// It reports whether anything was refused again.
func (l *Line) Retry(ctx context.Context, m ledger.Message) (refused bool, err error) {
	if m.SizeBytes > int64(len(m.Payload)) {
		return true, fmt.Errorf("message %d: %w", m.ID, ErrCut)
	}
	r := &retry{
		id:       m.ID,
		delivery: mqtt.Delivery{Topic: []byte(m.Topic), Payload: m.Payload, SizeBytes: m.SizeBytes, Received: m.Received},
		done:     make(chan bool, 1),
	}
	select {
	case l.again <- r:
	case <-ctx.Done():
		return true, fmt.Errorf("take message %d in again: %w", m.ID, ctx.Err())
	}
	select {
	case durable := <-r.done:
		if !durable {
			return true, fmt.Errorf("message %d stays in quarantine: ingest is stopping", m.ID)
		}
		return r.refused, nil
	case <-ctx.Done():
		return true, fmt.Errorf("take message %d in again: %w", m.ID, ctx.Err())
	}
}
