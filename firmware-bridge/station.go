package bridge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/clock"
	"github.com/lamppost-city/lamppost/firmware-bridge/control"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver"
	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
	"github.com/lamppost-city/lamppost/firmware-bridge/settings"
	"github.com/lamppost-city/lamppost/telemetry"
)

// station is one configured sensor: it opens it, reads it, opens it anew after faults, and remembers how it does. Nothing
// that the sensor does reaches another station, save over the bus that they share.
type station struct {
	cfg   settings.Sensor
	open  func(ctx context.Context) (driver.Sensor, error)
	lost  func() // the bus itself is gone, and has to be opened anew
	clock driver.Clock
	take  func(telemetry.SensorID, []driver.Measurement)
	// changed is called when State or Kind become others.
	changed func()
	log     *slog.Logger

	bus  *bus.Bus // that open has used last; only run's goroutine, and what it waits for, touches it
	rate rateLimit

	mu      sync.Mutex
	report  report
	flooded clock.Instant // when readings were left out last; 0 for never
	now     chan struct{} // capacity 1: read now
}

// report is what is known of a sensor.
type report struct {
	control.SensorReport
	lastGood clock.Instant
}

const (
	// mostFailures in a row, and the sensor is opened anew.
	mostFailures = 3
	// firstPause and longestPause bound the pause before a sensor is opened again after it could not be.
	firstPause   = time.Second
	longestPause = time.Minute
	// grace is how long a driver may go on after its time is up.
	grace = 500 * time.Millisecond
)

// run reads the sensor until ctx ends.
func (s *station) run(ctx context.Context) {
	s.sleep(ctx, rand.N(min(s.cfg.Every, time.Second))) // so that not all sensors are read in one moment
	pause := firstPause
	for ctx.Err() == nil {
		began := time.Now()
		err := s.once(ctx)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > longestPause {
			pause = firstPause // it had worked
		}
		s.failed(err)
		if k := fault.KindOf(err); k == fault.Lost || k == fault.Denied {
			s.lost()
		}
		s.sleep(ctx, pause/2+rand.N(pause))
		pause = min(2*pause, longestPause)
	}
}

// once opens the sensor and reads it until it has to be opened anew.
func (s *station) once(ctx context.Context) (err error) {
	var sensor driver.Sensor
	err = s.within(ctx, nil, func(ctx context.Context) (err error) {
		sensor, err = s.open(ctx)
		return err
	})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	heard := make(chan error, 1)
	if l, ok := sensor.(driver.Listener); ok {
		go func() {
			err := guard(func() error { return l.Listen(ctx, s.hear) })
			stop()
			heard <- err
		}()
	} else {
		heard <- nil
	}
	err = s.readOn(ctx, sensor)
	stop()
	return errors.Join(err, s.end(sensor, heard))
}

// end closes the sensor and waits for its listener, but not for ever.
func (s *station) end(sensor driver.Sensor, heard <-chan error) error {
	closed := make(chan error, 1)
	go func() { closed <- guard(sensor.Close) }()
	patience := time.NewTimer(s.cfg.Patience())
	defer patience.Stop()
	var err error
	for range 2 {
		select {
		case e := <-closed:
			if e != nil {
				s.log.Debug("sensor closed badly", "sensor", s.cfg.ID, "error", e)
			}
			closed = nil
		case e := <-heard:
			if !errors.Is(e, context.Canceled) {
				err = e
			}
			heard = nil
		case <-patience.C:
			return fault.New(fault.Timeout, errors.New("closing does not end"), "")
		}
	}
	return err
}

// readOn reads at the sensor's pace until it fails too often in a row, the sensor is gone, or ctx ends.
func (s *station) readOn(ctx context.Context, sensor driver.Sensor) error {
	_, listens := sensor.(driver.Listener)
	failures := 0
	for due := time.Now(); ; {
		var got []driver.Measurement
		err := s.within(ctx, sensor, func(ctx context.Context) (err error) {
			got, err = sensor.Read(ctx)
			return err
		})
		if ctx.Err() != nil {
			return nil //nolint:nilerr // the sensor is not to blame
		}
		if errors.Is(err, errHangs) {
			return err // got is still the driver's
		}
		if err = errors.Join(err, s.accept(got)); err == nil {
			failures = 0
			if len(got) > 0 || !listens {
				s.well()
			}
		} else {
			failures++
			if failures >= mostFailures || fault.KindOf(err) == fault.Lost {
				return err
			}
			s.failed(err)
		}
		// Readings that could not be taken in time are left out, not made up for.
		due = due.Add(s.cfg.Every)
		if late := time.Since(due); late > 0 {
			due = due.Add(late.Truncate(s.cfg.Every))
		}
		if early := s.sleep(ctx, time.Until(due)); early {
			due = time.Now()
		}
	}
}

// hear takes what a sensor says on its own.
func (s *station) hear(ms []driver.Measurement, wrong error) {
	if err := errors.Join(wrong, s.accept(ms)); err != nil {
		s.failed(err)
		return
	}
	s.well()
}

var errHangs = errors.New("the driver does not return")

// within runs f with the sensor's patience. Where f goes on for longer the station says so, closes the sensor to end it, and
// waits: a second call beside a hanging one would only hang too.
func (s *station) within(ctx context.Context, sensor driver.Sensor, f func(context.Context) error) error {
	patience := s.cfg.Patience()
	timed, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- guard(func() error { return f(timed) }) }()
	hang := time.NewTimer(patience + grace)
	defer hang.Stop()
	select {
	case err := <-done:
		if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
			err = fault.New(fault.Timeout, fmt.Errorf("no answer within %s: %w", patience, err), "look at supply and cable")
		}
		return err
	case <-hang.C:
	}
	s.hangs(patience)
	if sensor != nil {
		go func() { _ = guard(sensor.Close) }()
	}
	select {
	case err := <-done:
		return fault.New(fault.Timeout, errors.Join(errHangs, err), hangAdvice)
	case <-ctx.Done():
		// Whatever holds the driver, the process must be able to end.
		select {
		case err := <-done:
			return err
		case <-time.After(grace):
			return errHangs
		}
	}
}

const hangAdvice = "the bus may be stuck: look at supply and cable, or unplug the last device that was added"

// guard turns a panic of a driver into an error: one driver's mistake must not take the others with it.
func guard(f func() error) (err error) {
	defer func() {
		if caught := recover(); caught != nil {
			err = fmt.Errorf("the driver has a mistake in it: %v", caught)
		}
	}()
	return f()
}

// sleep returns early when somebody wants a reading now.
func (s *station) sleep(ctx context.Context, d time.Duration) (early bool) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return false
	case <-s.now:
		return true
	case <-ctx.Done():
		return false
	}
}

// readNow asks for a reading at once.
func (s *station) readNow() {
	select {
	case s.now <- struct{}{}:
	default:
	}
}

// accept checks measurements and hands the good ones on. It returns what was wrong with another.
func (s *station) accept(ms []driver.Measurement) error {
	if len(ms) == 0 {
		return nil
	}
	now := s.clock.Now()
	good := make([]driver.Measurement, 0, len(ms))
	var wrong error
	for _, m := range ms {
		if m.At == 0 {
			m.At = now
		}
		q, known := telemetry.QuantityByName(m.Quantity)
		if !known {
			wrong = fault.New(fault.Misconfigured, fmt.Errorf("quantity %q is not in the catalogue", m.Quantity), "")
			continue
		}
		if err := driver.Plausible(q, m.Value); err != nil {
			wrong = err
			continue
		}
		good = append(good, m)
	}
	s.mu.Lock()
	if n := s.rate.take(time.Duration(now), len(good)); n < len(good) {
		good = good[:n]
		s.flooded = now
		wrong = fault.New(fault.Other, fmt.Errorf("it floods: more than %d readings a second", mostReadings), "look which device sends so much; at a pin look for a loose contact, or set a debounce time")
	}
	s.report.Readings += uint64(len(good))
	s.mu.Unlock()
	if len(good) > 0 {
		s.take(s.cfg.ID, good)
	}
	return wrong
}

// well notes a reading without a fault. A flood lets some through each second, and is no less a fault for that.
func (s *station) well() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.report.lastGood = s.clock.Now()
	if s.flooded != 0 && s.report.lastGood.Sub(s.flooded) < floodStands {
		return
	}
	if s.report.State != control.Working {
		defer s.changed()
		s.log.Info("sensor works", "sensor", s.cfg.ID, "was", string(s.report.State))
	}
	s.report.State, s.report.Kind, s.report.Error, s.report.Advice = control.Working, "", "", ""
}

// failed notes a fault. The log tells of it when it is new.
func (s *station) failed(err error) {
	if err == nil {
		return
	}
	kind := fault.KindOf(err)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.report.State != control.Failing || s.report.Kind != kind {
		defer s.changed()
		s.log.Warn("sensor fails", "sensor", s.cfg.ID, "kind", string(kind), "error", err.Error(), "advice", fault.AdviceOf(err))
	}
	s.count(kind)
	s.report.State, s.report.Kind, s.report.Error, s.report.Advice = control.Failing, kind, err.Error(), fault.AdviceOf(err)
}

func (s *station) hangs(patience time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.changed()
	s.log.Error("sensor hangs", "sensor", s.cfg.ID, "patience", patience.String(), "advice", hangAdvice)
	s.count(fault.Timeout)
	s.report.State, s.report.Kind = control.Hanging, fault.Timeout
	s.report.Error, s.report.Advice = fmt.Sprintf("no answer within %s, and the driver does not return", patience), hangAdvice
}

func (s *station) count(kind fault.Kind) {
	if s.report.Faults == nil {
		s.report.Faults = make(map[fault.Kind]uint64)
	}
	s.report.Faults[kind]++
}

const (
	// mostReadings a second are taken from one sensor; a float that bounces must not fill the card.
	mostReadings = 1000
	// floodStands is how long a sensor that has flooded is not called well.
	floodStands = 10 * time.Second
)

// rateLimit counts by the second.
type rateLimit struct {
	second time.Duration
	taken  int
}

// take returns how many of n readings may be taken now.
func (r *rateLimit) take(now time.Duration, n int) int {
	if second := now.Truncate(time.Second); second != r.second {
		r.second, r.taken = second, 0
	}
	n = min(n, mostReadings-r.taken)
	r.taken += n
	return n
}

// snapshot copies the report.
func (s *station) snapshot() report {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.report
	r.Faults = maps.Clone(r.Faults)
	return r
}
