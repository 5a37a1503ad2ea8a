package simbus

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
)

// Unit is a simulated unit on a Modbus line.
type Unit interface {
	// Read returns n entries of a table. An error that is a bus.Exception is what the unit answers; any other is a line that
	// does not work.
	Read(table bus.Table, address, n uint16) ([]uint16, error)
}

// ModbusLine has units, each with an id of its own.
type ModbusLine struct {
	name string

	mu       sync.Mutex
	units    map[uint8]Unit
	requests int
}

var _ bus.Registers = (*ModbusLine)(nil)

// Attach puts a unit on the line; its id must be free.
func (l *ModbusLine) Attach(id uint8, u Unit) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.units[id] != nil {
		return fmt.Errorf("attach to %s: unit %d is taken", l.name, id)
	}
	if l.units == nil {
		l.units = make(map[uint8]Unit)
	}
	l.units[id] = u
	return nil
}

// Detach takes the unit with an id away.
func (l *ModbusLine) Detach(id uint8) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.units, id)
}

// Requests is how many requests there were.
func (l *ModbusLine) Requests() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.requests
}

var errSilence = errors.New("no answer")

// Read asks a unit. Where there is none nobody answers; that takes no time here.
func (l *ModbusLine) Read(ctx context.Context, id uint8, table bus.Table, address, n uint16) ([]uint16, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("%s, unit %d: %w", l.name, id, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.requests++
	u := l.units[id]
	if u == nil {
		return nil, fault.New(fault.Timeout, fmt.Errorf("%s, unit %d: %w", l.name, id, errSilence), "")
	}
	values, err := u.Read(table, address, n)
	var exception bus.Exception
	if errors.As(err, &exception) {
		err = exception.Fault(id)
	}
	if err != nil {
		return nil, fmt.Errorf("%s, unit %d, %d of %ss at %d: %w", l.name, id, n, table, address, err)
	}
	return values, nil
}

// Block is registers that lie beside each other.
type Block struct {
	Table   bus.Table
	Address uint16
	// Words returns what they hold now, always as many.
	Words func() []uint16
}

// Device is a Unit that has the registers of its blocks. What lies between the first and the last of a table reads as 0, as
// most devices do it, unless it is Strict.
type Device struct {
	Blocks []Block
	// Most is how many registers one request may read; 0 is as many as Modbus allows.
	Most uint16
	// Strict lets the device refuse what touches a register of no block.
	Strict bool
}

// Read returns n entries of a table.
func (d *Device) Read(table bus.Table, address, n uint16) ([]uint16, error) {
	if d.Most > 0 && n > d.Most {
		return nil, bus.IllegalValue
	}
	var (
		values = make([]uint16, n)
		there  = make([]bool, n)
		first  = 1 << 16
		last   = -1
		begin  = int(address)
		end    = begin + int(n)
	)
	for _, b := range d.Blocks {
		if b.Table != table {
			continue
		}
		words := b.Words()
		first, last = min(first, int(b.Address)), max(last, int(b.Address)+len(words))
		for i, w := range words {
			if at := int(b.Address) + i - begin; at >= 0 && at < int(n) {
				values[at], there[at] = w, true
			}
		}
	}
	if last < 0 {
		return nil, bus.IllegalFunction
	}
	if begin < first || end > last {
		return nil, bus.IllegalAddress
	}
	for _, ok := range there {
		if d.Strict && !ok {
			return nil, bus.IllegalAddress
		}
	}
	return values, nil
}
