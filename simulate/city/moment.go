package city

import (
	"math"
	"time"
)

// momentStep is how long what holds for the whole city is taken as unchanged, in seconds.
const momentStep = 10

// moment is what holds for the whole city during momentStep.
type moment struct {
	t         float64 // seconds since 1970
	weather   weather
	local     time.Time
	hour      float64 // local, 0 to 24
	traffic   float64 // part of the busiest hour
	morning   float64 // more than 0 when people drive in, less when they drive home
	people    float64
	home      float64
	office    float64
	lamps     float64 // 0 to 1
	accidents []accident
	dark      int // district without power, or -1
}

// momentAt returns the moment of t, and keeps the last one.
func (c *City) momentAt(t float64) *moment {
	t = math.Floor(t/momentStep) * momentStep
	m := &c.now
	if m.t == t && !m.local.IsZero() {
		return m
	}
	m.t = t
	m.local = time.Unix(int64(t), 0).In(c.zone)
	m.hour = clock(m.local)
	today, tomorrow := m.local.Weekday(), (m.local.Weekday()+1)%7
	m.traffic = curve(trafficDay(today), trafficDay(tomorrow), m.hour)
	m.morning = 0
	if today != time.Saturday && today != time.Sunday {
		a, b := (m.hour-8)/1.6, (m.hour-17.3)/1.9
		m.morning = math.Exp(-a*a) - math.Exp(-b*b)
	}
	m.weather = c.weatherAt(t)
	m.people = curve(&strolling, &strolling, m.hour) * offWork(today, 1.15, 0.55) * (1 - 0.6*math.Min(1, m.weather.rain/3))
	m.home, m.office = homeLoad(m.local, t), officeLoad(m.local)
	m.lamps = dusk(m.weather.sun, m.local)
	m.accidents = c.accidents(m.accidents[:0], t)
	m.dark = c.outage(t)
	return m
}
