package question_test

import (
	"math"
	"strings"
	"testing"

	"github.com/lamppost-city/lamppost/dashboards/datasource/question"
)

// away is the place at a distance in metres and a bearing in degrees from another, on a sphere.
func away(lon, lat, metres, bearing float64) (toLon, toLat float64) {
	const rad = math.Pi / 180
	d, b, phi := metres/6_371_008.8, bearing*rad, lat*rad
	sin := math.Sin(phi)*math.Cos(d) + math.Cos(phi)*math.Sin(d)*math.Cos(b)
	toLat = math.Asin(sin) / rad
	toLon = lon + math.Atan2(math.Sin(b)*math.Sin(d)*math.Cos(phi), math.Cos(d)-math.Sin(phi)*sin)/rad
	return math.Remainder(toLon, 360), toLat
}

func TestAnAreaAroundASiteHoldsItsCircleAndNoMore(t *testing.T) {
	for name, at := range map[string]struct{ lon, lat float64 }{
		"a town":              {10.01, 53.51},
		"the equator":         {-78.5, 0},
		"the far north":       {15.63, 78.22},
		"the south":           {-68.3, -54.8},
		"the 180th meridian":  {179.999, -16.8},
		"its other side":      {-179.999, 65},
		"just below the pole": {100, 89.9},
	} {
		for _, metres := range []float64{250, 5000} {
			area := question.Around{Site: "quay-1", Metres: metres}.Area(at.lon, at.lat)
			for bearing := 0.0; bearing < 360; bearing += 0.5 {
				if lon, lat := away(at.lon, at.lat, metres-0.2, bearing); !area.Holds(lon, lat) {
					t.Fatalf("%s: %g, %g is nearer than %g m and outside of %v", name, lon, lat, metres, area)
				}
			}
			for bearing := 0.0; bearing < 360; bearing += 90 {
				if lon, lat := away(at.lon, at.lat, 1.01*metres+0.2, bearing); math.Abs(at.lat) < 80 && area.Holds(lon, lat) {
					t.Errorf("%s: %g, %g is farther than %g m and inside of %v", name, lon, lat, metres, area)
				}
			}
		}
	}
}

func TestAnAreaThatHoldsAPoleGoesAllRound(t *testing.T) {
	for lat, want := range map[float64]question.Area{
		90:   {West: -180, South: 89.955034, East: 180, North: 90},
		-90:  {West: -180, South: -90, East: 180, North: -89.955034},
		89.9: {West: -180, South: 89.00068, East: 180, North: 90},
	} {
		metres := 5000.0
		if lat == 89.9 {
			metres = 100_000
		}
		if got := (question.Around{Site: "base", Metres: metres}).Area(12, lat); got != want {
			t.Errorf("at %g: %v, want %v", lat, got, want)
		}
	}
}

func TestAnAreaAroundASiteNeedsASiteAndADistance(t *testing.T) {
	for text, words := range map[string]string{
		`{"kind":"latest","around":{"metres":500}}`:                                                                       "around: choose a site",
		`{"kind":"latest","around":{"site":"quay-1"}}`:                                                                    "around: 0 m",
		`{"kind":"latest","around":{"site":"quay-1","metres":200000}}`:                                                    "around: 200000 m",
		`{"kind":"latest","around":{"site":"$site","metres":500}}`:                                                        "the variable $site has no value",
		`{"kind":"latest","around":{"site":"a b","metres":500}}`:                                                          "is no name",
		`{"kind":"ledger","around":{"site":"quay-1","metres":500}}`:                                                       "area: ledger",
		`{"kind":"latest","around":{"site":"quay-1","metres":500},"area":{"west":1,"south":1,"east":2,"north":2}}`:        "leave one of the two out",
		`{"kind":"history","quantities":["speed"],"live":true,"around":{"site":"quay-1","metres":500}}`:                   "live: readings as they come are not chosen by area",
		`{"kind":"history","quantities":["speed"],"step":"raw","around":{"site":"quay-1","metres":500}}`:                  "",
		`{"kind":"sensors","view":"sites","around":{"site":"quay-1","metres":500},"filters":[]}`:                          "",
		`{"kind":"history","quantities":["speed"],"group":["city"],"around":{"site":"quay-1","metres":500},"whole":true}`: "",
	} {
		_, err := question.Parse([]byte(text))
		if (err == nil) != (words == "") || err != nil && !strings.Contains(err.Error(), words) {
			t.Errorf("%s: %v, want words about %q", text, err, words)
		}
	}
}
