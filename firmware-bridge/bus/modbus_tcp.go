package bus

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
)

// tcpWire speaks Modbus TCP (Modbus Messaging on TCP/IP V1.0b, section 3.1.3). Every request has a number that its answer
// repeats, so that an answer that comes late is known and skipped.
type tcpWire struct {
	conn    net.Conn
	timeout time.Duration
	number  uint16
	late    map[uint8]bool // who has answered after its time since its last good answer
}

const (
	// mbapSize is the header: number, protocol (0), length of what follows from the unit on, unit.
	mbapSize = 7
	// maxPDU is the longest function code with data (Modbus Application Protocol V1.1b3, section 4.1).
	maxPDU = 253
	// writing is how long a request of 12 bytes may take to be sent.
	writing = 5 * time.Second
)

var (
	errNotModbus    = errors.New("what answers does not speak Modbus TCP")
	errHalfAnAnswer = errors.New("half an answer")
	errOtherUnit    = errors.New("another unit answers")
)

// ask sends a request and waits for its answer.
func (w *tcpWire) ask(r modbusRequest, patience time.Duration) ([]byte, error) {
	w.number++
	pdu := r.pdu()
	frame := binary.BigEndian.AppendUint16(nil, w.number)
	frame = append(frame, 0, 0)
	frame = binary.BigEndian.AppendUint16(frame, uint16(1+len(pdu)))
	frame = append(append(frame, r.unit), pdu...)
	if err := w.conn.SetDeadline(time.Now().Add(writing)); err != nil {
		return nil, err
	}
	if _, err := w.conn.Write(frame); err != nil {
		return nil, err
	}
	if err := w.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	for {
		number, unit, answer, err := readMBAP(w.conn)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil, silence(r, w.late[r.unit], w.timeout)
		case err != nil:
			return nil, fmt.Errorf("%s: %w", r, err)
		case number != w.number:
			w.late[unit] = true // the answer to an earlier request, which was given up
			continue
		case unit != r.unit && unit != 0 && unit != 0xff: // devices without units behind them answer as 0 or 255
			return nil, fault.New(fault.Garbled, fmt.Errorf("%s: %w: %d", r, errOtherUnit, unit), "the gateway mixes up its units: look for a second master")
		}
		delete(w.late, r.unit)
		return answer, nil
	}
}

// readMBAP reads one frame. Where it is a fault of kind Garbled, or any error but os.ErrDeadlineExceeded, the connection is
// of no more use.
func readMBAP(from io.Reader) (number uint16, unit uint8, pdu []byte, err error) {
	var head [mbapSize]byte
	if n, err := io.ReadFull(from, head[:]); err != nil {
		if n > 0 {
			err = fault.New(fault.Garbled, fmt.Errorf("%w: % x", errHalfAnAnswer, head[:n]), "")
		}
		return 0, 0, nil, err
	}
	size := int(binary.BigEndian.Uint16(head[4:6])) - 1
	if binary.BigEndian.Uint16(head[2:4]) != 0 || size < 2 || size > maxPDU {
		return 0, 0, nil, fault.New(fault.Garbled, fmt.Errorf("%w: % x", errNotModbus, head), "look at the address and the port; a serial server that only hands bytes on needs rtuovertcp:// in place of tcp://")
	}
	pdu = make([]byte, size)
	if _, err := io.ReadFull(from, pdu); err != nil {
		return 0, 0, nil, fault.New(fault.Garbled, fmt.Errorf("%w: %v", errHalfAnAnswer, err), "")
	}
	return binary.BigEndian.Uint16(head[:2]), head[6], pdu, nil
}

// Close closes the connection.
func (w *tcpWire) Close() error { return w.conn.Close() }

// tcpPort is a connection to a serial server.
type tcpPort struct {
	net.Conn
	wait time.Duration
}

// SetReadTimeout bounds every Read from now on.
func (p *tcpPort) SetReadTimeout(d time.Duration) error {
	p.wait = d
	return nil
}

// Read returns 0 bytes and no error when the time set by SetReadTimeout has passed.
func (p *tcpPort) Read(b []byte) (int, error) {
	if err := p.SetReadDeadline(time.Now().Add(p.wait)); err != nil {
		return 0, err
	}
	n, err := p.Conn.Read(b)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = nil
	}
	return n, err
}

// Write sends bytes.
func (p *tcpPort) Write(b []byte) (int, error) {
	if err := p.SetWriteDeadline(time.Now().Add(writing)); err != nil {
		return 0, err
	}
	return p.Conn.Write(b)
}
