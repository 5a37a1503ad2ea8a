package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"sync/atomic"
	"syscall"

	"github.com/spf13/cobra"

	bridge "github.com/lamppost-city/lamppost/firmware-bridge"
	"github.com/lamppost-city/lamppost/firmware-bridge/box"
	"github.com/lamppost-city/lamppost/firmware-bridge/clock"
	"github.com/lamppost-city/lamppost/firmware-bridge/drivers"
	"github.com/lamppost-city/lamppost/firmware-bridge/outbox"
	"github.com/lamppost-city/lamppost/firmware-bridge/uplink"
	"github.com/lamppost-city/lamppost/service"
)

func runCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Read the sensors and bring their readings to the broker",
		Long: "Read the sensors of the settings and bring their readings to the broker. What the broker has not acknowledged\n" +
			"is kept below --data, over restarts and power cuts. SIGHUP reads the settings again.\n" +
			"With --simulate every bus and device exists in memory only; without settings one of each driver is read.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, _, err := loadConfig(cmd)
			if err != nil {
				return err
			}
			return runBridge(cmd.Context(), cfg, simulated(cmd), cmd.ErrOrStderr())
		},
	}
	addConfigFlags(cmd)
	addSimulateFlag(cmd)
	return cmd
}

// parts are what a running bridge consists of.
type parts struct {
	log    *slog.Logger
	clock  *clock.Clock
	outbox *outbox.Outbox
	bridge *bridge.Bridge
	uplink *uplink.Publisher
}

// runBridge runs until ctx ends, or until the city asks for a restart: then it ends with an error, so that whoever started it
// starts it again.
func runBridge(ctx context.Context, cfg Config, simulate bool, logs io.Writer) error {
	if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	if err := writeExamples(&cfg); err != nil {
		return err
	}
	logger, setLevel := service.NewLeveledLogger(cfg.Log, logs)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var restart atomic.Bool

	p := parts{log: logger}
	var err error
	if p.clock, err = clock.Open(cfg.Clock, filepath.Join(cfg.Data, "clock"), logger.With("part", "clock")); err != nil {
		return err
	}
	p.outbox, err = outbox.Open(ctx, cfg.Outbox, filepath.Join(cfg.Data, "outbox"), outbox.Deps{
		Publisher: cfg.Bridge.Publisher, Root: cfg.Bridge.TopicRoot, Clock: p.clock, Log: logger.With("part", "outbox"),
	})
	if err != nil {
		return err
	}
	deps := dependencies(cfg, simulate)
	deps.Clock, deps.Outbox, deps.Log, deps.SetLevel = p.clock, p.outbox, logger.With("part", "bridge"), setLevel
	deps.Restart = func() {
		restart.Store(true)
		stop()
	}
	if p.bridge, err = bridge.New(cfg.Bridge, deps); err != nil {
		return errors.Join(err, p.outbox.Close())
	}
	if p.uplink, err = uplink.NewSession(cfg.Broker, p.bridge.Session(), logger.With("part", "uplink")); err != nil {
		return errors.Join(err, p.outbox.Close())
	}
	logger.Info("bridge starts", "version", service.Version(), "publisher", string(cfg.Bridge.Publisher), "data", cfg.Data, "broker", p.uplink.Broker())
	err = p.group().Run(ctx)
	if restart.Load() {
		return errors.Join(err, errors.New("the city has asked for a restart"))
	}
	return err
}

// writeExamples makes a file of the examples where they stand for settings.
func writeExamples(cfg *Config) error {
	if cfg.Bridge.Settings != exampleSettings {
		return nil
	}
	text, err := settingsText(*cfg)
	if err != nil {
		return err
	}
	cfg.Bridge.Settings = filepath.Join(cfg.Data, "examples.yaml")
	if err := os.WriteFile(cfg.Bridge.Settings, text, 0o600); err != nil {
		return fmt.Errorf("write the examples: %w", err)
	}
	return nil
}

// group orders the parts: what is sampled needs the outbox, and that needs the connection to be of use.
func (p *parts) group() *service.Group {
	return service.NewGroup(service.DefaultStopTimeout, p.log,
		service.Part{Name: "clock", Run: p.clock.Run},
		service.Part{Name: "uplink", Run: p.uplink.Run},
		service.Part{Name: "outbox", Run: func(ctx context.Context) error { return p.outbox.Run(ctx, p.uplink) }},
		service.Part{Name: "bridge", Run: func(ctx context.Context) error {
			go p.reloadOnHangup(ctx)
			return p.bridge.Run(ctx, p.uplink)
		}},
	)
}

// reloadOnHangup reads the settings' file again on SIGHUP.
func (p *parts) reloadOnHangup(ctx context.Context) {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	for {
		select {
		case <-hangup:
			p.bridge.Reload()
		case <-ctx.Done():
			return
		}
	}
}

// localBroker is where devices beside the board may publish; not where the city's own broker is.
func localBroker(cfg Config) string {
	const usual = "127.0.0.1:1883"
	city, err := url.Parse(cfg.Broker.URL)
	if err != nil || city.Port() == "1883" && slices.Contains([]string{"127.0.0.1", "localhost", "::1"}, city.Hostname()) {
		return ""
	}
	return usual
}

// dependencies are what run, check and init have in common.
func dependencies(cfg Config, simulate bool) bridge.Deps {
	return bridge.Deps{
		Drivers: drivers.All(), Buses: bridge.Buses{Simulated: simulate, Root: "/", Broker: localBroker(cfg)}, Board: box.Board{Root: "/", Data: cfg.Data},
		Dir: cfg.Data, Version: service.Version(),
	}
}
