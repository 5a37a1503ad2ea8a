package ledger_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/lamppost-city/lamppost/ingest/frame"
	"github.com/lamppost-city/lamppost/ingest/ledger"
	"github.com/lamppost-city/lamppost/spool"
	"github.com/lamppost-city/lamppost/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// execute changes the file behind the ledger's back.
func execute(t *testing.T, path, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

const (
	breakDisk = "CREATE TRIGGER broken BEFORE INSERT ON hours BEGIN SELECT RAISE(ABORT, 'no space left'); END"
	mendDisk  = "DROP TRIGGER broken"
)

func TestNothingIsLostWhileTheFileCannotBeWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	l := open(t, path, config())
	defer func() { _ = l.Close() }()
	record(t, l, accepted("loop-1", 10, 3), place(1))
	flush(t, l)
	execute(t, path, breakDisk)
	record(t, l, accepted("loop-1", 10, 4), place(2))
	settle(t, l, accepted("loop-1", 10, 3), place(1))
	record(t, l, refused("loop-1", 11, []byte("x")), place(3))
	silences := make(map[telemetry.SensorID][]frame.Silence)
	for i := range 3 {
		if err := l.Flush(t.Context()); err == nil {
			t.Fatal("a flush that cannot write says nothing")
		}
		f := accepted("loop-2", 10, 1)
		for _, s := range []telemetry.SensorID{"loop-2", telemetry.SensorID(fmt.Sprintf("loop-%d", 3+i))} {
			silences[s] = []frame.Silence{{From: 0, To: telemetry.UnixMilli(i), End: 9, Cadence: time.Second}}
			f.Silences = append(f.Silences, frame.SensorSilences{Sensor: s, Open: silences[s]})
		}
		record(t, l, f, place(4))
	}
	if err := l.Health(); err == nil || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("health: %v", err)
	}
	if got := l.Durable(); got != (spool.Position{}) {
		t.Errorf("durable up to %s, but only the first frame's Record is on disk", got)
	}
	execute(t, path, mendDisk)
	got := totals(t, l)
	want := ledger.Totals{
		Counts: frame.Counts{Received: 11, Accepted: 10, Reports: 10}, Written: 3, Rejected: map[telemetry.Reason]int64{telemetry.ReasonRange: 1},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got, err := l.Silences(t.Context()); err != nil || !cmp.Equal(silences, got) {
		t.Errorf("silences: %v, %s", err, cmp.Diff(silences, got))
	}
	if err := l.Health(); err != nil {
		t.Errorf("health after it was mended: %v", err)
	}
	if got := l.Durable(); got != place(1) {
		t.Errorf("durable up to %s, want %s", got, place(1))
	}
	if _, n := quarantined(t, l); n != 1 {
		t.Errorf("%d messages in quarantine", n)
	}
}

func TestRecordWaitsWhereTooMuchIsPending(t *testing.T) {
	for name, fill := range map[string]func(i int) *frame.Frame{
		"sums of many sensors": func(i int) *frame.Frame { return accepted(telemetry.SensorID(fmt.Sprintf("loop-%d", i)), 10, 1) },
		"large refused payloads": func(int) *frame.Frame {
			return refused("loop-1", 10, make([]byte, 1<<20))
		},
		"empty messages on long topics": func(int) *frame.Frame {
			f := refused("loop-1", 10, nil)
			f.Refused[0].Topic = strings.Repeat("x", 60<<10)
			return f
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "ledger.db")
			cfg := config()
			cfg.MaxPending = 1000
			l := open(t, path, cfg)
			defer func() { _ = l.Close() }()
			execute(t, path, breakDisk)
			taken := 0
			for ; taken < 5000; taken++ {
				ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
				err := l.Record(ctx, fill(taken), place(taken+1))
				cancel()
				if err != nil {
					break
				}
			}
			if taken == 5000 {
				t.Fatal("it took everything")
			}
			execute(t, path, mendDisk)
			record(t, l, fill(taken), place(taken+1))
			if got, want := totals(t, l).Received, int64(taken+1); got != want {
				t.Errorf("received %d of %d", got, want)
			}
		})
	}
}

func TestQuarantineDropsTheOldestBeyondItsBound(t *testing.T) {
	cfg := config()
	cfg.QuarantineBytes = 256 << 10
	for name, size := range map[string]int{"large messages": 20 << 10, "empty messages": 0} {
		t.Run(name, func(t *testing.T) {
			l := fresh(t, cfg)
			n := 3 * int(cfg.QuarantineBytes) / (size + 512)
			f := new(frame.Frame)
			for i := range n {
				one := refused("loop-1", int64(i), make([]byte, size))
				f.Refused, f.Rejections = append(f.Refused, one.Refused...), append(f.Rejections, one.Rejections...)
			}
			record(t, l, f, place(1))
			messages, total := quarantined(t, l)
			kept, dropped, err := l.QuarantineSize(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if kept != total || kept+dropped != int64(n) || dropped < int64(n)/2 {
				t.Errorf("%d messages, %d listed, %d kept, %d dropped", n, total, kept, dropped)
			}
			if at := messages[len(messages)-1].Minute; at != dropped {
				t.Errorf("the oldest that is left is number %d of those where %d were dropped", at, dropped)
			}
			if got := totals(t, l); got.RejectedSum() != int64(n) {
				t.Errorf("dropping changed the sums: %+v", got)
			}
			// Released messages make room.
			release := new(frame.Frame)
			for _, m := range messages {
				release.Released = append(release.Released, m.ID)
			}
			record(t, l, release, place(2))
			record(t, l, f, place(3))
			if again, _, err := l.QuarantineSize(t.Context()); err != nil || again != kept {
				flush(t, l)
				if again, _, err = l.QuarantineSize(t.Context()); err != nil || again != kept {
					t.Errorf("%d kept, then %d: %v", kept, again, err)
				}
			}
		})
	}
}

func TestMessageLargerThanTheQuarantineIsDroppedAndCounted(t *testing.T) {
	cfg := config()
	cfg.QuarantineBytes = 1 << 20
	l := fresh(t, cfg)
	record(t, l, refused("loop-1", 1, make([]byte, 2<<20)), place(1))
	flush(t, l)
	if kept, dropped, err := l.QuarantineSize(t.Context()); err != nil || kept != 0 || dropped != 1 {
		t.Errorf("%d kept, %d dropped, %v", kept, dropped, err)
	}
}

func TestReleaseTakesBackWhatWasCounted(t *testing.T) {
	l := fresh(t, config())
	record(t, l, refused("loop-1", 5, []byte("a")), place(1))
	record(t, l, refused("loop-1", 5, []byte("b")), place(2))
	messages, _ := quarantined(t, l)
	for range 2 { // the second time there is nothing to take back
		record(t, l, &frame.Frame{Released: []int64{messages[0].ID}}, place(3))
		got := totals(t, l)
		want := ledger.Totals{Counts: frame.Counts{Received: 1}, Rejected: map[telemetry.Reason]int64{telemetry.ReasonRange: 1}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	for id, want := range map[int64]bool{messages[0].ID: false, messages[1].ID: true, 999: false} {
		if got, err := l.Quarantines(t.Context(), id); err != nil || got != want {
			t.Errorf("message %d is in quarantine: %v, %v; want %v", id, got, err, want)
		}
	}
	record(t, l, &frame.Frame{Released: []int64{messages[1].ID}}, place(4))
	if got, err := l.Quarantines(t.Context(), messages[1].ID); err != nil || got {
		t.Errorf("a message on its way out is in quarantine: %v, %v", got, err)
	}
}

func TestQuarantineIsFilteredByReasonSensorAndAge(t *testing.T) {
	l := fresh(t, config())
	for i, s := range []telemetry.SensorID{"loop-1", "loop-2", "loop-1"} {
		record(t, l, refused(s, int64(i), []byte{byte(i)}), place(i+1))
	}
	flush(t, l)
	list := func(f ledger.QuarantineFilter) (payloads string, total int64) {
		messages, total, err := l.Quarantined(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range messages {
			payloads += fmt.Sprint(m.Payload[0])
		}
		return payloads, total
	}
	for _, c := range []struct {
		name   string
		filter ledger.QuarantineFilter
		want   string
		total  int64
	}{
		{"all", ledger.QuarantineFilter{Limit: 9}, "210", 3},
		{"the newest", ledger.QuarantineFilter{Limit: 1}, "2", 3},
		{"before the newest", ledger.QuarantineFilter{Limit: 9, Before: 3}, "10", 3},
		{"of one sensor", ledger.QuarantineFilter{Limit: 9, Sensor: "loop-2"}, "1", 1},
		{"of a reason", ledger.QuarantineFilter{Limit: 9, Reason: telemetry.ReasonRange}, "210", 3},
		{"of another", ledger.QuarantineFilter{Limit: 9, Reason: telemetry.ReasonUnit}, "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, total := list(c.filter); got != c.want || total != c.total {
				t.Errorf("%q of %d, want %q of %d", got, total, c.want, c.total)
			}
		})
	}
}

func TestWhoeverStopsWaitingDoesNotMakeTheLedgerIll(t *testing.T) {
	l := fresh(t, config())
	record(t, l, accepted("loop-1", 1, 1), place(1))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Totals(ctx, longAgo, farOff); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if err := l.Health(); err != nil {
		t.Errorf("health: %v", err)
	}
}

func TestDurableIsWhatTheFileHolds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	l := open(t, path, config())
	defer func() { _ = l.Close() }()
	only := &frame.Frame{Minutes: []frame.Minute{{Sensor: "loop-1", Minute: 1, Counts: frame.Counts{Received: 1, Duplicate: 1}}}}
	record(t, l, only, place(1))
	flush(t, l)
	settle(t, l, only, place(1)) // adds nothing to any sum
	flush(t, l)
	if got := l.Durable(); got != place(1) {
		t.Errorf("durable up to %s", got)
	}
	dead := filepath.Join(t.TempDir(), "ledger.db")
	copyLedger(t, path, dead)
	next := open(t, dead, config())
	defer func() { _ = next.Close() }()
	if _, settled, err := next.Positions(t.Context()); err != nil || settled != l.Durable() {
		t.Errorf("the next process finds %s, %v; this one called %s durable", settled, err, l.Durable())
	}
}

func TestVerdictIsKeptUntilItsFrameIsSettled(t *testing.T) {
	l := fresh(t, config())
	for n := 1; n <= 2; n++ {
		if err := l.Decide(t.Context(), place(n), []byte{byte(n)}); err != nil {
			t.Fatal(err)
		}
		record(t, l, accepted("loop-1", 1, 1), place(n))
	}
	settle(t, l, accepted("loop-1", 1, 1), place(1))
	flush(t, l)
	if known, ok, err := l.Verdict(t.Context(), place(2)); err != nil || !ok || known[0] != 2 {
		t.Errorf("verdict %v, %v, %v", known, ok, err)
	}
	if _, ok, err := l.Verdict(t.Context(), place(1)); err != nil || ok {
		t.Errorf("verdict on a settled frame: %v, %v", ok, err)
	}
}

func TestRewindForgetsPositionsAndVerdictsAndKeepsSums(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	l := open(t, path, config())
	record(t, l, accepted("loop-1", 1, 5), place(7))
	settle(t, l, accepted("loop-1", 1, 2), place(5))
	if err := l.Decide(t.Context(), place(7), []byte{1}); err != nil {
		t.Fatal(err)
	}
	flush(t, l)
	if err := l.Rewind(t.Context()); err != nil {
		t.Fatal(err)
	}
	record(t, l, accepted("loop-1", 1, 1), place(1))
	flush(t, l)
	if got := l.Durable(); got != (spool.Position{}) {
		t.Errorf("durable up to %s, though nothing of the new spool is settled", got)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = open(t, path, config())
	defer func() { _ = l.Close() }()
	recorded, settled, err := l.Positions(t.Context())
	if err != nil || recorded != place(1) || settled != (spool.Position{}) {
		t.Errorf("positions %s and %s, %v", recorded, settled, err)
	}
	if _, ok, err := l.Verdict(t.Context(), place(7)); ok || err != nil {
		t.Errorf("the verdict is still there: %v, %v", ok, err)
	}
	if got := totals(t, l); got.Accepted != 6 || got.Waiting() != 4 {
		t.Errorf("sums %+v", got)
	}
}

func TestSumsCloseAtEveryMoment(t *testing.T) {
	l := fresh(t, config())
	var all sync.WaitGroup
	stop := make(chan struct{})
	for i := range 3 {
		all.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				got, err := l.Totals(t.Context(), minuteTime(-7), minuteTime(601+int64(i)))
				if err != nil {
					t.Error(err)
					return
				}
				if got.Received != got.Duplicate+got.RejectedSum()+got.Accepted || got.Waiting() < 0 {
					t.Errorf("sums do not close: %+v", got)
					return
				}
			}
		})
	}
	all.Go(func() {
		for range 20 {
			flush(t, l)
		}
	})
	for n := range 300 {
		f := accepted("loop-1", int64(n%600), 2)
		f.Rejections = refused("loop-1", int64((n+61)%600), nil).Rejections
		record(t, l, f, place(n+1))
		settle(t, l, f, place(n+1))
	}
	close(stop)
	all.Wait()
	got := totals(t, l)
	want := ledger.Totals{Counts: frame.Counts{Received: 900, Accepted: 600, Reports: 600}, Written: 600, Rejected: map[telemetry.Reason]int64{telemetry.ReasonRange: 300}}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
}

func TestManyQuestionsDoNotKeepTheWriterWaiting(t *testing.T) {
	l := fresh(t, config())
	record(t, l, accepted("loop-1", 1, 1), place(1))
	flush(t, l)
	hold, held := make(chan struct{}), make(chan struct{}, 4)
	var all sync.WaitGroup
	for range cap(held) {
		all.Go(func() {
			if err := l.EachSensorHour(t.Context(), longAgo, farOff, func(ledger.SensorHour) error {
				held <- struct{}{}
				<-hold
				return nil
			}); err != nil {
				t.Error(err)
			}
		})
	}
	for range cap(held) {
		<-held
	}
	defer all.Wait()
	defer close(hold)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		err := l.Record(ctx, accepted("loop-1", 1, 1), place(2))
		done <- errors.Join(err, l.Flush(ctx))
	}()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-ctx.Done():
		t.Errorf("a flush waits for those who only look, until: %v", <-done)
	}
}

func TestHoursAreRoundedOutwards(t *testing.T) {
	l := fresh(t, config())
	for hour := int64(-2); hour < 4; hour++ {
		record(t, l, accepted("loop-1", 60*hour+59, 1), place(1))
	}
	for _, c := range []struct {
		from, to time.Time
		want     []int64
	}{
		{time.Unix(3600, 0), time.Unix(7200, 0), []int64{1}},
		{time.Unix(3600+1, 0), time.Unix(7200+1, 0), []int64{1, 2}},
		{time.Unix(-3601, 0), time.Unix(-3600, 0), []int64{-2}},
		{time.Unix(-1, 0), time.UnixMilli(1), []int64{-1, 0}},
	} {
		var got []int64
		if err := l.EachSensorHour(t.Context(), c.from, c.to, func(h ledger.SensorHour) error {
			got = append(got, h.Hour.Unix()/3600)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("from %s to %s: %s", c.from, c.to, diff)
		}
	}
}

func TestRangeOfMinutesIsBounded(t *testing.T) {
	l := fresh(t, config())
	if _, err := l.Minutes(t.Context(), "loop-1", minuteTime(0), minuteTime(ledger.MaxMinutes+1)); !errors.Is(err, ledger.ErrRange) {
		t.Errorf("error %v", err)
	}
	if _, err := l.Minutes(t.Context(), "loop-1", minuteTime(0), minuteTime(ledger.MaxMinutes)); err != nil {
		t.Error(err)
	}
}

func TestFileOfANewerProgramIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	if err := open(t, path, config()).Close(); err != nil {
		t.Fatal(err)
	}
	execute(t, path, "PRAGMA user_version = 99")
	_, err := ledger.Open(t.Context(), path, config(), prometheus.NewRegistry(), discard())
	if err == nil || !strings.Contains(err.Error(), "newer") || !strings.Contains(err.Error(), path) {
		t.Errorf("error %v", err)
	}
}

func TestConfigNamesEveryFault(t *testing.T) {
	if err := ledger.DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
	err := ledger.Config{}.Validate()
	for _, key := range []string{"flush_interval: ", "max_pending: ", "quarantine_bytes: "} {
		if err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%q is not named in: %v", key, err)
		}
	}
}
