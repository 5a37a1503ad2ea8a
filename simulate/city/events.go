package city

import (
	"math"

	"github.com/lamppost-city/lamppost/simulate/streets"
)

// accident closes lanes at a junction for a while; traffic around it feels it.
type accident struct {
	at       streets.Point
	severity float64 // part of the capacity that is gone, now
}

const (
	accidentSlot = 1800.0 // seconds
	outageSlot   = day / 2
)

// accidents appends those that are felt at t.
func (c *City) accidents(dst []accident, t float64) []accident {
	if len(c.mains) == 0 {
		return dst
	}
	often := 0.10 + 0.0006*float64(len(c.mains))
	slot := math.Floor(t / accidentSlot)
	for s := slot - 5; s <= slot; s++ {
		for k := range 4 {
			n := uint64(int64(s))*4 + uint64(k)
			if chance(c.seed^20, n) > often {
				continue
			}
			begin := (s + chance(c.seed^21, n)) * accidentSlot
			length := (20 + 65*chance(c.seed^22, n)) * 60
			if t < begin || t > begin+length {
				continue
			}
			grown := math.Min(1, (t-begin)/240) * math.Min(1, (begin+length-t)/(0.3*length))
			place := c.mains[Mix(c.seed^23, n)%uint64(len(c.mains))]
			dst = append(dst, accident{c.plan.Junctions[place].At, grown * (0.45 + 0.4*chance(c.seed^24, n))})
		}
	}
	return dst
}

// outage is the district without power at t, or -1.
func (c *City) outage(t float64) int {
	s := math.Floor(t / outageSlot)
	n := uint64(int64(s))
	if chance(c.seed^25, n) > 0.09 {
		return -1
	}
	begin := (s + 0.9*chance(c.seed^26, n)) * outageSlot
	if t < begin || t > begin+(12+40*chance(c.seed^27, n))*60 {
		return -1
	}
	return int(Mix(c.seed^28, n) % uint64(len(c.plan.Districts)))
}
