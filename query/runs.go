package query

import (
	"time"

	"github.com/lamppost-city/lamppost/telemetry"
)

// asked is what goes into one statement.
type asked struct {
	domain     telemetry.Domain
	quantities []*telemetry.Quantity
	query      *HistoryQuery
	// limit is how many rows of each series are wanted at most.
	limit int
}

// stretch is a part of a question's time.
type stretch struct{ from, to time.Time }

// run is a stretch with steps of one length, which is what the store can count in. Days of a city's calendar are such runs
// between the changes of its clocks, and each day of a change is one of its own; months mostly stand alone.
//
//	│ 24 h │ 24 h │ 24 h ┆ 23 h ┆ 24 h │ 24 h │ 24 h
type run struct {
	stretch
	// every is the length of the steps; 0 where readings are wanted as they are.
	every time.Duration
	// offset is how much later than at whole multiples of every since 1970 they begin.
	offset time.Duration
}

// runsOf cuts the time of a question into runs, in order.
func runsOf(q HistoryQuery) []run {
	if !q.Step.InCalendar() {
		return []run{{stretch: stretch{q.From, q.To}, every: q.Step.Every}}
	}
	zone := q.Zone
	if zone == nil {
		zone = time.UTC
	}
	var all []run
	for begin := q.Step.Begin(q.From, zone); begin.Before(q.To); {
		next := q.Step.Next(begin)
		every := next.Sub(begin)
		if n := len(all); n > 0 && all[n-1].every == every {
			all[n-1].to = next
		} else {
			offset := begin.UnixMilli() - floorDiv(begin.UnixMilli(), every.Milliseconds())*every.Milliseconds()
			all = append(all, run{stretch{begin, next}, every, time.Duration(offset) * time.Millisecond})
		}
		begin = next
	}
	all[0].from, all[len(all)-1].to = q.From, q.To
	return all
}
