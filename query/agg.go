package query

import (
	"fmt"
	"time"

	"github.com/lamppost-city/lamppost/telemetry"
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
func AutoStep(from, to time.Time, maxPoints int) time.Duration {
	return autoStep(from, to, maxPoints, 0)
}

func autoStep(from, to time.Time, maxPoints int, shortest time.Duration) time.Duration {
	const day = 24 * time.Hour
	steps := []time.Duration{
		time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 15 * time.Second, 30 * time.Second,
		time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute,
		time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, day, 7 * day,
	}
	span := to.Sub(from)
	points := int64(max(maxPoints, 2))
	var fits time.Duration
	for _, step := range steps {
		// One more than the span holds: the first and the last may be cut.
		if step < shortest || int64(span/step)+1 >= points {
			continue
		}
		if fits == 0 {
			fits = step
		}
		// Steps of whole cadences have as many reports each, so that sums do not go up and down.
		if shortest > 0 && step%shortest == 0 && step <= 6*fits {
			return step
		}
	}
	if fits > 0 {
		return fits
	}
	const month = 28 * day
	months := max(int64(span/month)/(points-1), int64((shortest-1)/month)) + 1
	return time.Duration(months) * month
}
