package plugin_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/data"
)

// fleet answers for sensors as the API does: by district and state, the first of them, and how many there are.
func fleet(t *testing.T) *town {
	t.Helper()
	type sensor struct {
		ID         string   `json:"id"`
		Title      string   `json:"title"`
		Site       string   `json:"site"`
		District   string   `json:"district"`
		Quantities []string `json:"quantities"`
		Domains    []string `json:"domains"`
		State      string   `json:"state"`
	}
	all := []sensor{
		{"cam-1", "Camera at the quay", "quay-1", "harbour", []string{"speed", "intensity"}, []string{"traffic"}, "ok"},
		{"cam-2", "Camera at the market", "market", "old-town", []string{"speed"}, []string{"traffic"}, "silent"},
		{"air-1", "Air at the quay", "quay-1", "harbour", []string{"no2"}, []string{"safety"}, "ok"},
		{"air-2", "Air in a box", "", "", []string{"no2"}, []string{"safety"}, "silent"},
		{"air-3", "Air in a drawer", "", "", []string{"no2"}, []string{"safety"}, "never"},
	}
	api := newTown(t, "")
	api.handle("sensors", func(w http.ResponseWriter, r *http.Request) {
		params := r.URL.Query()
		found := slices.DeleteFunc(slices.Clone(all), func(s sensor) bool {
			return params.Has("district") && !slices.Contains(params["district"], s.District) || params.Has("state") && params.Get("state") != s.State ||
				params.Has("domain") && !slices.Contains(s.Domains, params.Get("domain"))
		})
		total, limit := len(found), 0
		if _, err := fmt.Sscan(params.Get("limit"), &limit); err != nil {
			t.Errorf("limit: %v", err)
		}
		writeJSON(w, map[string]any{"items": found[:min(limit, total)], "total": total})
	})
	for _, s := range all {
		api.handle("sensors/"+s.ID, func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, s) })
	}
	return api
}

// row is the first row of a table of numbers, by name of the column.
func row(t *testing.T, frame *data.Frame) map[string]float64 {
	t.Helper()
	found := make(map[string]float64, len(frame.Fields))
	for _, field := range frame.Fields {
		v, err := field.FloatAt(0)
		if err != nil {
			t.Fatal(err)
		}
		found[field.Name] = v
	}
	return found
}

// Sensors that stand nowhere are sensors too.
func TestStatesCountSensorsWithASiteOrWithout(t *testing.T) {
	api := fleet(t)
	for query, want := range map[string]map[string]float64{
		`"limit":0`:               {"sensors": 5, "ok": 2, "silent": 2, "never": 1},
		`"districts":["harbour"]`: {"sensors": 2, "ok": 2, "silent": 0, "never": 0},
		`"districts":["suburb"]`:  {"sensors": 0, "ok": 0, "silent": 0, "never": 0},
		`"domains":["safety"]`:    {"sensors": 3, "ok": 1, "silent": 1, "never": 1},
		`"states":["silent"]`:     {"sensors": 2, "ok": 0, "silent": 2, "never": 0},
		`"states":["ok","never"]`: {"sensors": 3, "ok": 2, "silent": 0, "never": 1},
		`"sensors":["cam-2"]`:     {"sensors": 1, "ok": 0, "silent": 1, "never": 0},
		`"domains":["safety","energy"],"filters":[{"key":"sensor","operator":"!=","value":"air-1"}]`: {"sensors": 2, "ok": 0, "silent": 1, "never": 1},
	} {
		answer := ask(t, settings(t, api.URL, ""), day(), `{"kind":"sensors","view":"states",`+query+`}`)
		if answer.Error != nil || len(answer.Frames) != 1 || answer.Frames[0].Rows() != 1 {
			t.Errorf("%s: %v %v", query, answer.Error, answer.Frames)
			continue
		}
		if diff := cmp.Diff(want, row(t, answer.Frames[0])); diff != "" {
			t.Errorf("%s\n%s", query, diff)
		}
	}
}

// An answer about everything must not look like one about a part.
func TestWhatAKindCannotBeChosenByIsRefused(t *testing.T) {
	api := newTown(t, "")
	filter := func(key, operator string) string {
		return `"filters":[{"key":"` + key + `","operator":"` + operator + `","value":"x-1"}]`
	}
	for query, words := range map[string]string{
		`"kind":"ledger",` + filter("quantity", "="):                     "filter: ledger totals cannot be filtered by quantity, only by district, site, sensor",
		`"kind":"ledger",` + filter("district", "!="):                    "filter: ledger totals cannot leave a district out; use =",
		`"kind":"ledger","view":"steps",` + filter("channel", "="):       "ledger steps cannot be filtered by channel",
		`"kind":"ledger","view":"each",` + filter("domain", "="):         "ledger each cannot be filtered by domain",
		`"kind":"ledger","domains":["traffic"]`:                          "domains: ledger totals cannot be chosen by that",
		`"kind":"ledger","quantities":["speed"]`:                         "quantities: ledger totals",
		`"kind":"ledger","area":{"west":1,"south":2,"east":3,"north":4}`: "area: ledger totals",
		`"kind":"sensors",` + filter("channel", "!="):                    "sensors list cannot be filtered by channel",
		`"kind":"sensors","view":"sites",` + filter("sensor", "="):       "sensors sites cannot be filtered by sensor",
		`"kind":"sensors","view":"bridges",` + filter("district", "="):   "sensors bridges cannot be filtered by district, only by sensor",
		`"kind":"sensors","view":"districts","domains":["traffic"]`:      "domains: sensors districts",
		`"kind":"events",` + filter("quantity", "!="):                    "events cannot be filtered by quantity",
		`"kind":"pipeline",` + filter("district", "="):                   "pipeline totals cannot be filtered by district, nor by anything else",
		`"kind":"history","quantities":["speed"],"states":["ok"]`:        "states: history cannot be chosen by that",
		`"kind":"latest","search":"quay"`:                                "search: latest sensors",
	} {
		answer := ask(t, settings(t, api.URL, ""), day(), "{"+query+"}")
		if answer.Error == nil || !strings.Contains(answer.Error.Error(), words) || answer.Status != backend.StatusBadRequest {
			t.Errorf("%s: %d %v, want words about %q", query, answer.Status, answer.Error, words)
		}
	}
	if calls := api.asked(""); len(calls) > 0 {
		t.Errorf("the server was asked all the same: %v", calls)
	}
}

func TestFiltersOfSensorsAreApplied(t *testing.T) {
	api := fleet(t)
	for query, want := range map[string][]string{
		`"filters":[{"key":"quantity","operator":"!=","value":"speed"}]`:                     {"air-1", "air-2", "air-3"},
		`"filters":[{"key":"domain","operator":"!=","value":"safety"}],"limit":1`:            {"cam-1"},
		`"filters":[{"key":"sensor","operator":"!=|","values":["cam-1","cam-2"]}],"limit":2`: {"air-1", "air-2"},
		`"sensors":["cam-1","air-1"],"quantities":["no2"]`:                                   {"air-1"},
		`"sensors":["cam-1","air-1"],"search":"quay air"`:                                    {"air-1"},
		`"sensors":["cam-1","air-1"],"area":{"west":1,"south":2,"east":3,"north":4}`:         {},
	} {
		answer := ask(t, settings(t, api.URL, ""), day(), `{"kind":"sensors",`+query+`}`)
		if answer.Error != nil || len(answer.Frames) != 1 {
			t.Errorf("%s: %v %v", query, answer.Error, answer.Frames)
			continue
		}
		ids := make([]string, answer.Frames[0].Rows())
		for i := range ids {
			ids[i] = answer.Frames[0].Fields[0].At(i).(string)
		}
		if diff := cmp.Diff(want, ids); diff != "" {
			t.Errorf("%s\n%s", query, diff)
		}
	}
}

func TestAnAreaAroundASiteIsABoxOfTheMap(t *testing.T) {
	const around = `,"around":{"site":"quay-1","metres":500}}`
	// 500 m are 0.004497° of a great circle, and a degree of longitude at 53.51° is 0.5947 of that.
	const box = "10.002439,53.505503,10.017561,53.514497"
	for query, path := range map[string]string{
		`{"kind":"history","quantities":["speed"]` + around: "history?",
		`{"kind":"latest"` + around:                         "latest?",
		`{"kind":"sensors"` + around:                        "sensors?",
	} {
		api := newTown(t, "")
		answer := ask(t, settings(t, api.URL, ""), day(), query)
		if calls := api.asked(path); answer.Error != nil || len(calls) != 1 || !strings.Contains(calls[0], "bbox="+url.QueryEscape(box)) {
			t.Errorf("%s: %v %v, want bbox %s", query, answer.Error, calls, box)
		}
	}
	to := settings(t, newTown(t, "").URL, "")
	answer := ask(t, to, day(), `{"kind":"sensors","view":"sites"`+around)
	if answer.Error != nil || answer.Frames[0].Rows() != 1 {
		t.Errorf("%v %v: one site is there", answer.Error, answer.Frames)
	}
	answer = ask(t, to, day(), `{"kind":"latest","around":{"site":"gone","metres":500}}`)
	if answer.Error == nil || answer.Status != backend.StatusBadRequest || !strings.Contains(answer.Error.Error(), "there is no site gone") {
		t.Errorf("%d %v", answer.Status, answer.Error)
	}
}
