package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/lamppost-city/lamppost/internal/faults"
	"github.com/lamppost-city/lamppost/service"
	"github.com/lamppost-city/lamppost/simulate/replay"
)

func replayCommand() *cobra.Command {
	cfg := replay.DefaultConfig()
	var logLevel string
	cmd := &cobra.Command{
		Use:   "replay DIR|FILE... --mqtt URL",
		Short: "Send recordings through MQTT as their sensors would have sent them",
		Long: "Send recordings (CSV) in the order of their measured times. A mapping says how a file is to be read: time zone and\n" +
			"format, what stands for a missing value, which column is which quantity of which sensor in which unit. Mappings of\n" +
			"known recordings are part of the program; one beside the file, NAME.mapping.yml, takes precedence.\n" +
			"Every message is sent again until the broker has acknowledged it; the command ends with how many were acknowledged.",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg.Paths = args
			if err := cfg.Validate(); err != nil {
				return faults.Report("the configuration", err)
			}
			log := service.NewLogger(service.LogConfig{Level: logLevel, Format: "auto"}, os.Stderr)
			report, err := replay.Run(cmd.Context(), cfg, log)
			_, _ = fmt.Fprintln(cmd.OutOrStdout(), report)
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&cfg.MQTT.URL, "mqtt", cfg.MQTT.URL, "broker's `URL`: mqtt://[user:password@]host:port, or mqtts://")
	f.StringVar(&cfg.MQTT.CAFile, "ca-file", "", "PEM `file` with the authority of the broker's certificate; those of the system if empty")
	f.Float64Var(&cfg.Speed, "speed", cfg.Speed, "how many times faster than real time; 0 as fast as acknowledged")
	f.BoolVar(&cfg.SkipBadRows, "skip-bad-rows", false, "leave out rows that cannot be read, instead of sending nothing")
	f.StringVar(&cfg.Root, "root", cfg.Root, "first level of the topics")
	f.StringVar(&cfg.HTTP.URL, "http", "", "register the sensors first, through the API at this `URL`")
	f.StringVar(&cfg.HTTP.TokenFile, "token-file", "", "`file` with the API's token")
	f.StringVar(&cfg.HTTP.CAFile, "http-ca-file", "", "PEM `file` with the authority of the API's certificate; those of the system if empty")
	f.StringVar(&logLevel, "log", "warn", "log `level`: debug, info, warn or error")
	return cmd
}
