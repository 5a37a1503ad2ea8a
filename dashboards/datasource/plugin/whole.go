package plugin

import (
	"strconv"
	"time"

	"github.com/lamppost-city/lamppost/dashboards/datasource/city"
	"github.com/lamppost-city/lamppost/dashboards/datasource/question"
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
func (k *kept) of(times []int64, values []float64, stepMS int64) ([]int64, []float64) {
	if k == nil || stepMS <= 0 {
		return times, values
	}
	first, end := 0, len(times)
	for first < end && times[first] < k.from {
		first++
	}
	for end > first && times[end-1]+stepMS > k.to {
		end--
	}
	return times[first:end], values[first:end]
}

// steps returns those of the ledger's steps that are shown. Its first one is whole always.
func (k *kept) steps(all []city.Step, step time.Duration) []city.Step {
	if k == nil {
		return all
	}
	for len(all) > 0 && all[len(all)-1].Time.Add(step).UnixMilli() > k.to {
		all = all[:len(all)-1]
	}
	return all
}

// asIs moves no time.
func asIs(t time.Time) time.Time { return t }

// begin is where the step begins that holds a time; the time itself where the server chooses the step.
func begin(t time.Time, step string) time.Time {
	ms := stepOf(step).Milliseconds()
	if ms <= 0 {
		return t
	}
	return time.UnixMilli(t.UnixMilli() / ms * ms).UTC()
}

// stepOf is how long a step is that the query names, as Check lets it; 0 where it names none.
func stepOf(step string) time.Duration {
	if step == question.Automatic || step == question.Raw {
		return 0
	}
	unit := map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour}[step[len(step)-1]]
	n, err := strconv.Atoi(step[:len(step)-1])
	if err != nil {
		return 0
	}
	return time.Duration(n) * unit
}
