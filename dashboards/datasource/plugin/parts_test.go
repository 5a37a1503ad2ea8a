package plugin_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/grafana/grafana-plugin-sdk-go/backend"
)

// What comes live are single counts: sums over steps before them would fall at the seam.
func TestLiveHistoriesCombineCountsByTheirMean(t *testing.T) {
	for query, want := range map[string][]string{
		`"quantities":["intensity"]`:                           {"intensity as it is", "intensity mean"},
		`"quantities":["speed"]`:                               {"speed as it is", "speed natural"},
		`"quantities":["speed","intensity"]`:                   {"intensity mean", "speed natural", "speed,intensity as it is"},
		`"quantities":["speed","intensity"],"aggregate":"max"`: {"speed,intensity as it is", "speed,intensity max"},
		`"sensors":["cam-1"]`:                                  {" as it is", "intensity mean", "speed natural"},
		`"sensors":["air-1"]`:                                  {" as it is", " natural"},
	} {
		api := fleet(t)
		now := time.Now()
		answer := ask(t, settings(t, api.URL, ""), backend.TimeRange{From: now.Add(-time.Hour), To: now}, `{"kind":"history","live":true,`+query+`}`)
		if answer.Error != nil {
			t.Errorf("%s: %v", query, answer.Error)
		}
		var got []string
		for _, call := range api.asked("history") {
			u, err := url.Parse(call)
			if err != nil {
				t.Fatal(err)
			}
			params, how := u.Query(), "as it is"
			if params.Has("points") {
				how = "natural"
			}
			if params.Has("agg") {
				how = params.Get("agg")
			}
			got = append(got, strings.Join(params["quantity"], ",")+" "+how)
		}
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s\n%s", query, diff)
		}
	}
}
