package aggregate

import (
	"math"
	"slices"
)

// kind is how the readings of one step become one number.
type kind uint8

const (
	unknown kind = iota
	mean
	sum
	count
	lowest
	highest
	percentile
	// energetic and circular are influx.EnergeticMean and influx.CircularMean.
	energetic
	circular
)

// kindOf finds a kind by its function in InfluxQL.
func kindOf(function string) kind {
	switch function {
	case "mean":
		return mean
	case "sum":
		return sum
	case "count":
		return count
	case "min":
		return lowest
	case "max":
		return highest
	case "percentile":
		return percentile
	}
	return unknown
}

// fold is the numbers of one column, by step, in the making.
type fold struct {
	column
	n []int64
	// value is the sum, the lowest or the highest so far, or the finished percentile. Of directions it is the way to the east,
	// and north the one to the north.
	value, north []float64
	// open are the readings of the step openAt, of which the percentile is not yet known.
	open   []float64
	openAt int64
}

func newFold(c column, steps int64) *fold {
	f := &fold{column: c, n: make([]int64, steps)}
	if c.kind != count {
		f.value = make([]float64, steps)
	}
	if c.kind == circular {
		f.north = make([]float64, steps)
	}
	return f
}

// add takes readings of one step, at least one. Those of a percentile must come in the order of steps.
func (f *fold) add(step int64, readings []float64) {
	first := f.n[step] == 0
	f.n[step] += int64(len(readings))
	switch f.kind {
	case mean, sum:
		total := f.value[step]
		for _, v := range readings {
			total += v
		}
		f.value[step] = total
	case lowest:
		if least := slices.Min(readings); first || least < f.value[step] {
			f.value[step] = least
		}
	case highest:
		if most := slices.Max(readings); first || most > f.value[step] {
			f.value[step] = most
		}
	case energetic:
		for _, v := range readings {
			f.value[step] += math.Pow(10, v/10)
		}
	case circular:
		for _, v := range readings {
			east, north := math.Sincos(v * math.Pi / 180)
			f.value[step] += east
			f.north[step] += north
		}
	case percentile:
		if step != f.openAt {
			f.finish()
			f.openAt = step
		}
		f.open = append(f.open, readings...)
	}
}

// finish ends the step whose percentile is open: by the nearest rank, as InfluxQL has it. A step with so few readings
// that no rank is near enough has none.
func (f *fold) finish() {
	if len(f.open) == 0 {
		return
	}
	rank := int(math.Floor(float64(len(f.open))*f.percentile/100+0.5)) - 1
	if rank < 0 || rank >= len(f.open) {
		f.n[f.openAt] = 0
	} else {
		slices.Sort(f.open)
		f.value[f.openAt] = f.open[rank]
	}
	f.open = f.open[:0]
}

// at returns a step's number, nil where there is none. All has been added, and finish called.
func (f *fold) at(step int64) any {
	n := f.n[step]
	if n == 0 {
		return nil
	}
	switch f.kind {
	case count:
		return n
	case mean:
		return f.value[step] / float64(n)
	case energetic:
		return 10 * math.Log10(f.value[step]/float64(n))
	case circular:
		return math.Atan2(f.value[step], f.north[step]) * 180 / math.Pi
	}
	return f.value[step]
}
