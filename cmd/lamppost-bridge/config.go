package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/lamppost-city/lamppost/config"
	bridge "github.com/lamppost-city/lamppost/firmware-bridge"
	"github.com/lamppost-city/lamppost/firmware-bridge/clock"
	"github.com/lamppost-city/lamppost/firmware-bridge/outbox"
	"github.com/lamppost-city/lamppost/firmware-bridge/uplink"
	"github.com/lamppost-city/lamppost/internal/faults"
	"github.com/lamppost-city/lamppost/service"
)

// Config is everything that can be set of `lamppost-bridge run`.
type Config struct {
	// Data is the folder of everything that is kept: readings on their way, settings from afar, the counts of meters.
	Data string `mapstructure:"data"`

	Bridge bridge.Config     `mapstructure:"bridge"`
	Broker uplink.Config     `mapstructure:"broker"`
	Outbox outbox.Config     `mapstructure:"outbox"`
	Clock  clock.Config      `mapstructure:"clock"`
	Log    service.LogConfig `mapstructure:"log"`
}

// defaultConfig is for a small board; only publisher and broker have to be set.
func defaultConfig() Config {
	c := Config{
		Data: "data", Bridge: bridge.DefaultConfig(), Broker: uplink.DefaultConfig(), Outbox: outbox.DefaultConfig(),
		Clock: clock.DefaultConfig(), Log: service.DefaultLogConfig(),
	}
	c.Broker.Connections, c.Broker.Window = 1, c.Outbox.InFlight
	c.Broker.ClientName = "lamppost-bridge"
	// A board that was switched on without a link or a battery for its clock may have the date from nobody but the city.
	c.Broker.TLSWithoutDate = true
	return c
}

// complete fills in what follows from other keys.
func (c *Config) complete() {
	if c.Broker.ClientID == "" {
		c.Broker.ClientID = "lamppost-bridge-" + string(c.Bridge.Publisher)
	}
	c.Broker.Window = max(c.Broker.Window, c.Outbox.InFlight)
}

// Validate reports every fault, each with its key.
func (c Config) Validate() error {
	all := []error{
		faults.Prefix("bridge", c.Bridge.Validate()),
		faults.Prefix("broker", c.Broker.Validate()),
		faults.Prefix("outbox", c.Outbox.Validate()),
		faults.Prefix("clock", c.Clock.Validate()),
		faults.Prefix("log", c.Log.Validate()),
	}
	if c.Data == "" {
		all = append(all, errors.New("data: must name a folder"))
	}
	return errors.Join(all...)
}

// flagKeys are the flags that set keys.
var flagKeys = map[string]string{
	"data": "data", "publisher": "bridge.publisher", "settings": "bridge.settings", "mqtt": "broker.url", "log": "log.level",
}

// addConfigFlags gives a command the flags that the configuration can be set with.
func addConfigFlags(cmd *cobra.Command) {
	d := defaultConfig()
	cmd.Flags().String("config", "", "YAML `file` with the configuration; see lamppost-bridge config print")
	cmd.Flags().String("data", d.Data, "`folder` of everything that is kept")
	cmd.Flags().String("publisher", "", "the bridge's `id` in the city's registry")
	cmd.Flags().String("settings", d.Bridge.Settings, "`file` with buses and sensors")
	cmd.Flags().String("mqtt", d.Broker.URL, "`URL` of the city's broker: mqtt://host:1883 or mqtts://host:8883")
	cmd.Flags().String("log", d.Log.Level, "log `level`: debug, info, warn or error")
}

// loadConfig reads and checks the configuration of a command, and reports everything that is wrong with it.
func loadConfig(cmd *cobra.Command) (Config, config.Sources, error) {
	file, err := cmd.Flags().GetString("config")
	if err != nil {
		return Config{}, nil, err
	}
	cfg, sources, err := config.Load(defaultConfig(), config.Options{
		File: file, EnvPrefix: "LAMPPOST_BRIDGE", Environ: config.Environ(), Flags: cmd.Flags(), FlagKeys: flagKeys,
	})
	if simulated(cmd) {
		cfg.simulate()
	}
	cfg.complete()
	// What could not be read has its default, so that the rest can be checked all the same.
	if err := errors.Join(err, cfg.Validate()); err != nil {
		return cfg, sources, faults.Report("the configuration", err)
	}
	return cfg, sources, nil
}

func configCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "Show or check the configuration", Args: cobra.NoArgs}
	show := &cobra.Command{
		Use: "print", Short: "Print the configuration that would be in force, as a file that --config reads", Args: cobra.NoArgs,
		Long: "Print the configuration that would be in force, with the source of every value that is not a default.\n" +
			"Each key can be set in a file (--config), by a variable LAMPPOST_BRIDGE_SECTION_KEY, and some by a flag; flags\n" +
			"win, then variables, then the file. Secrets are not shown. Buses and sensors stand in a file of their own.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, sources, err := loadConfig(cmd)
			if err != nil {
				return err
			}
			return config.Print(cmd.OutOrStdout(), cfg, sources)
		},
	}
	check := &cobra.Command{
		Use: "check", Short: "Check the configuration and the settings, and list everything that is wrong with them", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, _, err := loadConfig(cmd)
			if err != nil {
				return err
			}
			s, err := loadSettings(cfg)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "the configuration is good; %d sensors on %d buses\n", len(s.Sensors), len(s.Buses))
			return err
		},
	}
	addConfigFlags(show)
	addConfigFlags(check)
	cmd.AddCommand(show, check)
	return cmd
}
