package registry_test

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/lamppost-city/lamppost/registry"
	"github.com/lamppost-city/lamppost/telemetry"
)

const header = "sensor,title,site,site_title,district,lon,lat,publisher,cadence_s,quantities"

// cityCSV returns a file of n sensors on sites of five.
func cityCSV(n int) string {
	var csv strings.Builder
	csv.WriteString(header + "\n")
	for i := range n {
		fmt.Fprintf(&csv, "lamp-%06d,Lamp %d,site-%05d,\"Site, %d\",district-%02d,%.5f,%.5f,,60,active_power temperature\n",
			i, i, i/5, i/5, i/5%20, 13+float64(i/5)*1e-5, 52+float64(i/5)*1e-5)
	}
	return csv.String()
}

func importText(t testing.TB, r *registry.Registry, text string) (registry.ImportReport, error) {
	t.Helper()
	return r.Import(t.Context(), strings.NewReader(text), registry.ImportOptions{By: by})
}

func export(t testing.TB, r *registry.Registry) string {
	t.Helper()
	var out bytes.Buffer
	if err := r.Export(t.Context(), &out, registry.Filter{}); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestImportCreatesChangesAndLeaves(t *testing.T) {
	r := open(t)
	first := header + `
loop-1,"Lane 1, ""inbound""",bridge,Stone Bridge,old-town,13.4,52.5,gateway-7,60,speed intensity
loop-2,,bridge,Stone Bridge,old-town,13.4,52.5,gateway-7,0.5,speed
lamp-1,Lamp,,,,,,,,active_power
`
	report, err := importText(t, r, first)
	if err != nil {
		t.Fatalf("%v: %+v", err, report)
	}
	want := registry.ImportReport{Rows: 3, Created: 3, SitesCreated: 1, DistrictsCreated: 1}
	if diff := cmp.Diff(want, report, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
	got := must[registry.Sensor](t)(r.GetSensor(t.Context(), "loop-1"))
	wantSensor := registry.Sensor{
		ID: "loop-1", Title: `Lane 1, "inbound"`, Site: "bridge", Publisher: "gateway-7",
		Quantities: []string{"intensity", "speed"}, Cadence: time.Minute,
	}
	if diff := cmp.Diff(wantSensor, got, cmpopts.IgnoreFields(registry.Sensor{}, "CreatedAt", "UpdatedAt")); diff != "" {
		t.Error(diff)
	}
	if s, _ := r.Snapshot().Sensor("loop-2"); s.Title != "loop-2" || s.Cadence != 500*time.Millisecond {
		t.Errorf("loop-2 is %+v", s)
	}
	site, _ := r.Snapshot().Site("bridge")
	if diff := cmp.Diff(&registry.Site{ID: "bridge", Title: "Stone Bridge", District: "old-town", Lon: 13.4, Lat: 52.5}, site); diff != "" {
		t.Error(diff)
	}

	second := header + `
loop-1,,bridge,,,,,gateway-7,60,intensity speed
loop-2,Changed,bridge,,,,,gateway-7,0.5,speed
lamp-2,New,park,,,1,2,,,active_power
`
	report, err = importText(t, r, second)
	if err != nil {
		t.Fatalf("%v: %+v", err, report)
	}
	want = registry.ImportReport{Rows: 3, Created: 1, Updated: 1, Unchanged: 1, SitesCreated: 1}
	if diff := cmp.Diff(want, report, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
	if s, _ := r.Snapshot().Sensor("loop-1"); s.Title != `Lane 1, "inbound"` {
		t.Errorf("an empty title did not leave the title: %q", s.Title)
	}
	if _, ok := r.Snapshot().Sensor("lamp-1"); !ok {
		t.Error("a sensor that is not in the file is gone")
	}

	report, err = importText(t, r, header+"\nloop-1,,bridge,Wood Bridge,,13.4,52.5,gateway-7,60,intensity speed\n")
	if err != nil || report.Updated != 1 || report.SitesUpdated != 1 {
		t.Errorf("a row that changes only its site: %+v, %v", report, err)
	}
}

func TestImportToleratesWhatSpreadsheetsWrite(t *testing.T) {
	comma := header + "\nlamp-1,Müller,park,Park,,13.405,-0.5,,1.5,no2\n"
	european := strings.ReplaceAll(header, ",", ";") + "\nlamp-1;Müller;park;Park;;13,405;-0,5;;1,5;no2\n"
	for rule, text := range map[string]string{
		"as exported":           comma,
		"byte order mark":       "\ufeff" + comma,
		"CRLF":                  strings.ReplaceAll(comma, "\n", "\r\n"),
		"no newline at the end": strings.TrimSuffix(comma, "\n"),
		"semicolons, decimal commas, mark and CRLF": "\ufeff" + strings.ReplaceAll(european, "\n", "\r\n"),
		"semicolons, decimal points":                strings.ReplaceAll(european, ",", "."),
		"rows of empty cells at the end":            comma + ",,,,,,,,,\n , ,,,,,,,,\n\n",
		"quotes around everything":                  strings.ReplaceAll(`"`+strings.ReplaceAll(strings.TrimSuffix(comma, "\n"), "\n", "\"\n\"")+`"`, ",", `","`),
		"spaces around cells":                       strings.ReplaceAll(comma, ",", " , "),
		"columns in another order": "quantities,cadence_s,publisher,lat,lon,district,site_title,site,title,sensor\n" +
			"no2,1.5,,-0.5,13.405,,Park,park,Müller,lamp-1\n",
		"scientific notation": strings.Replace(comma, "13.405", "1.3405E+01", 1),
	} {
		t.Run(rule, func(t *testing.T) {
			r := open(t)
			report, err := importText(t, r, text)
			if err != nil || report.Created != 1 {
				t.Fatalf("%v: %+v", err, report)
			}
			if got := export(t, r); got != comma {
				t.Errorf("imported as\n%s", got)
			}
		})
	}
}

func TestImportNamesEveryFaultByRowAndColumn(t *testing.T) {
	for _, test := range []struct {
		rule, text string
		want       []registry.CellError // Message: what it must contain
	}{
		{"empty file", "", []registry.CellError{{Row: 1, Message: "begin the file with sensor,title"}}},
		{"unknown, missing and double columns", "sensor,sensor,colour\n", []registry.CellError{
			{Row: 1, Column: "sensor", Message: "twice"},
			{Row: 1, Message: `no column is called "colour"`},
			{Row: 1, Column: "title", Message: "missing"},
			{Row: 1, Column: "site", Message: "missing"},
			{Row: 1, Column: "site_title", Message: "missing"},
			{Row: 1, Column: "district", Message: "missing"},
			{Row: 1, Column: "lon", Message: "missing"},
			{Row: 1, Column: "lat", Message: "missing"},
			{Row: 1, Column: "publisher", Message: "missing"},
			{Row: 1, Column: "cadence_s", Message: "missing"},
			{Row: 1, Column: "quantities", Message: "missing"},
		}},
		{"UTF-16", "\xff\xfes\x00e\x00", []registry.CellError{{Message: "UTF-16"}}},
		{
			"every cell of a row",
			header + "\nBad Id,,Bad Site,,Bad District,200,x,Bad Publisher,soon,magic no2 no2\n",
			[]registry.CellError{
				{Row: 2, Column: "cadence_s", Message: `"soon" is not a number`},
				{Row: 2, Column: "sensor", Message: "only a-z"},
				{Row: 2, Column: "site", Message: "only a-z"},
				{Row: 2, Column: "publisher", Message: "only a-z"},
				{Row: 2, Column: "quantities", Message: `no quantity "magic"`},
				{Row: 2, Column: "quantities", Message: `"no2" is given twice`},
				{Row: 2, Column: "lat", Message: `"x" is not a number`},
				{Row: 2, Column: "district", Message: "only a-z"},
				{Row: 2, Column: "lon", Message: "out of range"},
			},
		},
		{
			"several rows, also after one with too few cells, wrong quotes or wrong encoding",
			header + "\nlamp-1\nlamp-\"2,,,,,,,,,no2\nlamp-3,M\xfcller,,,,,,,,no2\nlamp-4,,,,,,,,,\nspeed,,,,,,,,,no2\n",
			[]registry.CellError{
				{Row: 2, Message: "the row has 1 cells, the header has 10"},
				{Row: 3, Message: "quote"},
				{Row: 4, Column: "title", Message: "UTF-8"},
				{Row: 5, Column: "quantities", Message: "none is given"},
				{Row: 6, Column: "sensor", Message: "name of a quantity"},
			},
		},
		{
			"rows count lines, also below a cell of several lines",
			header + "\nlamp-1,\"two\nlines\",,,,,,,,no2\nlamp-2,,,,,,,,x,no2\n",
			[]registry.CellError{
				{Row: 2, Column: "title", Message: "line break"},
				{Row: 4, Column: "cadence_s", Message: "not a number"},
			},
		},
		{
			"rows of a site that do not agree",
			header + "\nlamp-1,,park,Park,aa,1,2,,,no2\nlamp-2,,park,Park,bb,1,2,,,no2\nlamp-3,,park,,aa,1,3,,,no2\n",
			[]registry.CellError{
				{Row: 3, Column: "district", Message: `is "bb", but row 2 says "aa" of the same site park`},
				{Row: 4, Column: "site_title", Message: "row 2"},
				{Row: 4, Column: "lat", Message: "is 3, but row 2 says 2"},
			},
		},
		{
			"a sensor twice",
			header + "\nlamp-1,,,,,,,,,no2\nlamp-2,,,,,,,,,no2\nlamp-1,,,,,,,,,no2\n",
			[]registry.CellError{{Row: 4, Column: "sensor", Message: `"lamp-1" is in row 2 as well`}},
		},
		{
			"sites without an id, without a position, or not registered",
			header + "\nlamp-1,,,,,1,2,,,no2\nlamp-2,,park,Park,,,,,,no2\nlamp-3,,pier,,,,,,,no2\nlamp-4,,park,,,,,,,no2\n",
			[]registry.CellError{
				{Row: 2, Column: "site", Message: "give the site's id"},
				{Row: 3, Column: "lon", Message: "is empty"},
				{Row: 3, Column: "lat", Message: "is empty"},
				{Row: 4, Column: "site", Message: `no site "pier" is registered`},
			},
		},
		{
			"numbers that only computers write",
			header + "\nlamp-1,,,,,,,,inf,no2\nlamp-2,,,,,,,,0x1p4,no2\nlamp-3,,,,,,,,-1,no2\nlamp-4,,,,,,,,0.0005,no2\nlamp-5,,,,,,,,1e300,no2\nlamp-6,,pp,,,NaN,1,,,no2\n",
			[]registry.CellError{
				{Row: 2, Column: "cadence_s", Message: "not a number"},
				{Row: 3, Column: "cadence_s", Message: "not a number"},
				{Row: 4, Column: "cadence_s", Message: "out of range"},
				{Row: 5, Column: "cadence_s", Message: "whole number of milliseconds"},
				{Row: 6, Column: "cadence_s", Message: "out of range"},
				{Row: 7, Column: "lon", Message: "not a number"},
			},
		},
	} {
		t.Run(test.rule, func(t *testing.T) {
			r := open(t)
			report, err := importText(t, r, test.text+"\n"+"good-1,,,,,,,,,no2\n")
			if test.text == "" {
				report, err = importText(t, r, "")
			}
			if !errors.Is(err, registry.ErrImport) {
				t.Fatalf("error is %v", err)
			}
			contains := cmp.Comparer(func(a, b registry.CellError) bool {
				return a.Row == b.Row && a.Column == b.Column &&
					(strings.Contains(a.Message, b.Message) || strings.Contains(b.Message, a.Message))
			})
			if diff := cmp.Diff(test.want, report.Errors, contains); diff != "" {
				t.Error(diff)
			}
			if report.Created+report.Updated+report.Unchanged != 0 || r.Snapshot().Version != 0 {
				t.Errorf("something was done: %+v, version %d", report, r.Snapshot().Version)
			}
		})
	}
}

func TestImportBoundsItsReportAndItsInput(t *testing.T) {
	cfg := testConfig()
	cfg.MaxImportBytes = 100_000
	r := openAt(t, filepath.Join(t.TempDir(), "registry.db"), cfg)
	report, err := importText(t, r, header+"\n"+strings.Repeat("x,,,,,,,,,\n", 5000))
	if !errors.Is(err, registry.ErrImport) || len(report.Errors) != 1000 || !report.Truncated {
		t.Errorf("%d errors, %v", len(report.Errors), err)
	}
	report, err = importText(t, r, cityCSV(5000))
	want := []registry.CellError{{Message: "the file is larger than 100000 bytes; import it in several parts"}}
	if diff := cmp.Diff(want, report.Errors); diff != "" || !errors.Is(err, registry.ErrImport) {
		t.Errorf("%v\n%s", err, diff)
	}
}

func TestDryRunReportsTheSameAndChangesNothing(t *testing.T) {
	r := open(t)
	furnish(t, r)
	version := r.Snapshot().Version
	text := header + "\nair-1,Renamed,park,,,,,,1.5,no2\nlamp-1,,pier,,dock,1,1,,,no2\ngateway-7,,,,,,,,,temperature\n"
	dry, err := r.Import(t.Context(), strings.NewReader(text), registry.ImportOptions{By: by, DryRun: true})
	if err != nil || !dry.DryRun || r.Snapshot().Version != version {
		t.Fatalf("%v: %+v, version %d", err, dry, r.Snapshot().Version)
	}
	real, err := importText(t, r, text)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(dry, real, cmpopts.IgnoreFields(registry.ImportReport{}, "DryRun")); diff != "" {
		t.Error(diff)
	}
	if real.Created != 1 || real.Updated != 1 || real.Unchanged != 1 {
		t.Errorf("%+v", real)
	}
}

func TestExportedTitleIsNoFormula(t *testing.T) {
	for title, want := range map[string]string{
		`=cmd|' /C calc'!A0`:    `'=cmd|' /C calc'!A0`,
		"+1":                    "'+1",
		"-5 m bridge":           "'-5 m bridge",
		"@home":                 "'@home",
		"＝1":                    "'＝1",
		"'s-Gravenhage":         "'s-Gravenhage",
		"'=1":                   `''=1`,
		"''quoted":              `'''quoted`,
		"a;=1":                  `a;'=1`,
		"lane 1, -2 m, + 3":     `"lane 1,' -2 m,' + 3"`,
		"ordinary - text = not": "ordinary - text = not",
	} {
		t.Run(title, func(t *testing.T) {
			r := open(t)
			sensor := registry.Sensor{ID: "lamp-1", Title: title, Quantities: []string{"no2"}}
			must[registry.Outcome](t)(r.PutSensor(t.Context(), by, sensor))
			text := export(t, r)
			if line := strings.Split(text, "\n")[1]; line != "lamp-1,"+want+",,,,,,,0,no2" {
				t.Errorf("exported as %s", line)
			}
			if report, err := importText(t, r, text); err != nil || report.Unchanged != 1 {
				t.Errorf("imported again: %+v, %v", report, err)
			}
		})
	}
}

func TestExportFollowsTheFilter(t *testing.T) {
	r := open(t)
	furnish(t, r)
	var out bytes.Buffer
	if err := r.Export(t.Context(), &out, registry.Filter{District: "old-town", Domain: telemetry.Traffic}); err != nil {
		t.Fatal(err)
	}
	want := header + "\n" + `loop-1,"Lane 1, inbound",bridge,Stone Bridge,old-town,13.4,52.5,gateway-7,60,intensity speed` + "\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}

// Generators of what may be registered.
var (
	slugs  = rapid.StringMatching(`[a-z0-9][a-z0-9-]{1,8}x`) // the x keeps it from being a quantity
	titles = rapid.OneOf(
		rapid.StringOfN(rapid.RuneFrom([]rune(`=+-@;,"' ab|'=`+"＝\u00a0ß")), 0, 12, -1),
		rapid.StringN(0, 30, -1).Filter(func(s string) bool {
			return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029 })
		}),
	)
)

func quantityNames() []string {
	var names []string
	for _, q := range telemetry.Quantities() {
		names = append(names, q.Name)
	}
	return names
}

func drawSite(t *rapid.T, districts []string) registry.Site {
	return registry.Site{
		ID:       slugs.Draw(t, "site"),
		Title:    titles.Draw(t, "site title"),
		District: rapid.SampledFrom(append(districts, "")).Draw(t, "district"),
		Lon:      rapid.Float64Range(-180, 180).Draw(t, "lon"),
		Lat:      rapid.Float64Range(-90, 90).Draw(t, "lat"),
	}
}

func drawSensor(t *rapid.T, sites []string) registry.Sensor {
	quantities := rapid.SliceOfNDistinct(rapid.SampledFrom(quantityNames()), 1, 4, rapid.ID).Draw(t, "quantities")
	return registry.Sensor{
		ID:         telemetry.SensorID(slugs.Draw(t, "sensor")),
		Title:      titles.Draw(t, "title"),
		Site:       rapid.SampledFrom(append(sites, "")).Draw(t, "at"),
		Publisher:  telemetry.SensorID(rapid.OneOf(slugs, rapid.Just("")).Draw(t, "publisher")),
		Quantities: quantities,
		Cadence:    time.Duration(rapid.Int64Range(0, registry.MaxCadence.Milliseconds()).Draw(t, "cadence")) * time.Millisecond,
	}
}

func TestExportThenImportChangesNothing(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty")
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		from := openAt(t, fmt.Sprintf("%s-%d-a.db", empty, n), testConfig())
		into := openAt(t, fmt.Sprintf("%s-%d-b.db", empty, n), testConfig())
		var districts, sites []string
		put := func(done registry.Outcome, err error) {
			if err != nil {
				rt.Fatal(err)
			}
		}
		for _, id := range rapid.SliceOfNDistinct(slugs, 0, 2, rapid.ID).Draw(rt, "districts") {
			districts = append(districts, id)
			put(from.PutDistrict(t.Context(), by, registry.District{ID: id}))
		}
		for range rapid.IntRange(0, 3).Draw(rt, "number of sites") {
			site := drawSite(rt, slices.Clone(districts))
			sites = append(sites, site.ID)
			put(from.PutSite(t.Context(), by, site))
		}
		for range rapid.IntRange(0, 6).Draw(rt, "number of sensors") {
			put(from.PutSensor(t.Context(), by, drawSensor(rt, slices.Clone(sites))))
		}
		text := export(t, from)
		report, err := importText(t, from, text)
		if err != nil || report.Unchanged != report.Rows {
			rt.Fatalf("into itself: %v: %+v\n%s", err, report, text)
		}
		if report, err = importText(t, into, text); err != nil || report.Created != report.Rows {
			rt.Fatalf("into an empty registry: %v: %+v\n%s", err, report, text)
		}
		if again := export(t, into); again != text {
			rt.Fatalf("exported again:\n%s", cmp.Diff(text, again))
		}
	})
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
		path := filepath.Join(dir, fmt.Sprintf("%d.db", n))
		writer, follower := openAt(t, path, testConfig()), openAt(t, path, testConfig())
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
		want := viewOf(openAt(t, path, testConfig()).Snapshot())
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

func FuzzImport(f *testing.F) {
	f.Add([]byte(cityCSV(3)))
	f.Add([]byte("\ufeff" + strings.ReplaceAll(header, ",", ";") + "\r\nlamp-1;'=x;park;\"a;b\";;13,4;-0,5;;1,5;no2\r\n"))
	f.Add([]byte(header + "\nlamp-1,\"open\nlamp-2,,,,,,,,,no2\n"))
	f.Add([]byte(header + "\nlamp-1,,park,P,d1,1,2,,,no2\nlamp-2,,park,,,,,,,no2\nlamp-2,\xff\n,,,,,,,,,\n"))
	f.Add([]byte("\xff\xfes\x00"))
	r := open(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		version := r.Snapshot().Version
		dry, err := r.Import(t.Context(), bytes.NewReader(text), registry.ImportOptions{By: by, DryRun: true})
		if r.Snapshot().Version != version {
			t.Fatal("a dry run changed something")
		}
		if (err != nil) != (len(dry.Errors) > 0) || err == nil && dry.Created+dry.Updated+dry.Unchanged != dry.Rows {
			t.Fatalf("%v: %+v", err, dry)
		}
		if err != nil {
			return
		}
		if report, err := r.Import(t.Context(), bytes.NewReader(text), registry.ImportOptions{By: by}); err != nil || report.Rows != dry.Rows {
			t.Fatalf("%v: %+v, dry %+v", err, report, dry)
		}
		exported := export(t, r)
		if report, err := importText(t, r, exported); err != nil || report.Unchanged != report.Rows {
			t.Fatalf("%v: %+v\n%s", err, report, exported)
		}
		for _, s := range r.Snapshot().Sensors() { // the next input meets an empty registry again
			if err := r.DeleteSensor(t.Context(), by, s.ID); err != nil {
				t.Fatal(err)
			}
		}
	})
}
