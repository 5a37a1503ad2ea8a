package question

import "math"

const (
	// MaxMetres is how far from its site the sides of an Around may be.
	MaxMetres = 100_000
	// earthRadius is the mean radius of the Earth in metres: R1 of the ellipsoid GRS 80 (Moritz, Geodetic Reference System 1980).
	earthRadius = 6_371_008.8
)

// Around is the part of the map around a site: what is at most so far to the north, south, east or west. That is a square, whose
// corners are 1.4 times as far.
type Around struct {
	// Site is the id of the site in the middle.
	Site string `json:"site"`
	// Metres is from 1 to MaxMetres.
	Metres float64 `json:"metres"`
}

func (a Around) check(fault func(string, ...any)) {
	if a.Site == "" {
		fault("around: choose a site")
	}
	if !(a.Metres >= 1 && a.Metres <= MaxMetres) {
		fault("around: %g m is not from 1 to %d", a.Metres, MaxMetres)
	}
}

// Area is the part of the map where the site is at lon and lat, in degrees: the least one that holds the circle around it. West is
// greater than East where it crosses the 180th meridian, and near a pole it goes all round.
//
// The parallels are the angle d = Metres/earthRadius away. The meridians are asin(sin d / cos lat) away and not d / cos lat, because they
// touch the circle nearer to the pole than its middle (Bronstein, Semendjajew, Taschenbuch der Mathematik, spherical trigonometry; as in
// J. P. Matuschek, "Finding Points Within a Distance of a Latitude/Longitude Using Bounding Coordinates"). Against the ellipsoid the
// sphere is wrong by less than 0.6 %.
func (a Around) Area(lon, lat float64) Area {
	d := a.Metres / earthRadius
	up := degrees(d)
	area := Area{West: -180, South: max(rounded(lat-up), -90), East: 180, North: min(rounded(lat+up), 90)}
	if math.Abs(lat)+up >= 90 {
		return area
	}
	aside := degrees(math.Asin(math.Sin(d) / math.Cos(lat*math.Pi/180)))
	area.West, area.East = rounded(lon-aside), rounded(lon+aside)
	if area.West < -180 {
		area.West += 360
	}
	if area.East > 180 {
		area.East -= 360
	}
	return area
}

func degrees(radians float64) float64 { return radians * 180 / math.Pi }

// rounded leaves a tenth of a metre.
func rounded(degrees float64) float64 { return math.Round(degrees*1e6) / 1e6 }

// Holds says whether a place is in the area.
func (a Area) Holds(lon, lat float64) bool {
	if lat < a.South || lat > a.North {
		return false
	}
	if a.West > a.East { // it crosses the 180th meridian
		return lon >= a.West || lon <= a.East
	}
	return lon >= a.West && lon <= a.East
}
