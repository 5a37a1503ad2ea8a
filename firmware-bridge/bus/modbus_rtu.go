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
	late   map[uint8]bool  // who has answered after its time since its last good answer
	owed   map[uint8]*debt // outlives the wire
}

// debt is what a unit may still say late, within twice the timeout: RTU has nothing that would tell an answer to an earlier
// request from the answer to the present one.
type debt struct {
	answers int
	until   time.Time
	frame   []byte
}

const (
	// maxNoise is how many bytes may come where one frame of at most 256 is expected.
	maxNoise = 1024
	// crcSize is that of the CRC, minFrame that of an exception: unit, function, code, CRC.
	crcSize  = 2
	minFrame = 5
)

var (
	errNoAnswer    = errors.New("no answer")
	errNoise       = errors.New("bytes that are no answer")
	errDamaged     = errors.New("the answer is damaged")
	errNeverSilent = errors.New("the line is never silent")
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
	if n, err := w.port.Write(frame); err != nil {
		return nil, err
	} else if n < len(frame) {
		return nil, io.ErrShortWrite
	}
	late := time.Now().Add(2 * w.timeout)
	answer, err := w.receive(r, frame, patience)
	d := w.owed[r.unit]
	if err == nil {
		delete(w.late, r.unit)
	}
	switch {
	case err == nil && d != nil: // the same was asked twice, and this may have been the first answer
		d.until = late
	case err != nil && !errors.Is(err, errDamaged):
		w.owe(r.unit, frame, late)
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
			w.late[f[0]] = true
			if d.answers--; d.answers <= 0 {
				delete(w.owed, f[0])
			}
		}
	}
}

func (w *rtuWire) owe(unit uint8, frame []byte, until time.Time) {
	d := w.owed[unit]
	if d == nil {
		d = &debt{}
		w.owed[unit] = d
	}
	d.answers++
	d.until, d.frame = until, frame
}

// read waits for bytes at most so long; none have come if it returns none.
func (w *rtuWire) read(wait time.Duration) ([]byte, error) {
	var chunk [256]byte
	for end := time.Now().Add(wait); ; wait = time.Until(end) {
		if err := w.port.SetReadTimeout(max(wait, 0)); err != nil {
			return nil, err
		}
		n, err := w.port.Read(chunk[:])
		if n > 0 || err != nil || !time.Now().Before(end) { // the silence must have been as long as it was to be
			return chunk[:n], err
		}
	}
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
		if rest, _ := sift(frame, heard); damaged(r, rest, size) {
			wait = min(wait, w.gap) // this was the answer, and all of it
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

// damaged tells whether there is something that begins as the answer does and has at least so many bytes. If it were whole
// it would have been found.
func damaged(r modbusRequest, heard []byte, size int) bool {
	for ; len(heard) >= size; heard = heard[1:] {
		if answers(r, heard) {
			return true
		}
	}
	return false
}

// conclude says what it was, if no answer was found. The answer to a read of bits can, one time in millions, be byte for
// byte the request; it is taken for one if the line is not known to echo.
func (w *rtuWire) conclude(r modbusRequest, frame, heard []byte) ([]byte, error) {
	echoed := bytes.Contains(heard, frame)
	if echoed && !w.echoes && answers(r, frame) && len(frame) == minFrame+r.size() {
		return frame[1 : len(frame)-crcSize], nil
	}
	rest, others := sift(frame, heard)
	switch {
	case damaged(r, rest, minFrame):
		return nil, fault.New(fault.Garbled, fmt.Errorf("%s: %w: % x", r, errDamaged, rest[:min(len(rest), 16)]), "")
	case len(rest) > 0:
		return nil, fault.New(fault.Garbled, fmt.Errorf("%s: %w: % x", r, errNoise, rest[:min(len(rest), 16)]), "")
	case len(others) > 0:
		return nil, fault.New(fault.Timeout, fmt.Errorf("%s: %w, but frames of units %d", r, errNoAnswer, others), "")
	}
	return nil, silence(r, w.late[r.unit], w.timeout)
}

// silence is the fault of a unit that did not answer in time.
func silence(r modbusRequest, late bool, timeout time.Duration) error {
	advice := ""
	if late {
		advice = fmt.Sprintf("the unit answers, but later than %s: set the bus's timeout higher", timeout)
	}
	return fault.New(fault.Timeout, fmt.Errorf("%s: %w", r, errNoAnswer), advice)
}

// sift takes the echo of a request and whole frames out of what was heard. It returns the rest, and the frames' units.
func sift(frame, heard []byte) (rest []byte, units []uint8) {
	before, after, _ := bytes.Cut(heard, frame)
	for _, part := range [][]byte{before, after} {
		for {
			f, left, ok := nextFrame(part)
			if !ok {
				break
			}
			rest = append(rest, part[:len(part)-len(left)-len(f)]...)
			units, part = append(units, f[0]), left
		}
		rest = append(rest, part...)
	}
	return rest, units
}

// Close closes the port.
func (w *rtuWire) Close() error { return w.port.Close() }

// nextFrame finds the first whole frame that can be the answer to a read, and returns what comes after it.
func nextFrame(b []byte) (frame, rest []byte, ok bool) {
	for ; len(b) >= minFrame; b = b[1:] {
		var size int
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
