package main

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/lamppost-city/lamppost/api"
	"github.com/lamppost-city/lamppost/broker"
	"github.com/lamppost-city/lamppost/config"
	"github.com/lamppost-city/lamppost/firmware-bridge/control"
	"github.com/lamppost-city/lamppost/ingest"
	"github.com/lamppost-city/lamppost/ingest/mqtt"
	"github.com/lamppost-city/lamppost/internal/faults"
	"github.com/lamppost-city/lamppost/query"
	"github.com/lamppost-city/lamppost/registry"
	"github.com/lamppost-city/lamppost/service"
	"github.com/lamppost-city/lamppost/service/metrics"
	"github.com/lamppost-city/lamppost/simulate/city"
	"github.com/lamppost-city/lamppost/store/embedded"
	"github.com/lamppost-city/lamppost/store/influx"
)

// Config is everything that can be set of `lamppost up`.
type Config struct {
	// Data is the folder of everything that is kept. Folders of the parts that are not set lie in it.
	Data string `mapstructure:"data"`
	// Demo is the number of sensors of a demonstration city that reports at once; 0 for none.
	Demo int `mapstructure:"demo"`

	HTTP     api.Config        `mapstructure:"http"`
	Broker   BrokerConfig      `mapstructure:"broker"`
	Ingest   ingest.Config     `mapstructure:"ingest"`
	Bridges  control.Config    `mapstructure:"bridges"`
	Store    StoreConfig       `mapstructure:"store"`
	Registry registry.Config   `mapstructure:"registry"`
	Query    query.Config      `mapstructure:"query"`
	Metrics  metrics.Config    `mapstructure:"metrics"`
	Log      service.LogConfig `mapstructure:"log"`
}

// BrokerConfig chooses the broker.
type BrokerConfig struct {
	// Embedded runs one in this process. Without it ingest reads from ingest.broker.url.
	Embedded bool `mapstructure:"embedded"`

	Server broker.Config `mapstructure:"server"`
}

// StoreConfig chooses the store.
type StoreConfig struct {
	// Embedded runs an InfluxDB in this process. Without it influx says where one is.
	Embedded bool `mapstructure:"embedded"`

	Server embedded.Config `mapstructure:"server"`
	Influx influx.Config   `mapstructure:"influx"`
}

// defaultConfig runs everything in one process, on loopback.
func defaultConfig() Config {
	c := Config{
		Data: "data", HTTP: api.DefaultConfig(), Ingest: ingest.DefaultConfig(), Bridges: control.DefaultConfig(), Registry: registry.DefaultConfig(),
		Query: query.DefaultConfig(), Metrics: metrics.DefaultConfig(), Log: service.DefaultLogConfig(),
		Broker: BrokerConfig{Embedded: true, Server: broker.DefaultConfig()},
		Store:  StoreConfig{Embedded: true, Server: embedded.DefaultConfig(), Influx: influx.DefaultConfig()},
	}
	c.Ingest.Dir, c.Broker.Server.Dir, c.Store.Server.Dir = "", "", ""
	return c
}

// complete fills in what follows from other keys, and says from which.
func (c *Config) complete(sources config.Sources) {
	data := c.Data != defaultConfig().Data
	for _, dir := range []struct {
		set       *string
		key, name string
	}{{&c.Ingest.Dir, "ingest.dir", "ingest"}, {&c.Broker.Server.Dir, "broker.server.dir", "broker"}, {&c.Store.Server.Dir, "store.server.dir", "store"}} {
		if *dir.set != "" {
			continue
		}
		*dir.set = filepath.Join(c.Data, dir.name)
		if data {
			sources[dir.key] = "data"
		}
	}
	c.Broker.Server.TopicRoot = c.Ingest.Broker.TopicRoot
	c.Broker.Server.Subscribers = []broker.Subscriber{{ClientID: c.Ingest.Broker.ClientID, Filters: []string{c.Ingest.Broker.TopicRoot + "/#"}}}
	if c.Store.Embedded {
		c.Ingest.Retention = c.Store.Server.Retention
	}
	if d := api.DefaultConfig(); c.Demo > 0 && c.HTTP.CityName == d.CityName && c.HTTP.CityZone == d.CityZone {
		c.HTTP.CityName, c.HTTP.CityZone = "Demonstration city", city.Zone
		sources["http.city_name"], sources["http.city_zone"] = "demo", "demo"
	}
}

// retentionKey cannot be set while the store is embedded, which knows how long it keeps readings.
const retentionKey = "ingest.retention"

// derived are the keys that cannot be set because of others.
func (c Config) derived() []string {
	if c.Store.Embedded {
		return []string{retentionKey}
	}
	return nil
}

// flagKeys are the flags that set keys.
var flagKeys = map[string]string{
	"data": "data", "http": "http.listen", "mqtt": "broker.server.listen", "metrics": "metrics.listen", "demo": "demo", "log": "log.level",
}

// addConfigFlags gives a command the flags with which every command finds its configuration and its data.
func addConfigFlags(cmd *cobra.Command) {
	cmd.Flags().String("config", "", "YAML `file` with the configuration; see lamppost config print")
	cmd.Flags().String("data", defaultConfig().Data, "`folder` of everything that is kept")
}

// addUpFlags gives a command all flags of lamppost up.
func addUpFlags(cmd *cobra.Command) {
	d := defaultConfig()
	addConfigFlags(cmd)
	cmd.Flags().String("http", d.HTTP.Listen, "`address` of the page and the API")
	cmd.Flags().String("mqtt", d.Broker.Server.Listen, "`address` of the embedded broker")
	cmd.Flags().String("metrics", d.Metrics.Listen, "`address` of the metrics; empty for none")
	cmd.Flags().Int("demo", d.Demo, "run a demonstration city of so many `sensors`")
	cmd.Flags().String("log", d.Log.Level, "log `level`: debug, info, warn or error")
}

// loadConfig reads and checks the configuration of a command, and reports everything that is wrong with it.
func loadConfig(cmd *cobra.Command) (Config, config.Sources, error) {
	cfg, sources, err := readConfig(cmd)
	if err = errors.Join(err, cfg.Validate()); err != nil {
		return cfg, sources, faults.Report("the configuration", err)
	}
	return cfg, sources, nil
}

// loadToStart is loadConfig for whoever starts what is configured, or wants to know whether it would: files and passwords have
// to be there too.
func loadToStart(cmd *cobra.Command) (Config, error) {
	cfg, _, err := readConfig(cmd)
	if err = errors.Join(err, cfg.Validate(), cfg.checkStart(cmd.Context())); err != nil {
		return cfg, faults.Report("the configuration", err)
	}
	return cfg, nil
}

// readConfig reads the configuration of a command. What could not be read has its default, so that the rest can be checked all
// the same.
func readConfig(cmd *cobra.Command) (Config, config.Sources, error) {
	file, err := cmd.Flags().GetString("config")
	if err != nil {
		return Config{}, nil, err
	}
	cfg, sources, err := config.Load(defaultConfig(), config.Options{
		File: file, EnvPrefix: "LAMPPOST", Environ: config.Environ(), OtherEnv: []string{"LAMPPOST_TEST_", "LAMPPOST_RECORDINGS"},
		Flags: cmd.Flags(), FlagKeys: flagKeys,
	})
	for _, key := range cfg.derived() {
		if source, set := sources[key]; set {
			err = errors.Join(err, fmt.Errorf("%s: is store.server.retention while the store is embedded; set that (%s)", key, source))
		}
	}
	err = errors.Join(err, cfg.checkUnused(sources))
	cfg.complete(sources)
	return cfg, sources, err
}

// checkUnused refuses what says how to reach a broker or a store elsewhere while the embedded one is used: readings would go where
// nobody looks for them. Defaults, as config print writes them, may be set.
func (c Config) checkUnused(sources config.Sources) error {
	var all []error
	check := func(section, embedded, use string, values, defaults map[string]string) {
		for _, key := range slices.Sorted(maps.Keys(values)) {
			if source, set := sources[section+key]; set && values[key] != defaults[key] {
				all = append(all, fmt.Errorf("%s%s: is of no use while the %s is embedded; set %[3]s.embedded to false to %s another one, or leave it out (%s)",
					section, key, embedded, use, source))
			}
		}
	}
	d := defaultConfig()
	if c.Broker.Embedded {
		check("ingest.broker.", "broker", "read from", brokerElsewhere(c.Ingest.Broker), brokerElsewhere(d.Ingest.Broker))
	}
	if c.Store.Embedded {
		check("store.influx.", "store", "write to", storeElsewhere(c.Store.Influx), storeElsewhere(d.Store.Influx))
	}
	return errors.Join(all...)
}

func brokerElsewhere(c mqtt.Config) map[string]string {
	return map[string]string{"url": c.URL, "user": c.User, "password": c.Password.Reveal(), "ca_file": c.CAFile, "cert_file": c.CertFile, "key_file": c.KeyFile}
}

func storeElsewhere(c influx.Config) map[string]string {
	return map[string]string{"url": c.URL, "token": c.Token.Reveal(), "org": c.Org, "bucket": c.Bucket}
}

func configCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "Show or check the configuration", Args: cobra.NoArgs}
	show := &cobra.Command{
		Use: "print", Short: "Print the configuration that would be in force, as a file that --config reads", Args: cobra.NoArgs,
		Long: "Print the configuration that would be in force, with the source of every value that is not a default.\n" +
			"Each key can be set in a file (--config), by a variable LAMPPOST_SECTION_KEY, and some by a flag; flags win,\n" +
			"then variables, then the file. Secrets are not shown.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, sources, err := loadConfig(cmd)
			if err != nil {
				return err
			}
			return config.Print(cmd.OutOrStdout(), cfg, sources, cfg.derived()...)
		},
	}
	check := &cobra.Command{
		Use: "check", Short: "Check the configuration and list everything that is wrong with it", Args: cobra.NoArgs,
		Long: "Check the configuration and list everything for which lamppost up would refuse it: keys and values, certificates that\n" +
			"cannot be read, and publishers without passwords where the broker can be reached from elsewhere. Nothing is started.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if _, err := loadToStart(cmd); err != nil {
				return err
			}
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "the configuration is good")
			return err
		},
	}
	addUpFlags(show)
	addUpFlags(check)
	cmd.AddCommand(show, check)
	return cmd
}

func versionCommand() *cobra.Command {
	return &cobra.Command{Use: "version", Short: "Print the version", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		_, err := fmt.Fprintln(cmd.OutOrStdout(), "lamppost", service.Version())
		return err
	}}
}
