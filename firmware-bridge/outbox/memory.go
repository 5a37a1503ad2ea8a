package outbox

import (
	"slices"
	"time"

	"github.com/lamppost-city/lamppost/telemetry"
	"github.com/lamppost-city/lamppost/telemetry/senml"
)

// message is one that this process has made. It stays in the queue
//
//   - until it is stored, or the broker has it,
//   - and, as one of the newest, until the backlog has reached it or it was sent ahead.
type message struct {
	frame
	stored bool // in the spool
	busy   bool // on its way there
	sent   bool // with the uplink, or about to be
	acked  bool
}

func (m *message) size() int64 { return int64(len(m.body)) + 128 }

// newestKept is how many messages are kept to be sent ahead of a backlog. When there are more the link is too slow for
// the newest share, and sending ahead begins anew with the very newest.
const newestKept = 64

// Put takes readings. It copies them, never waits for the disk or the network, and never refuses.
func (o *Outbox) Put(readings []Reading) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := o.deps.Clock.Now()
	for _, r := range readings {
		o.taken++
		if _, known := telemetry.QuantityByName(r.Quantity); !known || o.closed {
			o.refuse(r)
			continue
		}
		if r.At == 0 {
			r.At = now
		}
		if r.Sensor == "" {
			r.Sensor = o.deps.Publisher
		}
		if len(o.pending) == 0 {
			o.since = now
			o.schedule()
		}
		o.pending = append(o.pending, r)
		if len(o.pending) >= o.cfg.MaxReadings {
			o.makeMessages()
		}
	}
}

func (o *Outbox) refuse(r Reading) {
	reason := Unknown
	if o.closed {
		reason = Stopped
	}
	if o.dropped[reason] == 0 {
		o.log.Error("a reading is dropped, others like it will be only counted", "reason", string(reason), "sensor", string(r.Sensor), "quantity", r.Quantity)
	}
	o.dropped[reason]++
}

// schedule has a message made of what is pending after MaxDelay. It is called with mu held.
func (o *Outbox) schedule() {
	if o.timer == nil {
		o.timer = time.AfterFunc(o.cfg.MaxDelay, o.flush)
		return
	}
	o.timer.Reset(o.cfg.MaxDelay)
}

// flush makes a message of what is pending.
func (o *Outbox) flush() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.makeMessages()
}

// makeMessages makes a message of the pending readings that have a date, and one of those that have none. It is called
// with mu held.
func (o *Outbox) makeMessages() {
	if len(o.pending) == 0 {
		return
	}
	o.timer.Stop()
	o.message.Reset()
	bare := o.pending[:0] // those without a date, in place
	for _, r := range o.pending {
		date := r.Date
		if date.IsZero() || !o.deps.Clock.Believable(date) {
			var known bool
			if date, known = o.deps.Clock.Date(r.At); !known {
				bare = append(bare, r)
				continue
			}
		}
		quantity, _ := telemetry.QuantityByName(r.Quantity)
		o.message.Readings = append(o.message.Readings, telemetry.Reading{
			Sensor: r.Sensor, Quantity: quantity.ID, Channel: r.Channel, Value: r.Value, Measured: telemetry.MilliOf(date),
		})
	}
	if n := len(o.message.Readings); n > 0 {
		f := frame{kind: dated, readings: n, made: int64(o.message.Readings[0].Measured)}
		o.message.Seq, o.message.HasSeq = o.seq+1, true
		o.enqueue(f, senml.AppendCBOR(make([]byte, 0, 32+40*n), &o.message, o.deps.Publisher))
	}
	if n := len(bare); n > 0 {
		f := frame{kind: undated, readings: n, made: int64(bare[0].At), boot: o.deps.Clock.Boot()}
		o.enqueue(f, o.appendSamples(make([]byte, 0, 48*n), bare))
	}
	o.pending = o.pending[:0]
	notify(o.storing)
	if o.disk.state != DiskFine {
		notify(o.sending) // it takes them from memory
	}
}

func (o *Outbox) appendSamples(dst []byte, readings []Reading) []byte {
	for _, r := range readings {
		s := sample{sensor: string(r.Sensor), quantity: r.Quantity, channel: r.Channel, at: r.At, value: r.Value}
		if r.Sensor == o.deps.Publisher {
			s.sensor = ""
		}
		dst = s.append(dst)
	}
	return dst
}

// enqueue gives a message its number. It is called with mu held.
func (o *Outbox) enqueue(f frame, body []byte) {
	o.seq++
	o.made++
	f.seq, f.publisher, f.body = o.seq, o.deps.Publisher, body
	o.queue = append(o.queue, &message{frame: f})
	o.tidy()
}

// tidy removes what need not be in memory any more, and what there is no room for. It is called with mu held.
func (o *Outbox) tidy() {
	var bytes int64
	candidates := 0
	o.queue = slices.DeleteFunc(o.queue, func(m *message) bool {
		switch {
		case m.busy:
		case m.stored && m.sent:
			return true
		case m.acked && m.seq != o.seq: // the newest is stored all the same: its number goes on from there
			return true
		}
		if m.stored {
			candidates++
		} else {
			bytes += m.size()
		}
		return false
	})
	if candidates > newestKept {
		o.queue = slices.DeleteFunc(o.queue, func(m *message) bool {
			if m.stored {
				candidates--
			}
			return m.stored && candidates > 0
		})
	}
	if bytes <= o.cfg.MemoryBytes {
		return
	}
	o.queue = slices.DeleteFunc(o.queue, func(m *message) bool {
		if bytes <= o.cfg.MemoryBytes || m.stored || m.busy || m.sent {
			return false
		}
		bytes -= m.size()
		o.drop(Memory, uint64(m.readings))
		return true
	})
}

// drop counts readings that are lost, and says so at first. It is called with mu held.
func (o *Outbox) drop(reason Reason, readings uint64) {
	if o.dropped[reason] == 0 {
		o.log.Error("readings are lost, others will be only counted", "reason", string(reason), "readings", readings)
	}
	o.dropped[reason] += readings
}

// settle marks the message of that number, if it is in the queue, as one that need not be sent ahead. It is called with
// mu held.
func (o *Outbox) settle(seq uint64) {
	i, found := slices.BinarySearchFunc(o.queue, seq, func(m *message, seq uint64) int {
		if m.seq < seq {
			return -1
		}
		return int(min(m.seq-seq, 1))
	})
	if found {
		o.queue[i].sent = true
		o.tidy()
	}
}

// abandon counts what could not be stored as lost, and returns how many readings that are.
func (o *Outbox) abandon() (readings uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, m := range o.queue {
		if !m.stored && !m.acked {
			readings += uint64(m.readings)
		}
	}
	o.queue = nil
	if readings > 0 {
		o.drop(Stopped, readings)
	}
	return readings
}
