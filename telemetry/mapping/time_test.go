package mapping_test

import (
	"testing"
	"time"
	_ "time/tzdata" // the zones must not depend on the machine

	"github.com/lamppost-city/lamppost/telemetry"
)

func TestTimes(t *testing.T) {
	timed := func(time string) string {
		return `{time: {` + time + `}, readings: [{path: v, quantity: speed}]}`
	}
	hold(t, []rule{
		{name: "either of the usual", mapping: timed(`path: t`), payload: `{"t":"1772366400250","v":1}`, readings: "gate-7 speed 1 12:00:00.250"},
		{name: "microseconds", mapping: timed(`path: t, format: unix`), payload: `{"t":1772366400250000,"v":1}`, readings: "gate-7 speed 1 12:00:00.250"},
		{name: "no date where a number should be", mapping: timed(`path: t, format: unix`), payload: `{"t":"2026-03-01T12:00:00Z","v":1}`, faults: []string{"time is no Unix time"}},
		{name: "no number where a date should be", mapping: timed(`path: t, format: rfc3339`), payload: `{"t":1772366400,"v":1}`, faults: []string{"time is no RFC 3339"}},
		{name: "local time", mapping: timed(`path: t, format: "%Y-%m-%dT%H:%M:%S", zone: Europe/Madrid`), payload: `{"t":"2026-03-01T13:00:00","v":1}`, readings: "gate-7 speed 1 12:00:00.000"},
		{name: "local time in summer", mapping: timed(`path: t, format: "%F %T", zone: Europe/Madrid`), payload: `{"t":"2026-07-01 14:00:00","v":1}`, readings: "gate-7 speed 1 12:00:00.000"},
		{name: "a clock that nobody changes", mapping: timed(`path: t, format: "%d/%m/%Y %H:%M", zone: +01:00`), payload: `{"t":"1/7/2026  13:00","v":1}`, readings: "gate-7 speed 1 12:00:00.000"},
		{name: "an hour that no clock shows", mapping: timed(`path: t, format: "%F %T", zone: Europe/Madrid`), payload: `{"t":"2026-03-29 02:30:00","v":1}`, faults: []string{"time not written as %F %T"}},
		{name: "an hour that comes twice is the one nearer to receipt", mapping: timed(`path: t, format: "%F %T", zone: Europe/Madrid`), payload: `{"t":"2025-10-26 02:30:00","v":1}`, readings: "gate-7 speed 1 2025"},
		{name: "its own zone", mapping: timed(`path: t, format: "%y%m%d %H%M%S %z"`), payload: `{"t":"260301 100000 -0200","v":1}`, readings: "gate-7 speed 1 12:00:00.000"},
		{name: "its own zone, short", mapping: timed(`path: t, format: "%b %d %Y, %I:%M:%S.%f%p%z"`), payload: `{"t":"Mar  1 2026, 12:00:00.25pm+00","v":1}`, readings: "gate-7 speed 1 12:00:00.250"},
		{name: "midnight", mapping: timed(`path: t, format: "%b %d %Y, %I:%M%p", zone: +00:00`), payload: `{"t":"march 1 2026, 12:05AM","v":1}`, readings: "gate-7 speed 1 00:05:00.000"},
		{name: "seconds since 1970 in a text", mapping: timed(`path: t, format: "@%s.%f"`), payload: `{"t":"@1772366400.25","v":1}`, readings: "gate-7 speed 1 12:00:00.250"},
		{name: "a number where a text should be", mapping: timed(`path: t, format: "%s"`), payload: `{"t":1772366400,"v":1}`, faults: []string{"time not written as %s"}},
		{name: "a date that is none", mapping: timed(`path: t, format: "%F %T", zone: +00:00`), payload: `{"t":"2026-02-30 12:00:00","v":1}`, faults: []string{"time"}},
		{name: "something behind it", mapping: timed(`path: t, format: "%F %T", zone: +00:00`), payload: `{"t":"2026-02-03 12:00:00 CET","v":1}`, faults: []string{"time"}},
		{name: "no path stamps", mapping: timed(`path: ""`), payload: `{"t":"x","v":1}`, readings: "gate-7 speed 1" + stamped},
	})
	near := decoder(t, timed(`path: t, format: "%F %T", zone: Europe/Madrid`))
	for received, want := range map[string]string{"2025-10-26T00:31:00Z": "00:30", "2025-10-26T01:31:00Z": "01:30"} {
		at, _ := time.Parse(time.RFC3339, received)
		var m telemetry.Message
		near.Decode(&m, "", []byte(`{"t":"2025-10-26 02:30:00","v":1}`), telemetry.Origin{Publisher: "gate-7", Received: telemetry.MilliOf(at)})
		if len(m.Readings) != 1 || m.Readings[0].Measured.Time().Format("15:04") != want {
			t.Errorf("received %s: %+v, want %s", received, m, want)
		}
	}
}
