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
)

// MaxSteps bounds the answer of Steps.
const MaxSteps = 10_000

// MaxSensorHours bounds the hours of single sensors that one question may add up: a day of 100,000 sensors, or a year of
// 250. They take some seconds.
const MaxSensorHours = 2_400_000

// ErrStep is returned for steps that the ledger cannot make.
var ErrStep = errors.New("steps are whole minutes below an hour that make up hours, or whole hours")

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

// Steps sums up some sensors, or the whole city where sensors is nil, by steps that begin at whole multiples since 1970:
// those that begin in the range, and the one in which from lies. It lists the steps that have anything to account for,
// oldest first, with the reports that are overdue at this moment. The sums are at most 250 ms old.
func (l *Ledger) Steps(ctx context.Context, sensors []telemetry.SensorID, from, to time.Time, step time.Duration) ([]Minute, error) {
	width := int64(step / time.Minute)
	if width < 1 || step%time.Minute != 0 || width < 60 && 60%width != 0 || width > 60 && width%60 != 0 {
		return nil, ErrStep
	}
	of := func(minute int64) int64 {
		if minute < 0 {
			return (minute - width + 1) / width
		}
		return minute / width
	}
	first, end := of(MinuteOf(telemetry.MilliOf(from)))*width, (of(MinuteOf(telemetry.MilliOf(to))-1)+1)*width
	if (end-first)/width > MaxSteps {
		return nil, ErrSteps
	}
	all := sensors
	if all == nil {
		all = []telemetry.SensorID{allSensors}
	}
	if err := checkWork(len(all), first, end); err != nil {
		return nil, err
	}
	if err := l.freshen(ctx); err != nil {
		return nil, err
	}
	sums := make(map[int64]*Totals)
	at := func(minute int64) *Totals {
		number := of(minute)
		if sums[number] == nil {
			sums[number] = new(Totals)
		}
		return sums[number]
	}
	err := l.view(ctx, func(tx *sql.Tx) error {
		for _, sensor := range all {
			var err error
			if width < 60 {
				err = eachMinute(ctx, tx, sensor, first, end, func(m Minute) { at(m.Time.Unix() / 60).Add(m.Totals) })
			} else {
				err = eachHour(ctx, tx, sensor, first/60, end/60, func(hour int64, t Totals) { at(60 * hour).Add(t) })
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
	if sensors == nil {
		all = slices.Collect(maps.Keys(l.Newest()))
	}
	for _, sensor := range all {
		l.eachOverdue(sensor, first, end, func(minute, missing int64) { at(minute).Missing += missing })
	}
	steps := make([]Minute, 0, len(sums))
	for _, number := range slices.Sorted(maps.Keys(sums)) {
		if t := sums[number]; !t.nothing() {
			steps = append(steps, Minute{Time: time.Unix(60*width*number, 0).UTC(), Totals: *t})
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
