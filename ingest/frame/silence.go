package frame

import (
	"time"

	"github.com/lamppost-city/lamppost/telemetry"
)

// Silence is the time between two neighbouring reports of a sensor that are too far apart for its cadence.
type Silence struct {
	// From and To are when the two reports were measured. What is missing lies between them.
	From, To telemetry.UnixMilli
	// End is when the silence ended that this is a part of: a report that comes late parts a silence in two. What is
	// missing stays under the minutes where it was counted first, which follow from End.
	End telemetry.UnixMilli
	// Cadence is the one that it was counted by. The zero Silence has none, and nothing is missing in it.
	Cadence time.Duration
}

// Missing is how many reports did not come. One is missing when it is more than half a cadence overdue, so that a sensor
// whose clock is a little slow misses none.
func (s Silence) Missing() int64 {
	cadence := s.Cadence.Milliseconds()
	if cadence <= 0 {
		return 0
	}
	return max(0, (2*int64(s.To-s.From)-cadence-1)/(2*cadence))
}

// due are the missing reports of a silence, every cadence after from.
type due struct {
	from             telemetry.UnixMilli
	cadence, missing int64
}

func (s Silence) due() due {
	return due{s.From, max(1, s.Cadence.Milliseconds()), s.Missing()}
}

// before is how many were due before a time.
func (d due) before(at telemetry.UnixMilli) int64 {
	if d.missing == 0 || at <= d.from {
		return 0
	}
	return min(int64(at-d.from-1)/d.cadence, d.missing)
}

const (
	minute  = telemetry.UnixMilli(60_000)
	quarter = 15 * minute
	hour    = 60 * minute
	day     = 24 * hour
	month   = 31 * day
)

// account returns the minute of the ledger under which a report is counted that was due at a time, and up to when others
// are counted under the same: the shorter before the end of the silence, the finer. So a long silence makes a bounded
// number of sums, and yet the last day is seen as it was.
func (s Silence) account(at telemetry.UnixMilli) (under int64, until telemetry.UnixMilli) {
	var begin telemetry.UnixMilli
	switch before := s.End - at; {
	case before <= hour:
		begin = floor(at, minute)
		until = begin + minute
	case before <= day:
		begin = floor(at, quarter)
		until = min(begin+quarter, s.End-hour)
	case before <= month:
		begin = floor(at, day)
		until = min(begin+day, s.End-day)
	default:
		begin = floor(s.End-month, day)
		until = s.End - month
	}
	return int64(begin / minute), until
}

func floor(at, width telemetry.UnixMilli) telemetry.UnixMilli {
	rest := at % width
	if rest < 0 {
		rest += width
	}
	return at - rest
}

// Recount visits, oldest first, the minutes under which another number of reports is missing than before, each with the
// difference. was is a silence, now is what is left of it in one part or two; the zero was is a silence that is counted
// for the first time.
func Recount(was Silence, now [2]Silence, visit func(minute, more int64)) {
	whole := was
	if was == (Silence{}) {
		whole = now[0]
	}
	before, first, second := was.due(), now[0].due(), now[1].due()
	counted := int64(0)
	for at := whole.From; at < whole.To; {
		under, until := whole.account(at)
		if sum := first.before(until) + second.before(until) - before.before(until); sum != counted {
			visit(under, sum-counted)
			counted = sum
		}
		at = until
	}
}
