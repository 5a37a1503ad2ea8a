package registry_test

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/lamppost-city/lamppost/registry"
	"github.com/lamppost-city/lamppost/telemetry"
)

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
			if line := strings.Split(text, "\n")[1]; line != "lamp-1,"+want+",,,,,,,,0,no2" {
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
	want := exported + "\n" + `loop-1,"Lane 1, inbound",bridge,Stone Bridge,old-town,Old Town,13.4,52.5,gateway-7,60,intensity speed` + "\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}

// Generators of what may be registered.
var (
	slugs  = rapid.StringMatching(`[a-z0-9][a-z0-9-]{1,8}x`).Filter(func(s string) bool { return !slices.Contains(quantityNames(), s) })
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
		from := openAt(rt, newFile(rt, fmt.Sprintf("%s-%d-a.db", empty, n)), testConfig())
		into := openAt(rt, newFile(rt, fmt.Sprintf("%s-%d-b.db", empty, n)), testConfig())
		var districts, sites []string
		put := func(done registry.Outcome, err error) {
			if err != nil {
				rt.Fatal(err)
			}
		}
		for _, id := range rapid.SliceOfNDistinct(slugs, 0, 2, rapid.ID).Draw(rt, "districts") {
			districts = append(districts, id)
			put(from.PutDistrict(t.Context(), by, registry.District{ID: id, Title: titles.Draw(rt, "district title")}))
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

func FuzzImport(f *testing.F) {
	f.Add([]byte(cityCSV(3)))
	f.Add([]byte("\ufeff" + strings.ReplaceAll(header, ",", ";") + "\r\nlamp-1;'=x;park;\"a;b\";;13,4;-0,5;;1,5;no2\r\n"))
	f.Add([]byte(header + "\nlamp-1,\"open\nlamp-2,,,,,,,,,no2\n"))
	f.Add([]byte(header + "\nlamp-1,,park,P,d1,1,2,,,no2\nlamp-2,,park,,,,,,,no2\nlamp-2,\xff\n,,,,,,,,,\n"))
	f.Add([]byte(exported + "\nlamp-1,,park,P,d1,'=One,1,2,,,no2\nlamp-2,,pier,P,d1,,1,2,,,no2\n"))
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
