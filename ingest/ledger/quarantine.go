package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/lamppost-city/lamppost/ingest/frame"
	"github.com/lamppost-city/lamppost/spool"
	"github.com/lamppost-city/lamppost/telemetry"
)

// What a quarantined message costs beside its payload and topic, in memory and on disk. Without it a flood of empty
// messages would have no bound.
const (
	messageOverhead = 256
	faultOverhead   = 256
)

func cost(r *frame.Refused) int64 {
	return int64(len(r.Payload) + len(r.Topic) + messageOverhead + faultOverhead*len(r.Faults))
}

// costOf is cost of a message in the database.
const costOf = `SELECT coalesce(sum(length(payload) + length(CAST(topic AS BLOB)) + ? + ? * (SELECT count(*) FROM faults WHERE message = id)), 0)
	FROM messages WHERE id = ?`

// Quarantines tells whether a message is still in quarantine, and not on its way out of it.
func (l *Ledger) Quarantines(ctx context.Context, id int64) (bool, error) {
	l.flushing.Lock()
	defer l.flushing.Unlock()
	l.mu.Lock()
	leaving := slices.Contains(l.pending.released, id)
	l.mu.Unlock()
	if leaving {
		return false, nil
	}
	var found bool
	if err := l.reading.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM messages WHERE id = ?)", id).Scan(&found); err != nil {
		return false, fmt.Errorf("look for message %d in quarantine: %w", id, err)
	}
	return found, nil
}

// Message is a quarantined message.
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
	err = l.view(ctx, func(tx *sql.Tx) error {
		messages, total, err = filter.list(ctx, tx)
		return err
	})
	return messages, total, err
}

func (f QuarantineFilter) list(ctx context.Context, tx *sql.Tx) (messages []Message, total int64, err error) {
	where := "WHERE (? = 0 OR EXISTS (SELECT 1 FROM faults WHERE message = id AND reason = ?)) AND (? = '' OR EXISTS (SELECT 1 FROM faults WHERE message = id AND (sensor = ? OR counted = ?)))"
	sensor := string(f.Sensor)
	args := []any{int64(f.Reason), int64(f.Reason), sensor, sensor, sensor}
	if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM messages "+where, args...).Scan(&total); err != nil {
		return nil, 0, fmt.Errorf("count quarantined messages: %w", err)
	}
	args = append(args, f.Before, f.Before, f.Limit)
	rows, err := tx.QueryContext(ctx, "SELECT id, received, minute, topic, publisher, payload, size FROM messages "+where+" AND (? = 0 OR id < ?) ORDER BY id DESC LIMIT ?", args...)
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
		if messages[i].Faults, err = faultsOf(ctx, tx, messages[i].ID); err != nil {
			return nil, 0, err
		}
	}
	return messages, total, nil
}

func faultsOf(ctx context.Context, tx *sql.Tx, id int64) ([]frame.Fault, error) {
	rows, err := tx.QueryContext(ctx, "SELECT reason, counted, sensor, detail, readings FROM faults WHERE message = ? ORDER BY rowid", id)
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
	err = l.reading.QueryRowContext(ctx, "SELECT (SELECT count(*) FROM messages), dropped FROM quarantine_totals").Scan(&messages, &dropped)
	if err != nil {
		return 0, 0, fmt.Errorf("size of the quarantine: %w", err)
	}
	return messages, dropped, nil
}

// release takes messages out of quarantine that are on their way through ingest again, and returns the sums that take
// back what they were counted for.
func release(ctx context.Context, tx *sql.Tx, ids []int64) (map[key]*sum, error) {
	back := newPending(spool.Position{}, spool.Position{})
	for _, id := range ids {
		if err := uncount(ctx, tx, id, &back); err != nil {
			return nil, err
		}
		if err := forget(ctx, tx, id); err != nil {
			return nil, err
		}
	}
	return back.sums, nil
}

func uncount(ctx context.Context, tx *sql.Tx, id int64, back *pending) error {
	rows, err := tx.QueryContext(ctx, "SELECT minute, reason, counted, readings FROM messages JOIN faults ON message = id WHERE id = ?", id)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var minute, readings int64
		var reason telemetry.Reason
		var counted telemetry.SensorID
		if err := rows.Scan(&minute, &reason, &counted, &readings); err != nil {
			return err
		}
		t := back.at(counted, minute)
		t.Received -= readings
		t.reject(reason, -readings)
	}
	return rows.Err()
}

// forget deletes a message from quarantine.
func forget(ctx context.Context, tx *sql.Tx, id int64) error {
	if _, err := tx.ExecContext(ctx, "UPDATE quarantine_totals SET bytes = bytes - ("+costOf+")", messageOverhead, faultOverhead, id); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, "DELETE FROM messages WHERE id = ?", id)
	return err
}

// quarantine adds messages, and drops the oldest where there are too many. It returns how many it dropped.
func quarantine(ctx context.Context, tx *sql.Tx, refused []frame.Refused, maxBytes int64) (dropped int64, err error) {
	if len(refused) == 0 {
		return 0, nil
	}
	message, err := tx.PrepareContext(ctx, "INSERT INTO messages (received, minute, topic, publisher, payload, size) VALUES (?, ?, ?, ?, ?, ?)")
	if err != nil {
		return 0, err
	}
	defer func() { _ = message.Close() }()
	fault, err := tx.PrepareContext(ctx, "INSERT INTO faults VALUES (?, ?, ?, ?, ?, ?)")
	if err != nil {
		return 0, err
	}
	defer func() { _ = fault.Close() }()
	bytes := int64(0)
	for i := range refused {
		r := &refused[i]
		result, err := message.ExecContext(ctx, int64(r.Received), r.Minute, r.Topic, string(r.Publisher), notNil(r.Payload), r.SizeBytes)
		if err != nil {
			return 0, err
		}
		id, err := result.LastInsertId()
		if err != nil {
			return 0, err
		}
		for _, f := range r.Faults {
			if _, err := fault.ExecContext(ctx, id, int64(f.Reason), string(f.Counted), string(f.Sensor), f.Detail, f.Readings); err != nil {
				return 0, err
			}
		}
		bytes += cost(r)
	}
	if _, err := tx.ExecContext(ctx, "UPDATE quarantine_totals SET bytes = bytes + ?", bytes); err != nil {
		return 0, err
	}
	return dropOldest(ctx, tx, maxBytes)
}

func dropOldest(ctx context.Context, tx *sql.Tx, maxBytes int64) (dropped int64, err error) {
	for {
		var id int64
		err := tx.QueryRowContext(ctx, "SELECT id FROM messages WHERE (SELECT bytes FROM quarantine_totals) > ? ORDER BY id LIMIT 1", maxBytes).Scan(&id)
		if errors.Is(err, sql.ErrNoRows) {
			break
		}
		if err != nil {
			return 0, err
		}
		if err := forget(ctx, tx, id); err != nil {
			return 0, err
		}
		dropped++
	}
	if dropped > 0 {
		_, err = tx.ExecContext(ctx, "UPDATE quarantine_totals SET dropped = dropped + ?", dropped)
	}
	return dropped, err
}
