package plugin_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/grafana/grafana-plugin-sdk-go/backend"

	"github.com/lamppost-city/lamppost/telemetry/step"
)

// Days and months of the city are not all of one length: none is a gap because it is longer, none whole because it is shorter.
func TestStepsOfTheCalendarAreThoseOfTheCity(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	day := func(month time.Month, day int) time.Time { return time.Date(2026, month, day, 0, 0, 0, 0, berlin) }
	for _, one := range []struct {
		rule, query, step string
		within            backend.TimeRange
		without           []string // steps of which there are no readings
		want              string
	}{
		{
			"a day of 23 hours is no gap", `"gaps":true`, "1d",
			backend.TimeRange{From: day(3, 27), To: day(4, 1)},
			nil,
			"27 Mar, 28 Mar, 29 Mar, 30 Mar, 31 Mar",
		},
		{
			"a day without readings is one", `"gaps":true`, "1d",
			backend.TimeRange{From: day(3, 27), To: day(4, 1)},
			[]string{"27 Mar", "29 Mar"},
			"27 Mar null, 28 Mar, 29 Mar null, 30 Mar, 31 Mar",
		},
		{
			"a month of 31 days is no gap", `"gaps":true`, "1mo",
			backend.TimeRange{From: day(1, 1), To: day(7, 1)},
			[]string{"1 May"},
			"1 Jan, 1 Feb, 1 Mar, 1 Apr, 1 May null, 1 Jun",
		},
		{
			"only months that are over are whole", `"whole":true`, "1mo",
			backend.TimeRange{From: day(1, 2), To: day(3, 31)},
			nil,
			"1 Feb",
		},
		{
			"a day of 25 hours is whole when it is over", `"whole":true`, "1d",
			backend.TimeRange{From: day(10, 25), To: day(10, 26).Add(-time.Minute)},
			nil,
			"",
		},
	} {
		length, _ := step.Parse(one.step)
		api := newTown(t, "")
		api.answer("city", `{"name":"Town","zone":"Europe/Berlin","version":"1","api":1}`)
		api.answer("sensors", `{"total":0,"items":[]}`)
		api.handle("history", func(w http.ResponseWriter, r *http.Request) {
			if got := r.URL.Query().Get("step"); got != one.step {
				t.Errorf("%s: a step of %q was asked for", one.rule, got)
			}
			var times []int64
			var values []float64
			for at := length.Begin(one.within.From, berlin); at.Before(one.within.To); at = length.Next(at) {
				if !slices.Contains(one.without, at.Format("2 Jan")) {
					times, values = append(times, at.UnixMilli()), append(values, 1)
				}
			}
			writeJSON(w, map[string]any{"step_ms": length.Shortest().Milliseconds(), "step": one.step, "agg": "sum", "series": []any{map[string]any{
				"sensor": "cam-1", "quantity": "intensity", "unit": "", "times": times, "values": values,
			}}})
		})
		answer := ask(t, settings(t, api.URL, ""), one.within, `{"quantities":["intensity"],"step":"`+one.step+`",`+one.query+`}`)
		if answer.Error != nil {
			t.Fatal(answer.Error)
		}
		var got []string
		frame := answer.Frames[0]
		for i := range frame.Rows() {
			text := frame.Fields[0].At(i).(time.Time).In(berlin).Format("2 Jan")
			if frame.Fields[1].NilAt(i) {
				text += " null"
			}
			got = append(got, text)
		}
		if diff := cmp.Diff(one.want, strings.Join(got, ", ")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", one.rule, diff)
		}
	}
}

func TestDaysOfTheLedgerAreThoseOfTheCity(t *testing.T) {
	api := newTown(t, "")
	api.answer("city", `{"name":"Town","zone":"Europe/Berlin","version":"1","api":1}`)
	api.answer("ledger", `{"steps":[{"time":"2026-10-23T22:00:00Z","received":1},{"time":"2026-10-24T22:00:00Z","received":2},{"time":"2026-10-25T23:00:00Z","received":3}]}`)
	from := time.Date(2026, 10, 23, 22, 0, 0, 0, time.UTC)
	for hours, want := range map[int]int{48: 1, 49: 2, 72: 2, 73: 3} { // the second day has 25
		within := backend.TimeRange{From: from, To: from.Add(time.Duration(hours) * time.Hour)}
		answer := ask(t, settings(t, api.URL, ""), within, `{"kind":"ledger","view":"steps","step":"1d","whole":true}`)
		if answer.Error != nil {
			t.Fatal(answer.Error)
		}
		if got := answer.Frames[0].Rows(); got != want {
			t.Errorf("%d days are whole after %d hours, want %d", got, hours, want)
		}
	}
}
