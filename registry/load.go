package registry

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/lamppost-city/lamppost/telemetry"
)

// patchLimit is how many changed things are read one by one. To look one up costs as much as to read some fifteen in a
// row, so that beyond it reading all is as fast in a town, and in a city of 100,000 sensors no patch takes longer than that.
const patchLimit = 500

// emptySnapshot is before every version, so that the first look finds it out of date.
func emptySnapshot() *Snapshot { return (&Snapshot{}).with(-1, newContent()) }

// load returns old if its version is the file's, otherwise the snapshot of the file's version.
func load(ctx context.Context, tx *sql.Tx, old *Snapshot) (*Snapshot, error) {
	version, err := readVersion(ctx, tx)
	if err != nil {
		return nil, err
	}
	if version == old.Version {
		return old, nil
	}
	if version > old.Version && old.Version >= 0 {
		subjects, err := subjectsSince(ctx, tx, old.Version)
		if err != nil {
			return nil, err
		}
		if 0 < len(subjects) && len(subjects) <= patchLimit {
			changed, err := loadSubjects(ctx, tx, subjects)
			if err != nil {
				return nil, err
			}
			return old.with(version, changed), nil
		}
	}
	all, err := loadAll(ctx, tx)
	if err != nil {
		return nil, err
	}
	return (&Snapshot{}).with(version, all), nil
}

func readVersion(ctx context.Context, tx *sql.Tx) (version int64, err error) {
	if err := tx.QueryRowContext(ctx, `SELECT version FROM revision WHERE id = 1`).Scan(&version); err != nil {
		return 0, fmt.Errorf("read the registry's version: %w", err)
	}
	return version, nil
}

// subject is something registered.
type subject struct {
	kind Kind
	id   string
}

// subjectsSince returns what changed after a version, or more than patchLimit of it; nothing where the audit does not
// reach back so far.
func subjectsSince(ctx context.Context, tx *sql.Tx, version int64) ([]subject, error) {
	var next sql.NullInt64
	if err := tx.QueryRowContext(ctx, `SELECT MIN(version) FROM audit WHERE version > $1`, version).Scan(&next); err != nil {
		return nil, fmt.Errorf("read what changed since version %d: %w", version, err)
	}
	if next.Int64 != version+1 {
		return nil, nil
	}
	rows, err := tx.QueryContext(ctx,
		`SELECT DISTINCT kind, subject FROM audit WHERE version > $1 LIMIT $2`, version, patchLimit+1)
	if err != nil {
		return nil, fmt.Errorf("read what changed since version %d: %w", version, err)
	}
	return collect(rows, func(scan scanner) (s subject, err error) {
		err = scan(&s.kind, &s.id)
		return s, err
	})
}

func loadSubjects(ctx context.Context, tx *sql.Tx, subjects []subject) (content, error) {
	c := newContent()
	for _, s := range subjects {
		var err error
		switch s.kind {
		case KindSensor:
			c.sensors[telemetry.SensorID(s.id)], err = loadOne(ctx, tx, selectSensors, s.id, sensorScanner())
		case KindSite:
			c.sites[s.id], err = loadOne(ctx, tx, selectSites, s.id, scanSite)
		case KindDistrict:
			c.districts[s.id], err = loadOne(ctx, tx, selectDistricts, s.id, scanDistrict)
		case KindPublisher:
			c.publishers[telemetry.SensorID(s.id)], err = loadOne(ctx, tx, selectPublishers, s.id, scanPublisher)
		case KindPlan: // not part of a snapshot
		}
		if err != nil {
			return content{}, fmt.Errorf("read %s %q: %w", s.kind, s.id, err)
		}
	}
	return c, nil
}

func loadAll(ctx context.Context, tx *sql.Tx) (c content, err error) {
	if c.districts, err = loadTable(ctx, tx, selectDistricts, scanDistrict); err != nil {
		return c, fmt.Errorf("read the districts: %w", err)
	}
	if c.sites, err = loadTable(ctx, tx, selectSites, scanSite); err != nil {
		return c, fmt.Errorf("read the sites: %w", err)
	}
	if c.sensors, err = loadTable(ctx, tx, selectSensors, sensorScanner()); err != nil {
		return c, fmt.Errorf("read the sensors: %w", err)
	}
	if c.publishers, err = loadTable(ctx, tx, selectPublishers, scanPublisher); err != nil {
		return c, fmt.Errorf("read the publishers: %w", err)
	}
	return c, nil
}

const (
	selectSensors = `SELECT id, title, COALESCE(site, ''), COALESCE(publisher, ''), quantities, cadence_ms,
		created_at, updated_at FROM sensors`
	selectSites      = `SELECT id, title, COALESCE(district, ''), lon, lat FROM sites`
	selectDistricts  = `SELECT id, title FROM districts`
	selectPublishers = `SELECT id, password_hash, may_publish_all, created_at FROM publishers`
)

// scanner reads the columns of one row.
type scanner func(columns ...any) error

// sensorScanner returns a function that reads one sensor. Sensors with the same quantities share one slice: a city has
// many sensors and few kinds of them.
func sensorScanner() func(scanner) (telemetry.SensorID, *Sensor, error) {
	shared := make(map[string][]string)
	return func(scan scanner) (telemetry.SensorID, *Sensor, error) {
		var s Sensor
		var quantities string
		var cadence, created, updated int64
		err := scan(&s.ID, &s.Title, &s.Site, &s.Publisher, &quantities, &cadence, &created, &updated)
		if _, known := shared[quantities]; !known {
			shared[quantities] = strings.Fields(quantities)
		}
		s.Quantities = shared[quantities]
		s.Cadence = time.Duration(cadence) * time.Millisecond
		s.CreatedAt = telemetry.UnixMilli(created).Time()
		s.UpdatedAt = telemetry.UnixMilli(updated).Time()
		return s.ID, &s, err
	}
}

func scanSite(scan scanner) (string, *Site, error) {
	var s Site
	err := scan(&s.ID, &s.Title, &s.District, &s.Lon, &s.Lat)
	return s.ID, &s, err
}

func scanDistrict(scan scanner) (string, *District, error) {
	var d District
	err := scan(&d.ID, &d.Title)
	return d.ID, &d, err
}

func scanPublisher(scan scanner) (telemetry.SensorID, *publisher, error) {
	var p publisher
	var created int64
	err := scan(&p.ID, &p.hash, &p.MayPublishAll, &created)
	p.CreatedAt = telemetry.UnixMilli(created).Time()
	return p.ID, &p, err
}

func loadTable[K comparable, T any](
	ctx context.Context, tx *sql.Tx, query string, read func(scanner) (K, *T, error),
) (map[K]*T, error) {
	rows, err := tx.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	table := make(map[K]*T)
	_, err = collect(rows, func(scan scanner) (struct{}, error) {
		id, x, err := read(scan)
		table[id] = x
		return struct{}{}, err
	})
	return table, err
}

// loadOne returns nil where there is no such row.
func loadOne[K comparable, T any](
	ctx context.Context, tx *sql.Tx, query, id string, read func(scanner) (K, *T, error),
) (*T, error) {
	rows, err := tx.QueryContext(ctx, query+` WHERE id = $1`, id)
	if err != nil {
		return nil, err
	}
	found, err := collect(rows, func(scan scanner) (*T, error) {
		_, x, err := read(scan)
		return x, err
	})
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return found[0], nil
}

// collect reads all rows and closes them.
func collect[T any](rows *sql.Rows, read func(scanner) (T, error)) (all []T, err error) {
	defer rows.Close()
	for rows.Next() {
		x, err := read(rows.Scan)
		if err != nil {
			return nil, err
		}
		all = append(all, x)
	}
	return all, rows.Err()
}
