package frame

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/lamppost-city/lamppost/telemetry"
)

// version is the first byte of an encoded frame. The rest is a sequence of varints and length-prefixed strings, section
// by section in the order of Frame's fields. The spool's checksum protects it.
const version = 3

// Versions whose spools are read: withoutSilences knew no silences, withNumbered told of each minute whether its newest
// reading was numbered.
const (
	withoutSilences = 1
	withNumbered    = 2
)

// Append encodes f behind dst.
func Append(dst []byte, f *Frame) []byte {
	dst = append(dst, version)
	dst = binary.AppendUvarint(dst, f.Serial)
	dst = binary.AppendVarint(dst, int64(f.Received))
	dst = binary.AppendUvarint(dst, uint64(len(f.Minutes)))
	for i := range f.Minutes {
		m := &f.Minutes[i]
		dst = appendText(dst, string(m.Sensor))
		dst = binary.AppendVarint(dst, m.Minute)
		dst = binary.AppendVarint(dst, int64(m.Newest))
		for _, n := range []int64{m.Received, m.Duplicate, m.Late, m.Stamped, m.Accepted, m.Reports, m.Missing} {
			dst = binary.AppendVarint(dst, n)
		}
	}
	dst = binary.AppendUvarint(dst, uint64(len(f.Rejections)))
	for _, r := range f.Rejections {
		dst = appendText(dst, string(r.Sensor))
		dst = binary.AppendVarint(dst, r.Minute)
		dst = append(dst, byte(r.Reason))
		dst = binary.AppendVarint(dst, r.N)
	}
	dst = binary.AppendUvarint(dst, uint64(len(f.Sequences)))
	for _, s := range f.Sequences {
		dst = appendText(dst, string(s.Publisher))
		dst = binary.AppendUvarint(dst, s.Seq)
	}
	dst = appendSilences(dst, f.Silences)
	dst = appendRefused(dst, f.Refused)
	dst = binary.AppendUvarint(dst, uint64(len(f.Released)))
	for _, id := range f.Released {
		dst = binary.AppendVarint(dst, id)
	}
	dst = appendText(dst, f.Lines)
	dst = binary.AppendUvarint(dst, uint64(len(f.Accepted)))
	for _, n := range f.Accepted {
		dst = binary.AppendUvarint(dst, uint64(n))
	}
	dst = binary.AppendUvarint(dst, uint64(len(f.Suspects)))
	for i := range f.Suspects {
		s := &f.Suspects[i]
		dst = binary.AppendUvarint(dst, uint64(s.Line))
		dst = append(dst, byte(s.Domain))
		dst = appendText(dst, string(s.Sensor))
		dst = appendText(dst, s.Quantity)
		dst = appendText(dst, s.Channel)
		dst = binary.AppendVarint(dst, int64(s.Measured))
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(s.Value))
		dst = appendBool(dst, s.Late)
	}
	return dst
}

// appendSilences writes times as what they are later than the one before.
func appendSilences(dst []byte, all []SensorSilences) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(all)))
	for i := range all {
		dst = appendText(dst, string(all[i].Sensor))
		dst = binary.AppendUvarint(dst, uint64(len(all[i].Open)))
		for _, s := range all[i].Open {
			for _, n := range []int64{int64(s.From), int64(s.To - s.From), int64(s.End - s.To), int64(s.Cadence)} {
				dst = binary.AppendVarint(dst, n)
			}
		}
	}
	return dst
}

func appendRefused(dst []byte, refused []Refused) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(refused)))
	for i := range refused {
		r := &refused[i]
		dst = binary.AppendVarint(dst, int64(r.Received))
		dst = binary.AppendVarint(dst, r.Minute)
		dst = appendText(dst, r.Topic)
		dst = appendText(dst, string(r.Publisher))
		dst = appendText(dst, r.Payload)
		dst = binary.AppendVarint(dst, r.SizeBytes)
		dst = binary.AppendUvarint(dst, uint64(len(r.Faults)))
		for _, fault := range r.Faults {
			dst = append(dst, byte(fault.Reason))
			dst = appendText(dst, string(fault.Counted))
			dst = appendText(dst, string(fault.Sensor))
			dst = appendText(dst, fault.Detail)
			dst = binary.AppendVarint(dst, fault.Readings)
		}
	}
	return dst
}

func appendBool(dst []byte, is bool) []byte {
	if is {
		return append(dst, 1)
	}
	return append(dst, 0)
}

func appendText[T string | []byte](dst []byte, text T) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(text)))
	return append(dst, text...)
}

// Parser decodes frames. It keeps the sensor ids that it has seen, so that frame after frame about the same sensors
// costs no memory. It must not be used by two goroutines at once.
type Parser struct {
	texts map[string]string
}

// maxTexts bounds a Parser's memory of texts; when it is reached the memory starts anew.
const maxTexts = 1 << 17

// NewParser returns a Parser that has seen nothing.
func NewParser() *Parser { return &Parser{texts: make(map[string]string)} }

// The smallest encoded sizes of a Minute and a Sequence: no count of a damaged frame asks for much memory.
const (
	leastMinute   = 10
	leastSequence = 2
)

var errCut = errors.New("ends too early")

// ErrVersion is returned for a frame of another version of this program. It is whole: the other program can read it.
var ErrVersion = errors.New("written by another version of lamppost")

// Parse decodes data into f. f.Lines and the payloads of f.Refused are parts of data, and valid as long as it is.
func (p *Parser) Parse(data []byte, f *Frame) error {
	f.Reset()
	r := reader{rest: data, parser: p}
	v := r.byte()
	if r.err == nil && (v < withoutSilences || v > version) {
		return fmt.Errorf("%w: frame of version %d, this program reads up to %d", ErrVersion, v, version)
	}
	f.Serial, f.Received = r.uvarint(), telemetry.UnixMilli(r.varint())
	n := r.count()
	f.Minutes = slices.Grow(f.Minutes, min(n, len(r.rest)/leastMinute))
	for range n {
		m := Minute{Sensor: telemetry.SensorID(r.text()), Minute: r.varint(), Newest: telemetry.UnixMilli(r.varint())}
		if v == withNumbered {
			r.byte()
		}
		for _, n := range []*int64{&m.Received, &m.Duplicate, &m.Late, &m.Stamped, &m.Accepted, &m.Reports, &m.Missing} {
			*n = r.varint()
		}
		f.Minutes = append(f.Minutes, m)
	}
	for range r.count() {
		f.Rejections = append(f.Rejections, Rejection{
			Sensor: telemetry.SensorID(r.text()), Minute: r.varint(), Reason: telemetry.Reason(r.byte()), N: r.varint(),
		})
	}
	n = r.count()
	f.Sequences = slices.Grow(f.Sequences, min(n, len(r.rest)/leastSequence))
	for range n {
		f.Sequences = append(f.Sequences, Sequence{Publisher: telemetry.SensorID(r.text()), Seq: r.uvarint()})
	}
	if v != withoutSilences {
		for range r.count() {
			f.Silences = append(f.Silences, r.silences())
		}
	}
	for range r.count() {
		f.Refused = append(f.Refused, r.refused())
	}
	for range r.count() {
		f.Released = append(f.Released, r.varint())
	}
	f.Lines = r.bytes()
	n = r.count()
	f.Accepted = slices.Grow(f.Accepted, n)
	for range n {
		f.Accepted = append(f.Accepted, uint16(r.uvarint()))
	}
	for range r.count() {
		f.Suspects = append(f.Suspects, Suspect{
			Line: int(r.uvarint()), Domain: telemetry.Domain(r.byte()), Sensor: telemetry.SensorID(r.text()),
			Quantity: r.text(), Channel: r.text(), Measured: telemetry.UnixMilli(r.varint()), Value: r.float(), Late: r.byte() != 0,
		})
	}
	if r.err == nil && len(r.rest) > 0 {
		r.err = fmt.Errorf("%d bytes too many", len(r.rest))
	}
	if r.err != nil {
		return fmt.Errorf("frame of %d bytes: %w", len(data), r.err)
	}
	return nil
}

// reader takes a frame apart. After the first error it only returns zeros.
type reader struct {
	rest   []byte
	parser *Parser
	err    error
}

func (r *reader) refused() Refused {
	m := Refused{
		Received: telemetry.UnixMilli(r.varint()), Minute: r.varint(), Topic: r.freeText(), Publisher: telemetry.SensorID(r.text()),
		Payload: r.bytes(), SizeBytes: r.varint(),
	}
	for range r.count() {
		m.Faults = append(m.Faults, Fault{
			Reason: telemetry.Reason(r.byte()), Counted: telemetry.SensorID(r.text()), Sensor: telemetry.SensorID(r.text()),
			Detail: r.freeText(), Readings: r.varint(),
		})
	}
	return m
}

func (r *reader) silences() SensorSilences {
	s := SensorSilences{Sensor: telemetry.SensorID(r.text())}
	for range r.count() {
		from, length, rest, cadence := r.varint(), r.varint(), r.varint(), r.varint()
		s.Open = append(s.Open, Silence{
			From: telemetry.UnixMilli(from), To: telemetry.UnixMilli(from + length), End: telemetry.UnixMilli(from + length + rest),
			Cadence: time.Duration(cadence),
		})
	}
	return s
}

func (r *reader) fail() {
	if r.err == nil {
		r.err = errCut
	}
	r.rest = nil
}

func (r *reader) byte() byte {
	if len(r.rest) == 0 {
		r.fail()
		return 0
	}
	b := r.rest[0]
	r.rest = r.rest[1:]
	return b
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.rest)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *reader) float() float64 {
	if len(r.rest) < 8 {
		r.fail()
		return 0
	}
	bits := binary.LittleEndian.Uint64(r.rest)
	r.rest = r.rest[8:]
	return math.Float64frombits(bits)
}

// count reads a number of things, each at least a byte long, so that garbage cannot ask for endless work.
func (r *reader) count() int {
	n := r.uvarint()
	if n > uint64(len(r.rest)) {
		r.fail()
		return 0
	}
	return int(n)
}

func (r *reader) bytes() []byte {
	n := r.count()
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) freeText() string { return string(r.bytes()) }

// text reads a text that is likely to come again.
func (r *reader) text() string {
	b := r.bytes()
	if known, ok := r.parser.texts[string(b)]; ok {
		return known
	}
	if len(r.parser.texts) >= maxTexts {
		clear(r.parser.texts)
	}
	text := string(b)
	r.parser.texts[text] = text
	return text
}
