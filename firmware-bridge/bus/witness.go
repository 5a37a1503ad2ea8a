package bus

import (
	"fmt"
	"sync"

	"periph.io/x/conn/v3/i2c"
)

// Witness is an I2C bus as one sensor's driver sees it. It remembers what the bus itself said last, because periph's device
// drivers put words of their own in the place of the cause.
type Witness struct {
	i2c.Bus

	mu   sync.Mutex
	last error
}

// Tx is one transaction.
func (w *Witness) Tx(address uint16, out, in []byte) error {
	err := w.Bus.Tx(address, out, in)
	w.mu.Lock()
	w.last = err
	w.mu.Unlock()
	return err
}

// Cause adds to an error of a device driver what the bus said last. It returns nil if err is nil.
func (w *Witness) Cause(err error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err == nil || w.last == nil {
		return err
	}
	return fmt.Errorf("%w: %w", err, w.last)
}
