package write

import (
	"errors"
	"fmt"
	"time"
)

// Config says how the spool is emptied.
type Config struct {
	// InFlight is how many POSTs are under way at once.
	InFlight int `mapstructure:"in_flight"`
	// MaxBodyBytes and MaxLines bound what is joined into one POST. A single frame is never cut for them.
	MaxBodyBytes int64 `mapstructure:"max_body_bytes"`
	MaxLines     int   `mapstructure:"max_lines"`
	// MinPause is the least time from the beginning of one POST to that of the next, unless that is full: what comes
	// meanwhile goes together. A line of its own costs the store a hundred times what it costs among a thousand.
	MinPause time.Duration `mapstructure:"min_pause"`
	// MinBackoff and MaxBackoff bound the pause before a POST is tried again; it doubles, with jitter. A longer
	// Retry-After of the store is honoured up to MaxRetryAfter.
	MinBackoff    time.Duration `mapstructure:"min_backoff"`
	MaxBackoff    time.Duration `mapstructure:"max_backoff"`
	MaxRetryAfter time.Duration `mapstructure:"max_retry_after"`
	// DrainTimeout is how long, at the end, the writer goes on emptying the spool.
	DrainTimeout time.Duration `mapstructure:"drain_timeout"`
}

// DefaultConfig suits an InfluxDB on this machine or near it.
func DefaultConfig() Config {
	return Config{
		InFlight: 3, MaxBodyBytes: 4 << 20, MaxLines: 10_000, MinPause: 100 * time.Millisecond,
		MinBackoff: 100 * time.Millisecond, MaxBackoff: 15 * time.Second, MaxRetryAfter: 10 * time.Minute,
		DrainTimeout: 2 * time.Second,
	}
}

// Validate reports every fault, each with its key.
func (c Config) Validate() error {
	var faults []error
	fault := func(key, format string, args ...any) {
		faults = append(faults, fmt.Errorf("%s: %s", key, fmt.Sprintf(format, args...)))
	}
	if c.InFlight < 1 || c.InFlight > 64 {
		fault("in_flight", "must be 1 to 64, is %d", c.InFlight)
	}
	if c.MaxBodyBytes < 64<<10 || c.MaxBodyBytes > 64<<20 {
		fault("max_body_bytes", "must be 64 KiB to 64 MiB, is %d", c.MaxBodyBytes)
	}
	if c.MaxLines < 1 || c.MaxLines > 1_000_000 {
		fault("max_lines", "must be 1 to 1000000, is %d", c.MaxLines)
	}
	if c.MinPause < 0 || c.MinPause > 10*time.Second {
		fault("min_pause", "must be 0 to 10s, is %s", c.MinPause)
	}
	if c.MinBackoff <= 0 || c.MaxBackoff < c.MinBackoff {
		fault("max_backoff", "must be at least min_backoff, and that more than 0")
	}
	if c.MaxRetryAfter < 0 {
		fault("max_retry_after", "must not be negative")
	}
	if c.DrainTimeout < 0 || c.DrainTimeout > 8*time.Second {
		fault("drain_timeout", "must be 0 to 8s, is %s: a stop must be over within 10s", c.DrainTimeout)
	}
	return errors.Join(faults...)
}
