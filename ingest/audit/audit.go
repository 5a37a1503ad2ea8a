// Package audit compares what the ledger says was written with what the store holds, sensor by sensor and hour by hour,
// and minute by minute where an hour differs. It is the proof of Lamppost's promises that nothing is lost and nothing
// counted twice; cmd runs it as `lamppost audit`, and api offers it.
//
//	ledger (written, accepted) ──┐
//	                             ├──► Report: clean, or the minutes that differ
//	store (count of fields) ─────┘
package audit

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/lamppost-city/lamppost/ingest/ledger"
	"github.com/lamppost-city/lamppost/store"
	"github.com/lamppost-city/lamppost/telemetry"
)

// Store counts the values at rest.
type Store interface {
	// Counts visits the number of values of every sensor of a domain in every period of length step that has any.
	Counts(ctx context.Context, domain telemetry.Domain, from, to time.Time, step time.Duration, each func(store.Count) error) error
}

// Report is the outcome of a comparison.
type Report struct {
	// From and To are the range compared, in whole hours; To is excluded.
	From, To time.Time
	// Written and Waiting are the ledger's sums over the range, Rows is what the store holds.
	Written, Waiting, Rows int64
	// Differences are the minutes that differ, at most MaxDifferences; Truncated tells that there are more.
	Differences []Difference
	Truncated   bool
}

// Clean tells whether the ledger and the store agree.
func (r *Report) Clean() bool { return len(r.Differences) == 0 }

// Difference is a minute of a sensor in which the store does not hold what the ledger says.
type Difference struct {
	Sensor telemetry.SensorID
	Minute time.Time
	// Written is how many readings the store should hold; up to Accepted may be there while some are being written.
	Written, Accepted int64
	// Stored is how many it holds.
	Stored int64
}

// MaxDifferences bounds a Report.
const MaxDifferences = 1000

// window is how much is compared at once; it bounds the memory.
const window = 10 * 24 * time.Hour

// Run compares the range from from to to, rounded outwards to whole hours. The zero from is the ledger's oldest hour,
// the zero to is an hour after now. It can run beside ingest: what is being written is looked at again.
func Run(ctx context.Context, l *ledger.Ledger, s Store, from, to time.Time) (*Report, error) {
	if to.IsZero() {
		to = time.Now().Add(time.Hour)
	}
	if err := l.Flush(ctx); err != nil {
		return nil, err // the oldest hour may not be on disk yet
	}
	if from.IsZero() {
		first, ok, err := l.FirstHour(ctx, "*")
		if err != nil {
			return nil, err
		}
		if from = first; !ok {
			from = to.Add(-time.Hour)
		}
	}
	r := &Report{From: from.UTC().Truncate(time.Hour), To: to.UTC().Add(time.Hour - 1).Truncate(time.Hour)}
	if !r.From.Before(r.To) {
		return nil, fmt.Errorf("audit: the range from %s to %s is empty", from.Format(time.RFC3339), to.Format(time.RFC3339))
	}
	for at := r.From; at.Before(r.To); at = at.Add(window) {
		end := at.Add(window)
		if end.After(r.To) {
			end = r.To
		}
		if err := r.compare(ctx, l, s, at, end); err != nil {
			return nil, fmt.Errorf("audit from %s to %s: %w", at.Format(time.RFC3339), end.Format(time.RFC3339), err)
		}
	}
	return r, nil
}

// account is one hour or minute of one sensor.
type account struct{ written, accepted, stored int64 }

// differs allows for readings that are on their way: the store may have them before the ledger knows.
func (a account) differs() bool { return a.stored < a.written || a.stored > a.accepted }

type slot struct {
	sensor telemetry.SensorID
	at     int64 // Unix seconds
}

// attempts is how often an hour that differs is looked at again, with a pause between, before it is reported: ingest
// may be writing to it.
const (
	attempts = 4
	pause    = 700 * time.Millisecond
)

// compare adds one window to the report.
func (r *Report) compare(ctx context.Context, l *ledger.Ledger, s Store, from, to time.Time) error {
	var accounts map[slot]*account
	for attempt := range attempts {
		var err error
		if accounts, err = hours(ctx, l, s, from, to); err != nil {
			return err
		}
		if attempt == attempts-1 || !anyDiffers(accounts) {
			break
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
	var wrong []slot
	for k, a := range accounts {
		r.Written += a.written
		r.Waiting += max(a.accepted-a.written, 0)
		r.Rows += a.stored
		if a.differs() {
			wrong = append(wrong, k)
		}
	}
	slices.SortFunc(wrong, func(a, b slot) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.sensor, b.sensor)) })
	for _, k := range wrong {
		if len(r.Differences) >= MaxDifferences {
			r.Truncated = true
			return nil
		}
		if err := r.minutes(ctx, l, s, k); err != nil {
			return err
		}
	}
	return nil
}

func anyDiffers(accounts map[slot]*account) bool {
	for _, a := range accounts {
		if a.differs() {
			return true
		}
	}
	return false
}

// hours collects both sides. The ledger is asked before the store and after it, so that what comes in between cannot
// look like a difference: what was written before must be there, and what is there must have been accepted by then.
func hours(ctx context.Context, l *ledger.Ledger, s Store, from, to time.Time) (map[slot]*account, error) {
	accounts := make(map[slot]*account)
	at := func(sensor telemetry.SensorID, seconds int64) *account {
		k := slot{sensor, seconds}
		a, ok := accounts[k]
		if !ok {
			a = new(account)
			accounts[k] = a
		}
		return a
	}
	if err := l.EachSensorHour(ctx, from, to, func(h ledger.SensorHour) error {
		at(h.Sensor, h.Hour.Unix()).written = h.Written
		return nil
	}); err != nil {
		return nil, err
	}
	if err := stored(ctx, s, from, to, time.Hour, func(c store.Count) { at(c.Sensor, int64(c.Time)/1000).stored += c.Values }); err != nil {
		return nil, err
	}
	err := l.EachSensorHour(ctx, from, to, func(h ledger.SensorHour) error {
		at(h.Sensor, h.Hour.Unix()).accepted = h.Accepted
		return nil
	})
	return accounts, err
}

func stored(ctx context.Context, s Store, from, to time.Time, step time.Duration, visit func(store.Count)) error {
	for _, domain := range telemetry.Domains() {
		err := s.Counts(ctx, domain, from, to, step, func(c store.Count) error {
			visit(c)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// minutes reports which minutes of an hour differ.
func (r *Report) minutes(ctx context.Context, l *ledger.Ledger, s Store, k slot) error {
	from := time.Unix(k.at, 0).UTC()
	to := from.Add(time.Hour)
	accounts := make(map[int64]*account)
	at := func(seconds int64) *account {
		a, ok := accounts[seconds]
		if !ok {
			a = new(account)
			accounts[seconds] = a
		}
		return a
	}
	before, err := l.Minutes(ctx, k.sensor, from, to)
	if err != nil {
		return err
	}
	for _, m := range before {
		at(m.Time.Unix()).written = m.Written
	}
	if err := stored(ctx, s, from, to, time.Minute, func(c store.Count) {
		if c.Sensor == k.sensor {
			at(int64(c.Time) / 1000).stored += c.Values
		}
	}); err != nil {
		return err
	}
	after, err := l.Minutes(ctx, k.sensor, from, to)
	if err != nil {
		return err
	}
	for _, m := range after {
		at(m.Time.Unix()).accepted = m.Accepted
	}
	seconds := make([]int64, 0, len(accounts))
	for second := range accounts {
		seconds = append(seconds, second)
	}
	slices.Sort(seconds)
	for _, second := range seconds {
		if a := accounts[second]; a.differs() {
			r.Differences = append(r.Differences, Difference{
				Sensor: k.sensor, Minute: time.Unix(second, 0).UTC(), Written: a.written, Accepted: a.accepted, Stored: a.stored,
			})
		}
	}
	return nil
}
