package plugin_test

import (
	"flag"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/data"
	"github.com/grafana/grafana-plugin-sdk-go/experimental"
)

var update = flag.Bool("update", false, "write the golden frames anew")

func TestEveryKindOfQueryAnswersWithItsFrames(t *testing.T) {
	combined := map[string]string{
		"history_by_site": `{"step_ms":300000,"agg":"p95","series":[
			{"site":"quay-1","quantity":"speed","title":"Mean speed","unit":"km/h","times":[1773014400000,1773014700000,1773015600000],"values":[41.5,40,38.25]},
			{"site":"quay-2","quantity":"speed","title":"Mean speed","unit":"km/h","times":[1773014400000],"values":[55]}]}`,
		"history_city": `{"step_ms":300000,"agg":"mean","series":[
			{"domain":"traffic","quantity":"speed","title":"Mean speed","unit":"km/h","times":[1773014400000,1773014700000],"values":[48.25,40]}]}`,
	}
	for name, query := range map[string]string{
		"history":           `{"kind":"history","quantities":["speed"]}`,
		"history_raw":       `{"kind":"history","quantities":["speed"],"sensors":["cam-1"],"channel":"lane-1","step":"raw"}`,
		"history_by_site":   `{"kind":"history","quantities":["speed"],"districts":["harbour"],"group":["site"],"aggregate":"p95","step":"5m"}`,
		"history_city":      `{"kind":"history","quantities":["speed"],"group":["city"],"area":{"west":9.9,"south":53,"east":10.1,"north":54}}`,
		"history_gaps":      `{"kind":"history","quantities":["speed"],"step":"5m","gaps":true}`,
		"history_filtered":  `{"kind":"history","quantities":["speed"],"filters":[{"key":"district","operator":"=","value":"harbour"},{"key":"channel","operator":"!=","value":"lane-2"}]}`,
		"latest":            `{"kind":"latest","districts":["harbour"]}`,
		"latest_readings":   `{"kind":"latest","view":"readings","quantities":["speed"],"states":["silent"]}`,
		"ledger":            `{"kind":"ledger"}`,
		"ledger_steps":      `{"kind":"ledger","view":"steps","step":"6h","districts":["harbour"]}`,
		"ledger_reasons":    `{"kind":"ledger","view":"reasons"}`,
		"ledger_each":       `{"kind":"ledger","view":"each","sort":"missing","limit":10}`,
		"sensors":           `{"kind":"sensors","states":["ok","never"],"search":"a"}`,
		"sensors_named":     `{"kind":"sensors","sensors":["air-1","gone-1"]}`,
		"sensors_sites":     `{"kind":"sensors","view":"sites","districts":["harbour"]}`,
		"sensors_districts": `{"kind":"sensors","view":"districts"}`,
		"sensors_states":    `{"kind":"sensors","view":"states","filters":[{"key":"district","operator":"!=","value":"old-town"}]}`,
		"sensors_bridges":   `{"kind":"sensors","view":"bridges","sensors":["bridge-7","bridge-8"]}`,
		"pipeline":          `{"kind":"pipeline"}`,
		"pipeline_parts":    `{"kind":"pipeline","view":"parts"}`,
		"events":            `{"kind":"events","events":["silence","clock"]}`,
	} {
		t.Run(name, func(t *testing.T) {
			api := newTown(t, "right")
			to := settings(t, api.URL, "right")
			if text := combined[name]; text != "" {
				api.answer("history", text)
			}
			api.handle("sensors/gone-1", func(w http.ResponseWriter, _ *http.Request) {
				problem(w, http.StatusNotFound, `no sensor "gone-1" is registered`)
			})
			within := day()
			if name == "history_gaps" {
				within.To = within.From.Add(30 * time.Minute)
			}
			answer := ask(t, to, within, query)
			if answer.Error != nil {
				t.Fatal(answer.Error)
			}
			experimental.CheckGoldenJSONResponse(t, "testdata/golden", name, &answer, *update)
		})
	}
}

func TestQuestionsThatDoNotGoTogetherAreRefusedWithWords(t *testing.T) {
	api := newTown(t, "")
	to := settings(t, api.URL, "")
	for query, words := range map[string]string{
		`{"kind":"guess"}`:   "kind:",
		`{"kind":"history"}`: "quantities: choose one",
		`{"kind":"history","quantities":["speed"],"step":"raw","group":["site"]}`:                                                     "group: readings as they are",
		`{"kind":"history","quantities":["$quantity"]}`:                                                                               "the variable $quantity has no value",
		`{"kind":"history","quantities":["speed"],"live":true,"group":["site"]}`:                                                      "live:",
		`{"kind":"history","quantities":["intensity"],"live":true,"aggregate":"sum"}`:                                                 "live: single readings as they come do not go on with a sum",
		`{"kind":"history","quantities":["speed"],"live":true,"aggregate":"count"}`:                                                   "live: single readings as they come do not go on with a count",
		`{"kind":"latest","aggregate":"mean"}`:                                                                                        "latest: group, compare",
		`{"kind":"ledger","view":"parts"}`:                                                                                            "view:",
		`{"kind":"history","quantities":["speed"],"step":"often"}`:                                                                    "step:",
		`{"kind":"history","quantities":["speed"],"area":{"west":2,"east":1,"south":0,"north":1}}`:                                    "area:",
		`{"kind":"sensors","limit":20000}`:                                                                                            "limit:",
		`{"kind":"history","quantities":["speed"],"filters":[{"key":"colour","operator":"=","value":"red"}]}`:                         "filter:",
		`{"kind":"history","quantities":["speed"],"filters":[{"key":"sensor","operator":"=~","value":"cam.*"}]}`:                      "use = or !=",
		`{"kind":"history","quantities":["speed"],"group":["sensor"],"filters":[{"key":"channel","operator":"!=","value":"lane-2"}]}`: "group by channel",
		`[]`: "cannot be read",
	} {
		answer := ask(t, to, day(), query)
		if answer.Error == nil || !strings.Contains(answer.Error.Error(), words) || answer.Status != backend.StatusBadRequest {
			t.Errorf("%s: %d %v, want words about %q", query, answer.Status, answer.Error, words)
		}
	}
	if calls := api.asked(""); len(calls) > 0 {
		t.Errorf("the server was asked all the same: %v", calls)
	}
}

func TestATableOfLatestHasAsManyRowsAsAreAskedFor(t *testing.T) {
	api := newTown(t, "")
	for limit, rows := range map[int]int{0: 2, 1: 1} {
		answer := ask(t, settings(t, api.URL, ""), day(), fmt.Sprintf(`{"kind":"latest","districts":["harbour"],"limit":%d}`, limit))
		if answer.Error != nil || len(answer.Frames) != 1 || answer.Frames[0].Rows() != rows {
			t.Errorf("limit %d: %v, %d rows; want %d", limit, answer.Error, answer.Frames[0].Rows(), rows)
		}
	}
}

func TestRatiosAmongReadingsAreInPercent(t *testing.T) {
	api := newTown(t, "")
	humidity := `{"sensor":"air-1","quantity":"relative_humidity","value":0.758,"unit":"","time":"2026-03-09T08:00:00Z"}`
	for name, test := range map[string]struct {
		items, unit string
		value       float64
	}{
		"beside others": {humidity + `,{"sensor":"air-1","quantity":"no2","value":20,"unit":"µg/m³","time":"2026-03-09T08:00:00Z"}`, "", 75.8},
		"alone":         {humidity, "percentunit", 0.758},
	} {
		api.answer("latest", `{"items":[`+test.items+`]}`)
		answer := ask(t, settings(t, api.URL, ""), day(), `{"kind":"latest","view":"readings","sensors":["air-1"]}`)
		if answer.Error != nil {
			t.Fatal(answer.Error)
		}
		value, _ := answer.Frames[0].FieldByName("value")
		unit, _ := answer.Frames[0].FieldByName("unit")
		v, err := value.FloatAt(0)
		if err != nil || math.Abs(v-test.value) > 1e-9 || value.Config.Unit != test.unit || unit.At(0) != "%" {
			t.Errorf("%s: %g %v in %q, %q", name, v, err, value.Config.Unit, unit.At(0))
		}
	}
}

func TestFiltersThatContradictTheQueryAskNobody(t *testing.T) {
	api := newTown(t, "")
	answer := ask(t, settings(t, api.URL, ""), day(), `{"kind":"history","quantities":["speed"],"filters":[{"key":"quantity","operator":"=","value":"no2"}]}`)
	if answer.Error != nil || len(answer.Frames) != 1 || len(answer.Frames[0].Fields) != 0 || len(answer.Frames[0].Meta.Notices) != 1 {
		t.Errorf("%v %v", answer.Error, answer.Frames)
	}
	if calls := api.asked("history"); len(calls) > 0 {
		t.Errorf("the server was asked: %v", calls)
	}
}

func TestComparisonIsAWeekOfTheCalendarBefore(t *testing.T) {
	api := newTown(t, "")
	// The clocks in Berlin went forward on 29 March 2026: a week before, eight in the morning was an hour later in UTC.
	api.handle("history", func(w http.ResponseWriter, r *http.Request) {
		from, err := time.Parse(time.RFC3339, r.URL.Query().Get("from"))
		if err != nil {
			t.Errorf("from: %v", err)
		}
		ms := from.UnixMilli()
		writeJSON(w, map[string]any{"step_ms": 3600000, "agg": "mean", "series": []any{map[string]any{
			"sensor": "cam-1", "quantity": "speed", "unit": "km/h", "times": []int64{ms, ms + 3600000}, "values": []float64{1, 2},
		}}})
	})
	from := time.Date(2026, 3, 30, 6, 0, 0, 0, time.UTC)
	answer := ask(t, settings(t, api.URL, ""), backend.TimeRange{From: from, To: from.Add(2 * time.Hour)}, `{"kind":"history","quantities":["speed"],"compare":["week"]}`)
	if answer.Error != nil || len(answer.Frames) != 2 {
		t.Fatalf("%v, %d frames", answer.Error, len(answer.Frames))
	}
	var begins []string
	for _, call := range api.asked("history") {
		u, err := url.Parse(call)
		if err != nil {
			t.Fatal(err)
		}
		begins = append(begins, u.Query().Get("from"))
	}
	if got := strings.Join(begins, " "); !strings.Contains(got, "2026-03-23T07:00:00Z") || !strings.Contains(got, "2026-03-30T06:00:00Z") {
		t.Errorf("asked from %s", got)
	}
	for i, frame := range answer.Frames {
		if at := frame.Fields[0].At(0).(time.Time); !at.Equal(from) {
			t.Errorf("frame %d begins at %s", i, at)
		}
	}
	if labels := answer.Frames[1].Fields[1].Labels; labels["compare"] != "week" || answer.Frames[0].Fields[1].Labels["compare"] != "" {
		t.Errorf("labels are %v", labels)
	}
	if name := answer.Frames[1].Fields[1].Config.DisplayNameFromDS; name != "cam-1, a week before" {
		t.Errorf("shown as %q", name)
	}
}

func TestAlertRulesAreToldThatATableIsNothingToWatch(t *testing.T) {
	api := newTown(t, "")
	to := settings(t, api.URL, "")
	for query, words := range map[string]string{
		`{"kind":"history","quantities":["speed"],"live":true}`: "",
		`{"kind":"ledger","view":"steps"}`:                      "",
		`{"kind":"latest"}`:                                     "latest is a table; choose history",
		`{"kind":"ledger"}`:                                     "ledger is a table",
		`{"kind":"sensors"}`:                                    "sensors is a table",
		`{"kind":"pipeline"}`:                                   "pipeline is a table",
	} {
		response, err := shared.Client.QueryData(t.Context(), &backend.QueryDataRequest{
			PluginContext: to, Headers: map[string]string{backend.FromAlertHeaderName: "true"},
			Queries: []backend.DataQuery{{RefID: "A", JSON: []byte(query), TimeRange: day(), MaxDataPoints: 500}},
		})
		if err != nil {
			t.Fatal(err)
		}
		answer := response.Responses["A"]
		if words == "" && answer.Error != nil || words != "" && (answer.Error == nil || !strings.Contains(answer.Error.Error(), words)) {
			t.Errorf("%s: %v, want words about %q", query, answer.Error, words)
		}
	}
}

func TestAlertRulesCanTellSeriesApart(t *testing.T) {
	api := newTown(t, "")
	answer := ask(t, settings(t, api.URL, ""), day(), `{"kind":"history","quantities":["speed"]}`)
	seen := make(map[string]bool)
	for _, frame := range answer.Frames {
		if schema := frame.TimeSeriesSchema(); schema.Type != data.TimeSeriesTypeWide {
			t.Errorf("frame %s is no time series", frame.Name)
		}
		if frame.Meta.Type != data.FrameTypeTimeSeriesMulti {
			t.Errorf("frame %s says it is %s", frame.Name, frame.Meta.Type)
		}
		labels := frame.Fields[1].Labels.String()
		if seen[labels] {
			t.Errorf("two frames have the labels %s", labels)
		}
		seen[labels] = true
	}
}

func TestAnswerThatWasCutSaysSo(t *testing.T) {
	api := newTown(t, "")
	api.answer("history", `{"step_ms":1000,"agg":"mean","truncated":true,"series":[{"sensor":"cam-1","quantity":"speed","unit":"km/h","times":[1],"values":[2]}]}`)
	answer := ask(t, settings(t, api.URL, ""), day(), `{"kind":"history","quantities":["speed"]}`)
	if answer.Error != nil || len(answer.Frames[0].Meta.Notices) != 1 || answer.Frames[0].Meta.Notices[0].Severity != data.NoticeSeverityWarning {
		t.Errorf("%v %+v", answer.Error, answer.Frames[0].Meta)
	}
}

func TestPanelWithoutReadingsShowsWhatWasAsked(t *testing.T) {
	api := newTown(t, "")
	api.answer("history", `{"step_ms":1000,"agg":"mean","truncated":false,"series":[]}`)
	answer := ask(t, settings(t, api.URL, ""), day(), `{"kind":"history","quantities":["speed"]}`)
	if answer.Error != nil || len(answer.Frames) != 1 || len(answer.Frames[0].Fields) != 0 || !strings.Contains(answer.Frames[0].Meta.ExecutedQueryString, "GET /api/v1/history?") {
		t.Errorf("%v %+v", answer.Error, answer.Frames)
	}
}

// A panel is never asked for more steps than it is wide, however long its time is.
func TestHugeRangeIsAskedInAsManyStepsAsThePanelHasRoomFor(t *testing.T) {
	api := newTown(t, "")
	within := backend.TimeRange{From: time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC), To: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)}
	for _, query := range []string{`{"kind":"history","quantities":["speed"]}`, `{"kind":"ledger","view":"steps"}`} {
		if answer := ask(t, settings(t, api.URL, ""), within, query); answer.Error != nil {
			t.Errorf("%s: %v", query, answer.Error)
		}
	}
	if calls := api.asked("history"); len(calls) != 1 || !strings.Contains(calls[0], "points=500") {
		t.Errorf("asked %v", calls)
	}
	if calls := api.asked("ledger"); len(calls) != 1 || !strings.Contains(calls[0], "step=1d") {
		t.Errorf("asked %v", calls)
	}
}
