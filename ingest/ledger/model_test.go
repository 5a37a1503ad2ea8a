package ledger_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/lamppost-city/lamppost/ingest/frame"
	"github.com/lamppost-city/lamppost/ingest/ledger"
	"github.com/lamppost-city/lamppost/telemetry"
)

// written is a frame of the model's spool, with what writing it shows.
type written struct {
	frame       *frame.Frame
	corrections []ledger.Correction
	refused     []frame.Refused
}

type slot struct {
	sensor telemetry.SensorID
	minute int64
}

// model is a ledger in plain sight: everything it should say follows from the frames.
type model struct {
	path string
	dir  string
	l    *ledger.Ledger
	all  []written // the spool
	// recorded and settled count frames.
	recorded, settled, processes int
	// inQuarantine maps payloads, which are unique, to ids as far as they have been seen.
	inQuarantine map[string]int64
	payloads     int
}

var modelSensors = []telemetry.SensorID{"loop-1", "loop-2", "bridge-1", ""}

// modelMinutes are around an hour's edge, and around 1970.
var modelMinutes = []int64{-61, -60, -59, -1, 0, 1, 59, 60, 61, 29_000_000, 29_000_039, 29_000_040}

func (m *model) draw(t *rapid.T) written {
	var w written
	f := new(frame.Frame)
	refuse := func(s telemetry.SensorID, minute int64, reason telemetry.Reason, n int64) frame.Refused {
		m.payloads++
		payload := fmt.Appendf(nil, "payload %d", m.payloads)
		return frame.Refused{
			Received: telemetry.UnixMilli(minute * 60_000), Minute: minute, Topic: "city/x/readings", Publisher: s, Payload: payload, SizeBytes: int64(len(payload)),
			Faults: []frame.Fault{{Reason: reason, Counted: s, Sensor: "loop-9", Detail: "wrong", Readings: n}},
		}
	}
	for range rapid.IntRange(0, 4).Draw(t, "minutes") {
		s, minute := rapid.SampledFrom(modelSensors[:2]).Draw(t, "sensor"), rapid.SampledFrom(modelMinutes).Draw(t, "minute")
		accepted, duplicate := rapid.Int64Range(0, 5).Draw(t, "accepted"), rapid.Int64Range(0, 2).Draw(t, "duplicate")
		f.Minutes = append(f.Minutes, frame.Minute{Sensor: s, Minute: minute, Counts: frame.Counts{
			Received: accepted + duplicate, Accepted: accepted, Duplicate: duplicate, Late: accepted / 2, Stamped: accepted / 3, Reports: accepted, Missing: rapid.Int64Range(-2, 2).Draw(t, "missing"),
		}})
		known, bad := rapid.Int64Range(0, accepted).Draw(t, "known"), int64(0)
		if known < accepted {
			bad = rapid.Int64Range(0, accepted-known).Draw(t, "bad")
		}
		if known+bad > 0 {
			w.corrections = append(w.corrections, ledger.Correction{Sensor: s, Minute: minute, Duplicate: known, Refused: bad})
		}
		if bad > 0 {
			w.refused = append(w.refused, refuse(s, minute, telemetry.ReasonStore, bad))
		}
	}
	for range rapid.IntRange(0, 2).Draw(t, "rejections") {
		s, minute := rapid.SampledFrom(modelSensors).Draw(t, "rejected sensor"), rapid.SampledFrom(modelMinutes).Draw(t, "rejected minute")
		reason := rapid.SampledFrom([]telemetry.Reason{telemetry.ReasonRange, telemetry.ReasonUnregistered}).Draw(t, "reason")
		n := rapid.Int64Range(1, 3).Draw(t, "n")
		f.Rejections = append(f.Rejections, frame.Rejection{Sensor: s, Minute: minute, Reason: reason, N: n})
		f.Refused = append(f.Refused, refuse(s, minute, reason, n))
	}
	w.frame = f
	return w
}

// expected adds everything up anew.
func (m *model) expected() (sums map[slot]*ledger.Totals, city ledger.Totals, kept map[string]bool) {
	sums, kept = make(map[slot]*ledger.Totals), make(map[string]bool)
	messages := make(map[string]frame.Refused)
	add := func(s telemetry.SensorID, minute int64, t ledger.Totals) {
		if sums[slot{s, minute}] == nil {
			sums[slot{s, minute}] = new(ledger.Totals)
		}
		sums[slot{s, minute}].Add(t)
		city.Add(t)
	}
	keep := func(all []frame.Refused) {
		for _, r := range all {
			messages[string(r.Payload)], kept[string(r.Payload)] = r, true
		}
	}
	for i, w := range m.all[:m.recorded] {
		for _, f := range w.frame.Minutes {
			add(f.Sensor, f.Minute, ledger.Totals{Counts: f.Counts})
		}
		for _, r := range w.frame.Rejections {
			add(r.Sensor, r.Minute, ledger.Totals{Counts: frame.Counts{Received: r.N}, Rejected: map[telemetry.Reason]int64{r.Reason: r.N}})
		}
		keep(w.frame.Refused)
		if i < m.settled {
			for _, f := range w.frame.Minutes {
				add(f.Sensor, f.Minute, ledger.Totals{Written: f.Accepted})
			}
			for _, c := range w.corrections {
				add(c.Sensor, c.Minute, ledger.Totals{
					Counts: frame.Counts{Accepted: -c.Duplicate - c.Refused, Duplicate: c.Duplicate}, Written: -c.Duplicate - c.Refused,
					Rejected: map[telemetry.Reason]int64{telemetry.ReasonStore: c.Refused},
				})
			}
			keep(w.refused)
		}
	}
	for _, w := range m.all[:m.recorded] {
		for _, id := range w.frame.Released {
			for payload, known := range m.inQuarantine {
				if known != id || !kept[payload] {
					continue
				}
				delete(kept, payload)
				r := messages[payload]
				for _, f := range r.Faults {
					add(f.Counted, r.Minute, ledger.Totals{Counts: frame.Counts{Received: -f.Readings}, Rejected: map[telemetry.Reason]int64{f.Reason: -f.Readings}})
				}
			}
		}
	}
	return sums, city, kept
}

// crash loses what is not on disk, and goes on as ingest does.
func (m *model) crash(t *rapid.T) {
	m.processes++
	path := filepath.Join(m.dir, fmt.Sprintf("ledger-%d.db", m.processes))
	copyLedger(t, m.path, path)
	if err := m.l.Close(); err != nil {
		t.Fatal(err)
	}
	m.path = path
	m.l = open(t, path, config())
	recorded, settled, err := m.l.Positions(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	m.settled = int(settled.Offset / 100)
	for n := int(recorded.Offset / 100); n < m.recorded; n++ {
		record(t, m.l, m.all[n].frame, place(n+1))
	}
}

func (m *model) check(t *rapid.T) {
	ctx := context.Background()
	messages, total := quarantined(t, m.l)
	for _, r := range messages {
		m.inQuarantine[string(r.Payload)] = r.ID
	}
	sums, city, kept := m.expected()
	if int64(len(kept)) != total || len(messages) != len(kept) {
		t.Fatalf("%d messages in quarantine, total %d, want %d", len(messages), total, len(kept))
	}
	for _, r := range messages {
		if !kept[string(r.Payload)] {
			t.Fatalf("%q should have been released", r.Payload)
		}
	}
	same := cmp.Options{cmpopts.EquateEmpty()}
	if diff := cmp.Diff(city, totals(t, m.l), same); diff != "" {
		t.Fatalf("the city's totals: %s", diff)
	}
	if diff := cmp.Diff(city, m.l.City(), same); diff != "" {
		t.Fatalf("the city's sums in memory: %s", diff)
	}
	if city.Received != city.Duplicate+city.RejectedSum()+city.Accepted {
		t.Fatalf("the model itself does not close: %+v", city)
	}
	first, last := rapid.SampledFrom(modelMinutes).Draw(t, "from"), rapid.SampledFrom(modelMinutes).Draw(t, "to")
	for _, s := range modelSensors {
		var want ledger.Totals
		for _, minute := range modelMinutes {
			got, err := m.l.Minutes(ctx, s, minuteTime(minute), minuteTime(minute+1))
			if err != nil {
				t.Fatal(err)
			}
			var sum ledger.Totals
			for _, one := range got {
				if !one.Time.Equal(minuteTime(minute)) {
					t.Fatalf("minute %s given for %s", one.Time, minuteTime(minute))
				}
				sum.Add(one.Totals)
			}
			expected := ledger.Totals{}
			if at := sums[slot{s, minute}]; at != nil {
				expected.Add(*at)
			}
			if diff := cmp.Diff(expected, sum, same); diff != "" {
				t.Fatalf("%q, minute %d: %s", s, minute, diff)
			}
			if sum.Written > sum.Accepted || sum.Received != sum.Duplicate+sum.RejectedSum()+sum.Accepted {
				t.Fatalf("%q, minute %d does not close: %+v", s, minute, sum)
			}
			if minute >= first && minute < last {
				want.Add(expected)
			}
		}
		got, err := m.l.SensorTotals(ctx, s, minuteTime(first), minuteTime(last))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, same); diff != "" {
			t.Fatalf("%q from minute %d to %d: %s", s, first, last, diff)
		}
	}
}

// Whatever comes in whatever order, with crashes anywhere, the ledger says what adding everything up anew says.
func TestLedgerAgreesWithAddingUpAnew(t *testing.T) {
	root, runs := t.TempDir(), 0
	rapid.Check(t, func(t *rapid.T) {
		runs++
		dir := filepath.Join(root, strconv.Itoa(runs))
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		m := &model{dir: dir, path: filepath.Join(dir, "ledger-0.db"), inQuarantine: make(map[string]int64)}
		m.l = open(t, m.path, config())
		defer func() { _ = m.l.Close() }()
		for range rapid.IntRange(1, 15).Draw(t, "steps") {
			switch rapid.SampledFrom([]string{"record", "record", "settle", "flush", "crash", "release"}).Draw(t, "step") {
			case "record":
				m.all = append(m.all, m.draw(t))
				record(t, m.l, m.all[m.recorded].frame, place(m.recorded+1))
				m.recorded++
			case "settle":
				if m.settled < m.recorded {
					w := m.all[m.settled]
					if err := m.l.Settle(context.Background(), w.frame, w.corrections, w.refused, place(m.settled+1)); err != nil {
						t.Fatal(err)
					}
					m.settled++
				}
			case "flush":
				flush(t, m.l)
			case "crash":
				m.crash(t)
			case "release":
				if messages, _ := quarantined(t, m.l); len(messages) > 0 {
					one := messages[rapid.IntRange(0, len(messages)-1).Draw(t, "message")]
					m.inQuarantine[string(one.Payload)] = one.ID
					m.all = append(m.all, written{frame: &frame.Frame{Released: []int64{one.ID}}})
					record(t, m.l, m.all[m.recorded].frame, place(m.recorded+1))
					m.recorded++
				}
			}
		}
		m.check(t)
	})
}
