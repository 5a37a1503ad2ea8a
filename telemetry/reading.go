package telemetry

import (
	"fmt"
	"time"
)

// SensorID names a sensor, a publisher or a site: a slug of 2 to 63 characters out of a-z, 0-9 and '-', that does not
// begin with '-'. It is safe in an MQTT topic, a URL path and an InfluxDB tag without escaping.
type SensorID string

// MaxIDLength is the length, in bytes, of the longest valid id.
const MaxIDLength = 63

// Check says what is wrong with the id, or returns nil.
func (id SensorID) Check() error {
	if len(id) < 2 || len(id) > MaxIDLength {
		return fmt.Errorf("id %.80q has %d characters; 2 to %d are allowed", string(id), len(id), MaxIDLength)
	}
	for i := range len(id) {
		c := id[i]
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' && i > 0 {
			continue
		}
		return fmt.Errorf("id %q: character %d is %q; only a-z, 0-9 and, after the first, '-' are allowed", string(id), i+1, c)
	}
	return nil
}

// UnixMilli is a time in milliseconds since 1970-01-01T00:00:00Z, the precision in which readings are stored.
type UnixMilli int64

// MilliOf cuts t to milliseconds.
func MilliOf(t time.Time) UnixMilli { return UnixMilli(t.UnixMilli()) }

// Time returns the same instant in UTC.
func (ms UnixMilli) Time() time.Time { return time.UnixMilli(int64(ms)).UTC() }

// Reading is one value of one quantity of one sensor at one measured time. Its strings may be kept: they do not share
// memory with the payload that they were read from.
type Reading struct {
	Sensor   SensorID
	Quantity QuantityID
	// Channel tells alike quantities of one sensor apart (lane 2, phase L1); "" if there is only one.
	Channel string
	// Value is in the quantity's unit; for a state it is the state's index.
	Value float64
	// Measured is when the sensor took the value.
	Measured UnixMilli
	// Stamped is true where the payload held no time and Measured is the time of receipt.
	Stamped bool
}

// MaxChannelLength is the length, in bytes, of the longest channel name.
const MaxChannelLength = 32

// CheckChannel says what is wrong with a channel's name, or returns nil. A channel is empty or made of a-z, A-Z, 0-9,
// '-', '_' and '.'.
func CheckChannel(name string) error {
	if len(name) > MaxChannelLength {
		return fmt.Errorf("channel %.80q has %d characters; at most %d are allowed", name, len(name), MaxChannelLength)
	}
	for i := range len(name) {
		switch c := name[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '.':
		default:
			return fmt.Errorf("channel %q: character %d is %q; only letters, digits, '-', '_' and '.' are allowed", name, i+1, c)
		}
	}
	return nil
}

// Origin is what is known of a payload from outside it.
type Origin struct {
	// Publisher is the id in the topic.
	Publisher SensorID
	// Received is when the payload arrived; readings without a time of their own get it.
	Received UnixMilli
}

// Message is a decoded payload. The caller owns it and uses it again: decoders append to its slices and keep no
// reference to it.
type Message struct {
	Readings []Reading
	// Faults are the parts of the payload that could not become readings, each with its reason.
	Faults []Fault
	// Seq is the publisher's sequence number of this message, if HasSeq.
	Seq    uint64
	HasSeq bool
}

// Reset empties the message and keeps its memory.
func (m *Message) Reset() {
	m.Readings = m.Readings[:0]
	m.Faults = m.Faults[:0]
	m.Seq, m.HasSeq = 0, false
}

// Fault is one reading that was refused, or a whole payload that could not be read (it counts as one reading).
type Fault struct {
	Reason Reason
	// Sensor is whose reading it is; "" where that is not known.
	Sensor SensorID
	// Detail says to a person what was wrong, and where in the payload.
	Detail string
}
