package pulse

import (
	"time"

	"github.com/lamppost-city/lamppost/firmware-bridge/clock"
)

// pace measures pulses per second from the time between them: one pulse an hour is 1 W of a meter with 1000 to the kWh, and
// no count in a minute could tell that.
type pace struct {
	known bool          // there was a pulse
	last  clock.Instant // the newest pulse
	mark  clock.Instant // the newest pulse when it was asked last
	since int           // pulses after mark
	rate  float64       // what was said last
	told  bool          // rate means something
	began clock.Instant
}

// silence is how long without a pulse is none at all.
const silence = time.Hour

func (p *pace) pulse(at clock.Instant) {
	if !p.known {
		p.known, p.mark = true, at
	} else {
		p.since++
	}
	p.last = at
}

// perSecond is the mean since it was asked last. Without a pulse since then it is what it can be at most: one pulse since
// the last. It is not known before the second pulse, or an hour without any.
func (p *pace) perSecond(now clock.Instant) (rate float64, known bool) {
	quiet := p.last
	if !p.known {
		quiet = p.began
	}
	switch between := p.last.Sub(p.mark); {
	case p.since > 0 && between > 0:
		p.rate, p.told = float64(p.since)/between.Seconds(), true
		p.mark, p.since = p.last, 0
	case now.Sub(quiet) >= silence:
		p.rate, p.told = 0, true
	case p.told && now > p.last:
		p.rate = min(p.rate, 1/now.Sub(p.last).Seconds())
	}
	return p.rate, p.told
}
