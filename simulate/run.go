package simulate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/lamppost-city/lamppost/firmware-bridge/uplink"
	"github.com/lamppost-city/lamppost/simulate/city"
	"github.com/lamppost-city/lamppost/simulate/register"
)

// Run builds the city, registers it where cfg.HTTP names an API, and sends until the count or the time is reached or ctx
// ends. Then it waits until all is acknowledged: without limit, across restarts of the broker, but no longer than
// cfg.Grace once ctx has ended. The report is right also where there is an error.
func Run(ctx context.Context, cfg Config, log *slog.Logger) (Report, error) {
	if err := cfg.Validate(); err != nil {
		return Report{}, err
	}
	if cfg.HTTP.URL == "" {
		return run(ctx, cfg, nil, log)
	}
	api, err := register.NewHTTP(cfg.HTTP, log)
	if err != nil {
		return Report{}, err
	}
	defer api.Close()
	return run(ctx, cfg, api, log)
}

// Demo is Run with a Registrar of the caller's in place of the API: the demonstration inside `lamppost up`. It begins
// with the backfill that cfg asks for (ask on the first start only: it would repeat the past with other sequence
// numbers), and goes on in real time until ctx ends.
func Demo(ctx context.Context, cfg Config, registrar register.Registrar, log *slog.Logger) (Report, error) {
	if err := cfg.Validate(); err != nil {
		return Report{}, err
	}
	return run(ctx, cfg, registrar, log)
}

// run does what Run says; a nil registrar registers nothing.
func run(ctx context.Context, cfg Config, registrar register.Registrar, log *slog.Logger) (Report, error) {
	c, err := city.New(cfg.Seed, cfg.Sensors)
	if err != nil {
		return Report{}, err
	}
	if registrar != nil {
		if err := introduce(ctx, cfg, c, registrar); err != nil {
			return Report{}, err
		}
		log.Info("city registered", "sensors", cfg.Sensors)
	}
	var rec *record
	var hook func(uplink.Message)
	if cfg.Record != "" {
		if rec, err = openRecord(cfg.Record); err != nil {
			return Report{}, err
		}
		hook = func(m uplink.Message) {
			if lines, ok := m.Note.([]byte); ok {
				rec.add(lines)
			}
		}
	}
	pub, err := uplink.New(cfg.MQTT, hook, log)
	if err != nil {
		return Report{}, err
	}
	report, err := send(ctx, cfg, c, pub, log)
	if rec != nil {
		err = errors.Join(err, rec.close())
	}
	return report, err
}

// introduce registers all sensors, a bounded number with each request, and then the plan. Nobody is to expect more of them than
// cfg lets them send.
func introduce(ctx context.Context, cfg Config, c *city.City, r register.Registrar) error {
	stretch := max(1, stretched(cfg, c))
	for from := 0; from < len(c.Sensors()); from += cfg.ImportRows {
		to := min(from+cfg.ImportRows, len(c.Sensors()))
		var table bytes.Buffer
		if err := c.WriteCSV(&table, from, to, stretch); err != nil {
			return err
		}
		if err := r.Register(ctx, &table); err != nil {
			return fmt.Errorf("register sensors %d to %d of the city: %w", from+1, to, err)
		}
	}
	plan, err := c.GeoJSON()
	if err != nil {
		return err
	}
	if err := r.PutPlan(ctx, plan); err != nil {
		return fmt.Errorf("store the street plan of the city: %w", err)
	}
	return nil
}

// send runs the publisher beside the source, and waits for the last acknowledgements.
func send(ctx context.Context, cfg Config, c *city.City, pub *uplink.Publisher, log *slog.Logger) (Report, error) {
	connected, disconnect := context.WithCancel(context.WithoutCancel(ctx)) // outlives ctx by the grace
	defer disconnect()
	work, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	var refused error
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if refused = pub.Run(connected); refused != nil {
			giveUp(refused)
			disconnect()
		}
	}()
	begin := time.Now()
	err := newSource(cfg, c, pub, log).run(work)
	if err == nil {
		err = pub.Flush(work)
	}
	if ctx.Err() != nil { // stopped from outside: that is no fault, but some may still be on their way
		grace, cancel := context.WithTimeout(connected, cfg.Grace)
		err = pub.Flush(grace)
		cancel()
	}
	took := time.Since(begin)
	disconnect()
	<-ended
	if refused != nil {
		err = refused
	}
	n := pub.Counts()
	return Report{Messages: n.Messages, Readings: n.Readings, Unacknowledged: n.Waiting, Resent: n.Resent, Took: took}, err
}
