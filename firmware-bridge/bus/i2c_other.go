//go:build !linux

package bus

import (
	"errors"
	"fmt"
	"time"

	"periph.io/x/conn/v3/i2c"

	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
)

// newI2CDevice fails: buses of sensors are Linux's.
func newI2CDevice(path string, _ time.Duration) (i2c.BusCloser, error) {
	return nil, fault.New(fault.Misconfigured, fmt.Errorf("open %s: %w", path, errors.ErrUnsupported), "run the bridge on Linux, or with --simulate")
}
