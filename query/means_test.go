package query_test

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lamppost-city/lamppost/query"
	"github.com/lamppost-city/lamppost/telemetry"
	"github.com/lamppost-city/lamppost/telemetry/step"
)

// TestMeansAreThoseOfTheirQuantities holds what a planner would publish: two levels of 50 and 90 dB are on average as loud as
// one of 87, and winds from both sides of north come from the north. The other figures were computed by hand.
func TestMeansAreThoseOfTheirQuantities(t *testing.T) {
	c := start(t)
	const readings = `
safety,sensor=mast laeq=50,wind_direction=350,temperature=1 1772625600000
safety,sensor=mast laeq=90,wind_direction=10,temperature=2 1772625610000
safety,sensor=mast,channel=2 laeq=60,wind_direction=200 1772625620000
safety,sensor=quay,district=south laeq=60,wind_direction=220 1772625620000
safety,sensor=mast laeq=70,wind_direction=90,temperature=5 1772625660000
`
	if err := c.Write(context.Background(), []byte(readings)); err != nil {
		t.Fatal(err)
	}
	h := query.NewHistory(query.DefaultConfig(), c, prometheus.NewRegistry())
	quantities := []telemetry.QuantityID{id(t, "laeq"), id(t, "temperature"), id(t, "wind_direction")}
	from := time.UnixMilli(1772625600000)
	for _, one := range []struct {
		rule    string
		sensors []telemetry.SensorID
		group   query.Group
		agg     query.Agg
		step    time.Duration
		want    map[string]float64 // of the first point of the series without a channel
	}{
		{"natural", []telemetry.SensorID{"mast"}, 0, query.Natural, time.Minute, map[string]float64{"laeq": 86.99, "temperature": 1.5, "wind_direction": 0}},
		{"asked for", []telemetry.SensorID{"mast"}, 0, query.Mean, time.Minute, map[string]float64{"laeq": 86.99, "temperature": 1.5, "wind_direction": 0}},
		{"over sensors", []telemetry.SensorID{"mast", "quay"}, query.ByDomain, query.Mean, time.Hour, map[string]float64{"laeq": 83.06, "temperature": 8.0 / 3, "wind_direction": 3.30}},
		{"of one place", []telemetry.SensorID{"mast", "quay"}, query.ByDistrict, query.Mean, time.Hour, map[string]float64{"laeq": 84.03, "temperature": 8.0 / 3, "wind_direction": 32.57}},
		{"other aggregates", []telemetry.SensorID{"mast"}, 0, query.Max, time.Hour, map[string]float64{"laeq": 90, "temperature": 5, "wind_direction": 350}},
		{"as they are", []telemetry.SensorID{"mast"}, 0, query.Mean, 0, map[string]float64{"laeq": 50, "temperature": 1, "wind_direction": 350}},
	} {
		got, err := h.History(context.Background(), query.HistoryQuery{
			Sensors: one.sensors, Quantities: quantities, From: from, To: from.Add(time.Hour), Step: step.Length{Every: one.step}, Group: one.group, Agg: one.agg,
		})
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for _, s := range got.Series {
			if s.Channel != "" || s.District != "" {
				continue
			}
			found++
			// Nearly 360 degrees are nearly 0.
			if d := math.Abs(s.Points[0].Value - one.want[s.Quantity.String()]); d > 0.01 && !(s.Quantity.String() == "wind_direction" && 360-d < 0.01) {
				t.Errorf("%s: %s is %.4f, want %.2f", one.rule, s.Quantity, s.Points[0].Value, one.want[s.Quantity.String()])
			}
		}
		if found != 3 {
			t.Errorf("%s: %d series of 3", one.rule, found)
		}
	}
}
