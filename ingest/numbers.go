package ingest

import (
	"slices"

	"github.com/lamppost-city/lamppost/telemetry"
)

// numbers are the sequence numbers of a publisher. A change makes gaps anew, so that a copy stays what it was.
type numbers struct {
	// last is the newest sequence number, if any came, and newest the latest time that its messages have told; 0 if not known.
	last   uint64
	any    bool
	newest telemetry.UnixMilli
	gaps   []gap
}

// gap is a run of sequence numbers that have not come: from, up to but not including to.
type gap struct {
	from, to uint64
	// counted of them are counted as missing under the minute in which the gap was seen; of the others cadences tell.
	counted, minute int64
	// message is which one showed the gap.
	message uint64
}

// numbered is a message with a sequence number.
type numbered struct {
	seq uint64
	// measured is the latest time that it tells, 0 if it tells none; minute is when it was received.
	measured telemetry.UnixMilli
	minute   int64
	// message counts messages.
	message uint64
}

const (
	// maxGap is the largest step between two sequence numbers that is taken for missing messages; beyond it the
	// publisher is taken to have started anew.
	maxGap = 1 << 20
	// maxGaps is how many gaps are remembered for messages that come late after all.
	maxGaps = 64
)

// number notes a message and returns how many more are missing than before, and the minute to which that goes; it is
// negative if a missing one has come.
func (n *numbers) number(m numbered) (minute, more int64) {
	later := n.newest != 0 && m.measured > n.newest
	n.newest = max(n.newest, m.measured)
	switch {
	case !n.any || m.seq > n.last && m.seq-n.last > maxGap || m.seq < n.last && n.last-m.seq > maxGap:
		n.last, n.any, n.gaps = m.seq, true, nil
	case m.seq > n.last:
		missing := int64(m.seq - n.last - 1)
		if missing > 0 {
			kept := n.gaps[max(0, len(n.gaps)-maxGaps+1):]
			n.gaps = append(slices.Clone(kept), gap{n.last + 1, m.seq, missing, m.minute, m.message})
		}
		n.last = m.seq
		return m.minute, missing
	default:
		i := slices.IndexFunc(n.gaps, func(g gap) bool { return m.seq >= g.from && m.seq < g.to })
		if i >= 0 {
			return n.fill(i, m.seq)
		}
		if later && m.seq < n.last { // what was delivered again tells no later time than before: it has started anew
			n.last, n.gaps = m.seq, nil
		}
	}
	return m.minute, 0
}

// fill parts the gap at index i by a number that has come.
func (n *numbers) fill(i int, seq uint64) (minute, more int64) {
	whole := n.gaps[i]
	before, after := whole, whole
	before.to, after.from = seq, seq+1
	before.counted = min(whole.counted, int64(before.to-before.from))
	after.counted = min(whole.counted-before.counted, int64(after.to-after.from))
	n.gaps = slices.Delete(slices.Clone(n.gaps), i, i+1)
	for _, part := range []gap{before, after} {
		if part.from < part.to {
			n.gaps = append(n.gaps, part)
		}
	}
	n.gaps = n.gaps[max(0, len(n.gaps)-maxGaps):]
	return whole.minute, before.counted + after.counted - whole.counted
}

// cover takes up to so many missing messages out of the gaps that messages after one have shown, as cadences tell of
// them, and visits the minutes to which that goes.
func (n *numbers) cover(missing int64, since func(message uint64) bool, visit func(minute, more int64)) {
	copied := false
	for i := range n.gaps {
		covered := min(missing, n.gaps[i].counted)
		if covered == 0 || !since(n.gaps[i].message) {
			continue
		}
		if !copied {
			n.gaps, copied = slices.Clone(n.gaps), true
		}
		n.gaps[i].counted -= covered
		missing -= covered
		visit(n.gaps[i].minute, -covered)
	}
}

// cover takes what a silence counts as missing out of what the publisher's numbers have shown to be missing since the
// sensor was heard before: of both only the larger is missing.
func (j *judge) cover(missing int64, heard uint64) {
	p := j.sender
	if p == nil || j.again || len(p.gaps) == 0 {
		return
	}
	j.keepNumbers(p)
	since := func(message uint64) bool { return message > heard || message == j.messages }
	p.cover(missing, since, func(minute, more int64) { j.missing(p.id, minute, more) })
}

// formerNumbers are what a publisher's numbers were before a frame.
type formerNumbers struct {
	publisher *publisher
	numbers   numbers
}

// keepNumbers keeps what the frame at work may change.
func (j *judge) keepNumbers(p *publisher) {
	if p.kept != j.serial {
		p.kept = j.serial
		j.numbers = append(j.numbers, formerNumbers{p, p.numbers})
	}
}
