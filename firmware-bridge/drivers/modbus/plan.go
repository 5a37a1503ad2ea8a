package modbus

import (
	"cmp"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"slices"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/clock"
)

// span is registers that are read together or not at all.
type span struct {
	table      bus.Table
	address, n uint16
}

func (s span) end() int { return int(s.address) + int(s.n) }

// spans returns what has to be read for the registers, in order.
func spans(registers []Register) []span {
	var all []span
	for i := range registers {
		all = append(all, registers[i].span())
		if e, ok := registers[i].exponentSpan(); ok {
			all = append(all, e)
		}
	}
	slices.SortFunc(all, func(a, b span) int {
		return cmp.Or(cmp.Compare(a.table, b.table), cmp.Compare(a.address, b.address), cmp.Compare(a.n, b.n))
	})
	return slices.Compact(all)
}

func (r *Register) span() span {
	table, _ := r.table()
	return span{table, r.Address, r.width()}
}

func (r *Register) exponentSpan() (span, bool) {
	if r.ExponentRegister == nil {
		return span{}, false
	}
	table, _ := r.table()
	return span{table, *r.ExponentRegister, 1}, true
}

// block is one request, and what came of it.
type block struct {
	span
	parts []span // in order
	// stubborn says that it was refused whole and in parts.
	stubborn bool

	values []uint16 // nil if they could not be read
	at     clock.Instant
	err    error
}

func newBlock(parts ...span) *block {
	b := &block{span: parts[0], parts: parts}
	end := 0
	for _, p := range parts {
		end = max(end, p.end())
	}
	b.n = uint16(end - int(b.address))
	return b
}

// join makes the fewest requests that read all spans, which are in order: across at most gap registers that nobody wants,
// and at most so many at once. Bits are read 16 for a register.
func join(spans []span, gap int, most uint16) []*block {
	var blocks []*block
	var last []span
	end := 0
	for _, s := range spans {
		between, limit := gap, int(most)
		if s.table == bus.Coils || s.table == bus.DiscreteInputs {
			between, limit = gap*16, bus.MaxBits
		}
		if len(last) > 0 && (s.table != last[0].table || int(s.address)-end > between || max(end, s.end())-int(last[0].address) > limit) {
			blocks, last = append(blocks, newBlock(last...)), nil
		}
		if len(last) == 0 {
			end = 0
		}
		last, end = append(last, s), max(end, s.end())
	}
	if len(last) > 0 {
		blocks = append(blocks, newBlock(last...))
	}
	return blocks
}

// split takes a block apart: at its gaps, or if there are none in two. It returns nil if that is all it is.
func (b *block) split() []*block {
	if runs := join(b.parts, 0, b.n); len(runs) > 1 {
		return runs
	}
	// Values that share registers stay together.
	var whole [][]span
	end := 0
	for _, p := range b.parts {
		if len(whole) == 0 || int(p.address) >= end {
			whole = append(whole, nil)
		}
		whole[len(whole)-1] = append(whole[len(whole)-1], p)
		end = max(end, p.end())
	}
	if len(whole) == 1 {
		return nil
	}
	half := len(whole) / 2
	return []*block{newBlock(slices.Concat(whole[:half]...)...), newBlock(slices.Concat(whole[half:]...)...)}
}

// place is where a register's words are: so many after the beginning of a block, or in none if that is negative.
type place struct{ block, offset int }

func (p place) read() bool { return p.block >= 0 }

// find returns where a span is among the blocks.
func find(blocks []*block, s span) place {
	for i, b := range blocks {
		if b.table == s.table && s.address >= b.address && s.end() <= b.end() {
			return place{i, int(s.address) - int(b.address)}
		}
	}
	return place{block: -1}
}

// memory is what is kept of a plan over restarts: how a device lets itself be read is found out only once.
type memory struct {
	// Of tells the maps apart.
	Of uint64 `json:"of"`
	// Blocks are table, address and number of each.
	Blocks [][3]uint16 `json:"blocks"`
}

// fingerprint tells what was to be read.
func fingerprint(blocks []*block) uint64 {
	h := fnv.New64a()
	for _, b := range blocks {
		fmt.Fprintln(h, b.span, b.parts)
	}
	return h.Sum64()
}

// remember writes the blocks down; of is the fingerprint of those that were planned.
func remember(of uint64, blocks []*block) ([]byte, error) {
	m := memory{Of: of}
	for _, b := range blocks {
		m.Blocks = append(m.Blocks, [3]uint16{uint16(b.table), b.address, b.n})
	}
	return json.Marshal(m)
}

// recall returns the blocks that were written down, or those planned if there are none, or of another plan.
func recall(saved []byte, planned []*block) []*block {
	var m memory
	if json.Unmarshal(saved, &m) != nil || m.Of != fingerprint(planned) {
		return planned
	}
	blocks := make([]*block, len(m.Blocks))
	for i, b := range m.Blocks {
		blocks[i] = &block{span: span{bus.Table(b[0]), b[1], b[2]}}
	}
	for _, b := range planned {
		for _, p := range b.parts {
			at := find(blocks, p)
			if !at.read() {
				return planned
			}
			blocks[at.block].parts = append(blocks[at.block].parts, p)
		}
	}
	for _, b := range blocks {
		if len(b.parts) == 0 || newBlock(b.parts...).span != b.span {
			return planned
		}
	}
	return blocks
}
