package ledger

import (
	"cmp"
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

// allSensors is the sensor of the rows that sum up the city.
const allSensors telemetry.SensorID = "*"

// Flush writes what is pending in one transaction. If it cannot, what is pending stays pending.
func (l *Ledger) Flush(ctx context.Context) error {
	l.flushing.Lock()
	defer l.flushing.Unlock()
	if err := ctx.Err(); err != nil {
		return err // whoever asked has gone; nothing is wrong with the ledger
	}
	l.mu.Lock()
	taken := l.pending
	nothing := taken.empty() && taken.positions == l.onDisk && !l.fresh
	l.pending = newPending(taken.recorded, taken.settled)
	l.mu.Unlock()

	began := time.Now()
	var err error
	if !nothing {
		// Once begun it is not cancelled: the driver would start a goroutine for each statement to watch for it.
		err = l.write(context.WithoutCancel(ctx), &taken)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.pending.takeBack(&taken)
		if l.failed == nil {
			l.log.Error("ledger cannot be written, ingest will wait", "error", err)
		}
		l.failed = err
		return err
	}
	if l.failed != nil {
		l.log.Info("ledger can be written again")
		l.failed = nil
	}
	l.onDisk, l.flushed, l.fresh = taken.positions, time.Now(), false
	for sensor, at := range taken.newest() {
		l.newest[sensor] = max(l.newest[sensor], at)
	}
	l.metrics.flush.Observe(time.Since(began).Seconds())
	return nil
}

// takeBack puts what could not be written before what has come since.
func (p *pending) takeBack(taken *pending) {
	for k, s := range p.sums {
		at := taken.at(k.sensor, k.minute)
		at.Add(s.Totals)
		at.newest = max(at.newest, s.newest)
	}
	maps.Copy(taken.sequences, p.sequences)
	maps.Copy(taken.silences, p.silences)
	taken.refused = append(taken.refused, p.refused...)
	taken.released = append(taken.released, p.released...)
	taken.bytes += p.bytes
	taken.positions = p.positions
	*p = *taken
}

// write is one transaction.
func (l *Ledger) write(ctx context.Context, p *pending) error {
	tx, err := l.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin to write the ledger: %w", err)
	}
	defer func() { _ = tx.Rollback() }()

	released, err := release(ctx, tx, p.released)
	if err != nil {
		return fmt.Errorf("release from quarantine: %w", err)
	}
	if err := writeHours(ctx, tx, p.sums, released); err != nil {
		return fmt.Errorf("write %d sums of the ledger: %w", len(p.sums), err)
	}
	if err := writeNewest(ctx, tx, p); err != nil {
		return fmt.Errorf("write newest times: %w", err)
	}
	if err := writeSilences(ctx, tx, p.silences); err != nil {
		return fmt.Errorf("write silences of %d sensors: %w", len(p.silences), err)
	}
	dropped, err := quarantine(ctx, tx, p.refused, l.cfg.QuarantineBytes)
	if err != nil {
		return fmt.Errorf("quarantine %d messages: %w", len(p.refused), err)
	}
	for name, position := range map[string]spool.Position{"recorded": p.recorded, "settled": p.settled} {
		if _, err := tx.ExecContext(ctx, "INSERT OR REPLACE INTO positions VALUES (?, ?, ?)", name, int64(position.Segment), position.Offset); err != nil {
			return fmt.Errorf("write ledger's position: %w", err)
		}
	}
	if _, err := tx.ExecContext(ctx, "DELETE FROM verdicts WHERE (segment, offset) <= (?, ?)", int64(p.settled.Segment), p.settled.Offset); err != nil {
		return fmt.Errorf("forget verdicts: %w", err)
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit the ledger: %w", err)
	}
	l.mu.Lock()
	for _, s := range released {
		l.city.Add(s.Totals)
	}
	l.mu.Unlock()
	l.metrics.quarantined.Add(float64(len(p.refused)))
	l.metrics.dropped.Add(float64(dropped))
	return nil
}

// entry is what is to be added to a minute of a sensor, or of the city.
type entry struct {
	key
	*Totals
}

// inOrder lists sums, and with them the city's, in the order of the table, so that neighbours are met in one page.
func inOrder(all ...map[key]*sum) []entry {
	var entries []entry
	city := make(map[int64]*Totals)
	for _, sums := range all {
		for k, s := range sums {
			entries = append(entries, entry{k, &s.Totals})
			if city[k.minute] == nil {
				city[k.minute] = new(Totals)
				entries = append(entries, entry{key{allSensors, k.minute}, city[k.minute]})
			}
			city[k.minute].Add(s.Totals)
		}
	}
	slices.SortFunc(entries, func(a, b entry) int { return cmp.Or(cmp.Compare(a.sensor, b.sensor), cmp.Compare(a.minute, b.minute)) })
	return entries
}

// row returns how many of the entries go to the row of the first one, and that row's hour.
func row(entries []entry) (n int, number int64) {
	first := entries[0]
	number = floorHour(first.minute)
	for n < len(entries) && entries[n].sensor == first.sensor && floorHour(entries[n].minute) == number {
		n++
	}
	return n, number
}

// writeHours adds sums to the rows of their hours.
func writeHours(ctx context.Context, tx *sql.Tx, sums ...map[key]*sum) error {
	read, err := tx.PrepareContext(ctx, "SELECT minutes FROM hours WHERE sensor = ? AND hour = ?")
	if err != nil {
		return err
	}
	defer func() { _ = read.Close() }()
	put, err := tx.PrepareContext(ctx, "INSERT OR REPLACE INTO hours VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
	if err != nil {
		return err
	}
	defer func() { _ = put.Close() }()
	reject, err := tx.PrepareContext(ctx, `INSERT INTO rejections VALUES (?, ?, ?, ?)
		ON CONFLICT (sensor, hour, reason) DO UPDATE SET n = n + excluded.n`)
	if err != nil {
		return err
	}
	defer func() { _ = reject.Close() }()

	var blob []byte
	var minutes [60]Totals
	for entries := inOrder(sums...); len(entries) > 0; {
		n, number := row(entries)
		sensor := string(entries[0].sensor)
		clear(minutes[:])
		if err := readHour(ctx, read, sensor, number, &minutes); err != nil {
			return err
		}
		for _, e := range entries[:n] {
			minutes[e.minute-60*number].Add(*e.Totals)
			for reason, refused := range e.Rejected {
				if _, err := reject.ExecContext(ctx, sensor, number, int64(reason), refused); err != nil {
					return err
				}
			}
		}
		entries = entries[n:]
		var whole Totals
		blob = blob[:0]
		for i := range minutes {
			whole.Add(minutes[i])
			blob = minutes[i].encode(blob, byte(i))
		}
		if _, err := put.ExecContext(ctx, sensor, number, whole.Received, whole.Duplicate, whole.Late, whole.Stamped,
			whole.Accepted, whole.Reports, whole.Missing, whole.Written, notNil(blob)); err != nil {
			return err
		}
	}
	return nil
}

// floorHour turns minutes since 1970 into hours, also before 1970.
func floorHour(minute int64) int64 {
	if minute < 0 {
		return (minute - 59) / 60
	}
	return minute / 60
}

func readHour(ctx context.Context, read *sql.Stmt, sensor string, number int64, minutes *[60]Totals) error {
	var blob []byte
	err := read.QueryRowContext(ctx, sensor, number).Scan(&blob)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	return decode(blob, func(minute byte) *Totals { return &minutes[minute] })
}

func writeNewest(ctx context.Context, tx *sql.Tx, p *pending) error {
	put, err := tx.PrepareContext(ctx, `INSERT INTO newest VALUES (?, ?)
		ON CONFLICT (sensor) DO UPDATE SET measured = excluded.measured WHERE excluded.measured > measured`)
	if err != nil {
		return err
	}
	defer func() { _ = put.Close() }()
	for sensor, at := range p.newest() {
		if _, err := put.ExecContext(ctx, string(sensor), int64(at)); err != nil {
			return err
		}
	}
	number, err := tx.PrepareContext(ctx, "INSERT OR REPLACE INTO sequences VALUES (?, ?)")
	if err != nil {
		return err
	}
	defer func() { _ = number.Close() }()
	for publisher, seq := range p.sequences {
		if _, err := number.ExecContext(ctx, string(publisher), int64(seq)); err != nil {
			return err
		}
	}
	return nil
}

func writeSilences(ctx context.Context, tx *sql.Tx, all map[telemetry.SensorID][]frame.Silence) error {
	forget, err := tx.PrepareContext(ctx, "DELETE FROM silences WHERE sensor = ?")
	if err != nil {
		return err
	}
	defer func() { _ = forget.Close() }()
	put, err := tx.PrepareContext(ctx, "INSERT OR REPLACE INTO silences VALUES (?, ?, ?, ?, ?)")
	if err != nil {
		return err
	}
	defer func() { _ = put.Close() }()
	for sensor, open := range all {
		if _, err := forget.ExecContext(ctx, string(sensor)); err != nil {
			return err
		}
		for _, s := range open {
			if _, err := put.ExecContext(ctx, string(sensor), int64(s.From), int64(s.To), int64(s.End), s.Cadence.Milliseconds()); err != nil {
				return err
			}
		}
	}
	return nil
}

func notNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// MinuteOf returns the minute since 1970 that at lies in.
func MinuteOf(at telemetry.UnixMilli) int64 {
	if at < 0 {
		return (int64(at) - 59_999) / 60_000
	}
	return int64(at) / 60_000
}
