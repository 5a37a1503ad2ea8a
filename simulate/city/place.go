package city

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/lamppost-city/lamppost/simulate/streets"
)

// Site is where sensors stand.
type Site struct {
	// ID is a slug of the title.
	ID, Title string
	// District is the id of the district: a slug of its title.
	District, DistrictTitle string
	// Lon and Lat are in degrees.
	Lon, Lat float64
}

// place is a site with what the model has to know of it.
type place struct {
	Site
	at       streets.Point
	district int
	road     road
}

// ground is the kind of place that a sensor needs.
type ground int

const (
	crossroads ground = iota // where a main street meets another street
	corner                   // any junction
	kerb                     // beside a side street
	square                   // a junction in the old town
	bank                     // the river's edge
	green                    // a park
)

// spot is a candidate for a site.
type spot struct {
	title    string
	at       streets.Point
	junction int // index of the nearest junction, or -1
}

// spots lists the candidates for a kind of ground, the best spread ones first.
func (c *City) spots(g ground, need int) []spot {
	var all []spot
	switch g {
	case crossroads, corner, square:
		for i, j := range c.plan.Junctions {
			if g == crossroads && !j.Main || g == square && j.District != 0 {
				continue
			}
			title := c.plan.Streets[j.Streets[0]].Name + " / " + c.plan.Streets[j.Streets[1]].Name
			all = append(all, spot{title, j.At, i})
		}
	case kerb:
		for _, s := range c.plan.Streets {
			for metres := 60.0; !s.Main && !s.Bridge && metres < s.Line.Length()-30; metres += 140 {
				at, along := s.Line.At(metres)
				at = streets.Point{X: at.X - along.Y*7, Y: at.Y + along.X*7}
				all = append(all, spot{fmt.Sprintf("%s %d", s.Name, int(metres/11)*2+1), at, -1})
			}
		}
	case bank:
		for i, p := range c.plan.Banks {
			side := [2]string{"north", "south"}[i%2]
			all = append(all, spot{fmt.Sprintf("Lamp River, %s bank, km %.1f", side, float64(i/2)*0.15+0.1), p, -1})
		}
	case green:
		for _, p := range c.plan.Parks {
			all = append(all, spot{p.Name, p.Area.Centre(), -1})
		}
	}
	r := rand.New(rand.NewPCG(c.seed, uint64(g)+100))
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return spread(all, need, c.plan.Radius)
}

// spread puts first what lies far apart: it takes what is at least so far from all that was taken, and then asks for
// less distance, until it has what is needed.
func spread(all []spot, need int, radius float64) []spot {
	taken := make([]spot, 0, len(all))
	left := all
	for apart := radius; len(left) > 0 && len(taken) < need && apart > 20; apart *= 0.62 {
		cells := map[[2]int][]streets.Point{}
		key := func(p streets.Point) [2]int {
			return [2]int{int(math.Floor(p.X / apart)), int(math.Floor(p.Y / apart))}
		}
		for _, s := range taken {
			cells[key(s.at)] = append(cells[key(s.at)], s.at)
		}
		var rest []spot
		for _, s := range left {
			if near(cells, key(s.at), s.at, apart) {
				rest = append(rest, s)
				continue
			}
			cells[key(s.at)] = append(cells[key(s.at)], s.at)
			taken = append(taken, s)
		}
		left = rest
	}
	return append(taken, left...)
}

func near(cells map[[2]int][]streets.Point, k [2]int, p streets.Point, metres float64) bool {
	for x := k[0] - 1; x <= k[0]+1; x++ {
		for y := k[1] - 1; y <= k[1]+1; y++ {
			for _, q := range cells[[2]int{x, y}] {
				if q.Distance(p) < metres {
					return true
				}
			}
		}
	}
	return false
}

// settle makes a spot a site; the same spot twice is the same site.
func (c *City) settle(s spot) int {
	if i, ok := c.placeOf[s.at]; ok {
		return i
	}
	id, title := streets.Slug(s.title), s.title
	c.taken[id]++
	if n := c.taken[id]; n > 1 { // a ring meets a straight street twice
		id, title = fmt.Sprintf("%s-%d", id, n), fmt.Sprintf("%s (%d)", title, n)
	}
	p := place{at: s.at, district: c.plan.District(s.at)}
	name := c.plan.Districts[p.district].Name
	p.Site = Site{ID: id, Title: title, District: streets.Slug(name), DistrictTitle: name}
	p.Lon, p.Lat = streets.Position(s.at)
	junction := s.junction
	if junction < 0 {
		junction = c.nearestJunction(s.at)
	}
	p.road = c.roadAt(junction)
	c.places = append(c.places, p)
	c.placeOf[s.at] = len(c.places) - 1
	return len(c.places) - 1
}

func (c *City) nearestJunction(p streets.Point) int {
	best, at := math.Inf(1), 0
	for i, j := range c.plan.Junctions {
		if d := j.At.Distance(p); d < best {
			best, at = d, i
		}
	}
	return at
}

// roadAt says what the busier street of a junction carries: rings and spokes more than side streets, the inner city more
// than the outskirts.
func (c *City) roadAt(junction int) road {
	j := c.plan.Junctions[junction]
	seed := Mix(c.seed^30, uint64(junction))
	out := math.Hypot(j.At.X, j.At.Y) / c.plan.Radius
	vary := chance(seed, 1)
	if j.Main {
		return road{
			seed: seed, free: 50 + 12*out + 4*vary, critical: criticalMain,
			busy: 0.74 + 0.36*vary - 0.16*out, inbound: 0.22 * (2*chance(seed, 2) - 0.8),
		}
	}
	return road{
		seed: seed, free: 31 + 8*vary, critical: criticalSide,
		busy: 0.26 + 0.34*vary, inbound: 0.15 * (2*chance(seed, 2) - 0.8),
	}
}
