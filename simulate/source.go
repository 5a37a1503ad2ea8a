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
	now    stream                      // what sensors say in the present
	then   stream                      // what they said in the past
	past   *past                       // what is still to be sent of it; nil if nothing is
	spoken map[int]telemetry.UnixMilli // what has been sent of it beforehand
	topics []string
	first  uint64   // sequence number before the first one of every publisher
	sent   []uint32 // messages of each publisher so far

	total    uint64    // messages handed over
	deadline time.Time // zero without one
	told     time.Time
	message  telemetry.Message
	payload  []byte
}

// stream is messages that come in the order of their times, with the sins that fall upon them.
type stream struct {
	fleet fleet
	held  map[int][]uplink.Message
}

func newSource(cfg Config, c *city.City, pub *uplink.Publisher, log *slog.Logger) *source {
	meters := make([]bool, len(c.Sensors()))
	begin := func(sins string) stream {
		on, _ := parseSins(sins) // Validate has seen it
		return stream{fleet{seed: scatter(cfg.Seed, 77), on: on, meters: meters}, map[int][]uplink.Message{}}
	}
	s := &source{
		cfg: cfg, city: c, pub: pub, log: log, now: begin(cfg.Sins), then: begin(cfg.BackfillSins),
		topics: make([]string, len(c.Sensors())), sent: make([]uint32, len(c.Sensors())),
	}
	for i, sensor := range c.Sensors() {
		s.topics[i] = cfg.Root + "/" + string(sensor.ID) + "/readings"
		meters[i] = slices.ContainsFunc(sensor.Quantities, func(name string) bool {
			q, ok := telemetry.QuantityByName(name)
			return ok && q.Kind == telemetry.Counter
		})
	}
	return s
}

// natural is how many messages a second a city sends at its own cadences.
func natural(c *city.City) float64 {
	sum := 0.0
	for _, sensor := range c.Sensors() {
		sum += 1 / sensor.Cadence.Seconds()
	}
	return sum
}

// stretched is by what a city's cadences are multiplied to give the rate.
func stretched(cfg Config, c *city.City) float64 {
	if cfg.Rate <= 0 {
		return 1
	}
	return natural(c) / cfg.Rate
}

// everyTimes is each sensor's cadence times factor, in microseconds.
func (s *source) everyTimes(factor float64) []int64 {
	every := make([]int64, len(s.topics))
	for i, sensor := range s.city.Sensors() {
		every[i] = max(int64(sensor.Cadence.Seconds()*factor*1e6), 1000) // a millisecond, or two would have one time
	}
	return every
}

func (s *source) phase(i int) float64 { return fraction(s.now.fleet.seed, uint64(i)) }

func (s *source) run(ctx context.Context) error {
	now := time.Now()
	s.first, s.told = uint64(now.Unix())<<runBits, now
	if s.cfg.For > 0 {
		s.deadline = now.Add(s.cfg.For)
	}
	if s.cfg.Backfill > 0 {
		s.past = s.newPast(now, s.everyTimes(stretched(s.cfg, s.city)))
	}
	for s.cfg.BackfillRate == 0 && s.past != nil {
		if err := s.recall(ctx, now); err != nil {
			return err
		}
	}
	if err := s.present(ctx, now); err != nil {
		return err
	}
	return s.release(ctx, &s.now)
}

// recall sends the next message of the past.
func (s *source) recall(ctx context.Context, began time.Time) error {
	sensor, at, ok := s.past.take()
	if ok && (s.cfg.Count == 0 || s.total < s.cfg.Count) {
		if s.spoken[sensor] == at {
			return nil
		}
		return s.report(ctx, &s.then, sensor, at)
	}
	s.past = nil
	s.log.Info("past sent", "from", began.Add(-s.cfg.Backfill).UTC(), "took_ms", time.Since(began).Milliseconds(), "messages", s.total)
	return s.release(ctx, &s.then)
}

// present sends what comes after the backfill: in real time everything that is due before the deadline, late or not; at
// rate 0, which has no present, as much as can be sent before it. Beside a backfill it begins with the report that each sensor
// made last, so that all of them are seen at once.
func (s *source) present(ctx context.Context, now time.Time) error {
	if s.cfg.Rate == 0 {
		return s.follow(ctx, newSchedule(now.Add(-s.before()).UnixMicro(), s.everyTimes(1), s.phase), 0)
	}
	until := int64(0)
	if !s.deadline.IsZero() {
		until = s.deadline.UnixMicro()
		s.deadline = time.Time{}
	}
	phase := s.phase
	if s.cfg.Backfill > 0 {
		phase = func(i int) float64 { return s.phase(i) - 1 }
	}
	plan := newSchedule(now.UnixMicro(), s.everyTimes(stretched(s.cfg, s.city)), phase)
	if s.past != nil {
		if err := s.speakFirst(ctx, plan); err != nil {
			return err
		}
	}
	return s.follow(ctx, plan, until)
}

// speakFirst sends what is wanted at once: the newest report of every sensor, also of those that are silent now, and then a
// glance at the hour before, the newest first. Nobody's past comes before its newest report.
func (s *source) speakFirst(ctx context.Context, plan *schedule) error {
	s.spoken = map[int]telemetry.UnixMilli{}
	s.past.glanceAt(plan)
	for _, d := range plan.heap {
		silent := func(at int64) bool { return s.now.fleet.silent(d.sensor, telemetry.UnixMilli(at/1000)) }
		at := d.at
		for silent(at) && at > d.at-recentPast.Microseconds() {
			at -= plan.every[d.sensor]
		}
		if silent(at) {
			continue
		}
		s.spoken[d.sensor] = telemetry.UnixMilli(at / 1000)
		if err := s.report(ctx, &s.now, d.sensor, s.spoken[d.sensor]); err != nil {
			return err
		}
	}
	for n := int64(1); n < 2*int64(recentPast/glance); n++ { // none are less than half a glance apart
		for i := range s.topics {
			back := n * s.past.apart[i]
			at := telemetry.UnixMilli((s.past.newest[i] - back) / 1000)
			if back >= recentPast.Microseconds() || at == s.spoken[i] {
				continue
			}
			if err := s.report(ctx, &s.then, i, at); err != nil {
				return err
			}
		}
	}
	return nil
}

// fastest is more messages a second than any broker on one machine acknowledges.
const fastest = 100_000

// before is how long before now a run at rate 0 begins.
func (s *source) before() time.Duration {
	messages := float64(s.cfg.Count)
	if s.cfg.Count == 0 {
		if s.cfg.For == 0 {
			return 365 * 24 * time.Hour
		}
		messages = fastest * s.cfg.For.Seconds()
	}
	if s.now.fleet.on[Silence] || s.now.fleet.on[Burst] {
		messages *= 1.1 // some of them are not sent
	}
	// Each sensor reports once in each of its cadences, but its first report comes somewhere in the first one.
	seconds := (messages + float64(len(s.topics))) / natural(s.city)
	return time.Duration(min(seconds, 50*365*24*3600) * float64(time.Second))
}

// follow sends what the schedule says, not before its time, until the time until (0: none), the count or the deadline; and in
// between what is still to be sent of the past.
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
			if s.past != nil {
				pause := s.past.due(now)
				if pause <= 0 {
					if err := s.recall(ctx, s.past.began); err != nil {
						return err
					}
					continue
				}
				wait = min(wait, pause)
			}
			timer.Reset(wait)
			select {
			case <-timer.C:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
			continue
		}
		if at := telemetry.UnixMilli(d.at / 1000); s.spoken[d.sensor] != at || s.spoken == nil {
			if err := s.report(ctx, &s.now, d.sensor, at); err != nil {
				return err
			}
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
func (s *source) report(ctx context.Context, of *stream, i int, at telemetry.UnixMilli) error {
	if of.fleet.silent(i, at) {
		return nil
	}
	m := s.compose(&of.fleet, i, at)
	overtaken := of == &s.now && s.past != nil // whatever it held back, its past would come before, with higher numbers
	if _, cut := of.fleet.cutOff(i, at); cut && !overtaken {
		of.held[i] = append(of.held[i], m)
		return nil
	}
	if late, ok := of.held[i]; ok {
		delete(of.held, i)
		for _, m := range late {
			if err := s.publish(ctx, m); err != nil {
				return err
			}
		}
	}
	if of.fleet.twice(i, at) {
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
func (s *source) compose(of *fleet, i int, at telemetry.UnixMilli) uplink.Message {
	sensor := &s.city.Sensors()[i]
	seen := at
	if stuck, ok := of.frozen(i, at); ok {
		seen = stuck
	}
	m := &s.message
	m.Reset()
	m.Readings = s.city.Readings(m.Readings, i, seen)
	said := of.clock(i, at)
	for k := range m.Readings {
		m.Readings[k].Measured = said
	}
	of.drift(i, at, m.Readings)
	s.sent[i]++
	m.Seq, m.HasSeq = s.first+uint64(s.sent[i]), true
	s.payload = encode(s.payload[:0], s.cfg.Format.of(i), m, sensor.ID)
	out := uplink.Message{Topic: s.topics[i], Readings: len(m.Readings)}
	if trash, ok := of.garbage(i, at, s.payload, sensor.ID); ok {
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

// release sends what sensors without a connection still hold at the end of a stream.
func (s *source) release(ctx context.Context, of *stream) error {
	for i := range s.topics { // in order, so that a run can be repeated
		for _, m := range of.held[i] {
			if err := s.publish(ctx, m); err != nil {
				return err
			}
		}
		delete(of.held, i)
	}
	return nil
}
