package streets

import (
	"math"
	"math/rand/v2"
)

const (
	traceStep   = 12   // metres
	longestSide = 2200 // metres
	shortest    = 70   // metres; a shorter street is none
)

// tracer grows side streets: from each street others are started beside it and across it, as far apart as the field
// says, and followed until they come to water, a park, the city's edge, or too close to another one.
type tracer struct {
	field   *field
	river   *river
	inside  func(Point) bool // the city's edge
	closed  []enclosure      // parks and docks
	samples sampleGrid
	lines   []Line
	queue   []start
	random  *rand.Rand
}

type start struct{ at, heading Point }

// add takes a street in and notes where others may start from it.
func (t *tracer) add(line Line) {
	street := len(t.lines)
	t.lines = append(t.lines, line)
	walked, dueBeside, dueAcross := 0.0, 0.0, 0.0
	for i, p := range line {
		along := line[min(i+1, len(line)-1)].sub(line[max(i-1, 0)]).unit()
		t.samples.add(sample{p, along, street})
		if i > 0 {
			walked += line[i-1].Distance(p)
		}
		if walked >= dueBeside {
			d := t.field.spacing(p, along)
			t.queue = append(t.queue, start{p.add(along.left().times(d)), along}, start{p.sub(along.left().times(d)), along})
			dueBeside = walked + d*1.5
		}
		if walked >= dueAcross {
			across := along.left()
			t.queue = append(t.queue, start{p, across})
			dueAcross = walked + t.field.spacing(p, across)*(0.85+0.4*t.random.Float64())
		}
	}
}

// run follows all that was noted, and then looks for land that the streets so far have left out.
func (t *tracer) run(radius float64) {
	t.work()
	const raster = 45
	for y := -1.1 * radius; y < 1.1*radius; y += raster {
		for x := -1.1 * radius; x < 1.1*radius; x += raster {
			at := Point{x + t.random.Float64()*raster, y + t.random.Float64()*raster}
			t.queue = append(t.queue, start{at, Point{1, 0}}, start{at, Point{0, 1}})
		}
	}
	t.work()
}

func (t *tracer) work() {
	for len(t.queue) > 0 {
		s := t.queue[0]
		t.queue = t.queue[1:]
		heading := t.field.along(s.at, s.heading)
		if !t.free(s.at) || t.samples.tooClose(s.at, heading, -1, 0.88*t.field.spacing(s.at, heading)) {
			continue
		}
		back, ahead := t.follow(s.at, heading.times(-1)), t.follow(s.at, heading)
		line := make(Line, 0, len(back)+len(ahead)+1)
		for i := len(back) - 1; i >= 0; i-- {
			line = append(line, back[i])
		}
		line = append(append(line, s.at), ahead...)
		if line.Length() >= shortest {
			t.add(line)
		}
	}
}

// follow walks from p until something is in the way.
func (t *tracer) follow(p, heading Point) Line {
	var line Line
	for walked := 0.0; walked < longestSide/2; walked += traceStep {
		middle := p.add(t.field.along(p, heading).times(traceStep / 2))
		heading = t.field.along(middle, heading)
		p = p.add(heading.times(traceStep))
		if !t.free(p) || t.samples.tooClose(p, heading, -1, 0.62*t.field.spacing(p, heading)) {
			break
		}
		line = append(line, p)
	}
	return line
}

// free says whether a side street may pass p.
func (t *tracer) free(p Point) bool {
	if !t.inside(p) {
		return false
	}
	if edge, _ := t.river.nearest(p); edge < 14 {
		return false
	}
	for i := range t.closed {
		if t.closed[i].contains(p) {
			return false
		}
	}
	return true
}

// enclosure is an area with the box around it, which most places are not even in.
type enclosure struct {
	area      Area
	low, high Point
}

func enclose(a Area) enclosure {
	e := enclosure{a, a[0], a[0]}
	for _, p := range a {
		e.low = Point{math.Min(e.low.X, p.X), math.Min(e.low.Y, p.Y)}
		e.high = Point{math.Max(e.high.X, p.X), math.Max(e.high.Y, p.Y)}
	}
	return e
}

func (e *enclosure) contains(p Point) bool {
	return p.X >= e.low.X && p.X <= e.high.X && p.Y >= e.low.Y && p.Y <= e.high.Y && e.area.Contains(p)
}
