package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lamppost-city/lamppost/ingest"
	"github.com/lamppost-city/lamppost/ingest/live"
	"github.com/lamppost-city/lamppost/ingest/write"
	"github.com/lamppost-city/lamppost/internal/secret"
	"github.com/lamppost-city/lamppost/store/influx"
	"github.com/lamppost-city/lamppost/telemetry"
)

// directory registers the load's sensors.
type directory struct{}

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

// storeConfig reaches the store as lamppost up does: nothing is compressed on loopback.
func (c child) storeConfig() (influx.Config, error) {
	cfg := influx.DefaultConfig()
	at := strings.Fields(c.store)
	if len(at) != 4 {
		return cfg, fmt.Errorf("store %q has %d parts", c.store, len(at))
	}
	cfg.GzipLevel = 0
	cfg.URL, cfg.Token, cfg.Org, cfg.Bucket = at[0], secret.String(at[1]), at[2], at[3]
	return cfg, nil
}

// running is ingest at work.
type running struct {
	*ingest.Line
	client *influx.Client
	// end stops it and closes everything.
	end func() error
}

// start opens ingest and lets it run.
func (c child) start(ctx context.Context, hub *live.Hub) (*running, error) {
	scfg, err := c.storeConfig()
	if err != nil {
		return nil, err
	}
	client, err := influx.New(scfg, c.log)
	if err != nil {
		return nil, err
	}
	cfg := ingest.DefaultConfig()
	cfg.Dir = filepath.Join(c.dir, "ingest")
	cfg.Broker = c.brokerConfig()
	line, err := ingest.Open(ctx, cfg, ingest.Deps{Directory: directory{}, Store: client, Hub: hub, Metrics: prometheus.NewRegistry(), Log: c.log})
	if err != nil {
		client.Close()
		return nil, err
	}
	atWork, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- line.Run(atWork) }()
	return &running{Line: line, client: client, end: func() error {
		stop()
		err := errors.Join(<-ended, line.Close())
		client.Close()
		return err
	}}, nil
}

// pollPause is how often a child looks whether it is done.
const pollPause = 5 * time.Millisecond

// until waits until ok, which is asked often and must cost little: it is measured too.
func until(ctx context.Context, ok func() bool) error {
	for !ok() {
		select {
		case <-time.After(pollPause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// ingest is the whole of it, from the broker to the store.
func (c child) ingest(ctx context.Context) (err error) {
	line, err := c.start(ctx, nil)
	if err != nil {
		return err
	}
	begin, used := time.Now(), processorTime()
	defer func() { err = errors.Join(err, line.end()) }()
	readings := int64(c.load.messages * c.load.readings())
	if err := until(ctx, func() bool { return line.Ledger().City().Written >= readings }); err != nil {
		return err
	}
	report(c.load.messages, time.Since(begin), processorTime()-used)
	if sums := line.Flow().Totals; sums.Received != readings || sums.Accepted != readings || sums.Written != readings {
		return fmt.Errorf("ledger says %+v, want %d readings", sums, readings)
	}
	return nil
}

// away is ingest without a store. It prints a line when it takes messages, and another when it has taken all of the
// load's or, if the load has none, when standard input ends.
func (c child) away(ctx context.Context) (err error) {
	c.store = "http://127.0.0.1:1 none:none none none/none" // nobody listens there
	line, err := c.start(ctx, nil)
	if err != nil {
		return err
	}
	begin, used := time.Now(), processorTime()
	defer func() { err = errors.Join(err, line.end()) }()
	if err := until(ctx, func() bool {
		select {
		case <-line.Ready():
			return true
		default:
			return false
		}
	}); err != nil {
		return err
	}
	fmt.Println("ready")
	if c.load.messages == 0 {
		closed, cancel := untilClosed(ctx)
		defer cancel()
		<-closed.Done()
	} else if err := until(ctx, func() bool { return line.Ledger().City().Received >= int64(c.load.messages*c.load.readings()) }); err != nil {
		return err
	}
	sums := line.Flow().Totals
	report(int(sums.Received)/c.load.readings(), time.Since(begin), processorTime()-used)
	if sums.Accepted != sums.Received || sums.Written > 0 {
		return fmt.Errorf("ledger says %+v, want all accepted and none written", sums)
	}
	return nil
}

// fill writes the load's points, encoded before the clock starts, with as many lines a body and as many bodies at once
// as ingest may.
func (c child) fill(ctx context.Context) error {
	cfg, err := c.storeConfig()
	if err != nil {
		return err
	}
	client, err := influx.New(cfg, c.log)
	if err != nil {
		return err
	}
	defer client.Close()
	bodies := c.bodies()
	begin, used := time.Now(), processorTime()
	var writers sync.WaitGroup
	inFlight := write.DefaultConfig().InFlight
	failures := make(chan error, inFlight)
	for range inFlight {
		writers.Go(func() {
			for b := range bodies {
				if err := client.Write(ctx, b); err != nil {
					failures <- err
					return
				}
			}
		})
	}
	writers.Wait()
	select {
	case err := <-failures:
		return err
	default:
		report(c.load.messages, time.Since(begin), processorTime()-used)
		return nil
	}
}

// bodies are the load's points in line protocol.
func (c child) bodies() <-chan []byte {
	l, begin := c.load, beginning()
	perBody := write.DefaultConfig().MaxLines
	if l.kind == hundred {
		perBody /= packedReadings
	}
	bodies := make(chan []byte, l.messages/perBody+1)
	var body []byte
	for i := range l.messages {
		body = l.lines(body, i, begin)
		if (i+1)%perBody == 0 || i == l.messages-1 {
			bodies <- bytes.Clone(body)
			body = body[:0]
		}
	}
	close(bodies)
	return bodies
}
