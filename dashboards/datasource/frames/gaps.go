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

// patience is how much later than at the next step a line's next reading may be, in milliseconds, before one is missing between
// them. A line whose sensor reports less often than there are steps may be a cadence apart, and a step: readings are not on time
// to the second.
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
	if cadence := form.Cadences[key]; cadence > line.Step.MS {
		return cadence
	}
	return 0
}

// Holed says whether any line has a step without a reading, from its first one to its last or up to the end in Unix milliseconds.
func Holed(lines []Line, from, to int64) bool {
	for i := range lines {
		l := &lines[i]
		n := len(l.Times)
		if n == 0 || l.Step.MS <= 0 {
			continue
		}
		if l.Step.Before(l.Times[0]) >= from || to > l.Step.Next(l.Times[n-1]) {
			return true
		}
		for k := 1; k < n; k++ {
			if l.Times[k] > l.Step.Next(l.Times[k-1]) {
				return true
			}
		}
	}
	return false
}

// filled has a NaN at every step from from to to at which the line has no value, where the next value is later than at the next
// step by more than patience.
func filled(line *Line, from, to, patience int64) (times []int64, values []float64) {
	next := to
	if len(line.Times) > 0 { // the first step in the range, in step with the readings
		next = line.Times[0]
		for n := 0; n < maxFilled && line.Step.Before(next) >= from; n++ {
			next = line.Step.Before(next)
		}
	}
	put := 0
	fill := func(end int64) {
		if end <= next+patience {
			return
		}
		for ; next < end && put < maxFilled; next = line.Step.Next(next) {
			times, values = append(times, next), append(values, math.NaN())
			put++
		}
	}
	for i, at := range line.Times {
		fill(at)
		times, values = append(times, at), append(values, line.Values[i])
		next = line.Step.Next(at)
	}
	fill(to)
	return times, values
}
