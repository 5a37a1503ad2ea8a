package simulate

import (
	"time"

	"github.com/lamppost-city/lamppost/telemetry"
)

// recentPast is the newest part of a backfill. There sensors keep their cadence: it is what charts show first, and what
// is counted in an hour is to be right.
const recentPast = time.Hour

// past says what is sent of the past, oldest first: in each step every sensor once, all at one moment, and then the recent
// past at the sensors' cadences.
type past struct {
	seed    uint64
	sensors int
	step    int64 // milliseconds
	number  int64 // of the step since 1970
	last    int64 // number of the step with which the recent past begins
	next    int   // sensor that comes next in the step
	recent  *schedule
	until   int64 // microseconds: where the present begins

	began time.Time
	rate  float64 // messages a second
	sent  float64
}

// newPast makes the past of a city before now, which is when the schedule of the present begins with the same phases. What a
// sensor reports within its last cadence before now belongs to the present.
func (s *source) newPast(now time.Time, every []int64) *past {
	begin, recent := now.Add(-s.cfg.Backfill), now.Add(-min(s.cfg.Backfill, recentPast))
	step := s.cfg.BackfillStep.Milliseconds()
	of := func(t time.Time) int64 { return (t.UnixMilli() + step - 1) / step }
	return &past{
		seed: scatter(s.cfg.Seed, 78), sensors: len(s.topics), step: step, number: of(begin), last: of(recent),
		recent: newSchedule(recent.UnixMicro(), every, s.phase), until: now.UnixMicro(), began: now, rate: s.cfg.BackfillRate,
	}
}

// due is how long the next message has to wait for its turn; with rate 0 none has.
func (p *past) due(now time.Time) time.Duration {
	if p.rate == 0 {
		return 0
	}
	return time.Duration(p.sent/p.rate*float64(time.Second)) - now.Sub(p.began)
}

// take returns what comes next; ok is false where the past has come to its end.
func (p *past) take() (sensor int, at telemetry.UnixMilli, ok bool) {
	p.sent++
	if p.number < p.last && p.sensors > 0 {
		// Some seconds into the step, or what goes round in seconds would always be seen at the same point.
		shift := int64(fraction(p.seed, uint64(p.number))*float64(min(p.step, 60_000))) / 1000 * 1000
		sensor, at = p.next, telemetry.UnixMilli(p.number*p.step+shift)
		if p.next++; p.next == p.sensors {
			p.next = 0
			p.number++
		}
		return sensor, at, true
	}
	for {
		d := p.recent.first()
		if d.at >= p.until {
			return 0, 0, false
		}
		p.recent.advance()
		if d.at+p.recent.every[d.sensor] < p.until {
			return d.sensor, telemetry.UnixMilli(d.at / 1000), true
		}
	}
}
