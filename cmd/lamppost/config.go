package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lamppost-city/lamppost/api"
	"github.com/lamppost-city/lamppost/broker"
	"github.com/lamppost-city/lamppost/config"
	"github.com/lamppost-city/lamppost/firmware-bridge/control"
	"github.com/lamppost-city/lamppost/ingest"
	"github.com/lamppost-city/lamppost/internal/certificate"
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

// complete fills in what follows from other keys.
func (c *Config) complete() {
	for _, dir := range []struct {
		set  *string
		name string
	}{{&c.Ingest.Dir, "ingest"}, {&c.Broker.Server.Dir, "broker"}, {&c.Store.Server.Dir, "store"}} {
		if *dir.set == "" {
			*dir.set = filepath.Join(c.Data, dir.name)
		}
	}
	c.Broker.Server.TopicRoot = c.Ingest.Broker.TopicRoot
	c.Broker.Server.Subscribers = []broker.Subscriber{{ClientID: c.Ingest.Broker.ClientID, Filters: []string{c.Ingest.Broker.TopicRoot + "/#"}}}
	if c.Store.Embedded {
		c.Ingest.Retention = c.Store.Server.Retention
	}
	if d := api.DefaultConfig(); c.Demo > 0 && c.HTTP.CityName == d.CityName && c.HTTP.CityZone == d.CityZone {
		c.HTTP.CityName, c.HTTP.CityZone = "Demonstration city", city.Zone
	}
}

// Validate reports every fault, each with its key.
func (c Config) Validate() error {
	all := []error{
		faults.Prefix("http", c.HTTP.Validate()),
		faults.Prefix("ingest", c.Ingest.Validate()),
		faults.Prefix("bridges", c.Bridges.Validate()),
		faults.Prefix("registry", c.Registry.Validate()),
		faults.Prefix("query", c.Query.Validate()),
		faults.Prefix("metrics", c.Metrics.Validate()),
		faults.Prefix("log", c.Log.Validate()),
	}
	if !c.Metrics.OnLoopback() && c.HTTP.TLSCertFile == "" && c.Metrics.Validate() == nil {
		all = append(all, fmt.Errorf("metrics.listen: %s can be reached from outside this machine, which needs TLS; "+
			"set http.tls_cert_file and http.tls_key_file, which serve the metrics too, or listen on 127.0.0.1", c.Metrics.Listen))
	}
	if c.Data == "" {
		all = append(all, errors.New("data: must name a folder"))
	}
	if c.Demo < 0 || c.Demo > 20_000 {
		all = append(all, fmt.Errorf("demo: must be 0 to 20000 sensors, is %d", c.Demo))
	}
	if c.Demo > 0 && !c.Broker.Embedded {
		all = append(all, errors.New("demo: needs the embedded broker; use lamppost simulate with another one"))
	}
	if c.Demo > 0 && c.Broker.Server.TLS.CertFile != "" {
		all = append(all, errors.New("demo: publishes without TLS; leave broker.server.tls out, or start without it"))
	}
	if c.Broker.Embedded {
		all = append(all, faults.Prefix("broker.server", c.Broker.Server.Validate()))
	}
	if c.Store.Embedded {
		all = append(all, faults.Prefix("store.server", c.Store.Server.Validate()))
	} else {
		all = append(all, faults.Prefix("store.influx", c.Store.Influx.Validate()))
	}
	return errors.Join(all...)
}

// httpCertificate is what the API, and metrics that others can reach, prove themselves with.
func (c Config) httpCertificate() certificate.Files {
	return certificate.Files{Cert: c.HTTP.TLSCertFile, Key: c.HTTP.TLSKeyFile}
}

// flagKeys are the flags that set keys.
var flagKeys = map[string]string{
	"data": "data", "http": "http.listen", "mqtt": "broker.server.listen", "metrics": "metrics.listen", "demo": "demo", "log": "log.level",
}

// addConfigFlags gives a command the flags that the configuration can be set with.
func addConfigFlags(cmd *cobra.Command) {
	d := defaultConfig()
	cmd.Flags().String("config", "", "YAML `file` with the configuration; see lamppost config print")
	cmd.Flags().String("data", d.Data, "`folder` of everything that is kept")
	cmd.Flags().String("http", d.HTTP.Listen, "`address` of the page and the API")
	cmd.Flags().String("mqtt", d.Broker.Server.Listen, "`address` of the embedded broker")
	cmd.Flags().String("metrics", d.Metrics.Listen, "`address` of the metrics; empty for none")
	cmd.Flags().Int("demo", d.Demo, "run a demonstration city of so many `sensors`")
	cmd.Flags().String("log", d.Log.Level, "log `level`: debug, info, warn or error")
}

// loadConfig reads and checks the configuration of a command, and reports everything that is wrong with it.
func loadConfig(cmd *cobra.Command) (Config, config.Sources, error) {
	file, err := cmd.Flags().GetString("config")
	if err != nil {
		return Config{}, nil, err
	}
	cfg, sources, err := config.Load(defaultConfig(), config.Options{
		File: file, EnvPrefix: "LAMPPOST", Environ: config.Environ(), OtherEnv: []string{"LAMPPOST_TEST_", "LAMPPOST_RECORDINGS"},
		Flags: cmd.Flags(), FlagKeys: flagKeys,
	})
	cfg.complete()
	// What could not be read has its default, so that the rest can be checked all the same.
	if err := errors.Join(err, cfg.Validate()); err != nil {
		return cfg, sources, wrongConfig(err)
	}
	return cfg, sources, nil
}

// wrongConfig lists faults below one another.
func wrongConfig(err error) error {
	all := faults.Split(err)
	lines := make([]string, len(all))
	for i, fault := range all {
		lines[i] = "  " + fault.Error()
	}
	return fmt.Errorf("the configuration has %d faults:\n%s", len(all), strings.Join(lines, "\n"))
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
			return config.Print(cmd.OutOrStdout(), cfg, sources)
		},
	}
	check := &cobra.Command{
		Use: "check", Short: "Check the configuration and list everything that is wrong with it", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if _, _, err := loadConfig(cmd); err != nil {
				return err
			}
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "the configuration is good")
			return err
		},
	}
	addConfigFlags(show)
	addConfigFlags(check)
	cmd.AddCommand(show, check)
	return cmd
}

func versionCommand() *cobra.Command {
	return &cobra.Command{Use: "version", Short: "Print the version", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		_, err := fmt.Fprintln(cmd.OutOrStdout(), "lamppost", service.Version())
		return err
	}}
}
