// Package frame is the form in which ingest keeps a batch of messages in its spool, between the broker and the store.
//
// A frame is all that a batch led to: the lines for the store, what the ledger has to add up, and what goes to
// quarantine. Because all three lie in the same durable frame, none of them can be lost or counted twice by a crash
// between two of them: the spool's position tells how far each has been carried on.
//
//	messages ──► ingest ──► Frame ──► spool ──► ledger  (Minutes, Rejections, Sequences, Silences, Refused)
//	                                       └──► store   (Lines), then ledger again (written)
package frame

import (
	"slices"

	"github.com/lamppost-city/lamppost/telemetry"
)

// Frame is one batch. Whoever fills it owns it and may Reset and use it again.
type Frame struct {
	// Serial tells frames apart: after an error of the disk the same one may lie in the spool twice, one behind the other.
	// 0 is a frame that was never there.
	Serial uint64
	// Received is when the first of its messages arrived.
	Received telemetry.UnixMilli
	// Minutes are the ledger's sums; a sensor and minute may come more than once.
	Minutes []Minute
	// Rejections are sums of refused readings by reason.
	Rejections []Rejection
	// Sequences are the newest sequence numbers by publisher.
	Sequences []Sequence
	// Silences are those of sensors for which they have changed.
	Silences []SensorSilences
	// Refused are the messages for quarantine.
	Refused []Refused
	// Released are the ids of quarantined messages that this frame takes in again.
	Released []int64
	// Lines is InfluxDB line protocol with millisecond timestamps, each line ended by '\n'.
	Lines []byte
	// Accepted holds, for each line, how many of its readings were accepted: those that the ledger has not seen before.
	Accepted []uint16
	// Suspects are accepted readings of which only the store can tell whether they are new.
	Suspects []Suspect
}

// Minute is what came from one sensor for one minute of measured time.
type Minute struct {
	Sensor telemetry.SensorID
	// Minute counts from 1970-01-01T00:00Z.
	Minute int64
	// Newest is the newest measured time of the sensor's accepted readings in this minute.
	Newest telemetry.UnixMilli
	Counts
}

// Counts are sums of readings. In a frame they are what to add, and can be negative where an earlier sum was wrong.
type Counts struct {
	// Received counts every reading that arrived; Received = Duplicate + rejected + Accepted.
	Received int64
	// Duplicate counts readings of a sensor, quantity, channel and measured time that had come before.
	Duplicate int64
	// Late counts accepted readings that arrived later after their measured time than the configured tolerance,
	// and are no recordings from before the sensor was registered.
	Late int64
	// Stamped counts accepted readings that had no time of their own.
	Stamped int64
	// Accepted counts readings on their way to the store, or in it.
	Accepted int64
	// Reports counts the distinct measured times of accepted readings: how often the sensor reported.
	Reports int64
	// Missing counts reports that did not come in a Silence, and messages that a gap in the publisher's sequence numbers
	// shows to be missing beyond them.
	Missing int64
}

// Add adds d to c.
func (c *Counts) Add(d Counts) {
	c.Received += d.Received
	c.Duplicate += d.Duplicate
	c.Late += d.Late
	c.Stamped += d.Stamped
	c.Accepted += d.Accepted
	c.Reports += d.Reports
	c.Missing += d.Missing
}

// Rejection is a sum of refused readings. They belong to the minute of receipt, as their measured time cannot be relied
// on; Sensor is "" where no registered sensor or publisher can be named.
type Rejection struct {
	Sensor telemetry.SensorID
	Minute int64
	Reason telemetry.Reason
	N      int64
}

// Sequence is the newest sequence number of a publisher.
type Sequence struct {
	Publisher telemetry.SensorID
	Seq       uint64
}

// SensorSilences are all silences of a sensor in which a report can still come late; none where Open is empty.
type SensorSilences struct {
	Sensor telemetry.SensorID
	Open   []Silence
}

// Refused is a message of which some or all readings were refused.
type Refused struct {
	Received telemetry.UnixMilli
	// Minute is the minute of the Rejections that count its readings.
	Minute int64
	// Topic is "" for a line of line protocol that the store refused.
	Topic string
	// Publisher is the id in the topic, "" if it has none.
	Publisher telemetry.SensorID
	// Payload is the message's raw bytes, cut at ingest's limit.
	Payload []byte
	// SizeBytes is the length of the whole payload.
	SizeBytes int64
	Faults    []Fault
}

// Fault sums up the readings of one message that were refused for one reason.
type Fault struct {
	Reason telemetry.Reason
	// Counted is the Sensor of the Rejection that counts these readings.
	Counted telemetry.SensorID
	// Sensor is whose readings they are, as the payload says; it need not be registered.
	Sensor telemetry.SensorID
	// Detail is the first fault's.
	Detail   string
	Readings int64
}

// Suspect is an accepted reading of which only the store can tell whether it is new.
type Suspect struct {
	// Line is the index of its line in Frame.Lines.
	Line     int
	Domain   telemetry.Domain
	Sensor   telemetry.SensorID
	Quantity string
	Channel  string
	Measured telemetry.UnixMilli
	Value    float64
	// Late tells whether it was counted as late.
	Late bool
}

// Reset empties the frame and keeps its memory.
func (f *Frame) Reset() {
	f.Serial, f.Received = 0, 0
	f.Minutes = f.Minutes[:0]
	f.Rejections = f.Rejections[:0]
	f.Sequences = f.Sequences[:0]
	f.Silences = f.Silences[:0]
	f.Refused = f.Refused[:0]
	f.Released = f.Released[:0]
	f.Lines = f.Lines[:0]
	f.Accepted = f.Accepted[:0]
	f.Suspects = f.Suspects[:0]
}

// Silence adds the silences of a sensor, of which it keeps a copy in memory that was used before, and returns their index.
func (f *Frame) Silence(sensor telemetry.SensorID) int {
	n := len(f.Silences)
	f.Silences = slices.Grow(f.Silences, 1)[:n+1]
	f.Silences[n].Sensor, f.Silences[n].Open = sensor, f.Silences[n].Open[:0]
	return n
}

// Empty tells whether nothing at all is in the frame.
func (f *Frame) Empty() bool {
	return len(f.Minutes)+len(f.Rejections)+len(f.Sequences)+len(f.Silences)+len(f.Refused)+len(f.Released)+len(f.Lines) == 0
}
