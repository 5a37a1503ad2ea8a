package query

import (
	"fmt"
	"time"

	"github.com/lamppost-city/lamppost/telemetry"
	"github.com/lamppost-city/lamppost/telemetry/step"
)

// Agg is how the readings of one step become one value.
type Agg uint8

// The aggregates. Their names are those of the API.
const (
	// Natural is each quantity's own: sum for counts, max for counters, mean for the others.
	Natural Agg = iota
	Mean
	Min
	Max
	Sum
	// Count is how many readings there were.
	Count
	// P50 is the median: the reading that half of the others do not exceed.
	P50
	// P95 is the reading that 95 % of the others do not exceed.
	P95
)

var aggNames = [...]string{"natural", "mean", "min", "max", "sum", "count", "p50", "p95"}

// String returns the aggregate's name in the API.
func (a Agg) String() string {
	if int(a) >= len(aggNames) {
		return "unknown"
	}
	return aggNames[a]
}

// ParseAgg finds an aggregate by its name; "" is Natural.
func ParseAgg(name string) (Agg, bool) {
	if name == "" {
		return Natural, true
	}
	for a, known := range aggNames {
		if known == name {
			return Agg(a), true
		}
	}
	return 0, false
}

// Of resolves Natural for a quantity.
func (a Agg) Of(q *telemetry.Quantity) Agg {
	if a != Natural {
		return a
	}
	switch q.Kind {
	case telemetry.Count:
		return Sum
	case telemetry.Counter:
		return Max
	}
	return Mean
}

// call writes the aggregate of a quoted field in InfluxQL.
func (a Agg) call(field string) string {
	switch a {
	case P50:
		return fmt.Sprintf("percentile(%s, 50)", field)
	case P95:
		return fmt.Sprintf("percentile(%s, 95)", field)
	}
	return fmt.Sprintf("%s(%s)", a, field)
}

// AutoStep returns the shortest step of a round length with which [from, to) has at most maxPoints steps.
func AutoStep(from, to time.Time, maxPoints int) step.Length {
	return autoStep(from, to, maxPoints, 0)
}

// roundSteps are the lengths that autoStep chooses from.
func roundSteps() []step.Length {
	var all []step.Length
	for _, every := range []time.Duration{
		time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 15 * time.Second, 30 * time.Second,
		time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute,
		time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour,
	} {
		all = append(all, step.Length{Every: every})
	}
	return append(all, step.Length{Days: 1}, step.Length{Days: 7}, step.Length{Months: 1}, step.Length{Months: 3})
}

func autoStep(from, to time.Time, maxPoints int, shortest time.Duration) step.Length {
	span := to.Sub(from)
	points := int64(max(maxPoints, 2))
	var fits step.Length
	for _, one := range roundSteps() {
		length := one.Shortest()
		// One more than the span holds: the first and the last may be cut.
		if length < shortest || int64(span/length)+1 >= points {
			continue
		}
		if fits.IsZero() {
			fits = one
		}
		// Steps of whole cadences have as many reports each, so that sums do not go up and down.
		if shortest > 0 && length%shortest == 0 && length <= 6*fits.Shortest() {
			return one
		}
	}
	if !fits.IsZero() {
		return fits
	}
	const year = 365 * 24 * time.Hour
	years := max(int64(span/year)/(points-1), int64((shortest-1)/year)) + 1
	return step.Length{Months: 12 * int(years)}
}
