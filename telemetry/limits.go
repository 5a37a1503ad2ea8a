package telemetry

import (
	"errors"
	"fmt"
)

// Limits bound what a decoder takes from one payload and what it remembers from one payload to the next.
type Limits struct {
	// MaxReadings is how many readings and faults one message may yield; the rest of it becomes one fault. At least 1.
	MaxReadings int `mapstructure:"max_readings"`
	// MaxDepth is how deep objects and arrays may lie in each other. At least 2, at most 1,000.
	MaxDepth int `mapstructure:"max_depth"`
	// MaxNames is how many distinct names (about 150 bytes each) a decoder keeps so that it need not allocate them again;
	// when there are more it forgets all and starts anew. At least 1.
	MaxNames int `mapstructure:"max_names"`
}

// DefaultLimits suit a city of twenty thousand sensors; names of usual length then cost each decoder about 10 MB.
func DefaultLimits() Limits {
	return Limits{MaxReadings: 10_000, MaxDepth: 16, MaxNames: 65_536}
}

// Validate says all that is wrong, each with its key.
func (l Limits) Validate() error {
	var faults []error
	if l.MaxReadings < 1 {
		faults = append(faults, fmt.Errorf("max_readings: %d is too small; set 1 or more", l.MaxReadings))
	}
	if l.MaxDepth < 2 || l.MaxDepth > 1000 {
		faults = append(faults, fmt.Errorf("max_depth: %d is out of range; set 2 to 1000", l.MaxDepth))
	}
	if l.MaxNames < 1 {
		faults = append(faults, fmt.Errorf("max_names: %d is too small; set 1 or more", l.MaxNames))
	}
	return errors.Join(faults...)
}
