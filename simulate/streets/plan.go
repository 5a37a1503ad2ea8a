// Package streets draws the street plan of a city that does not exist: a river with a harbour and bridges, rings and
// spokes of main streets, side streets that follow them, parks, and districts with names.
//
// It stands before the synthetic city, which puts its sensors on the junctions; the console shows the plan as its map.
// The same seed and radius give the same plan.
//
//	seed, radius ──► outline: river, rings, spokes ──► field of directions ──► side streets ──► junctions, GeoJSON
//
// Side streets are grown along a field of directions, in the manner of evenly spaced streamlines (Jobard and Lefer, 1997)
// over a cross field such as Chen and others used for streets (Interactive procedural street modeling, 2008).
package streets

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// Plan is a whole street plan. It is not changed after New.
type Plan struct {
	// Radius is about where the city ends, in metres from its centre.
	Radius    float64
	Streets   []Street
	Districts []District
	Parks     []Park
	// Water is the river, the docks and the lake.
	Water     []Water
	Junctions []Junction
	// Banks are places at the water's edge, from upstream to downstream.
	Banks []Point
}

// Street is a street, or the part of one that is a bridge.
type Street struct {
	Name   string
	Main   bool
	Bridge bool
	Line   Line
}

// District is a part of the city. Districts do not overlap and together cover it.
type District struct {
	Name string
	Area Area
}

// Park is a green.
type Park struct {
	Name string
	Area Area
}

// Water is a river, a basin or a lake.
type Water struct {
	Name string
	Area Area
}

// Bounds of the radius, in metres.
const (
	MinRadius = 1000
	MaxRadius = 6000
)

// New draws the plan of a city of the given radius in metres, brought within MinRadius and MaxRadius.
func New(seed uint64, radius float64) *Plan {
	radius = math.Max(MinRadius, math.Min(MaxRadius, radius))
	r := rand.New(rand.NewPCG(seed, 0x57_2e_e7))
	d := &draft{
		random: r, plan: &Plan{Radius: radius}, river: newRiver(r, radius), shape: newWave(r, 0.10), named: nameDistricts(seed),
	}
	d.outline()
	d.parks()
	d.sideStreets()
	d.nameStreets()
	d.junctions()
	for i := range d.river.course {
		if i%6 == 0 && d.river.course[i].length() < 0.9*radius {
			d.plan.Banks = append(d.plan.Banks, d.river.side(i, d.river.width[i]/2+4), d.river.side(i, -d.river.width[i]/2-4))
		}
	}
	return d.plan
}

// draft is a plan in the making.
type draft struct {
	random *rand.Rand
	plan   *Plan
	river  river
	shape  wave // of the rings and the border
	border Area
	docks  []Area
	lake   Area
	lines  []Line // main streets first, then side streets
	mains  []string
	fixed  []string  // names of the side streets that the outline draws
	named  [8]string // the districts around the old town
}

// Where the rings run and the spokes end, as fractions of the radius.
const (
	innerRing, middleRing, outerRing = 0.21, 0.50, 0.80
	spokeEnd                         = 1.13
)

func (d *draft) outline() {
	radius := d.plan.Radius
	d.border = Area(ring(radius, d.shape)[1:])
	d.docks = d.river.docks(radius)
	d.plan.Water = append(d.plan.Water, Water{"Lamp River", d.river.shape})
	for i, a := range d.docks {
		d.plan.Water = append(d.plan.Water, Water{fmt.Sprintf("Dock %d", i+1), a})
	}
	main := func(name string, line Line) {
		d.lines, d.mains = append(d.lines, line), append(d.mains, name)
	}
	main("Wall Ring", ring(innerRing*radius, d.shape))
	main("Park Ring", ring(middleRing*radius, d.shape))
	main("Outer Ring", ring(outerRing*radius, d.shape))
	all := spokes(d.random, &d.river, radius)
	for i, s := range all {
		from := innerRing * d.shape.at(s.angle(innerRing))
		if i%4 == 1 || i%4 == 2 {
			from = 0 // the market square
		}
		main(d.named[(i+1)%8]+" "+[]string{"Road", "Avenue"}[i%2], s.line(from, spokeEnd, radius))
	}
	d.districts(all)
	end := int(1.9 * radius / riverStep)
	side := func(name string, line Line) {
		d.lines, d.fixed = append(d.lines, line.resample(traceStep)), append(d.fixed, name)
	}
	begin := int(0.5 * radius / riverStep)
	side("North Quay", d.river.bank(20)[begin:end-int(0.05*radius/riverStep)])
	side("South Quay", d.river.bank(-20)[begin:end+int(0.2*radius/riverStep)])
	for i, at := range []float64{-0.16, 0.04, 0.27} {
		k := int((1.3 + at) * radius / riverStep)
		half := d.river.width[k]/2 + 40
		side([]string{"Rope Walk", "Customs Lane", "Crane Gate"}[i], Line{d.river.side(k, half), d.river.side(k, -half)})
	}
}

// districts are the old town within the inner ring, and the land between each two spokes.
func (d *draft) districts(all []spoke) {
	radius := d.plan.Radius
	d.plan.Districts = append(d.plan.Districts, District{oldTown, Area(ring(innerRing*radius, d.shape)[1:])})
	for i, s := range all {
		next := all[(i+1)%len(all)]
		inner, outer := d.arc(s, next, innerRing), d.arc(s, next, 1)
		edge := func(s spoke) Line { // between the ring and the border, both of which wave
			return s.line(innerRing*d.shape.at(s.angle(innerRing)), d.shape.at(s.angle(1)), radius)
		}
		area := append(Area{}, edge(s)...)
		area = append(area, outer...)
		back := edge(next)
		slices.Reverse(back)
		area = append(area, back...)
		slices.Reverse(inner)
		area = append(area, inner...)
		d.plan.Districts = append(d.plan.Districts, District{d.named[(i+1)%8], area})
	}
}

// arc follows a ring from one spoke to the next, against the clock.
func (d *draft) arc(from, to spoke, f float64) Line {
	a, b := from.angle(f), to.angle(f)
	for b < a {
		b += 2 * math.Pi
	}
	var line Line
	n := max(int((b-a)*f*d.plan.Radius/25), 2)
	for i := 0; i <= n; i++ {
		angle := a + (b-a)*float64(i)/float64(n)
		line = append(line, towards(angle, f*d.plan.Radius*d.shape.at(angle)))
	}
	return line
}

// parks are put where main streets and water leave room: the largest first.
func (d *draft) parks() {
	radius := d.plan.Radius
	d.plan.Parks = append(d.plan.Parks, Park{"Water Meadow", d.river.meadow(radius)})
	for i := range parkNames {
		size := radius * []float64{0.12, 0.075, 0.06, 0.05, 0.045, 0.04, 0.035, 0.035, 0.03, 0.028}[i]
		best, at := 0.0, Point{}
		for range 60 {
			p := towards(d.random.Float64()*2*math.Pi, radius*(0.12+0.80*d.random.Float64()))
			if room := d.room(p); room > best {
				best, at = room, p
			}
			if best > size*1.15 {
				break
			}
		}
		size = math.Min(size, best*0.9)
		if size < 22 {
			continue
		}
		area := d.green(at, size)
		d.plan.Parks = append(d.plan.Parks, Park{parkNames[i], area})
		if i == 0 {
			d.lake = pond(at.add(towards(d.random.Float64()*6, size*0.25)), size*0.30, d.random)
			d.plan.Water = append(d.plan.Water, Water{"City Lake", d.lake})
		}
	}
}

// room is how far p is from the next main street, water, park or border; negative outside.
func (d *draft) room(p Point) float64 {
	if !d.border.Contains(p) {
		return -1
	}
	best, _ := d.river.nearest(p)
	best = math.Min(best-25, d.border.distance(p))
	for _, line := range d.lines {
		for i := 1; i < len(line); i++ {
			best = math.Min(best, distanceToSegment(p, line[i-1], line[i])-14)
		}
	}
	for _, a := range d.plan.Parks {
		best = math.Min(best, a.Area.distance(p)-60)
		if a.Area.Contains(p) {
			return -1
		}
	}
	for _, a := range d.docks {
		best = math.Min(best, a.distance(p)-20)
	}
	return best
}

// green is a rounded rectangle that lies along the rings, with a border that is not drawn by a ruler.
func (d *draft) green(at Point, size float64) Area {
	angle := at.angle() + math.Pi/2
	ragged := newWave(d.random, 0.05)
	var area Area
	for i := range 48 {
		a := 2 * math.Pi * float64(i) / 48
		c, s := math.Cos(a), math.Sin(a)
		x := math.Copysign(math.Pow(math.Abs(c), 0.55), c) * size * 0.86
		y := math.Copysign(math.Pow(math.Abs(s), 0.55), s) * size * 0.60
		p := Point{x, y}.times(ragged.at(a))
		area = append(area, at.add(Point{p.X*math.Cos(angle) - p.Y*math.Sin(angle), p.X*math.Sin(angle) + p.Y*math.Cos(angle)}))
	}
	return area
}

func pond(at Point, size float64, r *rand.Rand) Area {
	ragged := newWave(r, 0.22)
	var area Area
	for i := range 40 {
		a := 2 * math.Pi * float64(i) / 40
		p := towards(a, size*ragged.at(a))
		area = append(area, at.add(Point{p.X * 1.25, p.Y * 0.8}))
	}
	return area
}

func (d *draft) sideStreets() {
	t := &tracer{
		field: newField(d.random, d.plan.Radius, &d.river), river: &d.river, samples: sampleGrid{}, random: d.random,
		inside: func(p Point) bool { return p.length() < d.plan.Radius*d.shape.at(p.angle()) },
	}
	for _, a := range d.docks {
		t.closed = append(t.closed, enclose(a))
	}
	for _, p := range d.plan.Parks {
		t.closed = append(t.closed, enclose(p.Area))
	}
	for _, line := range d.lines {
		t.add(line)
	}
	t.run(d.plan.Radius)
	n := newNetwork(t.lines, len(d.mains)+len(d.fixed), t.free)
	n.extend(180)
	n.trim(35)
	d.lines = n.lines
}

// nameStreets turns lines into streets, and makes the parts of main streets that lie over the river bridges.
func (d *draft) nameStreets() {
	names, bridges := newNamer(d.random), 0
	for i, line := range d.lines {
		switch {
		case i < len(d.mains):
			for _, part := range d.overWater(line) {
				s := Street{Name: d.mains[i], Main: true, Line: part.line}
				if part.water {
					s.Bridge, s.Name = true, bridgeNames[bridges%len(bridgeNames)]
					bridges++
				}
				d.plan.Streets = append(d.plan.Streets, s)
			}
		case i < len(d.mains)+len(d.fixed):
			d.plan.Streets = append(d.plan.Streets, Street{Name: d.fixed[i-len(d.mains)], Line: line, Bridge: i >= len(d.mains)+2})
		default:
			d.plan.Streets = append(d.plan.Streets, Street{Name: names.street(), Line: line})
		}
	}
}

type stretch struct {
	line  Line
	water bool
}

// overWater cuts a line where it goes over the river and comes back to land; the parts share their end points.
func (d *draft) overWater(line Line) []stretch {
	var parts []stretch
	for i, p := range line {
		edge, _ := d.river.nearest(p)
		wet := edge < 6
		if len(parts) == 0 {
			parts = append(parts, stretch{water: wet})
		}
		last := &parts[len(parts)-1]
		if last.water != wet && i > 0 {
			from := p
			if wet {
				from = line[i-1]
			}
			if !wet {
				last.line = append(last.line, p)
			}
			parts = append(parts, stretch{line: Line{from}, water: wet})
			last = &parts[len(parts)-1]
			if !wet {
				continue
			}
		}
		last.line = append(last.line, p)
	}
	return slices.DeleteFunc(parts, func(s stretch) bool { return len(s.line) < 2 })
}

// junctions lists where streets of different names meet, once each, and the district of each place.
func (d *draft) junctions() {
	lines := make([]Line, len(d.plan.Streets))
	for i, s := range d.plan.Streets {
		lines[i] = s.Line
	}
	known := map[cell][]Point{}
	for _, nodes := range newNetwork(lines, len(lines), nil).nodes() {
		for _, n := range nodes {
			a, b := d.plan.Streets[n.street], d.plan.Streets[n.other]
			if a.Name == b.Name || a.Bridge || b.Bridge || nearAny(known, n.at, 18) {
				continue
			}
			known[cellOf(n.at)] = append(known[cellOf(n.at)], n.at)
			j := Junction{At: n.at, Streets: [2]int{n.street, n.other}, Main: a.Main || b.Main, District: d.plan.District(n.at)}
			if b.Main && !a.Main {
				j.Streets = [2]int{n.other, n.street}
			}
			d.plan.Junctions = append(d.plan.Junctions, j)
		}
	}
}

func nearAny(known map[cell][]Point, p Point, metres float64) bool {
	c := cellOf(p)
	for x := c.x - 1; x <= c.x+1; x++ {
		for y := c.y - 1; y <= c.y+1; y++ {
			for _, q := range known[cell{x, y}] {
				if q.Distance(p) < metres {
					return true
				}
			}
		}
	}
	return false
}

// District returns the index of the district in which p lies; of the nearest one where p is outside the city.
func (p *Plan) District(at Point) int {
	best, nearest := math.Inf(1), 0
	for i, d := range p.Districts {
		if d.Area.Contains(at) {
			return i
		}
		if distance := d.Area.distance(at); distance < best {
			best, nearest = distance, i
		}
	}
	return nearest
}
