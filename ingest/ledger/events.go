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
	// WrongClock is from the minute in which a reading was refused because of the time that it said to the end of the last such.
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

// clockPause is for how long a clock may be quiet and is still wrong in the same way.
const clockPause = time.Hour

// clocks finds the minutes in which the time of readings was refused, and joins those that are no more than clockPause
// apart. One goes on if the last was so little ago, and the sensor has said no right time since.
func (l *Ledger) clocks(ctx context.Context, begin, end telemetry.UnixMilli) ([]Event, error) {
	reasons := make([]string, 0, len(clockReasons()))
	for _, r := range clockReasons() {
		reasons = append(reasons, fmt.Sprint(uint8(r)))
	}
	rows, err := l.reading.QueryContext(ctx, `SELECT sensor, hour, (SELECT minutes FROM hours h WHERE h.sensor = r.sensor AND h.hour = r.hour) FROM rejections r
		WHERE reason IN (`+strings.Join(reasons, ",")+`) AND hour BETWEEN ? AND ? AND sensor NOT IN ('', '*') GROUP BY sensor, hour ORDER BY sensor, hour`,
		floorHour(MinuteOf(begin))-1, floorHour(MinuteOf(end))+1) // an hour more, to see where it begins and ends
	if err != nil {
		return nil, fmt.Errorf("read rejections of clocks: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var events []Event
	for rows.Next() {
		var sensor telemetry.SensorID
		var number int64
		var blob []byte
		if err := rows.Scan(&sensor, &number, &blob); err != nil {
			return nil, err
		}
		minutes, err := decodeHour(blob)
		if err != nil {
			return nil, fmt.Errorf("ledger of %q, hour %d: %w", sensor, number, err)
		}
		for i := range byte(60) {
			if t, ok := minutes[i]; ok {
				events = addClock(events, sensor, time.Unix(60*(60*number+int64(i)), 0).UTC(), t.Rejected)
			}
		}
	}
	events = slices.DeleteFunc(events, func(e Event) bool { return !e.From.Before(end.Time()) || !e.To.After(begin.Time()) })
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range events {
		e := &events[i]
		if time.Since(e.To) <= clockPause && l.newest[e.Sensor] < telemetry.MilliOf(e.To) {
			e.To = time.Time{}
		}
	}
	return events, rows.Err()
}

// addClock adds what was refused in a minute to the event before it, or as one of its own.
func addClock(events []Event, sensor telemetry.SensorID, minute time.Time, rejected map[telemetry.Reason]int64) []Event {
	for _, reason := range clockReasons() {
		n := rejected[reason]
		if n <= 0 {
			continue
		}
		if last := len(events) - 1; last < 0 || events[last].Sensor != sensor || minute.Sub(events[last].To) > clockPause {
			events = append(events, Event{Kind: WrongClock, Sensor: sensor, From: minute, Refused: make(map[telemetry.Reason]int64, 1)})
		}
		one := &events[len(events)-1]
		one.To = minute.Add(time.Minute)
		one.Refused[reason] += n
	}
	return events
}
