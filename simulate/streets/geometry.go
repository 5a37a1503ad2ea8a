package streets

import "math"

// Point is a place on the plan: metres east (X) and north (Y) of the city's centre.
type Point struct{ X, Y float64 }

func (p Point) add(q Point) Point     { return Point{p.X + q.X, p.Y + q.Y} }
func (p Point) sub(q Point) Point     { return Point{p.X - q.X, p.Y - q.Y} }
func (p Point) times(f float64) Point { return Point{p.X * f, p.Y * f} }
func (p Point) dot(q Point) float64   { return p.X*q.X + p.Y*q.Y }
func (p Point) cross(q Point) float64 { return p.X*q.Y - p.Y*q.X }
func (p Point) length() float64       { return math.Hypot(p.X, p.Y) }
func (p Point) left() Point           { return Point{-p.Y, p.X} }
func (p Point) angle() float64        { return math.Atan2(p.Y, p.X) }
func towards(angle, length float64) Point {
	return Point{math.Cos(angle) * length, math.Sin(angle) * length}
}
func between(p, q Point, f float64) Point { return Point{p.X + (q.X-p.X)*f, p.Y + (q.Y-p.Y)*f} }

// Distance is in metres.
func (p Point) Distance(q Point) float64 { return math.Hypot(p.X-q.X, p.Y-q.Y) }

func (p Point) unit() Point {
	if l := p.length(); l > 0 {
		return p.times(1 / l)
	}
	return Point{1, 0}
}

// Line is a street's course, a bank or a border.
type Line []Point

// Length is in metres.
func (l Line) Length() float64 {
	sum := 0.0
	for i := 1; i < len(l); i++ {
		sum += l[i-1].Distance(l[i])
	}
	return sum
}

// At returns the place so many metres along the line, and the direction there (length 1).
func (l Line) At(metres float64) (Point, Point) {
	for i := 1; i < len(l); i++ {
		step := l[i-1].Distance(l[i])
		if metres <= step || i == len(l)-1 {
			f := 0.0
			if step > 0 {
				f = min(metres/step, 1)
			}
			return between(l[i-1], l[i], f), l[i].sub(l[i-1]).unit()
		}
		metres -= step
	}
	return l[0], Point{1, 0}
}

// resample puts points at equal steps.
func (l Line) resample(step float64) Line {
	n := max(int(math.Round(l.Length()/step)), 1)
	out := make(Line, 0, n+1)
	out = append(out, l[0])
	each := l.Length() / float64(n)
	due, walked := each, 0.0
	for i := 1; i < len(l); i++ {
		d := l[i-1].Distance(l[i])
		for due <= walked+d+1e-9 && len(out) < n {
			out = append(out, between(l[i-1], l[i], (due-walked)/d))
			due += each
		}
		walked += d
	}
	return append(out, l[len(l)-1])
}

// simplify leaves points out that lie within tolerance of the line without them (Douglas and Peucker).
func (l Line) simplify(tolerance float64) Line {
	if len(l) < 3 {
		return l
	}
	a, b := l[0], l[len(l)-1]
	worst, at := 0.0, 0
	for i := 1; i < len(l)-1; i++ {
		if d := distanceToSegment(l[i], a, b); d > worst {
			worst, at = d, i
		}
	}
	if worst <= tolerance {
		return Line{a, b}
	}
	head, tail := l[:at+1].simplify(tolerance), l[at:].simplify(tolerance)
	return append(append(make(Line, 0, len(head)+len(tail)-1), head...), tail[1:]...)
}

func distanceToSegment(p, a, b Point) float64 {
	d := b.sub(a)
	if l := d.dot(d); l > 0 {
		return p.Distance(between(a, b, math.Max(0, math.Min(1, p.sub(a).dot(d)/l))))
	}
	return p.Distance(a)
}

// crossing finds where the segments ab and cd meet: as a fraction of ab.
func crossing(a, b, c, d Point) (s float64, meet bool) {
	r, q := b.sub(a), d.sub(c)
	den := r.cross(q)
	if math.Abs(den) < 1e-9 {
		return 0, false
	}
	s = c.sub(a).cross(q) / den
	t := c.sub(a).cross(r) / den
	return s, s >= 0 && s <= 1 && t >= 0 && t <= 1
}

// Area is a simple polygon; the last point is joined to the first.
type Area []Point

// Contains says whether p lies inside.
func (a Area) Contains(p Point) bool {
	in := false
	for i, j := 0, len(a)-1; i < len(a); j, i = i, i+1 {
		if (a[i].Y > p.Y) != (a[j].Y > p.Y) && p.X < (a[j].X-a[i].X)*(p.Y-a[i].Y)/(a[j].Y-a[i].Y)+a[i].X {
			in = !in
		}
	}
	return in
}

// Extent is the area in square metres, positive where the border runs counter-clockwise.
func (a Area) Extent() float64 {
	sum := 0.0
	for i, j := 0, len(a)-1; i < len(a); j, i = i, i+1 {
		sum += a[j].cross(a[i])
	}
	return sum / 2
}

// Centre is the mean of the border's points: inside for the compact shapes that parks are.
func (a Area) Centre() Point {
	var sum Point
	for _, p := range a {
		sum = sum.add(p)
	}
	return sum.times(1 / float64(len(a)))
}

func (a Area) distance(p Point) float64 {
	best := math.Inf(1)
	for i, j := 0, len(a)-1; i < len(a); j, i = i, i+1 {
		best = math.Min(best, distanceToSegment(p, a[j], a[i]))
	}
	return best
}

// turn is the acute angle between two directions that have no sense (streets run both ways), 0 to π/2.
func turn(a, b Point) float64 {
	return math.Acos(math.Min(1, math.Abs(a.dot(b))/(a.length()*b.length())))
}
