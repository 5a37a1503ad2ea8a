package city

import (
	"math"
	"time"
)

// meterEpoch is when the oldest meter of the city was put in: 2024-01-01T00:00:00Z. Before it, meters stand at zero.
const meterEpoch = 1704067200.0

// ledger is the integral of a load curve over the hours since meterEpoch, so that a meter's count at any time is known
// and never goes back.
type ledger struct {
	hourly func(t float64) float64 // load by its nominal value
	sums   []float64               // hours of nominal load up to the beginning of each hour
}

// hours returns the hours of nominal load between meterEpoch and t.
func (l *ledger) hours(t float64) float64 {
	h := (t - meterEpoch) / 3600
	if h <= 0 {
		return 0
	}
	i := int(h)
	if len(l.sums) == 0 {
		l.sums = append(l.sums, 0)
	}
	for len(l.sums) <= i+1 {
		last := len(l.sums) - 1
		begin := meterEpoch + float64(last)*3600
		l.sums = append(l.sums, l.sums[last]+(l.hourly(begin+900)+l.hourly(begin+2700))/2)
	}
	return l.sums[i] + (l.sums[i+1]-l.sums[i])*(h-float64(i))
}

// phase is one phase of a supply, rounded as the meter shows it, so that power is voltage times current times power
// factor in the readings too.
type phase struct{ voltage, current, power float64 }

// phaseAt spreads a load on a phase. Voltage sags where load is high.
func (c *City) phaseAt(seed uint64, watts, factor float64, m *moment) phase {
	sag := 2.6*m.home + watts/9000
	volts := round(clamp(231.5-sag+1.6*smooth(seed, m.t/2700)+0.5*smooth(seed^1, m.t/120), 216, 247), 1)
	amps := round(watts/(volts*factor), 3)
	return phase{volts, amps, volts * amps * factor}
}

// homeLoad and officeLoad are parts of the nominal load, by the local clock and, for homes, the season.
func homeLoad(local time.Time, t float64) float64 {
	season := math.Cos(2 * math.Pi * (t/day - 20) / 365.2425) // 1 in January
	return curve(&household, &household, clock(local)) * (1 + 0.16*season)
}

func officeLoad(local time.Time) float64 {
	load := curve(&office, &office, clock(local))
	if f := offWork(local.Weekday(), 0.45, 0.32); f < 1 {
		return 0.2 + (load-0.2)*(f-0.2)
	}
	return load
}

// clock is the time of day in hours.
func clock(local time.Time) float64 {
	h, m, s := local.Clock()
	return float64(h) + float64(m)/60 + float64(s)/3600
}

// roofLoad is what a solar roof yields, by its peak power.
func roofLoad(light float64) float64 { return light / 1000 }

// openLedgers sets up the curves that the meters of the city follow.
func (c *City) openLedgers() {
	local := func(t float64) time.Time { return time.Unix(int64(t), 0).In(c.zone) }
	c.homes.hourly = func(t float64) float64 { return homeLoad(local(t), t) }
	c.offices.hourly = func(t float64) float64 { return officeLoad(local(t)) }
	c.lights.hourly = func(t float64) float64 { return dusk(sunHeight(t), local(t)) }
	c.roofs.hourly = func(t float64) float64 { return roofLoad(sunlight(sunHeight(t), c.clouds(t))) }
}
