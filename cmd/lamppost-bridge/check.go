package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	bridge "github.com/lamppost-city/lamppost/firmware-bridge"
	"github.com/lamppost-city/lamppost/firmware-bridge/clock"
	"github.com/lamppost-city/lamppost/firmware-bridge/control"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver"
	"github.com/lamppost-city/lamppost/firmware-bridge/drivers"
	"github.com/lamppost-city/lamppost/firmware-bridge/settings"
	"github.com/lamppost-city/lamppost/service"
)

func addSimulateFlag(cmd *cobra.Command) {
	cmd.Flags().Bool("simulate", false, "use buses and devices that exist in memory only")
}

func simulated(cmd *cobra.Command) bool {
	f := cmd.Flags().Lookup("simulate")
	return f != nil && f.Value.String() == "true"
}

// simulate fills in what a simulated bridge need not be told.
func (c *Config) simulate() {
	if c.Bridge.Publisher == "" {
		c.Bridge.Publisher = "bridge-demo"
	}
	if _, err := os.Stat(c.Bridge.Settings); errors.Is(err, fs.ErrNotExist) {
		c.Bridge.Settings = exampleSettings
	}
	c.Clock.TrustSystem = clock.TrustAlways
}

// exampleSettings in the place of a file's name stands for one of each driver.
const exampleSettings = "(examples)"

// loadSettings reads the settings' file, and lists everything that is wrong with it.
func loadSettings(cfg Config) (*settings.Settings, error) {
	text, err := settingsText(cfg)
	if err != nil {
		return nil, err
	}
	s, err := settings.Parse(text, drivers.All())
	if err != nil {
		return nil, fmt.Errorf("%s cannot be used:\n  %s", cfg.Bridge.Settings, strings.ReplaceAll(err.Error(), "\n", "\n  "))
	}
	return s, nil
}

func settingsText(cfg Config) ([]byte, error) {
	if cfg.Bridge.Settings == exampleSettings {
		return bridge.Examples(drivers.All())
	}
	text, err := os.ReadFile(cfg.Bridge.Settings)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is not there; lamppost-bridge init writes one from what it finds", cfg.Bridge.Settings)
	}
	return text, err
}

func checkCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Try every sensor of the settings once, and say what is wrong and what to look at",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, _, err := loadConfig(cmd)
			if err != nil {
				return err
			}
			s, err := loadSettings(cfg)
			if err != nil {
				return err
			}
			deps, remove, err := trialDeps(cfg, simulated(cmd), cmd)
			if err != nil {
				return err
			}
			defer remove()
			good, err := bridge.PrintCheck(cmd.OutOrStdout(), bridge.Check(cmd.Context(), s, deps))
			if err == nil && !good {
				return errSaid
			}
			return err
		},
	}
	addConfigFlags(cmd)
	addSimulateFlag(cmd)
	return cmd
}

// trialDeps are for a bridge that reads and keeps nothing: the counts of meters are not those of the running bridge, which
// may have the folder.
func trialDeps(cfg Config, simulate bool, cmd *cobra.Command) (deps bridge.Deps, remove func(), err error) {
	dir, err := os.MkdirTemp("", "lamppost-bridge-")
	if err != nil {
		return deps, nil, err
	}
	deps = dependencies(cfg, simulate)
	deps.Dir, deps.Log = dir, slog.New(slog.DiscardHandler)
	if cfg.Log.Level == "debug" {
		deps.Log = service.NewLogger(cfg.Log, cmd.ErrOrStderr())
	}
	deps.Clock, err = clock.Open(cfg.Clock, filepath.Join(dir, "clock"), deps.Log)
	return deps, func() { _ = os.RemoveAll(dir) }, err
}

func initCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Look at the buses for devices that can be told, and write settings for them",
		Long: "Look at the I2C, 1-Wire and serial buses of this machine, and at a broker at 127.0.0.1:1883 that is not the city's, for\n" +
			"devices that can be told, and write settings for them to the file that --settings names. A file that is there is left alone: the settings are printed then.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, _, err := loadConfig(cmd)
			if err != nil {
				return err
			}
			deps, remove, err := trialDeps(cfg, false, cmd)
			if err != nil {
				return err
			}
			defer remove()
			text, found, err := bridge.Init(cmd.Context(), cfg.Bridge.Publisher, deps)
			if err != nil {
				return err
			}
			printFound(cmd, found)
			return writeSettings(cmd, cfg.Bridge.Settings, text)
		},
	}
	addConfigFlags(cmd)
	return cmd
}

// printFound says what was found where, beside the settings.
func printFound(cmd *cobra.Command, found []control.BusReport) {
	if len(found) == 0 {
		cmd.PrintErrln("no bus that can be looked at; enable I2C or 1-Wire, or plug the adapter in")
	}
	for _, b := range found {
		cmd.PrintErrf("%s (%s %s): %d devices\n", b.ID, b.Type, b.Device, len(b.Devices))
		for _, d := range b.Devices {
			cmd.PrintErrf("  %s, %s\n", d.Title, d.Where)
		}
		for _, address := range b.Answers {
			cmd.PrintErrf("  something that no driver recognises answers at %s\n", address)
		}
		if b.Error != "" {
			cmd.PrintErrf("  %s\n", b.Error)
		}
		if b.Advice != "" {
			cmd.PrintErrf("  %s\n", b.Advice)
		}
	}
}

func writeSettings(cmd *cobra.Command, file string, text []byte) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		cmd.PrintErrf("%s is there already and is left alone; the settings for what was found are:\n", file)
		_, err = cmd.OutOrStdout().Write(text)
		return err
	}
	if err != nil {
		return fmt.Errorf("write the settings: %w", err)
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write the settings: %w", err)
	}
	cmd.PrintErrf("written to %s; give the sensors the ids of the registry, then: lamppost-bridge check\n", file)
	return nil
}

func driversCommand() *cobra.Command {
	return &cobra.Command{
		Use: "drivers [NAME]", Short: "List the drivers, or show an example of one for the settings", Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			all := drivers.All()
			if len(args) == 0 {
				table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 8, 2, ' ', 0)
				for _, d := range all {
					fmt.Fprintf(table, "%s\t%s\t%s\n", d.Name, d.Bus, d.Title)
				}
				return table.Flush()
			}
			i := slices.IndexFunc(all, func(d driver.Driver) bool { return d.Name == args[0] })
			if i < 0 {
				return fmt.Errorf("driver %q is not one of this bridge; lamppost-bridge drivers lists them", args[0])
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "# %s, on a bus of type %s; an entry of sensors:\n%s", all[i].Title, all[i].Bus, all[i].Example)
			return err
		},
	}
}
