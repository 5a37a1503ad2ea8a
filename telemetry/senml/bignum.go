package senml

import (
	"math"
	"math/big"

	"github.com/lamppost-city/lamppost/telemetry/internal/scan"
)

// The tags that make something else a number (RFC 8949 sections 3.4.3 and 3.4.4).
const (
	tagBignum         = 2
	tagNegativeBignum = 3
	tagDecimal        = 4
	tagBigfloat       = 5
)

// maxBignum is the length, in bytes, of a whole number beyond every float64.
const maxBignum = 129

// tagged takes the content of one of those tags. Such numbers are rare and may allocate.
func (r *reader) tagged(v *scan.Value, tag uint64, depth int) bool {
	if depth > r.depth {
		return r.tooDeep()
	}
	if tag == tagBignum || tag == tagNegativeBignum {
		n, ok := r.bignum(v, tag, depth)
		if ok && n != nil {
			f, _ := new(big.Float).SetInt(n).Float64()
			r.float(v, f)
		}
		return ok
	}
	var h head
	if !r.head(&h) {
		return false
	}
	if h.major != majorArray || h.arg != 2 || h.endless {
		ok := r.body(v, &h, depth)
		v.Kind, v.Text = scan.Junk, []byte("decimal fraction")
		return ok
	}
	var exponent scan.Value
	if !r.value(&exponent, depth+1) {
		return false
	}
	mantissa, ok := r.whole(v, depth+1)
	if !ok {
		return false
	}
	if mantissa == nil || exponent.Kind != scan.Number || exponent.Num != math.Trunc(exponent.Num) {
		v.Kind, v.Text = scan.Junk, []byte("decimal fraction")
		return true
	}
	r.float(v, power(mantissa, exponent.Num, tag))
	return true
}

// whole takes a whole number of any size; nil if something else stands.
func (r *reader) whole(v *scan.Value, depth int) (*big.Int, bool) {
	var h head
	if !r.head(&h) {
		return nil, false
	}
	switch {
	case h.major == majorUint:
		return new(big.Int).SetUint64(h.arg), true
	case h.major == majorNegative:
		n := new(big.Int).SetUint64(h.arg)
		return n.Not(n), true
	case h.major == majorTag && (h.arg == tagBignum || h.arg == tagNegativeBignum):
		return r.bignum(v, h.arg, depth)
	}
	return nil, r.body(v, &h, depth)
}

// bignum takes the bytes of a bignum; nil, and junk in v, if something else stands or it is beyond every float64.
func (r *reader) bignum(v *scan.Value, tag uint64, depth int) (*big.Int, bool) {
	var h head
	if !r.head(&h) || !r.body(v, &h, depth+1) {
		return nil, false
	}
	if v.Kind != scan.Binary || len(v.Text) > maxBignum {
		v.Kind, v.Text = scan.Junk, []byte("bignum")
		return nil, true
	}
	n := new(big.Int).SetBytes(v.Text)
	if tag == tagNegativeBignum {
		n.Not(n)
	}
	return n, true
}

// power is mantissa * 10^exponent, or 2^exponent, to the nearest float64.
func power(mantissa *big.Int, exponent float64, tag uint64) float64 {
	if mantissa.Sign() == 0 {
		return 0
	}
	if tag == tagBigfloat {
		f := new(big.Float).SetInt(mantissa)
		f.SetMantExp(f, int(max(min(exponent, 1<<20), -1<<20)))
		nearest, _ := f.Float64()
		return nearest
	}
	var v scan.Value
	text := mantissa.Append(nil, 10)
	text = append(text, 'e')
	text = big.NewInt(int64(max(min(exponent, 99_999), -99_999))).Append(text, 10)
	if scan.ParseNumber(text, &v); v.Kind != scan.Number {
		return math.Inf(1)
	}
	return v.Num
}
