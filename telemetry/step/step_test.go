package step_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/lamppost-city/lamppost/telemetry/step"
)

func TestLengthsAreReadAndWritten(t *testing.T) {
	for _, c := range []struct {
		text  string
		want  step.Length
		again string
	}{
		{"", step.Length{}, ""},
		{"0", step.Length{}, ""},
		{"30s", step.Length{Every: 30 * time.Second}, "30s"},
		{"250ms", step.Length{Every: 250 * time.Millisecond}, "250ms"},
		{"60m", step.Length{Every: time.Hour}, "1h"},
		{"1h30m", step.Length{Every: 90 * time.Minute}, "1h30m"},
		{"24h", step.Length{Every: 24 * time.Hour}, "24h"},
		{"1d", step.Length{Days: 1}, "1d"},
		{"7d", step.Length{Days: 7}, "1w"},
		{"2w", step.Length{Days: 14}, "2w"},
		{"3mo", step.Length{Months: 3}, "3mo"},
		{"12mo", step.Length{Months: 12}, "1y"},
		{"400y", step.Length{Months: 4800}, "400y"},
	} {
		got, ok := step.Parse(c.text)
		if !ok || got != c.want || got.String() != c.again {
			t.Errorf("%q: %+v %v, written %q", c.text, got, ok, got.String())
		}
	}
	for _, text := range []string{"-1h", "d", "1.5d", "-1d", "1h1d", "401y", "70000d", "9999999999999999d", "1us", "1x", " 1d", "1 d", "+1d", "2000000h"} {
		if got, ok := step.Parse(text); ok {
			t.Errorf("%q is read as %+v", text, got)
		}
	}
}

func TestStepsBeginWhereTheCalendarSays(t *testing.T) {
	for _, c := range []struct{ zone, length, at, begin, next string }{
		{"UTC", "15m", "2026-03-01T12:34:56Z", "2026-03-01T12:30:00Z", "2026-03-01T12:45:00Z"},
		{"UTC", "6h", "1969-12-31T23:00:00Z", "1969-12-31T18:00:00Z", "1970-01-01T00:00:00Z"},
		{"UTC", "1d", "2026-03-01T12:34:56Z", "2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z"},
		{"Europe/Berlin", "1d", "2026-03-28T23:30:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"}, // 23 hours
		{"Europe/Berlin", "1d", "2026-10-25T12:00:00Z", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"}, // 25 hours
		{"Europe/Berlin", "1w", "2026-11-22T22:59:59Z", "2026-11-15T23:00:00Z", "2026-11-22T23:00:00Z"}, // to Sunday's end
		{"Europe/Berlin", "1mo", "2026-03-31T22:30:00Z", "2026-03-31T22:00:00Z", "2026-04-30T22:00:00Z"},
		{"Europe/Berlin", "3mo", "2026-12-31T12:00:00Z", "2026-09-30T22:00:00Z", "2026-12-31T23:00:00Z"},
		{"Europe/Berlin", "1y", "2025-12-31T23:00:00Z", "2025-12-31T23:00:00Z", "2026-12-31T23:00:00Z"},
		{"Asia/Kolkata", "1d", "2026-01-01T18:29:59Z", "2025-12-31T18:30:00Z", "2026-01-01T18:30:00Z"},
		{"America/Sao_Paulo", "1d", "2018-11-04T12:00:00Z", "2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"}, // no midnight
		{"America/Sao_Paulo", "1d", "2018-02-18T02:30:00Z", "2018-02-17T02:00:00Z", "2018-02-18T03:00:00Z"}, // 23:30 for the second time
		{"Pacific/Apia", "1d", "2011-12-30T09:00:00Z", "2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z"},      // no 30 December
		{"Pacific/Apia", "1d", "2011-12-30T10:00:00Z", "2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z"},
	} {
		zone := zoneOf(t, c.zone)
		length, _ := step.Parse(c.length)
		at, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		begin := length.Begin(at, zone)
		if got := begin.UTC().Format(time.RFC3339); got != c.begin {
			t.Errorf("%s in %s: the step of %s begins at %s, want %s", c.length, c.zone, c.at, got, c.begin)
		}
		if got := length.Next(begin).UTC().Format(time.RFC3339); got != c.next {
			t.Errorf("%s in %s: the step after that of %s begins at %s, want %s", c.length, c.zone, c.at, got, c.next)
		}
	}
}

// Whatever the clocks do, every moment is in exactly one step, and steps follow one another.
func TestEveryMomentIsInOneStep(t *testing.T) {
	zones := []string{"UTC", "Europe/Berlin", "Australia/Lord_Howe", "America/Sao_Paulo", "Asia/Kathmandu", "Pacific/Apia", "Africa/Casablanca", "Antarctica/Troll", "America/Godthab"}
	lengths := []string{"15m", "1h", "1d", "2d", "1w", "1mo", "3mo", "1y"}
	rapid.Check(t, func(r *rapid.T) {
		zone := zoneOf(t, rapid.SampledFrom(zones).Draw(r, "zone"))
		length, _ := step.Parse(rapid.SampledFrom(lengths).Draw(r, "length"))
		at := time.Unix(rapid.Int64Range(-2e9, 8e9).Draw(r, "at"), 0)
		begin := length.Begin(at, zone)
		next := length.Next(begin)
		if begin.After(at) || !next.After(at) {
			r.Fatalf("%s is not in the step from %s to %s", at.In(zone), begin, next)
		}
		for _, same := range []time.Time{begin, next.Add(-time.Second)} {
			if got := length.Begin(same, zone); !got.Equal(begin) {
				r.Fatalf("the step of %s begins at %s, that of %s at %s", same, got, at.In(zone), begin)
			}
		}
		if got := length.Begin(next, zone); !got.Equal(next) {
			r.Fatalf("the step at %s begins at %s", next, got)
		}
		if spans := next.Sub(begin); spans < length.Shortest()-24*time.Hour {
			r.Fatalf("the step from %s is %s long, at least %s was said", begin, spans, length.Shortest())
		}
	})
}

func zoneOf(t *testing.T, name string) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return zone
}
