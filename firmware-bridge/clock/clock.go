package clock

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// Trust says when the system's own clock is believed.
type Trust string

const (
	// TrustAuto believes it while the kernel says that it is synchronised (NTP, PTP).
	TrustAuto Trust = "auto"
	// TrustAlways believes it from the start, as on a board with a battery for its clock. Any other source is still
	// believed more, save where the kernel says that it is synchronised.
	TrustAlways Trust = "always"
	// TrustNever believes satellites and the broker only.
	TrustNever Trust = "never"
)

// Config says whom to believe. The zero Config is not valid; start from DefaultConfig.
type Config struct {
	// TrustSystem is auto, always or never.
	TrustSystem Trust `mapstructure:"trust_system"`
	// Good is how uncertain a source may be that is believed for its rank alone: a synchronised system clock before
	// satellites before the broker. Where none is so good, the most certain one is believed.
	Good time.Duration `mapstructure:"good"`
	// DriftPPM is how fast the machine's own clock goes wrong at most, in microseconds a second. What is known of the
	// date becomes less certain by so much.
	DriftPPM float64 `mapstructure:"drift_ppm"`
	// Boots is how many earlier starts of the machine are remembered, to date what was measured then.
	Boots int `mapstructure:"boots"`
}

// DefaultConfig suits a board without a battery for its clock.
func DefaultConfig() Config {
	return Config{TrustSystem: TrustAuto, Good: time.Second, DriftPPM: 100, Boots: 64}
}

// Validate returns every fault of c, joined.
func (c Config) Validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	switch c.TrustSystem {
	case TrustAuto, TrustAlways, TrustNever:
	default:
		fault("trust_system: %q is none of auto, always and never", c.TrustSystem)
	}
	if c.Good < time.Millisecond || c.Good > time.Hour {
		fault("good: %s is outside 1ms to 1h", c.Good)
	}
	if c.DriftPPM < 0 || c.DriftPPM > 10_000 {
		fault("drift_ppm: %g is outside 0 to 10000", c.DriftPPM)
	}
	if c.Boots < 1 || c.Boots > 1000 {
		fault("boots: %d is outside 1 to 1000", c.Boots)
	}
	return errors.Join(faults...)
}

// Source is who said what the date is.
type Source string

// The sources, in the order in which they are believed where all are good enough.
const (
	// System is the system's clock while the kernel says that it is synchronised.
	System Source = "system"
	// GNSS is a satellite receiver.
	GNSS Source = "gnss"
	// Broker is the broker, or whatever else speaks through it.
	Broker Source = "broker"
	// Kept is what an earlier process of the same boot has left on the disk.
	Kept Source = "kept"
	// Unsynchronised is the system's clock that nobody has synchronised, under TrustAlways.
	Unsynchronised Source = "unsynchronised"
)

// Status is what is known of the date.
type Status struct {
	// Source is "" while the date is not known.
	Source Source
	// Since is when the date became known, in this process.
	Since Instant
	// Uncertainty is how far off the date may be at present.
	Uncertainty time.Duration
	// SystemOffset is how far the system's clock is ahead of the date that is believed; 0 while that is not known.
	SystemOffset time.Duration
	// Refused is how many statements were not believed because they were absurd.
	Refused uint64
	// Contradiction says to a person which sources contradict each other at present; "" if none do.
	Contradiction string
	// Fault says to a person what is wrong with the file of boots; "" if nothing is.
	Fault string
}

// Clock knows the date, or does not know it yet. All methods may be called by several goroutines at once.
type Clock struct {
	cfg     Config
	machine Machine
	log     *slog.Logger
	boot    Boot
	file    boots

	known   chan struct{} // closed once the date is known
	changed chan struct{} // capacity 1: there may be something to keep

	mu     sync.Mutex
	told   map[Source]estimate
	doubt  map[Source]estimate // the newest statement that contradicts what the same source has said before
	best   estimate            // Source is "" while the date is not known
	since  Instant
	absurd map[Source]bool // the source's newest statement was refused
	// refused counts them; contradiction and fault are those of Status.
	refused              uint64
	contradiction, fault string
}

// Open reads what is known of earlier boots from folder dir, which it makes if need be. It returns a clock even where
// the folder cannot be read or written: then a later boot cannot date what is measured now. The error is one of cfg.
// Run has to run for the date to be found in the system's clock.
func Open(cfg Config, dir string, log *slog.Logger) (*Clock, error) {
	return OpenOn(cfg, dir, ThisMachine(), log)
}

// OpenOn is Open on another machine than this one, such as that of a test.
func OpenOn(cfg Config, dir string, machine Machine, log *slog.Logger) (*Clock, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("settings of the clock: %w", err)
	}
	c := &Clock{
		cfg: cfg, machine: machine, log: log, boot: machine.Boot(), known: make(chan struct{}), changed: make(chan struct{}, 1),
		told: make(map[Source]estimate), doubt: make(map[Source]estimate), absurd: make(map[Source]bool),
	}
	var err error
	c.file, err = openBoots(dir, cfg.Boots)
	if err != nil {
		c.fault = err.Error()
		log.Warn("what was measured in earlier boots without a date cannot be dated", "error", c.fault)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.file.find(c.boot); ok && c.possible(e.date(c.Now())) {
		e.source = Kept
		c.told[Kept] = e
		c.file.saved = e
	}
	c.lookAtSystem()
	return c, nil
}

// lookEvery is how often the system's clock is looked at. It costs three calls without leaving the process, and one that
// does.
const lookEvery = time.Second

// Run watches the system's clock until ctx ends, and keeps what is known of this boot on the disk. It returns nil.
func (c *Clock) Run(ctx context.Context) error {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			c.keep()
			return nil
		case <-c.changed:
		case <-ticker.C:
			c.mu.Lock()
			c.lookAtSystem()
			c.mu.Unlock()
		}
		c.keep()
	}
}

// Now is the present moment of the machine's own clock.
func (c *Clock) Now() Instant { return c.machine.Now() }

// Date returns the date, in UTC, at an instant of this boot; false while it is not known.
func (c *Clock) Date(at Instant) (time.Time, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.best.source == "" {
		return time.Time{}, false
	}
	return c.best.date(at), true
}

// DateOf returns the date at an instant of any boot; false where nobody has ever known it. What it does not know of an
// earlier boot it will never know.
func (c *Clock) DateOf(boot Boot, at Instant) (time.Time, bool) {
	if boot == c.boot {
		return c.Date(at)
	}
	e, ok := c.file.find(boot)
	return e.date(at), ok
}

// ahead is how far a date may lie in the future: ingest refuses what does so by more.
const ahead = 5 * time.Minute

// Believable says whether a date can be: not before this program was built, and not decades later. Where the date is
// known, what lies more than a few minutes ahead of it cannot be either.
func (c *Clock) Believable(date time.Time) bool {
	if !c.possible(date) {
		return false
	}
	now, ok := c.Date(c.Now())
	return !ok || date.Before(now.Add(ahead))
}

// Boot is the present start of the machine.
func (c *Clock) Boot() Boot { return c.boot }

// Known is closed once the date is known.
func (c *Clock) Known() <-chan struct{} { return c.known }

// Status returns what is known of the date.
func (c *Clock) Status() Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := Status{Source: c.best.source, Since: c.since, Refused: c.refused, Contradiction: c.contradiction, Fault: c.fault}
	if s.Source != "" {
		now := c.Now()
		s.Uncertainty = c.uncertainty(c.best, now)
		s.SystemOffset = c.machine.Date().Sub(c.best.date(now))
	}
	return s
}
