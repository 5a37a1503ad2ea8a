package mapping

import (
	"strconv"

	"github.com/lamppost-city/lamppost/telemetry/internal/scan"
)

// node is a value of the payload. Nodes lie in the order of the payload, so that what is in a compound follows it:
//
//	{"a":[1,2],"b":3}   0 {} next 5   1 a [] next 4   2 1   3 2   4 b 3
type node struct {
	scan.Value
	key    []byte // in an object
	number int32  // in an array, from 0
	next   int32  // the first node that is not within this one
	object bool   // of compounds: an object, not an array
}

// tree is a payload taken apart. Its nodes hold slices of the payload.
type tree struct {
	in       scan.Scanner
	nodes    []node
	maxNodes int
	maxDepth int
	full     bool // it has more than maxNodes
}

// keepNodes is how much room is kept from one payload to the next.
const keepNodes = 1024

// parse takes a payload apart. It returns false where the structure is broken, or is beyond the bounds.
func (t *tree) parse(payload []byte) bool {
	t.full = false
	t.nodes = t.nodes[:0]
	t.in.Reset(payload, t.maxDepth)
	return t.value(nil, 0, 1)
}

// release forgets the payload.
func (t *tree) release() {
	t.in.Release()
	clear(t.nodes)
	if cap(t.nodes) > keepNodes {
		t.nodes = nil
	}
}

// value takes what stands next; depth is how deep a compound would lie.
func (t *tree) value(key []byte, number int32, depth int) bool {
	if len(t.nodes) >= t.maxNodes {
		t.full = true
		return t.in.Fail("more values than " + strconv.Itoa(t.maxNodes) + " stand")
	}
	at := len(t.nodes)
	t.nodes = append(t.nodes, node{key: key, number: number})
	var ok bool
	if c := t.in.Next(); c == '{' || c == '[' {
		n := &t.nodes[at]
		n.Kind, n.At, n.object = scan.Compound, t.in.Pos(), c == '{'
		ok = t.compound(c == '{', depth)
	} else {
		ok = t.in.Value(&t.nodes[at].Value, depth)
	}
	t.nodes[at].next = int32(len(t.nodes))
	return ok
}

// compound takes an object or an array; the scanner is at its opening bracket.
func (t *tree) compound(object bool, depth int) bool {
	if depth > t.maxDepth {
		return t.in.Fail("nested deeper than " + strconv.Itoa(t.maxDepth))
	}
	opening, closing, wrong := byte('['), byte(']'), "a comma or ] should stand"
	if object {
		opening, closing, wrong = '{', '}', "a comma or } should stand"
	}
	t.in.Take(opening)
	if t.in.Take(closing) {
		return true
	}
	for number := int32(0); ; number++ {
		var key []byte
		if object {
			var ok bool
			if key, ok = t.in.Key(); !ok {
				return false
			}
		}
		if !t.value(key, number, depth+1) {
			return false
		}
		if t.in.Take(closing) {
			return true
		}
		if !t.in.Take(',') {
			return t.in.Fail(wrong)
		}
	}
}

// within calls f with each element or member of a compound until f returns false.
func (t *tree) within(at int32, f func(child int32) bool) {
	if t.nodes[at].Kind != scan.Compound {
		return
	}
	for child := at + 1; child < t.nodes[at].next; child = t.nodes[child].next {
		if !f(child) {
			return
		}
	}
}

// member returns the first member of an object that has the key, and the second if it has two; -1 is none.
func (t *tree) member(at int32, key string) (first, second int32) {
	first, second = -1, -1
	if !t.nodes[at].object {
		return first, second
	}
	t.within(at, func(child int32) bool {
		if string(t.nodes[child].key) != key {
			return true
		}
		if first < 0 {
			first = child
			return true
		}
		second = child
		return false
	})
	return first, second
}

// element returns an element of an array; -1 is none.
func (t *tree) element(at int32, index int) int32 {
	found := int32(-1)
	if t.nodes[at].object {
		return found
	}
	t.within(at, func(child int32) bool {
		if int(t.nodes[child].number) == index {
			found = child
		}
		return found < 0
	})
	return found
}

// fits says whether a child meets a [key=value] segment.
func (t *tree) fits(child int32, s *segment) bool {
	first, _ := t.member(child, s.key)
	return first >= 0 && s.is.fits(&t.nodes[first].Value)
}

// find follows segments without * from a node to one place: the first that fits; -1 is none.
func (t *tree) find(from int32, segments []segment) int32 {
	for i := range segments {
		s := &segments[i]
		switch s.kind {
		case byKey:
			from, _ = t.member(from, s.key)
		case byIndex:
			from = t.element(from, s.index)
		default:
			found := int32(-1)
			t.within(from, func(child int32) bool {
				if s.kind == every || t.fits(child, s) {
					found = child
				}
				return found < 0
			})
			from = found
		}
		if from < 0 {
			return -1
		}
	}
	return from
}

// walk follows the segments from a node to all places, in the order of the payload. trail[0] is the node, trail[i+1] where
// segment i leads. again is called with the second of two members of the same key. found ends the walk by returning false.
type walk struct {
	*tree
	segments []segment
	trail    *[maxSegments + 1]int32
	found    func(at int32) bool
	again    func(at int32)
}

func (w *walk) from(at int32, depth int) bool {
	w.trail[depth] = at
	if depth == len(w.segments) {
		return w.found(at)
	}
	s := &w.segments[depth]
	switch s.kind {
	case byKey:
		first, second := w.member(at, s.key)
		if first < 0 {
			return true
		}
		if second >= 0 {
			w.again(second)
		}
		return w.from(first, depth+1)
	case byIndex:
		if child := w.element(at, s.index); child >= 0 {
			return w.from(child, depth+1)
		}
		return true
	}
	going := true
	w.within(at, func(child int32) bool {
		if s.kind == every || w.fits(child, s) {
			going = w.from(child, depth+1)
		}
		return going
	})
	return going
}
