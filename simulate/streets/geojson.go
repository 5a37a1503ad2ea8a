package streets

import (
	"encoding/json"
	"math"
)

// Where the city's centre would be, and with it the scale of its degrees.
const (
	centreLon, centreLat = 10.0, 53.5
	metresPerDegree      = 111_320
)

// Position returns longitude and latitude of a place on the plan, in degrees to seven places.
func Position(p Point) (lon, lat float64) {
	lat = centreLat + p.Y/metresPerDegree
	lon = centreLon + p.X/(metresPerDegree*math.Cos(centreLat*math.Pi/180))
	return math.Round(lon*1e7) / 1e7, math.Round(lat*1e7) / 1e7
}

type feature struct {
	Type       string         `json:"type"`
	Properties map[string]any `json:"properties"`
	Geometry   geometry       `json:"geometry"`
}

type geometry struct {
	Type        string `json:"type"`
	Coordinates any    `json:"coordinates"`
}

// GeoJSON returns the plan as a FeatureCollection (RFC 7946), in drawing order: districts, water, parks, side streets, main
// streets. Every feature has the properties kind (district, water, park or street) and name; districts have id, a
// slug of the name; streets have class (main or side), and bridge where they are one. Borders run counter-clockwise.
func (p *Plan) GeoJSON() ([]byte, error) {
	var all []feature
	area := func(kind, name string, a Area) {
		properties := map[string]any{"kind": kind, "name": name}
		if kind == "district" {
			properties["id"] = Slug(name)
		}
		all = append(all, feature{"Feature", properties, geometry{"Polygon", [][][2]float64{loop(a)}}})
	}
	for _, d := range p.Districts {
		area("district", d.Name, d.Area)
	}
	for _, v := range p.Parks {
		area("park", v.Name, v.Area)
	}
	for _, w := range p.Water {
		area("water", w.Name, w.Area)
	}
	for _, main := range []bool{false, true} {
		for _, s := range p.Streets {
			if s.Main == main {
				all = append(all, street(s))
			}
		}
	}
	return json.Marshal(struct {
		Type     string    `json:"type"`
		Features []feature `json:"features"`
	}{"FeatureCollection", all})
}

func street(s Street) feature {
	class := "side"
	if s.Main {
		class = "main"
	}
	properties := map[string]any{"kind": "street", "name": s.Name, "class": class}
	if s.Bridge {
		properties["bridge"] = true
	}
	return feature{"Feature", properties, geometry{"LineString", positions(s.Line.simplify(1))}}
}

// positions in six decimals: a tenth of a metre, which is finer than any map draws.
func positions(line Line) [][2]float64 {
	out := make([][2]float64, len(line))
	for i, p := range line {
		lon, lat := Position(p)
		out[i] = [2]float64{math.Round(lon*1e6) / 1e6, math.Round(lat*1e6) / 1e6}
	}
	return out
}

// loop closes a border and turns it the way GeoJSON wants it.
func loop(a Area) [][2]float64 {
	line := Line(a).simplify(1)
	if a.Extent() < 0 {
		reversed := make(Line, len(line))
		for i, p := range line {
			reversed[len(line)-1-i] = p
		}
		line = reversed
	}
	return positions(append(line[:len(line):len(line)], line[0]))
}
