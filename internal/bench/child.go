package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/pprof"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/lamppost-city/lamppost/broker"
	"github.com/lamppost-city/lamppost/ingest"
	"github.com/lamppost-city/lamppost/ingest/live"
	"github.com/lamppost-city/lamppost/internal/secret"
	"github.com/lamppost-city/lamppost/store/embedded"
	"github.com/lamppost-city/lamppost/store/influx"
	"github.com/lamppost-city/lamppost/telemetry"
)

// child is a process that plays one part. It prints a line when it is ready, and ends when its standard input does.
type child struct {
	log                 *slog.Logger
	load                load
	address, login, dir string
}

const (
	bareClient   = "bare"
	ingestClient = "lamppost-ingest"
)

// untilClosed returns a context that ends with standard input.
func untilClosed(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	return ctx, cancel
}

type anyone struct{}

func (anyone) Required() bool                             { return false }
func (anyone) Verify(string, string) (broker.Grant, bool) { return broker.Grant{}, false }

func (c child) broker(ctx context.Context) error {
	ctx, cancel := untilClosed(ctx)
	defer cancel()
	cfg := broker.DefaultConfig()
	cfg.Listen, cfg.Dir = "127.0.0.1:0", c.dir
	cfg.Subscribers = []broker.Subscriber{{ClientID: bareClient, Filters: []string{"city/#"}}, {ClientID: ingestClient, Filters: []string{"city/#"}}}
	b, err := broker.New(cfg, anyone{}, prometheus.NewRegistry(), c.log)
	if err != nil {
		return err
	}
	go func() {
		<-b.Ready()
		user, password := b.Session()
		fmt.Println(b.Addr(), user+":"+password.Reveal())
	}()
	return b.Run(ctx)
}

func (c child) store(ctx context.Context) error {
	ctx, cancel := untilClosed(ctx)
	defer cancel()
	cfg := embedded.DefaultConfig()
	cfg.Dir = c.dir
	s, err := embedded.New(cfg, c.log)
	if err != nil {
		return err
	}
	go func() {
		<-s.Ready()
		at := s.Influx()
		fmt.Println(at.URL, at.Token.Reveal()+" "+at.Bucket)
	}()
	return s.Run(ctx)
}

// paho is what an application costs that does nothing but acknowledge.
func (c child) paho(ctx context.Context) error {
	user, password, _ := strings.Cut(c.login, ":")
	var got atomic.Int64
	done := make(chan struct{})
	total := int64(c.load.messages)
	opts := paho.NewClientOptions().AddBroker("tcp://" + c.address).SetClientID(bareClient).SetUsername(user).SetPassword(password).
		SetCleanSession(false).SetAutoReconnect(false).SetOrderMatters(true).
		SetDefaultPublishHandler(func(paho.Client, paho.Message) {
			if got.Add(1) == total {
				close(done)
			}
		})
	client := paho.NewClient(opts)
	begin, used := time.Now(), processorTime()
	if token := client.Connect(); token.Wait() && token.Error() != nil {
		return token.Error()
	}
	if token := client.Subscribe("city/#", 1, nil); token.Wait() && token.Error() != nil {
		return token.Error()
	}
	select {
	case <-done:
	case <-ctx.Done():
		return ctx.Err()
	}
	report(total, time.Since(begin), processorTime()-used)
	client.Disconnect(250)
	return nil
}

// directory registers the load's sensors.
type directory struct{ load load }

func (d directory) Sensors() ingest.Sensors { return d }
func (d directory) Version() uint64         { return 1 }
func (d directory) Sensor(id telemetry.SensorID) (ingest.Sensor, bool) {
	var i int
	if _, err := fmt.Sscanf(string(id), "bench-%d", &i); err != nil {
		return ingest.Sensor{}, false
	}
	return ingest.Sensor{Site: fmt.Sprintf("corner-%d", i/4), District: "harbour"}, true
}
func (d directory) Publisher(telemetry.SensorID) bool { return false }

// line opens ingest: login is the broker's, then the store's URL, token and bucket, separated by spaces.
func (c child) line(ctx context.Context, hub *live.Hub) (*ingest.Line, *influx.Client, *prometheus.Registry, error) {
	at := strings.Fields(c.login)
	if len(at) != 4 {
		return nil, nil, nil, fmt.Errorf("login %q has %d parts", c.login, len(at))
	}
	icfg := influx.DefaultConfig()
	icfg.URL, icfg.Token, icfg.Bucket = at[1], secret.String(at[2]), at[3]
	client, err := influx.New(icfg, c.log)
	if err != nil {
		return nil, nil, nil, err
	}
	cfg := ingest.DefaultConfig()
	cfg.Dir = filepath.Join(c.dir, "ingest")
	cfg.Broker.URL = "mqtt://" + c.address
	user, password, _ := strings.Cut(at[0], ":")
	cfg.Broker.User, cfg.Broker.Password = user, secret.String(password)
	reg := prometheus.NewRegistry()
	line, err := ingest.Open(ctx, cfg, ingest.Deps{Directory: directory{c.load}, Store: client, Hub: hub, Metrics: reg, Log: c.log})
	return line, client, reg, err
}

// ingest is the whole of it, from the broker to the store. Away, the store is not there, and reading the messages into
// the spool is all.
func (c child) ingest(ctx context.Context, away bool) (err error) {
	line, client, reg, err := c.line(ctx, nil)
	if err != nil {
		return err
	}
	defer client.Close()
	if c.load.profile != "" {
		end, err := startProfile(filepath.Join(c.load.profile, fmt.Sprintf("ingest-%d.pprof", os.Getpid())))
		if err != nil {
			return err
		}
		defer end()
	}
	running, stop := context.WithCancel(ctx)
	begin, used := time.Now(), processorTime()
	ended := make(chan error, 1)
	go func() { ended <- line.Run(running) }()
	defer func() {
		stop()
		err = errors.Join(err, <-ended, line.Close())
	}()
	points, readings := int64(c.load.messages), int64(3*c.load.messages)
	if c.load.messages == 0 {
		points, readings = int64(packedReadings*c.load.packed), int64(packedReadings*c.load.packed)
	}
	done := func() bool { return counter(reg, "lamppost_ingest_written_points_total") >= float64(points) }
	if away {
		done = func() bool { return line.Flow().Totals.Received >= readings }
	}
	for !done() {
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	report(max(int64(c.load.messages), int64(c.load.packed)), time.Since(begin), processorTime()-used)
	if sums := line.Flow().Totals; sums.Received != readings || sums.Accepted != readings || !away && sums.Written != readings {
		return fmt.Errorf("ledger says %+v, want %d readings", sums, readings)
	}
	return nil
}

// latency watches how long readings take, and prints the 99th percentiles in milliseconds: until they are live, and
// until they can be queried.
func (c child) latency(ctx context.Context) (err error) {
	var hub live.Hub
	line, client, _, err := c.line(ctx, &hub)
	if err != nil {
		return err
	}
	defer client.Close()
	subscription := hub.Subscribe(4096)
	defer subscription.Close()
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- line.Run(running) }()
	defer func() {
		stop()
		err = errors.Join(err, <-ended, line.Close())
	}()
	<-line.Ready()
	var d delays
	if err := d.watch(ctx, subscription, client); err != nil {
		return err
	}
	if lost := subscription.Lost(); lost > 0 || len(d.live) == 0 {
		return fmt.Errorf("%d live readings seen, %d missed", len(d.live), lost)
	}
	fmt.Println(float64(p99(d.live))/1e6, float64(p99(d.queryable))/1e6, len(d.live), len(d.queryable))
	return nil
}

// counter reads a metric.
func counter(reg *prometheus.Registry, name string) float64 {
	families, err := reg.Gather()
	if err != nil {
		return 0
	}
	for _, family := range families {
		if family.GetName() == name {
			return family.GetMetric()[0].GetCounter().GetValue()
		}
	}
	return 0
}

// report prints messages, seconds and seconds of processor time.
func report(n int64, took, used time.Duration) {
	fmt.Println(n, took.Seconds(), used.Seconds())
}

// processorTime is what this process has used so far.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func startProfile(path string) (end func(), err error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, err
	}
	return func() {
		pprof.StopCPUProfile()
		_ = f.Close()
	}, nil
}
