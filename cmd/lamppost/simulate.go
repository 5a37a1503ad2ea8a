package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/lamppost-city/lamppost/internal/faults"
	"github.com/lamppost-city/lamppost/service"
	"github.com/lamppost-city/lamppost/simulate"
)

func simulateCommand() *cobra.Command {
	cfg := simulate.DefaultConfig()
	var format, logLevel string
	cmd := &cobra.Command{
		Use:   "simulate --mqtt URL --sensors N --rate MSGS_PER_S",
		Short: "Play a city: sensors that report over MQTT as real ones would, sins included",
		Long: "Play a city of any size. The same seed makes the same streets, sensors, weather, values and sins.\n" +
			"Every message is sent again until the broker has acknowledged it, across restarts of the broker; the command ends\n" +
			"with how many messages and readings were acknowledged.\n\nThe rate:\n" + simulate.RateHelp,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg.Format = simulate.Format(format)
			if cfg.Count > 0 && !cmd.Flags().Changed("rate") {
				cfg.Rate = 0
			}
			if err := cfg.Validate(); err != nil {
				return faults.Report("the configuration", err)
			}
			log := service.NewLogger(service.LogConfig{Level: logLevel, Format: "auto"}, os.Stderr)
			report, err := simulate.Run(cmd.Context(), cfg, log)
			_, _ = fmt.Fprintln(cmd.OutOrStdout(), report)
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&cfg.MQTT.URL, "mqtt", cfg.MQTT.URL, "broker's `URL`: mqtt://[user:password@]host:port, or mqtts://")
	f.StringVar(&cfg.MQTT.CAFile, "ca-file", "", "PEM `file` with the authority of the broker's certificate; those of the system if empty")
	f.IntVar(&cfg.MQTT.Connections, "connections", cfg.MQTT.Connections, "connections to the broker")
	f.IntVar(&cfg.Sensors, "sensors", cfg.Sensors, "how many sensors")
	f.Float64Var(&cfg.Rate, "rate", cfg.Rate, "messages a second; 0 as fast as acknowledged, which --count alone means; -1 the sensors' own cadence")
	f.DurationVar(&cfg.For, "for", 0, "stop after this time")
	f.Uint64Var(&cfg.Count, "count", 0, "stop after so many messages")
	f.Uint64Var(&cfg.Seed, "seed", cfg.Seed, "the city's seed")
	f.StringVar(&cfg.Sins, "sins", cfg.Sins, "what sensors do wrong: all, none, or a `list` of silence, stuck, drift, clock, burst, duplicate, garbage")
	f.StringVar(&format, "format", string(cfg.Format), "payloads: mixed, senml-json, senml-cbor or json")
	f.StringVar(&cfg.Record, "record", "", "write every acknowledged reading to this CSV `file`")
	f.StringVar(&cfg.Root, "root", cfg.Root, "first level of the topics")
	f.StringVar(&cfg.HTTP.URL, "http", "", "register the sensors first, through the API at this `URL`")
	f.StringVar(&cfg.HTTP.TokenFile, "token-file", "", "`file` with the API's token")
	f.StringVar(&cfg.HTTP.CAFile, "http-ca-file", "", "PEM `file` with the authority of the API's certificate; those of the system if empty")
	f.StringVar(&logLevel, "log", "warn", "log `level`: debug, info, warn or error")
	return cmd
}
