package streets

import (
	"math"
	"math/rand/v2"
)

// wave is a smooth closed curve around 1: a ring that is not a circle.
type wave struct{ amplitude, phase [4]float64 }

func newWave(r *rand.Rand, strength float64) wave {
	var w wave
	for i := range w.amplitude {
		w.amplitude[i] = strength * (0.4 + r.Float64()) / float64(i+2)
		w.phase[i] = r.Float64() * 2 * math.Pi
	}
	return w
}

func (w wave) at(angle float64) float64 {
	v := 1.0
	for i := range w.amplitude {
		v += w.amplitude[i] * math.Sin(float64(i+2)*angle+w.phase[i])
	}
	return v
}

// river crosses the city from one side to the other, passes the old town, and widens towards the harbour.
type river struct {
	course Line
	width  []float64 // at each point of course
	flow   float64   // angle of its general direction, downstream: about east, so that the left bank is the north
	shape  Area
}

const riverStep = 25

func newRiver(r *rand.Rand, radius float64) river {
	v := river{flow: (r.Float64() - 0.5) * 1.1}
	along, across := towards(v.flow, 1), towards(v.flow+math.Pi/2, 1)
	offset := -0.13 * radius
	bend, bend2 := r.Float64()*2*math.Pi, r.Float64()*2*math.Pi
	reach := 1.3 * radius
	for t := -reach; t <= reach; t += riverStep {
		sway := 0.08*radius*math.Sin(t/radius*2.6+bend)*(1-math.Exp(-t*t/(0.12*radius*radius))) +
			0.025*radius*math.Sin(t/radius*7+bend2)
		v.course = append(v.course, along.times(t).add(across.times(offset+sway)))
		down := 1 / (1 + math.Exp(-(t/radius-0.45)*7)) // 0 upstream, 1 in the harbour
		v.width = append(v.width, (0.030+0.045*down)*radius*(1+0.12*math.Sin(t/radius*9+bend)))
	}
	left, right := v.bank(0), v.bank(0)[:0:0]
	for i := range v.course {
		right = append(right, v.side(i, -v.width[i]/2))
	}
	v.shape = append(v.shape, right...)
	for i := len(left) - 1; i >= 0; i-- {
		v.shape = append(v.shape, left[i])
	}
	return v
}

// side is the place beside point i, so many metres to the left of the stream.
func (v *river) side(i int, metres float64) Point {
	a, b := v.course[max(i-1, 0)], v.course[min(i+1, len(v.course)-1)]
	return v.course[i].add(b.sub(a).unit().left().times(metres))
}

// bank is the left bank, moved inland by so many metres; for a negative number the right one.
func (v *river) bank(inland float64) Line {
	line := make(Line, len(v.course))
	for i := range v.course {
		if inland >= 0 {
			line[i] = v.side(i, v.width[i]/2+inland)
		} else {
			line[i] = v.side(i, -v.width[i]/2+inland)
		}
	}
	return line
}

// nearest returns the distance of p from the water's edge (negative in the water), and the direction of the stream there.
func (v *river) nearest(p Point) (metres float64, stream Point) {
	// The course leads on with every step along the general direction, so the search starts abreast of p and can stop
	// where even a straight course would be farther away. Beyond a kilometre nobody needs the exact distance.
	abreast := int(p.sub(v.course[0]).dot(towards(v.flow, 1)) / riverStep)
	abreast = max(0, min(len(v.course)-1, abreast))
	best, at := math.Inf(1), abreast
	for k := 0; k <= 1000/riverStep && float64(k-1)*riverStep < best+v.width[at]; k++ {
		for _, i := range [2]int{abreast - k, abreast + k} {
			if i < 0 || i >= len(v.course) {
				continue
			}
			if d := v.course[i].Distance(p) - v.width[i]/2; d < best {
				best, at = d, i
			}
		}
	}
	return best, v.course[min(at+1, len(v.course)-1)].sub(v.course[max(at-1, 0)]).unit()
}

// docks are basins of the harbour, cut into the left bank.
func (v *river) docks(radius float64) []Area {
	var all []Area
	for _, t := range []float64{0.60, 0.665} {
		i := int((t + 1.3) * radius / riverStep)
		if i+1 >= len(v.course) {
			break
		}
		out := v.course[i+1].sub(v.course[i-1]).unit().left()
		along := out.left().times(-1)
		slant := out.add(along.times(0.35)).unit()
		foot := v.side(i, v.width[i]/2-12)
		w, l := 0.016*radius, 0.10*radius
		a, b := foot.sub(along.times(w)), foot.add(along.times(w))
		all = append(all, Area{b, b.add(slant.times(l)), a.add(slant.times(l)), a})
	}
	return all
}

// meadow is the green that the river leaves free upstream, on its right bank.
func (v *river) meadow(radius float64) Area {
	inner, outer := v.bank(-34), v.bank(-34)
	from, to := int(0.36*radius/riverStep), int(0.70*radius/riverStep)
	var area Area
	for i := from; i <= to; i++ {
		f := math.Max(0, math.Sin(math.Pi*float64(i-from)/float64(to-from))) // sin π is a hair beside 0
		outer[i] = v.side(i, -v.width[i]/2-34-(0.012+0.058*math.Sqrt(f))*radius)
		area = append(area, inner[i])
	}
	for i := to; i >= from; i-- {
		area = append(area, outer[i])
	}
	return area
}

// ring is a main street around the centre at about the given distance.
func ring(radius float64, shape wave) Line {
	var line Line
	n := int(2 * math.Pi * radius / 20)
	for i := 0; i <= n; i++ {
		a := 2 * math.Pi * float64(i%n) / float64(n)
		line = append(line, towards(a, radius*shape.at(a)))
	}
	return line
}

// spoke is a main street that leads out, and what borders two districts.
type spoke struct {
	start, bend, sway float64
}

// angle is where the street runs at a distance from the centre, given as a fraction of the city's radius.
func (s spoke) angle(f float64) float64 {
	return s.start + s.bend*f*f + 0.05*math.Sin(f*5+s.sway)*f
}

func (s spoke) line(from, to, radius float64) Line {
	var line Line
	for f := from; f <= to+1e-9; f += 20 / radius {
		line = append(line, towards(s.angle(f), f*radius))
	}
	return line
}

// spokes lead out four to each side of the river, none of them along in the water.
func spokes(r *rand.Rand, v *river, radius float64) []spoke {
	var all []spoke
	for side := range 2 {
		for i := range 4 {
			away := 0.42 + (math.Pi-0.84)*float64(i)/3
			s := spoke{
				v.flow + float64(side)*math.Pi + away + (r.Float64()-0.5)*0.14,
				(r.Float64() - 0.5) * 0.22, r.Float64() * 2 * math.Pi,
			}
			for turned := 0; turned < 12 && v.wet(s.line(innerRing, spokeEnd, radius)) > 0.10*radius; turned++ {
				s.start += math.Copysign(0.04, math.Pi/2-away)
			}
			all = append(all, s)
		}
	}
	return all
}

// wet is how many metres of a line are over the river or hard by it.
func (v *river) wet(line Line) float64 {
	sum := 0.0
	for i := 1; i < len(line); i++ {
		if edge, _ := v.nearest(line[i]); edge < 25 {
			sum += line[i-1].Distance(line[i])
		}
	}
	return sum
}
