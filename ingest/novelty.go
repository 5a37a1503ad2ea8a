package ingest

import (
	"slices"

	"github.com/lamppost-city/lamppost/telemetry"
)

// novelty says whether a time has been seen before.
type novelty uint8

const (
	// fresh: certainly not seen before.
	fresh novelty = iota
	// repeated: certainly seen before.
	repeated
	// unsure: so old that only the store can tell.
	unsure
)

// maxRemembered is how many times a series remembers from one frame to the next. It covers what a broker delivers again after a lost connection;
// what is older is asked of the store.
const maxRemembered = 32

// times remembers the newest measured times of a series: all that were seen and are later than the floor. While a frame
// is being built it remembers all that came in it: the store can only tell of frames before.
type times struct {
	// floor is the time up to which it is not known what was seen.
	floor telemetry.UnixMilli
	// seen is in ascending order.
	seen []telemetry.UnixMilli
	// frame is the serial number of the frame that seen was last added to.
	frame uint64
}

// see notes a time that comes in a frame, and tells whether it is new.
func (t *times) see(at telemetry.UnixMilli, frame uint64) novelty {
	if t.frame != frame {
		t.frame = frame
		t.trim()
	}
	if at <= t.floor {
		return unsure
	}
	switch n := len(t.seen); {
	case n == 0 || t.seen[n-1] < at:
		t.seen = append(t.seen, at)
		return fresh
	case t.seen[n-1] == at: // as the other readings of a message
		return repeated
	}
	i, found := slices.BinarySearch(t.seen, at)
	if found {
		return repeated
	}
	t.seen = slices.Insert(t.seen, i, at)
	return fresh
}

// trim forgets all but the newest times.
func (t *times) trim() {
	surplus := len(t.seen) - maxRemembered
	if surplus <= 0 {
		return
	}
	t.floor = t.seen[surplus-1]
	if cap(t.seen) > 8*maxRemembered {
		t.seen = append(make([]telemetry.UnixMilli, 0, 2*maxRemembered), t.seen[surplus:]...)
		return
	}
	t.seen = t.seen[:copy(t.seen, t.seen[surplus:])]
}

// forget makes everything up to the newest time unsure.
func (t *times) forget() {
	if n := len(t.seen); n > 0 {
		t.floor, t.seen = t.seen[n-1], t.seen[:0]
	}
}
