package outbox

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/lamppost-city/lamppost/firmware-bridge/clock"
	"github.com/lamppost-city/lamppost/telemetry"
)

// frame is one MQTT message as it lies in the spool. The spool guards its bytes.
//
//	version 1 | kind | seq | total | readings | made | publisher | boot, if undated | body
//	  1 byte   1 byte  uvarint each              varint  length, text     16 bytes
type frame struct {
	kind kind
	// seq is the sequence number of the message.
	seq uint64
	// total is how many readings were put into the spool up to and including this frame, so that nobody has to read it
	// all to know how many wait.
	total    uint64
	readings int
	// made is when the first reading was measured: milliseconds since 1970, or the instant where the frame is undated.
	made int64
	// publisher is whose message it was to be, and to whom the names in the body are relative.
	publisher telemetry.SensorID
	boot      clock.Boot
	body      []byte
}

// kind says what the body is.
type kind byte

const (
	// dated: SenML in CBOR, as it is published.
	dated kind = 'D'
	// undated: samples, to be dated when they are sent.
	undated kind = 'U'
)

const frameVersion = 1

var (
	errFrame   = errors.New("the frame makes no sense")
	errVersion = errors.New("the frame was written by another version")
)

// bytes are f as it lies in the spool.
func (f *frame) bytes() []byte {
	dst := []byte{frameVersion, byte(f.kind)}
	dst = binary.AppendUvarint(dst, f.seq)
	dst = binary.AppendUvarint(dst, f.total)
	dst = binary.AppendUvarint(dst, uint64(f.readings))
	dst = binary.AppendVarint(dst, f.made)
	dst = appendText(dst, string(f.publisher))
	if f.kind == undated {
		dst = append(dst, f.boot[:]...)
	}
	return append(dst, f.body...)
}

// parseFrame reads what append has written. The body is part of b.
func parseFrame(b []byte) (f frame, err error) {
	if len(b) < 2 || b[0] != frameVersion {
		return f, errVersion
	}
	f.kind = kind(b[1])
	r := bytesReader{rest: b[2:]}
	f.seq, f.total = r.uvarint(), r.uvarint()
	readings := r.uvarint()
	f.made = r.varint()
	f.publisher = telemetry.SensorID(r.text())
	if f.kind == undated {
		copy(f.boot[:], r.take(uint64(len(f.boot))))
	}
	if r.bad || f.kind != dated && f.kind != undated || readings == 0 || readings > uint64(len(r.rest)) {
		return f, errFrame
	}
	f.readings, f.body = int(readings), r.rest
	return f, nil
}

// sample is a reading without a date.
type sample struct {
	sensor, quantity, channel string
	at                        clock.Instant
	value                     float64
}

func (s *sample) append(dst []byte) []byte {
	dst = appendText(appendText(appendText(dst, s.sensor), s.quantity), s.channel)
	dst = binary.AppendVarint(dst, int64(s.at))
	return binary.LittleEndian.AppendUint64(dst, math.Float64bits(s.value))
}

// samples calls each with what is in the body of an undated frame.
func (f *frame) samples(each func(sample)) error {
	r := bytesReader{rest: f.body}
	for n := range f.readings {
		s := sample{sensor: r.text(), quantity: r.text(), channel: r.text(), at: clock.Instant(r.varint())}
		if bits := r.take(8); !r.bad {
			s.value = math.Float64frombits(binary.LittleEndian.Uint64(bits))
		}
		if r.bad {
			return fmt.Errorf("%w: sample %d of %d", errFrame, n+1, f.readings)
		}
		if s.sensor == "" {
			s.sensor = string(f.publisher)
		}
		each(s)
	}
	if len(r.rest) > 0 {
		return fmt.Errorf("%w: %d bytes follow the samples", errFrame, len(r.rest))
	}
	return nil
}

func appendText(dst []byte, text string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(text))), text...)
}

// bytesReader takes values off the front of rest. After the first that is not there it is bad.
type bytesReader struct {
	rest []byte
	bad  bool
}

func (r *bytesReader) uvarint() uint64 {
	v, n := binary.Uvarint(r.rest)
	r.skip(n)
	return v
}

func (r *bytesReader) varint() int64 {
	v, n := binary.Varint(r.rest)
	r.skip(n)
	return v
}

func (r *bytesReader) skip(n int) {
	if n <= 0 {
		r.bad, n = true, len(r.rest)
	}
	r.rest = r.rest[n:]
}

func (r *bytesReader) text() string { return string(r.take(r.uvarint())) }

func (r *bytesReader) take(n uint64) []byte {
	if n > uint64(len(r.rest)) {
		r.bad, r.rest = true, nil
		return nil
	}
	taken := r.rest[:n]
	r.rest = r.rest[n:]
	return taken
}
