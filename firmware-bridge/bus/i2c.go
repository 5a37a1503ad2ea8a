package bus

import (
	"context"
	"errors"
	"fmt"

	"periph.io/x/conn/v3/i2c"

	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
)

func openI2C(cfg Config) (*Bus, error) {
	d, err := newI2CDevice(cfg.Device, cfg.Timeout)
	if err != nil {
		return nil, err
	}
	return &Bus{Config: cfg, I2C: d, Closer: d}, nil
}

// quick is an I2C bus that can ask whether an address is acknowledged without a byte of data: SMBus calls it a quick write.
type quick interface {
	Quick(address uint16) error
}

// taker is an I2C bus that knows which addresses the operating system's own drivers use.
type taker interface {
	Taken(address uint16) bool
}

// AnswersI2C returns nil if a chip acknowledges the address. It writes nothing into any register: the question is a quick write,
// or where the bus cannot do that, and at the addresses where EEPROMs take it for the start of a write (0x30 to 0x37, 0x50
// to 0x5f), a byte that is read, as `i2cdetect` does. Chips that have nothing to say do not acknowledge a read.
func AnswersI2C(b i2c.Bus, address uint16) error {
	q, can := b.(quick)
	eeprom := address >= 0x30 && address <= 0x37 || address >= 0x50 && address <= 0x5f
	if can && !eeprom {
		return q.Quick(address)
	}
	return b.Tx(address, nil, make([]byte, 1))
}

// Answer is an address of an I2C bus at which something is.
type Answer struct {
	Address uint16
	// Taken means that a driver of the operating system uses the chip (a clock, an EEPROM). It was not asked.
	Taken bool
}

// Addresses of I2C with 7 bits that are not reserved (NXP UM10204, section 3.1.12).
const (
	firstI2C uint16 = 0x08
	lastI2C  uint16 = 0x77
)

// ScanI2C lists the addresses that answer, in order, without disturbing chips: see AnswersI2C. It ends early, with what it has
// found so far, when ctx ends or when the bus itself is out of order.
func ScanI2C(ctx context.Context, b i2c.Bus) ([]Answer, error) {
	var found []Answer
	for address := firstI2C; address <= lastI2C; address++ {
		if err := ctx.Err(); err != nil {
			return found, fmt.Errorf("scan %s: %w", b, err)
		}
		if t, ok := b.(taker); ok && t.Taken(address) {
			found = append(found, Answer{Address: address, Taken: true})
			continue
		}
		err := AnswersI2C(b, address)
		switch kind := fault.KindOf(err); {
		case err == nil:
			found = append(found, Answer{Address: address})
		case kind == fault.Lost || kind == fault.Denied || kind == fault.Misconfigured:
			return found, fmt.Errorf("scan %s: %w", b, err)
		}
	}
	return found, nil
}

var errNotI2C = errors.New("it is no I2C bus")

// Advice for faults of an I2C bus.
const (
	adviseAbsent   = "look at the sensor's supply and plug, at SDA and SCL (swapped?), and at its address"
	adviseStuck    = "the bus is held or too slow: look for a short of SDA or SCL, at the pull-up resistors and the cable's length, and unplug the sensors one by one"
	adviseGone     = "the adapter of the bus is gone: look at its plug"
	adviseI2CGroup = "i2c"
	adviseI2C      = "enable I2C (raspi-config, or dtparam=i2c_arm=on in config.txt and the module i2c-dev) or plug the adapter in"
)
