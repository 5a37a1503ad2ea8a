package query_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/lamppost-city/lamppost/query"
	"github.com/lamppost-city/lamppost/telemetry"
	"github.com/lamppost-city/lamppost/telemetry/step"
)

func zoneOf(t *testing.T, name string) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

// A vehicle an hour: the days of a city have as many as they have hours.
func TestDaysAreThoseOfTheCity(t *testing.T) {
	c := start(t)
	berlin := zoneOf(t, "Europe/Berlin")
	from := time.Date(2026, 3, 1, 0, 0, 0, 0, berlin)
	to := time.Date(2026, 5, 1, 0, 0, 0, 0, berlin)
	var all []telemetry.Reading
	for at := from; at.Before(to); at = at.Add(time.Hour) {
		all = append(all, reading(t, "loop-1", "intensity", "", 1, telemetry.MilliOf(at)))
	}
	write(t, c, all...)
	h := query.NewHistory(query.DefaultConfig(), c, prometheus.NewRegistry())
	for _, one := range []struct {
		step     string
		zone     *time.Location
		from, to time.Time
		want     []string
	}{
		{"1d", berlin, time.Date(2026, 3, 27, 15, 0, 0, 0, berlin), time.Date(2026, 3, 31, 3, 0, 0, 0, berlin), []string{
			"2026-03-27 00:00 CET: 9", "2026-03-28 00:00 CET: 24", "2026-03-29 00:00 CET: 23", "2026-03-30 00:00 CEST: 24", "2026-03-31 00:00 CEST: 3",
		}},
		{"1d", nil, time.Date(2026, 3, 28, 23, 0, 0, 0, time.UTC), time.Date(2026, 3, 30, 0, 0, 0, 0, time.UTC), []string{
			"2026-03-28 00:00 UTC: 1", "2026-03-29 00:00 UTC: 24",
		}},
		{"1w", berlin, time.Date(2026, 3, 16, 0, 0, 0, 0, berlin), time.Date(2026, 4, 6, 0, 0, 0, 0, berlin), []string{
			"2026-03-16 00:00 CET: 168", "2026-03-23 00:00 CET: 167", "2026-03-30 00:00 CEST: 168",
		}},
		{"1mo", berlin, from, to, []string{"2026-03-01 00:00 CET: 743", "2026-04-01 00:00 CEST: 720"}},
		{"1y", berlin, from, to, []string{"2026-01-01 00:00 CET: 1463"}},
	} {
		length, _ := step.Parse(one.step)
		for range 2 { // the second time from what is kept
			got, err := h.History(t.Context(), query.HistoryQuery{
				Sensors: []telemetry.SensorID{"loop-1"}, Quantities: []telemetry.QuantityID{id(t, "intensity")},
				From: one.from, To: one.to, Step: length, Zone: one.zone,
			})
			if err != nil || len(got.Series) != 1 || got.Truncated || got.Step != length {
				t.Fatalf("%s: %+v, %v", one.step, got, err)
			}
			var days []string
			for _, p := range got.Series[0].Points {
				days = append(days, fmt.Sprintf("%s: %g", p.Time.Time().In(one.from.Location()).Format("2006-01-02 15:04 MST"), p.Value))
			}
			if diff := cmp.Diff(one.want, days); diff != "" {
				t.Errorf("%s from %s (-want +got):\n%s", one.step, one.from, diff)
			}
		}
	}
}
