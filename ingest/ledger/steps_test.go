package ledger_test

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lamppost-city/lamppost/ingest/frame"
	"github.com/lamppost-city/lamppost/ingest/ledger"
	"github.com/lamppost-city/lamppost/telemetry"
	"github.com/lamppost-city/lamppost/telemetry/step"
)

// Steps of every length add up to what the minutes say, each under the step in which its minutes lie.
func TestStepsAreTheMinutesTogether(t *testing.T) {
	l := fresh(t, config())
	random := rand.New(rand.NewPCG(3, 4))
	sensors := []telemetry.SensorID{"loop-1", "loop-2", "loop-3"}
	const span = 3 * 24 * 60 // minutes from 1970-01-03
	begin := int64(2 * 24 * 60)
	for n := range 400 {
		sensor, minute := sensors[random.IntN(len(sensors))], begin+random.Int64N(span)
		f := accepted(sensor, minute, 1+random.Int64N(5))
		f.Minutes[0].Missing = random.Int64N(3)
		f.Rejections = refused(sensor, minute+random.Int64N(3), nil).Rejections
		record(t, l, f, place(2*n+1))
		settle(t, l, f, place(2*n+1))
	}
	flush(t, l)
	from, to := minuteTime(begin), minuteTime(begin+span+3)
	kolkata, err := time.LoadLocation("Asia/Kolkata") // days begin at half past
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"1m", "5m", "30m", "1h", "6h", "24h", "1d", "1w", "1mo"} {
		length, _ := step.Parse(text)
		for _, of := range [][]telemetry.SensorID{nil, sensors[:1], sensors[1:], {"loop-9"}, {}} {
			want := map[time.Time]ledger.Totals{}
			each := of
			if of == nil {
				each = sensors
			}
			for _, sensor := range each {
				minutes, err := l.Minutes(t.Context(), sensor, from, to)
				if err != nil {
					t.Fatal(err)
				}
				for _, m := range minutes {
					at := length.Begin(m.Time, kolkata).UTC()
					sum := want[at]
					sum.Add(m.Totals)
					want[at] = sum
				}
			}
			steps, err := l.Steps(t.Context(), ledger.StepsQuery{Sensors: of, From: from, To: to, Step: length, Zone: kolkata})
			if err != nil {
				t.Fatal(err)
			}
			got := map[time.Time]ledger.Totals{}
			for i, one := range steps {
				got[one.Time] = one.Totals
				if i > 0 && !steps[i-1].Time.Before(one.Time) {
					t.Errorf("step %s follows %s", one.Time, steps[i-1].Time)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("steps of %s of %v (-minutes +steps):\n%s", text, of, diff)
			}
		}
	}
	sums, err := l.Sums(t.Context(), sensors, from.Add(90*time.Minute), to.Add(-100*time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	for i, sensor := range sensors {
		want, err := l.SensorTotals(t.Context(), sensor, from.Add(90*time.Minute), to.Add(-100*time.Minute))
		if diff := cmp.Diff(want, sums[i]); diff != "" || err != nil {
			t.Errorf("sum of %s, %v (-want +got):\n%s", sensor, err, diff)
		}
	}
}

func TestStepsAreBounded(t *testing.T) {
	l := fresh(t, config())
	day := func(n int64) time.Time { return minuteTime(24 * 60 * n) }
	many := make([]telemetry.SensorID, 10_000)
	for _, c := range []struct {
		sensors  []telemetry.SensorID
		from, to time.Time
		step     time.Duration
		want     error
	}{
		{nil, day(0), day(1), 0, ledger.ErrStep},
		{nil, day(0), day(1), -time.Hour, ledger.ErrStep},
		{nil, day(0), day(1), 90 * time.Second, ledger.ErrStep},
		{nil, day(0), day(1), 7 * time.Minute, ledger.ErrStep},
		{nil, day(0), day(1), 90 * time.Minute, ledger.ErrStep},
		{nil, day(0), day(8), time.Minute, ledger.ErrSteps},
		{many, day(0), day(365), 24 * time.Hour, ledger.ErrMuch},
		{nil, day(0), day(365), 24 * time.Hour, nil},
		{nil, day(365), day(0), time.Hour, nil},
	} {
		if _, err := l.Steps(t.Context(), ledger.StepsQuery{Sensors: c.sensors, From: c.from, To: c.to, Step: step.Length{Every: c.step}}); !errors.Is(err, c.want) {
			t.Errorf("step %s of %d sensors up to %s: %v, want %v", c.step, len(c.sensors), c.to, err, c.want)
		}
	}
	if _, err := l.Sums(t.Context(), many, day(0), day(365)); !errors.Is(err, ledger.ErrMuch) {
		t.Errorf("sums of %d sensors over a year: %v", len(many), err)
	}
}

func TestStepsHoldWhatIsOverdueNow(t *testing.T) {
	l := fresh(t, config())
	now := time.Now()
	expectations := plan{"loop-1": {cadence: time.Minute}}
	l.Expect(func() ledger.Plan { return expectations })
	at := telemetry.MilliOf(now.Add(-2 * time.Hour))
	record(t, l, &frame.Frame{Minutes: []frame.Minute{{Sensor: "loop-1", Minute: ledger.MinuteOf(at), Newest: at, Counts: frame.Counts{Received: 1, Accepted: 1, Reports: 1}}}}, place(1))
	flush(t, l)
	for _, of := range [][]telemetry.SensorID{nil, {"loop-1"}} {
		steps, err := l.Steps(t.Context(), ledger.StepsQuery{Sensors: of, From: now.Add(-24 * time.Hour), To: now.Add(time.Hour), Step: step.Length{Every: time.Hour}})
		if err != nil {
			t.Fatal(err)
		}
		missing := int64(0)
		for _, one := range steps {
			missing += one.Missing
		}
		if missing < 118 || missing > 121 {
			t.Errorf("of two hours of minutes %d are missing", missing)
		}
	}
	sums, err := l.Sums(t.Context(), []telemetry.SensorID{"loop-1"}, now.Add(-24*time.Hour), now.Add(time.Hour))
	if err != nil || sums[0].Missing < 118 || sums[0].Missing > 121 {
		t.Errorf("sums are %+v, %v", sums, err)
	}
}

func TestEventsAreSilencesAndClocks(t *testing.T) {
	l := fresh(t, config())
	now := time.Now()
	minute := now.Truncate(time.Minute).UTC()
	expectations := plan{"loop-1": {cadence: time.Minute}, "loop-2": {cadence: time.Minute}, "loop-3": {cadence: time.Minute}}
	l.Expect(func() ledger.Plan { return expectations })
	last := telemetry.MilliOf(now.Add(-30 * time.Minute))
	minuteOf := func(at time.Time) int64 { return ledger.MinuteOf(telemetry.MilliOf(at)) }
	clock := func(sensor telemetry.SensorID, at time.Time, reason telemetry.Reason, n int64) frame.Rejection {
		return frame.Rejection{Sensor: sensor, Minute: minuteOf(at), Reason: reason, N: n}
	}
	silence := frame.Silence{From: last - 7_200_000, To: last - 3_600_000, End: last - 3_600_000, Cadence: time.Minute}
	record(t, l, &frame.Frame{
		Minutes: []frame.Minute{
			{Sensor: "loop-1", Minute: minuteOf(last.Time()), Newest: last, Counts: frame.Counts{Received: 1, Accepted: 1, Reports: 1}},
			{Sensor: "loop-3", Minute: minuteOf(last.Time()), Newest: last, Counts: frame.Counts{Received: 1, Accepted: 1, Reports: 1}},
			{Sensor: "loop-2", Minute: minuteOf(now), Newest: telemetry.MilliOf(now), Counts: frame.Counts{Received: 1, Accepted: 1, Reports: 1}},
		},
		Silences: []frame.SensorSilences{{Sensor: "loop-2", Open: []frame.Silence{silence}}},
		Rejections: []frame.Rejection{
			clock("loop-1", minute.Add(-5*time.Hour), telemetry.ReasonFuture, 3), clock("loop-1", minute.Add(-4*time.Hour), telemetry.ReasonTooOld, 4),
			clock("loop-1", minute.Add(-2*time.Hour), telemetry.ReasonFuture, 1), clock("loop-1", minute, telemetry.ReasonTime, 6),
			clock("loop-1", minute.Add(-8*time.Hour), telemetry.ReasonRange, 7), clock("", minute, telemetry.ReasonTime, 8),
			clock("loop-2", minute.Add(-12*time.Minute), telemetry.ReasonTime, 2), clock("loop-2", minute.Add(-10*time.Minute), telemetry.ReasonTime, 2),
		},
	}, place(1))
	flush(t, l)
	got, truncated, err := l.Events(t.Context(), now.Add(-24*time.Hour), now.Add(time.Minute))
	if err != nil || truncated {
		t.Fatalf("truncated %v, %v", truncated, err)
	}
	var clocks, silences []ledger.Event
	for _, e := range got {
		if e.Kind == ledger.WrongClock {
			clocks = append(clocks, e)
		} else {
			silences = append(silences, e)
		}
	}
	refusals := func(future, old, unreadable int64) map[telemetry.Reason]int64 {
		all := map[telemetry.Reason]int64{}
		for reason, n := range map[telemetry.Reason]int64{telemetry.ReasonFuture: future, telemetry.ReasonTooOld: old, telemetry.ReasonTime: unreadable} {
			if n > 0 {
				all[reason] = n
			}
		}
		return all
	}
	wantClocks := []ledger.Event{
		{Kind: ledger.WrongClock, Sensor: "loop-1", From: minute.Add(-5 * time.Hour), To: minute.Add(-4*time.Hour + time.Minute), Refused: refusals(3, 4, 0)},
		{Kind: ledger.WrongClock, Sensor: "loop-1", From: minute.Add(-2 * time.Hour), To: minute.Add(-2*time.Hour + time.Minute), Refused: refusals(1, 0, 0)},
		// It has said a right time since.
		{Kind: ledger.WrongClock, Sensor: "loop-2", From: minute.Add(-12 * time.Minute), To: minute.Add(-9 * time.Minute), Refused: refusals(0, 0, 4)},
		{Kind: ledger.WrongClock, Sensor: "loop-1", From: minute, Refused: refusals(0, 0, 6)},
	}
	if diff := cmp.Diff(wantClocks, clocks); diff != "" {
		t.Errorf("clocks (-want +got):\n%s", diff)
	}
	if len(silences) != 3 || silences[0].Sensor != "loop-2" || silences[0].Missing != silence.Missing() || !silences[0].To.Equal(silence.To.Time()) ||
		silences[1].Sensor != "loop-1" || !silences[1].To.IsZero() || !silences[1].From.Equal(last.Time()) || silences[1].Missing < 28 ||
		silences[2].Sensor != "loop-3" || !silences[2].From.Equal(last.Time()) || silences[2].Missing < 28 {
		t.Errorf("silences are %+v", silences)
	}
	for _, outside := range [][2]time.Duration{{-24 * time.Hour, -9 * time.Hour}, {-4*time.Hour + 2*time.Minute, -3 * time.Hour}, {time.Hour, 2 * time.Hour}} {
		if got, _, err := l.Events(t.Context(), now.Add(outside[0]), now.Add(outside[1])); len(got) != 0 && got[0].To != (time.Time{}) || err != nil {
			t.Errorf("outside there are %+v, %v", got, err)
		}
	}
}

func TestWatcherHearsOfWhatIsInTheStore(t *testing.T) {
	l := fresh(t, config())
	var heard [][]int64
	l.Watch(func(minutes []int64) { heard = append(heard, minutes) })
	f := accepted("loop-1", 60, 2)
	f.Minutes = append(f.Minutes, accepted("loop-2", 60, 1).Minutes[0], accepted("loop-2", 7, 1).Minutes[0])
	duplicates := accepted("loop-3", 90, 0)
	f.Minutes = append(f.Minutes, duplicates.Minutes[0])
	record(t, l, f, place(1))
	if heard != nil {
		t.Errorf("before anything is written it hears of %v", heard)
	}
	settle(t, l, f, place(1))
	if diff := cmp.Diff([][]int64{{60, 7}}, heard); diff != "" {
		t.Errorf("minutes (-want +got):\n%s", diff)
	}
}
