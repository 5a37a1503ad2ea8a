package simbus

import (
	"errors"
	"time"

	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
)

// Commands is a Chip that takes commands and answers them some time later, as Sensirion's do. A read before that time, or
// when there is nothing to say, is not acknowledged.
type Commands struct {
	// Answer gets what was written and returns what may be read, and after what time. An error means that the command is
	// not acknowledged.
	Answer func(command []byte) (answer []byte, after time.Duration, err error)

	answer []byte
	ready  time.Time
}

var errBusy = errors.New("the chip has nothing to say and does not acknowledge")

// NotAcknowledged is what a chip returns that does not want to be talked to.
func NotAcknowledged() error { return fault.New(fault.Absent, errBusy, "") }

// Tx is one transaction.
func (c *Commands) Tx(w, r []byte) error {
	if len(w) > 0 {
		answer, after, err := c.Answer(w)
		if err != nil {
			return err
		}
		c.answer, c.ready = answer, time.Now().Add(after)
	}
	if len(r) == 0 {
		return nil
	}
	if len(c.answer) == 0 || time.Now().Before(c.ready) {
		return NotAcknowledged()
	}
	for i := copy(r, c.answer); i < len(r); i++ {
		r[i] = 0xff
	}
	c.answer = nil
	return nil
}
