package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/lamppost-city/lamppost/firmware-bridge/uplink"
	"github.com/lamppost-city/lamppost/ingest/live"
	"github.com/lamppost-city/lamppost/store"
	"github.com/lamppost-city/lamppost/store/influx"
	"github.com/lamppost-city/lamppost/telemetry"
)

// latency watches how long readings take, and prints the 99th percentiles in milliseconds: until they are live, and
// until they can be queried.
func (c child) latency(ctx context.Context) (err error) {
	var hub live.Hub
	subscription := hub.Subscribe(4096)
	defer subscription.Close()
	line, err := c.start(ctx, &hub)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, line.end()) }()
	var d delays
	if err := d.watch(ctx, subscription, line.client); err != nil {
		return err
	}
	if lost := subscription.Lost(); lost > 0 || len(d.live) == 0 {
		return fmt.Errorf("%d live readings seen, %d missed", len(d.live), lost)
	}
	fmt.Println(float64(p99(d.live))/1e6, float64(p99(d.queryable))/1e6)
	return nil
}

// paced publishes at a steady rate, each message with the time at which it is sent.
func (l load) paced(ctx context.Context, address string, rate float64, during time.Duration, log *slog.Logger) (err error) {
	p, end, err := publisher(ctx, address, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	began, sent := time.Now(), 0
	for time.Since(began) < during {
		for ; float64(sent) < rate*time.Since(began).Seconds(); sent++ {
			topic := "city/" + string(l.sensor(sent)) + "/readings"
			payload := fmt.Appendf(nil, `{"time":%d,"speed":%.1f,"intensity":%d,"occupancy":0.5}`, time.Now().UnixMilli(), 30+float64(sent%400)/10, sent%40)
			if err := p.Publish(ctx, uplink.Message{Topic: topic, Payload: payload, Readings: 3}); err != nil {
				return err
			}
		}
		time.Sleep(2 * time.Millisecond)
	}
	return p.Flush(ctx)
}

// delays collects how long readings take from being sent to being seen.
type delays struct{ live, queryable []time.Duration }

// watch looks at live readings until they stop coming; every now and then it asks the store for the newest until it is
// there.
func (d *delays) watch(ctx context.Context, s *live.Subscription, client *influx.Client) error {
	asked := make(chan error, 1)
	asked <- nil
	quiet := time.NewTimer(30 * time.Second) // for the first
	defer quiet.Stop()
	for {
		select {
		case readings := <-s.C():
			now := time.Now()
			quiet.Reset(2 * time.Second)
			for i := range readings {
				d.live = append(d.live, now.Sub(readings[i].Measured.Time()))
			}
			select {
			case err := <-asked:
				if err != nil {
					return err
				}
				newest := readings[len(readings)-1]
				go func() { asked <- d.ask(ctx, client, newest) }()
			default:
			}
		case <-quiet.C:
			return <-asked
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// ask polls the store for one reading.
func (d *delays) ask(ctx context.Context, client *influx.Client, r telemetry.Reading) error {
	for found := false; !found; {
		at := r.Measured.Time()
		err := client.Points(ctx, r.Quantity.Quantity().Domain, r.Sensor, at, at.Add(time.Millisecond), func(store.Value) error {
			found = true
			return nil
		})
		if err != nil {
			return err
		}
	}
	d.queryable = append(d.queryable, time.Since(r.Measured.Time()))
	return nil
}

func p99(all []time.Duration) time.Duration {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[len(all)*99/100]
}
