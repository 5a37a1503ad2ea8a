package streets

import (
	"math"
	"slices"
)

// Junction is where two streets meet.
type Junction struct {
	At Point
	// Streets are indexes into Plan.Streets; main streets come first.
	Streets [2]int
	// Main says that at least one of them is a main street.
	Main bool
	// District is an index into Plan.Districts.
	District int
}

// node is where street meets other, at a distance along street.
type node struct {
	along         float64
	street, other int
	at            Point
}

// network is the streets while their loose ends are tidied.
type network struct {
	lines []Line
	mains int // lines before this index are main streets and stay as they are
	free  func(Point) bool
	grid  segmentGrid
}

func newNetwork(lines []Line, mains int, free func(Point) bool) *network {
	n := &network{lines: lines, mains: mains, free: free}
	n.index()
	return n
}

func (n *network) index() {
	n.grid = segmentGrid{}
	for s, line := range n.lines {
		for i := 1; i < len(line); i++ {
			n.grid.add(line[i-1], line[i], segment{s, i - 1})
		}
	}
}

// extend leads every loose end straight on to the next street, if there is one near enough.
func (n *network) extend(reach float64) {
	for s := n.mains; s < len(n.lines); s++ {
		line := n.lines[s]
		if end, ok := n.hit(s, line[len(line)-1], line[len(line)-1].sub(line[len(line)-2]).unit(), reach); ok {
			line = append(line, end)
		}
		if end, ok := n.hit(s, line[0], line[0].sub(line[1]).unit(), reach); ok {
			line = slices.Insert(line, 0, end)
		}
		n.lines[s] = line
	}
	n.index()
}

// hit finds the nearest street ahead of p; not across water or a park.
func (n *network) hit(street int, p, heading Point, reach float64) (Point, bool) {
	to := p.add(heading.times(reach))
	best := math.Inf(1)
	n.grid.near(p, to, func(g segment) {
		if g.street == street {
			return
		}
		if s, ok := crossing(p, to, n.lines[g.street][g.index], n.lines[g.street][g.index+1]); ok && s < best {
			best = s
		}
	})
	if math.IsInf(best, 1) {
		return Point{}, false
	}
	end := between(p, to, best)
	for walked := 0.0; walked < p.Distance(end); walked += 15 {
		if !n.free(p.add(heading.times(walked))) {
			return Point{}, false
		}
	}
	return end.add(heading.times(0.5)), true // half a metre over, so that the two surely cross
}

// nodes finds all places where streets meet, by street and along it.
func (n *network) nodes() [][]node {
	all := make([][]node, len(n.lines))
	var seen []segment
	for s, line := range n.lines {
		along := 0.0
		for i := 1; i < len(line); i++ {
			step := line[i-1].Distance(line[i])
			seen = seen[:0] // segments lie in several cells
			n.grid.near(line[i-1], line[i], func(g segment) {
				if g.street == s || slices.Contains(seen, g) {
					return
				}
				seen = append(seen, g)
				if f, ok := crossing(line[i-1], line[i], n.lines[g.street][g.index], n.lines[g.street][g.index+1]); ok {
					all[s] = append(all[s], node{along + f*step, s, g.street, between(line[i-1], line[i], f)})
				}
			})
			along += step
		}
		slices.SortFunc(all[s], func(a, b node) int {
			if a.along != b.along {
				if a.along < b.along {
					return -1
				}
				return 1
			}
			return a.other - b.other
		})
	}
	return all
}

// trim cuts side streets back to their first and last junction and leaves out those that join nothing. It has to be
// repeated: a street that goes takes junctions of others with it. Short stubs may stay: cities have dead ends.
func (n *network) trim(stub float64) {
	for range 4 {
		nodes := n.nodes()
		kept := slices.Clone(n.lines[:n.mains])
		for s := n.mains; s < len(n.lines); s++ {
			if len(nodes[s]) < 2 {
				continue
			}
			total := n.lines[s].Length()
			from, to := nodes[s][0].along, nodes[s][len(nodes[s])-1].along
			if from <= stub {
				from = 0
			}
			if total-to <= stub {
				to = total
			}
			if to-from < shortest {
				continue
			}
			kept = append(kept, n.lines[s].cut(from, to))
		}
		n.lines = kept
		n.index()
	}
}

// cut returns the part between two distances along the line.
func (l Line) cut(from, to float64) Line {
	first, _ := l.At(from)
	out := Line{first}
	walked := 0.0
	for i := 1; i < len(l); i++ {
		walked += l[i-1].Distance(l[i])
		if walked > from+0.01 && walked < to-0.01 {
			out = append(out, l[i])
		}
	}
	last, _ := l.At(to)
	return append(out, last)
}
