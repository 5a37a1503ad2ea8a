package registry

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

//go:embed migrations/*.sql
var migrations embed.FS

// file is the SQLite file: one connection that writes, several that read.
type file struct {
	writer, readers *sql.DB
}

// openFile opens the file, makes it where there is none (only its owner may read it: it holds password hashes), and
// brings its tables up to date.
func openFile(ctx context.Context, path string, readers int, log *slog.Logger) (*file, error) {
	if err := makePrivate(path); err != nil {
		return nil, err
	}
	writer, err := connect(path, 1, "")
	if err != nil {
		return nil, err
	}
	if err := migrate(ctx, writer, log); err != nil {
		return nil, errors.Join(err, writer.Close())
	}
	reader, err := connect(path, readers, "&_pragma=query_only(1)")
	if err != nil {
		return nil, errors.Join(err, writer.Close())
	}
	return &file{writer: writer, readers: reader}, nil
}

func makePrivate(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

func connect(path string, connections int, more string) (*sql.DB, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	name := url.URL{Scheme: "file", Path: filepath.ToSlash(absolute)}
	// FULL: a change is on disk before the method that made it returns. immediate: a transaction that writes takes its
	// lock at once and waits for it, where a later upgrade would fail.
	db, err := sql.Open("sqlite", name.String()+"?_txlock=immediate&_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)"+
		"&_pragma=foreign_keys(1)&_pragma=synchronous(FULL)"+more)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return db, nil
}

func (f *file) close() error { return errors.Join(f.readers.Close(), f.writer.Close()) }

// migrate brings the tables up to date. Goose has no lock for SQLite: where two processes start on a new file at once,
// one of them meets the other's half-way and tries again.
func migrate(ctx context.Context, db *sql.DB, log *slog.Logger) error {
	sources, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	steps, err := goose.NewProvider(goose.DialectSQLite3, db, sources, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	const attempts = 8
	for attempt := 1; ; attempt++ {
		err = migrateOnce(ctx, steps, log)
		if err == nil || attempt == attempts || errors.Is(err, errNewer) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Duration(attempt)*20*time.Millisecond + rand.N(50*time.Millisecond)):
		}
	}
}

var errNewer = errors.New("the file was written by a newer version of lamppost; run that version, or a newer one")

func migrateOnce(ctx context.Context, steps *goose.Provider, log *slog.Logger) error {
	current, target, err := steps.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("read the schema's version: %w", err)
	}
	if current > target {
		return fmt.Errorf("schema %d, known are those up to %d: %w", current, target, errNewer)
	}
	done, err := steps.Up(ctx)
	if err != nil {
		return fmt.Errorf("bring the tables up to date: %w", err)
	}
	if len(done) > 0 {
		log.InfoContext(ctx, "registry migrated", "from_schema", current, "to_schema", target)
	}
	return nil
}
