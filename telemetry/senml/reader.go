package senml

import (
	"encoding/binary"
	"math"
	"strconv"

	"github.com/lamppost-city/lamppost/telemetry/internal/scan"
)

// The major types of CBOR (RFC 8949 section 3.1).
const (
	majorUint = iota
	majorNegative
	majorBytes
	majorText
	majorArray
	majorMap
	majorTag
	majorSimple
)

// reader walks over one CBOR payload. The zero value must be reset before use.
type reader struct {
	data    []byte
	pos     int
	depth   int
	scratch []byte // texts that came in pieces
	problem string
}

func (r *reader) reset(data []byte, depth int) {
	r.data, r.pos, r.depth, r.scratch, r.problem = data, 0, depth, r.scratch[:0], ""
}

func (r *reader) fail(problem string) bool {
	r.problem = problem + " at byte " + strconv.Itoa(r.pos)
	return false
}

func (r *reader) cutShort() bool {
	r.pos = len(r.data)
	return r.fail("the payload is cut short")
}

func (r *reader) tooDeep() bool { return r.fail("nested deeper than " + strconv.Itoa(r.depth)) }

// head is the beginning of a data item.
type head struct {
	major   byte
	info    byte   // the low five bits
	arg     uint64 // length, value or tag
	endless bool   // of indefinite length; for majorSimple the break
}

// head reads the next item's head.
func (r *reader) head(h *head) bool {
	if r.pos >= len(r.data) {
		return r.cutShort()
	}
	first := r.data[r.pos]
	h.major, h.info, h.endless = first>>5, first&31, false
	r.pos++
	if h.info < 24 {
		h.arg = uint64(h.info)
		return true
	}
	return r.longHead(h)
}

func (r *reader) longHead(h *head) bool {
	rest := r.data[r.pos:]
	width := 1 << (h.info - 24)
	switch {
	case h.info == 31:
		h.arg, h.endless = 0, true
		if h.major == majorUint || h.major == majorNegative || h.major == majorTag {
			r.pos--
			return r.fail("an item of indefinite length that has none stands")
		}
		return true
	case h.info > 27:
		r.pos--
		return r.fail("a reserved item stands")
	case len(rest) < width:
		return r.cutShort()
	case width == 1:
		h.arg = uint64(rest[0])
	case width == 2:
		h.arg = uint64(binary.BigEndian.Uint16(rest))
	case width == 4:
		h.arg = uint64(binary.BigEndian.Uint32(rest))
	default:
		h.arg = binary.BigEndian.Uint64(rest)
	}
	r.pos += width
	return true
}

// takeBreak takes the end of an item of indefinite length if it comes next.
func (r *reader) takeBreak() bool {
	if r.pos < len(r.data) && r.data[r.pos] == 0xFF {
		r.pos++
		return true
	}
	return false
}

// value takes an item that lies depth deep and skips it if it is a compound. Tags that do not change what a number or text
// means are passed over.
func (r *reader) value(v *scan.Value, depth int) bool {
	v.At, v.Whole = r.pos, false
	var h head
	if !r.head(&h) {
		return false
	}
	for h.major == majorTag {
		if h.arg >= tagBignum && h.arg <= tagBigfloat {
			return r.tagged(v, h.arg, depth)
		}
		if !r.head(&h) {
			return false
		}
	}
	return r.body(v, &h, depth)
}

// body takes what follows a head.
func (r *reader) body(v *scan.Value, h *head, depth int) bool {
	switch h.major {
	case majorUint:
		v.Kind, v.Num, v.Uint, v.Whole = scan.Number, float64(h.arg), h.arg, true
	case majorNegative:
		v.Kind, v.Num = scan.Number, negative(h.arg)
	case majorText, majorBytes:
		v.Kind = scan.String
		if h.major == majorBytes {
			v.Kind = scan.Binary
		}
		return r.text(h, &v.Text)
	case majorArray, majorMap:
		v.Kind, v.Text = scan.Compound, nil
		return r.skipBody(h, depth)
	case majorTag: // not on the usual way, where value passes tags over
		return r.value(v, depth+1)
	default:
		return r.simple(v, h)
	}
	return true
}

// negative is -1 - n.
func negative(n uint64) float64 {
	if n < 1<<63 {
		return float64(-1 - int64(n))
	}
	if n == math.MaxUint64 {
		return -1 << 64
	}
	return -float64(n + 1)
}

// text takes the content of a text or byte string.
func (r *reader) text(h *head, text *[]byte) bool {
	if !h.endless {
		if h.arg > uint64(len(r.data)-r.pos) {
			return r.cutShort()
		}
		end := r.pos + int(h.arg)
		*text = r.data[r.pos:end]
		r.pos = end
		return true
	}
	from := len(r.scratch)
	for !r.takeBreak() {
		var piece head
		if !r.head(&piece) {
			return false
		}
		if piece.major != h.major || piece.endless {
			return r.fail("a piece of another type stands in a text")
		}
		var part []byte
		if !r.text(&piece, &part) {
			return false
		}
		r.scratch = append(r.scratch, part...)
	}
	*text = r.scratch[from:]
	return true
}

// simple takes a float or one of the simple values.
func (r *reader) simple(v *scan.Value, h *head) bool {
	v.Text = nil
	switch h.info {
	case 20:
		v.Kind = scan.False
	case 21:
		v.Kind = scan.True
	case 22, 23: // null, undefined
		v.Kind = scan.Null
	case 24:
		if h.arg < 32 { // RFC 8949 section 3.3
			return r.fail("a simple value that is written longer than it may be stands")
		}
		v.Kind, v.Text = scan.Junk, []byte("simple value "+strconv.FormatUint(h.arg, 10))
	case 25:
		r.float(v, half(uint16(h.arg)))
	case 26:
		r.float(v, float64(math.Float32frombits(uint32(h.arg))))
	case 27:
		r.float(v, math.Float64frombits(h.arg))
	case 31:
		r.pos--
		return r.fail("a break stands outside of anything that it could end")
	default:
		v.Kind, v.Text = scan.Junk, []byte("simple value "+strconv.FormatUint(h.arg, 10))
	}
	return true
}

// float makes v a number, or junk if it is not finite.
func (r *reader) float(v *scan.Value, f float64) {
	v.Num = f
	v.Kind = scan.Number
	if f-f != 0 {
		v.Kind = scan.Junk
		v.Text = strconv.AppendFloat(nil, f, 'g', -1, 64)
	}
}

// half reads an IEEE 754 binary16 (RFC 8949 appendix D).
func half(b uint16) float64 {
	exponent, mantissa := int(b>>10&31), float64(b&1023)
	var f float64
	switch exponent {
	case 0:
		f = math.Ldexp(mantissa, -24)
	case 31:
		f = math.Inf(1)
		if mantissa != 0 {
			f = math.NaN()
		}
	default:
		f = math.Ldexp(mantissa+1024, exponent-25)
	}
	if b&0x8000 != 0 {
		return -f
	}
	return f
}

// skip takes an item of any kind.
func (r *reader) skip(depth int) bool {
	var v scan.Value
	return r.value(&v, depth)
}

// skipBody takes the content of an array or map that lies depth deep.
func (r *reader) skipBody(h *head, depth int) bool {
	if depth > r.depth {
		return r.tooDeep()
	}
	each := 1
	if h.major == majorMap {
		each = 2
	}
	for i := uint64(0); h.endless || i < h.arg; i++ {
		if h.endless && r.takeBreak() {
			break
		}
		for range each {
			if !r.skip(depth + 1) {
				return false
			}
		}
	}
	return true
}
