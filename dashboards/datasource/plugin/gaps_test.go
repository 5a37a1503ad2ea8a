package plugin_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
)

// A sensor that reports every minute owes nothing to a step of half a minute.
func TestAGapIsWhereAReportIsMissing(t *testing.T) {
	from := time.Date(2026, 3, 9, 8, 0, 0, 0, time.UTC)
	within := backend.TimeRange{From: from, To: from.Add(5 * time.Minute)}
	for name, test := range map[string]struct {
		cadence int
		at      []int // seconds
		group   string
		want    string
	}{
		"every report is there":         {60, []int{0, 60, 120, 180, 240}, "", ". . . . ."},
		"a report came a little late":   {60, []int{0, 60, 150, 180, 240}, "", ". . . . ."},
		"a report is missing":           {60, []int{0, 60, 180, 240}, "", ". . - - - . ."},
		"none came at the end":          {60, []int{0, 60, 120}, "", ". . . - - - - -"},
		"none came at first":            {60, []int{180, 240}, "", "- - - - - - . ."},
		"it reports in every step":      {30, []int{0, 30, 90, 120, 150, 180, 210, 240, 270}, "", ". . - . . . . . . ."},
		"nobody knows when it reports":  {0, []int{0, 60, 90, 120, 150, 180, 210, 240, 270}, "", ". - . . . . . . . ."},
		"sites with a sensor like that": {60, []int{0, 60, 120, 180, 240}, "site", ". . . . ."},
		"a city with a sensor like it":  {60, []int{0, 60, 120, 180, 240}, "city", ". . . . ."},
	} {
		api := newTown(t, "")
		api.handle("history", func(w http.ResponseWriter, _ *http.Request) {
			var times []int64
			values := make([]float64, len(test.at))
			for _, s := range test.at {
				times = append(times, from.Add(time.Duration(s)*time.Second).UnixMilli())
			}
			line := map[string]any{"quantity": "speed", "unit": "km/h", "times": times, "values": values}
			switch test.group {
			case "":
				line["sensor"] = "cam-1"
			case "site":
				line["site"] = "quay-1"
			}
			writeJSON(w, map[string]any{"step_ms": 30000, "agg": "mean", "series": []any{line}})
		})
		api.answer("sensors", fmt.Sprintf(`{"total":1,"items":[{"id":"cam-1","site":"quay-1","district":"harbour","cadence_s":%d,"quantities":["speed"]}]}`, test.cadence))
		query := `{"quantities":["speed"],"step":"30s","gaps":true}`
		if test.group != "" {
			query = `{"quantities":["speed"],"step":"30s","gaps":true,"group":["` + test.group + `"]}`
		}
		answer := ask(t, settings(t, api.URL, ""), within, query)
		if answer.Error != nil {
			t.Fatal(answer.Error)
		}
		var got []string
		for i := range answer.Frames[0].Rows() {
			if answer.Frames[0].Fields[1].NilAt(i) {
				got = append(got, "-")
			} else {
				got = append(got, ".")
			}
		}
		if text := strings.Join(got, " "); text != test.want {
			t.Errorf("%s: %s, want %s", name, text, test.want)
		}
	}
}
