package scan

import (
	"math"
	"strconv"
)

// pow10 are the powers of ten that a float64 holds exactly.
var pow10 = [...]float64{
	1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
	1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
}

// number takes a number; the scanner is at its sign or first digit. A word that only begins like a number is Junk.
func (s *Scanner) number(v *Value) bool {
	n, end := parse(s.data, s.pos)
	if !n.ok || end < len(s.data) && !ends(s.data[end]) {
		return s.word(v)
	}
	v.Text = s.data[s.pos:end]
	s.pos = end
	n.into(v)
	return true
}

// ParseNumber reads a text that is one JSON number and nothing else; Kind is Number, or Junk where it is not a finite one.
func ParseNumber(text []byte, v *Value) {
	n, end := parse(text, 0)
	v.Kind, v.Text = Junk, text
	if n.ok && end == len(text) {
		n.into(v)
	}
}

// into makes v the number whose bytes are v.Text. The product or quotient of a whole number below 2^53 and a power of ten up
// to 10^22 is rounded once, so it is the nearest float64 (W. D. Clinger, How to read floating point numbers accurately, 1990);
// anything else goes to strconv.
func (n *decimal) into(v *Value) {
	v.Kind = Number
	v.Whole = n.whole && !n.negative
	v.Uint = n.mantissa
	if v.Whole && !n.exact { // twenty digits may still fit
		u, err := strconv.ParseUint(string(v.Text), 10, 64)
		v.Uint, v.Whole = u, err == nil
	}
	if n.exact && n.mantissa < 1<<53 && n.exponent >= -22 && n.exponent <= 22 {
		f := float64(n.mantissa)
		if n.exponent < 0 {
			f /= pow10[-n.exponent]
		} else {
			f *= pow10[n.exponent]
		}
		if n.negative {
			f = -f
		}
		v.Num = f
		return
	}
	f, err := strconv.ParseFloat(string(v.Text), 64)
	if err != nil || math.IsInf(f, 0) {
		v.Kind, v.Whole = Junk, false
	}
	v.Num = f
}

// decimal is a number as it is written: mantissa * 10^exponent.
type decimal struct {
	mantissa uint64
	exponent int
	ok       bool // the bytes are a number of JSON's grammar
	exact    bool // no digit was left out of the mantissa
	whole    bool // it has neither a point nor an exponent
	negative bool
}

// parse reads the number of RFC 8259 section 6 that begins at i and returns where it ends.
func parse(data []byte, i int) (decimal, int) {
	var n decimal
	if i < len(data) && data[i] == '-' {
		n.negative = true
		i++
	}
	first := i
	for i < len(data) && data[i]-'0' <= 9 {
		n.mantissa = n.mantissa*10 + uint64(data[i]-'0')
		i++
	}
	digits := i - first
	if digits == 0 || digits > 1 && data[first] == '0' {
		return n, i
	}
	n.whole = true
	if i < len(data) && data[i] == '.' {
		n.whole = false
		i++
		point := i
		for i < len(data) && data[i]-'0' <= 9 {
			n.mantissa = n.mantissa*10 + uint64(data[i]-'0')
			i++
		}
		if i == point {
			return n, i
		}
		digits += i - point
		n.exponent = point - i
	}
	n.ok = true
	if i < len(data) && data[i]|0x20 == 'e' {
		n.whole = false
		i = n.exponential(data, i+1)
	}
	// Nineteen digits fit into 64 bits; leading zeros after the point are counted too, which only costs speed.
	n.exact = digits <= 19
	return n, i
}

// exponential reads what follows the letter e.
func (n *decimal) exponential(data []byte, i int) int {
	sign := 1
	if i < len(data) && (data[i] == '+' || data[i] == '-') {
		if data[i] == '-' {
			sign = -1
		}
		i++
	}
	start, e := i, 0
	for i < len(data) && data[i]-'0' <= 9 {
		if e < 100_000 { // more is infinite or zero in any case, and strconv says which
			e = e*10 + int(data[i]-'0')
		}
		i++
	}
	n.ok = i > start
	n.exponent += sign * e
	return i
}

// Count returns a Number that is a whole one of 0 or more and that is surely the one that was written: as such, or as a float
// below 2^53 (17.0, 1.7e1).
func (v *Value) Count() (uint64, bool) {
	switch {
	case v.Kind != Number:
		return 0, false
	case v.Whole:
		return v.Uint, true
	case v.Num >= 0 && v.Num < 1<<53 && v.Num == math.Trunc(v.Num):
		return uint64(v.Num), true
	}
	return 0, false
}
