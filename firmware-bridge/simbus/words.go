package simbus

import (
	"encoding/binary"
	"hash/fnv"
)

// Words is a Chip with registers of 16 bits, most significant byte first, as many simple sensors have: a write sets the
// register pointer, and with two more bytes the register; a read returns the register at the pointer.
type Words struct {
	// Values are the registers that change by themselves; all others hold what was written to them, or 0.
	Values map[byte]func() uint16

	pointer byte
	written map[byte]uint16
}

// Written returns what was written to a register last.
func (c *Words) Written(register byte) uint16 { return c.written[register] }

// Tx is one transaction.
func (c *Words) Tx(w, r []byte) error {
	if len(w) > 0 {
		c.pointer = w[0]
	}
	if len(w) > 1 {
		if c.written == nil {
			c.written = make(map[byte]uint16)
		}
		value := uint16(w[1])
		if len(w) > 2 {
			value = binary.BigEndian.Uint16(w[1:3])
		}
		c.written[c.pointer] = value
	}
	value := c.written[c.pointer]
	if now := c.Values[c.pointer]; now != nil {
		value = now()
	}
	var both [2]byte
	binary.BigEndian.PutUint16(both[:], value)
	copy(r, both[:])
	return nil
}

// Phase makes a Wave's phase from a name, so that two simulated sensors are never in step.
func Phase(name string) float64 {
	h := fnv.New32a()
	h.Write([]byte(name))
	return float64(h.Sum32()) / (1 << 32)
}
