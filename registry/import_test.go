package registry_test

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/lamppost-city/lamppost/registry"
)

const (
	// header is that of files without titles of districts; exported is what Export writes.
	header   = "sensor,title,site,site_title,district,lon,lat,publisher,cadence_s,quantities"
	exported = "sensor,title,site,site_title,district,district_title,lon,lat,publisher,cadence_s,quantities"
)

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

func TestImportTakesTheTitlesOfDistricts(t *testing.T) {
	r := open(t)
	row := func(sensor, site, district, title string) string {
		return "\n" + sensor + ",," + site + ",," + district + "," + title + ",1,2,,,no2"
	}
	title := func(id string) string {
		d, _ := r.Snapshot().District(id)
		return d.Title
	}
	// One row of a district is enough.
	report, err := importText(t, r, exported+row("air-1", "quay", "dock", "")+row("air-2", "pier", "dock", "The Docks")+row("air-3", "hill", "upper", ""))
	if err != nil || report.DistrictsCreated != 2 || title("dock") != "The Docks" || title("upper") != "upper" {
		t.Fatalf("%v: %+v; dock is %q, upper %q", err, report, title("dock"), title("upper"))
	}
	report, err = importText(t, r, exported+row("air-1", "quay", "dock", "")+row("air-3", "hill", "upper", "Upper Town"))
	if err != nil || report.DistrictsUpdated != 1 || report.Unchanged != 2 || title("dock") != "The Docks" || title("upper") != "Upper Town" {
		t.Fatalf("%v: %+v; dock is %q, upper %q", err, report, title("dock"), title("upper"))
	}
	other := open(t)
	if report, err := importText(t, other, export(t, r)); err != nil || report.DistrictsCreated != 2 || export(t, other) != export(t, r) {
		t.Errorf("exported and imported elsewhere: %v, %+v\n%s", err, report, export(t, other))
	}
}

func TestImportToleratesWhatSpreadsheetsWrite(t *testing.T) {
	comma := header + "\nlamp-1,Müller,park,Park,,13.405,-0.5,,1.5,no2\n"
	european := strings.ReplaceAll(header, ",", ";") + "\nlamp-1;Müller;park;Park;;13,405;-0,5;;1,5;no2\n"
	for rule, text := range map[string]string{
		"without district_title": comma,
		"as exported":            exported + "\nlamp-1,Müller,park,Park,,,13.405,-0.5,,1.5,no2\n",
		"byte order mark":        "\ufeff" + comma,
		"CRLF":                   strings.ReplaceAll(comma, "\n", "\r\n"),
		"no newline at the end":  strings.TrimSuffix(comma, "\n"),
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
			want := exported + "\nlamp-1,Müller,park,Park,,,13.405,-0.5,,1.5,no2\n"
			if got := export(t, r); got != want {
				t.Errorf("imported as\n%s", got)
			}
		})
	}
}

// faultyFile is a file that Import refuses.
type faultyFile struct {
	rule, text string
	// want are the faults; of each message only a part.
	want []registry.CellError
}

func (f faultyFile) check(t *testing.T) {
	t.Helper()
	r := open(t)
	report, err := importText(t, r, f.text)
	if !errors.Is(err, registry.ErrImport) {
		t.Fatalf("error is %v", err)
	}
	contains := cmp.Comparer(func(a, b registry.CellError) bool {
		return a.Row == b.Row && a.Column == b.Column &&
			(strings.Contains(a.Message, b.Message) || strings.Contains(b.Message, a.Message))
	})
	if diff := cmp.Diff(f.want, report.Errors, contains); diff != "" {
		t.Error(diff)
	}
	if report.Created+report.Updated+report.Unchanged != 0 || r.Snapshot().Version != 0 {
		t.Errorf("something was done: %+v, version %d", report, r.Snapshot().Version)
	}
}

func TestImportNamesEveryFaultOfTheFile(t *testing.T) {
	for _, test := range []faultyFile{
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
	} {
		t.Run(test.rule, func(t *testing.T) { test.check(t) })
	}
}

func TestImportNamesEveryFaultByRowAndColumn(t *testing.T) {
	for _, test := range []faultyFile{
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
			header + "\nlamp-1\nlamp-\"2,,,,,,,,,no2\nlamp-3,M\xfcller,,,,,,,,no2\nlamp-4,,,,,,,,,\nspeed,,,,,,,,,no2\nexport,,,,,,,,,no2\n",
			[]registry.CellError{
				{Row: 2, Message: "the row has 1 cells, the header has 10"},
				{Row: 3, Message: "quote"},
				{Row: 4, Column: "title", Message: "UTF-8"},
				{Row: 5, Column: "quantities", Message: "none is given"},
				{Row: 6, Column: "sensor", Message: "name of a quantity"},
				{Row: 7, Column: "sensor", Message: "command of the API"},
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
	} {
		t.Run(test.rule, func(t *testing.T) { test.check(t) })
	}
}

func TestImportNamesEveryFaultBetweenRows(t *testing.T) {
	for _, test := range []faultyFile{
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
			"titles of districts without an id, too long, or that do not agree",
			exported + "\nlamp-1,,park,,,Old Town,1,2,,,no2\nlamp-2,,pier,,aa,One,1,2,,,no2\nlamp-3,,quay,,aa,Two,1,2,,,no2\nlamp-4,,hill,,bb," +
				strings.Repeat("x", 201) + ",1,2,,,no2\n",
			[]registry.CellError{
				{Row: 2, Column: "district", Message: `the title "Old Town"; give the district's id`},
				{Row: 4, Column: "district_title", Message: `is "Two", but row 3 says "One" of the same district aa`},
				{Row: 5, Column: "district_title", Message: "201 characters"},
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
		t.Run(test.rule, func(t *testing.T) { test.check(t) })
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
	done, err := importText(t, r, text)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(dry, done, cmpopts.IgnoreFields(registry.ImportReport{}, "DryRun")); diff != "" {
		t.Error(diff)
	}
	if done.Created != 1 || done.Updated != 1 || done.Unchanged != 1 {
		t.Errorf("%+v", done)
	}
}
