package ingest

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/lamppost-city/lamppost/ingest/frame"
	"github.com/lamppost-city/lamppost/ingest/mqtt"
	"github.com/lamppost-city/lamppost/telemetry"
)

// Bounds of a frame. A frame is one write to the spool and one POST to the store.
const (
	// maxFrameBytes is where a frame ends and the next one begins, in the midst of a batch or of a message if need be.
	maxFrameBytes = 1 << 20
	// maxFrameMessages and maxHeldBytes are what a frame may take in of further batches, which stay in memory until it is
	// durable.
	maxFrameMessages = 20_000
	maxHeldBytes     = 4 << 20
	// frameOverhead is what one more reading, and the faults of one refused message, can add to a frame that was not full.
	frameOverhead = 1 << 20
)

// unit is a frame on its way from judge to append, with the messages that wait for it.
type unit struct {
	frame frame.Frame
	// batches and retries are those whose last part is in the frame.
	batches  []*mqtt.Batch
	retries  []*retry
	accepted []telemetry.Reading
	// items are the messages that the frame has been made of.
	items []item
	held  int64
}

// item is a message at the desk.
type item struct {
	delivery *mqtt.Delivery
	retry    *retry // nil for a message from the broker
	// poison says how the message made judge panic, "" if it did not.
	poison string
}

// desk is where messages become frames.
type desk struct {
	line  *Line
	judge *judge
	unit  *unit
	// startingOver is true while the unit's messages are judged once more.
	startingOver bool
}

// judge builds frames out of whatever has arrived. While a frame is being made durable the next one is built, and what
// arrives meanwhile becomes the one after it: the busier the line, the larger its frames.
func (l *Line) judge(ctx context.Context, j *judge) {
	defer close(l.ended)
	defer close(l.units)
	d := &desk{line: l, judge: j}
	j.spill, j.renew = d.spill, func() bool { return d.renew(ctx) }
	for {
		select {
		case d.unit = <-l.free:
		case <-ctx.Done():
			return
		}
		select {
		case b := <-l.batches:
			d.begin()
			d.addBatch(b)
		case r := <-l.again:
			d.begin()
			d.addRetry(r)
		case <-ctx.Done():
			return
		}
		for more := true; more && !d.full(); {
			select {
			case b := <-l.batches:
				d.addBatch(b)
			default:
				more = false
			}
		}
		d.send()
	}
}

func (d *desk) full() bool {
	return d.judge.full() || len(d.unit.items) >= maxFrameMessages || d.unit.held >= maxHeldBytes
}

func (d *desk) begin() {
	u := d.unit
	u.batches, u.retries, u.items, u.held = u.batches[:0], u.retries[:0], u.items[:0], 0
	d.judge.begin(&u.frame, d.line.deps.Directory.Sensors(), time.Now(), d.line.deps.Hub != nil && d.line.deps.Hub.Listened())
}

func (d *desk) send() {
	d.unit.accepted = d.judge.accepted
	d.line.units <- d.unit
	d.unit = nil
}

// spill sends the unit on and goes on in another. The messages that are not at their end come into that one: they are
// acknowledged when both are durable.
func (d *desk) spill() {
	if d.startingOver {
		return
	}
	var last item
	if n := len(d.unit.items); n > 0 {
		last = d.unit.items[n-1]
	}
	d.send()
	d.unit = <-d.line.free // append gives units back also when it is to stop
	d.begin()
	d.unit.items = append(d.unit.items, last)
}

// renew goes on in another unit if the registry has changed since this one began.
func (d *desk) renew(ctx context.Context) bool {
	look := d.line.deps.Renew
	if look == nil || d.startingOver {
		return false
	}
	look(ctx)
	if d.line.deps.Directory.Sensors().Version() == d.judge.version {
		return false
	}
	d.spill()
	return true
}

func (d *desk) addBatch(b *mqtt.Batch) {
	for i := range b.Deliveries {
		d.take(item{delivery: &b.Deliveries[i]})
		d.unit.held += int64(len(b.Deliveries[i].Topic) + len(b.Deliveries[i].Payload))
	}
	d.unit.batches = append(d.unit.batches, b)
}

func (d *desk) addRetry(r *retry) {
	d.take(item{delivery: &r.delivery, retry: r})
	d.unit.frame.Released = append(d.unit.frame.Released, r.id)
	d.unit.retries = append(d.unit.retries, r)
}

// take judges a message. One that makes judge panic, and so has left the frame half done, goes to quarantine: the
// frame is made anew without it.
func (d *desk) take(one item) {
	if d.judge.full() {
		d.spill()
		d.unit.items = d.unit.items[:0] // the last message is complete
	}
	d.unit.items = append(d.unit.items, one)
	if d.try(len(d.unit.items) - 1) {
		return
	}
	d.startingOver = true
	defer func() { d.startingOver = false }()
	released := append([]int64(nil), d.unit.frame.Released...)
	for again := true; again; {
		again = false
		d.judge.startOver()
		d.unit.frame.Released = append(d.unit.frame.Released, released...)
		for i := range d.unit.items {
			if !d.try(i) {
				again = true
				break
			}
		}
	}
}

// try judges the unit's i-th message and reports whether it did so without a panic.
func (d *desk) try(i int) (ok bool) {
	u := d.unit // judge may spill
	one := &u.items[i]
	defer func() {
		if caught := recover(); caught != nil {
			// After a spill the message is the first of another unit.
			one = &d.unit.items[min(i, len(d.unit.items)-1)]
			one.poison = fmt.Sprintf("judging it panics: %.100v", caught)
			d.line.metrics.poison.Inc()
			d.line.log.Error("message makes ingest panic, it goes to quarantine; please report this with the message",
				"topic", string(one.delivery.Topic), "size_bytes", one.delivery.SizeBytes, "panic", fmt.Sprint(caught), "stack", string(debug.Stack()))
			ok = false
		}
	}()
	refused := len(u.frame.Refused)
	switch {
	case one.poison != "":
		d.judge.addPoison(one.delivery, one.poison)
	case one.retry != nil:
		d.judge.addAgain(one.retry)
	default:
		d.judge.add(one.delivery)
	}
	if one.retry != nil {
		one.retry.refused = d.unit != u || len(d.unit.frame.Refused) > refused
	}
	return true
}
