package ingest

import (
	"errors"
	"fmt"
	"time"

	"github.com/lamppost-city/lamppost/ingest/ledger"
	"github.com/lamppost-city/lamppost/ingest/mqtt"
	"github.com/lamppost-city/lamppost/ingest/write"
	"github.com/lamppost-city/lamppost/internal/faults"
	"github.com/lamppost-city/lamppost/spool"
)

// Config is all that can be set of ingest.
type Config struct {
	// Dir holds the spool and the ledger. One process at a time can use it.
	Dir string `mapstructure:"dir"`
	// FutureTolerance is how far ahead of the time of receipt a measured time may be.
	FutureTolerance time.Duration `mapstructure:"future_tolerance"`
	// OldestTime is the oldest measured time that is believed; older ones are taken for a broken clock.
	OldestTime time.Time `mapstructure:"oldest_time"`
	// Retention is how long the store keeps readings; older ones are refused. 0 is for ever.
	Retention time.Duration `mapstructure:"retention"`
	// LateAfter is how long after its measured time a reading counts as late. What was measured more than a
	// day before the sensor was registered, or before that and filled in behind newer readings, is not late.
	LateAfter time.Duration `mapstructure:"late_after"`
	// MaxSeriesPerSensor bounds the combinations of quantity and channel of one sensor.
	MaxSeriesPerSensor int `mapstructure:"max_series_per_sensor"`
	// MaxReadingsPerMessage bounds what one message may hold.
	MaxReadingsPerMessage int `mapstructure:"max_readings_per_message"`

	Broker mqtt.Config   `mapstructure:"broker"`
	Spool  spool.Config  `mapstructure:"spool"`
	Ledger ledger.Config `mapstructure:"ledger"`
	Writer write.Config  `mapstructure:"writer"`
}

// DefaultConfig keeps everything that is not plainly wrong.
func DefaultConfig() Config {
	return Config{
		Dir:                   "data/ingest",
		FutureTolerance:       5 * time.Minute,
		OldestTime:            time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC),
		LateAfter:             10 * time.Minute,
		MaxSeriesPerSensor:    256,
		MaxReadingsPerMessage: 10_000,
		Broker:                mqtt.DefaultConfig(),
		Spool:                 spool.DefaultConfig(),
		Ledger:                ledger.DefaultConfig(),
		Writer:                write.DefaultConfig(),
	}
}

// Validate reports every fault, each with its key.
func (c Config) Validate() error {
	var all []error
	fault := func(key, format string, args ...any) {
		all = append(all, fmt.Errorf("%s: %s", key, fmt.Sprintf(format, args...)))
	}
	if c.Dir == "" {
		fault("dir", "must name a folder")
	}
	if c.FutureTolerance < 0 || c.FutureTolerance > 24*time.Hour {
		fault("future_tolerance", "must be 0 to 24h, is %s", c.FutureTolerance)
	}
	if c.Retention < 0 {
		fault("retention", "must not be negative; 0 is for ever")
	}
	if c.LateAfter <= 0 {
		fault("late_after", "must be positive")
	}
	if c.MaxSeriesPerSensor < 1 || c.MaxSeriesPerSensor > 10_000 {
		fault("max_series_per_sensor", "must be 1 to 10000, is %d", c.MaxSeriesPerSensor)
	}
	if c.MaxReadingsPerMessage < 1 || c.MaxReadingsPerMessage > 60_000 {
		fault("max_readings_per_message", "must be 1 to 60000, is %d", c.MaxReadingsPerMessage)
	}
	if c.Spool.WhenFull != spool.FullBlock {
		fault("spool.when_full", "must be %s: what has been acknowledged may not be dropped", spool.FullBlock)
	}
	all = append(all, faults.Prefix("broker", c.Broker.Validate()), faults.Prefix("spool", c.checkSpool()),
		faults.Prefix("ledger", c.Ledger.Validate()), faults.Prefix("writer", c.Writer.Validate()))
	return errors.Join(all...)
}

// checkSpool takes when_full for what it has to be: more than that need not be said of it.
func (c Config) checkSpool() error {
	s := c.spool()
	s.WhenFull = spool.FullBlock
	return s.Validate()
}

// spool returns the spool's configuration with room for the largest frame that can come about.
func (c Config) spool() spool.Config {
	s := c.Spool
	s.Readers = []string{readerName}
	s.MaxFrameBytes = max(s.MaxFrameBytes, maxFrameBytes+c.Broker.MaxPayloadBytes+frameOverhead)
	return s
}
