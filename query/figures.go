package query

import (
	"slices"
	"time"

	"github.com/lamppost-city/lamppost/telemetry"
)

// Figure is one number about the whole city, as a wall shows it.
type Figure struct {
	Domain   telemetry.Domain
	Quantity *telemetry.Quantity
	// Title is for people; the quantity's own where "mean" or "max" before it says enough.
	Title string
	// Unit is the quantity's; a bare number where sensors in a state are counted.
	Unit telemetry.Unit
	// Agg is Mean, Sum or Max, over sensors.
	Agg Agg
	// Value means nothing where Sensors is 0.
	Value float64
	// Sensors is how many sensors have a reading that is new enough.
	Sensors int
	// Time is when the newest of those readings was measured; 0 where Sensors is 0.
	Time telemetry.UnixMilli
}

// figure is a row of the table. States, where there are any, are those that count as one, the others as none.
type figure struct {
	domain   telemetry.Domain
	quantity string
	agg      Agg
	title    string
	states   []string
}

// figures is the table of what Figures shows, in that order. A lamp is filed under the quantity's domain in the store
// and under energy on the wall.
func figures() []figure {
	return []figure{
		{telemetry.Traffic, "speed", Mean, "Mean speed", nil},
		{telemetry.Traffic, "intensity", Sum, "Vehicles counted", nil},
		{telemetry.Traffic, "occupancy", Mean, "Mean occupancy", nil},
		{telemetry.Traffic, "congested", Sum, "Congested sections", []string{"congested"}},
		{telemetry.Traffic, "bicycles", Sum, "Bicycles counted", nil},
		{telemetry.Traffic, "available_spots", Sum, "Free parking spaces", nil},
		{telemetry.Energy, "active_power", Sum, "Active power", nil},
		{telemetry.Energy, "voltage", Mean, "Mean voltage", nil},
		{telemetry.Energy, "power_state", Sum, "Street lights on", []string{"on", "low"}},
		{telemetry.Energy, "lamp_status", Sum, "Street lights defective", []string{"defective_lamp", "column_issue", "broken_lantern"}},
		{telemetry.Safety, "no2", Mean, "Mean nitrogen dioxide", nil},
		{telemetry.Safety, "pm25", Mean, "Mean fine dust (PM2.5)", nil},
		{telemetry.Safety, "laeq", Max, "Loudest place", nil},
		{telemetry.Safety, "people_count", Sum, "People counted", nil},
		{telemetry.Safety, "people_present", Sum, "People present", nil},
		{telemetry.Safety, "water_level", Max, "Highest water level", nil},
		{telemetry.Safety, "flood", Sum, "Places flooded", []string{"flooded"}},
		{telemetry.Safety, "temperature", Mean, "Mean air temperature", nil},
	}
}

// maxAhead is how far after now a reading may have been measured to count: more than ingest lets pass by default.
const maxAhead = 15 * time.Minute

// Figures computes every figure from the newest readings. maxAge says how old those of a sensor may be to count; of a
// sensor for which it says 0, none does. It must be quick, and not call latest. Of a sensor that reports a quantity both
// with and without channels only the reading without one counts: it is the sensor's own total.
func Figures(latest *Latest, now time.Time, maxAge func(telemetry.SensorID) time.Duration) []Figure {
	sums := newSums(figures())
	newest := telemetry.MilliOf(now.Add(maxAhead))
	latest.visit(func(readings []telemetry.Reading) {
		age := maxAge(readings[0].Sensor)
		if age <= 0 {
			return
		}
		oldest := telemetry.MilliOf(now.Add(-age))
		for len(readings) > 0 {
			// The readings of one quantity are together, the one without a channel first.
			n := 1
			for n < len(readings) && readings[n].Quantity == readings[0].Quantity {
				n++
			}
			if sum := sums.of[readings[0].Quantity]; sum != nil {
				sum.sensor(readings[:n], oldest, newest)
			}
			readings = readings[n:]
		}
	})
	return sums.figures()
}

// sums are the figures in the making.
type sums struct {
	ordered []*sum
	of      map[telemetry.QuantityID]*sum
}

type sum struct {
	Figure
	// counts, for a state, tells which values count as one.
	counts map[float64]bool
	total  float64
	n      int
}

func newSums(table []figure) *sums {
	s := &sums{of: make(map[telemetry.QuantityID]*sum, len(table))}
	for _, row := range table {
		q, ok := telemetry.QuantityByName(row.quantity)
		if !ok {
			continue // a test holds that there is none
		}
		one := &sum{Figure: Figure{Domain: row.domain, Quantity: q, Title: row.title, Unit: q.Unit, Agg: row.agg}}
		if row.states != nil {
			one.Unit = telemetry.One
			one.counts = map[float64]bool{}
			for i, state := range q.States {
				one.counts[float64(i)] = slices.Contains(row.states, state)
			}
		}
		s.ordered = append(s.ordered, one)
		s.of[q.ID] = one
	}
	return s
}

// sensor adds one sensor's readings of the figure's quantity.
func (s *sum) sensor(readings []telemetry.Reading, oldest, newest telemetry.UnixMilli) {
	counted := false
	for i := range readings {
		r := &readings[i]
		if r.Measured < oldest || r.Measured > newest {
			continue
		}
		value := r.Value
		if s.counts != nil {
			value = 0
			if s.counts[r.Value] {
				value = 1
			}
		}
		if s.Agg == Max && (s.n == 0 || value > s.Value) {
			s.Value = value
		}
		s.total += value
		s.n++
		s.Time = max(s.Time, r.Measured)
		counted = true
		if r.Channel == "" {
			break
		}
	}
	if counted {
		s.Sensors++
	}
}

func (s *sums) figures() []Figure {
	all := make([]Figure, len(s.ordered))
	for i, one := range s.ordered {
		switch {
		case one.n == 0:
		case one.Agg == Sum:
			one.Value = one.total
		case one.Agg == Mean:
			one.Value = one.total / float64(one.n)
		}
		all[i] = one.Figure
	}
	return all
}
