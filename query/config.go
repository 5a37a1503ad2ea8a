package query

import (
	"errors"
	"fmt"
	"time"
)

// Config bounds questions and the cache.
type Config struct {
	// MaxLatest bounds the series (sensor, quantity and channel) of which the newest reading is kept; readings of further
	// ones are counted and left out. A series takes about 100 bytes.
	MaxLatest int `mapstructure:"max_latest"`
	// MaxLatestOfSensor bounds the same for a single sensor.
	MaxLatestOfSensor int `mapstructure:"max_latest_of_sensor"`
	// SeedRange is how far back the newest readings of all sensors are looked for at the start. Those of sensors that have
	// been silent for longer are looked for one by one.
	SeedRange time.Duration `mapstructure:"seed_range"`
	// MaxSensors bounds the sensors of one question about the past.
	MaxSensors int `mapstructure:"max_sensors"`
	// MaxPlaces bounds its sites and districts.
	MaxPlaces int `mapstructure:"max_places"`
	// MaxQuantities bounds the quantities of one question about the past.
	MaxQuantities int `mapstructure:"max_quantities"`
	// MaxSeries bounds the series of one answer; the answer says that it is truncated.
	MaxSeries int `mapstructure:"max_series"`
	// MaxPoints bounds the points of one answer, of all series together; the answer says that it is truncated.
	MaxPoints int `mapstructure:"max_points"`
	// MaxRange bounds the time from the first to the last reading of one question.
	MaxRange time.Duration `mapstructure:"max_range"`
	// CacheBytes bounds the memory for histories that need not be asked for again; 0 keeps none.
	CacheBytes int64 `mapstructure:"cache_bytes"`
	// CacheAge is how long they are good at most. What comes through this process' own ingest is seen at once all the same;
	// it matters where others write into the same store.
	CacheAge time.Duration `mapstructure:"cache_age"`
	// MinStep is the shortest step over which readings are combined.
	MinStep time.Duration `mapstructure:"min_step"`
}

// DefaultConfig suits a city of 20,000 sensors and charts of any kind.
func DefaultConfig() Config {
	return Config{
		MaxLatest:         500_000,
		MaxLatestOfSensor: 256,
		SeedRange:         7 * 24 * time.Hour,
		MaxSensors:        500,
		MaxPlaces:         2_000,
		MaxQuantities:     32,
		MaxSeries:         2_000,
		MaxPoints:         100_000,
		CacheBytes:        64 << 20,
		CacheAge:          time.Hour,
		MaxRange:          50 * 366 * 24 * time.Hour,
		MinStep:           time.Second,
	}
}

// Validate returns all faults of c, each with its key.
func (c Config) Validate() error {
	var faults []error
	for _, n := range []struct {
		key   string
		value int64
	}{
		{"max_latest", int64(c.MaxLatest)},
		{"max_latest_of_sensor", int64(c.MaxLatestOfSensor)},
		{"max_sensors", int64(c.MaxSensors)},
		{"max_places", int64(c.MaxPlaces)},
		{"max_quantities", int64(c.MaxQuantities)},
		{"max_series", int64(c.MaxSeries)},
		{"max_points", int64(c.MaxPoints)},
	} {
		if n.value < 1 {
			faults = append(faults, fmt.Errorf("%s: is %d; set at least 1", n.key, n.value))
		}
	}
	if c.CacheBytes < 0 {
		faults = append(faults, fmt.Errorf("cache_bytes: is %d; set 0 to keep no histories, or some megabytes", c.CacheBytes))
	}
	for _, d := range []struct {
		key        string
		value, min time.Duration
	}{
		{"seed_range", c.SeedRange, time.Minute},
		{"max_range", c.MaxRange, time.Hour},
		{"min_step", c.MinStep, time.Millisecond},
		{"cache_age", c.CacheAge, time.Second},
	} {
		if d.value < d.min {
			faults = append(faults, fmt.Errorf("%s: is %s; set at least %s", d.key, d.value, d.min))
		}
	}
	return errors.Join(faults...)
}
