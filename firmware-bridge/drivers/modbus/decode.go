package modbus

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strings"
	"unicode"
)

// Order is the order in which the bytes of a value come, the most significant byte being A: AB or BA for one register; ABCD,
// CDAB, BADC or DCBA for two; ABCDEFGH, GHEFCDAB, BADCFEHG or HGFEDCBA for four. The names for two registers can be used for
// every width, so that a whole device has one order. "" is ABCD.
type Order string

// flags are what an order does to the plain one.
type flags struct{ words, bytes bool }

// flags says whether the order of the registers, and that of the bytes within each, is turned round.
func (o Order) flags() flags {
	switch o {
	case "BA", "BADC", "BADCFEHG":
		return flags{bytes: true}
	case "CDAB", "GHEFCDAB":
		return flags{words: true}
	case "DCBA", "HGFEDCBA":
		return flags{words: true, bytes: true}
	}
	return flags{}
}

// orders are the names for a width.
func orders(width uint16) []Order {
	switch width {
	case 1:
		return []Order{"AB", "BA"}
	case 4:
		return []Order{"ABCDEFGH", "GHEFCDAB", "BADCFEHG", "HGFEDCBA"}
	}
	return []Order{"ABCD", "CDAB", "BADC", "DCBA"}
}

func (o Order) check(t Type) error {
	width := t.width()
	if t == String {
		width = 1
	}
	if o == "" || slices.Contains(orders(2), o) || slices.Contains(orders(width), o) {
		return nil
	}
	return fmt.Errorf("%q is none of %v, which fit %s", o, orders(width), t)
}

// assemble makes one number of up to four registers.
func assemble(words []uint16, f flags) uint64 {
	var v uint64
	for i := range words {
		w := words[i]
		if f.words {
			w = words[len(words)-1-i]
		}
		if f.bytes {
			w = bits.ReverseBytes16(w)
		}
		v = v<<16 | uint64(w)
	}
	return v
}

// scatter is the way back from assemble.
func scatter(v uint64, width uint16, f flags) []uint16 {
	words := make([]uint16, width)
	for i := range words {
		w := uint16(v >> (16 * (len(words) - 1 - i)))
		if f.bytes {
			w = bits.ReverseBytes16(w)
		}
		if f.words {
			words[len(words)-1-i] = w
		} else {
			words[i] = w
		}
	}
	return words
}

// tiny is the least magnitude of a float that can be a measurement in any unit. In a wrong order most floats are either huge
// or less than that.
const tiny = 1e-15

var errTiny = errors.New("is no measurement: it looks like bytes in the wrong order")

// number decodes a value that is no string. ok is false for one that means that there is none. Beyond 2^53 a counter is
// rounded, to one in 10^15 of it.
func (r *Register) number(words []uint16, f flags) (value float64, ok bool, err error) {
	raw := assemble(words, f)
	if slices.Contains(r.Invalid, raw) {
		return 0, false, nil
	}
	switch r.kind() {
	case I16:
		return float64(int16(raw)), true, nil
	case I32:
		return float64(int32(raw)), true, nil
	case I64:
		return float64(int64(raw)), true, nil
	case F32, PF4Q:
		value = float64(math.Float32frombits(uint32(raw)))
	case F64:
		value = math.Float64frombits(raw)
	case Bit:
		return float64(raw >> r.Bit & 1), true, nil
	case Bits:
		return float64(raw >> r.Bits[0] & (1<<(r.Bits[1]-r.Bits[0]+1) - 1)), true, nil
	default:
		return float64(raw), true, nil
	}
	switch {
	case math.IsNaN(value):
		return 0, false, nil
	case value != 0 && math.Abs(value) < tiny:
		return 0, false, fmt.Errorf("%g %w", value, errTiny)
	case r.kind() == PF4Q && value > 1: // leading
		value = 2 - value
	case r.kind() == PF4Q && value < -1:
		value = -2 - value
	}
	return value, true, nil
}

// text decodes a string: up to the first NUL, without what cannot be printed and blanks at its ends.
func text(words []uint16, f flags) string {
	var b strings.Builder
	for _, w := range words {
		if f.bytes {
			w = bits.ReverseBytes16(w)
		}
		b.WriteByte(byte(w >> 8))
		b.WriteByte(byte(w))
	}
	s, _, _ := strings.Cut(b.String(), "\x00")
	return strings.TrimSpace(strings.Map(func(c rune) rune {
		if c == unicode.ReplacementChar || !unicode.IsPrint(c) {
			return -1
		}
		return c
	}, s))
}

// tenTo multiplies by a power of ten with one rounding.
func tenTo(value float64, exponent int) float64 {
	if exponent < 0 {
		return value / math.Pow10(-exponent)
	}
	return value * math.Pow10(exponent)
}

// exponent decodes a register that holds a power of ten. ok is false if it means that there is none: SunSpec's 0x8000, or
// what no device can mean.
func exponent(word uint16) (int, bool) {
	e := int(int16(word))
	return e, e >= -maxExponent && e <= maxExponent
}
