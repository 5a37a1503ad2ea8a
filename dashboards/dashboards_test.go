package dashboards_test

import (
	"encoding/json"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/lamppost-city/lamppost/dashboards"
	"github.com/lamppost-city/lamppost/dashboards/datasource/question"
	"github.com/lamppost-city/lamppost/telemetry"
)

// Grafana draws rows of 30 pixels with 8 between.
const (
	columns  = 24
	row, gap = 30, 8
	// header and margin are what Grafana 12.3 takes for itself above and below in kiosk mode; a header of two lines is where
	// several variables do not fit beside one another on a laptop.
	header, twoLines, margin = 65, 105, 16
)

func TestEveryDashboardFitsAWallAndALaptop(t *testing.T) {
	for _, d := range dashboards.All() {
		bottom := 0
		for _, p := range d.Panels {
			bottom = max(bottom, p.GridPos.Y+p.GridPos.H)
		}
		above := header
		if len(d.Templating.List) > 1 {
			above = twoLines
		}
		if pixels := header + bottom*(row+gap) - gap + margin; pixels > 1080 || pixels < 1080-2*(row+gap) {
			t.Errorf("%s is %d pixels high; a wall has 1080, and should be full", d.UID, pixels)
		}
		if pixels := above + fitted(d.Panels, 768-above-margin)*(row+gap) - gap; pixels > 768 {
			t.Errorf("%s, fitted into a laptop's screen, is %d pixels high; it has 768", d.UID, pixels)
		}
	}
}

// fitted is how many rows high the panels are where Grafana fits them into so many pixels (autofitpanels): it rounds places and
// heights to whole rows, and then lets every panel down where another one is, or up where nothing is.
func fitted(panels []dashboards.Panel, pixels int) (bottom int) {
	for _, p := range panels {
		bottom = max(bottom, p.GridPos.Y+p.GridPos.H)
	}
	scale := float64((pixels-4*gap)/(row+gap)) / float64(bottom)
	inOrder := slices.Clone(panels)
	slices.SortStableFunc(inOrder, func(a, b dashboards.Panel) int { return a.GridPos.Y - b.GridPos.Y })
	var ends [columns]int
	for _, p := range inOrder {
		under := slices.Max(ends[p.GridPos.X : p.GridPos.X+p.GridPos.W])
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			ends[x] = under + max(1, int(math.Round(float64(p.GridPos.H)*scale)))
		}
	}
	return slices.Max(ends[:])
}

func TestPanelsCoverTheGridWithoutOverlap(t *testing.T) {
	for _, d := range dashboards.All() {
		taken := map[[2]int]string{}
		bottom := 0
		for _, p := range d.Panels {
			g := p.GridPos
			if g.X < 0 || g.Y < 0 || g.W < 3 || g.H < 3 || g.X+g.W > columns {
				t.Errorf("%s, %s: %+v is outside the grid, or too small to read", d.UID, p.Title, g)
			}
			bottom = max(bottom, g.Y+g.H)
			for x := g.X; x < g.X+g.W; x++ {
				for y := g.Y; y < g.Y+g.H; y++ {
					if other, ok := taken[[2]int{x, y}]; ok {
						t.Fatalf("%s: %s lies upon %s", d.UID, p.Title, other)
					}
					taken[[2]int{x, y}] = p.Title
				}
			}
		}
		if len(taken) != columns*bottom {
			t.Errorf("%s has %d free cells", d.UID, columns*bottom-len(taken))
		}
	}
}

func TestEveryPanelSaysWhatItIs(t *testing.T) {
	for _, d := range dashboards.All() {
		if d.Title == "" || d.Description == "" || d.SchemaVersion < 41 || d.Refresh == "" {
			t.Errorf("%s: title %q, description %q, schema version %d, refresh %q", d.UID, d.Title, d.Description, d.SchemaVersion, d.Refresh)
		}
		ids, titles := map[int]bool{}, map[string]bool{}
		for _, p := range d.Panels {
			if ids[p.ID] || p.ID < 1 {
				t.Errorf("%s, %s: the number %d is not its own", d.UID, p.Title, p.ID)
			}
			if titles[p.Title] || p.Title == "" {
				t.Errorf("%s: the title %q is not one panel's", d.UID, p.Title)
			}
			ids[p.ID], titles[p.Title] = true, true
			if len(p.Description) < 15 || !strings.HasSuffix(p.Description, ".") {
				t.Errorf("%s, %s: %q does not describe it", d.UID, p.Title, p.Description)
			}
			if p.FieldConfig.Defaults.NoValue == "" {
				t.Errorf("%s, %s: nothing is said where there is nothing to show", d.UID, p.Title)
			}
			if p.Options == nil || len(p.Targets) == 0 || p.Datasource.UID != "lamppost" {
				t.Errorf("%s, %s: options, queries or data source are missing", d.UID, p.Title)
			}
		}
	}
}

// A table's and a map's columns bring their units with them, and so do lines of whatever the sensor of the sensor dashboard
// measures; states have none.
func TestEveryPanelOfOneQuantityHasItsUnit(t *testing.T) {
	without := []string{"table", "geomap", "state-timeline", "xychart"}
	for _, d := range dashboards.All() {
		for _, p := range d.Panels {
			own := slices.Contains(without, p.Type) || d.UID == "lamppost-sensor" && (p.Type == "timeseries" || p.Title == "State")
			if !own && p.FieldConfig.Defaults.Unit == "" {
				t.Errorf("%s, %s has no unit", d.UID, p.Title)
			}
		}
	}
}

// expanded is a query as the data source gets it: a variable of which all is chosen is gone.
func expanded(q question.Query, chosen map[string]string) question.Query {
	for _, list := range []*[]string{&q.Quantities, &q.Domains, &q.Districts, &q.Sites, &q.Sensors} {
		var names []string
		for _, name := range *list {
			if !strings.HasPrefix(name, "$") {
				names = append(names, name)
			} else if value := chosen[name[1:]]; value != "" {
				names = append(names, value)
			}
		}
		*list = names
	}
	return q
}

func targets(d dashboards.Dashboard) map[string][]dashboards.Target {
	all := map[string][]dashboards.Target{}
	for _, p := range d.Panels {
		all[p.Title] = p.Targets
	}
	for _, a := range d.Annotations.List {
		all[a.Name] = []dashboards.Target{a.Target}
	}
	return all
}

func TestEveryQueryCanBeAsked(t *testing.T) {
	for _, d := range dashboards.All() {
		for of, list := range targets(d) {
			for _, target := range list {
				for _, chosen := range []map[string]string{{"sensor": "air-1"}, {"district": "harbour", "site": "quay", "sensor": "air-1", "quantity": "no2"}} {
					if err := expanded(target.Query, chosen).Check(); err != nil {
						t.Errorf("%s, %s, %s with %v: %v", d.UID, of, target.RefID, chosen, err)
					}
				}
				for _, name := range target.Quantities {
					if _, ok := telemetry.QuantityByName(name); !ok && !strings.HasPrefix(name, "$") {
						t.Errorf("%s, %s: no quantity is called %s", d.UID, of, name)
					}
				}
			}
		}
	}
}

func TestVariablesAreDefinedWhereTheyAreUsed(t *testing.T) {
	used := regexp.MustCompile(`"\$([a-z]+)"|\$\{([a-z]+):queryparam\}`)
	for _, d := range dashboards.All() {
		defined := map[string]bool{}
		for _, v := range d.Templating.List {
			text, err := json.Marshal(v.Query)
			if err != nil {
				t.Fatal(err)
			}
			for _, match := range used.FindAllStringSubmatch(string(text), -1) {
				if !defined[match[1]] {
					t.Errorf("%s: variable %s depends on %s, which does not come before it", d.UID, v.Name, match[1])
				}
			}
			if v.Label == "" || v.Description == "" {
				t.Errorf("%s: variable %s does not say what it is", d.UID, v.Name)
			}
			defined[v.Name] = true
		}
		text, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range used.FindAllStringSubmatch(string(text), -1) {
			if name := match[1] + match[2]; !defined[name] {
				t.Errorf("%s uses the variable %s and does not define it", d.UID, name)
			}
		}
	}
}

func TestLinksLeadSomewhereAndKeepTimeAndVariables(t *testing.T) {
	defined := map[string][]string{}
	for _, d := range dashboards.All() {
		defined[d.UID] = nil
		for _, v := range d.Templating.List {
			defined[d.UID] = append(defined[d.UID], v.Name)
		}
	}
	address := regexp.MustCompile(`"(/d/[^"]*)"`)
	given := regexp.MustCompile(`\$\{([a-z]+):queryparam\}|var-([a-z]+)=`)
	for _, d := range dashboards.All() {
		led := map[string]bool{}
		for _, l := range d.Links {
			if l.Type == "dashboards" && l.AsDropdown && slices.Equal(l.Tags, d.Tags) { // a list of all that have the tag
				for uid := range defined {
					led[uid] = uid != d.UID
				}
				delete(led, d.UID)
				continue
			}
			led[strings.TrimPrefix(l.URL, "/d/")] = true
			if !l.KeepTime || !l.IncludeVars || l.Title == "" {
				t.Errorf("%s: the link %q does not keep time and variables", d.UID, l.Title)
			}
		}
		if len(led) != len(defined)-1 || led[d.UID] {
			t.Errorf("%s leads to %v and not to each of the others", d.UID, led)
		}
		for _, p := range d.Panels { // a time of its own is not what the dashboard is about
			for _, l := range slices.Concat(p.Links, p.FieldConfig.Defaults.Links) {
				if keeps := strings.Contains(l.URL, "${__url_time_range}"); keeps != (p.TimeFrom == "") {
					t.Errorf("%s, %s: its own time is %q, and that its link %s keeps the time is %v", d.UID, p.Title, p.TimeFrom, l.URL, keeps)
				}
			}
		}
		d.Links = nil
		text, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range address.FindAllStringSubmatch(strings.ReplaceAll(string(text), `\u0026`, "&"), -1) {
			path, query, _ := strings.Cut(match[1], "?")
			target, ok := defined[strings.TrimPrefix(path, "/d/")]
			if !ok {
				t.Errorf("%s: %s leads nowhere", d.UID, match[1])
				continue
			}
			if !strings.HasPrefix(query, "${__url_time_range}") && query != "${district:queryparam}" {
				t.Errorf("%s: %s does not keep the time", d.UID, match[1])
			}
			var kept []string
			for _, name := range given.FindAllStringSubmatch(query, -1) {
				kept = append(kept, name[1]+name[2])
			}
			if !slices.Contains(kept, "district") {
				t.Errorf("%s: %s does not keep the district", d.UID, match[1])
			}
			for _, name := range kept {
				if !slices.Contains(target, name) {
					t.Errorf("%s: %s gives %s, which is no variable there", d.UID, match[1], name)
				}
			}
			if _, err := url.Parse(match[1]); err != nil {
				t.Errorf("%s: %v", d.UID, err)
			}
		}
	}
}

// Two people in a hundred cannot tell red from green. These are the colours of Okabe and Ito, and grey.
func TestOnlyColoursThatEverybodyTellsApart(t *testing.T) {
	fine := []string{"#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7", "#999999"}
	modes := []string{"fixed", "thresholds", "continuous-BlYlRd"}
	hex := regexp.MustCompile(`"(#[0-9A-Fa-f]{6})"`)
	mode := regexp.MustCompile(`"color":\{"mode":"([^"]+)"`)
	for _, d := range dashboards.All() {
		text, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range hex.FindAllStringSubmatch(string(text), -1) {
			if !slices.Contains(fine, match[1]) {
				t.Errorf("%s has the colour %s", d.UID, match[1])
			}
		}
		for _, match := range mode.FindAllStringSubmatch(string(text), -1) {
			if !slices.Contains(modes, match[1]) {
				t.Errorf("%s colours by %s", d.UID, match[1])
			}
		}
	}
}

func TestThresholdsRise(t *testing.T) {
	for _, d := range dashboards.All() {
		for _, p := range d.Panels {
			if p.FieldConfig.Defaults.Thresholds == nil {
				continue
			}
			for i, step := range p.FieldConfig.Defaults.Thresholds.Steps {
				steps := p.FieldConfig.Defaults.Thresholds.Steps
				if (step.Value == nil) != (i == 0) || i > 1 && *step.Value <= *steps[i-1].Value {
					t.Errorf("%s, %s: the bands do not rise from minus infinity", d.UID, p.Title)
				}
			}
		}
	}
}

// Blue and green are bands; a tile of which nothing is known, for instance because the server is away, must not have their colour.
func TestWhatHasNoValueIsGrey(t *testing.T) {
	for _, d := range dashboards.All() {
		for _, p := range d.Panels {
			if p.Type != "stat" && p.Type != "bargauge" {
				continue
			}
			if steps := p.FieldConfig.Defaults.Thresholds.Steps; steps[0].Color != "#999999" || *steps[1].Value > -1e6 {
				t.Errorf("%s, %s: what has no value is %s, and the lowest band begins at %v", d.UID, p.Title, steps[0].Color, *steps[1].Value)
			}
			if p.Type == "stat" && p.FieldConfig.Defaults.NoValue != "–" {
				t.Errorf("%s, %s claims %q where nothing is known", d.UID, p.Title, p.FieldConfig.Defaults.NoValue)
			}
		}
	}
}

// A table without rows says so in words, which must not stand in the cells that are empty in one that has rows.
func TestATableWithoutRowsSaysSo(t *testing.T) {
	for _, d := range dashboards.All() {
		for _, p := range d.Panels {
			if p.Type != "table" {
				continue
			}
			cells := slices.ContainsFunc(p.FieldConfig.Overrides, func(o dashboards.Override) bool {
				return o.Matcher.ID == "byRegexp" && slices.Contains(o.Properties, dashboards.Property{ID: "noValue", Value: "–"})
			})
			if p.FieldConfig.Defaults.NoValue != "Nothing to list" || !cells {
				t.Errorf("%s, %s: without rows it says %q", d.UID, p.Title, p.FieldConfig.Defaults.NoValue)
			}
		}
	}
}

// A list holds a thousand names at most. Grafana sends what is typed only to variables whose query has its name of that.
func TestVariablesSearchOnTheServer(t *testing.T) {
	for _, d := range dashboards.All() {
		for _, v := range d.Templating.List {
			if v.Query.Search != "$__searchFilter" {
				t.Errorf("%s: %s sends %q for what is typed", d.UID, v.Name, v.Query.Search)
			}
		}
	}
}

// Only sums fall where a step is not whole; of the others nothing should be left out.
func TestSumsByStepAreOfWholeSteps(t *testing.T) {
	for _, d := range dashboards.All() {
		for _, p := range d.Panels {
			for _, target := range p.Targets {
				sums := target.View == question.Steps && p.FieldConfig.Defaults.Unit == "short" || p.Type == "timeseries" && target.Aggregate == "sum"
				if target.Whole != sums {
					t.Errorf("%s, %s: of whole steps only is %v", d.UID, p.Title, target.Whole)
				}
			}
		}
	}
}

// What a silent sensor said last is of no use as a figure of now. Batteries are another matter: an empty one is why it is silent.
func TestFiguresOfNowAreOfSensorsThatReport(t *testing.T) {
	for _, d := range dashboards.All() {
		if d.UID == "lamppost-sensor" || d.UID == "lamppost-fleet" {
			continue
		}
		for _, p := range d.Panels {
			for _, target := range p.Targets {
				if target.Kind == question.Latest && !slices.Equal(target.States, []string{"ok"}) {
					t.Errorf("%s, %s counts sensors in the states %v", d.UID, p.Title, target.States)
				}
			}
		}
	}
}

func TestProvisionedFilesAreWhatTheCodeWrites(t *testing.T) {
	if err := dashboards.Check("provisioned"); err != nil {
		t.Errorf("%v\nrun `make dashboards`", err)
	}
}

func TestCheckFindsWhatDiffers(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "lamppost-old.json"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := dashboards.Check(dir)
	for _, part := range []string{"lamppost-old.json: no dashboard is written there", "lamppost-traffic.json: is missing"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%v does not say %q", err, part)
		}
	}
	if err := dashboards.Write(dir); err != nil {
		t.Fatal(err)
	}
	if err := dashboards.Check(dir); err != nil {
		t.Errorf("what was just written differs: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "lamppost-traffic.json"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := dashboards.Check(dir); err == nil || !strings.Contains(err.Error(), "lamppost-traffic.json: is not what the code writes") {
		t.Errorf("a changed file is not found: %v", err)
	}
}

// overridden returns the colour that an override by a pattern gives to a line of the name.
func overridden(t *testing.T, p dashboards.Panel, name string) string {
	t.Helper()
	for _, o := range p.FieldConfig.Overrides {
		pattern, ok := o.Matcher.Options.(string)
		if o.Matcher.ID != "byRegexp" || !ok || !regexp.MustCompile(strings.Trim(pattern, "/")).MatchString(name) {
			continue
		}
		for _, property := range o.Properties {
			if color, ok := property.Value.(dashboards.Color); ok {
				return color.FixedColor
			}
		}
	}
	t.Errorf("%s gives %s no colour", p.Title, name)
	return ""
}

func TestQuantitiesOfOneSensorDifferInColour(t *testing.T) {
	for _, device := range []string{
		"no2 o3 pm10 pm25 temperature relative_humidity", "active_power voltage current power_factor energy_import frequency",
		"temperature relative_humidity pressure wind_speed wind_direction rain_rate", "intensity speed occupancy", "laeq lamax la90",
	} {
		for _, p := range dashboards.Sensor().Panels {
			if p.Type != "timeseries" || len(p.Transformations) > 0 {
				continue
			}
			seen := map[string]string{}
			for name := range strings.FieldsSeq(device) {
				q, _ := telemetry.QuantityByName(name)
				color := overridden(t, p, q.Title+", 1")
				if other := seen[color]; other != "" {
					t.Errorf("%s: %s and %s are both %s", p.Title, name, other, color)
				}
				seen[color] = name
			}
		}
	}
}
