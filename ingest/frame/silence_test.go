package frame_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/lamppost-city/lamppost/ingest/frame"
	"github.com/lamppost-city/lamppost/telemetry"
)

func TestReportIsMissingOnceItIsHalfACadenceOverdue(t *testing.T) {
	for _, c := range []struct {
		after time.Duration
		want  int64
	}{
		{0, 0},
		{10 * time.Second, 0},
		{15 * time.Second, 0},
		{15*time.Second + time.Millisecond, 1},
		{25 * time.Second, 1},
		{26 * time.Second, 2},
		{time.Hour, 359},
		{-time.Hour, 0},
	} {
		s := frame.Silence{From: 1000, To: 1000 + telemetry.UnixMilli(c.after.Milliseconds()), Cadence: 10 * time.Second}
		if got := s.Missing(); got != c.want {
			t.Errorf("after %s: %d missing, want %d", c.after, got, c.want)
		}
	}
	if got := (frame.Silence{}).Missing(); got != 0 {
		t.Errorf("nothing is expected: %d missing", got)
	}
}

// However a silence is parted by reports that come late, the sums of the minutes are at every moment those of what is
// left, and none is negative.
func TestSumsOfAPartedSilenceAreThoseOfItsParts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from := telemetry.UnixMilli(rapid.Int64Range(-1e12, 2e12).Draw(t, "from"))
		cadence := time.Duration(rapid.Int64Range(1, 7_200_000).Draw(t, "cadence")) * time.Millisecond
		length := rapid.OneOf(rapid.Int64Range(1, 3_600_000), rapid.Int64Range(1, 4e9), rapid.Int64Range(1, 1e12)).Draw(t, "length")
		whole := frame.Silence{From: from, To: from + telemetry.UnixMilli(length), Cadence: cadence}
		whole.End = whole.To
		sums := make(map[int64]int64)
		count := func(was frame.Silence, now [2]frame.Silence) {
			frame.Recount(was, now, func(minute, more int64) {
				if more == 0 {
					t.Fatalf("minute %d is visited for nothing", minute)
				}
				sums[minute] += more
			})
		}
		open := []frame.Silence{whole}
		count(frame.Silence{}, [2]frame.Silence{whole})
		if len(sums) > 200 {
			t.Fatalf("%d sums", len(sums))
		}
		for range rapid.IntRange(0, 20).Draw(t, "late") {
			i := rapid.IntRange(0, len(open)-1).Draw(t, "silence")
			was := open[i]
			at := telemetry.UnixMilli(rapid.Int64Range(int64(was.From), int64(was.To)).Draw(t, "at"))
			parts := [2]frame.Silence{was, was}
			parts[0].To, parts[1].From = at, at
			count(was, parts)
			open = append(append(open[:i:i], open[i+1:]...), parts[:]...)
			want, got := int64(0), int64(0)
			for _, s := range open {
				want += s.Missing()
			}
			for minute, n := range sums {
				got += n
				if n < 0 {
					t.Fatalf("minute %d has %d missing", minute, n)
				}
				if minute > int64(whole.To)/60_000 {
					t.Fatalf("minute %d is later than the end of the silence", minute)
				}
			}
			if got != want {
				t.Fatalf("the sums come to %d, the parts to %d", got, want)
			}
		}
		for _, s := range open {
			count(s, [2]frame.Silence{})
		}
		for minute, n := range sums {
			if n != 0 {
				t.Fatalf("minute %d still has %d missing", minute, n)
			}
		}
	})
}

func TestMissingIsCountedWhenItWasDue(t *testing.T) {
	end := telemetry.MilliOf(time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC))
	ago := func(d time.Duration) telemetry.UnixMilli { return end - telemetry.UnixMilli(d.Milliseconds()) }
	s := frame.Silence{From: ago(50 * time.Hour), To: end, End: end, Cadence: 10 * time.Second}
	within := make(map[time.Duration]int64)
	frame.Recount(frame.Silence{}, [2]frame.Silence{s}, func(minute, more int64) {
		for _, d := range []time.Duration{5 * time.Minute, time.Hour, 2 * time.Hour, 24 * time.Hour, 36 * time.Hour, 100 * time.Hour} {
			if telemetry.UnixMilli(minute*60_000) >= ago(d) {
				within[d] += more
			}
		}
	})
	// Before the last day by whole days: what was due on the 8th, from 10:00 on, and until noon on the 9th.
	for d, want := range map[time.Duration]int64{
		5 * time.Minute: 5 * 6, time.Hour: 60 * 6, 2 * time.Hour: 120 * 6, 24 * time.Hour: 24 * 360, 36 * time.Hour: 36 * 360, 100 * time.Hour: 50 * 360,
	} {
		if off := within[d] - want; off < -1 || off > 1 {
			t.Errorf("%d missing in the last %s, want %d", within[d], d, want)
		}
	}
}

func BenchmarkRecount(b *testing.B) {
	end := telemetry.UnixMilli(1_772_366_400_000)
	for name, length := range map[string]telemetry.UnixMilli{"10 minutes": 600_000, "a day": 86_400_000, "a year": 365 * 86_400_000} {
		b.Run(name, func(b *testing.B) {
			was := frame.Silence{From: end - length, To: end, End: end, Cadence: time.Minute}
			now := was
			now.From += 61_000
			sum := int64(0)
			b.ReportAllocs()
			for b.Loop() {
				frame.Recount(was, [2]frame.Silence{now}, func(_, more int64) { sum += more })
			}
		})
	}
}
