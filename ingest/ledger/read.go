package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/lamppost-city/lamppost/ingest/frame"
	"github.com/lamppost-city/lamppost/spool"
	"github.com/lamppost-city/lamppost/telemetry"
)

// freshness is how old sums may be that are given out. Whoever asks often does not make the ledger write as often.
const freshness = 250 * time.Millisecond

// freshen flushes if the last flush is too long ago.
func (l *Ledger) freshen(ctx context.Context) error {
	l.mu.Lock()
	fresh := time.Since(l.flushed) < freshness
	l.mu.Unlock()
	if fresh {
		return nil
	}
	return l.Flush(ctx)
}

// Totals sums up the whole city from one minute up to, but not including, another. The sums are at most 250 ms old, and
// hold the reports that are overdue at this moment.
func (l *Ledger) Totals(ctx context.Context, from, to time.Time) (Totals, error) {
	return l.SensorTotals(ctx, allSensors, from, to)
}

// SensorTotals sums up one sensor like Totals; sensor "" is what no sensor could be named for.
func (l *Ledger) SensorTotals(ctx context.Context, sensor telemetry.SensorID, from, to time.Time) (Totals, error) {
	if err := l.freshen(ctx); err != nil {
		return Totals{}, err
	}
	var sum Totals
	err := l.view(ctx, func(tx *sql.Tx) error {
		return sumUp(ctx, tx, &sum, sensor, MinuteOf(telemetry.MilliOf(from)), MinuteOf(telemetry.MilliOf(to)))
	})
	if err != nil {
		return Totals{}, err
	}
	sum.Missing += l.overdue(sensor, MinuteOf(telemetry.MilliOf(from)), MinuteOf(telemetry.MilliOf(to)))
	return sum, nil
}

// view lets look at one state of the database: without a transaction a flush between two questions would make sums that
// do not close.
func (l *Ledger) view(ctx context.Context, look func(*sql.Tx) error) error {
	tx, err := l.reading.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return fmt.Errorf("look at the ledger: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // it has changed nothing
	return look(tx)
}

// sumUp adds the minutes from first up to, but not including, end: whole hours from the columns, the hours at both ends
// minute by minute.
func sumUp(ctx context.Context, tx *sql.Tx, sum *Totals, sensor telemetry.SensorID, first, end int64) error {
	wholeFrom, wholeTo := floorHour(first+59), floorHour(end)
	if wholeFrom >= wholeTo {
		return addMinutes(ctx, tx, sum, sensor, first, end)
	}
	if err := addHours(ctx, tx, sum, sensor, wholeFrom, wholeTo); err != nil {
		return err
	}
	if err := addMinutes(ctx, tx, sum, sensor, first, 60*wholeFrom); err != nil {
		return err
	}
	return addMinutes(ctx, tx, sum, sensor, 60*wholeTo, end)
}

func addHours(ctx context.Context, tx *sql.Tx, sum *Totals, sensor telemetry.SensorID, from, to int64) error {
	var t Totals
	err := tx.QueryRowContext(ctx, `SELECT coalesce(sum(received), 0), coalesce(sum(duplicate), 0), coalesce(sum(late), 0),
		coalesce(sum(stamped), 0), coalesce(sum(accepted), 0), coalesce(sum(reports), 0), coalesce(sum(missing), 0), coalesce(sum(written), 0)
		FROM hours WHERE sensor = ? AND hour >= ? AND hour < ?`, string(sensor), from, to).
		Scan(&t.Received, &t.Duplicate, &t.Late, &t.Stamped, &t.Accepted, &t.Reports, &t.Missing, &t.Written)
	if err != nil {
		return fmt.Errorf("sum up the ledger of %q: %w", sensor, err)
	}
	rows, err := tx.QueryContext(ctx, `SELECT reason, sum(n) FROM rejections WHERE sensor = ? AND hour >= ? AND hour < ? GROUP BY reason`,
		string(sensor), from, to)
	if err != nil {
		return fmt.Errorf("sum up the rejections of %q: %w", sensor, err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var reason telemetry.Reason
		var n int64
		if err := rows.Scan(&reason, &n); err != nil {
			return err
		}
		t.reject(reason, n)
	}
	sum.Add(t)
	return rows.Err()
}

func addMinutes(ctx context.Context, tx *sql.Tx, sum *Totals, sensor telemetry.SensorID, from, to int64) error {
	return eachMinute(ctx, tx, sensor, from, to, func(m Minute) { sum.Add(m.Totals) })
}

// Minute is the account of one sensor and minute.
type Minute struct {
	Time time.Time
	Totals
}

// MaxMinutes bounds the answer of Minutes: a week.
const MaxMinutes = 7 * 24 * 60

// ErrRange is returned where more minutes are asked for than MaxMinutes.
var ErrRange = fmt.Errorf("the range has more than %d minutes; ask for a shorter one", MaxMinutes)

// Minutes lists the minutes of one sensor that have anything to account for, oldest first, with the reports that are
// overdue at this moment.
func (l *Ledger) Minutes(ctx context.Context, sensor telemetry.SensorID, from, to time.Time) ([]Minute, error) {
	first, end := MinuteOf(telemetry.MilliOf(from)), MinuteOf(telemetry.MilliOf(to))
	if end-first > MaxMinutes {
		return nil, ErrRange
	}
	if err := l.Flush(ctx); err != nil {
		return nil, err
	}
	var minutes []Minute
	err := l.view(ctx, func(tx *sql.Tx) error {
		return eachMinute(ctx, tx, sensor, first, end, func(m Minute) { minutes = append(minutes, m) })
	})
	if err != nil {
		return nil, err
	}
	l.eachOverdue(sensor, first, end, func(minute, missing int64) {
		at := time.Unix(60*minute, 0).UTC()
		i, there := slices.BinarySearchFunc(minutes, at, func(m Minute, at time.Time) int { return m.Time.Compare(at) })
		if !there {
			minutes = slices.Insert(minutes, i, Minute{Time: at})
		}
		minutes[i].Missing += missing
	})
	return minutes, nil
}

func eachMinute(ctx context.Context, tx *sql.Tx, sensor telemetry.SensorID, from, to int64, visit func(Minute)) error {
	if from >= to {
		return nil
	}
	rows, err := tx.QueryContext(ctx, "SELECT hour, minutes FROM hours WHERE sensor = ? AND hour >= ? AND hour <= ? ORDER BY hour",
		string(sensor), floorHour(from), floorHour(to-1))
	if err != nil {
		return fmt.Errorf("read the ledger of %q: %w", sensor, err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var number int64
		var blob []byte
		if err := rows.Scan(&number, &blob); err != nil {
			return err
		}
		minutes, err := decodeHour(blob)
		if err != nil {
			return fmt.Errorf("ledger of %q, hour %d: %w", sensor, number, err)
		}
		for i := range byte(60) {
			if t, ok := minutes[i]; ok && 60*number+int64(i) >= from && 60*number+int64(i) < to {
				visit(Minute{Time: time.Unix(60*(60*number+int64(i)), 0).UTC(), Totals: *t})
			}
		}
	}
	return rows.Err()
}

// SensorHour is how many readings of a sensor the ledger holds for in an hour of measured time.
type SensorHour struct {
	Sensor            telemetry.SensorID
	Hour              time.Time
	Written, Accepted int64
}

// EachSensorHour visits every hour of every sensor that lies in the range, ordered by sensor, then time. Hours are
// whole: from is rounded down and to is rounded up.
func (l *Ledger) EachSensorHour(ctx context.Context, from, to time.Time, visit func(SensorHour) error) error {
	if err := l.Flush(ctx); err != nil {
		return err
	}
	const untilNextHour = telemetry.UnixMilli(time.Hour/time.Millisecond) - 1
	first, end := floorHour(MinuteOf(telemetry.MilliOf(from))), floorHour(MinuteOf(telemetry.MilliOf(to)+untilNextHour))
	rows, err := l.reading.QueryContext(ctx, `SELECT sensor, hour, written, accepted FROM hours
		WHERE hour >= ? AND hour < ? AND sensor NOT IN ('', '*') ORDER BY sensor, hour`, first, end)
	if err != nil {
		return fmt.Errorf("read the ledger: %w", err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var s SensorHour
		var number int64
		if err := rows.Scan(&s.Sensor, &number, &s.Written, &s.Accepted); err != nil {
			return err
		}
		s.Hour = time.Unix(3600*number, 0).UTC()
		if err := visit(s); err != nil {
			return err
		}
	}
	return rows.Err()
}

// SensorMinute is how many readings of a sensor the ledger holds for in a minute of measured time.
type SensorMinute struct {
	Sensor            telemetry.SensorID
	Minute            time.Time
	Written, Accepted int64
}

// EachSensorMinute is EachSensorHour by minutes: it visits those of whole hours that have anything accepted or written.
func (l *Ledger) EachSensorMinute(ctx context.Context, from, to time.Time, visit func(SensorMinute) error) error {
	if err := l.Flush(ctx); err != nil {
		return err
	}
	const untilNextHour = telemetry.UnixMilli(time.Hour/time.Millisecond) - 1
	first, end := floorHour(MinuteOf(telemetry.MilliOf(from))), floorHour(MinuteOf(telemetry.MilliOf(to)+untilNextHour))
	rows, err := l.reading.QueryContext(ctx, `SELECT sensor, hour, minutes FROM hours
		WHERE hour >= ? AND hour < ? AND sensor NOT IN ('', '*') ORDER BY sensor, hour`, first, end)
	if err != nil {
		return fmt.Errorf("read the ledger: %w", err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var s SensorMinute
		var number int64
		var blob []byte
		if err := rows.Scan(&s.Sensor, &number, &blob); err != nil {
			return err
		}
		minutes, err := decodeHour(blob)
		if err != nil {
			return fmt.Errorf("ledger of %q, hour %d: %w", s.Sensor, number, err)
		}
		for i := range byte(60) {
			t, ok := minutes[i]
			if !ok || t.Written == 0 && t.Accepted == 0 {
				continue
			}
			s.Minute, s.Written, s.Accepted = time.Unix(60*(60*number+int64(i)), 0).UTC(), t.Written, t.Accepted
			if err := visit(s); err != nil {
				return err
			}
		}
	}
	return rows.Err()
}

// FirstHour is the oldest hour in which the sensor has anything to account for.
func (l *Ledger) FirstHour(ctx context.Context, sensor telemetry.SensorID) (at time.Time, ok bool, err error) {
	var number sql.NullInt64
	if err := l.reading.QueryRowContext(ctx, "SELECT min(hour) FROM hours WHERE sensor = ?", string(sensor)).Scan(&number); err != nil {
		return at, false, fmt.Errorf("oldest hour of %q: %w", sensor, err)
	}
	return time.Unix(3600*number.Int64, 0).UTC(), number.Valid, nil
}

// Newest returns when the newest accepted report of every sensor was measured, as of the last flush.
func (l *Ledger) Newest() map[telemetry.SensorID]telemetry.UnixMilli {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.newest)
}

func (l *Ledger) readNewest(ctx context.Context) (map[telemetry.SensorID]telemetry.UnixMilli, error) {
	rows, err := l.reading.QueryContext(ctx, "SELECT sensor, measured FROM newest")
	if err != nil {
		return nil, fmt.Errorf("read newest times: %w", err)
	}
	defer func() { _ = rows.Close() }()
	newest := make(map[telemetry.SensorID]telemetry.UnixMilli)
	for rows.Next() {
		var sensor telemetry.SensorID
		var at telemetry.UnixMilli
		if err := rows.Scan(&sensor, &at); err != nil {
			return nil, err
		}
		newest[sensor] = at
	}
	return newest, rows.Err()
}

// Silences returns, by sensor, the silences in which a report can still come late, as of the last flush.
func (l *Ledger) Silences(ctx context.Context) (map[telemetry.SensorID][]frame.Silence, error) {
	rows, err := l.reading.QueryContext(ctx, "SELECT sensor, since, until, ended, cadence FROM silences ORDER BY sensor, since")
	if err != nil {
		return nil, fmt.Errorf("read silences: %w", err)
	}
	defer func() { _ = rows.Close() }()
	silences := make(map[telemetry.SensorID][]frame.Silence)
	for rows.Next() {
		var sensor telemetry.SensorID
		var s frame.Silence
		var cadence int64
		if err := rows.Scan(&sensor, &s.From, &s.To, &s.End, &cadence); err != nil {
			return nil, err
		}
		s.Cadence = time.Duration(cadence) * time.Millisecond
		silences[sensor] = append(silences[sensor], s)
	}
	return silences, rows.Err()
}

// Sequences returns the newest sequence number of every publisher, as of the last flush.
func (l *Ledger) Sequences(ctx context.Context) (map[telemetry.SensorID]uint64, error) {
	rows, err := l.reading.QueryContext(ctx, "SELECT publisher, seq FROM sequences")
	if err != nil {
		return nil, fmt.Errorf("read sequence numbers: %w", err)
	}
	defer func() { _ = rows.Close() }()
	sequences := make(map[telemetry.SensorID]uint64)
	for rows.Next() {
		var publisher telemetry.SensorID
		var seq int64
		if err := rows.Scan(&publisher, &seq); err != nil {
			return nil, err
		}
		sequences[publisher] = uint64(seq)
	}
	return sequences, rows.Err()
}

// Verdict returns which of a frame's suspects were known to the store before the frame was written for the first time,
// if that has been decided.
func (l *Ledger) Verdict(ctx context.Context, end spool.Position) (known []byte, ok bool, err error) {
	err = l.reading.QueryRowContext(ctx, "SELECT known FROM verdicts WHERE segment = ? AND offset = ?", int64(end.Segment), end.Offset).Scan(&known)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("read the verdict on the frame at %s: %w", end, err)
	}
	return known, true, nil
}

// Decide keeps a verdict, durably, until the frame is settled. After the frame has been written the store cannot tell
// any more what was new in it, so Decide comes before writing.
func (l *Ledger) Decide(ctx context.Context, end spool.Position, known []byte) error {
	if _, err := l.db.ExecContext(ctx, "INSERT OR REPLACE INTO verdicts VALUES (?, ?, ?)", int64(end.Segment), end.Offset, notNil(known)); err != nil {
		return fmt.Errorf("keep the verdict on the frame at %s: %w", end, err)
	}
	return nil
}
