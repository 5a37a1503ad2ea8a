package streets

import (
	"math"
	"math/rand/v2"
)

// field says in which two directions, at right angles, streets run at a place: along the rings and the river, in some
// quarters on a grid of their own, and nowhere exactly straight. Crosses are added up by four times their angle, so that
// a quarter turn means the same cross.
type field struct {
	radius   float64
	river    *river
	quarters []quarter
	drift    [3]struct{ kx, ky, phase float64 }
}

// quarter is a part of the city that was laid out in one go.
type quarter struct {
	centre Point
	reach  float64
	angle  float64
	weight float64
}

func newField(r *rand.Rand, radius float64, v *river) *field {
	f := &field{radius: radius, river: v}
	f.quarters = append(f.quarters, quarter{Point{}, 0.20 * radius, v.flow + 0.12, 3})
	for i := range 7 {
		a := v.flow + 2*math.Pi*(float64(i)+0.6*r.Float64())/7
		c := towards(a, radius*(0.38+0.45*r.Float64()))
		f.quarters = append(f.quarters, quarter{c, radius * (0.13 + 0.12*r.Float64()), a + (r.Float64()-0.5)*0.9, 1.6})
	}
	for i := range f.drift {
		a, k := r.Float64()*2*math.Pi, (1+0.7*float64(i))*2*math.Pi/(0.55*radius)
		f.drift[i].kx, f.drift[i].ky, f.drift[i].phase = k*math.Cos(a), k*math.Sin(a), r.Float64()*2*math.Pi
	}
	return f
}

// angle is that of one of the two directions.
func (f *field) angle(p Point) float64 {
	var sum Point
	distance := p.length() / f.radius
	sum = sum.add(towards(4*(p.angle()+math.Pi/2), math.Min(1, distance*distance*8)))
	for _, q := range f.quarters {
		d := p.Distance(q.centre) / q.reach
		if d < 3 {
			sum = sum.add(towards(4*q.angle, q.weight*math.Exp(-d*d)))
		}
	}
	edge, stream := f.river.nearest(p)
	d := edge / (0.09 * f.radius)
	sum = sum.add(towards(4*stream.angle(), 2.5*math.Exp(-d*d)))
	angle := sum.angle() / 4
	for i, w := range f.drift {
		angle += 0.05 / float64(i+1) * math.Sin(w.kx*p.X+w.ky*p.Y+w.phase)
	}
	return angle
}

// along returns the direction at p that is nearest to the one given.
func (f *field) along(p, heading Point) Point {
	d := towards(f.angle(p), 1)
	if math.Abs(d.dot(heading)) < math.Abs(d.cross(heading)) {
		d = d.left()
	}
	if d.dot(heading) < 0 {
		return d.times(-1)
	}
	return d
}

// spacing is how far apart streets run at p: narrow in the old town, wide outside; blocks are longer than deep.
func (f *field) spacing(p, along Point) float64 {
	base := 52 + 66*math.Min(1, p.length()/f.radius)
	around := p.left().unit()
	if p.length() < 0.2*f.radius {
		around = towards(f.river.flow, 1)
	}
	if turn(around, along) < math.Pi/4 {
		return base
	}
	return 1.55 * base
}
