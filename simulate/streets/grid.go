package streets

import "math"

// cellMetres is the side of a cell in the indexes below, about a block.
const cellMetres = 100

type cell struct{ x, y int32 }

func cellOf(p Point) cell {
	return cell{int32(math.Floor(p.X / cellMetres)), int32(math.Floor(p.Y / cellMetres))}
}

// sample is a place on a street that others keep their distance from.
type sample struct {
	at, along Point
	street    int
}

// sampleGrid finds samples near a place.
type sampleGrid map[cell][]sample

func (g sampleGrid) add(s sample) { g[cellOf(s.at)] = append(g[cellOf(s.at)], s) }

// tooClose says whether a street that passes p in the direction along, and is not itself street, would run beside another one
// nearer than metres. Streets that cross do not count.
func (g sampleGrid) tooClose(p, along Point, street int, metres float64) bool {
	reach := int32(metres/cellMetres) + 1
	c := cellOf(p)
	for x := c.x - reach; x <= c.x+reach; x++ {
		for y := c.y - reach; y <= c.y+reach; y++ {
			for _, s := range g[cell{x, y}] {
				if s.street != street && s.at.Distance(p) < metres && turn(s.along, along) < besideAngle {
					return true
				}
			}
		}
	}
	return false
}

// besideAngle parts streets that run beside each other from such that cross.
const besideAngle = 0.65

// segment is a piece of a street: from point index to the next one.
type segment struct{ street, index int }

// segmentGrid finds segments near a place.
type segmentGrid map[cell][]segment

func (g segmentGrid) add(a, b Point, s segment) {
	ca, cb := cellOf(a), cellOf(b)
	for x := min(ca.x, cb.x); x <= max(ca.x, cb.x); x++ {
		for y := min(ca.y, cb.y); y <= max(ca.y, cb.y); y++ {
			g[cell{x, y}] = append(g[cell{x, y}], s)
		}
	}
}

// near calls f with every segment in the cells that the box around a and b touches; with some more than once.
func (g segmentGrid) near(a, b Point, f func(segment)) {
	ca, cb := cellOf(a), cellOf(b)
	for x := min(ca.x, cb.x); x <= max(ca.x, cb.x); x++ {
		for y := min(ca.y, cb.y); y <= max(ca.y, cb.y); y++ {
			for _, s := range g[cell{x, y}] {
				f(s)
			}
		}
	}
}
