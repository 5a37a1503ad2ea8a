package plugin_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/grafana/grafana-plugin-sdk-go/backend"
)

// series is one line of an answer, told apart by what is set.
type series struct {
	Sensor   string    `json:"sensor"`
	Site     string    `json:"site"`
	District string    `json:"district"`
	Channel  string    `json:"channel"`
	Quantity string    `json:"quantity"`
	Times    []int64   `json:"times"`
	Values   []float64 `json:"values"`
}

// names are those of all lines that the queries of a panel have, where the server answers each with lines.
func names(t *testing.T, lines []series, queries ...string) (all []string) {
	t.Helper()
	for i := range lines {
		lines[i].Times, lines[i].Values = []int64{1773014400000}, []float64{1}
	}
	text, err := json.Marshal(map[string]any{"step_ms": 300000, "series": lines})
	if err != nil {
		t.Fatal(err)
	}
	api := newTown(t, "")
	api.answer("history", string(text))
	var request []backend.DataQuery
	for i, query := range queries {
		request = append(request, backend.DataQuery{RefID: fmt.Sprint(i), JSON: json.RawMessage(query), TimeRange: day(), MaxDataPoints: 500, Interval: time.Minute})
	}
	response, err := shared.Client.QueryData(t.Context(), &backend.QueryDataRequest{PluginContext: settings(t, api.URL, ""), Queries: request})
	if err != nil {
		t.Fatal(err)
	}
	for i, query := range queries {
		answer := response.Responses[fmt.Sprint(i)]
		if answer.Error != nil {
			t.Fatalf("%s: %v", query, answer.Error)
		}
		for _, frame := range answer.Frames {
			all = append(all, frame.Fields[1].Config.DisplayNameFromDS)
		}
	}
	return all
}

// named is a rule of how lines are named.
type named struct {
	lines   []series
	queries []string
	want    []string
}

func hold(t *testing.T, rules map[string]named) {
	t.Helper()
	for rule, test := range rules {
		t.Run(rule, func(t *testing.T) {
			got := names(t, slices.Clone(test.lines), test.queries...)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("%s\n%s", strings.Join(test.queries, "\n"), diff)
			}
		})
	}
}

func TestLinesAreNamedByGroupAndAggregate(t *testing.T) {
	harbour, oldTown, whole := series{District: "harbour", Quantity: "speed"}, series{District: "old-town", Quantity: "speed"}, series{Quantity: "speed"}
	hold(t, map[string]named{
		"the group names lines": {
			[]series{harbour, oldTown},
			[]string{`{"quantities":["speed"],"group":["district"]}`},
			[]string{"Harbour", "Old town"},
		},
		"the group names the only line too": {
			[]series{harbour},
			[]string{`{"quantities":["speed"],"group":["district"],"filters":[{"key":"district","operator":"=","value":"harbour"}]}`},
			[]string{"Harbour"},
		},
		"what belongs to no group says so": {
			[]series{harbour, whole},
			[]string{`{"quantities":["speed"],"group":["district"]}`},
			[]string{"Harbour", "no district"},
		},
		"of several quantities each is said, also where one came": {
			[]series{harbour},
			[]string{`{"quantities":["speed","no2"],"group":["district"],"filters":[{"key":"quantity","operator":"=","value":"speed"}]}`},
			[]string{"Mean speed, Harbour"},
		},
		"the whole city is the quantity": {[]series{whole}, []string{`{"quantities":["speed"],"group":["city"]}`}, []string{"Mean speed"}},
		"another aggregate is said": {
			[]series{whole},
			[]string{`{"quantities":["speed"],"group":["city"]}`, `{"quantities":["speed"],"group":["city"],"aggregate":"p95"}`},
			[]string{"Mean speed", "Mean speed, 95th percentile"},
		},
		"the natural aggregate is not, chosen or not": {
			[]series{whole, {Quantity: "intensity"}},
			[]string{`{"quantities":["speed","intensity"],"group":["city"],"aggregate":"mean"}`},
			[]string{"Mean speed", "Vehicles counted, mean"},
		},
		"places of a panel are told apart by their aggregates": {
			[]series{harbour},
			[]string{`{"quantities":["speed"],"group":["district"],"aggregate":"min"}`, `{"quantities":["speed"],"group":["district"],"aggregate":"max"}`},
			[]string{"Harbour, minimum", "Harbour, maximum"},
		},
		"a panel with one aggregate leaves it to its title": {
			[]series{harbour, oldTown},
			[]string{`{"quantities":["speed"],"group":["district"],"aggregate":"max"}`},
			[]string{"Harbour", "Old town"},
		},
		"a comparison comes last": {
			[]series{whole},
			[]string{`{"quantities":["speed"],"group":["city"],"aggregate":"p50","compare":["day"]}`},
			[]string{"Mean speed, median", "Mean speed, median, a day before"},
		},
	})
}

func TestLinesThatAreNotCombinedAreNamedBySensorAndChannel(t *testing.T) {
	of := func(sensor, channel, quantity string) series {
		return series{Sensor: sensor, Site: "quay-1", District: "harbour", Channel: channel, Quantity: quantity}
	}
	hold(t, map[string]named{
		"a number is no name of a channel": {
			[]series{of("cam-1", "1", "speed"), of("cam-1", "2", "speed")},
			[]string{`{"quantities":["speed"],"sensors":["cam-1"]}`},
			[]string{"Channel 1", "Channel 2"},
		},
		"a number is none behind other words either": {
			[]series{of("cam-1", "1", "speed"), of("cam-2", "1", "speed"), of("cam-2", "2", "speed")},
			[]string{`{"quantities":["speed"]}`},
			[]string{"cam-1 channel 1", "cam-2 channel 1", "cam-2 channel 2"},
		},
		"a number is none behind a quantity": {
			[]series{of("cam-1", "1", "speed"), of("cam-1", "2", "intensity")},
			[]string{`{"sensors":["cam-1"]}`},
			[]string{"Mean speed, channel 1", "Vehicles counted, channel 2"},
		},
		"the mean of counts before single ones is said": {
			[]series{of("cam-1", "1", "intensity")},
			[]string{`{"quantities":["intensity"],"live":true}`, `{"quantities":["intensity"]}`},
			[]string{"cam-1, mean", "cam-1"},
		},
		"a word is a name of a channel": {
			[]series{{Channel: "in", Quantity: "speed"}},
			[]string{`{"quantities":["speed"],"group":["channel"],"aggregate":"max"}`},
			[]string{"in"},
		},
		"a sensor that was asked for alone is not said": {
			[]series{of("cam-1", "", "speed")},
			[]string{`{"quantities":["speed"],"sensors":["cam-1"]}`},
			[]string{"Mean speed"},
		},
		"a filter changes no name": {
			[]series{of("cam-1", "1", "speed")},
			[]string{`{"quantities":["speed"],"filters":[{"key":"sensor","operator":"=","value":"cam-1"},{"key":"channel","operator":"=","value":"1"}]}`},
			[]string{"cam-1 channel 1"},
		},
	})
}
