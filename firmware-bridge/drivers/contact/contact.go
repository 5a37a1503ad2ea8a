// Package contact reads a contact at a GPIO pin: the reed of a door, a flood float, the tamper switch of a cabinet, the
// output of a smoke or motion detector.
//
// Each change is delivered when it comes, dated with its first edge; Read gives the present state, so that the city knows that
// the sensor lives while nothing changes.
package contact

import (
	"context"
	"errors"
	"fmt"
	"strings"
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

// Options of one contact.
type Options struct {
	// Pin is a line's name ("GPIO17") or its number on the chip ("17").
	Pin string `mapstructure:"pin"`
	// Pull is the board's own resistor: up for a contact to ground, down or none.
	Pull string `mapstructure:"pull"`
	// Debounce is how long a level has to stay to count, 0 to 10s. A float in waves wants a second or more.
	Debounce time.Duration `mapstructure:"debounce"`
	// Quantity is a state of the catalogue with two values: door, flood, tamper, smoke, motion ...
	Quantity string `mapstructure:"quantity"`
	// Channel tells alike contacts of one sensor apart.
	Channel string `mapstructure:"channel"`
	// Inverted is for the contact whose low level is the second state (flooded, open). Without it that is the high level: the
	// reed of a door, which pulls the pin down while the door is closed.
	Inverted bool `mapstructure:"inverted"`
	// MaxChanges is how many changes a minute are delivered at most, 1 to 6000. What comes faster is a loose contact: it is left
	// out and named.
	MaxChanges float64 `mapstructure:"max_changes"`
}

// Validate says all that is wrong, each with its key.
func (o *Options) Validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if o.Pin == "" {
		fault("pin: is empty; say which pin the contact is at, such as GPIO17")
	}
	if _, ok := pulls()[o.Pull]; !ok {
		fault("pull: %q is none of up, down and none", o.Pull)
	}
	if o.Debounce < 0 || o.Debounce > 10*time.Second {
		fault("debounce: %s is outside 0s to 10s", o.Debounce)
	}
	if q, ok := telemetry.QuantityByName(o.Quantity); !ok || len(q.States) != 2 {
		fault("quantity: %q is no state with two values; use one of %s", o.Quantity, strings.Join(twoStates(), ", "))
	}
	if err := telemetry.CheckChannel(o.Channel); err != nil {
		fault("channel: %w", err)
	}
	if !(o.MaxChanges >= 1 && o.MaxChanges <= 6000) {
		fault("max_changes: %g is outside 1 to 6000 a minute", o.MaxChanges)
	}
	return errors.Join(faults...)
}

func pulls() map[string]gpio.Pull {
	return map[string]gpio.Pull{"up": gpio.PullUp, "down": gpio.PullDown, "none": gpio.Float}
}

func twoStates() []string {
	var names []string
	all := telemetry.Quantities()
	for i := range all {
		if len(all[i].States) == 2 {
			names = append(names, all[i].Name)
		}
	}
	return names
}

// Driver describes it.
func Driver() driver.Driver {
	return driver.Driver{
		Name:  "contact",
		Title: "Contact: door, flood float, tamper switch, smoke or motion detector",
		Bus:   bus.GPIO,
		Options: func() driver.Options {
			return &Options{Pull: "up", Debounce: 50 * time.Millisecond, MaxChanges: 120}
		},
		Open:     open,
		Simulate: simulate,
		Example: `id: cabinet-7-door
driver: contact
bus: gpio
every: 10m
options:
  pin: GPIO27
  quantity: door
`,
	}
}

type sensor struct {
	*Options
	clock driver.Clock
	pin   bus.Pin

	mu        sync.Mutex
	listening bool
	level     gpio.Level // while it listens: the last one that stayed
	bucket    *edge.Bucket
	left      int           // changes and edges that were not delivered, since it was quiet
	noisy     clock.Instant // when the last of them came
}

// noisyFor is how long a line is called noisy after the last change that was left out.
const noisyFor = time.Minute

func open(_ context.Context, s driver.Setup) (driver.Sensor, error) {
	o := s.Options.(*Options)
	pin, err := s.Bus.Pins.Pin(o.Pin)
	if err != nil {
		return nil, err
	}
	if err := pin.In(pulls()[o.Pull], gpio.BothEdges); err != nil {
		return nil, errors.Join(err, pin.Halt())
	}
	return &sensor{Options: o, clock: s.Clock, pin: pin, bucket: edge.NewBucket(o.MaxChanges / 60)}, nil
}

func (s *sensor) measurement(l gpio.Level, at clock.Instant) driver.Measurement {
	m := driver.Measurement{Quantity: s.Quantity, Channel: s.Channel, At: at}
	if bool(l) != s.Inverted {
		m.Value = 1
	}
	return m
}

// Read gives the state that has stayed for the debounce time, or the bare level while nobody listens.
func (s *sensor) Read(context.Context) ([]driver.Measurement, error) {
	level, err := s.pin.Level()
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listening {
		level = s.level
	}
	return []driver.Measurement{s.measurement(level, 0)}, s.noise()
}

// noise is what is wrong while changes are left out; nil once that is over. It is called with mu held.
func (s *sensor) noise() error {
	if s.left > 0 && s.clock.Now().Sub(s.noisy) > noisyFor {
		s.left = 0
	}
	if s.left == 0 {
		return nil
	}
	return fault.New(fault.Garbled, fmt.Errorf("%d changes came faster than %g a minute, and were left out", s.left, s.MaxChanges),
		"look for a loose contact or an unscreened cable, and set a longer debounce time")
}

// Listen delivers changes, and for as long as some are left out says so beside them.
func (s *sensor) Listen(ctx context.Context, deliver func([]driver.Measurement, error)) error {
	level, err := s.pin.Level()
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.listening, s.level = true, level
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.listening = false
	}()
	watch := edge.Watch{
		Pin: s.pin, Debounce: s.Debounce, Clock: s.clock,
		Noise: func(n int) { s.leftOut(n, deliver) },
		Changed: func(c edge.Change) {
			s.mu.Lock()
			s.level = c.Level
			through, wrong := s.bucket.Take(c.At), s.noise()
			s.mu.Unlock()
			if !through {
				s.leftOut(1, deliver)
				return
			}
			deliver([]driver.Measurement{s.measurement(c.Level, c.At)}, wrong)
		},
	}
	return watch.Run(ctx)
}

// leftOut counts changes that are not delivered, and tells of the first.
func (s *sensor) leftOut(n int, deliver func([]driver.Measurement, error)) {
	s.mu.Lock()
	quiet := s.noise() == nil
	s.left, s.noisy = s.left+n, s.clock.Now()
	wrong := s.noise()
	s.mu.Unlock()
	if quiet {
		deliver(nil, wrong)
	}
}

// Close gives the pin back.
func (s *sensor) Close() error { return s.pin.Halt() }

// simulate opens the door for half a minute, every five.
func simulate(s driver.Setup, on *simbus.Bus) error {
	o := s.Options.(*Options)
	resting := gpio.Level(o.Inverted)
	line := on.Pins.Line(o.Pin)
	line.Set(resting)
	active := false
	first := time.Duration(simbus.Phase(string(s.Sensor)) * float64(5*time.Minute))
	line.Follow(func(after time.Duration) (time.Duration, gpio.Level) {
		active = !active
		switch {
		case active && first > 0:
			after, first = after+first, 0
			return after, !resting
		case active:
			return after + 270*time.Second, !resting
		}
		return after + 30*time.Second, resting
	})
	return nil
}
