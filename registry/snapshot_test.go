package registry_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/lamppost-city/lamppost/registry"
	"github.com/lamppost-city/lamppost/telemetry"
)

func TestSnapshotIndexes(t *testing.T) {
	r := open(t)
	furnish(t, r)
	snap := r.Snapshot()
	for _, test := range []struct{ rule, got, want string }{
		{"all, in order of id", ids(snap.Sensors()), "air-1 gateway-7 loop-1 mix-1"},
		{"at a site", ids(snap.SensorsAt("bridge")), "loop-1 mix-1"},
		{"without a site", ids(snap.SensorsAt("")), "gateway-7"},
		{"in a district", ids(snap.SensorsIn("old-town")), "loop-1 mix-1"},
		{"without a district", ids(snap.SensorsIn("")), "air-1 gateway-7"},
		{"of a bridge that is a sensor too", ids(snap.SensorsOf("gateway-7")), "gateway-7 loop-1"},
		{"of a sensor that speaks for itself", ids(snap.SensorsOf("air-1")), "air-1"},
		{"of somebody unknown", ids(snap.SensorsOf("ghost")), ""},
	} {
		if test.got != test.want {
			t.Errorf("sensors %s: %q, want %q", test.rule, test.got, test.want)
		}
	}
	must[registry.Outcome](t)(r.PutSite(t.Context(), by, registry.Site{ID: "bridge", Lon: 1, Lat: 1}))
	if got := ids(r.Snapshot().SensorsIn("old-town")); got != "" {
		t.Errorf("the site left the district, its sensors did not: %s", got)
	}
	if err := r.DeleteSensor(t.Context(), by, "loop-1"); err != nil {
		t.Fatal(err)
	}
	if got := ids(r.Snapshot().SensorsAt("bridge")); got != "mix-1" {
		t.Errorf("after a delete: %s", got)
	}
	if got := ids(snap.SensorsAt("bridge")); got != "loop-1 mix-1" {
		t.Errorf("an old snapshot changed: %s", got)
	}
}

func TestPublisherOfSensorIsAccepted(t *testing.T) {
	r := open(t)
	furnish(t, r)
	for _, test := range []struct {
		sensor, publisher telemetry.SensorID
		want              bool
	}{
		{"loop-1", "gateway-7", true},
		{"loop-1", "loop-1", true},
		{"loop-1", "air-1", false},
		{"air-1", "air-1", true},
		{"air-1", "gateway-7", false},
		{"air-1", "", false},
	} {
		s, ok := r.Snapshot().Sensor(test.sensor)
		if !ok {
			t.Fatal(test.sensor)
		}
		if s.Accepts(test.publisher) != test.want {
			t.Errorf("%s accepts %q: %v", test.sensor, test.publisher, !test.want)
		}
	}
}

func TestSearchListsFirstWhatBeginsWithIt(t *testing.T) {
	r := open(t)
	for i, s := range []registry.Sensor{
		{ID: "air-1", Title: "Elder Lane"},
		{ID: "air-2", Title: "Lane of elders"},
		{ID: "air-3", Title: "Old ÄRA-lane"},
		{ID: "air-4", Title: "Planes"},
		{ID: "lane-1", Title: "Ring"},
		{ID: "lane-2", Title: "Lane"},
		{ID: "mid-lane", Title: "ring road, elders"},
		{ID: "plane", Title: "ring öst"},
	} {
		s.Quantities = []string{"no2"}
		if _, err := r.PutSensor(t.Context(), by, s); err != nil {
			t.Fatal(i, err)
		}
	}
	for q, want := range map[string]string{
		"lane":       "lane-1 lane-2 air-1 air-2 air-3 air-4 mid-lane plane",
		" LANE ":     "lane-1 lane-2 air-1 air-2 air-3 air-4 mid-lane plane",
		"lane-":      "lane-1 lane-2",
		"elder lane": "air-1 air-2 mid-lane",
		"ring lane":  "lane-1 mid-lane plane",
		"ära":        "air-3",
		"Öst":        "plane",
		"oad":        "mid-lane",
		"air-3":      "air-3",
	} {
		items, total, err := r.List(t.Context(), registry.Filter{Q: q}, registry.Page{})
		if err != nil || ids(items) != want || total != len(items) {
			t.Errorf("%q lists %q of %d, %v; want %q", q, ids(items), total, err, want)
		}
		if items, _, _ := r.List(t.Context(), registry.Filter{Q: q}, registry.Page{Limit: 1}); ids(items) != strings.Fields(want)[0] {
			t.Errorf("%q lists %q first", q, ids(items))
		}
		var csv strings.Builder
		if err := r.Export(t.Context(), &csv, registry.Filter{Q: q}); err != nil {
			t.Fatal(err)
		}
		if rows := strings.Split(csv.String(), "\n")[1:]; !slices.IsSorted(rows[:len(rows)-1]) {
			t.Errorf("%q exports in the order %q", q, rows)
		}
	}
}

func TestList(t *testing.T) {
	r := open(t)
	furnish(t, r)
	for _, test := range []struct {
		rule   string
		filter registry.Filter
		page   registry.Page
		want   string
		total  int
	}{
		{"everything", registry.Filter{}, registry.Page{}, "air-1 gateway-7 loop-1 mix-1", 4},
		{"id", registry.Filter{Q: "LOOP"}, registry.Page{}, "loop-1", 1},
		{"title beyond ASCII, upper case", registry.Filter{Q: "KÖLN"}, registry.Page{}, "air-1", 1},
		{"title of the site", registry.Filter{Q: "stone"}, registry.Page{}, "loop-1 mix-1", 2},
		{"every word must match", registry.Filter{Q: "stone lane"}, registry.Page{}, "loop-1", 1},
		{"nothing", registry.Filter{Q: "stone nothing"}, registry.Page{}, "", 0},
		{"domain", registry.Filter{Domain: telemetry.Safety}, registry.Page{}, "air-1 gateway-7 mix-1", 3},
		{"district and domain", registry.Filter{District: "old-town", Domain: telemetry.Safety}, registry.Page{}, "mix-1", 1},
		{"site", registry.Filter{Site: "park"}, registry.Page{}, "air-1", 1},
		{"site outside the district", registry.Filter{Site: "park", District: "old-town"}, registry.Page{}, "", 0},
		{"first page", registry.Filter{}, registry.Page{Limit: 3}, "air-1 gateway-7 loop-1", 4},
		{"last page", registry.Filter{}, registry.Page{Limit: 3, Offset: 3}, "mix-1", 4},
		{"beyond the end", registry.Filter{}, registry.Page{Limit: 3, Offset: 9}, "", 4},
		{"negative offset", registry.Filter{}, registry.Page{Limit: 1, Offset: -9}, "air-1", 4},
	} {
		t.Run(test.rule, func(t *testing.T) {
			items, total, err := r.List(t.Context(), test.filter, test.page)
			if err != nil {
				t.Fatal(err)
			}
			if ids(items) != test.want || total != test.total {
				t.Errorf("got %q of %d, want %q of %d", ids(items), total, test.want, test.total)
			}
		})
	}
}

func TestLookupInASnapshotAllocatesNothing(t *testing.T) {
	r := open(t)
	furnish(t, r)
	if n := testing.AllocsPerRun(100, func() {
		s, _ := r.Snapshot().Sensor("loop-1")
		_, _ = r.Snapshot().Site(s.Site)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// view is all that can be asked of a snapshot.
type view struct {
	Sensors   []*registry.Sensor
	Sites     []*registry.Site
	Districts []*registry.District
	Groups    map[string]string
}

func viewOf(s *registry.Snapshot) view {
	v := view{Sensors: s.Sensors(), Sites: s.Sites(), Districts: s.Districts(), Groups: make(map[string]string)}
	for _, sensor := range s.Sensors() {
		found, ok := s.Sensor(sensor.ID)
		v.Groups["id "+string(sensor.ID)] = fmt.Sprint(ok && found == sensor)
		v.Groups["of "+string(sensor.ID)] = ids(s.SensorsOf(sensor.ID))
		v.Groups["of "+string(sensor.Publisher)] = ids(s.SensorsOf(sensor.Publisher))
	}
	v.Groups["at"], v.Groups["in"] = ids(s.SensorsAt("")), ids(s.SensorsIn(""))
	for _, site := range s.Sites() {
		v.Groups["at "+site.ID] = ids(s.SensorsAt(site.ID))
	}
	for _, district := range s.Districts() {
		v.Groups["in "+district.ID] = ids(s.SensorsIn(district.ID))
	}
	return v
}

func TestSnapshotPatchedStepByStepEqualsOneReadAtOnce(t *testing.T) {
	dir := t.TempDir()
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		path := newFile(rt, filepath.Join(dir, fmt.Sprintf("%d.db", n)))
		writer, follower := openAt(rt, path, testConfig()), openAt(rt, path, testConfig())
		pool := rapid.SliceOfNDistinct(slugs, 6, 6, rapid.ID).Draw(rt, "ids")
		for range rapid.IntRange(1, 15).Draw(rt, "steps") {
			var err error
			now := writer.Snapshot()
			id := rapid.SampledFrom(pool).Draw(rt, "id")
			switch rapid.IntRange(0, 4).Draw(rt, "step") {
			case 0:
				_, err = writer.PutDistrict(t.Context(), by, registry.District{ID: id, Title: titles.Draw(rt, "title")})
			case 1:
				site := drawSite(rt, districtIDs(now))
				site.ID = id
				_, err = writer.PutSite(t.Context(), by, site)
			case 2, 3:
				sensor := drawSensor(rt, siteIDs(now))
				sensor.ID, sensor.Publisher = telemetry.SensorID(id), telemetry.SensorID(rapid.SampledFrom(pool).Draw(rt, "publisher"))
				_, err = writer.PutSensor(t.Context(), by, sensor)
			case 4:
				if err = writer.DeleteSensor(t.Context(), by, telemetry.SensorID(id)); errors.Is(err, registry.ErrNotFound) {
					err = nil
				}
			}
			if err != nil {
				rt.Fatal(err)
			}
		}
		if _, _, err := follower.List(t.Context(), registry.Filter{}, registry.Page{}); err != nil { // several versions in one step
			rt.Fatal(err)
		}
		want := viewOf(openAt(rt, path, testConfig()).Snapshot())
		for name, r := range map[string]*registry.Registry{"writer": writer, "follower": follower} {
			if diff := cmp.Diff(want, viewOf(r.Snapshot()), cmpopts.EquateEmpty()); diff != "" {
				rt.Fatalf("%s:\n%s", name, diff)
			}
		}
	})
}

func siteIDs(s *registry.Snapshot) (all []string) {
	for _, site := range s.Sites() {
		all = append(all, site.ID)
	}
	return all
}

func districtIDs(s *registry.Snapshot) (all []string) {
	for _, district := range s.Districts() {
		all = append(all, district.ID)
	}
	return all
}
