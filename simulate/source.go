package simulate

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/lamppost-city/lamppost/firmware-bridge/uplink"
	"github.com/lamppost-city/lamppost/simulate/city"
	"github.com/lamppost-city/lamppost/telemetry"
)

// runBits leave two million sequence numbers for each second.
const runBits = 21

// source makes messages and hands them to the publisher.
type source struct {
	cfg    Config
	city   *city.City
	pub    *uplink.Publisher
	log    *slog.Logger
	fleet  fleet
	topics []string
	first  uint64   // sequence number before the first one of every publisher
	sent   []uint32 // messages of each publisher so far
	held   map[int][]uplink.Message

	total    uint64    // messages handed over
	deadline time.Time // zero without one
	told     time.Time
	message  telemetry.Message
	payload  []byte
}

func newSource(cfg Config, c *city.City, pub *uplink.Publisher, log *slog.Logger) *source {
	on, _ := parseSins(cfg.Sins) // Validate has seen it
	s := &source{
		cfg: cfg, city: c, pub: pub, log: log,
		fleet:  fleet{seed: scatter(cfg.Seed, 77), on: on, meters: make([]bool, len(c.Sensors()))},
		topics: make([]string, len(c.Sensors())), sent: make([]uint32, len(c.Sensors())), held: map[int][]uplink.Message{},
	}
	for i, sensor := range c.Sensors() {
		s.topics[i] = cfg.Root + "/" + string(sensor.ID) + "/readings"
		s.fleet.meters[i] = slices.ContainsFunc(sensor.Quantities, func(name string) bool {
			q, ok := telemetry.QuantityByName(name)
			return ok && q.Kind == telemetry.Counter
		})
	}
	return s
}

// natural is how many messages a second the city sends at its own cadences.
func (s *source) natural() float64 {
	sum := 0.0
	for _, sensor := range s.city.Sensors() {
		sum += 1 / sensor.Cadence.Seconds()
	}
	return sum
}

// everyTimes is each sensor's cadence times factor, in microseconds.
func (s *source) everyTimes(factor float64) []int64 {
	every := make([]int64, len(s.topics))
	for i, sensor := range s.city.Sensors() {
		every[i] = max(int64(sensor.Cadence.Seconds()*factor*1e6), 1000) // a millisecond, or two would have one time
	}
	return every
}

func (s *source) phase(i int) float64 { return fraction(s.fleet.seed, uint64(i)) }

func (s *source) run(ctx context.Context) error {
	now := time.Now()
	s.first, s.told = uint64(now.Unix())<<runBits, now
	if s.cfg.For > 0 {
		s.deadline = now.Add(s.cfg.For)
	}
	if s.cfg.Backfill > 0 {
		recent := min(s.cfg.Backfill, recentPast)
		if err := s.backfill(ctx, now.Add(-s.cfg.Backfill), now.Add(-recent), s.cfg.BackfillStep); err != nil {
			return err
		}
		if err := s.backfill(ctx, now.Add(-recent), now, min(s.cfg.BackfillStep, recentStep)); err != nil {
			return err
		}
		s.log.Info("past sent", "from", now.Add(-s.cfg.Backfill).UTC(), "messages", s.total)
	}
	if err := s.present(ctx, now); err != nil {
		return err
	}
	return s.release(ctx)
}

// The newest part of a backfill is denser, because it is what charts show first.
const (
	recentPast = time.Hour
	recentStep = time.Minute
)

// backfill sends a stretch of the past in which every sensor reports once in each step.
func (s *source) backfill(ctx context.Context, from, to time.Time, step time.Duration) error {
	every := make([]int64, len(s.topics))
	for i := range every {
		every[i] = step.Microseconds()
	}
	return s.follow(ctx, newSchedule(from.UnixMicro(), every, s.phase), to.UnixMicro())
}

// present sends what comes after the backfill: in real time everything that is due before the deadline, late or not; at
// rate 0, which has no present, as much as can be sent before it.
func (s *source) present(ctx context.Context, now time.Time) error {
	if s.cfg.Rate == 0 {
		return s.follow(ctx, newSchedule(now.Add(-s.past()).UnixMicro(), s.everyTimes(1), s.phase), 0)
	}
	until := int64(0)
	if !s.deadline.IsZero() {
		until = s.deadline.UnixMicro()
		s.deadline = time.Time{}
	}
	return s.follow(ctx, newSchedule(now.UnixMicro(), s.everyTimes(s.stretch()), s.phase), until)
}

// stretch is by what the cadences are multiplied to give the rate.
func (s *source) stretch() float64 {
	if s.cfg.Rate <= 0 {
		return 1
	}
	return s.natural() / s.cfg.Rate
}

// fastest is more messages a second than any broker on one machine acknowledges.
const fastest = 100_000

// past is how long before now a run at rate 0 begins.
func (s *source) past() time.Duration {
	messages := float64(s.cfg.Count)
	if s.cfg.Count == 0 {
		if s.cfg.For == 0 {
			return 365 * 24 * time.Hour
		}
		messages = fastest * s.cfg.For.Seconds()
	}
	if s.fleet.on[Silence] || s.fleet.on[Burst] {
		messages *= 1.1 // some of them are not sent
	}
	// Each sensor reports once in each of its cadences, but its first report comes somewhere in the first one.
	seconds := (messages + float64(len(s.topics))) / s.natural()
	return time.Duration(min(seconds, 50*365*24*3600) * float64(time.Second))
}

// follow sends what the schedule says, not before its time, until the time until (0: none), the count or the deadline.
func (s *source) follow(ctx context.Context, plan *schedule, until int64) error {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		d, now := plan.first(), time.Now()
		if until != 0 && d.at >= until || s.cfg.Count != 0 && s.total >= s.cfg.Count || !s.deadline.IsZero() && !now.Before(s.deadline) {
			return nil
		}
		s.tell(now)
		if wait := time.Duration(d.at-now.UnixMicro()) * time.Microsecond; wait > 0 {
			if !s.deadline.IsZero() {
				wait = min(wait, s.deadline.Sub(now))
			}
			timer.Reset(wait)
			select {
			case <-timer.C:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
			continue
		}
		if err := s.report(ctx, d.sensor, telemetry.UnixMilli(d.at/1000)); err != nil {
			return err
		}
		plan.advance()
	}
}

// tellEvery is how often the log says how far a run is.
const tellEvery = 30 * time.Second

func (s *source) tell(now time.Time) {
	if now.Sub(s.told) < tellEvery {
		return
	}
	s.told = now
	n := s.pub.Counts()
	s.log.Info("simulating", "sent", s.total, "acknowledged", n.Messages, "waiting", n.Waiting)
}

// report sends what a sensor has to say at a time, if anything.
func (s *source) report(ctx context.Context, i int, at telemetry.UnixMilli) error {
	if s.fleet.silent(i, at) {
		return nil
	}
	m := s.compose(i, at)
	if _, cut := s.fleet.cutOff(i, at); cut {
		s.held[i] = append(s.held[i], m)
		return nil
	}
	if late, ok := s.held[i]; ok {
		delete(s.held, i)
		for _, m := range late {
			if err := s.publish(ctx, m); err != nil {
				return err
			}
		}
	}
	if s.fleet.twice(i, at) {
		again := m
		again.Readings, again.Note = 0, nil // the same readings: they are recorded and counted once
		if err := s.publish(ctx, m); err != nil {
			return err
		}
		return s.publish(ctx, again)
	}
	return s.publish(ctx, m)
}

// compose makes the message of a sensor at a time.
func (s *source) compose(i int, at telemetry.UnixMilli) uplink.Message {
	sensor := &s.city.Sensors()[i]
	seen := at
	if stuck, ok := s.fleet.frozen(i, at); ok {
		seen = stuck
	}
	m := &s.message
	m.Reset()
	m.Readings = s.city.Readings(m.Readings, i, seen)
	said := s.fleet.clock(i, at)
	for k := range m.Readings {
		m.Readings[k].Measured = said
	}
	s.fleet.drift(i, at, m.Readings)
	s.sent[i]++
	m.Seq, m.HasSeq = s.first+uint64(s.sent[i]), true
	s.payload = encode(s.payload[:0], s.cfg.Format.of(i), m, sensor.ID)
	out := uplink.Message{Topic: s.topics[i], Readings: len(m.Readings)}
	if trash, ok := s.fleet.garbage(i, at, s.payload, sensor.ID); ok {
		out.Payload, out.Readings = append([]byte(nil), trash...), 0
		return out
	}
	out.Payload = append([]byte(nil), s.payload...)
	if s.cfg.Record != "" {
		out.Note = appendRecord(nil, m)
	}
	return out
}

// publish hands a message over, unless the count is reached.
func (s *source) publish(ctx context.Context, m uplink.Message) error {
	if s.cfg.Count != 0 && s.total >= s.cfg.Count {
		return nil
	}
	s.total++
	return s.pub.Publish(ctx, m)
}

// release sends what sensors without a connection still hold at the end.
func (s *source) release(ctx context.Context) error {
	for i := range s.topics { // in order, so that a run can be repeated
		for _, m := range s.held[i] {
			if err := s.publish(ctx, m); err != nil {
				return err
			}
		}
		delete(s.held, i)
	}
	return nil
}
