package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
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

// Totals sums up the whole city from one minute up to, but not including, another. The sums are at most 250 ms old.
func (l *Ledger) Totals(ctx context.Context, from, to time.Time) (Totals, error) {
	return l.SensorTotals(ctx, allSensors, from, to)
}

// SensorTotals sums up one sensor like Totals; sensor "" is what no sensor could be named for.
func (l *Ledger) SensorTotals(ctx context.Context, sensor telemetry.SensorID, from, to time.Time) (Totals, error) {
	if err := l.freshen(ctx); err != nil {
		return Totals{}, err
	}
	first, end := MinuteOf(telemetry.MilliOf(from)), MinuteOf(telemetry.MilliOf(to))
	var sum Totals
	// Whole hours come from the columns, the hours at both ends minute by minute.
	wholeFrom, wholeTo := floorHour(first+59), floorHour(end)
	if wholeFrom >= wholeTo {
		return sum, l.addMinutes(ctx, &sum, sensor, first, end)
	}
	if err := l.addHours(ctx, &sum, sensor, wholeFrom, wholeTo); err != nil {
		return sum, err
	}
	if err := l.addMinutes(ctx, &sum, sensor, first, 60*wholeFrom); err != nil {
		return sum, err
	}
	return sum, l.addMinutes(ctx, &sum, sensor, 60*wholeTo, end)
}

func (l *Ledger) addHours(ctx context.Context, sum *Totals, sensor telemetry.SensorID, from, to int64) error {
	var t Totals
	err := l.db.QueryRowContext(ctx, `SELECT coalesce(sum(received), 0), coalesce(sum(duplicate), 0), coalesce(sum(late), 0),
		coalesce(sum(stamped), 0), coalesce(sum(accepted), 0), coalesce(sum(reports), 0), coalesce(sum(missing), 0), coalesce(sum(written), 0)
		FROM hours WHERE sensor = ? AND hour >= ? AND hour < ?`, string(sensor), from, to).
		Scan(&t.Received, &t.Duplicate, &t.Late, &t.Stamped, &t.Accepted, &t.Reports, &t.Missing, &t.Written)
	if err != nil {
		return fmt.Errorf("sum up the ledger of %q: %w", sensor, err)
	}
	rows, err := l.db.QueryContext(ctx, `SELECT reason, sum(n) FROM rejections WHERE sensor = ? AND hour >= ? AND hour < ? GROUP BY reason`,
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

func (l *Ledger) addMinutes(ctx context.Context, sum *Totals, sensor telemetry.SensorID, from, to int64) error {
	return l.eachMinute(ctx, sensor, from, to, func(m Minute) { sum.Add(m.Totals) })
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

// Minutes lists the minutes of one sensor that have anything to account for, oldest first.
func (l *Ledger) Minutes(ctx context.Context, sensor telemetry.SensorID, from, to time.Time) ([]Minute, error) {
	first, end := MinuteOf(telemetry.MilliOf(from)), MinuteOf(telemetry.MilliOf(to))
	if end-first > MaxMinutes {
		return nil, ErrRange
	}
	if err := l.Flush(ctx); err != nil {
		return nil, err
	}
	var minutes []Minute
	err := l.eachMinute(ctx, sensor, first, end, func(m Minute) { minutes = append(minutes, m) })
	return minutes, err
}

func (l *Ledger) eachMinute(ctx context.Context, sensor telemetry.SensorID, from, to int64, visit func(Minute)) error {
	if from >= to {
		return nil
	}
	rows, err := l.db.QueryContext(ctx, "SELECT hour, minutes FROM hours WHERE sensor = ? AND hour >= ? AND hour <= ? ORDER BY hour",
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
	first, end := floorHour(MinuteOf(telemetry.MilliOf(from))), floorHour(MinuteOf(telemetry.MilliOf(to))+59)
	rows, err := l.db.QueryContext(ctx, `SELECT sensor, hour, written, accepted FROM hours
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

// FirstHour is the oldest hour in which the sensor has anything to account for.
func (l *Ledger) FirstHour(ctx context.Context, sensor telemetry.SensorID) (at time.Time, ok bool, err error) {
	var number sql.NullInt64
	if err := l.db.QueryRowContext(ctx, "SELECT min(hour) FROM hours WHERE sensor = ?", string(sensor)).Scan(&number); err != nil {
		return at, false, fmt.Errorf("oldest hour of %q: %w", sensor, err)
	}
	return time.Unix(3600*number.Int64, 0).UTC(), number.Valid, nil
}

// Newest returns the newest accepted measured time of every sensor, as of the last flush.
func (l *Ledger) Newest(ctx context.Context) (map[telemetry.SensorID]telemetry.UnixMilli, error) {
	rows, err := l.db.QueryContext(ctx, "SELECT sensor, measured FROM newest")
	if err != nil {
		return nil, fmt.Errorf("read newest times: %w", err)
	}
	defer func() { _ = rows.Close() }()
	newest := make(map[telemetry.SensorID]telemetry.UnixMilli)
	for rows.Next() {
		var sensor telemetry.SensorID
		var measured telemetry.UnixMilli
		if err := rows.Scan(&sensor, &measured); err != nil {
			return nil, err
		}
		newest[sensor] = measured
	}
	return newest, rows.Err()
}

// Sequences returns the newest sequence number of every publisher, as of the last flush.
func (l *Ledger) Sequences(ctx context.Context) (map[telemetry.SensorID]uint64, error) {
	rows, err := l.db.QueryContext(ctx, "SELECT publisher, seq FROM sequences")
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
	err = l.db.QueryRowContext(ctx, "SELECT known FROM verdicts WHERE segment = ? AND offset = ?", int64(end.Segment), end.Offset).Scan(&known)
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

// Message is a quarantined message with one of its faults.
type Message struct {
	ID int64
	frame.Refused
}

// QuarantineFilter selects quarantined messages.
type QuarantineFilter struct {
	// Reason, if not ReasonNone, selects messages with such a fault.
	Reason telemetry.Reason
	// Sensor, if not "", selects messages with a fault of this sensor.
	Sensor telemetry.SensorID
	// Before, if not 0, selects messages with a smaller id.
	Before int64
	// Limit is how many to return at most.
	Limit int
}

// Quarantined lists messages, newest first, and how many match the filter without Before and Limit.
func (l *Ledger) Quarantined(ctx context.Context, filter QuarantineFilter) (messages []Message, total int64, err error) {
	if err := l.freshen(ctx); err != nil {
		return nil, 0, err
	}
	where := "WHERE (? = 0 OR EXISTS (SELECT 1 FROM faults WHERE message = id AND reason = ?)) AND (? = '' OR EXISTS (SELECT 1 FROM faults WHERE message = id AND (sensor = ? OR counted = ?)))"
	sensor := string(filter.Sensor)
	args := []any{int64(filter.Reason), int64(filter.Reason), sensor, sensor, sensor}
	if err := l.db.QueryRowContext(ctx, "SELECT count(*) FROM messages "+where, args...).Scan(&total); err != nil {
		return nil, 0, fmt.Errorf("count quarantined messages: %w", err)
	}
	args = append(args, filter.Before, filter.Before, filter.Limit)
	rows, err := l.db.QueryContext(ctx, "SELECT id, received, minute, topic, publisher, payload, size FROM messages "+where+" AND (? = 0 OR id < ?) ORDER BY id DESC LIMIT ?", args...)
	if err != nil {
		return nil, 0, fmt.Errorf("list quarantined messages: %w", err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var m Message
		if err := rows.Scan(&m.ID, &m.Received, &m.Minute, &m.Topic, &m.Publisher, &m.Payload, &m.SizeBytes); err != nil {
			return nil, 0, err
		}
		messages = append(messages, m)
	}
	if err := rows.Err(); err != nil {
		return nil, 0, err
	}
	for i := range messages {
		if messages[i].Faults, err = l.faults(ctx, messages[i].ID); err != nil {
			return nil, 0, err
		}
	}
	return messages, total, nil
}

func (l *Ledger) faults(ctx context.Context, id int64) ([]frame.Fault, error) {
	rows, err := l.db.QueryContext(ctx, "SELECT reason, counted, sensor, detail, readings FROM faults WHERE message = ? ORDER BY rowid", id)
	if err != nil {
		return nil, fmt.Errorf("list faults of message %d: %w", id, err)
	}
	defer func() { _ = rows.Close() }()
	var faults []frame.Fault
	for rows.Next() {
		var f frame.Fault
		if err := rows.Scan(&f.Reason, &f.Counted, &f.Sensor, &f.Detail, &f.Readings); err != nil {
			return nil, err
		}
		faults = append(faults, f)
	}
	return faults, rows.Err()
}

// QuarantineSize is how many messages are in quarantine, and how many were dropped from it for want of room.
func (l *Ledger) QuarantineSize(ctx context.Context) (messages, dropped int64, err error) {
	err = l.db.QueryRowContext(ctx, "SELECT (SELECT count(*) FROM messages), dropped FROM quarantine_totals").Scan(&messages, &dropped)
	if err != nil {
		return 0, 0, fmt.Errorf("size of the quarantine: %w", err)
	}
	return messages, dropped, nil
}
