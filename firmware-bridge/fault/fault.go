// Package fault says what is wrong with a sensor or its bus, in words that the person in the street can act on.
//
// Buses and drivers make faults; the bridge counts them by kind, shows them in its status, and prints their advice in
// `lamppost-bridge check`.
package fault

import "errors"

// Kind is what is wrong, roughly. It is a label of metrics and a word in the status, so the set is closed.
type Kind string

// The kinds.
const (
	// Absent: nothing answers at the address.
	Absent Kind = "absent"
	// Timeout: something was there, and did not answer in time.
	Timeout Kind = "timeout"
	// Garbled: a checksum is wrong, or the bytes make no sense.
	Garbled Kind = "garbled"
	// Implausible: the bytes are whole, and the value is beyond what the device can measure or the quantity can be.
	Implausible Kind = "implausible"
	// Refused: the device answers that it will not (a Modbus exception, a sensor's own error flag).
	Refused Kind = "refused"
	// Denied: the operating system, or a local broker, does not let this user.
	Denied Kind = "denied"
	// Lost: the bus itself is gone or stuck: unplugged, pulled low, the connection ended.
	Lost Kind = "lost"
	// Misconfigured: the settings cannot work with this device.
	Misconfigured Kind = "misconfigured"
	// Other: none of these.
	Other Kind = "other"
)

// Kinds lists all kinds.
func Kinds() []Kind {
	return []Kind{Absent, Timeout, Garbled, Implausible, Refused, Denied, Lost, Misconfigured, Other}
}

// Fault is an error with its kind, and what to look at.
type Fault struct {
	Kind Kind
	// Advice is one sentence for a person: what to look at or to do. "" where there is nothing to add.
	Advice string
	Err    error
}

// Error returns the error's text, without the advice.
func (f *Fault) Error() string { return f.Err.Error() }

// Unwrap returns the error underneath.
func (f *Fault) Unwrap() error { return f.Err }

// New wraps err. It returns nil if err is nil, and err itself if that is a fault already: whoever was nearer to the
// device knew better.
func New(kind Kind, err error, advice string) error {
	var known *Fault
	if err == nil || errors.As(err, &known) {
		return err
	}
	return &Fault{Kind: kind, Advice: advice, Err: err}
}

// KindOf returns the kind of err: Other if nobody said.
func KindOf(err error) Kind {
	var f *Fault
	if errors.As(err, &f) {
		return f.Kind
	}
	return Other
}

// AdviceOf returns what to look at, or "".
func AdviceOf(err error) string {
	var f *Fault
	if errors.As(err, &f) {
		return f.Advice
	}
	return ""
}
