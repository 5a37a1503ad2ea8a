package storetest

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lamppost-city/lamppost/store"
	"github.com/lamppost-city/lamppost/telemetry"
)

func holdsCounts(t *testing.T, s suite) {
	a, b := s.sensor("count-a"), s.sensor("count-b")
	s.write(t,
		line(a, "1", "speed=1,intensity=2", base.Add(10*time.Second)),
		line(a, "2", "speed=1,speed_raw=2", base.Add(10*time.Second)),
		line(a, "1", "speed=1", base.Add(90*time.Second)),
		line(b, "", "speed_raw=1", base),
		line(b, "", "speed=1", base.Add(8*time.Hour)),
	)
	var got []store.Count
	err := s.client.Counts(context.Background(), telemetry.Traffic, base, base.Add(8*time.Hour+time.Second), time.Minute, func(c store.Count) error {
		if c.Sensor == telemetry.SensorID(a) || c.Sensor == telemetry.SensorID(b) {
			got = append(got, c)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []store.Count{
		{Sensor: telemetry.SensorID(a), Time: telemetry.MilliOf(base), Values: 3},
		{Sensor: telemetry.SensorID(a), Time: telemetry.MilliOf(base.Add(time.Minute)), Values: 1},
		{Sensor: telemetry.SensorID(b), Time: telemetry.MilliOf(base.Add(8 * time.Hour)), Values: 1},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
}

func holdsPeriods(t *testing.T, s suite) {
	id := s.sensor("periods")
	// Eleven minutes apart, counted in steps of seven minutes and of a week, neither of which fits a day.
	from, to := base.Add(-3*time.Minute), base.Add(20*24*time.Hour)
	var lines []string
	for at := from; at.Before(to); at = at.Add(11 * time.Minute) {
		lines = append(lines, line(id, "", "speed=1", at))
	}
	s.write(t, lines...)
	for _, step := range []time.Duration{7 * time.Minute, 7 * 24 * time.Hour} {
		want, got := map[telemetry.UnixMilli]int64{}, map[telemetry.UnixMilli]int64{}
		for at := from; at.Before(to); at = at.Add(11 * time.Minute) {
			ms := at.UnixMilli()
			want[telemetry.UnixMilli(ms-ms%step.Milliseconds())]++
		}
		err := s.client.Counts(context.Background(), telemetry.Traffic, from, to, step, func(c store.Count) error {
			if c.Sensor != telemetry.SensorID(id) {
				return nil
			}
			if _, twice := got[c.Time]; twice {
				t.Errorf("period %s came twice", c.Time.Time())
			}
			got[c.Time] = c.Values
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("periods of %s (-want +got):\n%s", step, diff)
		}
	}
}

func holdsPoints(t *testing.T, s suite) {
	id := s.sensor("points")
	s.write(t,
		line(id, "1", "speed=1,intensity=2", base),
		line(id, "2", "speed=3,speed_raw=4", base),
		line(id+",site=corner,district=harbour", "2", "speed=7", base.Add(time.Second)),
		line(id, "", "speed=5", base.Add(20*24*time.Hour)),
		line(id, "", "speed=6", base.Add(21*24*time.Hour)),
	)
	var got []store.Value
	err := s.client.Points(context.Background(), telemetry.Traffic, telemetry.SensorID(id), base, base.Add(21*24*time.Hour), func(v store.Value) error {
		got = append(got, v)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	at := telemetry.MilliOf(base)
	want := []store.Value{
		{Quantity: "intensity", Channel: "1", Time: at, Value: 2},
		{Quantity: "speed", Channel: "1", Time: at, Value: 1},
		{Quantity: "speed", Channel: "2", Time: at, Value: 3},
		{Quantity: "speed", Channel: "2", Site: "corner", District: "harbour", Time: at + 1000, Value: 7},
		{Quantity: "speed", Time: telemetry.MilliOf(base.Add(20 * 24 * time.Hour)), Value: 5},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
}

// holdsNames needs the points of holdsPoints.
func holdsNames(t *testing.T, s suite) {
	fields, err := s.client.Fields(context.Background(), telemetry.Traffic)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"speed", "speed_raw", "intensity"} {
		if !slices.Contains(fields, want) {
			t.Errorf("no field %s among %v", want, fields)
		}
	}
	// Points of now, because InfluxDB 3 lists only the sensors of the last day.
	s.write(t, line(s.sensor("names"), "", "speed=1", time.Now()))
	sensors, err := s.client.Sensors(context.Background(), telemetry.Traffic)
	if err != nil || !slices.Contains(sensors, telemetry.SensorID(s.sensor("names"))) {
		t.Errorf("%d sensors without the one just written, %v", len(sensors), err)
	}
	cfg := s.client.Config()
	cfg.Token = "lamppost:wrong"
	_, err = Client(t, cfg).Fields(context.Background(), telemetry.Traffic)
	if e := kind(t, err); e.Kind != store.Denied {
		t.Errorf("fields with a wrong token: %v", err)
	}
}
