package query_test

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lamppost-city/lamppost/query"
	"github.com/lamppost-city/lamppost/telemetry"
)

func state(t *testing.T, sensor, quantity, name string, at telemetry.UnixMilli) telemetry.Reading {
	t.Helper()
	r := reading(t, sensor, quantity, "", -1, at)
	for i, known := range r.Quantity.Quantity().States {
		if known == name {
			r.Value = float64(i)
			return r
		}
	}
	t.Fatalf("%s has no state %s", quantity, name)
	return r
}

// always lets the readings of every sensor count until they are so old.
func always(age time.Duration) func(telemetry.SensorID) time.Duration {
	return func(telemetry.SensorID) time.Duration { return age }
}

func TestFiguresSumUpTheCity(t *testing.T) {
	now := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	at := telemetry.MilliOf(now)
	l := query.NewLatest(query.DefaultConfig(), prometheus.NewRegistry())
	l.Add([]telemetry.Reading{
		reading(t, "loop-1", "speed", "", 40, at-1000),
		reading(t, "loop-2", "speed", "1", 50, at-2000),
		reading(t, "loop-2", "speed", "2", 90, at-2000),
		reading(t, "loop-3", "speed", "", 999, at-601_000),    // too old
		reading(t, "loop-4", "speed", "", 999, at+10_000_000), // a clock that is wrong
		reading(t, "loop-1", "intensity", "", 5, at),
		reading(t, "loop-2", "intensity", "1", 7, at),
		// A meter's own total, and the phases that it is the sum of.
		reading(t, "meter-1", "active_power", "", 600, at),
		reading(t, "meter-1", "active_power", "L1", 100, at),
		reading(t, "meter-1", "active_power", "L2", 500, at),
		reading(t, "meter-2", "active_power", "L1", -20, at),
		reading(t, "meter-2", "active_power", "L2", 30, at),
		state(t, "lamp-1", "power_state", "on", at),
		state(t, "lamp-2", "power_state", "low", at),
		state(t, "lamp-3", "power_state", "off", at),
		reading(t, "mic-1", "laeq", "", 48, at-5),
		reading(t, "mic-2", "laeq", "", 71.5, at-9),
		reading(t, "gauge-1", "water_level", "", -2, at),
		reading(t, "gauge-2", "water_level", "", -1.5, at),
	})
	type row struct {
		value   float64
		sensors int
		agg     query.Agg
		domain  telemetry.Domain
		time    telemetry.UnixMilli
	}
	want := map[string]row{
		"Mean speed":          {60, 2, query.Mean, telemetry.Traffic, at - 1000},
		"Vehicles counted":    {12, 2, query.Sum, telemetry.Traffic, at},
		"Active power":        {610, 2, query.Sum, telemetry.Energy, at},
		"Street lights on":    {2, 3, query.Sum, telemetry.Energy, at},
		"Loudest place":       {71.5, 2, query.Max, telemetry.Safety, at - 5},
		"Highest water level": {-1.5, 2, query.Max, telemetry.Safety, at},
	}
	seen := 0
	for _, f := range query.Figures(l, now, always(10*time.Minute)) {
		got := row{f.Value, f.Sensors, f.Agg, f.Domain, f.Time}
		expected, known := want[f.Title]
		if !known {
			expected = row{0, 0, f.Agg, f.Domain, 0}
		} else {
			seen++
		}
		if got != expected {
			t.Errorf("%s: %+v, want %+v", f.Title, got, expected)
		}
		if f.Title == "Street lights on" && f.Unit != telemetry.One {
			t.Errorf("lamps are counted in %v", f.Unit)
		}
	}
	if seen != len(want) {
		t.Errorf("%d of %d figures are there", seen, len(want))
	}
}

func TestFiguresCountEachSensorForAsLongAsItMayBeQuiet(t *testing.T) {
	now := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	at := telemetry.MilliOf(now)
	const minute = 60_000
	l := query.NewLatest(query.DefaultConfig(), prometheus.NewRegistry())
	l.Add([]telemetry.Reading{
		reading(t, "hourly", "no2", "", 10, at-90*minute),
		reading(t, "hourly-gone", "no2", "", 1000, at-130*minute),
		reading(t, "busy", "no2", "", 20, at-1*minute),
		reading(t, "busy-gone", "no2", "", 1000, at-3*minute),
		reading(t, "busy-ahead", "no2", "", 30, at+4*minute), // within what a clock may be wrong by
		reading(t, "deleted", "no2", "", 1000, at),
	})
	ages := map[telemetry.SensorID]time.Duration{
		"hourly": 2 * time.Hour, "hourly-gone": 2 * time.Hour,
		"busy": 2 * time.Minute, "busy-gone": 2 * time.Minute, "busy-ahead": 2 * time.Minute,
	}
	for _, f := range query.Figures(l, now, func(id telemetry.SensorID) time.Duration { return ages[id] }) {
		if f.Quantity.Name == "no2" && (f.Sensors != 3 || f.Value != 20) {
			t.Errorf("%s is %v of %d sensors, want 20 of 3", f.Title, f.Value, f.Sensors)
		}
	}
}

// The table is text: this holds that its quantities and states exist, and that what it does with them makes sense.
func TestFiguresAreOfTheCatalogue(t *testing.T) {
	figures := query.Figures(query.NewLatest(query.DefaultConfig(), prometheus.NewRegistry()), time.Now(), always(time.Minute))
	if len(figures) != query.FiguresInTable() {
		t.Errorf("%d of the table's %d quantities are in the catalogue", len(figures), query.FiguresInTable())
	}
	domains, titles := map[telemetry.Domain]int{}, map[string]bool{}
	for _, f := range figures {
		domains[f.Domain]++
		if titles[f.Title] {
			t.Errorf("two figures are called %s", f.Title)
		}
		titles[f.Title] = true
		if f.Quantity.Kind == telemetry.Counter {
			t.Errorf("%s: a counter's level means nothing", f.Title)
		}
		if f.Quantity.Kind == telemetry.State && f.Unit != telemetry.One {
			t.Errorf("%s: states cannot be averaged", f.Title)
		}
	}
	for _, d := range telemetry.Domains() {
		if domains[d] < 3 {
			t.Errorf("%d figures of %s", domains[d], d)
		}
	}
	for _, missing := range query.StatesNotInCatalogue() {
		t.Errorf("no state %s", missing)
	}
}
