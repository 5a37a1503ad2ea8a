// Package drivertest is the suite that every driver passes, and what their tests have in common. A driver's test opens it on a
// bus that plays back a data sheet's bytes, or on a simulated one.
package drivertest

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/clock"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver"
	"github.com/lamppost-city/lamppost/firmware-bridge/simbus"
	"github.com/lamppost-city/lamppost/telemetry"
)

// Clock counts from the moment it was made, and remembers what it was told.
type Clock struct {
	Began time.Time
	Told  []time.Time
}

// Now returns the time since Began.
func (c *Clock) Now() clock.Instant { return clock.Instant(time.Since(c.Began)) }

// Tell notes the date.
func (c *Clock) Tell(date time.Time, _ clock.Instant, _ time.Duration) { c.Told = append(c.Told, date) }

// State is kept in memory.
type State struct{ Bytes []byte }

// Load returns what was saved.
func (s *State) Load() ([]byte, error) { return s.Bytes, nil }

// Save keeps a copy.
func (s *State) Save(b []byte) error {
	s.Bytes = append([]byte(nil), b...)
	return nil
}

// Setup is for a sensor with the given options on a bus.
func Setup(t *testing.T, d driver.Driver, on *bus.Bus, options map[string]any) driver.Setup {
	t.Helper()
	o := d.Options()
	if err := driver.Decode(o, options); err != nil {
		t.Fatalf("options of %s: %v", d.Name, err)
	}
	return driver.Setup{
		Sensor: "test-1", Bus: on, Options: o, Every: time.Second,
		Clock: &Clock{Began: time.Now()}, State: &State{}, Log: slog.New(slog.DiscardHandler),
	}
}

// Open opens a sensor and closes it at the end of the test.
func Open(t *testing.T, d driver.Driver, on *bus.Bus, options map[string]any) driver.Sensor {
	t.Helper()
	s, err := d.Open(t.Context(), Setup(t, d, on, options))
	if err != nil {
		t.Fatalf("open %s: %v", d.Name, err)
	}
	t.Cleanup(func() { _ = s.Close() }) // a bus that plays back a record may not know of the last words
	return s
}

// OpenError opens a sensor that cannot be opened and returns why.
func OpenError(t *testing.T, d driver.Driver, on *bus.Bus, options map[string]any) error {
	t.Helper()
	s, err := d.Open(t.Context(), Setup(t, d, on, options))
	if err == nil {
		s.Close()
		t.Fatalf("open %s: no error", d.Name)
	}
	return err
}

// entry is what an example holds.
type entry struct {
	ID      string         `yaml:"id"`
	Driver  string         `yaml:"driver"`
	Bus     string         `yaml:"bus"`
	Every   string         `yaml:"every"`
	Options map[string]any `yaml:"options"`
}

// Simulated runs the driver's example on a simulated bus: it opens, its readings are in the catalogue and plausible, it can be
// read again and opened again, and what is wrong with its options is said with the key.
func Simulated(t *testing.T, d driver.Driver) {
	t.Helper()
	var e entry
	if err := yaml.Unmarshal([]byte(d.Example), &e); err != nil {
		t.Fatalf("the example of %s: %v", d.Name, err)
	}
	if e.Driver != d.Name || telemetry.SensorID(e.ID).Check() != nil || e.Bus == "" {
		t.Errorf("the example of %s is not one of it: %+v", d.Name, e)
	}
	if every, err := time.ParseDuration(e.Every); err != nil || every <= 0 {
		t.Errorf("the example of %s is read every %q", d.Name, e.Every)
	}
	on, err := simbus.New(bus.Config{ID: e.Bus, Type: d.Bus})
	if err != nil {
		t.Fatal(err)
	}
	setup := Setup(t, d, on.Bus(), e.Options)
	if err := d.Simulate(setup, on); err != nil {
		t.Fatalf("simulate %s: %v", d.Name, err)
	}
	for range 2 {
		readTwice(t, d, setup)
	}
	if err := driver.Decode(d.Options(), map[string]any{"no_such_option": 1}); err == nil || !strings.Contains(err.Error(), "no_such_option") {
		t.Errorf("an option that %s does not have: %v", d.Name, err)
	}
}

// readTwice opens a sensor, waits for its first measurements, however they come, reads again and closes it.
func readTwice(t *testing.T, d driver.Driver, setup driver.Setup) {
	t.Helper()
	s, err := d.Open(t.Context(), setup)
	if err != nil {
		t.Fatalf("open %s: %v", d.Name, err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Errorf("close %s: %v", d.Name, err)
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if l, ok := s.(driver.Listener); ok {
		heard := make(chan error, 1)
		go func() { heard <- l.Listen(ctx, func(ms []driver.Measurement, _ error) { check(t, d, ms) }) }()
		defer func() {
			cancel()
			if err := <-heard; err != nil && ctx.Err() == nil {
				t.Errorf("listen to %s: %v", d.Name, err)
			}
		}()
	}
	for range 2 {
		got, err := s.Read(ctx)
		if err != nil {
			t.Fatalf("read %s: %v", d.Name, err)
		}
		if _, listens := s.(driver.Listener); len(got) == 0 && !listens {
			t.Errorf("read %s: nothing", d.Name)
		}
		check(t, d, got)
	}
}

func check(t *testing.T, d driver.Driver, ms []driver.Measurement) {
	t.Helper()
	for _, m := range ms {
		q, ok := telemetry.QuantityByName(m.Quantity)
		if !ok {
			t.Errorf("%s reads %q, which is not in the catalogue", d.Name, m.Quantity)
			continue
		}
		if err := driver.Plausible(q, m.Value); err != nil {
			t.Errorf("%s: %v", d.Name, err)
		}
		if err := telemetry.CheckChannel(m.Channel); err != nil {
			t.Errorf("%s: %v", d.Name, err)
		}
	}
}
