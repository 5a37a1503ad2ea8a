package outbox

import "slices"

// runs is a set of sequence numbers, of which most follow each other. The runs are in order and do not touch.
type runs []run

// run is from, up to but not including to.
type run struct{ from, to uint64 }

// find returns the index of the run that has seq, or of the one before which it belongs.
func (r runs) find(seq uint64) (int, bool) {
	return slices.BinarySearchFunc(r, seq, func(a run, seq uint64) int {
		switch {
		case a.to <= seq:
			return -1
		case a.from > seq:
			return 1
		}
		return 0
	})
}

func (r runs) has(seq uint64) bool {
	_, ok := r.find(seq)
	return ok
}

func (r *runs) add(seq uint64) {
	i, ok := r.find(seq)
	if ok {
		return
	}
	joinsLeft := i > 0 && (*r)[i-1].to == seq
	joinsRight := i < len(*r) && (*r)[i].from == seq+1
	switch {
	case joinsLeft && joinsRight:
		(*r)[i-1].to = (*r)[i].to
		*r = slices.Delete(*r, i, i+1)
	case joinsLeft:
		(*r)[i-1].to++
	case joinsRight:
		(*r)[i].from--
	default:
		*r = slices.Insert(*r, i, run{seq, seq + 1})
	}
}

func (r *runs) remove(seq uint64) {
	i, ok := r.find(seq)
	if !ok {
		return
	}
	a := (*r)[i]
	*r = slices.Delete(*r, i, i+1)
	if a.to > seq+1 {
		*r = slices.Insert(*r, i, run{seq + 1, a.to})
	}
	if a.from < seq {
		*r = slices.Insert(*r, i, run{a.from, seq})
	}
}

// epoch is how far numbers are apart that do not belong together: those of a new beginning are random.
const epoch = 1 << 32

// forget removes the runs that end before seq and belong to it.
func (r *runs) forget(seq uint64) {
	*r = slices.DeleteFunc(*r, func(a run) bool { return a.to <= seq && seq-a.to < epoch })
}

// count is how many numbers from from up to but not including to are in the set.
func (r runs) count(from, to uint64) (n uint64) {
	for _, a := range r {
		if lo, hi := max(a.from, from), min(a.to, to); lo < hi {
			n += hi - lo
		}
	}
	return n
}
