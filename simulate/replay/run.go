package replay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/lamppost-city/lamppost/firmware-bridge/uplink"
	"github.com/lamppost-city/lamppost/simulate/register"
	"github.com/lamppost-city/lamppost/telemetry"
)

// Run reads all recordings, registers their sensors where cfg.HTTP names an API, and sends every value that is there, in the
// order of the measured times. It ends when all is acknowledged; when ctx ends first, after cfg.Grace at the latest. The report
// is right also where there is an error.
func Run(ctx context.Context, cfg Config, log *slog.Logger) (Report, error) {
	if err := cfg.Validate(); err != nil {
		return Report{}, err
	}
	recordings, err := open(cfg.Paths)
	if err != nil {
		return Report{}, err
	}
	report, err := survey(recordings, cfg.SkipBadRows)
	if err != nil {
		return report, err
	}
	sensors, err := sensorsOf(recordings)
	if err != nil {
		return report, err
	}
	if cfg.HTTP.URL != "" {
		if err := enrol(ctx, cfg.HTTP, sensors, log); err != nil {
			return report, err
		}
		log.Info("sensors registered", "sensors", len(sensors))
	}
	pub, err := uplink.New(cfg.MQTT, nil, log)
	if err != nil {
		return report, err
	}
	return send(ctx, cfg, recordings, pub, report)
}

// survey adds up what reading has found; bad rows are an error unless they may be skipped.
func survey(all []*recording, skip bool) (Report, error) {
	const most = 10
	report := Report{Files: len(all)}
	var bad []error
	for _, r := range all {
		report.Missing += r.missing
		report.Replaced += r.replaced
		report.BadRows += len(r.bad)
		bad = append(bad, r.bad...)
	}
	if skip || len(bad) == 0 {
		return report, nil
	}
	if len(bad) > most {
		bad = append(bad[:most:most], fmt.Errorf("and %d more rows", len(bad)-most))
	}
	return report, fmt.Errorf("rows that cannot be read, nothing was sent (skip_bad_rows leaves them out):\n%w", errors.Join(bad...))
}

func enrol(ctx context.Context, cfg register.Config, sensors []Sensor, log *slog.Logger) error {
	api, err := register.NewHTTP(cfg, log)
	if err != nil {
		return err
	}
	defer api.Close()
	table, err := tableOf(sensors)
	if err != nil {
		return err
	}
	if err := api.Register(ctx, table); err != nil {
		return fmt.Errorf("register %d sensors of the recordings: %w", len(sensors), err)
	}
	return nil
}

// send runs the publisher beside the player, and waits for the last acknowledgements.
func send(ctx context.Context, cfg Config, all []*recording, pub *uplink.Publisher, report Report) (Report, error) {
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
	err := newPlayer(cfg, all, pub).run(work)
	if err == nil {
		err = pub.Flush(work)
	}
	if ctx.Err() != nil { // stopped from outside: what is on its way may still arrive
		grace, cancel := context.WithTimeout(connected, cfg.Grace)
		err = errors.Join(context.Cause(ctx), pub.Flush(grace))
		cancel()
	}
	report.Took = time.Since(begin)
	disconnect()
	<-ended
	if refused != nil {
		err = refused
	}
	n := pub.Counts()
	report.Messages, report.Readings, report.Unacknowledged, report.Resent = n.Messages, n.Readings, n.Waiting, n.Resent
	return report, err
}

// player sends the rows of several recordings as one stream.
type player struct {
	cfg  Config
	all  []*recording
	pub  *uplink.Publisher
	next []int // row of each recording that comes next
	seq  map[telemetry.SensorID]uint64
}

func newPlayer(cfg Config, all []*recording, pub *uplink.Publisher) *player {
	// Sequence numbers begin at the Unix time in microseconds, so that they do not go back when a recording is sent again.
	first := uint64(time.Now().UnixMicro())
	p := &player{cfg: cfg, all: all, pub: pub, next: make([]int, len(all)), seq: map[telemetry.SensorID]uint64{}}
	for _, r := range all {
		for _, s := range r.mapping.Sensors {
			p.seq[s.ID] = first
		}
	}
	return p
}

// earliest finds the recording whose next row is the oldest of all; recordings are few, so it looks at each.
func (p *player) earliest() (which int, at telemetry.UnixMilli, ok bool) {
	for i, r := range p.all {
		if p.next[i] == len(r.rows) {
			continue
		}
		if t := r.rows[p.next[i]].at; !ok || t < at {
			which, at, ok = i, t, true
		}
	}
	return which, at, ok
}

func (p *player) run(ctx context.Context) error {
	begin := time.Now()
	_, origin, _ := p.earliest()
	for {
		which, at, ok := p.earliest()
		if !ok {
			return nil
		}
		if p.cfg.Speed > 0 {
			due := time.Duration(float64(at-origin) / p.cfg.Speed * float64(time.Millisecond))
			if err := wait(ctx, due-time.Since(begin)); err != nil {
				return err
			}
		}
		r := p.all[which]
		if err := p.row(ctx, r, r.rows[p.next[which]]); err != nil {
			return err
		}
		p.next[which]++
	}
}

// row sends what a row holds: one message for each sensor that has a value in it.
func (p *player) row(ctx context.Context, r *recording, w row) error {
	values := r.of(w)
	for i := range r.mapping.Sensors {
		id := r.mapping.Sensors[i].ID
		payload, readings := encode(r.mapping.Columns, values, id, w.at, p.seq[id]+1)
		if readings == 0 {
			continue
		}
		p.seq[id]++
		m := uplink.Message{Topic: p.cfg.Root + "/" + string(id) + "/readings", Payload: payload, Readings: readings}
		if err := p.pub.Publish(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

func wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
