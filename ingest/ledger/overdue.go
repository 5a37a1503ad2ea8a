package ledger

import (
	"time"

	"github.com/lamppost-city/lamppost/ingest/frame"
	"github.com/lamppost-city/lamppost/telemetry"
)

// Plan is what is expected of sensors, at one moment.
type Plan interface {
	// Expected returns how often a sensor should report, 0 if nothing is expected of it, and since when. It may be called
	// by several goroutines.
	Expected(sensor telemetry.SensorID) (cadence time.Duration, since telemetry.UnixMilli)
}

// Expect makes Totals, SensorTotals and Minutes count, beside what is known to be missing, the reports that are overdue
// at this moment: of a sensor that has fallen silent nothing else would tell. They ask for the plan each time; it may be
// nil. Expect must be called before them.
func (l *Ledger) Expect(plan func() Plan) { l.plan = plan }

// overdue sums up the overdue reports of one sensor, or of all, that are counted under minutes from first up to, but not
// including, end.
func (l *Ledger) overdue(sensor telemetry.SensorID, first, end int64) int64 {
	sum := int64(0)
	if sensor != allSensors {
		l.eachOverdue(sensor, first, end, func(_, missing int64) { sum += missing })
		return sum
	}
	plan, now := l.planned(), telemetry.MilliOf(time.Now())
	if plan == nil {
		return 0
	}
	const minutesOfADay = 24 * 60 // a report may be counted under the beginning of its day
	for id, newest := range l.Newest() {
		s := silent(plan, id, newest, now)
		if first <= MinuteOf(s.From)-minutesOfADay && MinuteOf(s.To) < end {
			sum += s.Missing()
		} else {
			within(s, first, end, func(_, missing int64) { sum += missing })
		}
	}
	return sum
}

// eachOverdue visits the minutes from first up to, but not including, end under which reports of a sensor would be counted
// as missing if it reported now.
func (l *Ledger) eachOverdue(sensor telemetry.SensorID, first, end int64, visit func(minute, missing int64)) {
	l.mu.Lock()
	newest, known := l.newest[sensor]
	l.mu.Unlock()
	if plan := l.planned(); known && plan != nil {
		within(silent(plan, sensor, newest, telemetry.MilliOf(time.Now())), first, end, visit)
	}
}

func (l *Ledger) planned() Plan {
	if l.plan == nil {
		return nil
	}
	return l.plan()
}

// silent returns the silence of a sensor since its newest report, or the zero Silence if nothing is expected of it.
func silent(plan Plan, sensor telemetry.SensorID, newest, now telemetry.UnixMilli) frame.Silence {
	cadence, since := plan.Expected(sensor)
	since = max(since, newest)
	if cadence <= 0 || since >= now {
		return frame.Silence{}
	}
	return frame.Silence{From: since, To: now, End: now, Cadence: cadence}
}

// within visits the minutes of a range under which what is missing in a silence is counted.
func within(s frame.Silence, first, end int64, visit func(minute, missing int64)) {
	if s.Missing() == 0 {
		return
	}
	frame.Recount(frame.Silence{}, [2]frame.Silence{s}, func(minute, missing int64) {
		if minute >= first && minute < end {
			visit(minute, missing)
		}
	})
}
