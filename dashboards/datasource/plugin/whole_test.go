package plugin_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/grafana/grafana-plugin-sdk-go/backend"
)

// counted answers histories with a value for each step of five minutes that the range touches, as the API does.
func counted(t *testing.T) *town {
	t.Helper()
	api := newTown(t, "")
	api.handle("history", func(w http.ResponseWriter, r *http.Request) {
		from, err := time.Parse(time.RFC3339, r.URL.Query().Get("from"))
		if err != nil {
			t.Errorf("from: %v", err)
		}
		to, err := time.Parse(time.RFC3339, r.URL.Query().Get("to"))
		if err != nil {
			t.Errorf("to: %v", err)
		}
		var times []int64
		var values []float64
		for at := from.Truncate(5 * time.Minute); at.Before(to); at = at.Add(5 * time.Minute) {
			times, values = append(times, at.UnixMilli()), append(values, float64(at.Minute()))
		}
		writeJSON(w, map[string]any{"step_ms": 300000, "agg": "sum", "series": []any{map[string]any{
			"sensor": "cam-1", "quantity": "intensity", "unit": "", "times": times, "values": values,
		}}})
	})
	return api
}

// minutes are at which minutes of the hour the first line has steps, and "null" where it has one without a value.
func minutes(t *testing.T, answer backend.DataResponse, frame int) string {
	t.Helper()
	if answer.Error != nil {
		t.Fatal(answer.Error)
	}
	var found []string
	for i := range answer.Frames[frame].Rows() {
		text := fmt.Sprint(answer.Frames[frame].Fields[0].At(i).(time.Time).Minute())
		if answer.Frames[frame].Fields[1].NilAt(i) {
			text += " null"
		}
		found = append(found, text)
	}
	return strings.Join(found, ", ")
}

func TestOnlyWholeStepsAreShownWhereTheQueryWantsThat(t *testing.T) {
	api := counted(t)
	from := time.Date(2026, 3, 9, 8, 2, 0, 0, time.UTC)
	within := backend.TimeRange{From: from, To: from.Add(20 * time.Minute)} // to 8:22
	for query, want := range map[string]string{
		`{"quantities":["intensity"]}`:                                           "0, 5, 10, 15, 20",
		`{"quantities":["intensity"],"whole":true}`:                              "5, 10, 15",
		`{"quantities":["intensity"],"whole":true,"gaps":true}`:                  "5, 10, 15",
		`{"quantities":["intensity"],"whole":true,"compare":["day"]}`:            "5, 10, 15",
		`{"quantities":["intensity"],"whole":true,"group":["city"],"step":"5m"}`: "5, 10, 15",
	} {
		answer := ask(t, settings(t, api.URL, ""), within, query)
		for frame := range answer.Frames {
			if got := minutes(t, answer, frame); got != want {
				t.Errorf("%s: line %d has steps at %s, want %s", query, frame, got, want)
			}
		}
	}
	short := backend.TimeRange{From: from, To: from.Add(4 * time.Minute)}
	answer := ask(t, settings(t, api.URL, ""), short, `{"quantities":["intensity"],"whole":true}`)
	if answer.Error != nil || len(answer.Frames) != 1 || len(answer.Frames[0].Meta.Notices) != 1 || !strings.Contains(answer.Frames[0].Meta.Notices[0].Text, "no step is whole") {
		t.Errorf("%v %+v", answer.Error, answer.Frames)
	}
}

func TestAlertRulesDoNotSeeTheStepThatIsNotOver(t *testing.T) {
	api := counted(t)
	to := settings(t, api.URL, "")
	now := time.Now().UTC()
	watched := func(query string, within backend.TimeRange) backend.DataResponse {
		response, err := shared.Client.QueryData(t.Context(), &backend.QueryDataRequest{
			PluginContext: to, Headers: map[string]string{backend.FromAlertHeaderName: "true"},
			Queries: []backend.DataQuery{{RefID: "A", JSON: json.RawMessage(query), TimeRange: within, MaxDataPoints: 500}},
		})
		if err != nil || response.Responses["A"].Error != nil {
			t.Fatalf("%v %v", err, response.Responses["A"].Error)
		}
		return response.Responses["A"]
	}
	for _, query := range []string{`{"quantities":["intensity"],"step":"5m"}`, `{"quantities":["intensity"]}`, `{"quantities":["intensity"],"step":"5m","live":true}`} {
		answer := watched(query, backend.TimeRange{From: now.Add(-20 * time.Minute), To: now})
		rows := answer.Frames[0].Rows()
		last := answer.Frames[0].Fields[0].At(rows - 1).(time.Time)
		if over := last.Add(5 * time.Minute); over.After(now) || now.Sub(over) > 5*time.Minute+5*time.Second {
			t.Errorf("%s: the newest step is of %s, at %s", query, last, now)
		}
	}
	// A range as long as a step holds a whole one only where it begins with a step.
	from := time.Date(2026, 3, 9, 8, 2, 0, 0, time.UTC)
	one := watched(`{"quantities":["intensity"],"step":"5m"}`, backend.TimeRange{From: from, To: from.Add(5 * time.Minute)})
	if got := minutes(t, one, 0); got != "0" {
		t.Errorf("steps at %s", got)
	}
	calls := api.asked("history")
	if last := calls[len(calls)-1]; !strings.Contains(last, "from=2026-03-09T08%3A00%3A00Z") {
		t.Errorf("asked %s", last)
	}
	// The ledger's range is rounded outwards to whole steps.
	book := watched(`{"kind":"ledger","view":"steps","step":"12h"}`, backend.TimeRange{From: from.Truncate(24 * time.Hour), To: from.Truncate(24 * time.Hour).Add(15 * time.Hour)})
	for _, frame := range book.Frames {
		if frame.Rows() != 1 {
			t.Errorf("%d steps of the ledger, of which one is over", frame.Rows())
		}
	}
}

func TestWholeStepsAreOfHistoriesWithSteps(t *testing.T) {
	api := newTown(t, "")
	for query, words := range map[string]string{
		`{"quantities":["speed"],"whole":true,"step":"raw"}`: "whole: readings as they are",
		`{"quantities":["speed"],"whole":true,"live":true}`:  "whole: the last step goes on live",
		`{"kind":"latest","whole":true}`:                     "whole: latest has no steps",
		`{"kind":"ledger","whole":true}`:                     "whole: ledger has no steps",
	} {
		answer := ask(t, settings(t, api.URL, ""), day(), query)
		if answer.Error == nil || !strings.Contains(answer.Error.Error(), words) {
			t.Errorf("%s: %v, want words about %q", query, answer.Error, words)
		}
	}
	if diff := cmp.Diff([]string(nil), api.asked("")); diff != "" {
		t.Error(diff)
	}
}
