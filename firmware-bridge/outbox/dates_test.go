package outbox_test

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lamppost-city/lamppost/firmware-bridge/clock"
	"github.com/lamppost-city/lamppost/firmware-bridge/outbox"
	"github.com/lamppost-city/lamppost/telemetry"
)

// dates checks that reading i was measured step*i after the machine was switched on.
func dates(t *testing.T, all []decoded, truth time.Time, step time.Duration) {
	t.Helper()
	for _, d := range all {
		for _, r := range d.readings {
			want := telemetry.MilliOf(truth.Add(time.Duration(r.Value) * step))
			if off := r.Measured - want; off < -5 || off > 5 {
				t.Errorf("reading %g is dated %s, want %s", r.Value, r.Measured.Time(), want.Time())
			}
		}
	}
}

// putEach puts readings a second apart; reading i is measured i seconds after the start.
func (r *rig) putEach(from, to int) {
	for i := from; i < to; i++ {
		time.Sleep(time.Until(r.board.on.Add(time.Duration(i) * time.Second)))
		r.put(i, i+1)
	}
}

// oldestFirst is a configuration in which nothing goes ahead.
func oldestFirst() outbox.Config {
	cfg := config()
	cfg.NewestShare = 0
	return cfg
}

func TestNothingIsSentBeforeTheDateIsKnownAndAllOfItThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, l := newBoard(1, noon), newLine(true)
		r := start(t, config(), t.TempDir(), b, l)
		r.putEach(0, 600)
		time.Sleep(time.Minute)
		if s := r.Status(); l.sent() != 0 || s.UndatedReadings != 600 || s.WaitingReadings != 600 || s.Oldest < 659*time.Second {
			t.Errorf("%d messages were sent without knowing the date, %+v", l.sent(), s)
		}
		b.tell(r.clock)
		r.putEach(660, 700)
		r.delivered()
		all := l.decoded(t)
		dates(t, all, noon, time.Second)
		check(t, "readings", slices.Sorted(slices.Values(numbers(all))), append(upTo(0, 600), upTo(660, 700)...))
		numbers := slices.Sorted(slices.Values(seqs(all)))
		inOrder(t, numbers)
		if s := r.Status(); s.UndatedReadings != 0 || s.WaitingReadings != 0 || s.Oldest != 0 {
			t.Errorf("%+v", s)
		}
	})
}

func TestUndatedReadingsOfThisBootSurviveARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		b, l := newBoard(1, noon), newLine(true)
		r := start(t, oldestFirst(), dir, b, l)
		r.putEach(0, 100)
		r.ended()
		r = start(t, oldestFirst(), dir, b, l)
		r.putEach(100, 150)
		time.Sleep(2 * time.Second)
		if l.sent() != 0 {
			t.Errorf("%d messages were sent", l.sent())
		}
		b.tell(r.clock)
		r.delivered()
		dates(t, l.decoded(t), noon, time.Second)
		check(t, "readings", numbers(l.decoded(t)), upTo(0, 150))
	})
}

func TestUndatedReadingsOfAnEarlierBootAreDatedIfItsDateBecameKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		first := newBoard(1, noon)
		r := start(t, oldestFirst(), dir, first, newLine(false))
		r.putEach(0, 100)
		first.tell(r.clock)
		synctest.Wait() // the clock keeps it; nothing reaches the broker
		r.ended()

		second, l := newBoard(2, noon.AddDate(0, 1, 0)), newLine(true)
		start(t, oldestFirst(), dir, second, l)
		time.Sleep(time.Second)
		synctest.Wait()
		dates(t, l.decoded(t), noon, time.Second)
		check(t, "readings, before the second boot knows the date", numbers(l.decoded(t)), upTo(0, 100))
	})
}

func TestReadingsThatNobodyCanDateAreSetAsideAndBlockNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		first := newBoard(1, noon)
		r := start(t, oldestFirst(), dir, first, newLine(true))
		r.putEach(0, 95)
		r.ended()

		second, l := newBoard(2, noon.AddDate(0, 1, 0)), newLine(true)
		r = start(t, oldestFirst(), dir, second, l)
		r.putEach(0, 20)
		second.tell(r.clock)
		r.delivered()
		all := l.decoded(t)
		dates(t, all, second.truth, time.Second)
		check(t, "readings", numbers(all), upTo(0, 20))
		if s := r.Status(); s.Dropped[outbox.Undated] != 95 {
			t.Errorf("%+v", s)
		}
		r.ended()

		for range 3 { // and not a second time
			r = start(t, oldestFirst(), dir, second, newLine(true))
			r.delivered()
			if s := r.Status(); s.Dropped[outbox.Undated] != 0 {
				t.Errorf("%+v", s)
			}
			r.ended()
		}
		lines := asideLines(t, filepath.Join(dir, "outbox", "undated.jsonl"))
		if len(lines) != 95 {
			t.Fatalf("%d lines, want 95", len(lines))
		}
		for i, line := range lines {
			if line["boot"] != first.boot.String() || line["at_s"] != float64(i) || line["value"] != float64(i) ||
				line["sensor"] != string(reading(i).Sensor) || line["quantity"] != "temperature" || line["channel"] != "top" {
				t.Errorf("line %d: %v", i, line)
			}
		}
	})
}

func asideLines(t *testing.T, path string) (all []map[string]any) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		line := map[string]any{}
		if err := json.Unmarshal(s.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		all = append(all, line)
	}
	return all
}

// Also where nothing newer is behind them.
func TestReadingsAreSetAsideOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		r := start(t, config(), dir, newBoard(1, noon), newLine(true))
		r.putEach(0, 15)
		r.ended()
		seq := r.Status().Seq
		for n := range byte(3) {
			r = start(t, config(), dir, newBoard(2+n, noon), newLine(true))
			r.delivered()
			if s := r.Status(); s.Dropped[outbox.Undated] != 15*uint64(1-min(n, 1)) || s.Seq != seq {
				t.Errorf("boot %d: %+v, want the number %d", n, s, seq)
			}
			r.ended()
		}
		if lines := asideLines(t, filepath.Join(dir, "outbox", "undated.jsonl")); len(lines) != 15 {
			t.Errorf("%d lines", len(lines))
		}
	})
}

func TestFilesAsideAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		cfg := config()
		cfg.AsideBytes = 8 << 10
		for n := byte(1); n <= 6; n++ {
			r := start(t, cfg, dir, newBoard(n, noon), newLine(true))
			r.eventually("the earlier boot is set aside", func(s outbox.Status) bool { return n == 1 || s.Dropped[outbox.Undated] == 300 })
			r.put(0, 300)
			r.ended()
		}
		for _, name := range []string{"undated.jsonl", "undated.jsonl.old"} {
			info, err := os.Stat(filepath.Join(dir, "outbox", name))
			if err != nil || info.Size() > 4<<10 || info.Size() < 2<<10 {
				t.Errorf("%s: %v, %v", name, info, err)
			}
		}
		lines := asideLines(t, filepath.Join(dir, "outbox", "undated.jsonl"))
		if lines[0]["boot"] != (clock.Boot{15: 5}).String() {
			t.Errorf("the newer file begins with %v, want the fifth boot", lines[0])
		}
	})
}

// A device that knows the date itself is not kept waiting by those that do not.
func TestDatedReadingsPassUndatedOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		b, l := newBoard(1, noon), newLine(true)
		r := start(t, config(), dir, b, l)
		for i := range 200 {
			one := reading(i)
			if i%2 == 1 {
				one.Date = b.date(clock.Instant(i) * clock.Instant(time.Second))
			}
			time.Sleep(time.Until(b.on.Add(time.Duration(i) * time.Second)))
			r.Put([]outbox.Reading{one})
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		odd := slices.DeleteFunc(upTo(0, 200), func(i int) bool { return i%2 == 0 })
		check(t, "readings before the date is known", numbers(l.decoded(t)), odd)
		if s := r.Status(); s.UndatedReadings != 100 || s.WaitingReadings != 100 || s.AcknowledgedReadings != 100 {
			t.Errorf("%+v", s)
		}
		b.tell(r.clock)
		r.delivered()
		all := l.decoded(t)
		dates(t, all, noon, time.Second)
		check(t, "all readings, each once", slices.Sorted(slices.Values(numbers(all))), upTo(0, 200))
		r.ended()
		again := newLine(true)
		r = start(t, config(), dir, b, again)
		r.delivered()
		if n := again.sent(); n != 1 {
			t.Errorf("%d messages come again after a restart, want the newest", n)
		}
	})
}

// Half an hour of darkness, an acknowledgement that never comes, a restart and a new date: all of it in one spool.
func TestMixedBacklogIsDatedFrameByFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		first := newBoard(1, noon)
		r := start(t, oldestFirst(), dir, first, newLine(false))
		r.putEach(0, 50)
		first.tell(r.clock)
		r.putEach(50, 100)
		r.ended()
		second := newBoard(2, noon.Add(1000*time.Second))
		r = start(t, oldestFirst(), dir, second, newLine(false))
		for i := range 50 { // numbered by the first machine's seconds
			time.Sleep(time.Second)
			one := reading(1001 + i)
			r.Put([]outbox.Reading{one})
		}
		r.ended()
		l := newLine(true)
		r = start(t, oldestFirst(), dir, second, l)
		time.Sleep(time.Second)
		synctest.Wait()
		check(t, "what can be dated", numbers(l.decoded(t)), upTo(0, 100))
		second.tell(r.clock)
		r.delivered()
		check(t, "all", numbers(l.decoded(t)), append(upTo(0, 100), upTo(1001, 1051)...))
		dates(t, l.decoded(t), noon, time.Second)
		inOrder(t, seqs(l.decoded(t)))
	})
}
