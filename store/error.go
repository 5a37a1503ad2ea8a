package store

import (
	"fmt"
	"strings"
	"time"
)

// Kind says what a writer does after an answer that is not "stored".
type Kind uint8

// The kinds.
const (
	// Retry: the same lines may be accepted later. 408, 425, 429, 5xx, network errors, timeouts, and a context that ended.
	Retry Kind = iota + 1
	// TooLarge: the same lines may be accepted in smaller parts (413).
	TooLarge
	// Rejected: at least one of the lines, or the query, can never be accepted (400, 422). See Error.
	Rejected
	// Denied: nothing is accepted until a person mends the configuration: 401, 403, 404, redirects, and every other
	// answer that an InfluxDB does not give.
	Denied
)

// String returns the kind's name in snake_case, for logs and metric labels.
func (k Kind) String() string {
	switch k {
	case Retry:
		return "retry"
	case TooLarge:
		return "too_large"
	case Rejected:
		return "rejected"
	case Denied:
		return "denied"
	}
	return "unknown"
}

// Line is one line of a write that the store named as bad.
type Line struct {
	// Number counts from 1 within the body that was sent.
	Number int
	// Message is the store's reason.
	Message string
}

// Error is every error of a store. It says by its Kind whether to try again; whoever retries only asks.
//
// After Rejected, lines of the same body may have been stored or not, in any mixture: 1.8 answers as soon as one shard
// refuses, while other shards are still being written. A writer isolates the bad lines by sending parts again (a line
// that is already stored overwrites itself) and takes only an answer without error as proof that lines are stored.
type Error struct {
	Kind Kind
	// Status is the HTTP status; 0 where no answer came.
	Status int
	// Message is the store's own explanation, cut to a bounded length; "" where there is none.
	Message string
	// Lines are the lines that the store named (InfluxDB 3 does), bounded in number; nil where it named none.
	Lines []Line
	// RetryAfter is how long the store asked to be left alone; 0 where it did not ask. It is never negative.
	RetryAfter time.Duration
	// Err is the cause where no answer came, or the answer could not be read; nil otherwise.
	Err error
}

// Error returns one line for a log or a person.
func (e *Error) Error() string {
	var b strings.Builder
	switch e.Kind {
	case Retry:
		b.WriteString("store cannot answer now")
	case TooLarge:
		b.WriteString("store refused the size")
	case Rejected:
		b.WriteString("store rejected the data")
	default:
		b.WriteString("store denied access")
	}
	if e.Status != 0 {
		fmt.Fprintf(&b, " (HTTP %d)", e.Status)
	}
	if e.Message != "" {
		b.WriteString(": ")
		b.WriteString(e.Message)
	}
	if e.Err != nil {
		b.WriteString(": ")
		b.WriteString(e.Err.Error())
	}
	return b.String()
}

// Unwrap returns the cause, so that a cancelled context can be told from a broken connection.
func (e *Error) Unwrap() error { return e.Err }
