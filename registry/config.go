package registry

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// Config holds what a person may change about the registry. The path of its file is given to Open.
type Config struct {
	// WatchInterval is how often Run looks for changes made by other processes.
	WatchInterval time.Duration `mapstructure:"watch_interval"`
	// Readers is how many connections to the file may read at once. There is always one more, that writes.
	Readers int `mapstructure:"readers"`
	// MaxSensors bounds the registry, and with it the memory of a Snapshot (about 300 bytes a sensor). A change that
	// would pass it is refused.
	MaxSensors int `mapstructure:"max_sensors"`
	// MaxImportBytes is the size of the largest CSV file that Import reads. A larger one is refused.
	MaxImportBytes int64 `mapstructure:"max_import_bytes"`
	// MaxImportErrors is how many faults of a CSV file Import reports before it stops looking for more.
	MaxImportErrors int `mapstructure:"max_import_errors"`
	// AuditAge is how long the audit keeps its entries; 0 keeps them for ever.
	AuditAge time.Duration `mapstructure:"audit_age"`
	// MaxPlanBytes is the size of the largest street plan. A larger one is refused.
	MaxPlanBytes int64 `mapstructure:"max_plan_bytes"`
	// PasswordCost is bcrypt's cost: each step doubles the time that checking a password takes (tens of milliseconds at 10).
	PasswordCost int `mapstructure:"password_cost"`
	// PasswordChecks is how many passwords are checked at the same time; further logins wait their turn, so that a
	// storm of them leaves processors to the readings.
	PasswordChecks int `mapstructure:"password_checks"`
}

// DefaultConfig suits a city of up to a million sensors.
func DefaultConfig() Config {
	return Config{
		WatchInterval:   250 * time.Millisecond,
		Readers:         4,
		MaxSensors:      1_000_000,
		MaxImportBytes:  64 << 20,
		MaxImportErrors: 1000,
		AuditAge:        5 * 366 * 24 * time.Hour,
		MaxPlanBytes:    8 << 20,
		PasswordCost:    bcrypt.DefaultCost,
		PasswordChecks:  2,
	}
}

// Validate reports every fault of the configuration at once, each as "key: what is wrong and what to do".
func (c Config) Validate() error {
	var auditAge error
	if c.AuditAge != 0 {
		auditAge = within("audit_age", c.AuditAge, 24*time.Hour, 100*366*24*time.Hour)
	}
	return errors.Join(
		auditAge,
		within("watch_interval", c.WatchInterval, 10*time.Millisecond, time.Second),
		within("readers", c.Readers, 1, 64),
		within("max_sensors", c.MaxSensors, 1, 10_000_000),
		within("max_import_bytes", c.MaxImportBytes, 1<<10, 1<<30),
		within("max_import_errors", c.MaxImportErrors, 1, 100_000),
		within("max_plan_bytes", c.MaxPlanBytes, 1<<10, 256<<20),
		within("password_cost", c.PasswordCost, bcrypt.MinCost, 16),
		within("password_checks", c.PasswordChecks, 1, 64),
	)
}

func within[T int | int64 | time.Duration](key string, value, low, high T) error {
	if value < low || value > high {
		return fmt.Errorf("%s: %v is out of range; give %v to %v", key, value, low, high)
	}
	return nil
}
