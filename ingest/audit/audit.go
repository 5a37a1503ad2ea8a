// Package audit compares what the ledger says was written with what the store holds, sensor by sensor and minute by
// minute. It is the proof of Lamppost's promises that nothing is lost and nothing counted twice; cmd runs it as
// `lamppost audit`, and api offers it.
//
//	ledger (written, accepted) ──┐
//	                             ├──► Report: clean, or the minutes that differ
//	store (count of fields) ─────┘
package audit

import (
	"cmp"
	"context"
	"fmt"
	"maps"
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

// What is compared at once is the window. It grows and shrinks with the hours of sensors in it, which bounds the memory.
const (
	firstWindow, minWindow, maxWindow = 24 * time.Hour, time.Hour, 90 * 24 * time.Hour
	fewHours, manyHours               = 10_000, 100_000
)

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
	window := firstWindow
	for at := r.From; at.Before(r.To); {
		end := at.Add(window)
		if end.After(r.To) {
			end = r.To
		}
		n, err := r.compare(ctx, l, s, at, end)
		if err != nil {
			return nil, fmt.Errorf("audit from %s to %s: %w", at.Format(time.RFC3339), end.Format(time.RFC3339), err)
		}
		at = end
		if n < fewHours {
			window = min(2*window, maxWindow)
		} else if n > manyHours {
			window = max((window / 2).Truncate(time.Hour), minWindow)
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

// accounts are both sides of a range.
type accounts map[slot]*account

func (all accounts) at(sensor telemetry.SensorID, at time.Time) *account {
	k := slot{sensor, at.Unix()}
	a, ok := all[k]
	if !ok {
		a = new(account)
		all[k] = a
	}
	return a
}

// wrong lists the slots that differ, in the order of time.
func (all accounts) wrong() []slot {
	var found []slot
	for k, a := range all {
		if a.differs() {
			found = append(found, k)
		}
	}
	slices.SortFunc(found, func(a, b slot) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.sensor, b.sensor)) })
	return found
}

// compare adds one window to the report, and returns how many hours of sensors it had. Hours give the sums, and say where there is anything to look at; within an hour
// one reading too many can hide one too few, so every minute that has any is compared.
func (r *Report) compare(ctx context.Context, l *ledger.Ledger, s Store, from, to time.Time) (int, error) {
	hours, domains, err := byHour(ctx, l, s, from, to)
	if err != nil {
		return 0, err
	}
	readings := make(map[int64]int64) // by hour
	for k, a := range hours {
		r.Written += a.written
		r.Waiting += max(a.accepted-a.written, 0)
		r.Rows += a.stored
		readings[k.at] += max(a.written, a.stored)
	}
	for _, run := range runs(readings, domains) {
		if err := r.compareMinutes(ctx, l, s, run); err != nil {
			return 0, err
		}
	}
	return len(hours), nil
}

// byHour collects both sides, and which domains the store has something of in an hour. The ledger is asked before the
// store and after it, so that what comes in between cannot look like a difference: what was written before must be
// there, and what is there must have been accepted by then.
func byHour(ctx context.Context, l *ledger.Ledger, s Store, from, to time.Time) (accounts, map[int64][]telemetry.Domain, error) {
	all, domains := make(accounts), make(map[int64][]telemetry.Domain)
	if err := l.EachSensorHour(ctx, from, to, func(h ledger.SensorHour) error {
		all.at(h.Sensor, h.Hour).written = h.Written
		return nil
	}); err != nil {
		return nil, nil, err
	}
	for _, domain := range telemetry.Domains() {
		if err := s.Counts(ctx, domain, from, to, time.Hour, func(c store.Count) error {
			all.at(c.Sensor, c.Time.Time()).stored += c.Values
			if at := c.Time.Time().Unix(); !slices.Contains(domains[at], domain) {
				domains[at] = append(domains[at], domain)
			}
			return nil
		}); err != nil {
			return nil, nil, err
		}
	}
	err := l.EachSensorHour(ctx, from, to, func(h ledger.SensorHour) error {
		all.at(h.Sensor, h.Hour).accepted = h.Accepted
		return nil
	})
	return all, domains, err
}

// run is a stretch of hours to look at minute by minute, and the domains that the store has there.
type run struct {
	from, to time.Time
	domains  []telemetry.Domain
}

// Bounds of a run: one query of the store, and what fits into memory.
const (
	maxRunHours    = 6
	maxRunReadings = 500_000
)

// runs joins hours that follow one another.
func runs(readings map[int64]int64, domains map[int64][]telemetry.Domain) []run {
	hours := slices.Sorted(maps.Keys(readings))
	var all []run
	sum := int64(0)
	for _, hour := range hours {
		at := time.Unix(hour, 0).UTC()
		here := domains[hour]
		if len(here) == 0 { // the store has nothing, or had not when it was asked
			here = telemetry.Domains()
		}
		last := len(all) - 1
		if last < 0 || !all[last].to.Equal(at) || at.Sub(all[last].from) >= maxRunHours*time.Hour || sum+readings[hour] > maxRunReadings {
			all = append(all, run{from: at})
			last, sum = last+1, 0
		}
		all[last].to = at.Add(time.Hour)
		sum += readings[hour]
		for _, domain := range here {
			if !slices.Contains(all[last].domains, domain) {
				all[last].domains = append(all[last].domains, domain)
			}
		}
	}
	return all
}

// attempts is how often a run that differs is looked at again, with a pause between, before it is reported: ingest may be
// writing to it.
const (
	attempts = 4
	pause    = 700 * time.Millisecond
)

// compareMinutes adds the minutes of a run that differ, each time they are looked at, to the report.
func (r *Report) compareMinutes(ctx context.Context, l *ledger.Ledger, s Store, stretch run) error {
	if r.Truncated {
		return nil
	}
	var all accounts
	var wrong []slot
	for attempt := range attempts {
		var err error
		if all, err = byMinute(ctx, l, s, stretch); err != nil {
			return err
		}
		if attempt == 0 {
			wrong = all.wrong()
		} else {
			wrong = slices.DeleteFunc(wrong, func(k slot) bool { return all[k] == nil || !all[k].differs() })
		}
		if len(wrong) == 0 || attempt == attempts-1 {
			break
		}
		stretch.domains = telemetry.Domains() // the store may have more by now than when its hours were counted
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
	for _, k := range wrong {
		if len(r.Differences) >= MaxDifferences {
			r.Truncated = true
			return nil
		}
		a := all[k]
		r.Differences = append(r.Differences, Difference{
			Sensor: k.sensor, Minute: time.Unix(k.at, 0).UTC(), Written: a.written, Accepted: a.accepted, Stored: a.stored,
		})
	}
	return nil
}

// byMinute collects both sides in the order of byHour.
func byMinute(ctx context.Context, l *ledger.Ledger, s Store, stretch run) (accounts, error) {
	all := make(accounts)
	if err := l.EachSensorMinute(ctx, stretch.from, stretch.to, func(m ledger.SensorMinute) error {
		all.at(m.Sensor, m.Minute).written = m.Written
		return nil
	}); err != nil {
		return nil, err
	}
	for _, domain := range stretch.domains {
		if err := s.Counts(ctx, domain, stretch.from, stretch.to, time.Minute, func(c store.Count) error {
			all.at(c.Sensor, c.Time.Time()).stored += c.Values
			return nil
		}); err != nil {
			return nil, err
		}
	}
	err := l.EachSensorMinute(ctx, stretch.from, stretch.to, func(m ledger.SensorMinute) error {
		all.at(m.Sensor, m.Minute).accepted = m.Accepted
		return nil
	})
	return all, err
}
