package dashboards_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/data"

	"github.com/lamppost-city/lamppost/dashboards"
	"github.com/lamppost-city/lamppost/dashboards/datasource/plugin"
	"github.com/lamppost-city/lamppost/dashboards/datasource/question"
	"github.com/lamppost-city/lamppost/internal/endtoend"
)

// goodNews are panels that are empty where all is well; they only have to answer. Whether anything is wrong in the
// demonstration city depends on the hour.
var goodNews = []string{
	"Silent now, if any", "Silent or never seen, if any", "Faulty lights", "Low charge", "Reporting a fault, if any", "Street lights that need a visit, if any", "Clocks",
	"Silences and clock faults, if any", "Events",
}

// demonstration is `lamppost up --demo 300` after its past was sent, and the data source that asks it.
type demonstration struct {
	*plugin.Datasource
	sensor, district string
	now              time.Time
}

func demonstrate(t *testing.T) demonstration {
	program, err := endtoend.Build(t.TempDir(), "lamppost")
	if err != nil {
		t.Fatal(err)
	}
	city := endtoend.NewCity(t, program, "--demo", "300")
	up := city.Start()
	endtoend.Eventually(t, 3*time.Minute, "the past of the demonstration is sent and stored", func() error {
		var l endtoend.Ledger
		if err := city.Get("/api/v1/ledger", &l); err != nil {
			return err
		}
		if !strings.Contains(up.Stderr(), "past sent") || l.Accepted == 0 || l.Waiting > l.Accepted/100 {
			return fmt.Errorf("%d readings are accepted, %d wait", l.Accepted, l.Waiting)
		}
		return nil
	})
	var sensors struct {
		Items []struct{ ID, District string }
	}
	if err := city.Get("/api/v1/sensors?quantity=speed&limit=1", &sensors); err != nil || len(sensors.Items) != 1 {
		t.Fatalf("no lane detector is there: %v %v", sensors, err)
	}
	token, err := os.ReadFile(city.TokenFile())
	if err != nil {
		t.Fatal(err)
	}
	instance, err := plugin.New(t.Context(), backend.DataSourceInstanceSettings{
		UID: "lamppost", URL: city.URL(), JSONData: json.RawMessage(`{}`), DecryptedSecureJSONData: map[string]string{plugin.TokenKey: strings.TrimSpace(string(token))},
	})
	if err != nil {
		t.Fatal(err)
	}
	source, ok := instance.(*plugin.Datasource)
	if !ok {
		t.Fatalf("the data source is a %T", instance)
	}
	t.Cleanup(source.Dispose)
	return demonstration{source, sensors.Items[0].ID, sensors.Items[0].District, time.Now()}
}

// ask sends a query as Grafana does, with its variables expanded. chosen has no value for a variable of which all is chosen.
func (d demonstration) ask(t *testing.T, target dashboards.Target, back string, points int, chosen map[string]string) (data.Frames, error) {
	asked, err := json.Marshal(expanded(target.Query, chosen))
	if err != nil {
		return nil, err
	}
	span, err := time.ParseDuration(strings.TrimPrefix(back, "now-"))
	if err != nil {
		return nil, err
	}
	if points == 0 {
		points = 800
	}
	answer, err := d.QueryData(t.Context(), &backend.QueryDataRequest{Queries: []backend.DataQuery{{
		RefID: "A", JSON: asked, MaxDataPoints: int64(points), TimeRange: backend.TimeRange{From: d.now.Add(-span), To: d.now},
	}}})
	if err != nil {
		return nil, err
	}
	return answer.Responses["A"].Frames, answer.Responses["A"].Error
}

// opensWithin asks all that a dashboard asks at once, as Grafana does where somebody opens it. Other programs on the machine may
// spoil a try or two.
func (d demonstration) opensWithin(t *testing.T, shown dashboards.Dashboard, limit time.Duration) {
	t.Helper()
	for range 3 {
		var asked sync.WaitGroup
		began, queries := time.Now(), 0
		for _, p := range shown.Panels {
			back := shown.Time.From
			if p.TimeFrom != "" {
				back = p.TimeFrom
			}
			for _, target := range p.Targets {
				queries++
				asked.Go(func() {
					if _, err := d.ask(t, target, back, p.MaxDataPoints, nil); err != nil {
						t.Errorf("%s, %s: %v", shown.UID, p.Title, err)
					}
				})
			}
		}
		asked.Wait()
		took := time.Since(began)
		t.Logf("%s: %d queries of %d panels answered within %s", shown.UID, queries, len(shown.Panels), took.Round(time.Millisecond))
		if took <= limit {
			return
		}
	}
	t.Errorf("%s takes longer than %s", shown.UID, limit)
}

// values counts what a panel can show.
func values(frames data.Frames) int {
	n := 0
	for _, frame := range frames {
		for _, field := range frame.Fields {
			for i := range field.Len() {
				value, ok := field.ConcreteAt(i)
				if number, isNumber := value.(float64); ok && field.Type().Time() == false && !(isNumber && math.IsNaN(number)) {
					n++
				}
			}
		}
	}
	return n
}

func TestEveryQueryOfEveryDashboardAnswersWithData(t *testing.T) {
	if testing.Short() {
		t.Skip("it runs a demonstration city")
	}
	city := demonstrate(t)
	all := map[string]string{"sensor": city.sensor}
	one := map[string]string{"sensor": city.sensor, "district": city.district}
	city.opensWithin(t, dashboards.Overview(), 2*time.Second)
	paths, err := filepath.Glob("provisioned/*.json")
	if err != nil || len(paths) != len(dashboards.All()) {
		t.Fatalf("%d dashboards are provisioned, want %d: %v", len(paths), len(dashboards.All()), err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var d dashboards.Dashboard
		if err := json.Unmarshal(text, &d); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		for _, a := range d.Annotations.List {
			if _, err := city.ask(t, a.Target, d.Time.From, 0, all); err != nil {
				t.Errorf("%s, %s: %v", d.UID, a.Name, err)
			}
		}
		for _, p := range d.Panels {
			back := d.Time.From
			if p.TimeFrom != "" {
				back = p.TimeFrom
			}
			var answered data.Frames
			for _, target := range p.Targets {
				frames, err := city.ask(t, target, back, p.MaxDataPoints, all)
				if err != nil {
					t.Errorf("%s, %s: %v", d.UID, p.Title, err)
				} else if values(frames) == 0 && !slices.Contains(goodNews, p.Title) {
					t.Errorf("%s, %s is empty: %+v", d.UID, p.Title, target.Query)
				}
				for _, frame := range frames {
					for _, notice := range frame.Meta.Notices {
						t.Errorf("%s, %s: %s", d.UID, p.Title, notice.Text)
					}
				}
				answered = append(answered, frames...)
				if _, err := city.ask(t, target, back, p.MaxDataPoints, one); err != nil {
					t.Errorf("%s, %s in %s: %v", d.UID, p.Title, city.district, err)
				}
			}
			text, err := json.Marshal(p)
			if err != nil {
				t.Fatal(err)
			}
			for _, fault := range fieldFaults(string(text), p, answered) {
				t.Errorf("%s, %s: %s", d.UID, p.Title, fault)
			}
		}
	}
}

var (
	byName   = regexp.MustCompile(`"id":"byName","options":"([^"]+)"`)
	included = regexp.MustCompile(`"include":\{"names":\[([^\]]+)\]`)
	column   = regexp.MustCompile(`"(?:field|fieldName|left|right|latitude|longitude)":"([^"]+)"`)
	rowLink  = regexp.MustCompile(`\$\{__data\.fields\.([a-z_]+)\}`)
	reducing = regexp.MustCompile(`"reduceOptions":\{[^}]*"fields":"([^"]*)"`)
	lineLink = regexp.MustCompile(`\$\{__field\.labels\.([a-z]+)\}`)
)

// fieldFaults says which fields a panel speaks of and its answers do not have, and where their units differ.
func fieldFaults(text string, p dashboards.Panel, frames data.Frames) (faults []string) {
	reduced := ""
	if match := reducing.FindStringSubmatch(text); match != nil {
		reduced = match[1]
	}
	names, labels := map[string]bool{"time": true, "Full": true, "Max": true, "Total": true, "Count": true}, map[string]bool{}
	for _, frame := range frames {
		for _, field := range frame.Fields {
			names[field.Name] = true
			if field.Config != nil {
				names[field.Config.DisplayNameFromDS] = true
				unit := p.FieldConfig.Defaults.Unit
				if field.Type().Numeric() && unit != "" && field.Config.Unit != "" && field.Config.Unit != unit && !strings.Contains(text, `"id":"unit"`) &&
					(p.Type == "timeseries" && p.Targets[0].Kind == question.History || field.Config.DisplayNameFromDS == reduced) && !strings.Contains(text, `"B"`) {
					faults = append(faults, fmt.Sprintf("%s is in %s, the panel in %s", field.Name, field.Config.Unit, unit))
				}
			}
			for label := range field.Labels {
				labels[label] = true
			}
		}
	}
	if values(frames) == 0 {
		return faults
	}
	var wanted []string
	for _, pattern := range []*regexp.Regexp{byName, column, rowLink} {
		for _, match := range pattern.FindAllStringSubmatch(text, -1) {
			wanted = append(wanted, match[1])
		}
	}
	for _, match := range included.FindAllStringSubmatch(text, -1) {
		for name := range strings.SplitSeq(match[1], ",") {
			wanted = append(wanted, strings.Trim(name, `"`))
		}
	}
	if reduced != "" && !strings.HasPrefix(reduced, "/") {
		wanted = append(wanted, reduced)
	}
	for _, name := range wanted {
		if !names[name] {
			faults = append(faults, "no field is called "+name)
		}
	}
	for _, match := range lineLink.FindAllStringSubmatch(text, -1) {
		if !labels[match[1]] {
			faults = append(faults, "no line has the label "+match[1])
		}
	}
	return faults
}
