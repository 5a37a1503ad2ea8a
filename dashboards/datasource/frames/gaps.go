package frames

import (
	"math"

	"github.com/lamppost-city/lamppost/dashboards/datasource/city"
)

// maxFilled bounds how many nulls are put into one line; the API gives no more steps than that.
const maxFilled = 10_000

// of is what lines of a quantity are of: a sensor, a site, a district or, with none, everything.
type of struct{ sensor, site, district, quantity string }

// Cadences are how often lines should have a reading, in milliseconds.
type Cadences map[of]int64

// NewCadences takes those of sensors: a line that combines several should have one as often as the fastest of them.
func NewCadences(sensors []city.Sensor) Cadences {
	c := make(Cadences)
	for i := range sensors {
		s := &sensors[i]
		ms := int64(s.CadenceS * 1000)
		if ms <= 0 {
			continue
		}
		for _, q := range s.Quantities {
			for _, line := range []of{{sensor: s.ID, quantity: q}, {site: s.Site, quantity: q}, {district: s.District, quantity: q}, {quantity: q}} {
				if known, ok := c[line]; !ok || ms < known {
					c[line] = ms
				}
			}
		}
	}
	return c
}

// patience is how far two readings of a line may be apart, in milliseconds, before one is missing between them. A line whose
// sensor reports less often than there are steps may be a cadence apart, and a step: readings are not on time to the second.
func (form HistoryForm) patience(line *Line) int64 {
	key := of{quantity: line.Quantity}
	switch {
	case line.Sensor != "":
		key.sensor = line.Sensor
	case line.Site != "":
		key.site = line.Site
	case line.District != "":
		key.district = line.District
	}
	if cadence := form.Cadences[key]; cadence > line.StepMS {
		return cadence + line.StepMS
	}
	return line.StepMS
}

// Holed says whether any line has a step without a reading, from its first one to its last or up to the end in Unix milliseconds.
func Holed(lines []Line, from, to int64) bool {
	for i := range lines {
		l := &lines[i]
		n := len(l.Times)
		if n == 0 || l.StepMS <= 0 {
			continue
		}
		if l.Times[0]-from >= l.StepMS || to-l.Times[n-1] > l.StepMS || l.Times[n-1]-l.Times[0] > int64(n-1)*l.StepMS {
			return true
		}
	}
	return false
}

// filled has a NaN at every step from from to to at which the line has no value, where values are further apart than patience.
func filled(line *Line, from, to, patience int64) (times []int64, values []float64) {
	step := line.StepMS
	next := to
	if len(line.Times) > 0 {
		next = line.Times[0] - (line.Times[0]-from)/step*step // the first step in the range, in step with the readings
	}
	put := 0
	fill := func(end int64) {
		if end-(next-step) <= patience {
			return
		}
		for ; next < end && put < maxFilled; next += step {
			times, values = append(times, next), append(values, math.NaN())
			put++
		}
	}
	for i, at := range line.Times {
		fill(at)
		times, values = append(times, at), append(values, line.Values[i])
		next = at + step
	}
	fill(to)
	return times, values
}
