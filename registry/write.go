package registry

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/lamppost-city/lamppost/telemetry"
)

// Actor is who makes a change, for the audit: a person's name, "api token", "lamppost sensors import". One line, up to
// 128 bytes, not empty.
type Actor string

// maxActorLength is the size of the audit's column.
const maxActorLength = 128

func (a Actor) check() error {
	if a == "" || len(a) > maxActorLength || !utf8.ValidString(string(a)) || strings.ContainsFunc(string(a), breaksLine) {
		return &InvalidError{Subject: "change", Fields: []FieldError{{
			Field: "actor", Message: fmt.Sprintf("%.80q is not one line of 1 to %d bytes", string(a), maxActorLength),
		}}}
	}
	return nil
}

// Outcome says what a Put did.
type Outcome string

// The outcomes.
const (
	Created   Outcome = "created"
	Updated   Outcome = "updated"
	Unchanged Outcome = "unchanged"
)

// edit is a transaction that changes the registry.
type edit struct {
	tx *sql.Tx
	// before is the state that the transaction found; nobody else can change it meanwhile.
	before  *Snapshot
	at      telemetry.UnixMilli
	entries []AuditEntry
	// prepared are the statements used so far.
	prepared map[string]*sql.Stmt
}

// change runs a function that edits the registry. All of its changes are on disk and in the Snapshot when change returns
// nil, none when it returns an error. A function that notes no change leaves the version as it is.
func (r *Registry) change(ctx context.Context, by Actor, do func(*edit) error) error {
	if err := by.check(); err != nil {
		return err
	}
	tx, err := r.file.writer.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin a change of the registry: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it does nothing
	before, err := load(ctx, tx, r.Snapshot())
	if err != nil {
		return err
	}
	e := &edit{tx: tx, before: before, at: telemetry.MilliOf(time.Now()), prepared: make(map[string]*sql.Stmt)}
	if err := do(e); err != nil {
		return err
	}
	if len(e.entries) == 0 {
		return nil
	}
	if err := e.record(ctx, by); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit a change of the registry: %w", err)
	}
	// The change is made, whatever becomes of the caller: its own process must see it at once.
	if _, err := r.refresh(context.WithoutCancel(ctx)); err != nil {
		r.log.WarnContext(ctx, "registry changed but cannot be read, the snapshot follows later", "error", err)
	}
	return nil
}

// exec runs a statement that is likely to be run again in this transaction, which closes it.
func (e *edit) exec(ctx context.Context, query string, args ...any) error {
	stmt, ok := e.prepared[query]
	if !ok {
		var err error
		if stmt, err = e.tx.PrepareContext(ctx, query); err != nil {
			return err
		}
		e.prepared[query] = stmt
	}
	_, err := stmt.ExecContext(ctx, args...)
	return err
}

// note remembers a change for the audit.
func (e *edit) note(action Action, kind Kind, id string, fields ...string) {
	e.entries = append(e.entries, AuditEntry{Action: action, Kind: kind, Subject: id, Fields: fields})
}

// record writes the version and the audit.
func (e *edit) record(ctx context.Context, by Actor) error {
	version := e.before.Version + 1
	if err := e.exec(ctx, `UPDATE revision SET version = $1 WHERE id = 1`, version); err != nil {
		return fmt.Errorf("write the registry's version: %w", err)
	}
	const insert = `INSERT INTO audit (version, line, at, actor, action, kind, subject, fields)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`
	for i, a := range e.entries {
		if err := e.exec(ctx, insert, version, i, int64(e.at), string(by), string(a.Action), string(a.Kind), a.Subject,
			strings.Join(a.Fields, " ")); err != nil {
			return fmt.Errorf("write the audit: %w", err)
		}
	}
	return nil
}

// PutSensor registers a sensor or changes it. The errors are *InvalidError, or from the file.
func (r *Registry) PutSensor(ctx context.Context, by Actor, s Sensor) (done Outcome, err error) {
	s = s.normal()
	f := s.check()
	err = r.change(ctx, by, func(e *edit) error {
		if _, ok := e.before.Site(s.Site); s.Site != "" && !ok {
			f.add("site", "no site %.80q is registered; register it first", s.Site)
		}
		_, exists := e.before.Sensor(s.ID)
		if !exists && len(e.before.sensors) >= r.cfg.MaxSensors {
			f.add("id", "%d sensors are registered, as many as max_sensors allows", len(e.before.sensors))
		}
		if err := invalid(KindSensor, string(s.ID), f); err != nil {
			return err
		}
		done, err = e.putSensor(ctx, &s)
		return err
	})
	return done, err
}

// putSensor expects a valid sensor.
func (e *edit) putSensor(ctx context.Context, s *Sensor) (Outcome, error) {
	old, exists := e.before.Sensor(s.ID)
	if exists && old.same(s) {
		return Unchanged, nil
	}
	const upsert = `INSERT INTO sensors (id, title, site, publisher, quantities, cadence_ms, created_at, updated_at)
		VALUES ($1, $2, NULLIF($3, ''), NULLIF($4, ''), $5, $6, $7, $7)
		ON CONFLICT (id) DO UPDATE SET title = excluded.title, site = excluded.site, publisher = excluded.publisher,
			quantities = excluded.quantities, cadence_ms = excluded.cadence_ms, updated_at = excluded.updated_at`
	if err := e.exec(ctx, upsert, string(s.ID), s.Title, s.Site, string(s.Publisher), strings.Join(s.Quantities, " "),
		s.Cadence.Milliseconds(), int64(e.at)); err != nil {
		return "", fmt.Errorf("write sensor %s: %w", s.ID, err)
	}
	if !exists {
		e.note(ActionCreate, KindSensor, string(s.ID))
		return Created, nil
	}
	e.note(ActionUpdate, KindSensor, string(s.ID), differing(
		field{"title", old.Title != s.Title},
		field{"site", old.Site != s.Site},
		field{"publisher", old.Publisher != s.Publisher},
		field{"quantities", strings.Join(old.Quantities, " ") != strings.Join(s.Quantities, " ")},
		field{"cadence_s", old.Cadence != s.Cadence},
	)...)
	return Updated, nil
}

// DeleteSensor forgets a sensor. Its readings stay in the store; new ones go to quarantine as unregistered.
func (r *Registry) DeleteSensor(ctx context.Context, by Actor, id telemetry.SensorID) error {
	return r.change(ctx, by, func(e *edit) error {
		if _, ok := e.before.Sensor(id); !ok {
			return notFound(KindSensor, string(id))
		}
		if err := e.exec(ctx, `DELETE FROM sensors WHERE id = $1`, string(id)); err != nil {
			return fmt.Errorf("delete sensor %s: %w", id, err)
		}
		e.note(ActionDelete, KindSensor, string(id))
		return nil
	})
}

// PutSite registers a site or changes it. The errors are *InvalidError, or from the file.
func (r *Registry) PutSite(ctx context.Context, by Actor, s Site) (done Outcome, err error) {
	s = s.normal()
	f := s.check()
	err = r.change(ctx, by, func(e *edit) error {
		if _, ok := e.before.District(s.District); s.District != "" && !ok {
			f.add("district", "no district %.80q is registered; register it first", s.District)
		}
		if err := invalid(KindSite, s.ID, f); err != nil {
			return err
		}
		done, err = e.putSite(ctx, &s)
		return err
	})
	return done, err
}

// putSite expects a valid site.
func (e *edit) putSite(ctx context.Context, s *Site) (Outcome, error) {
	old, exists := e.before.Site(s.ID)
	if exists && *old == *s {
		return Unchanged, nil
	}
	const upsert = `INSERT INTO sites (id, title, district, lon, lat) VALUES ($1, $2, NULLIF($3, ''), $4, $5)
		ON CONFLICT (id) DO UPDATE SET title = excluded.title, district = excluded.district, lon = excluded.lon,
			lat = excluded.lat`
	if err := e.exec(ctx, upsert, s.ID, s.Title, s.District, s.Lon, s.Lat); err != nil {
		return "", fmt.Errorf("write site %s: %w", s.ID, err)
	}
	if !exists {
		e.note(ActionCreate, KindSite, s.ID)
		return Created, nil
	}
	e.note(ActionUpdate, KindSite, s.ID, differing(
		field{"title", old.Title != s.Title},
		field{"district", old.District != s.District},
		field{"lon", old.Lon != s.Lon},
		field{"lat", old.Lat != s.Lat},
	)...)
	return Updated, nil
}

// DeleteSite forgets a site. Where sensors stand there the error is an *InvalidError that names some of them.
func (r *Registry) DeleteSite(ctx context.Context, by Actor, id string) error {
	return r.change(ctx, by, func(e *edit) error {
		if _, ok := e.before.Site(id); !ok {
			return notFound(KindSite, id)
		}
		var there []string
		for _, s := range e.before.SensorsAt(id) {
			there = append(there, string(s.ID))
		}
		if len(there) > 0 {
			return inUse(KindSite, id, "sensors stand there", there)
		}
		if err := e.exec(ctx, `DELETE FROM sites WHERE id = $1`, id); err != nil {
			return fmt.Errorf("delete site %s: %w", id, err)
		}
		e.note(ActionDelete, KindSite, id)
		return nil
	})
}

// DeleteDistrict forgets a district. Where sites lie in it the error is an *InvalidError that names some of them.
func (r *Registry) DeleteDistrict(ctx context.Context, by Actor, id string) error {
	return r.change(ctx, by, func(e *edit) error {
		if _, ok := e.before.District(id); !ok {
			return notFound(KindDistrict, id)
		}
		var inside []string
		for _, s := range e.before.Sites() {
			if s.District == id {
				inside = append(inside, s.ID)
			}
		}
		if len(inside) > 0 {
			return inUse(KindDistrict, id, "sites lie in it", inside)
		}
		if err := e.exec(ctx, `DELETE FROM districts WHERE id = $1`, id); err != nil {
			return fmt.Errorf("delete district %s: %w", id, err)
		}
		e.note(ActionDelete, KindDistrict, id)
		return nil
	})
}

// inUse is the refusal to delete what others name.
func inUse(kind Kind, id, how string, users []string) error {
	const shown = 5
	names := strings.Join(users[:min(len(users), shown)], ", ")
	if len(users) > shown {
		names += ", ..."
	}
	return invalid(kind, id, []FieldError{{
		Field: "id", Message: fmt.Sprintf("%d %s (%s); move or delete them first", len(users), how, names),
	}})
}

// PutDistrict registers a district or changes it. The errors are *InvalidError, or from the file.
func (r *Registry) PutDistrict(ctx context.Context, by Actor, d District) (done Outcome, err error) {
	d = d.normal()
	if err := invalid(KindDistrict, d.ID, d.check()); err != nil {
		return "", err
	}
	err = r.change(ctx, by, func(e *edit) error {
		done, err = e.putDistrict(ctx, &d)
		return err
	})
	return done, err
}

// putDistrict expects a valid district.
func (e *edit) putDistrict(ctx context.Context, d *District) (Outcome, error) {
	old, exists := e.before.District(d.ID)
	if exists && *old == *d {
		return Unchanged, nil
	}
	const upsert = `INSERT INTO districts (id, title) VALUES ($1, $2)
		ON CONFLICT (id) DO UPDATE SET title = excluded.title`
	if err := e.exec(ctx, upsert, d.ID, d.Title); err != nil {
		return "", fmt.Errorf("write district %s: %w", d.ID, err)
	}
	if !exists {
		e.note(ActionCreate, KindDistrict, d.ID)
		return Created, nil
	}
	e.note(ActionUpdate, KindDistrict, d.ID, "title")
	return Updated, nil
}

type field struct {
	name    string
	differs bool
}

func differing(fields ...field) (names []string) {
	for _, f := range fields {
		if f.differs {
			names = append(names, f.name)
		}
	}
	return names
}
