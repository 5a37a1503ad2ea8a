package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/lamppost-city/lamppost/telemetry"
	"github.com/lamppost-city/lamppost/telemetry/step"
)

// MaxSteps bounds the answer of Steps.
const MaxSteps = 10_000

// MaxSensorHours bounds the hours of single sensors that one question may add up: a day of 100,000 sensors, or a year of
// 250. They take some seconds.
const MaxSensorHours = 2_400_000

// ErrStep is returned for steps that the ledger cannot make.
var ErrStep = errors.New("steps are whole minutes below an hour that make up hours, whole hours, or days, weeks, months and years")

// ErrSteps is returned where a range has more steps than MaxSteps.
var ErrSteps = fmt.Errorf("the range has more than %d steps; ask for a longer step or a shorter range", MaxSteps)

// ErrMuch is returned where more would have to be added up than MaxSensorHours.
var ErrMuch = fmt.Errorf("the question adds up more than %d hours of sensors; ask for a shorter range or fewer sensors", MaxSensorHours)

// checkWork refuses what would take too long.
func checkWork(sensors int, first, end int64) error {
	if hours := floorHour(end-1) - floorHour(first) + 1; hours > 0 && int64(sensors) > MaxSensorHours/hours {
		return ErrMuch
	}
	return nil
}

// StepsQuery asks for sums by steps.
type StepsQuery struct {
	// Sensors are those that are summed up; nil is the whole city.
	Sensors []telemetry.SensorID
	// From and To are rounded outwards to whole steps.
	From, To time.Time
	// Step is of whole minutes that make up an hour, of whole hours, or of a calendar.
	Step step.Length
	// Zone is where days, weeks, months and years begin at midnight; nil is UTC.
	Zone *time.Location
}

// grid is the steps of a range, in minutes since 1970.
type grid struct {
	length     step.Length
	zone       *time.Location
	first, end int64
	// hours says that all steps begin at whole hours in UTC.
	hours bool
}

// gridOf lays the steps of a query, at most MaxSteps.
func gridOf(q StepsQuery) (grid, error) {
	every := q.Step.Every
	if q.Step.IsZero() || every%time.Minute != 0 || every < 0 || every > 0 && every < time.Hour && time.Hour%every != 0 || every > time.Hour && every%time.Hour != 0 {
		return grid{}, ErrStep
	}
	g := grid{length: q.Step, zone: q.Zone, hours: true}
	if g.zone == nil {
		g.zone = time.UTC
	}
	if q.To.Sub(q.From)/q.Step.Shortest() > MaxSteps {
		return grid{}, ErrSteps
	}
	g.first = g.begin(MinuteOf(telemetry.MilliOf(q.From)))
	for g.end = g.first; g.end < MinuteOf(telemetry.MilliOf(q.To)); g.end = g.next(g.end) {
		g.hours = g.hours && g.end%60 == 0
	}
	g.hours = g.hours && g.end%60 == 0
	return g, nil
}

// begin is where the step begins that a minute is in.
func (g grid) begin(minute int64) int64 {
	return g.length.Begin(time.Unix(60*minute, 0), g.zone).Unix() / 60
}

// next is where the step after the one that begins at a minute does.
func (g grid) next(begin int64) int64 {
	return g.length.Next(time.Unix(60*begin, 0).In(g.zone)).Unix() / 60
}

// Steps sums up by steps: those that begin in the range, and the one in which From lies. It lists the steps that have anything
// to account for, oldest first, with the reports that are overdue at this moment. The sums are at most 250 ms old.
func (l *Ledger) Steps(ctx context.Context, q StepsQuery) ([]Minute, error) {
	g, err := gridOf(q)
	if err != nil {
		return nil, err
	}
	all := q.Sensors
	if all == nil {
		all = []telemetry.SensorID{allSensors}
	}
	if err := checkWork(len(all), g.first, g.end); err != nil {
		return nil, err
	}
	if err := l.freshen(ctx); err != nil {
		return nil, err
	}
	sums := make(map[int64]*Totals)
	at := func(minute int64) *Totals {
		begin := g.begin(minute)
		if sums[begin] == nil {
			sums[begin] = new(Totals)
		}
		return sums[begin]
	}
	err = l.view(ctx, func(tx *sql.Tx) error {
		for _, sensor := range all {
			var err error
			if !g.hours {
				err = eachMinute(ctx, tx, sensor, g.first, g.end, func(m Minute) { at(m.Time.Unix() / 60).Add(m.Totals) })
			} else {
				err = eachHour(ctx, tx, sensor, g.first/60, g.end/60, func(hour int64, t Totals) { at(60 * hour).Add(t) })
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if q.Sensors == nil {
		all = slices.Collect(maps.Keys(l.Newest()))
	}
	for _, sensor := range all {
		l.eachOverdue(sensor, g.first, g.end, func(minute, missing int64) { at(minute).Missing += missing })
	}
	steps := make([]Minute, 0, len(sums))
	for _, begin := range slices.Sorted(maps.Keys(sums)) {
		if t := sums[begin]; !t.nothing() {
			steps = append(steps, Minute{Time: time.Unix(60*begin, 0).UTC(), Totals: *t})
		}
	}
	return steps, nil
}

// eachHour visits the hours of one sensor that have a row, oldest first, and then those of its rejections.
func eachHour(ctx context.Context, tx *sql.Tx, sensor telemetry.SensorID, from, to int64, visit func(hour int64, t Totals)) error {
	rows, err := tx.QueryContext(ctx, `SELECT hour, received, duplicate, late, stamped, accepted, reports, missing, written
		FROM hours WHERE sensor = ? AND hour >= ? AND hour < ? ORDER BY hour`, string(sensor), from, to)
	if err != nil {
		return fmt.Errorf("read the ledger of %q: %w", sensor, err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var number int64
		var t Totals
		columns := []any{&number}
		for _, counter := range t.counters() {
			columns = append(columns, counter)
		}
		if err := rows.Scan(columns...); err != nil {
			return err
		}
		visit(number, t)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	refused, err := tx.QueryContext(ctx, "SELECT hour, reason, n FROM rejections WHERE sensor = ? AND hour >= ? AND hour < ?", string(sensor), from, to)
	if err != nil {
		return fmt.Errorf("read the rejections of %q: %w", sensor, err)
	}
	defer func() { _ = refused.Close() }()
	for refused.Next() {
		var number, n int64
		var reason telemetry.Reason
		if err := refused.Scan(&number, &reason, &n); err != nil {
			return err
		}
		var t Totals
		t.reject(reason, n)
		visit(number, t)
	}
	return refused.Err()
}

// Sums sums up each of some sensors, in their order, like SensorTotals.
func (l *Ledger) Sums(ctx context.Context, sensors []telemetry.SensorID, from, to time.Time) ([]Totals, error) {
	first, end := MinuteOf(telemetry.MilliOf(from)), MinuteOf(telemetry.MilliOf(to))
	if err := checkWork(len(sensors), first, end); err != nil {
		return nil, err
	}
	if err := l.freshen(ctx); err != nil {
		return nil, err
	}
	sums := make([]Totals, len(sensors))
	err := l.view(ctx, func(tx *sql.Tx) error {
		for i, sensor := range sensors {
			if err := sumUp(ctx, tx, &sums[i], sensor, first, end); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for i, sensor := range sensors {
		sums[i].Missing += l.overdue(sensor, first, end)
	}
	return sums, nil
}
