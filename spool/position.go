package spool

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// Position is a place between two frames: the byte Offset, counted from the start of the file, in segment Segment. The
// zero Position lies before every frame. Positions survive restarts and only grow: no place is ever given to two
// different frames, not even after a crash took the end of a segment. Position is comparable.
type Position struct {
	Segment uint64
	Offset  int64
}

// Compare returns -1, 0 or 1 as p lies before, at or behind q.
func (p Position) Compare(q Position) int {
	if c := cmp.Compare(p.Segment, q.Segment); c != 0 {
		return c
	}
	return cmp.Compare(p.Offset, q.Offset)
}

// Before reports whether p lies strictly before q.
func (p Position) Before(q Position) bool { return p.Compare(q) < 0 }

// IsZero reports whether p is the zero Position, which stands for "the oldest frame there is".
func (p Position) IsZero() bool { return p == Position{} }

// String returns the text form, such as "12:3456", which ParsePosition reads.
func (p Position) String() string {
	return strconv.FormatUint(p.Segment, 10) + ":" + strconv.FormatInt(p.Offset, 10)
}

// MarshalText serves JSON and other encoders with the text form.
func (p Position) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads the text form.
func (p *Position) UnmarshalText(text []byte) error {
	q, err := ParsePosition(string(text))
	if err != nil {
		return err
	}
	*p = q
	return nil
}

// ParsePosition reads the text form "segment:offset", both decimal, without sign or spaces.
func ParsePosition(text string) (Position, error) {
	segment, offset, found := strings.Cut(text, ":")
	if !found {
		return Position{}, fmt.Errorf("position %q: want segment:offset, such as 12:3456", text)
	}
	s, err := strconv.ParseUint(segment, 10, 64)
	if err != nil {
		return Position{}, fmt.Errorf("position %q: segment: %w", text, err)
	}
	o, err := strconv.ParseUint(offset, 10, 63)
	if err != nil {
		return Position{}, fmt.Errorf("position %q: offset: %w", text, err)
	}
	return Position{Segment: s, Offset: int64(o)}, nil
}
