package registry

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/lamppost-city/lamppost/telemetry"
)

// Kind is what kind of thing something registered is.
type Kind string

// The kinds.
const (
	KindSensor    Kind = "sensor"
	KindSite      Kind = "site"
	KindDistrict  Kind = "district"
	KindPublisher Kind = "publisher"
	KindPlan      Kind = "plan"
)

// Action is what was done to something registered.
type Action string

// The actions.
const (
	ActionCreate Action = "create"
	ActionUpdate Action = "update"
	ActionDelete Action = "delete"
)

// AuditEntry is one change of one thing.
type AuditEntry struct {
	// Version is that of the Snapshot which the change led to. What one Import changed has the same version.
	Version int64
	// At is in UTC, in milliseconds, by the clock of the process that made the change.
	At     time.Time
	Actor  Actor
	Action Action
	Kind   Kind
	// Subject is the id of what changed; "plan" for the street plan.
	Subject string
	// Fields names what an update changed, by the API's names.
	Fields []string
}

// AuditFilter chooses entries of the audit. The zero AuditFilter chooses all.
type AuditFilter struct {
	// Kind, Subject and Actor must be equal where they are given.
	Kind    Kind
	Subject string
	Actor   Actor
	// From (included) and To (not included) bound At where they are given.
	From, To time.Time
	Page     Page
}

// Audit returns one page of the entries that the filter chooses, newest first, and how many there are on all pages.
func (r *Registry) Audit(ctx context.Context, f AuditFilter) (entries []AuditEntry, total int, err error) {
	where, args := f.where()
	tx, err := r.file.readers.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, 0, fmt.Errorf("read the audit: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // nothing was written
	if err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM audit`+where, args...).Scan(&total); err != nil {
		return nil, 0, fmt.Errorf("count the audit's entries: %w", err)
	}
	from, to := f.Page.cut(total)
	query := fmt.Sprintf(`SELECT version, at, actor, action, kind, subject, fields FROM audit%s
		ORDER BY version DESC, line DESC LIMIT %d OFFSET %d`, where, to-from, from)
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, 0, fmt.Errorf("read the audit: %w", err)
	}
	entries, err = collect(rows, scanAudit)
	if err != nil {
		return nil, 0, fmt.Errorf("read the audit: %w", err)
	}
	return entries, total, nil
}

// pruneVersions is how many versions are taken from the audit in one transaction, so that changes need not wait long.
const pruneVersions = 1000

// prune takes from the audit what is older than Config.AuditAge. It begins with the first version and stops at one that
// is not so old, so that load can tell from the first entry that is left whether it has seen all.
func (r *Registry) prune(ctx context.Context) {
	if r.cfg.AuditAge == 0 {
		return
	}
	oldest := int64(telemetry.MilliOf(time.Now().Add(-r.cfg.AuditAge)))
	for removed := int64(0); ; {
		n, err := r.pruneSome(ctx, oldest)
		removed += n
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			r.log.WarnContext(ctx, "old entries of the audit not removed, trying again in an hour", "error", err)
			return
		case n == 0:
			if removed > 0 {
				r.log.InfoContext(ctx, "old entries of the audit removed", "entries", removed, "older_than", r.cfg.AuditAge.String())
			}
			return
		}
	}
}

func (r *Registry) pruneSome(ctx context.Context, oldest int64) (removed int64, err error) {
	const statement = `DELETE FROM audit WHERE version < COALESCE(
			(SELECT version FROM audit WHERE at >= $1 ORDER BY version LIMIT 1),
			(SELECT MAX(version) + 1 FROM audit))
		AND version < (SELECT MIN(version) FROM audit) + $2`
	done, err := r.file.writer.ExecContext(ctx, statement, oldest, pruneVersions)
	if err != nil {
		return 0, err
	}
	return done.RowsAffected()
}

func scanAudit(scan scanner) (a AuditEntry, err error) {
	var at int64
	var fields string
	err = scan(&a.Version, &at, &a.Actor, &a.Action, &a.Kind, &a.Subject, &fields)
	a.At = telemetry.UnixMilli(at).Time()
	a.Fields = strings.Fields(fields)
	return a, err
}

// where returns the condition in SQL and its arguments.
func (f AuditFilter) where() (condition string, args []any) {
	var terms []string
	add := func(term string, arg any) {
		args = append(args, arg)
		terms = append(terms, fmt.Sprintf("%s $%d", term, len(args)))
	}
	if f.Kind != "" {
		add("kind =", string(f.Kind))
	}
	if f.Subject != "" {
		add("subject =", f.Subject)
	}
	if f.Actor != "" {
		add("actor =", string(f.Actor))
	}
	if !f.From.IsZero() {
		add("at >=", f.From.UnixMilli())
	}
	if !f.To.IsZero() {
		add("at <", f.To.UnixMilli())
	}
	if len(terms) == 0 {
		return "", nil
	}
	return " WHERE " + strings.Join(terms, " AND "), args
}
