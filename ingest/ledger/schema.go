package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"

	_ "modernc.org/sqlite" // the database driver
)

// schemas are what each version adds to the one before. How many a database has is kept in its user_version.
var schemas = [...]string{schema, schemaOfSilences, schemaWithoutNumbered}

const schema = `
CREATE TABLE positions (
	name    TEXT PRIMARY KEY,
	segment INTEGER NOT NULL,
	offset  INTEGER NOT NULL
);
CREATE TABLE hours (
	sensor    TEXT NOT NULL,    -- '*' sums up all sensors, '' is what no sensor can be named for
	hour      INTEGER NOT NULL, -- hours since 1970
	received  INTEGER NOT NULL,
	duplicate INTEGER NOT NULL,
	late      INTEGER NOT NULL,
	stamped   INTEGER NOT NULL,
	accepted  INTEGER NOT NULL,
	reports   INTEGER NOT NULL,
	missing   INTEGER NOT NULL,
	written   INTEGER NOT NULL,
	minutes   BLOB NOT NULL,    -- see minutes.go
	PRIMARY KEY (sensor, hour)
) WITHOUT ROWID;
CREATE TABLE rejections (
	sensor TEXT NOT NULL,
	hour   INTEGER NOT NULL,
	reason INTEGER NOT NULL,
	n      INTEGER NOT NULL,
	PRIMARY KEY (sensor, hour, reason)
) WITHOUT ROWID;
CREATE TABLE newest (
	sensor   TEXT PRIMARY KEY,
	measured INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE sequences (
	publisher TEXT PRIMARY KEY,
	seq       INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE verdicts (
	segment INTEGER NOT NULL,
	offset  INTEGER NOT NULL,
	known   BLOB NOT NULL,
	PRIMARY KEY (segment, offset)
) WITHOUT ROWID;
CREATE TABLE messages (
	id        INTEGER PRIMARY KEY AUTOINCREMENT,
	received  INTEGER NOT NULL,
	minute    INTEGER NOT NULL, -- of the hours that count its readings
	topic     TEXT NOT NULL,
	publisher TEXT NOT NULL,
	payload   BLOB NOT NULL,
	size      INTEGER NOT NULL
);
CREATE TABLE faults (
	message  INTEGER NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
	reason   INTEGER NOT NULL,
	counted  TEXT NOT NULL,
	sensor   TEXT NOT NULL,
	detail   TEXT NOT NULL,
	readings INTEGER NOT NULL
);
CREATE INDEX faults_message ON faults (message);
CREATE INDEX faults_reason ON faults (reason, message);
CREATE TABLE quarantine_totals (
	one     INTEGER PRIMARY KEY CHECK (one = 1),
	bytes   INTEGER NOT NULL,
	dropped INTEGER NOT NULL
);
INSERT INTO quarantine_totals VALUES (1, 0, 0);
`

const schemaOfSilences = `
ALTER TABLE newest ADD COLUMN numbered INTEGER NOT NULL DEFAULT 1;
CREATE TABLE silences (           -- frame.Silence, in milliseconds
	sensor  TEXT NOT NULL,
	since   INTEGER NOT NULL,
	until   INTEGER NOT NULL,
	ended   INTEGER NOT NULL,
	cadence INTEGER NOT NULL,
	PRIMARY KEY (sensor, since)
) WITHOUT ROWID;
`

// What a sensor owes does not depend on whether it numbers its messages.
const schemaWithoutNumbered = `ALTER TABLE newest DROP COLUMN numbered;`

// readers is how many questions are answered at the same time.
const readers = 4

// openDatabase opens or makes the SQLite file twice: once for the one writer, and once for questions, which must not
// keep the writer, and with it the line, waiting for a connection.
func openDatabase(ctx context.Context, path string) (writing, reading *sql.DB, err error) {
	if err := makePrivate(path); err != nil {
		return nil, nil, fmt.Errorf("ledger %s: %w", path, err)
	}
	// A full synchronisation at each commit is what lets the spool forget what the ledger has taken.
	writing, err = openPool(path, 1, "journal_mode(WAL)", "foreign_keys(1)", "synchronous(FULL)")
	if err == nil {
		err = migrate(ctx, writing)
	}
	if err == nil {
		reading, err = openPool(path, readers, "query_only(1)")
	}
	if err != nil {
		if writing != nil {
			_ = writing.Close()
		}
		return nil, nil, fmt.Errorf("ledger %s: %w", path, err)
	}
	return writing, reading, nil
}

// makePrivate makes the file where there is none, and lets only its owner read it. SQLite gives the files beside it the same mode.
func makePrivate(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(f.Chmod(0o600), f.Close())
}

func openPool(path string, connections int, pragmas ...string) (*sql.DB, error) {
	dsn := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: url.Values{
		"_pragma": append(pragmas, "busy_timeout(5000)"), "_txlock": {"immediate"},
	}.Encode()}
	db, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return db, nil
}

func migrate(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	var version int
	if err := tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return err
	}
	if version > len(schemas) {
		return fmt.Errorf("schema version %d, this program knows %d: it was written by a newer one", version, len(schemas))
	}
	for _, next := range schemas[version:] {
		if _, err := tx.ExecContext(ctx, next); err != nil {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", len(schemas))); err != nil {
		return err
	}
	return tx.Commit()
}
