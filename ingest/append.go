package ingest

import (
	"context"
	"time"

	"github.com/lamppost-city/lamppost/ingest/frame"
	"github.com/lamppost-city/lamppost/ingest/mqtt"
	"github.com/lamppost-city/lamppost/spool"
)

// append makes frames durable, acknowledges their messages, and tells the ledger and the listeners.
func (l *Line) append(ctx context.Context) {
	var buffer []byte
	// Once a frame could not be made durable none behind it may be: messages may have their first part in it.
	durable := true
	for u := range l.units {
		var end spool.Position
		if durable && !u.frame.Empty() {
			l.serial++
			u.frame.Serial = l.serial
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
		clear(u.items)
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
