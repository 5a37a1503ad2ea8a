package outbox_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lamppost-city/lamppost/firmware-bridge/outbox"
	"github.com/lamppost-city/lamppost/spool"
	"github.com/lamppost-city/lamppost/telemetry"
)

func TestReadingsComeOutAsTheyWentIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, l := newBoard(1, noon), newLine(true)
		r := start(t, config(), t.TempDir(), b, l)
		b.tell(r.clock)
		time.Sleep(time.Minute)
		at := r.clock.Now()
		time.Sleep(time.Second)
		r.Put([]outbox.Reading{
			{Sensor: "box-1", Quantity: "temperature", Channel: "top", Value: -1.5, At: at},
			{Quantity: "active_power", Value: 7, At: at.Add(250 * time.Millisecond)}, // the publisher's own
			{Sensor: "box-1", Quantity: "relative_humidity", Value: 0.5},
			{Sensor: "meter", Quantity: "active_power", Value: 8, Date: noon.Add(30 * time.Second)},
			{Sensor: "meter", Quantity: "active_power", Value: 9, At: at, Date: time.Unix(12, 0)}, // the device's clock is not set
		})
		r.delivered()
		all := l.decoded(t)
		if len(all) != 1 || all[0].topic != "city/kerb-1/readings" {
			t.Fatalf("%+v", all)
		}
		want := []telemetry.Reading{
			measured(t, "box-1", "temperature", "top", -1.5, time.Minute),
			measured(t, "kerb-1", "active_power", "", 7, time.Minute+250*time.Millisecond),
			measured(t, "box-1", "relative_humidity", "", 0.5, time.Minute+time.Second),
			measured(t, "meter", "active_power", "", 8, 30*time.Second),
			measured(t, "meter", "active_power", "", 9, time.Minute),
		}
		if diff := cmp.Diff(want, all[0].readings); diff != "" {
			t.Error(diff)
		}
		s := r.Status()
		if s.Put != 5 || s.AcknowledgedReadings != 5 || s.AcknowledgedMessages != 1 || s.Seq != all[0].seq || s.LastAcknowledged == 0 || s.Disk != outbox.DiskFine {
			t.Errorf("%+v", s)
		}
	})
}

func measured(t *testing.T, sensor telemetry.SensorID, quantity, channel string, value float64, after time.Duration) telemetry.Reading {
	t.Helper()
	q, ok := telemetry.QuantityByName(quantity)
	if !ok {
		t.Fatal(quantity)
	}
	return telemetry.Reading{Sensor: sensor, Quantity: q.ID, Channel: channel, Value: value, Measured: telemetry.MilliOf(noon.Add(after))}
}

func TestMessagesAreMadeBySizeAndAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, l := newBoard(1, noon), newLine(true)
		r := start(t, config(), t.TempDir(), b, l)
		b.tell(r.clock)
		r.put(0, 25)
		synctest.Wait()
		if n := l.sent(); n != 2 {
			t.Errorf("%d messages at once, want 2 of 10 readings", n)
		}
		time.Sleep(999 * time.Millisecond)
		synctest.Wait()
		if n := l.sent(); n != 2 {
			t.Errorf("%d messages after 999 ms, want 2", n)
		}
		time.Sleep(2 * time.Millisecond)
		synctest.Wait()
		if n := l.sent(); n != 3 {
			t.Errorf("%d messages after a second, want 3", n)
		}
		check(t, "readings", numbers(l.decoded(t)), upTo(0, 25))
	})
}

func TestWhatTheBrokerDoesNotHaveSurvivesRestartsInOrder(t *testing.T) {
	dir := t.TempDir()
	b := newBoard(1, noon)
	n := 0
	for range 5 {
		r := start(t, config(), dir, b, newLine(false))
		b.tell(r.clock)
		r.put(n, n+57)
		n += 57
		r.ended() // and everything that was put is on the disk
	}
	l := newLine(true)
	r := start(t, config(), dir, b, l)
	r.delivered()
	r.ended()
	all := l.decoded(t)
	check(t, "readings", numbers(all), upTo(0, n))
	for i, seq := range seqs(all) {
		if seq != all[0].seq+uint64(i) {
			t.Fatalf("message %d has the number %d, the first %d", i, seq, all[0].seq)
		}
	}

	again := newLine(true) // only the newest message comes again
	r = start(t, config(), dir, b, again)
	r.put(n, n+1)
	r.delivered()
	r.ended()
	all = again.decoded(t)
	check(t, "readings after that", numbers(all), append(upTo(n-7, n), n))
	if all[0].seq+1 != all[1].seq || r.Status().Seq != all[1].seq {
		t.Errorf("numbers %v", seqs(all))
	}
}

// The newest share: 1 in 4 messages, in their order, and none of them twice.
func TestShareOfTheNewestGoesAheadOfABacklog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		b := newBoard(1, noon)
		r := start(t, config(), dir, b, newLine(false))
		b.tell(r.clock)
		for i := range 200 {
			r.put(10*i, 10*i+10)
			synctest.Wait()
		}
		r.ended()

		l := newLine(false)
		r = start(t, config(), dir, b, l)
		synctest.Wait()
		const old = 2000
		next := old
		for i := 0; l.acknowledge(0); i++ { // with every third acknowledgement a new message is made
			if i%3 == 0 && next < old+500 {
				r.put(next, next+10)
				next += 10
			}
			synctest.Wait()
		}
		got := numbers(l.decoded(t))
		sorted := slices.Sorted(slices.Values(got))
		check(t, "readings, sorted", sorted, upTo(0, next))
		var backlog, newest []int
		for i, n := range got {
			if n < old {
				backlog = append(backlog, n)
			} else {
				newest = append(newest, n)
			}
			if i == 799 && (len(newest) < 160 || len(newest) > 200) {
				t.Errorf("%d of the first 800 readings are new, want nearly a quarter", len(newest))
			}
		}
		check(t, "the backlog", backlog, upTo(0, old))
		check(t, "the newest", newest, upTo(old, next))
		if s := r.Status(); s.AheadMessages < 45 || s.WaitingReadings != 0 || s.WaitingMessages != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// A slow link: while it can carry what is new and a little more, that goes ahead without a gap. When it cannot, the very
// newest goes ahead now and then, and the numbers never have more gaps than ingest remembers.
func TestSlowLinkSeesTheNewestWithFewGaps(t *testing.T) {
	for _, test := range []struct {
		name                  string
		perAck                float64 // messages made for each that is acknowledged
		gaps, behind, leastAt int
	}{
		{"enough for what is new", 0.6, 1, 90, 1500},
		{"too slow for what is new", 2, 60, 1 << 30, 200},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { slow(t, test.perAck, test.gaps, test.behind, test.leastAt) })
		})
	}
}

func slow(t *testing.T, perAck float64, gaps, mostBehind, leastAhead int) {
	b, l := newBoard(1, noon), newLine(false)
	cfg := config()
	cfg.MaxReadings, cfg.MaxDelay = 1, time.Hour
	r := start(t, cfg, t.TempDir(), b, l)
	b.tell(r.clock)
	n := 0
	more := func(k int) { r.put(n, n+k); n += k; synctest.Wait() }
	for n < 2000 {
		more(1)
	}
	behind, seen, due := 0, 0, 0.0
	for range 3000 {
		for due += perAck; due >= 1; due-- {
			more(1)
		}
		if !l.acknowledge(0) {
			t.Fatal("nothing waits")
		}
		synctest.Wait()
		l.mu.Lock()
		last := decode(t, "", l.messages[len(l.messages)-1].Payload)
		l.mu.Unlock()
		seen = max(seen, int(last.readings[0].Value))
		if seen >= 2000 { // once the first has gone ahead
			behind = max(behind, n-seen)
		}
	}
	most := mostGaps(seqs(l.decoded(t)))
	s := r.Status()
	t.Logf("%d of %d messages went ahead, with at most %d gaps at once; the newest that was sent was at most %d behind", s.AheadMessages, s.SentMessages, most, behind)
	if most > gaps || behind > mostBehind || s.AheadMessages < uint64(leastAhead) {
		t.Errorf("want at least %d ahead, at most %d gaps, and at most %d behind", leastAhead, gaps, mostBehind)
	}
	l.release()
	r.delivered()
	check(t, "readings, sorted", slices.Sorted(slices.Values(numbers(l.decoded(t)))), upTo(0, n))
}

// mostGaps is how many gaps in the numbers there are at worst, as they come.
func mostGaps(all []uint64) (most int) {
	seen := map[uint64]bool{}
	first, last := all[0], all[0]
	for _, seq := range all {
		seen[seq] = true
		last = max(last, seq)
		if len(seen)%50 > 0 { // counting takes its time
			continue
		}
		gaps := 0
		for s := first; s < last; s++ {
			if seen[s] && !seen[s+1] {
				gaps++
			}
		}
		most = max(most, gaps)
	}
	return most
}

func TestAcknowledgementsInAnyOrderMoveTheCursorOnlyPastWhatIsDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		b, l := newBoard(1, noon), newLine(false)
		r := start(t, config(), dir, b, l)
		b.tell(r.clock)
		r.put(0, 100)
		synctest.Wait()
		for range 5 {
			l.acknowledge(1) // all but the first of those in flight
			synctest.Wait()
		}
		if s := r.Status(); s.AcknowledgedReadings != 50 || s.WaitingReadings != 100 {
			t.Errorf("%+v, want all to wait behind the first", s)
		}
		r.ended()
		l = newLine(true)
		r = start(t, config(), dir, b, l)
		r.delivered()
		check(t, "readings", numbers(l.decoded(t)), upTo(0, 100))
	})
}

func TestCommitsAreFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		b, l := newBoard(1, noon), newLine(true)
		r := start(t, config(), dir, b, l)
		b.tell(r.clock)
		commits, was := 0, ""
		for i := range 600 {
			r.put(10*i, 10*i+10)
			time.Sleep(time.Second)
			synctest.Wait()
			if text := cursor(t, dir); text != was {
				commits, was = commits+1, text
			}
		}
		if commits > 21 || commits < 10 {
			t.Errorf("the cursor was written %d times in 10 minutes, want one in 30 s", commits)
		}
	})
}

func TestUnknownQuantitiesAreDroppedAndCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, l := newBoard(1, noon), newLine(true)
		r := start(t, config(), t.TempDir(), b, l)
		b.tell(r.clock)
		r.Put([]outbox.Reading{{Sensor: "box-1", Quantity: "charm", Value: 1}, reading(1)})
		r.delivered()
		check(t, "readings", numbers(l.decoded(t)), []int{1})
		if s := r.Status(); s.Dropped[outbox.Unknown] != 1 || s.Put != 2 {
			t.Errorf("%+v", s)
		}
	})
}

func TestWhatComesAfterTheEndIsRefusedAndCounted(t *testing.T) {
	b, l := newBoard(1, noon), newLine(true)
	r := start(t, config(), t.TempDir(), b, l)
	r.ended()
	r.put(0, 3)
	if s := r.Status(); s.Dropped[outbox.Stopped] != 3 {
		t.Errorf("%+v", s)
	}
}

func TestOldestIsDroppedAtTheBoundAndCounted(t *testing.T) {
	for _, share := range []float64{0, 0.25} {
		t.Run(fmt.Sprintf("newest share %g", share), func(t *testing.T) { dropped(t, share) })
	}
}

func dropped(t *testing.T, share float64) {
	dir := t.TempDir()
	b := newBoard(1, noon)
	cfg := config()
	cfg.NewestShare = share
	cfg.Spool.SegmentBytes, cfg.Spool.MaxFrameBytes, cfg.Spool.GroupBytes, cfg.Spool.ReadBufferBytes = 4<<10, 4<<10, 4<<10, 4<<10
	cfg.Spool.MaxBytes = 40 << 10
	l := newLine(false)
	r := start(t, cfg, dir, b, l)
	b.tell(r.clock)
	const all = 5000
	for i := range all / 10 {
		r.put(10*i, 10*i+10)
		r.stored()
	}
	s := r.Status()
	if s.WaitingReadings > all/2 || s.WaitingReadings < 500 || s.DiskBytes > s.MaxBytes {
		t.Errorf("%+v, want it to have dropped most of %d", s, all)
	}
	l.release()
	r.delivered()
	got := numbers(l.decoded(t))
	s = r.Status()
	if len(got)+int(s.Dropped[outbox.Bounds]) != all || slices.Max(got) != all-1 || share == 0 && !slices.IsSorted(got) {
		t.Errorf("%d readings came, %d are said to be dropped, of %d; %v", len(got), s.Dropped[outbox.Bounds], all, brief(got))
	}
}

func TestFramesOfAnotherPublisherKeepTheirSensors(t *testing.T) {
	dir := t.TempDir()
	b := newBoard(1, noon)
	c, _ := b.clock(t, dir)
	b.tell(c)
	was, err := outbox.Open(t.Context(), config(), filepath.Join(dir, "outbox"), outbox.Deps{Publisher: "old-name", Root: "city", Clock: c, Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	was.Put([]outbox.Reading{{Quantity: "temperature", Value: 1}, {Sensor: "box-1", Quantity: "temperature", Value: 2}})
	runFor(t, was, newLine(false))

	l := newLine(true)
	r := start(t, config(), dir, b, l)
	r.delivered()
	var sensors []telemetry.SensorID
	for _, m := range l.decoded(t) {
		if m.topic != "city/kerb-1/readings" {
			t.Errorf("topic %s", m.topic)
		}
		for _, reading := range m.readings {
			sensors = append(sensors, reading.Sensor)
		}
	}
	check(t, "sensors", sensors, []telemetry.SensorID{"old-name", "box-1"})
}

func TestOnlyOneOutboxAtATime(t *testing.T) {
	dir := t.TempDir()
	b := newBoard(1, noon)
	r := start(t, config(), dir, b, newLine(true))
	_, err := outbox.Open(t.Context(), config(), filepath.Join(dir, "outbox"), outbox.Deps{Publisher: publisher, Root: "city", Clock: r.clock, Log: quiet()})
	if err == nil || !strings.Contains(err.Error(), spool.ErrLocked.Error()) {
		t.Errorf("a second one: %v", err)
	}
}

func TestStatusCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		b, l := newBoard(1, noon), newLine(false)
		c, _ := b.clock(t, dir)
		b.tell(c)
		o, err := outbox.Open(t.Context(), config(), filepath.Join(dir, "outbox"), outbox.Deps{Publisher: publisher, Root: "city", Clock: c, Log: quiet()})
		if err != nil {
			t.Fatal(err)
		}
		o.Put(slices.Repeat([]outbox.Reading{reading(1)}, 25))
		stop := running(t, o, l)
		time.Sleep(90 * time.Second)
		synctest.Wait()
		s := o.Status()
		want := outbox.Status{
			WaitingReadings: 25, WaitingMessages: 3, Oldest: 90 * time.Second, DiskBytes: s.DiskBytes, MaxBytes: 256 << 20, Put: 25,
			Dropped: map[outbox.Reason]uint64{}, SentMessages: 3, Seq: s.Seq, Disk: outbox.DiskFine,
		}
		if diff := cmp.Diff(want, s); diff != "" {
			t.Error(diff)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestDiskStatesAreThoseOfTheCatalogue(t *testing.T) {
	q, ok := telemetry.QuantityByName("disk_state")
	var names []string
	for _, s := range outbox.DiskStates() {
		names = append(names, string(s))
	}
	if !ok || !slices.Equal(q.States, names) {
		t.Errorf("the catalogue has %v, the outbox %v", q.States, names)
	}
}

func TestConfigNamesEveryFault(t *testing.T) {
	cfg := outbox.Config{MaxReadings: -1, NewestShare: 1, AsideBytes: -1, Grace: -1}
	err := cfg.Validate()
	for _, key := range []string{
		"spool.segment_bytes:", "spool.when_full:", "max_readings:", "max_delay:", "newest_share:", "in_flight:", "memory_bytes:",
		"commit_every:", "aside_bytes:", "grace:",
	} {
		if err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%v does not name %s", err, key)
		}
	}
	if err := outbox.DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
	cfg = outbox.DefaultConfig()
	cfg.MaxReadings = 5000
	if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), "spool.max_frame_bytes") {
		t.Errorf("a message that no frame can hold: %v", err)
	}
}
