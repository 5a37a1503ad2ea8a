package telemetry

// Reason is why a reading was refused. The set is closed: it labels metrics, the ledger and the quarantine.
type Reason uint8

// The reasons, in the order in which ingest finds them. Values are stored on disk: add at the end, never renumber.
const (
	ReasonNone Reason = iota
	// ReasonTopic: the topic has not the form <root>/<publisher>/readings.
	ReasonTopic
	// ReasonTooLarge: the payload is larger than ingest accepts.
	ReasonTooLarge
	// ReasonMalformed: the payload is not the format that it seems to be, or is cut short.
	ReasonMalformed
	// ReasonEncoding: text in the payload is not valid UTF-8.
	ReasonEncoding
	// ReasonUnknownQuantity: the catalogue has no such quantity.
	ReasonUnknownQuantity
	// ReasonUnit: the unit does not exist or cannot be converted to the quantity's own.
	ReasonUnit
	// ReasonNotANumber: the value is a string, an object, NaN, infinite or missing.
	ReasonNotANumber
	// ReasonTime: the time cannot be read.
	ReasonTime
	// ReasonUnregistered: no such sensor is registered.
	ReasonUnregistered
	// ReasonNotAllowed: the publisher may not publish for this sensor.
	ReasonNotAllowed
	// ReasonRange: the value is outside the quantity's sane range.
	ReasonRange
	// ReasonFuture: measured later than the tolerance beyond the time of receipt.
	ReasonFuture
	// ReasonTooOld: measured before the oldest time that the store keeps.
	ReasonTooOld
	// ReasonStore: the store refused the point.
	ReasonStore
	// ReasonSeries: the sensor has more combinations of quantity and channel than one sensor may have.
	ReasonSeries

	reasonCount
)

var reasonNames = [reasonCount]string{
	"none", "topic", "too_large", "malformed", "encoding", "unknown_quantity", "unit", "not_a_number", "time",
	"unregistered", "not_allowed", "range", "future", "too_old", "store", "series",
}

// String returns the reason's name in snake_case, as in the API, the ledger and metric labels.
func (r Reason) String() string {
	if r >= reasonCount {
		return "unknown"
	}
	return reasonNames[r]
}

// ParseReason finds a reason by its name.
func ParseReason(name string) (Reason, bool) {
	for r := ReasonTopic; r < reasonCount; r++ {
		if reasonNames[r] == name {
			return r, true
		}
	}
	return ReasonNone, false
}

// Reasons lists every reason for which a reading can be refused.
func Reasons() []Reason {
	all := make([]Reason, 0, reasonCount-1)
	for r := ReasonTopic; r < reasonCount; r++ {
		all = append(all, r)
	}
	return all
}
