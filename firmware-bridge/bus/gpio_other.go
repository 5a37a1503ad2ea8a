//go:build !linux

package bus

import (
	"errors"
	"fmt"

	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
)

// openChip fails: buses of sensors are Linux's.
func openChip(path string) (chipDevice, error) {
	return nil, fault.New(fault.Misconfigured, fmt.Errorf("open %s: %w", path, errors.ErrUnsupported), "run the bridge on Linux, or with --simulate")
}

func chipLabel(string) string { return "" }
