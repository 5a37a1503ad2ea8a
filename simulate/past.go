package simulate

import (
	"time"

	"github.com/lamppost-city/lamppost/telemetry"
)

// recentPast is the newest part of a backfill. There sensors keep their cadence: it is what charts show first, and what
// is counted in an hour is to be right.
const recentPast = time.Hour

// past says what is sent of the past, oldest first: of each step a minute, in which all sensors report at their cadences, and
// then the whole of the recent past.
type past struct {
	seed   uint64
	step   int64   // microseconds
	number int64   // of the step since 1970
	last   int64   // number of the first step of which no minute is sent
	every  []int64 // microseconds between two reports of each sensor in a minute
	phase  func(sensor int) float64
	minute *schedule // of the step; nil before it begins
	ends   int64     // microseconds: where the minute ends
	recent *schedule
	until  int64 // microseconds: where the present begins
	// newest is each sensor's newest report, and apart the time between two of those before it that have been sent
	// beforehand, in microseconds; nil where none have.
	newest, apart []int64

	began time.Time
	rate  float64 // messages a second
	sent  float64
}

// newPast makes the past of a city before now, which is when the schedule of the present begins with the same phases. What a
// sensor reports within its last cadence before now belongs to the present.
func (s *source) newPast(now time.Time, every []int64) *past {
	begin, recent := now.Add(-s.cfg.Backfill), now.Add(-min(s.cfg.Backfill, recentPast))
	step := s.cfg.BackfillStep.Microseconds()
	of := func(t time.Time) int64 { return (t.UnixMicro() + step - 1) / step }
	p := &past{
		seed: scatter(s.cfg.Seed, 78), step: step, number: of(begin), phase: s.phase,
		recent: newSchedule(recent.UnixMicro(), every, s.phase), until: now.UnixMicro(), began: now, rate: s.cfg.BackfillRate,
	}
	p.last = of(recent.Add(-time.Duration(p.length()+p.spare()) * time.Microsecond)) // its minute ends before the recent past
	for _, e := range every {
		p.every = append(p.every, min(e, p.length())) // each reports at least once
	}
	return p
}

// length is how long the minute of a step is, in microseconds.
func (p *past) length() int64 { return min(p.step, time.Minute.Microseconds()) }

// spare is how long after the beginning of its step a minute may begin, in microseconds: a minute and a half, or what goes round
// in that time, as traffic signals do, would always be seen at the same points.
func (p *past) spare() int64 { return min(p.step-p.length(), 90*time.Second.Microseconds()) }

// begin makes the minute of a step.
func (p *past) begin() {
	shift := int64(fraction(p.seed, uint64(p.number))*float64(p.spare())) / 1e6 * 1e6
	from := p.number*p.step + shift
	p.minute, p.ends = newSchedule(from, p.every, p.phase), from+p.length()
}

// glance is about how far apart the reports of the recent past are that are sent beforehand. With those of the present that
// come meanwhile they are fewer than the 32 of which ingest knows without asking the store that they are new.
const glance = 4 * time.Minute

// glanceAt leaves out of the past what is sent beforehand, beside a schedule of the present that has not begun.
func (p *past) glanceAt(plan *schedule) {
	p.newest, p.apart = make([]int64, len(plan.every)), make([]int64, len(plan.every))
	for _, d := range plan.heap {
		every := plan.every[d.sensor]
		p.newest[d.sensor], p.apart[d.sensor] = d.at, max(1, glance.Microseconds()/every)*every
	}
}

// glanced says whether a report of the recent past has been sent beforehand.
func (p *past) glanced(d due) bool {
	return p.apart != nil && (p.newest[d.sensor]-d.at)%p.apart[d.sensor] == 0
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
	for p.number < p.last {
		if p.minute == nil {
			p.begin()
		}
		if d := p.minute.first(); d.at < p.ends {
			p.minute.advance()
			return d.sensor, telemetry.UnixMilli(d.at / 1000), true
		}
		p.number, p.minute = p.number+1, nil
	}
	for {
		d := p.recent.first()
		if d.at >= p.until {
			return 0, 0, false
		}
		p.recent.advance()
		if d.at+p.recent.every[d.sensor] < p.until && !p.glanced(d) {
			return d.sensor, telemetry.UnixMilli(d.at / 1000), true
		}
	}
}
