package audit_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/lamppost-city/lamppost/ingest/audit"
	"github.com/lamppost-city/lamppost/ingest/frame"
	"github.com/lamppost-city/lamppost/ingest/ledger"
	"github.com/lamppost-city/lamppost/spool"
	"github.com/lamppost-city/lamppost/store"
	"github.com/lamppost-city/lamppost/store/influx"
	"github.com/lamppost-city/lamppost/store/storetest"
	"github.com/lamppost-city/lamppost/telemetry"
)

// town is a ledger and a store.
type town struct {
	t      *testing.T
	ledger *ledger.Ledger
	client *influx.Client
	frames int64
}

func newTown(t *testing.T) *town {
	t.Helper()
	cfg := ledger.DefaultConfig()
	l, err := ledger.Open(t.Context(), filepath.Join(t.TempDir(), "ledger.db"), cfg, prometheus.NewRegistry(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return &town{t: t, ledger: l, client: storetest.Client(t, storetest.Start(t))}
}

// reading is one value of speed.
type reading struct {
	sensor telemetry.SensorID
	at     time.Time
}

func lines(all []reading) []byte {
	var b bytes.Buffer
	for i, r := range all {
		fmt.Fprintf(&b, "traffic,sensor=%s speed=%d %d\n", r.sensor, i%100, r.at.UnixMilli())
	}
	return b.Bytes()
}

// account tells the ledger of readings, as ingest does: first accepted, then stored by write, then written.
func (c *town) account(all []reading, write func()) {
	c.t.Helper()
	f := new(frame.Frame)
	for _, r := range all {
		f.Minutes = append(f.Minutes, frame.Minute{Sensor: r.sensor, Minute: ledger.MinuteOf(telemetry.MilliOf(r.at)), Counts: frame.Counts{Received: 1, Accepted: 1}})
	}
	c.frames++
	end := spool.Position{Segment: 1, Offset: c.frames}
	if err := c.ledger.Record(context.Background(), f, end); err != nil {
		c.t.Fatal(err)
	}
	write()
	if err := c.ledger.Settle(context.Background(), f, nil, nil, end); err != nil {
		c.t.Fatal(err)
	}
}

func (c *town) store(all []reading) {
	c.t.Helper()
	if err := c.client.Write(context.Background(), lines(all)); err != nil {
		c.t.Fatal(err)
	}
}

func (c *town) audit(from, to time.Time) *audit.Report {
	c.t.Helper()
	r, err := audit.Run(context.Background(), c.ledger, c.client, from, to)
	if err != nil {
		c.t.Fatal(err)
	}
	return r
}

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// many is a reading of each of n sensors every ten seconds for some minutes.
func many(n, minutes int) (all []reading) {
	for s := range n {
		for i := range 6 * minutes {
			all = append(all, reading{telemetry.SensorID(fmt.Sprintf("loop-%02d", s)), noon.Add(time.Duration(10*i) * time.Second)})
		}
	}
	return all
}

func TestDifferencesAreFoundToTheMinute(t *testing.T) {
	const sensors, minutes = 3, 150
	town := newTown(t)
	full := many(sensors, minutes)
	total := int64(len(full))
	victim := reading{"loop-01", noon.Add(70*time.Minute + 20*time.Second)}
	minute := victim.at.Truncate(time.Minute)
	without := func(all []reading, r reading) (left []reading) {
		for _, other := range all {
			if other != r {
				left = append(left, other)
			}
		}
		return left
	}
	moved := func(to time.Duration) []reading {
		return append(without(full, victim), reading{victim.sensor, victim.at.Add(to)})
	}
	missing := audit.Difference{Sensor: "loop-01", Minute: minute, Written: 6, Accepted: 6, Stored: 5}
	for i, c := range []struct {
		name   string
		stored []reading
		rows   int64
		want   []audit.Difference
	}{
		{"nothing differs", full, total, nil},
		{"a row is gone", without(full, victim), total - 1, []audit.Difference{missing}},
		{
			"a row too many", append(full, reading{"ghost-1", noon}), total + 1,
			[]audit.Difference{{Sensor: "ghost-1", Minute: noon, Stored: 1}},
		},
		{
			"moved to another minute of the hour", moved(5*time.Minute + time.Second), total,
			[]audit.Difference{missing, {Sensor: "loop-01", Minute: minute.Add(5 * time.Minute), Written: 6, Accepted: 6, Stored: 7}},
		},
		{
			"moved to another hour", moved(55*time.Minute + time.Second), total,
			[]audit.Difference{missing, {Sensor: "loop-01", Minute: minute.Add(55 * time.Minute), Written: 6, Accepted: 6, Stored: 7}},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			// Each case has months of its own in the one store.
			shift := time.Duration(i) * 100 * 24 * time.Hour
			for r := range c.want {
				c.want[r].Minute = c.want[r].Minute.Add(shift)
			}
			town.account(shifted(full, shift), func() { town.store(shifted(c.stored, shift)) })
			begin := noon.Add(shift)
			for _, look := range []struct{ from, to time.Time }{{begin, begin.Add(4 * time.Hour)}, {begin.AddDate(0, 0, -20), begin.AddDate(0, 0, 70)}} {
				got := town.audit(look.from, look.to)
				if got.Clean() != (c.want == nil) || got.Written != total || got.Rows != c.rows || got.Waiting != 0 || got.Truncated {
					t.Errorf("%d written, %d rows, %d waiting, want %d and %d", got.Written, got.Rows, got.Waiting, total, c.rows)
				}
				if diff := cmp.Diff(c.want, got.Differences); diff != "" {
					t.Errorf("from %s: %s", look.from, diff)
				}
			}
		})
	}
}

func shifted(all []reading, by time.Duration) []reading {
	moved := slices.Clone(all)
	for i := range moved {
		moved[i].at = moved[i].at.Add(by)
	}
	return moved
}

func TestReportIsBounded(t *testing.T) {
	town := newTown(t)
	town.account(many(20, 100), func() {})
	for _, days := range []int{0, 30} {
		got := town.audit(noon, noon.AddDate(0, 0, days).Add(2*time.Hour))
		if len(got.Differences) != audit.MaxDifferences || !got.Truncated {
			t.Errorf("%d differences of 2000, truncated %v", len(got.Differences), got.Truncated)
		}
	}
}

func TestReadingsOnTheirWayAreNoDifference(t *testing.T) {
	town := newTown(t)
	all := many(2, 10)
	f := &frame.Frame{Minutes: []frame.Minute{{Sensor: "loop-00", Minute: ledger.MinuteOf(telemetry.MilliOf(noon)), Counts: frame.Counts{Received: 6, Accepted: 6}}}}
	if err := town.ledger.Record(t.Context(), f, spool.Position{Segment: 1, Offset: 1}); err != nil {
		t.Fatal(err)
	}
	town.store(all[:4]) // the store has some, the ledger has not heard of it
	if got := town.audit(noon, noon.Add(time.Hour)); !got.Clean() || got.Waiting != 6 || got.Rows != 4 {
		t.Errorf("report %+v", got)
	}
}

func TestAuditBesideIngestAtFullSpeedIsClean(t *testing.T) {
	town := newTown(t)
	stop, began := make(chan struct{}), make(chan struct{})
	begin := sync.OnceFunc(func() { close(began) })
	var load sync.WaitGroup
	load.Go(func() {
		defer begin() // also where it cannot
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			var all []reading
			for s := range 60 {
				all = append(all, reading{telemetry.SensorID(fmt.Sprintf("loop-%02d", s)), noon.Add(time.Duration(7*i) * time.Second)})
			}
			town.account(all, func() { town.store(all) })
			begin()
		}
	})
	defer load.Wait()
	defer close(stop)
	<-began
	rows := int64(0)
	for range 2 {
		for _, to := range []time.Time{noon.Add(2 * time.Hour), noon.AddDate(0, 0, 9)} {
			got := town.audit(noon, to)
			if !got.Clean() {
				t.Fatalf("report %+v", got)
			}
			rows = max(rows, got.Rows)
		}
	}
	if rows == 0 {
		t.Error("nothing was written meanwhile")
	}
}

func TestRangeOfAnEmptyLedgerAndAnEmptyRange(t *testing.T) {
	town := newTown(t)
	if got := town.audit(time.Time{}, time.Time{}); !got.Clean() || got.To.Sub(got.From) > 3*time.Hour {
		t.Errorf("report %+v", got)
	}
	if _, err := audit.Run(t.Context(), town.ledger, town.client, noon, noon.Add(-time.Hour)); err == nil {
		t.Error("an empty range is taken")
	}
}

// counting is a store that counts how often it is asked.
type counting struct {
	audit.Store
	asked int
}

func (c *counting) Counts(ctx context.Context, domain telemetry.Domain, from, to time.Time, step time.Duration, each func(store.Count) error) error {
	c.asked++
	return c.Store.Counts(ctx, domain, from, to, step, each)
}

func TestStoreIsAskedForHoursNotForSensors(t *testing.T) {
	town := newTown(t)
	town.account(many(50, 1), func() {})
	s := &counting{Store: town.client}
	got, err := audit.Run(t.Context(), town.ledger, s, noon.AddDate(0, 0, -1), noon.AddDate(0, 0, 1))
	if err != nil || len(got.Differences) != 50 {
		t.Fatal(got, err)
	}
	if most := 3 * (2 + 4); s.asked > most {
		t.Errorf("the store was asked %d times, want at most %d", s.asked, most)
	}
}

func TestDomainThatComesWhileTheAuditRunsIsNoDifference(t *testing.T) {
	town := newTown(t)
	first := []reading{{"mast-1", noon}}
	town.account(first, func() { town.store(first) })
	// Between the look at the hours and that at the minutes a reading of another domain arrives.
	s := &interrupted{Store: town.client, before: 4, do: func() {
		town.account([]reading{{"mast-1", noon.Add(time.Second)}}, func() {
			if err := town.client.Write(t.Context(), fmt.Appendf(nil, "safety,sensor=mast-1 temperature=1 %d\n", noon.Add(time.Second).UnixMilli())); err != nil {
				t.Error(err)
			}
		})
	}}
	got, err := audit.Run(t.Context(), town.ledger, s, noon, noon.Add(time.Hour))
	if err != nil || !got.Clean() {
		t.Errorf("report %+v, %v", got, err)
	}
}

// interrupted is a store before whose n-th answer something happens.
type interrupted struct {
	audit.Store
	asked, before int
	do            func()
}

func (i *interrupted) Counts(ctx context.Context, domain telemetry.Domain, from, to time.Time, step time.Duration, each func(store.Count) error) error {
	if i.asked++; i.asked == i.before-1 {
		defer i.do() // after the hours have been counted
	}
	return i.Store.Counts(ctx, domain, from, to, step, each)
}
