package bus

import (
	"context"
	"fmt"
	"io"
	"sync"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/physic"
	"periph.io/x/conn/v3/spi"
)

// Witness is an I2C bus as one sensor's driver sees it. It remembers what the bus itself said last, because periph's device
// drivers put words of their own in the place of the cause, and it ends their loops, which know of no context.
type Witness struct {
	i2c.Bus
	memory
}

// Tx is one transaction.
func (w *Witness) Tx(address uint16, out, in []byte) error {
	return w.do(func() error { return w.Bus.Tx(address, out, in) })
}

// PortWitness is an SPI port as one sensor's driver sees it; it does what Witness does.
type PortWitness struct {
	spi.Port
	memory

	opened spi.Conn // nil until Connect
}

// Connect opens the port.
func (w *PortWitness) Connect(f physic.Frequency, mode spi.Mode, bits int) (spi.Conn, error) {
	var c spi.Conn
	err := w.do(func() (err error) {
		c, err = w.Port.Connect(f, mode, bits)
		return err
	})
	if err != nil {
		return nil, err
	}
	w.opened = c
	return witnessConn{Conn: c, memory: &w.memory}, nil
}

// Tx is one transaction over the connection that was opened last.
func (w *PortWitness) Tx(out, in []byte) error {
	if w.opened == nil {
		return fmt.Errorf("%s is not connected", w.Port)
	}
	return w.do(func() error { return w.opened.Tx(out, in) })
}

// Close gives the port back, so that it can be connected again.
func (w *PortWitness) Close() error {
	if c, ok := w.opened.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

type witnessConn struct {
	spi.Conn
	memory *memory
}

func (c witnessConn) Tx(w, r []byte) error {
	return c.memory.do(func() error { return c.Conn.Tx(w, r) })
}

func (c witnessConn) TxPackets(packets []spi.Packet) error {
	return c.memory.do(func() error { return c.Conn.TxPackets(packets) })
}

// memory is what both witnesses know.
type memory struct {
	mu   sync.Mutex
	last error
	over func() error // nil, or the error of the context that ended
}

// Until lets transactions fail once ctx has ended, until it is called again.
func (m *memory) Until(ctx context.Context) {
	m.mu.Lock()
	m.over = ctx.Err
	m.mu.Unlock()
}

// Last returns what the bus said last: nil if it did what it was asked.
func (m *memory) Last() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.last
}

// Cause adds to an error of a device driver what the bus said last. It returns nil if err is nil.
func (m *memory) Cause(err error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err == nil || m.last == nil {
		return err
	}
	return fmt.Errorf("%w: %w", err, m.last)
}

func (m *memory) do(transaction func() error) error {
	m.mu.Lock()
	over := m.over
	m.mu.Unlock()
	var err error
	if over != nil {
		err = over()
	}
	if err == nil {
		err = transaction()
	}
	m.mu.Lock()
	m.last = err
	m.mu.Unlock()
	return err
}
