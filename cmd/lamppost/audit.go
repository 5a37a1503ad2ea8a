package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"github.com/lamppost-city/lamppost/api"
	"github.com/lamppost-city/lamppost/ingest"
	"github.com/lamppost-city/lamppost/registry"
	"github.com/lamppost-city/lamppost/store/embedded"
	"github.com/lamppost-city/lamppost/store/influx"
)

func auditCommand() *cobra.Command {
	var from, to string
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Compare the ledger with what the store holds, reading by reading",
		Long: "Compare, sensor by sensor and minute by minute, how many readings the ledger says were written with how many the\n" +
			"store holds. Where Lamppost runs on --data its API is asked; otherwise the folder is opened, and what still waits in\n" +
			"the spool is written first. Exits with 1 and a table where the two differ.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, _, err := loadConfig(cmd)
			if err != nil {
				return err
			}
			report, err := auditFolder(cmd.Context(), cfg, from, to)
			if err != nil {
				return err
			}
			return printAudit(cmd.OutOrStdout(), report)
		},
	}
	addConfigFlags(cmd)
	cmd.Flags().StringVar(&from, "from", "", "oldest measured `time` (RFC 3339); the ledger's oldest if empty")
	cmd.Flags().StringVar(&to, "to", "", "measured `time` after the newest (RFC 3339); now if empty")
	return cmd
}

// auditFolder asks the process that runs on the data folder, or opens the folder where there is none.
func auditFolder(ctx context.Context, cfg Config, from, to string) (api.AuditReport, error) {
	if _, err := os.Stat(cfg.Data); err != nil {
		return api.AuditReport{}, fmt.Errorf("data folder: %w", err)
	}
	unlock, err := lockFolder(cfg.Data)
	if err == nil {
		defer unlock()
		return auditStopped(ctx, cfg, from, to)
	}
	if _, readErr := readRunning(cfg.Data); readErr != nil {
		return api.AuditReport{}, errors.Join(err, readErr)
	}
	return auditRunning(ctx, cfg, from, to)
}

func auditRunning(ctx context.Context, cfg Config, from, to string) (report api.AuditReport, err error) {
	at := url.Values{}
	for name, value := range map[string]string{"from": from, "to": to} {
		if value != "" {
			at.Set(name, value)
		}
	}
	err = askRunning(ctx, cfg.Data, request{method: http.MethodGet, path: "/api/v1/audit?" + at.Encode()}, &report)
	return report, err
}

// nobody registers nothing; the audit receives nothing.
type nobody struct{}

func (nobody) Sensors() ingest.Sensors { return nil }

// auditStopped starts the store, lets ingest write what waits in the spool, and compares.
func auditStopped(ctx context.Context, cfg Config, from, to string) (report api.AuditReport, err error) {
	begin, err := parseTime("from", from)
	if err != nil {
		return report, err
	}
	end, err := parseTime("to", to)
	if err != nil {
		return report, err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	at := cfg.Store.Influx
	if cfg.Store.Embedded {
		stop, from, err := startStore(ctx, cfg.Store.Server, log)
		if err != nil {
			return report, err
		}
		defer func() { err = errors.Join(err, stop()) }()
		at = from
	}
	client, err := influx.New(at, log)
	if err != nil {
		return report, err
	}
	defer client.Close()
	line, err := ingest.Open(ctx, cfg.Ingest, ingest.Deps{Directory: nobody{}, Store: client, Metrics: prometheus.NewRegistry(), Log: log})
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, line.Close()) }()
	if err := line.CatchUp(ctx); err != nil {
		return report, fmt.Errorf("write what waits in the spool: %w", err)
	}
	return audits{line.Ledger(), client}.Audit(ctx, begin, end)
}

func startStore(ctx context.Context, cfg embedded.Config, log *slog.Logger) (stop func() error, at influx.Config, err error) {
	s, err := embedded.New(cfg, log)
	if err != nil {
		return nil, at, err
	}
	running, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- s.Run(running) }()
	select {
	case <-s.Ready():
		return func() error { cancel(); return <-done }, s.Influx(), nil
	case err := <-done:
		cancel()
		return nil, at, err
	}
}

func parseTime(name, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, fmt.Errorf("--%s must be a time such as 2026-03-01T12:00:00Z, is %q", name, text)
	}
	return at, nil
}

// printAudit says what was found, and fails where ledger and store differ.
func printAudit(w io.Writer, r api.AuditReport) error {
	from, to := time.UnixMilli(int64(r.From)).UTC(), time.UnixMilli(int64(r.To)).UTC()
	if _, err := fmt.Fprintf(w, "%s to %s: %d readings written by the ledger, %d in the store, %d waiting\n",
		from.Format(time.RFC3339), to.Format(time.RFC3339), r.Readings, r.Rows, r.Waiting); err != nil {
		return err
	}
	if r.Clean {
		_, err := fmt.Fprintln(w, "clean: every accepted reading is in the store, once")
		return err
	}
	table := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "sensor\tminute\tledger\tstore")
	for _, d := range r.Differences {
		_, _ = fmt.Fprintf(table, "%s\t%s\t%d\t%d\n", d.Sensor, time.UnixMilli(int64(d.Time)).UTC().Format("2006-01-02T15:04Z"), d.Ledger, d.Store)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if r.Truncated {
		_, _ = fmt.Fprintln(w, "there are more")
	}
	return errSaid
}

// registryFile in the data folder is the registry.
const registryFile = "registry.db"

// openRegistry opens the registry of a data folder, beside a running process or without one.
func openRegistry(ctx context.Context, cfg Config) (*registry.Registry, error) {
	if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	return registry.OpenWith(ctx, filepath.Join(cfg.Data, registryFile), cfg.Registry, prometheus.NewRegistry(), log)
}
