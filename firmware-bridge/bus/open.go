package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
)

// Open opens the bus that the settings describe. An error is a *fault.Fault where it is known what is wrong. The bus is the
// caller's to close.
func Open(_ context.Context, cfg Config, log *slog.Logger) (*Bus, error) {
	switch cfg.Type {
	case I2C:
		return openI2C(cfg)
	case SPI:
		return openSPI(cfg)
	case GPIO:
		return openGPIO(cfg)
	case OneWire:
		return openOneWire(cfg)
	case Serial:
		return openSerial(cfg)
	case Modbus:
		return openModbus(cfg, log)
	case MQTT:
		return openMQTT(cfg)
	}
	return nil, fault.New(fault.Misconfigured, fmt.Errorf("open bus %s: a bus of type %q cannot be opened", cfg.ID, cfg.Type), "")
}

// enabling says how a kind of bus is switched on, and who may use it.
type enabling struct {
	pattern, advice, group string
}

// openFault says what is wrong with a device file that cannot be opened.
func openFault(device string, err error, e enabling) error {
	err = fmt.Errorf("open %s: %w", device, err)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return fault.New(fault.Lost, err, device+" is not there: "+e.advice+others(e.pattern))
	case errors.Is(err, os.ErrPermission):
		return fault.New(fault.Denied, err, fmt.Sprintf("this user may not open %s: add it to the group %s, and restart the bridge", device, e.group))
	}
	return fault.New(fault.Lost, err, e.advice)
}

// others names the devices of the kind that are there.
func others(pattern string) string {
	found, err := filepath.Glob(pattern)
	if err != nil || len(found) == 0 {
		return ""
	}
	return "; there is " + strings.Join(found, ", ")
}
