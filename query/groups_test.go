package query_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/lamppost-city/lamppost/query"
	"github.com/lamppost-city/lamppost/telemetry"
	"github.com/lamppost-city/lamppost/telemetry/step"
)

// streets has two sites in two districts, and a sensor that has moved from one to the other.
const streets = `
traffic,channel=1,district=north,sensor=loop-1,site=ring speed=10,intensity=1 1772625600000
traffic,channel=2,district=north,sensor=loop-1,site=ring speed=20,intensity=2 1772625600000
traffic,district=north,sensor=loop-2,site=ring speed=60 1772625601000
traffic,district=south,sensor=loop-3,site=quay speed=40,intensity=4 1772625602000
traffic,district=south,sensor=loop-2,site=quay speed=90 1772625660000
traffic,sensor=loop-4 speed=7 1772625600000
`

func TestHistoryIsChosenByPlaceAndCombinedByGroup(t *testing.T) {
	c := start(t)
	if err := c.Write(context.Background(), []byte(streets)); err != nil {
		t.Fatal(err)
	}
	speed, intensity := id(t, "speed"), id(t, "intensity")
	h := query.NewHistory(query.DefaultConfig(), c, prometheus.NewRegistry())
	for _, one := range []struct {
		rule string
		ask  query.HistoryQuery
		want []query.HistorySeries
	}{
		{
			"a site is where a sensor stood when it measured",
			query.HistoryQuery{Sites: []string{"quay"}},
			[]query.HistorySeries{
				{Sensor: "loop-2", Quantity: speed, Points: points(60_000, 90)},
				{Sensor: "loop-3", Quantity: speed, Points: points(2_000, 40)},
			},
		},
		{
			"sensors, sites and districts are all demanded",
			query.HistoryQuery{Sensors: []telemetry.SensorID{"loop-2", "loop-3"}, Sites: []string{"ring", "quay"}, Districts: []string{"north"}},
			[]query.HistorySeries{{Sensor: "loop-2", Quantity: speed, Points: points(1_000, 60)}},
		},
		{
			"everything of a quantity becomes one series",
			query.HistoryQuery{Group: query.ByDomain, Quantities: []telemetry.QuantityID{speed, intensity}, Step: step.Length{Every: time.Minute}},
			[]query.HistorySeries{
				{Quantity: intensity, Points: points(0, 7)},
				{Quantity: speed, Points: points(0, 27.4, 60_000, 90)},
			},
		},
		{
			"by site, without a place as well",
			query.HistoryQuery{Group: query.BySite, Step: step.Length{Every: time.Minute}, Agg: query.Max},
			[]query.HistorySeries{
				{Quantity: speed, Points: points(0, 7)},
				{Site: "quay", Quantity: speed, Points: points(0, 40, 60_000, 90)},
				{Site: "ring", Quantity: speed, Points: points(0, 60)},
			},
		},
		{
			"by district and channel, of one district",
			query.HistoryQuery{Group: query.ByDistrict | query.ByChannel, Districts: []string{"north"}, Step: step.Length{Every: time.Hour}, Agg: query.P50},
			[]query.HistorySeries{
				{District: "north", Quantity: speed, Points: points(0, 60)},
				{District: "north", Quantity: speed, Channel: "1", Points: points(0, 10)},
				{District: "north", Quantity: speed, Channel: "2", Points: points(0, 20)},
			},
		},
		{
			"channels of a sensor are combined",
			query.HistoryQuery{Group: query.BySensor, Sensors: []telemetry.SensorID{"loop-1"}, Step: step.Length{Every: time.Hour}},
			[]query.HistorySeries{{Sensor: "loop-1", Quantity: speed, Points: points(0, 15)}},
		},
	} {
		t.Run(one.rule, func(t *testing.T) {
			one.ask.From, one.ask.To = noon, noon.Add(2*time.Minute)
			if one.ask.Quantities == nil {
				one.ask.Quantities = []telemetry.QuantityID{speed}
			}
			got, err := h.History(context.Background(), one.ask)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(one.want, got.Series, cmpopts.EquateApprox(1e-12, 0)); diff != "" || got.Truncated || got.Step != one.ask.Step {
				t.Errorf("series, step %s, truncated %v (-want +got):\n%s", got.Step, got.Truncated, diff)
			}
		})
	}
}

func TestStepIsChosenForPoints(t *testing.T) {
	c := start(t)
	cfg := query.DefaultConfig()
	cfg.MaxPoints = 1000
	h := query.NewHistory(cfg, c, prometheus.NewRegistry())
	const day = 24 * time.Hour
	for _, one := range []struct {
		rule     string
		span     time.Duration
		points   int
		shortest time.Duration
		expect   int
		want     step.Length
	}{
		{"the shortest that fits", day, 500, 0, 1, step.Length{Every: 5 * time.Minute}},
		{"of whole cadences", 2 * time.Hour, 500, 20 * time.Second, 1, step.Length{Every: time.Minute}},
		{"of whole cadences, the shortest", 2 * time.Hour, 500, time.Minute, 1, step.Length{Every: time.Minute}},
		{"never shorter than asked for", time.Hour, 500, 45 * time.Second, 1, step.Length{Every: time.Minute}},
		{"also where that is long", time.Hour, 500, 40 * day, 1, step.Length{Months: 3}},
		{"all series fit into one answer", 30 * day, 500, 0, 10, step.Length{Every: 12 * time.Hour}},
		{"more series than points", 30 * day, 500, 0, 5000, step.Length{Months: 3}},
		{"of days, weeks and months", 366 * day, 20, 0, 1, step.Length{Months: 1}},
		{"of years", 40 * 366 * day, 20, 0, 1, step.Length{Months: 36}},
	} {
		t.Run(one.rule, func(t *testing.T) {
			got, err := h.History(context.Background(), query.HistoryQuery{
				Sensors: []telemetry.SensorID{"loop-1"}, Quantities: []telemetry.QuantityID{id(t, "speed")},
				From: noon, To: noon.Add(one.span), Points: one.points, Shortest: one.shortest, Expect: one.expect,
			})
			if err != nil {
				t.Fatal(err)
			}
			if got.Step != one.want {
				t.Errorf("step is %s, want %s", got.Step, one.want)
			}
		})
	}
}

func TestWrongChoiceIsTheAskersFault(t *testing.T) {
	cfg := query.DefaultConfig()
	cfg.MaxPlaces = 2
	good := query.HistoryQuery{Sites: []string{"ring"}, Quantities: []telemetry.QuantityID{id(t, "speed")}, From: noon, To: noon.Add(time.Hour), Step: step.Length{Every: time.Minute}}
	for param, spoil := range map[string]func(*query.HistoryQuery){
		"sensor: is missing": func(q *query.HistoryQuery) { q.Sites, q.Group = nil, query.BySensor|query.BySite },
		"site: chooses 3":    func(q *query.HistoryQuery) { q.Districts = []string{"north", "south"} },
		"group: combines":    func(q *query.HistoryQuery) { q.Group, q.Step = query.BySensor, step.Length{} },
		"points: is 10":      func(q *query.HistoryQuery) { q.Points = 10 },
		"points: is -1":      func(q *query.HistoryQuery) { q.Points = -1 },
	} {
		q := good
		spoil(&q)
		_, err := query.NewHistory(cfg, nil, prometheus.NewRegistry()).History(context.Background(), q)
		var invalid *query.InvalidError
		if !errors.As(err, &invalid) || !strings.HasPrefix(invalid.Error(), param) {
			t.Errorf("%s…: %v", param, err)
		}
	}
	for _, name := range []string{"sensor", "site", "district", "channel", "domain"} {
		if _, ok := query.ParseGroup(name); !ok {
			t.Errorf("group %s is not known", name)
		}
	}
	if _, ok := query.ParseGroup("street"); ok {
		t.Error("group street is known")
	}
}
