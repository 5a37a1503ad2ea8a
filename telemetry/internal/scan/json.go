package scan

import (
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// Kind says what stands where a value should be.
type Kind uint8

// The kinds.
const (
	// Missing: nothing stands before the comma or the closing bracket.
	Missing Kind = iota
	// Number: a finite number, in Value.Num.
	Number
	// String: a text, in Value.Text.
	String
	True
	False
	Null
	// Compound: an object or array, skipped.
	Compound
	// Binary: a byte string (CBOR only).
	Binary
	// Junk: a bare word or number that the format does not have, or that is not finite: NaN, Infinity, 01, 1e999. The word
	// is in Value.Text.
	Junk
)

// Value is a scalar, or the place of a compound. Its texts are valid until the payload changes or the scanner is reset.
type Value struct {
	Kind Kind
	// Num is a Number's value.
	Num float64
	// Uint is a Number's value if Whole: written as a whole number from 0 to 2^64-1.
	Uint  uint64
	Whole bool
	// Text is a String's content without escapes, or the bytes of a bare word.
	Text []byte
	// At is the byte offset in the payload.
	At int
}

// Scanner walks over one JSON payload. It is lenient where one value is wrong and strict where structure is. The zero value
// must be Reset before use.
type Scanner struct {
	data    []byte
	pos     int
	depth   int
	scratch []byte
	problem string
}

// Reset begins a new payload, in which compounds may lie depth deep in each other. A byte order mark is skipped.
func (s *Scanner) Reset(data []byte, depth int) {
	s.data, s.pos, s.depth, s.scratch, s.problem = data, 0, depth, s.scratch[:0], ""
	if len(data) >= 3 && data[0] == 0xEF && data[1] == 0xBB && data[2] == 0xBF {
		s.pos = 3
	}
}

// Release forgets the payload.
func (s *Scanner) Release() { s.data = nil }

// Pos is the offset of the next byte.
func (s *Scanner) Pos() int { return s.pos }

// Problem says why the last call failed, and where.
func (s *Scanner) Problem() string { return s.problem + " at byte " + strconv.Itoa(s.pos) }

// Fail notes a problem at the present place and returns false.
func (s *Scanner) Fail(problem string) bool {
	s.problem = problem
	if s.pos >= len(s.data) {
		s.problem = "the payload is cut short"
	}
	return false
}

// Next skips white space and returns the byte after it, without taking it; 0 at the end.
func (s *Scanner) Next() byte {
	for s.pos < len(s.data) {
		switch c := s.data[s.pos]; c {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return c
		}
	}
	return 0
}

// AtEnd says whether nothing but white space is left.
func (s *Scanner) AtEnd() bool { return s.Next() == 0 && s.pos >= len(s.data) }

// Take takes c if it comes next.
func (s *Scanner) Take(c byte) bool {
	if s.pos < len(s.data) && s.data[s.pos] == c { // the usual case: no white space
		s.pos++
		return true
	}
	if s.Next() != c || c == 0 {
		return false
	}
	s.pos++
	return true
}

// Key takes a text and the colon after it.
func (s *Scanner) Key() ([]byte, bool) {
	if s.Next() != '"' {
		return nil, s.Fail("a key in double quotes should stand")
	}
	key, ok := s.text()
	if ok && !s.Take(':') {
		ok = s.Fail("a colon should stand")
	}
	return key, ok
}

// text takes a string; the scanner is at its opening quote.
func (s *Scanner) text() ([]byte, bool) {
	data, start := s.data, s.pos+1
	for i := start; i < len(data); i++ {
		switch c := data[i]; {
		case c == '"':
			s.pos = i + 1
			return data[start:i], true
		case c == '\\':
			return s.escaped(start, i)
		case c < 0x20:
			s.pos = i
			return nil, s.Fail("a bare control character stands in a text")
		}
	}
	s.pos = len(data)
	return nil, s.Fail("")
}

// escaped takes the string that begins at start and has its first backslash at i.
func (s *Scanner) escaped(start, i int) ([]byte, bool) {
	from := len(s.scratch)
	s.scratch = append(s.scratch, s.data[start:i]...)
	for s.pos = i; s.pos < len(s.data); {
		c := s.data[s.pos]
		switch {
		case c == '"':
			s.pos++
			return s.scratch[from:], true
		case c < 0x20:
			return nil, s.Fail("a bare control character stands in a text")
		case c != '\\':
			s.scratch = append(s.scratch, c)
			s.pos++
		case !s.escape():
			return nil, false
		}
	}
	return nil, s.Fail("")
}

// escape takes one escape sequence (RFC 8259 section 7). Half of a surrogate pair cannot be written in UTF-8: it becomes a
// byte that UTF-8 does not have, so that whoever checks the text finds it.
func (s *Scanner) escape() bool {
	s.pos++
	if s.pos >= len(s.data) {
		return s.Fail("")
	}
	c := s.data[s.pos]
	switch c {
	case '"', '\\', '/':
	case 'b':
		c = '\b'
	case 'f':
		c = '\f'
	case 'n':
		c = '\n'
	case 'r':
		c = '\r'
	case 't':
		c = '\t'
	case 'u':
		return s.unicodeEscape()
	default:
		return s.Fail("an escape that JSON does not have stands")
	}
	s.scratch = append(s.scratch, c)
	s.pos++
	return true
}

func (s *Scanner) unicodeEscape() bool {
	r, ok := s.hex4(s.pos + 1)
	if !ok {
		return s.Fail("four hexadecimal digits should stand")
	}
	s.pos += 5
	if !utf16.IsSurrogate(r) {
		s.scratch = utf8.AppendRune(s.scratch, r)
		return true
	}
	if s.pos+1 < len(s.data) && s.data[s.pos] == '\\' && s.data[s.pos+1] == 'u' {
		if low, ok := s.hex4(s.pos + 2); ok {
			if full := utf16.DecodeRune(r, low); full != utf8.RuneError {
				s.scratch = utf8.AppendRune(s.scratch, full)
				s.pos += 6
				return true
			}
		}
	}
	s.scratch = append(s.scratch, 0xFF)
	return true
}

func (s *Scanner) hex4(at int) (rune, bool) {
	if at+4 > len(s.data) {
		return 0, false
	}
	var r rune
	for _, c := range s.data[at : at+4] {
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return r, true
}

// Value takes whatever stands where a value should, at most as deep as Reset allows when the value itself lies depth deep.
// It fails only where the structure is broken.
func (s *Scanner) Value(v *Value, depth int) bool {
	c := s.Next()
	v.At, v.Whole = s.pos, false
	switch {
	case c == '"':
		text, ok := s.text()
		v.Kind, v.Text = String, text
		return ok
	case c == '-' || c >= '0' && c <= '9':
		return s.number(v)
	case c == '{' || c == '[':
		v.Kind, v.Text = Compound, nil
		return s.skip(depth)
	}
	return s.word(v)
}

// word takes a bare word: true, false, null, or junk.
func (s *Scanner) word(v *Value) bool {
	end := s.pos
	for end < len(s.data) && !ends(s.data[end]) {
		end++
	}
	v.Text = s.data[s.pos:end]
	s.pos = end
	switch string(v.Text) {
	case "true":
		v.Kind = True
	case "false":
		v.Kind = False
	case "null":
		v.Kind = Null
	case "":
		v.Kind = Missing
		if c := s.Next(); c != ',' && c != '}' && c != ']' {
			return s.Fail("a value should stand")
		}
	default:
		v.Kind = Junk
	}
	return true
}

// ends says whether a bare word ends before c.
func ends(c byte) bool {
	switch c {
	case ' ', '\t', '\n', '\r', ',', ']', '}', ':', '"', '[', '{':
		return true
	}
	return false
}

// skip takes a value of any kind and checks its structure.
func (s *Scanner) skip(depth int) bool {
	var closing byte
	switch s.Next() {
	case '{':
		closing = '}'
	case '[':
		closing = ']'
	default:
		var v Value
		return s.Value(&v, depth)
	}
	if depth > s.depth {
		return s.Fail("nested deeper than " + strconv.Itoa(s.depth))
	}
	s.pos++
	if s.Take(closing) {
		return true
	}
	for {
		if closing == '}' {
			if _, ok := s.Key(); !ok {
				return false
			}
		}
		if !s.skip(depth + 1) {
			return false
		}
		if s.Take(closing) {
			return true
		}
		if !s.Take(',') {
			return s.Fail("a comma or " + string(rune(closing)) + " should stand")
		}
	}
}
