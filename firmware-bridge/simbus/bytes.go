package simbus

// Bytes is a Chip with registers of 8 bits: a write sets the register pointer, and what follows is written there; a read
// returns the register at the pointer and those behind it.
type Bytes struct {
	// Registers are what reads return.
	Registers [256]byte
	// Pairs means that several registers are written as pairs of register and value (Bosch), not one after another.
	Pairs bool
	// Written is called for every byte that is written, in place of writing it.
	Written func(register, value byte)
	// Refresh is called before registers are read, where they change by themselves.
	Refresh func()

	pointer byte
}

// Tx is one transaction.
func (c *Bytes) Tx(w, r []byte) error {
	if len(w) > 0 {
		c.pointer = w[0]
	}
	register := c.pointer
	for i := 1; i < len(w); i++ {
		if c.Pairs && i > 1 {
			if register = w[i]; i+1 == len(w) {
				break // a pair without a value
			}
			i++
		}
		c.write(register, w[i])
		register++
	}
	if len(r) > 0 && c.Refresh != nil {
		c.Refresh()
	}
	for i := range r {
		r[i] = c.Registers[c.pointer+byte(i)]
	}
	return nil
}

func (c *Bytes) write(register, value byte) {
	if c.Written != nil {
		c.Written(register, value)
		return
	}
	c.Registers[register] = value
}

// OnSPI is a chip with registers of 8 bits on SPI: the highest bit of the first byte says whether it is read, and is not part of
// the registers' numbers, which are those above 0x7f.
type OnSPI struct{ *Bytes }

// Tx is one transaction.
func (c OnSPI) Tx(w, r []byte) error {
	if len(w) == 0 {
		return nil
	}
	if w[0]&0x80 != 0 {
		if len(r) > 1 {
			return c.Bytes.Tx(w[:1], r[1:])
		}
		return nil
	}
	written := append([]byte(nil), w...)
	for i := 0; i < len(written); i += 2 {
		written[i] |= 0x80
	}
	return c.Bytes.Tx(written, nil)
}
