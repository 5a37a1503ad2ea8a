package main

import (
	"context"
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
	"github.com/lamppost-city/lamppost/ingest/mqtt"
	"github.com/lamppost-city/lamppost/internal/secret"
	"github.com/lamppost-city/lamppost/store/embedded"
)

// What a child process can be.
const (
	roleBroker  = "broker"
	roleStore   = "store"
	rolePaho    = "paho"    // takes messages with a bare paho client, and acknowledges them
	roleReader  = "reader"  // takes messages as ingest does, and acknowledges them
	roleFill    = "fill"    // writes points that are encoded before the clock starts
	roleIngest  = "ingest"  // is ingest, until all is in the store
	roleAway    = "away"    // is ingest without a store
	roleLatency = "latency" // is ingest, and watches how long readings take
)

// child is a process that plays one part. It prints a line when it is ready, or when it is done, and ends when its
// standard input does.
type child struct {
	log                                *slog.Logger
	load                               load
	address, login, client, store, dir string
}

func (c child) run(ctx context.Context, role, profile string) error {
	if profile != "" {
		end, err := startProfile(filepath.Join(profile, fmt.Sprintf("%s-%d.pprof", role, os.Getpid())))
		if err != nil {
			return err
		}
		defer end()
	}
	switch role {
	case roleBroker:
		return c.runBroker(ctx)
	case roleStore:
		return c.runStore(ctx)
	case rolePaho:
		return c.paho(ctx)
	case roleReader:
		return c.reader(ctx)
	case roleFill:
		return c.fill(ctx)
	case roleIngest:
		return c.ingest(ctx)
	case roleAway:
		return c.away(ctx)
	case roleLatency:
		return c.latency(ctx)
	}
	return fmt.Errorf("no role %q", role)
}

// untilClosed returns a context that ends with standard input.
func untilClosed(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	return ctx, cancel
}

func (c child) runBroker(ctx context.Context) error {
	ctx, cancel := untilClosed(ctx)
	defer cancel()
	cfg := broker.DefaultConfig()
	cfg.Listen, cfg.Dir = "127.0.0.1:0", c.dir
	cfg.Subscribers = []broker.Subscriber{{ClientID: c.client, Filters: []string{"city/#"}}}
	b, err := broker.New(cfg, nil, prometheus.NewRegistry(), c.log)
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

func (c child) runStore(ctx context.Context) error {
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
		fmt.Println(at.URL, at.Token.Reveal(), at.Org, at.Bucket)
	}()
	return s.Run(ctx)
}

// paho is what an application costs that does nothing but acknowledge.
func (c child) paho(ctx context.Context) error {
	user, password, _ := strings.Cut(c.login, ":")
	var got atomic.Int64
	done := make(chan struct{})
	total := int64(c.load.messages)
	opts := paho.NewClientOptions().AddBroker("tcp://" + c.address).SetClientID(c.client).SetUsername(user).SetPassword(password).
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
	report(c.load.messages, time.Since(begin), processorTime()-used)
	client.Disconnect(250)
	return nil
}

// brokerConfig is ingest's connection to the broker.
func (c child) brokerConfig() mqtt.Config {
	cfg := mqtt.DefaultConfig()
	cfg.URL, cfg.ClientID = "mqtt://"+c.address, c.client
	user, password, _ := strings.Cut(c.login, ":")
	cfg.User, cfg.Password = user, secret.String(password)
	return cfg
}

// reader is the cheapest that a subscriber can be: what it reaches is what the broker gives.
func (c child) reader(ctx context.Context) error {
	session, err := mqtt.New(c.brokerConfig(), 0, prometheus.NewRegistry(), c.log)
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	out, ended := make(chan *mqtt.Batch, 16), make(chan error, 1)
	begin, used := time.Now(), processorTime()
	go func() { ended <- session.Run(running, out) }()
	for got := 0; got < c.load.messages && ctx.Err() == nil; {
		select {
		case batch := <-out:
			got += len(batch.Deliveries)
			if err := batch.Acknowledge(); err != nil {
				stop()
				return err
			}
			batch.Release()
		case <-ctx.Done():
		}
	}
	report(c.load.messages, time.Since(begin), processorTime()-used)
	stop()
	return <-ended
}

// report prints messages, seconds and seconds of processor time.
func report(n int, took, used time.Duration) {
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
