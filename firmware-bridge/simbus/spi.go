package simbus

import (
	"errors"
	"fmt"
	"sync"

	"periph.io/x/conn/v3"
	"periph.io/x/conn/v3/physic"
	"periph.io/x/conn/v3/spi"

	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
)

// SPIPort is a simulated chip select: it has one chip and one user. Tx of its chip gets what is written and fills what is read
// at the same time, both of the same length. Without a chip nothing pulls the line down: all bits read as 1.
type SPIPort struct {
	name string

	mu   sync.Mutex
	chip Chip
	conn *spiConn // nil while nobody uses it
}

var _ spi.Port = (*SPIPort)(nil)

// Attach puts a chip at the chip select, which must be free.
func (p *SPIPort) Attach(c Chip) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.chip != nil {
		return fmt.Errorf("attach to %s: there is a chip", p.name)
	}
	p.chip = c
	return nil
}

// Detach takes the chip away.
func (p *SPIPort) Detach() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.chip = nil
}

var errTaken = errors.New("another sensor uses it")

// Connect gives the port to its one user, until the connection is closed.
func (p *SPIPort) Connect(physic.Frequency, spi.Mode, int) (spi.Conn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conn != nil {
		return nil, fault.New(fault.Misconfigured, fmt.Errorf("connect to %s: %w", p.name, errTaken), "")
	}
	p.conn = &spiConn{port: p}
	return p.conn, nil
}

// String names the port.
func (p *SPIPort) String() string { return p.name }

type spiConn struct{ port *SPIPort }

func (c *spiConn) Tx(w, r []byte) error {
	c.port.mu.Lock()
	defer c.port.mu.Unlock()
	if c.port.conn != c {
		return fault.New(fault.Lost, fmt.Errorf("%s: the connection is closed", c.port.name), "")
	}
	if len(w) > 0 && len(r) > 0 && len(w) != len(r) {
		return fmt.Errorf("%s: %d bytes to write and %d to read at the same time", c.port.name, len(w), len(r))
	}
	if c.port.chip == nil {
		for i := range r {
			r[i] = 0xff
		}
		return nil
	}
	return c.port.chip.Tx(w, r)
}

func (c *spiConn) TxPackets(packets []spi.Packet) error {
	for _, p := range packets {
		if err := c.Tx(p.W, p.R); err != nil {
			return err
		}
	}
	return nil
}

func (c *spiConn) Duplex() conn.Duplex { return conn.Full }

func (c *spiConn) String() string { return c.port.name }

// Close gives the port back.
func (c *spiConn) Close() error {
	c.port.mu.Lock()
	defer c.port.mu.Unlock()
	if c.port.conn == c {
		c.port.conn = nil
	}
	return nil
}
