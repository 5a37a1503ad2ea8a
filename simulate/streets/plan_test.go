package streets_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"testing"

	"github.com/lamppost-city/lamppost/simulate/streets"
)

type collection struct {
	Type     string
	Features []struct {
		Type       string
		Properties struct{ Kind, Name, Class string }
		Geometry   struct {
			Type        string
			Coordinates json.RawMessage
		}
	}
}

func TestSameSeedGivesTheSamePlan(t *testing.T) {
	first, err := streets.New(5, 1200).GeoJSON()
	if err != nil {
		t.Fatal(err)
	}
	again, _ := streets.New(5, 1200).GeoJSON()
	if !bytes.Equal(first, again) {
		t.Error("the same seed and radius gave two plans")
	}
	if other, _ := streets.New(6, 1200).GeoJSON(); bytes.Equal(first, other) {
		t.Error("another seed gave the same plan")
	}
}

func TestPlanIsValidGeoJSONOfKnownKinds(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			plan := streets.New(seed, 1100+120*float64(seed))
			text, err := plan.GeoJSON()
			if err != nil {
				t.Fatal(err)
			}
			var all collection
			if err := json.Unmarshal(text, &all); err != nil || all.Type != "FeatureCollection" {
				t.Fatalf("%v, type %q", err, all.Type)
			}
			kinds, districts := map[string]int{}, map[string]bool{}
			for _, f := range all.Features {
				kinds[f.Properties.Kind]++
				if f.Properties.Name == "" {
					t.Errorf("a %s has no name", f.Properties.Kind)
				}
				if f.Properties.Kind == "district" {
					districts[f.Properties.Name] = true
				}
				if f.Properties.Kind == "street" {
					checkLine(t, f.Properties.Name, f.Geometry.Type, f.Geometry.Coordinates)
					if c := f.Properties.Class; c != "main" && c != "side" {
						t.Errorf("street %s has class %q", f.Properties.Name, c)
					}
				} else {
					checkPolygon(t, f.Properties.Name, f.Geometry.Type, f.Geometry.Coordinates)
				}
			}
			if kinds["street"] < 60 || kinds["water"] < 1 || kinds["park"] < 3 || len(districts) != kinds["district"] ||
				len(districts) < 5 || len(districts) > 9 {
				t.Errorf("kinds %v, %d names of districts", kinds, len(districts))
			}
			if len(text) > 1<<20 {
				t.Errorf("the plan has %d bytes", len(text))
			}
			checkBridges(t, plan)
		})
	}
}

// Every main street that crosses the river does so on a bridge, side streets end at the water, and main streets never run along in it.
func checkBridges(t *testing.T, plan *streets.Plan) {
	t.Helper()
	bridges := 0
	river := plan.Water[0].Area
	for _, s := range plan.Streets {
		if s.Bridge {
			bridges++
			continue
		}
		for i := range s.Line {
			if i > 0 && i < len(s.Line)-1 && river.Contains(s.Line[i]) {
				t.Errorf("%s runs in the water at %v", s.Name, s.Line[i])
				break
			}
		}
	}
	if bridges < 5 {
		t.Errorf("%d bridges", bridges)
	}
}

func checkLine(t *testing.T, name, kind string, raw json.RawMessage) {
	t.Helper()
	var line [][2]float64
	if err := json.Unmarshal(raw, &line); err != nil || kind != "LineString" || len(line) < 2 {
		t.Fatalf("%s: %v, %s of %d points", name, err, kind, len(line))
	}
	checkPositions(t, name, line)
}

func checkPolygon(t *testing.T, name, kind string, raw json.RawMessage) {
	t.Helper()
	var rings [][][2]float64
	if err := json.Unmarshal(raw, &rings); err != nil || kind != "Polygon" || len(rings) != 1 || len(rings[0]) < 4 {
		t.Fatalf("%s: %v, %s", name, err, kind)
	}
	ring := rings[0]
	if ring[0] != ring[len(ring)-1] {
		t.Errorf("%s: the border is not closed", name)
	}
	area := 0.0
	for i := 1; i < len(ring); i++ {
		area += ring[i-1][0]*ring[i][1] - ring[i][0]*ring[i-1][1]
	}
	if area <= 0 {
		t.Errorf("%s: the border runs clockwise", name)
	}
	checkPositions(t, name, ring)
}

func checkPositions(t *testing.T, name string, line [][2]float64) {
	t.Helper()
	for _, p := range line {
		if math.Abs(p[0]-10) > 0.2 || math.Abs(p[1]-53.5) > 0.1 {
			t.Fatalf("%s: %v is far away; positions are longitude, latitude", name, p)
		}
	}
}

func TestDistrictsCoverTheCityAndDoNotOverlap(t *testing.T) {
	plan := streets.New(3, 2000)
	for _, j := range plan.Junctions {
		if j.District < 0 || j.District >= len(plan.Districts) {
			t.Fatalf("junction at %v is in district %d", j.At, j.District)
		}
	}
	uncovered, covered, twice := 0, 0, 0
	for x := -1500.0; x < 1500; x += 37 {
		for y := -1500.0; y < 1500; y += 37 {
			p := streets.Point{X: x, Y: y}
			if math.Hypot(x, y) > 1450 {
				continue
			}
			n := 0
			for _, d := range plan.Districts {
				if d.Area.Contains(p) {
					n++
				}
			}
			switch n {
			case 0:
				uncovered++
			case 1:
				covered++
			default:
				twice++
			}
		}
	}
	// Borders are drawn with straight pieces, which may differ by a metre between neighbours.
	if uncovered+twice > covered/100 {
		t.Errorf("of the places in the city %d lie in no district and %d in two; %d in one", uncovered, twice, covered)
	}
}

func TestStreetsHaveNamesOfTheirOwn(t *testing.T) {
	plan := streets.New(3, 3000)
	side := map[string]bool{}
	for _, s := range plan.Streets {
		if s.Main || s.Bridge {
			continue // a main street is several parts where it crosses water
		}
		if side[s.Name] {
			t.Errorf("two streets are called %s", s.Name)
		}
		side[s.Name] = true
	}
}

func BenchmarkNew(b *testing.B) {
	for _, radius := range []float64{1500, 2500, 4500} {
		b.Run(fmt.Sprint(radius), func(b *testing.B) {
			for b.Loop() {
				streets.New(1, radius)
			}
		})
	}
}
