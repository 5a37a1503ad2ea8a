package outbox

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/lamppost-city/lamppost/spool"
)

// Config is everything about an outbox that may be changed. The zero Config is not valid; start from DefaultConfig.
type Config struct {
	// Spool is the queue on the disk: its bounds by bytes and age, and how often it is forced to the card. Age is by
	// the system's clock, which on a board without a battery may count the time that it was switched off.
	Spool spool.Config `mapstructure:"spool"`
	// MaxReadings is how many readings a message holds at most.
	MaxReadings int `mapstructure:"max_readings"`
	// MaxDelay is how long a reading waits for company before its message is made.
	MaxDelay time.Duration `mapstructure:"max_delay"`
	// NewestShare is the part of the messages that is taken from the newest while a backlog drains; 0 is none.
	NewestShare float64 `mapstructure:"newest_share"`
	// InFlight is how many messages may be with the uplink, unacknowledged. It must not exceed the uplink's window. What
	// is in flight is in memory, and goes before anything newer: keep it small on slow links.
	InFlight int `mapstructure:"in_flight"`
	// MemoryBytes bounds the messages that wait in memory for the disk; the oldest of them go when there are more.
	MemoryBytes int64 `mapstructure:"memory_bytes"`
	// CommitEvery is how often, at most, the place up to which the broker has everything is written to the disk, save
	// that a file of the spool which is done with goes at once. After a power cut so much is sent again.
	CommitEvery time.Duration `mapstructure:"commit_every"`
	// AsideBytes bounds the files of readings that cannot be dated; 0 keeps none.
	AsideBytes int64 `mapstructure:"aside_bytes"`
	// Grace is how long Run goes on trying to put what it has on a disk that refuses it, after its context has ended.
	Grace time.Duration `mapstructure:"grace"`
}

// DefaultConfig suits a small board with an SD card.
func DefaultConfig() Config {
	return Config{
		Spool: spool.EdgeConfig(), MaxReadings: 100, MaxDelay: time.Second, NewestShare: 0.25, InFlight: 64,
		MemoryBytes: 4 << 20, CommitEvery: 30 * time.Second, AsideBytes: 1 << 20, Grace: 5 * time.Second,
	}
}

const (
	// mostReadings is what ingest takes in one message.
	mostReadings = 10_000
	// readingBytes is more than a reading with the longest names takes.
	readingBytes = 256
)

// Validate returns every fault of c, joined.
func (c Config) Validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if err := c.Spool.Validate(); err != nil {
		faults = append(faults, within("spool", err)...)
	}
	if c.MaxReadings < 1 || c.MaxReadings > mostReadings {
		fault("max_readings: %d is outside 1 to %d", c.MaxReadings, mostReadings)
	} else if need := int64(c.MaxReadings+1) * readingBytes; need > c.Spool.MaxFrameBytes {
		fault("max_readings: a message of %d may have %d bytes, and spool.max_frame_bytes is %d; set fewer, or more bytes", c.MaxReadings, need, c.Spool.MaxFrameBytes)
	}
	if c.MaxDelay < time.Millisecond || c.MaxDelay > time.Hour {
		fault("max_delay: %s is outside 1ms to 1h", c.MaxDelay)
	}
	if math.IsNaN(c.NewestShare) || c.NewestShare < 0 || c.NewestShare > 0.9 {
		fault("newest_share: %g is outside 0 to 0.9; the backlog needs the rest", c.NewestShare)
	}
	if c.InFlight < 1 || c.InFlight > 10_000 {
		fault("in_flight: %d is outside 1 to 10000", c.InFlight)
	}
	if c.MemoryBytes < 64<<10 {
		fault("memory_bytes: %d is less than %d", c.MemoryBytes, 64<<10)
	}
	if c.CommitEvery < 10*time.Millisecond || c.CommitEvery > time.Hour {
		fault("commit_every: %s is outside 10ms to 1h", c.CommitEvery)
	}
	if c.AsideBytes < 0 {
		fault("aside_bytes: %d is negative", c.AsideBytes)
	}
	if c.Grace < 0 || c.Grace > 10*time.Minute {
		fault("grace: %s is outside 0s to 10m", c.Grace)
	}
	return errors.Join(faults...)
}

// within puts a section's name before each of its faults.
func within(section string, err error) []error {
	var joined interface{ Unwrap() []error }
	if !errors.As(err, &joined) {
		return []error{fmt.Errorf("%s.%w", section, err)}
	}
	var faults []error
	for _, fault := range joined.Unwrap() {
		faults = append(faults, fmt.Errorf("%s.%w", section, fault))
	}
	return faults
}
