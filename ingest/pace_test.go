package ingest

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/lamppost-city/lamppost/ingest/frame"
	"github.com/lamppost-city/lamppost/telemetry"
)

const often = 10 * time.Second

// Whatever is left out, and whatever of it comes late after all, what is missing in the end is what never came.
func TestMissingIsWhatNeverCame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var p pace
		sums := make(map[int64]int64)
		missing := func() (sum int64) {
			for minute, n := range sums {
				if n < 0 {
					t.Fatalf("minute %d has %d missing", minute, n)
				}
				sum += n
			}
			return sum
		}
		note := func(at telemetry.UnixMilli) {
			r := report{at: at}
			c, changed := p.look(r, often, 0)
			p.take(r, often, c)
			if changed {
				frame.Recount(c.was, c.now, func(minute, more int64) { sums[minute] += more })
			}
		}
		want := int64(0)
		var late []telemetry.UnixMilli
		at := telemetry.UnixMilli(1_772_366_400_000)
		note(at)
		for range rapid.IntRange(1, 300).Draw(t, "reports") {
			at += 10_000
			jittered := at + telemetry.UnixMilli(rapid.IntRange(-2000, 2000).Draw(t, "jitter"))
			what := rapid.SampledFrom([]string{"on time", "on time", "on time", "late", "never", "twice"}).Draw(t, "report")
			if len(p.open) >= maxSilences/2 {
				what = "on time"
			}
			switch what {
			case "late":
				late = append(late, jittered)
				want++
			case "never":
				want++
			case "twice":
				note(jittered)
				note(jittered)
			default:
				note(jittered)
			}
		}
		note(at + 10_000) // ends the last silence
		if got := missing(); got != want {
			t.Fatalf("%d missing, want %d", got, want)
		}
		order := late
		if len(late) < maxSilences/2 {
			order = rapid.Permutation(late).Draw(t, "order")
		}
		for _, i := range order {
			note(i)
			note(i)
		}
		if got := missing(); got != want-int64(len(late)) {
			t.Fatalf("%d missing after late ones have come, want %d", got, want-int64(len(late)))
		}
	})
}

func TestSilencesAreBoundedAndTheLongestAreKept(t *testing.T) {
	var p pace
	note := func(at telemetry.UnixMilli) change {
		r := report{at: at}
		c, _ := p.look(r, often, 0)
		p.take(r, often, c)
		if len(p.open) > maxSilences {
			t.Fatalf("%d silences", len(p.open))
		}
		return c
	}
	start := telemetry.UnixMilli(1_772_366_400_000)
	at := start
	note(at)
	at += 3_600_000
	note(at)
	for range 10 * maxSilences {
		at += 20_000
		note(at)
	}
	if c := note(start + 1_800_000); c.was.From != start {
		t.Error("the hour is forgotten")
	}
	if c := note(at - 10_000); c.was.To != at {
		t.Error("the newest silence is forgotten")
	}
}
