package outbox

import (
	"fmt"
	"maps"
	"time"

	"github.com/lamppost-city/lamppost/firmware-bridge/clock"
)

// Reason says why readings were dropped. It is a word in the bridge's status, so the set is closed.
type Reason string

// The reasons.
const (
	// Unknown: the quantity is not in the catalogue.
	Unknown Reason = "unknown_quantity"
	// Memory: the disk did not take them, and memory was full.
	Memory Reason = "memory"
	// Bounds: the spool's bounds, by bytes or age, or a full card.
	Bounds Reason = "bounds"
	// Undated: measured in an earlier boot whose date nobody has known. As many as fit are in the file aside.
	Undated Reason = "undated"
	// Unreadable: the spool found them damaged, or a program of another version has left them.
	Unreadable Reason = "unreadable"
	// Stopped: the disk did not take them when the bridge was stopped.
	Stopped Reason = "stopped"
)

// DiskState is how the disk is, in a word.
type DiskState string

// The states.
const (
	DiskFine     DiskState = "fine"
	DiskFull     DiskState = "full"
	DiskReadOnly DiskState = "read_only"
	DiskFailing  DiskState = "failing"
)

// DiskStates lists them in the order of the states of the quantity disk_state.
func DiskStates() []DiskState { return []DiskState{DiskFine, DiskFull, DiskReadOnly, DiskFailing} }

// Status is how an outbox is.
type Status struct {
	// WaitingReadings and WaitingMessages have not been acknowledged. After the spool has dropped something they are
	// estimates until the next acknowledgement.
	WaitingReadings, WaitingMessages uint64
	// MemoryReadings and MemoryBytes are the part of them that is not on the disk.
	MemoryReadings uint64
	MemoryBytes    int64
	// UndatedReadings is how many of those that wait were measured in this boot when the date was not known, as far as
	// sending has come upon them.
	UndatedReadings uint64
	// Oldest is how long the oldest of them has waited; 0 if none waits or nobody knows.
	Oldest time.Duration
	// DiskBytes is what the spool takes on the disk, of at most MaxBytes.
	DiskBytes, MaxBytes int64
	// Put is how many readings were put in, and Dropped how many of all were lost, since Open.
	Put     uint64
	Dropped map[Reason]uint64
	// SentMessages were handed to the uplink, AheadMessages of them before older ones.
	SentMessages, AheadMessages uint64
	// AcknowledgedMessages and AcknowledgedReadings have reached the broker, since Open.
	AcknowledgedMessages, AcknowledgedReadings uint64
	// LastAcknowledged is when the broker last acknowledged something; 0 if it has not.
	LastAcknowledged clock.Instant
	// Seq is the newest sequence number that was given.
	Seq uint64
	// Disk is how the disk is; DiskError says it to a person, "" if all is well.
	Disk      DiskState
	DiskError string
}

// Status returns how the outbox is. It is cheap: no file is touched.
func (o *Outbox) Status() Status {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := o.deps.Clock.Now()
	s := Status{
		UndatedReadings: o.held, Oldest: o.age(now), Put: o.taken, Dropped: maps.Clone(o.dropped),
		SentMessages: o.sent, AheadMessages: o.sentAhead, AcknowledgedMessages: o.acked.frames, AcknowledgedReadings: o.acked.readings,
		LastAcknowledged: o.lastAck, Seq: o.seq, Disk: o.disk.state, DiskError: o.disk.text, MaxBytes: o.cfg.Spool.MaxBytes,
		MemoryReadings: uint64(len(o.pending)),
	}
	for _, m := range o.queue {
		if !m.stored && !m.acked {
			s.MemoryReadings += uint64(m.readings)
			s.MemoryBytes += m.size()
			s.WaitingMessages++
		}
	}
	s.WaitingReadings = s.MemoryReadings
	if o.spool == nil {
		return s
	}
	stats := o.spool.Stats()
	s.DiskBytes = stats.Bytes
	left := o.stored.minus(o.passed).minus(o.aheadAcked)
	if dropped := less(stats.DroppedFrames, o.noticed); dropped > 0 && left.frames > 0 { // the sender has not come there yet
		frames := less(left.frames, dropped)
		left = totals{frames, uint64(float64(left.readings) * float64(frames) / float64(left.frames))}
	}
	s.WaitingMessages += left.frames
	s.WaitingReadings += left.readings
	if err := o.spool.Health(); err != nil && s.Disk == DiskFine {
		s.Disk, s.DiskError = stateOf(err), err.Error()
	}
	if stalled := o.stalled(); stalled > 0 {
		s.Disk, s.DiskError = DiskFailing, fmt.Sprintf("the disk has been at one write for %s", stalled.Round(time.Second))
	}
	return s
}

// age is how long the oldest of what waits has waited, as far as it is known which that is, and what time it was.
func (o *Outbox) age(now clock.Instant) time.Duration {
	var f *frame
	switch {
	case len(o.walk) > 0:
		f = &o.walk[0].frame
	case o.heldFrame != nil:
		f = o.heldFrame
	case len(o.queue) > 0:
		f = &o.queue[0].frame
	case len(o.pending) > 0:
		return now.Sub(o.since)
	default:
		return 0
	}
	if f.kind == undated && f.boot == o.deps.Clock.Boot() {
		return max(now.Sub(clock.Instant(f.made)), 0)
	}
	made := time.UnixMilli(f.made)
	if f.kind == undated {
		date, known := o.deps.Clock.DateOf(f.boot, clock.Instant(f.made))
		if !known {
			return 0
		}
		made = date
	}
	if date, known := o.deps.Clock.Date(now); known {
		return max(date.Sub(made), 0)
	}
	return 0
}

// totals count frames and readings together.
type totals struct{ frames, readings uint64 }

func (t totals) plus(frames, readings uint64) totals {
	return totals{t.frames + frames, t.readings + readings}
}

// minus never goes below 0: what is counted on both sides is not counted at the same moment.
func (t totals) minus(u totals) totals {
	return totals{less(t.frames, u.frames), less(t.readings, u.readings)}
}

func less(a, b uint64) uint64 { return a - min(a, b) }
