// Package pulse counts pulses at a GPIO pin: energy meters with an S0 output, tipping buckets, inductive loops, water meters,
// anemometers.
//
// What a pulse is comes from the options: 1000 pulses per kWh of energy_import, 0.2 mm of precipitation, one vehicle of
// intensity. A counter's total goes on over restarts and power cuts; a count is that of the period since the reading before;
// a level (wind_speed) comes from pulses per second. A total is dated with the edge of its last pulse, if there was one since
// the reading before.
//
//	edges ──► package edge: debounce ──► max_rate ──► tally ──► Read
//	                                                    └──► State, once a minute and at the end
//
// S0: DIN 43864, IEC 62053-31: a passive, polarised output whose pulses and pauses last 30 ms at the least. The standard's loop
// carries milliamperes, the board's own pull-up some fifty microamperes: most meters switch that well, a long cable wants a
// resistor of 1 to 2 kΩ to 3.3 V. Which it takes, only the meter in question tells.
package pulse

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"periph.io/x/conn/v3/gpio"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/clock"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver"
	"github.com/lamppost-city/lamppost/firmware-bridge/edge"
	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
	"github.com/lamppost-city/lamppost/firmware-bridge/simbus"
	"github.com/lamppost-city/lamppost/telemetry"
)

// Driver describes it.
func Driver() driver.Driver {
	return driver.Driver{
		Name:  "pulse",
		Title: "Pulse counter: S0 energy meter, rain gauge, inductive loop, anemometer",
		Bus:   bus.GPIO,
		Options: func() driver.Options {
			return &Options{Edge: falling, Pull: "up", Debounce: 5 * time.Millisecond, MaxRate: 20}
		},
		Open:     open,
		Simulate: simulate,
		Example: `id: cabinet-7-meter
driver: pulse
bus: gpio
every: 1m
options:
  pin: GPIO17
  quantity: energy_import
  unit: kWh
  pulses_per_unit: 1000
  rate:
    quantity: active_power
    unit: kW
`,
	}
}

// sensor counts from open to Close, whether it is read or not.
type sensor struct {
	*Options
	setup driver.Setup
	pin   bus.Pin
	kind  telemetry.Kind

	stop context.CancelFunc
	done sync.WaitGroup
	once sync.Once

	saving sync.Mutex // held while the state is written, by one at a time

	mu      sync.Mutex
	tally   tally
	pace    pace
	bucket  *edge.Bucket
	noise   int   // edges and pulses too fast to count, since the last Read
	torn    error // what was wrong with the saved state; told once
	unsaved error // what went wrong with a save, after some that went well; told once
	failing bool  // the last save went wrong
	broken  error // what ended the watch of the pin

	newest   clock.Instant // the newest pulse
	dated    clock.Instant // of the last total that was told
	asked    clock.Instant // when Read was called last
	askedNow uint64        // and what the count was
}

func open(_ context.Context, s driver.Setup) (driver.Sensor, error) {
	o := s.Options.(*Options)
	q, ok := telemetry.QuantityByName(o.Quantity)
	if !ok {
		return nil, fmt.Errorf("quantity %q is not in the catalogue", o.Quantity)
	}
	saved, err := s.State.Load()
	if err != nil {
		return nil, fmt.Errorf("load the count: %w", err)
	}
	begin, torn := decode(saved)
	if torn != nil {
		s.Log.Error("the saved count is damaged; counting from zero", "state_bytes", len(saved))
	}
	pin, err := s.Bus.Pins.Pin(o.Pin)
	if err != nil {
		return nil, err
	}
	if err := pin.In(pulls()[o.Pull], gpio.BothEdges); err != nil {
		return nil, errors.Join(err, pin.Halt())
	}
	now := s.Clock.Now()
	p := &sensor{
		Options: o, setup: s, pin: pin, kind: q.Kind, torn: torn,
		bucket: edge.NewBucket(o.MaxRate), pace: pace{began: now}, asked: now, askedNow: begin.counted, dated: now,
	}
	p.tally.load(begin)
	ctx, stop := context.WithCancel(context.Background())
	p.stop = stop
	watch := edge.Watch{Pin: pin, Debounce: o.Debounce, Clock: s.Clock, Changed: p.changed, Noise: p.noisy}
	p.done.Go(func() {
		err := watch.Run(ctx)
		p.mu.Lock()
		defer p.mu.Unlock()
		p.broken = err
	})
	if p.kind != telemetry.Gauge {
		p.done.Go(func() { p.keep(ctx) })
	}
	return p, nil
}

func (p *sensor) changed(c edge.Change) {
	if bool(c.Level) != (p.Edge == rising) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.bucket.Take(c.At) {
		p.noise++
		return
	}
	p.tally.counted++
	p.newest = c.At
	p.pace.pulse(c.At)
}

func (p *sensor) noisy(edges int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.noise += edges
}

// keep saves the count between readings that are far apart.
func (p *sensor) keep(ctx context.Context) {
	tick := time.NewTicker(saveEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		p.mu.Lock()
		now := p.setup.Clock.Now()
		changed := p.tally.counted != p.tally.saved.counted
		readSoon := now.Sub(p.asked) > p.setup.Every-saveEvery-hurry // that will save it
		p.mu.Unlock()
		if changed && !readSoon {
			p.save(false)
		}
	}
}

// save writes the count down, at once or if the last time is a minute ago.
//
// What goes wrong is told by the next Read, but not again while it stays wrong: the sensor would be opened anew, and the count
// lost that is nowhere but here.
func (p *sensor) save(atOnce bool) {
	p.saving.Lock()
	defer p.saving.Unlock()
	p.mu.Lock()
	now := p.setup.Clock.Now()
	if !atOnce && !p.tally.mayBeSaved(now) {
		p.mu.Unlock()
		return
	}
	r := p.tally.period()
	switch {
	case p.kind == telemetry.Counter && (atOnce || p.setup.Every >= saveEvery):
		r = p.tally.exact()
	case p.kind == telemetry.Counter:
		r = p.tally.promise()
	}
	p.mu.Unlock()
	err := p.setup.State.Save(r.encode())
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil {
		p.tally.keep(r, now)
		p.failing = false
		return
	}
	p.tally.savedAt, p.tally.savedSince = now, true // not again before a minute is over
	if p.kind == telemetry.Counter {
		p.tally.ceiling = r.told // better to go back after a power cut than to stand still now
	}
	if !p.failing {
		p.failing = true
		p.unsaved = fault.New(fault.Other, fmt.Errorf("save the count: %w", err), "the card does not take the count: a restart would lose what comes from now on")
	}
}

// Read returns what has been counted, and the rate if it is asked for.
func (p *sensor) Read(context.Context) ([]driver.Measurement, error) {
	p.mu.Lock()
	if torn := p.torn; torn != nil {
		p.torn = nil
		p.mu.Unlock()
		return nil, fault.New(fault.Garbled, torn, "counting begins at 0: set offset to what the device shows")
	}
	if p.broken != nil {
		defer p.mu.Unlock()
		return nil, p.broken
	}
	wanted := p.kind == telemetry.Counter && p.tally.counted != p.tally.saved.counted
	p.mu.Unlock()
	if wanted {
		p.save(false)
	}
	all, err := p.measure()
	if p.kind == telemetry.Count {
		p.saveTold()
	}
	return all, errors.Join(err, p.failedToSave())
}

func (p *sensor) failedToSave() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	err := p.unsaved
	p.unsaved = nil
	return err
}

// saveTold saves what was told by the period. If the last save was of pulses that had not been told yet it has to be at once,
// or they would come again after a power cut.
func (p *sensor) saveTold() {
	p.mu.Lock()
	changed := p.tally.period() != p.tally.saved
	twice := p.tally.saved.told < min(p.tally.saved.counted, p.tally.told)
	p.mu.Unlock()
	if changed {
		p.save(twice)
	}
}

func (p *sensor) measure() (all []driver.Measurement, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.setup.Clock.Now()
	var faults []error
	add := func(m driver.Measurement, err error) {
		if err != nil {
			faults = append(faults, err)
			return
		}
		all = append(all, m)
	}
	switch p.kind {
	case telemetry.Counter:
		m, err := p.Options.measure(float64(min(p.tally.total(), p.tally.ceiling)))
		m.At = now
		if p.newest > p.dated && p.newest <= now {
			m.At = p.newest
		}
		p.dated = m.At
		add(m, err)
	case telemetry.Count:
		m, err := p.Options.measure(float64(p.tally.counted - min(p.tally.told, p.tally.counted)))
		p.tally.told = p.tally.counted
		add(m, err)
	default:
		if passed := now.Sub(p.asked); passed > 0 {
			add(p.Options.measure(float64(p.tally.counted-p.askedNow) / passed.Seconds()))
		}
	}
	p.asked, p.askedNow = now, p.tally.counted
	if perSecond, known := p.pace.perSecond(now); known && p.Rate.Quantity != "" {
		add(p.Rate.Measure(perSecond * time.Hour.Seconds() * p.perPulse()))
	}
	if p.noise > 0 {
		faults = append(faults, fault.New(fault.Garbled, fmt.Errorf("%d edges came faster than %g pulses a second, and were not counted", p.noise, p.MaxRate),
			"look for a loose or unscreened cable, and set a longer debounce time; if the device is that fast, raise max_rate"))
		p.noise = 0
	}
	return all, errors.Join(faults...)
}

// Close saves the count and gives the pin back.
func (p *sensor) Close() (err error) {
	p.once.Do(func() {
		p.stop()
		err = p.pin.Halt()
		p.done.Wait()
		p.mu.Lock()
		r := p.tally.period()
		if p.kind == telemetry.Counter {
			r = p.tally.exact()
		}
		changed := r != p.tally.saved
		p.failing, p.unsaved = false, nil
		p.mu.Unlock()
		if changed && p.kind != telemetry.Gauge {
			p.save(true)
			err = errors.Join(err, p.failedToSave())
		}
	})
	return err
}

// simulate drives the pin: a pulse of 40 ms every 1.5 to 4.5 s.
func simulate(s driver.Setup, on *simbus.Bus) error {
	o := s.Options.(*Options)
	idle := gpio.Level(o.Edge == falling)
	wave := simbus.Wave{Mean: 3, Swing: 1.5, Period: 10 * time.Minute, Phase: simbus.Phase(string(s.Sensor))}
	line := on.Pins.Line(o.Pin)
	line.Set(idle)
	within := false
	line.Follow(func(after time.Duration) (time.Duration, gpio.Level) {
		within = !within
		if within {
			return after + time.Duration(wave.At(after)*float64(time.Second)), !idle
		}
		return after + 40*time.Millisecond, idle
	})
	return nil
}
