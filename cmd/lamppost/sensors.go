package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/lamppost-city/lamppost/registry"
	"github.com/lamppost-city/lamppost/telemetry"
)

// commandActor is who changes the registry from the command line.
const commandActor registry.Actor = "command line"

// registryRun is what a command does with a registry.
type registryRun func(cmd *cobra.Command, args []string, r *registry.Registry) error

// withRegistry runs a command on the registry of --data, and makes it where there is none. It works beside a running process,
// which notices changes within a second.
func withRegistry(run registryRun) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		cfg, _, err := loadConfig(cmd)
		if err != nil {
			return err
		}
		return onRegistry(cmd, args, cfg, run)
	}
}

// withKnownRegistry is withRegistry for what makes no sense where nothing was registered yet: a mistyped --data makes no folder.
func withKnownRegistry(run registryRun) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		cfg, _, err := loadConfig(cmd)
		if err != nil {
			return err
		}
		if _, err := os.Stat(filepath.Join(cfg.Data, registryFile)); errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("nothing is registered in the data folder %s; name another folder with --data, or begin with lamppost sensors import", cfg.Data)
		} else if err != nil {
			return fmt.Errorf("data folder: %w", err)
		}
		return onRegistry(cmd, args, cfg, run)
	}
}

func onRegistry(cmd *cobra.Command, args []string, cfg Config, run registryRun) error {
	r, err := openRegistry(cmd.Context(), cfg)
	if err != nil {
		return err
	}
	return errors.Join(run(cmd, args, r), r.Close())
}

func sensorsCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "sensors", Short: "List, show, import and export the registered sensors", Args: cobra.NoArgs}
	for _, sub := range []*cobra.Command{listSensors(), showSensor(), importSensors(), exportSensors()} {
		addConfigFlags(sub)
		cmd.AddCommand(sub)
	}
	return cmd
}

// filterFlags lets a command choose sensors.
func filterFlags(cmd *cobra.Command) func() (registry.Filter, error) {
	q := cmd.Flags().String("q", "", "only sensors whose id, title or site has these `words`")
	district := cmd.Flags().String("district", "", "only sensors in this `district`")
	domain := cmd.Flags().String("domain", "", "only sensors of this `domain`: traffic, energy or safety")
	return func() (registry.Filter, error) {
		f := registry.Filter{Q: *q, District: *district}
		if *domain != "" {
			known, ok := telemetry.ParseDomain(*domain)
			if !ok {
				return f, fmt.Errorf("--domain must be traffic, energy or safety, is %q", *domain)
			}
			f.Domain = known
		}
		return f, nil
	}
}

func listSensors() *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "List sensors", Args: cobra.NoArgs}
	filter := filterFlags(cmd)
	cmd.RunE = withKnownRegistry(func(cmd *cobra.Command, _ []string, r *registry.Registry) error {
		f, err := filter()
		if err != nil {
			return err
		}
		found := r.Snapshot().Select(f)
		w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
		_, _ = fmt.Fprintln(w, "sensor\tsite\tcadence\tquantities\ttitle")
		for _, s := range found {
			_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", s.ID, s.Site, s.Cadence, strings.Join(s.Quantities, " "), s.Title)
		}
		if len(found) == 0 {
			_, _ = fmt.Fprintln(cmd.ErrOrStderr(), "no sensors; register some with: lamppost sensors import FILE.csv")
		}
		return w.Flush()
	})
	return cmd
}

func showSensor() *cobra.Command {
	return &cobra.Command{
		Use: "show SENSOR", Short: "Show one sensor as JSON", Args: cobra.ExactArgs(1),
		RunE: withKnownRegistry(func(cmd *cobra.Command, args []string, r *registry.Registry) error {
			s, err := r.GetSensor(cmd.Context(), telemetry.SensorID(args[0]))
			if err != nil {
				return err
			}
			encoder := json.NewEncoder(cmd.OutOrStdout())
			encoder.SetIndent("", "  ")
			return encoder.Encode(map[string]any{
				"id": s.ID, "title": s.Title, "site": s.Site, "publisher": cmp.Or(s.Publisher, s.ID), "cadence_s": s.Cadence.Seconds(), "quantities": s.Quantities,
				"created": s.CreatedAt.Format(time.RFC3339), "updated": s.UpdatedAt.Format(time.RFC3339),
			})
		}),
	}
}

func importSensors() *cobra.Command {
	cmd := &cobra.Command{
		Use: "import FILE.csv", Short: "Register the sensors of a CSV file, all or none", Args: cobra.ExactArgs(1),
		Long: "Register the sensors of a CSV file (- is standard input) with the columns\n" +
			"sensor,title,site,site_title,district,district_title,lon,lat,publisher,cadence_s,quantities; quantities are separated by\n" +
			"spaces, and district_title may be left out.\n" +
			"If any row is wrong nothing is changed, and every fault is listed with its row and column.",
	}
	dryRun := cmd.Flags().Bool("dry-run", false, "only say what would be done")
	importFile := func(cmd *cobra.Command, args []string, r *registry.Registry) error {
		in := cmd.InOrStdin()
		if args[0] != "-" {
			f, err := os.Open(args[0])
			if err != nil {
				return err
			}
			defer func() { _ = f.Close() }()
			in = f
		}
		report, err := r.Import(cmd.Context(), in, registry.ImportOptions{By: commandActor, DryRun: *dryRun})
		if err != nil && !errors.Is(err, registry.ErrImport) {
			return err
		}
		return printImport(cmd.OutOrStdout(), report)
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cfg, _, err := loadConfig(cmd)
		if err != nil {
			return err
		}
		if _, err := os.Stat(filepath.Join(cfg.Data, registryFile)); *dryRun && errors.Is(err, fs.ErrNotExist) {
			// It changes nothing, so it is tried on an empty registry elsewhere.
			if cfg.Data, err = os.MkdirTemp("", "lamppost-dry-run-"); err != nil {
				return err
			}
			defer func() { _ = os.RemoveAll(cfg.Data) }()
		}
		return onRegistry(cmd, args, cfg, func(cmd *cobra.Command, args []string, r *registry.Registry) error {
			before := r.Snapshot()
			err := importFile(cmd, args, r)
			awaitKnown(cmd.Context(), cfg.Data, before, r.Snapshot())
			return err
		})
	}
	return cmd
}

// knownWithin is more than a running process takes to notice what another one has registered.
const knownWithin = 3 * time.Second

// awaitKnown returns when the process that runs on a data folder, if one does, knows the sensors that are new: what they send
// the moment after would else be quarantined. It gives up after knownWithin, for the sensors are registered all the same.
func awaitKnown(ctx context.Context, data string, before, after *registry.Snapshot) {
	ctx, cancel := context.WithTimeout(ctx, knownWithin)
	defer cancel()
	for _, s := range after.Sensors() {
		if _, old := before.Sensor(s.ID); old {
			continue
		}
		// All came in one step, so the first tells of the others.
		for {
			err := askRunning(ctx, data, request{method: http.MethodGet, path: "/api/v1/sensors/" + url.PathEscape(string(s.ID))}, nil)
			if err == nil || errors.Is(err, errNotRunning) {
				return
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}
}

func printImport(w io.Writer, r registry.ImportReport) error {
	if len(r.Errors) == 0 {
		verb := "imported"
		if r.DryRun {
			verb = "would import"
		}
		_, err := fmt.Fprintf(w, "%s %d rows: %d created, %d updated, %d unchanged\n", verb, r.Rows, r.Created, r.Updated, r.Unchanged)
		return err
	}
	table := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "row\tcolumn\tfault")
	for _, e := range r.Errors {
		_, _ = fmt.Fprintf(table, "%d\t%s\t%s\n", e.Row, e.Column, e.Message)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(w, "nothing was changed: %d faults\n", len(r.Errors))
	return errSaid
}

func exportSensors() *cobra.Command {
	cmd := &cobra.Command{Use: "export", Short: "Write the sensors as CSV to standard output", Args: cobra.NoArgs}
	filter := filterFlags(cmd)
	cmd.RunE = withKnownRegistry(func(cmd *cobra.Command, _ []string, r *registry.Registry) error {
		f, err := filter()
		if err != nil {
			return err
		}
		return r.Export(cmd.Context(), cmd.OutOrStdout(), f)
	})
	return cmd
}
