package simbus

import (
	"errors"
	"fmt"
	"sync"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/physic"

	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
)

// Chip is a simulated chip on an I2C bus. Tx is one transaction: what the master writes, and then what it reads.
type Chip interface {
	Tx(w, r []byte) error
}

// I2CBus has chips at addresses.
type I2CBus struct {
	name string

	mu    sync.Mutex
	chips map[uint16]Chip
}

var _ i2c.Bus = (*I2CBus)(nil)

// Attach puts a chip at an address, which must be free.
func (b *I2CBus) Attach(address uint16, c Chip) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.chips[address] != nil {
		return fmt.Errorf("attach to %s: address %#x is taken", b.name, address)
	}
	if b.chips == nil {
		b.chips = make(map[uint16]Chip)
	}
	b.chips[address] = c
	return nil
}

// Detach takes the chip at an address away.
func (b *I2CBus) Detach(address uint16) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.chips, address)
}

var errNobody = errors.New("nothing acknowledges the address")

// Tx is one transaction with the chip at the address. Where there is none nobody acknowledges, as on a real bus.
func (b *I2CBus) Tx(address uint16, w, r []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.chips[address]
	if c == nil {
		return b.nobody(address)
	}
	return c.Tx(w, r)
}

// Quick asks whether there is a chip at the address.
func (b *I2CBus) Quick(address uint16) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.chips[address] == nil {
		return b.nobody(address)
	}
	return nil
}

func (b *I2CBus) nobody(address uint16) error {
	return fault.New(fault.Absent, fmt.Errorf("%s, address %#x: %w", b.name, address, errNobody), "")
}

// SetSpeed does nothing.
func (b *I2CBus) SetSpeed(physic.Frequency) error { return nil }

// String names the bus.
func (b *I2CBus) String() string { return b.name }
