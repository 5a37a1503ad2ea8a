package ledger_test

import (
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lamppost-city/lamppost/ingest/frame"
	"github.com/lamppost-city/lamppost/ingest/ledger"
	"github.com/lamppost-city/lamppost/telemetry"
)

// plan is what is expected of sensors.
type plan map[telemetry.SensorID]expected

type expected struct {
	cadence time.Duration
	since   time.Time
}

func (p plan) Expected(id telemetry.SensorID) (time.Duration, telemetry.UnixMilli) {
	if p[id].since.IsZero() {
		return p[id].cadence, 0
	}
	return p[id].cadence, telemetry.MilliOf(p[id].since)
}

// report is a frame of a sensor that reports now.
func report(sensor telemetry.SensorID, missing int64) *frame.Frame {
	at := telemetry.MilliOf(time.Now())
	return &frame.Frame{Minutes: []frame.Minute{{
		Sensor: sensor, Minute: ledger.MinuteOf(at), Newest: at, Counts: frame.Counts{Received: 1, Accepted: 1, Reports: 1, Missing: missing},
	}}}
}

// missing asks for the sum of a range in both ways in which a sensor's can be had.
func missing(t *testing.T, l *ledger.Ledger, sensor telemetry.SensorID, from, to time.Time) int64 {
	t.Helper()
	flush(t, l)
	sum, err := l.SensorTotals(t.Context(), sensor, from, to)
	if err != nil {
		t.Fatal(err)
	}
	if sensor != "*" && to.Sub(from) <= ledger.MaxMinutes*time.Minute {
		minutes, err := l.Minutes(t.Context(), sensor, from, to)
		if err != nil {
			t.Fatal(err)
		}
		byMinute := int64(0)
		for i, m := range minutes {
			byMinute += m.Missing
			if i > 0 && !minutes[i-1].Time.Before(m.Time) {
				t.Errorf("minute %s follows %s", m.Time, minutes[i-1].Time)
			}
		}
		if byMinute != sum.Missing {
			t.Errorf("the minutes of %s have %d missing, their sum is %d", sensor, byMinute, sum.Missing)
		}
	}
	return sum.Missing
}

func TestSilentSensorHasReportsMissing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		expectations := plan{"loop-1": {cadence: 10 * time.Second}, "loop-2": {cadence: time.Minute}}
		current := func() ledger.Plan { return expectations }
		l := open(t, path, config())
		l.Expect(current)
		record(t, l, report("loop-1", 3), place(1))
		record(t, l, report("loop-2", 0), place(2))
		record(t, l, report("loop-3", 0), place(3)) // has no cadence
		begin, end := start.Add(-time.Hour), start.Add(24*time.Hour)
		expect := func(want map[telemetry.SensorID]int64) {
			t.Helper()
			sum := int64(0)
			for _, s := range []telemetry.SensorID{"loop-1", "loop-2", "loop-3"} {
				if got := missing(t, l, s, begin, end); got != want[s] {
					t.Errorf("after %s %d of %s are missing, want %d", time.Since(start), got, s, want[s])
				}
				sum += want[s]
			}
			for _, from := range []time.Time{longAgo, begin} {
				if got := missing(t, l, "*", from, end); got != sum {
					t.Errorf("after %s %d of all are missing since %s, want %d", time.Since(start), got, from, sum)
				}
			}
		}
		time.Sleep(15 * time.Second)
		expect(map[telemetry.SensorID]int64{"loop-1": 3}) // not overdue by half a cadence
		time.Sleep(time.Second)
		expect(map[telemetry.SensorID]int64{"loop-1": 3 + 1})
		time.Sleep(10*time.Minute - 16*time.Second)
		silent := map[telemetry.SensorID]int64{"loop-1": 3 + 59, "loop-2": 9}
		expect(silent)
		if l.City().Missing != 3 {
			t.Errorf("%d are known to be missing, want 3", l.City().Missing)
		}
		// Parts of a range add up.
		for after := range 10 {
			middle := start.Add(time.Duration(after) * time.Minute)
			for s, want := range map[telemetry.SensorID]int64{"loop-1": 62, "*": 71} {
				if a, b := missing(t, l, s, begin, middle), missing(t, l, s, middle, end); a+b != want || after > 1 && (a == 0 || b == 0) {
					t.Errorf("of %s %d are missing up to minute %d, and %d from then on, want %d", s, a, after, b, want)
				}
			}
		}
		if got := missing(t, l, "*", start.Add(11*time.Minute), end); got != 0 {
			t.Errorf("%d are missing in the future", got)
		}
		// A report ends the silence; the next process knows of it.
		record(t, l, report("loop-1", 59), place(5))
		expect(silent)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		l = open(t, path, config())
		l.Expect(current)
		expect(silent)
		time.Sleep(time.Minute)
		expect(map[telemetry.SensorID]int64{"loop-1": 62 + 5, "loop-2": 10})
		// Nothing is expected of a sensor before it was registered, or when it is not any more.
		expectations["loop-1"] = expected{10 * time.Second, time.Now().Add(-30 * time.Second)}
		delete(expectations, "loop-2")
		expect(map[telemetry.SensorID]int64{"loop-1": 62 + 2})
		l.Expect(func() ledger.Plan { return nil })
		expect(map[telemetry.SensorID]int64{"loop-1": 62})
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// However long a silence, it is asked for in bounded time, and is where it was.
func TestLongSilenceIsSeenInEachPartOfIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	synctest.Test(t, func(t *testing.T) {
		l := open(t, path, config())
		defer func() { _ = l.Close() }()
		l.Expect(func() ledger.Plan { return plan{"loop-1": {cadence: time.Minute}} })
		time.Sleep(13 * time.Hour)
		record(t, l, report("loop-1", 0), place(1))
		begin := time.Now()
		for _, rest := range []time.Duration{3 * 24 * time.Hour, 97 * 24 * time.Hour} {
			time.Sleep(rest)
			now := time.Now()
			for _, from := range []time.Time{begin.Add(-24 * time.Hour), begin.Add(-time.Hour), begin, begin.Add(70 * 24 * time.Hour), now.Add(-time.Hour)} {
				if one, all := missing(t, l, "loop-1", from, now.Add(time.Hour)), missing(t, l, "*", from, now.Add(time.Hour)); one != all {
					t.Errorf("since %s %d of the sensor are missing, and %d of all", from, one, all)
				}
			}
		}
		now := time.Now()
		for _, c := range []struct {
			back      time.Duration
			want, off int64
		}{{time.Hour, 60, 2}, {24 * time.Hour, 1440, 15}, {7 * 24 * time.Hour, 7 * 1440, 1440}} {
			got := missing(t, l, "loop-1", now.Add(-c.back), now.Add(time.Hour))
			if got < c.want-c.off || got > c.want+c.off {
				t.Errorf("%d missing in the last %s, want %d", got, c.back, c.want)
			}
		}
		if got := missing(t, l, "*", longAgo, farOff); got != 100*1440-1 {
			t.Errorf("%d missing in all, want %d", got, 100*1440-1)
		}
	})
}

func TestNewestSequencesAndSilencesOutliveTheProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	l := open(t, path, config())
	f := accepted("loop-1", 10, 1)
	f.Sequences = []frame.Sequence{{Publisher: "loop-1", Seq: 1<<64 - 1}}
	silence := frame.Silence{From: 60_000, To: 300_000, End: 600_000, Cadence: 1500 * time.Millisecond}
	f.Silences = []frame.SensorSilences{{Sensor: "loop-1", Open: []frame.Silence{silence, {From: 1, To: 2, End: 3, Cadence: time.Hour}}}, {Sensor: "loop-2", Open: []frame.Silence{silence}}}
	record(t, l, f, place(1))
	f.Silences[0].Open[0].From = 5 // the frame is used again
	flush(t, l)
	record(t, l, accepted("loop-1", 9, 1), place(2))
	flush(t, l)
	later := &frame.Frame{Silences: []frame.SensorSilences{{Sensor: "loop-1", Open: []frame.Silence{silence}}, {Sensor: "loop-2"}}}
	record(t, l, later, place(3))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = open(t, path, config())
	defer func() { _ = l.Close() }()
	sequences, err := l.Sequences(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	silences, err := l.Silences(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[telemetry.SensorID]telemetry.UnixMilli{"loop-1": 600_000}, l.Newest()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[telemetry.SensorID]uint64{"loop-1": 1<<64 - 1}, sequences); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[telemetry.SensorID][]frame.Silence{"loop-1": {silence}}, silences); diff != "" {
		t.Error(diff)
	}
}

func TestLedgersOfVersionsBeforeAreTakenOver(t *testing.T) {
	for version, undo := range map[int]string{
		1: "DROP TABLE silences; PRAGMA user_version = 1",
		2: "ALTER TABLE newest ADD COLUMN numbered INTEGER NOT NULL DEFAULT 1; PRAGMA user_version = 2",
	} {
		path := filepath.Join(t.TempDir(), "ledger.db")
		l := open(t, path, config())
		record(t, l, accepted("loop-1", 10, 1), place(1))
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		execute(t, path, undo)
		for range 2 {
			l = open(t, path, config())
			if got := l.Newest()["loop-1"]; got != 600_000 {
				t.Errorf("version %d: newest report at %d", version, got)
			}
			if silences, err := l.Silences(t.Context()); err != nil || len(silences) != 0 {
				t.Errorf("version %d: silences %v, %v", version, silences, err)
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// What comes to nothing is not listed.
func TestMinuteWhoseMissingReportsCameIsGone(t *testing.T) {
	l := fresh(t, config())
	for n, missing := range []int64{3, -1, -2} {
		f := &frame.Frame{Minutes: []frame.Minute{{Sensor: "loop-1", Minute: 100, Counts: frame.Counts{Missing: missing}}}}
		record(t, l, f, place(n+1))
		flush(t, l)
	}
	minutes, err := l.Minutes(t.Context(), "loop-1", minuteTime(60), minuteTime(180))
	if err != nil || len(minutes) != 0 {
		t.Errorf("minutes %+v, %v", minutes, err)
	}
}
