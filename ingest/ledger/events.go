package ledger

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lamppost-city/lamppost/telemetry"
)

// Event is something that went wrong with one sensor for some time.
type Event struct {
	Kind   EventKind
	Sensor telemetry.SensorID
	// From and To are its first and last moment; To is zero where it goes on.
	From, To time.Time
	// Cadence is what the sensor should have held, of a Silent.
	Cadence time.Duration
	// Missing is how many reports did not come, of a Silent.
	Missing int64
	// Refused counts readings by reason, of a WrongClock.
	Refused map[telemetry.Reason]int64
}

// EventKind says what went wrong.
type EventKind uint8

// The kinds.
const (
	// Silent is the time between two reports that are too far apart for the cadence.
	Silent EventKind = iota + 1
	// WrongClock is a run of whole hours in which readings were refused because of the time that they said.
	WrongClock
)

// MaxEvents bounds the answer of Events.
const MaxEvents = 10_000

// clockReasons are those that a wrong clock leads to.
func clockReasons() []telemetry.Reason {
	return []telemetry.Reason{telemetry.ReasonFuture, telemetry.ReasonTooOld, telemetry.ReasonTime}
}

// Events lists what the ledger knows to have gone wrong in a range, oldest first: silences that are open for late reports
// still (of each sensor the longest), silences of this moment, and clocks. Of more than MaxEvents it lists the newest and
// says so.
func (l *Ledger) Events(ctx context.Context, from, to time.Time) (events []Event, truncated bool, err error) {
	if err := l.freshen(ctx); err != nil {
		return nil, false, err
	}
	begin, end := telemetry.MilliOf(from), telemetry.MilliOf(to)
	if events, err = l.clocks(ctx, begin, end); err != nil {
		return nil, false, err
	}
	silences, err := l.Silences(ctx)
	if err != nil {
		return nil, false, err
	}
	for sensor, all := range silences {
		for _, s := range all {
			if s.From < end && s.To > begin {
				events = append(events, Event{Kind: Silent, Sensor: sensor, From: s.From.Time(), To: s.To.Time(), Cadence: s.Cadence, Missing: s.Missing()})
			}
		}
	}
	if plan, now := l.planned(), telemetry.MilliOf(time.Now()); plan != nil && begin < now {
		for sensor, newest := range l.Newest() {
			if s := silent(plan, sensor, newest, now); s.Missing() > 0 && s.From < end {
				events = append(events, Event{Kind: Silent, Sensor: sensor, From: s.From.Time(), Cadence: s.Cadence, Missing: s.Missing()})
			}
		}
	}
	slices.SortFunc(events, func(a, b Event) int {
		return cmp.Or(a.From.Compare(b.From), cmp.Compare(a.Sensor, b.Sensor), cmp.Compare(a.Kind, b.Kind))
	})
	if truncated = len(events) > MaxEvents; truncated {
		events = events[len(events)-MaxEvents:]
	}
	return events, truncated, nil
}

// clocks finds the hours in which the time of readings was refused, and joins neighbours.
func (l *Ledger) clocks(ctx context.Context, begin, end telemetry.UnixMilli) ([]Event, error) {
	const hour = telemetry.UnixMilli(time.Hour / time.Millisecond)
	reasons := make([]string, 0, len(clockReasons()))
	for _, r := range clockReasons() {
		reasons = append(reasons, fmt.Sprint(uint8(r)))
	}
	rows, err := l.reading.QueryContext(ctx, `SELECT sensor, hour, reason, n FROM rejections
		WHERE reason IN (`+strings.Join(reasons, ",")+`) AND hour >= ? AND hour < ? AND sensor NOT IN ('', '*') ORDER BY sensor, hour`,
		floorHour(MinuteOf(begin)), floorHour(MinuteOf(end+hour-1)))
	if err != nil {
		return nil, fmt.Errorf("read rejections of clocks: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var events []Event
	for rows.Next() {
		var sensor telemetry.SensorID
		var number, n int64
		var reason telemetry.Reason
		if err := rows.Scan(&sensor, &number, &reason, &n); err != nil {
			return nil, err
		}
		from := time.Unix(3600*number, 0).UTC()
		if last := len(events) - 1; last < 0 || events[last].Sensor != sensor || events[last].To.Before(from) {
			events = append(events, Event{Kind: WrongClock, Sensor: sensor, From: from, Refused: make(map[telemetry.Reason]int64, 1)})
		}
		one := &events[len(events)-1]
		one.To = from.Add(time.Hour)
		one.Refused[reason] += n
	}
	for now, i := time.Now(), 0; i < len(events); i++ {
		if events[i].To.After(now) {
			events[i].To = time.Time{}
		}
	}
	return events, rows.Err()
}
