package bus

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
)

// rtuPort is what RTU frames go over: a serial port, or a connection to a serial server.
type rtuPort interface {
	io.ReadWriteCloser
	// SetReadTimeout is that of Port.
	SetReadTimeout(d time.Duration) error
}

// pace is how fast a line is (Modbus over Serial Line V1.02, section 2.5.1.1).
type pace struct {
	// char is one character: 11 bits, whether the eleventh is a parity or a stop bit.
	char time.Duration
	// quiet is the silence between frames: 3.5 characters, or 1.75 ms above 19,200 baud.
	quiet time.Duration
}

func paceOf(baud int) pace {
	p := pace{char: 11 * time.Second / time.Duration(baud), quiet: 1750 * time.Microsecond}
	if baud <= 19200 {
		p.quiet = p.char * 7 / 2
	}
	return p
}

// lasting is how long n bytes are on the line.
func (p pace) lasting(n int) time.Duration { return time.Duration(n) * p.char }

// rtuWire speaks RTU. What is on a line is not trusted: an answer is looked for anywhere in what comes, so that stray bytes
// before it, the echo of an adapter and answers of other units do no harm; and before a request the line must be silent.
type rtuWire struct {
	port    rtuPort
	pace    pace
	timeout time.Duration
	// gap is the silence after which an answer that has begun is over: an adapter on USB and a serial server hand over
	// what they have heard in pieces.
	gap time.Duration

	echoes bool
	owed   map[uint8]*debt
}

// debt is what a unit may still say late: RTU has nothing that would tell an answer to an earlier request from the answer
// to the present one.
type debt struct {
	answers int
	until   time.Time
	frame   []byte
}

const (
	// maxNoise is how many bytes may come, in bytes, where one frame of at most 256 is expected.
	maxNoise = 1024
	// crcSize is that of the CRC, minFrame that of an exception: unit, function, code, CRC.
	crcSize  = 2
	minFrame = 5
)

var (
	errNoAnswer     = errors.New("no answer")
	errNoise        = errors.New("bytes that are no answer")
	errNeverSilent  = errors.New("the line is never silent")
	errHalfAnAnswer = errors.New("half an answer")
)

// ask sends a request and waits for its answer: patience from when the request is out until the answer begins.
func (w *rtuWire) ask(r modbusRequest, patience time.Duration) ([]byte, error) {
	if r.unit == 0 {
		return nil, fault.New(fault.Misconfigured, fmt.Errorf("%s: unit 0 is everybody on a serial line, and nobody answers", r), "set the unit's own id, 1 to 247")
	}
	frame := appendCRC(append([]byte{r.unit}, r.pdu()...))
	if err := w.settle(r, frame); err != nil {
		return nil, err
	}
	if _, err := w.port.Write(frame); err != nil {
		return nil, err
	}
	answer, err := w.receive(r, frame, patience)
	if fault.KindOf(err) == fault.Timeout {
		w.owe(r.unit, frame)
	}
	return answer, err
}

// settle waits until the line has been silent for its quiet time, and forgets what came. It waits longer for a unit that
// owes an answer: as long as that may come, unless the same is asked again.
func (w *rtuWire) settle(r modbusRequest, frame []byte) error {
	var heard []byte
	for {
		wait := w.pace.quiet
		if d := w.owed[r.unit]; d != nil && !bytes.Equal(d.frame, frame) {
			wait = max(wait, time.Until(d.until))
		}
		chunk, err := w.read(wait)
		if err != nil {
			return err
		}
		if len(chunk) == 0 {
			if d := w.owed[r.unit]; d != nil && !time.Now().Before(d.until) {
				delete(w.owed, r.unit)
			}
			return nil
		}
		if heard = append(heard, chunk...); len(heard) > maxNoise {
			return fault.New(fault.Garbled, fmt.Errorf("%s: %w", r, errNeverSilent), adviseNoise)
		}
		heard = w.credit(heard)
	}
}

const adviseNoise = "another master speaks, or the line floats: look for a second master, and at the termination and bias resistors"

// credit takes the whole frames in what was heard off what their units owe, and returns what is left.
func (w *rtuWire) credit(heard []byte) []byte {
	for {
		f, rest, ok := nextFrame(heard)
		if !ok {
			return heard
		}
		heard = rest
		if d := w.owed[f[0]]; d != nil {
			if d.answers--; d.answers <= 0 {
				delete(w.owed, f[0])
			}
		}
	}
}

func (w *rtuWire) owe(unit uint8, frame []byte) {
	d := w.owed[unit]
	if d == nil {
		if w.owed == nil {
			w.owed = make(map[uint8]*debt)
		}
		d = &debt{}
		w.owed[unit] = d
	}
	d.answers++
	d.until, d.frame = time.Now().Add(w.timeout), frame
}

// read waits for bytes at most so long; none have come if it returns none.
func (w *rtuWire) read(wait time.Duration) ([]byte, error) {
	if err := w.port.SetReadTimeout(max(wait, 0)); err != nil {
		return nil, err
	}
	var chunk [256]byte
	n, err := w.port.Read(chunk[:])
	return chunk[:n], err
}

// receive looks for the answer in what comes.
func (w *rtuWire) receive(r modbusRequest, frame []byte, patience time.Duration) ([]byte, error) {
	size := minFrame + r.size()
	begin := time.Now().Add(w.pace.lasting(len(frame)) + patience)
	deadline := begin.Add(w.pace.lasting(size))
	var heard []byte
	for {
		end := deadline
		if len(heard) == 0 {
			end = begin // what has not begun by then will not come
		}
		wait := time.Until(end)
		if whole := len(heard) >= size; whole {
			wait = min(wait, w.gap)
		}
		var chunk []byte
		if wait > 0 {
			var err error
			if chunk, err = w.read(wait); err != nil {
				return nil, err
			}
		}
		if len(chunk) == 0 {
			return w.conclude(r, frame, heard)
		}
		heard = append(heard, chunk...)
		if answer, echoed := find(r, frame, heard); answer != nil {
			w.echoes = w.echoes || echoed
			return answer, nil
		}
		if len(heard) > maxNoise {
			return nil, fault.New(fault.Garbled, fmt.Errorf("%s: %w", r, errNeverSilent), adviseNoise)
		}
	}
}

// find looks for the answer to a request, and says whether the request was heard too.
func find(r modbusRequest, frame, heard []byte) (answer []byte, echoed bool) {
	before, after, echoed := bytes.Cut(heard, frame)
	for _, part := range [][]byte{before, after} {
		for f, rest, ok := nextFrame(part); ok; f, rest, ok = nextFrame(rest) {
			if answers(r, f) {
				return f[1 : len(f)-crcSize], echoed
			}
		}
	}
	return nil, echoed
}

// answers tells whether a frame may be the answer: of the same unit and function, and as long, or an exception.
func answers(r modbusRequest, f []byte) bool {
	return f[0] == r.unit && (f[1] == r.function()|exceptionFlag || f[1] == r.function() && int(f[2]) == r.size())
}

// conclude says what it was, if no answer was found. The answer to a read of bits can, one time in millions, be byte for
// byte the request; it is taken for one if the line is not known to echo.
func (w *rtuWire) conclude(r modbusRequest, frame, heard []byte) ([]byte, error) {
	before, after, echoed := bytes.Cut(heard, frame)
	if echoed && !w.echoes && answers(r, frame) && len(frame) == minFrame+r.size() {
		return frame[1 : len(frame)-crcSize], nil
	}
	rest := append(bytes.Clone(before), after...)
	var others []byte
	for {
		f, left, ok := nextFrame(rest)
		if !ok {
			break
		}
		if d := w.owed[f[0]]; d != nil {
			d.answers--
		}
		others, rest = append(others, f[0]), left
	}
	switch {
	case len(rest) > 0:
		return nil, fault.New(fault.Garbled, fmt.Errorf("%s: %w: % x", r, errNoise, rest[:min(len(rest), 16)]), "")
	case len(others) > 0:
		return nil, fault.New(fault.Timeout, fmt.Errorf("%s: %w, but frames of unit %d", r, errNoAnswer, others), "")
	}
	return nil, fault.New(fault.Timeout, fmt.Errorf("%s: %w", r, errNoAnswer), "")
}

// Close closes the port.
func (w *rtuWire) Close() error { return w.port.Close() }

// nextFrame finds the first whole frame that can be the answer to a read, and returns what comes after it.
func nextFrame(b []byte) (frame, rest []byte, ok bool) {
	for ; len(b) >= minFrame; b = b[1:] {
		size := 0
		switch function := b[1]; {
		case function >= 1 && function <= 4:
			size = minFrame + int(b[2])
		case function > exceptionFlag && function <= exceptionFlag|4:
			size = minFrame
		default:
			continue
		}
		if len(b) >= size && binary.LittleEndian.Uint16(b[size-crcSize:]) == crc(b[:size-crcSize]) {
			return b[:size], b[size:], true
		}
	}
	return nil, nil, false
}

func appendCRC(b []byte) []byte { return binary.LittleEndian.AppendUint16(b, crc(b)) }

// crc is the checksum of Modbus over Serial Line V1.02, section 2.5.1.2 and appendix B.
func crc(b []byte) uint16 {
	c := uint16(0xffff)
	for _, x := range b {
		c ^= uint16(x)
		for range 8 {
			if c&1 != 0 {
				c = c>>1 ^ 0xa001
			} else {
				c >>= 1
			}
		}
	}
	return c
}
