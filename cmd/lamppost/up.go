package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"github.com/lamppost-city/lamppost/api"
	"github.com/lamppost-city/lamppost/broker"
	"github.com/lamppost-city/lamppost/console"
	"github.com/lamppost-city/lamppost/ingest"
	"github.com/lamppost-city/lamppost/ingest/live"
	"github.com/lamppost-city/lamppost/internal/certificate"
	"github.com/lamppost-city/lamppost/query"
	"github.com/lamppost-city/lamppost/registry"
	"github.com/lamppost-city/lamppost/service"
	"github.com/lamppost-city/lamppost/service/metrics"
	"github.com/lamppost-city/lamppost/store/embedded"
	"github.com/lamppost-city/lamppost/store/influx"
	"github.com/lamppost-city/lamppost/telemetry"
)

func upCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Run all of Lamppost in one process",
		Long: "Run the broker, ingest, the store, the API and the page in one process, with everything kept below --data.\n" +
			"All addresses are on this machine only unless credentials and TLS are configured.\n" +
			"A change asks for the token that the first start writes to DATA/api-token; so does every request where others than this\n" +
			"machine can reach the API.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadToStart(cmd)
			if err != nil {
				return err
			}
			return up(cmd.Context(), cfg, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	addUpFlags(cmd)
	return cmd
}

// town is the parts of a running `lamppost up`.
type town struct {
	cfg     Config
	log     *slog.Logger
	metrics *prometheus.Registry
	started time.Time

	registry *registry.Registry
	broker   *broker.Broker
	embedded *embedded.Store
	client   *influx.Client
	line     *ingest.Line
	latest   *query.Latest
	hub      live.Hub
	bridges  *bridges
	server   *api.Server
	endpoint *metrics.Endpoint
	group    *service.Group

	opened atomic.Bool // line, latest and client are there
}

// up runs until ctx ends.
func up(ctx context.Context, cfg Config, out, logs io.Writer) (err error) {
	if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	unlock, err := lockFolder(cfg.Data)
	if err != nil {
		return err
	}
	defer unlock()
	c := &town{cfg: cfg, metrics: metrics.NewRegistry(), started: time.Now()}
	status := newStatus(out, logs, cfg.Log)
	c.log = status.logger()

	if c.registry, err = registry.OpenWith(ctx, filepath.Join(cfg.Data, registryFile), cfg.Registry, c.metrics, c.log); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.registry.Close()) }()
	if err := c.build(); err != nil {
		return err
	}
	running, stopStatus := context.WithCancel(ctx)
	shown := make(chan struct{})
	go func() {
		defer close(shown)
		status.run(running, c)
	}()
	err = c.group.Run(ctx)
	stopStatus()
	<-shown
	if c.opened.Load() {
		err = errors.Join(err, c.line.Close())
		c.client.Close()
	}
	return err
}

// build makes the parts. What needs an address of another part is made when that part is ready, in ingestPart.
func (c *town) build() (err error) {
	if c.endpoint, err = c.metricsEndpoint(); err != nil {
		return err
	}
	parts := []service.Part{
		{Name: "metrics", Run: c.endpoint.Run, Ready: c.endpoint.Ready()},
		{Name: "registry", Run: c.registry.Run, Health: c.registry.Health},
	}
	if c.cfg.Store.Embedded {
		if c.embedded, err = embedded.New(c.cfg.Store.Server, c.log.With("part", "store")); err != nil {
			return err
		}
		parts = append(parts, service.Part{Name: "store", Run: c.embedded.Run, Ready: c.embedded.Ready(), Health: c.embedded.Health})
	}
	if c.cfg.Broker.Embedded {
		if c.broker, err = broker.New(c.cfg.Broker.Server, credentials{c.registry}, c.metrics, c.log.With("part", "broker")); err != nil {
			return err
		}
		parts = append(parts, service.Part{Name: "broker", Run: c.broker.Run, Ready: c.broker.Ready(), Health: c.broker.Health})
	}
	c.latest = query.NewLatest(c.cfg.Query, c.metrics)
	parts = append(parts, c.ingestPart(), c.bridgesPart(), c.apiPart())
	if c.cfg.Demo > 0 {
		parts = append(parts, service.Part{Name: "demonstration", Run: c.demonstrate})
	}
	c.group = service.NewGroup(service.DefaultStopTimeout, c.log, parts...)
	return nil
}

// metricsEndpoint serves the metrics, where others can reach them with what the API proves itself and asks for.
func (c *town) metricsEndpoint() (*metrics.Endpoint, error) {
	var guard metrics.Guard
	if !c.cfg.Metrics.OnLoopback() {
		token, err := api.LoadOrCreateToken(c.tokenFile())
		if err != nil {
			return nil, err
		}
		guard = metrics.Guard{Token: token, Certificate: certificate.New(c.cfg.httpCertificate())}
	}
	return metrics.New(c.cfg.Metrics, guard, c.metrics, c.log.With("part", "metrics"))
}

func (c *town) tokenFile() string { return filepath.Join(c.cfg.Data, "api-token") }

// ingestPart opens and runs ingest, and keeps the newest readings beside it.
func (c *town) ingestPart() service.Part {
	ready := make(chan struct{})
	return service.Part{
		Name: "ingest", Ready: ready,
		Health: func() error {
			if !c.opened.Load() {
				return nil
			}
			return c.line.Health()
		},
		Run: func(ctx context.Context) error {
			if err := c.openIngest(ctx); err != nil {
				return err
			}
			subscription := c.hub.Subscribe(256)
			fed := make(chan error, 1)
			go func() { fed <- c.latest.Run(context.WithoutCancel(ctx), subscription.C()) }()
			go c.announceIngest(ctx, ready)
			err := c.line.Run(ctx)
			subscription.Close()
			return errors.Join(err, <-fed)
		},
	}
}

func (c *town) openIngest(ctx context.Context) (err error) {
	cfg := c.cfg.Ingest
	if c.broker != nil {
		cfg.Broker.URL, cfg.Broker.Dial = c.broker.URL(), c.broker.Dial
		cfg.Broker.User, cfg.Broker.Password = c.broker.Session()
	}
	at := c.cfg.Store.Influx
	if c.embedded != nil {
		at = c.embedded.Influx()
	}
	if c.client, err = influx.New(at, c.log.With("part", "store")); err != nil {
		return err
	}
	c.line, err = ingest.Open(ctx, cfg, ingest.Deps{
		Directory: &directory{registry: c.registry}, Renew: renew(c.registry), Store: c.client, Hub: &c.hub, Metrics: c.metrics, Log: c.log.With("part", "ingest"),
	})
	if err != nil {
		c.client.Close()
		return err
	}
	c.opened.Store(true)
	return nil
}

// announceIngest closes ready when readings can come, and looks up what is newest in the store.
func (c *town) announceIngest(ctx context.Context, ready chan<- struct{}) {
	select {
	case <-c.line.Opened():
		close(ready)
	case <-ctx.Done():
		return
	}
	for pause := time.Second; ; pause = min(2*pause, time.Minute) {
		err := c.latest.Seed(ctx, c.client, time.Now())
		if err == nil || ctx.Err() != nil {
			return
		}
		c.log.Warn("newest readings cannot be looked up, trying again", "error", err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// apiPart serves the API and the page.
func (c *town) apiPart() service.Part {
	ready := make(chan struct{})
	var server atomic.Pointer[api.Server]
	return service.Part{
		Name: "http", Ready: ready,
		Health: func() error {
			if s := server.Load(); s != nil {
				return s.Health()
			}
			return nil
		},
		Run: func(ctx context.Context) error {
			token, err := api.LoadOrCreateToken(c.tokenFile())
			if err != nil {
				return err
			}
			ledger := c.line.Ledger()
			history := query.NewHistory(c.cfg.Query, c.client, c.metrics)
			ledger.Watch(history.Changed)
			s, err := api.New(c.cfg.HTTP, api.Deps{
				Token: token, Version: service.Version(), Registry: c.registry, Latest: c.latest,
				History: history,
				Figures: figures(c.latest),
				Ledger:  ledger, Quarantine: ledger, Replay: replays{c.line, renew(c.registry)}, Live: hub{&c.hub},
				Audit: audits{ledger, c.client}, Pipeline: pipeline{c.line, c.started}, Parts: parts{c.group}, Bridges: c.bridges,
				Livez: service.Livez(), Readyz: c.group.Readyz(), Console: console.Handler(), Metrics: c.metrics,
			}, c.log.With("part", "http"))
			if err != nil {
				return err
			}
			server.Store(s)
			c.server = s
			go func() {
				select {
				case <-s.Ready():
					if err := writeRunning(c.cfg.Data, running{url: s.URL(), certFile: c.cfg.HTTP.TLSCertFile}); err != nil {
						c.log.Warn("other commands will not find this process", "error", err)
					}
					close(ready)
				case <-ctx.Done():
				}
			}()
			return s.Run(ctx)
		},
	}
}

// figures shows the latest readings to the API.
func figures(latest *query.Latest) api.Figures {
	return func(now time.Time, maxAge func(telemetry.SensorID) time.Duration) []query.Figure {
		return query.Figures(latest, now, maxAge)
	}
}
