package plugin

import (
	"context"
	"time"

	"github.com/lamppost-city/lamppost/dashboards/datasource/city"
	"github.com/lamppost-city/lamppost/dashboards/datasource/frames"
	"github.com/lamppost-city/lamppost/telemetry/step"
)

// settle is how long the last readings of a step may still be under way when it is over.
const settle = 2 * time.Second

// kept are the steps that an answer shows, in Unix milliseconds: those that begin at from or later, and end at to or before.
type kept struct{ from, to int64 }

// keeps says which steps are shown of an answer that was asked for from and to, both moved by back. Whole steps only if the query
// wants that; and an alert rule must not take a step for small that is not over.
func (a asked) keeps(back func(time.Time) time.Time) *kept {
	if !a.Whole && !a.alert {
		return nil
	}
	to := a.to
	if over := a.now.Add(-settle); over.Before(to) {
		to = over
	}
	k := kept{from: back(a.from).UnixMilli(), to: back(to).UnixMilli()}
	if !a.Whole {
		k.from = 0
	}
	return &k
}

// of returns those of the times that are shown, and their values. Readings as they are, which have no step, are all shown.
func (k *kept) of(times []int64, values []float64, step frames.Step) ([]int64, []float64) {
	if k == nil || step.MS <= 0 {
		return times, values
	}
	first, end := 0, len(times)
	for first < end && times[first] < k.from {
		first++
	}
	for end > first && step.Next(times[end-1]) > k.to {
		end--
	}
	return times[first:end], values[first:end]
}

// steps returns those of the ledger's steps that are shown. Its first one is whole always.
func (k *kept) steps(all []city.Step, step frames.Step) []city.Step {
	if k == nil {
		return all
	}
	for len(all) > 0 && step.Next(all[len(all)-1].Time.UnixMilli()) > k.to {
		all = all[:len(all)-1]
	}
	return all
}

// asIs moves no time.
func asIs(t time.Time) time.Time { return t }

// begin is where the step begins in which the range does; the beginning of the range where the server chooses the step.
func (d *Datasource) begin(ctx context.Context, a asked) (time.Time, error) {
	length, ok := step.Parse(a.Step)
	if !ok || length.IsZero() {
		return a.from, nil
	}
	named, err := d.stepNamed(ctx, length)
	if err != nil {
		return a.from, err
	}
	return length.Begin(a.from, named.Zone).UTC(), nil
}

// stepNamed is a step as it is counted in the city, whose time zone is asked for only where the step is of a calendar.
func (d *Datasource) stepNamed(ctx context.Context, length step.Length) (frames.Step, error) {
	named := frames.Step{MS: length.Shortest().Milliseconds(), Length: length, Zone: time.UTC}
	if !length.InCalendar() {
		return named, nil
	}
	var err error
	named.Zone, err = d.city.Zone(ctx)
	return named, err
}
