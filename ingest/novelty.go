package ingest

import "github.com/lamppost-city/lamppost/telemetry"

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

// maxRemembered is how many times a series remembers. It covers what a broker delivers again after a lost connection;
// what is older is asked of the store.
const maxRemembered = 32

// times remembers the newest measured times of a series: all that were seen and are later than the floor.
type times struct {
	// floor is the time up to which it is not known what was seen.
	floor telemetry.UnixMilli
	// seen is in ascending order.
	seen []telemetry.UnixMilli
}

// see notes a time and tells whether it is new.
func (t *times) see(at telemetry.UnixMilli) novelty {
	if at <= t.floor {
		return unsure
	}
	i := len(t.seen)
	for i > 0 && t.seen[i-1] >= at {
		i--
		if t.seen[i] == at {
			return repeated
		}
	}
	if len(t.seen) < maxRemembered {
		t.seen = append(t.seen, 0)
		copy(t.seen[i+1:], t.seen[i:])
		t.seen[i] = at
		return fresh
	}
	if i == 0 {
		t.floor = at
		return fresh
	}
	t.floor = t.seen[0]
	copy(t.seen, t.seen[1:i])
	t.seen[i-1] = at
	return fresh
}

// forget makes everything up to the newest time unsure.
func (t *times) forget() {
	if n := len(t.seen); n > 0 {
		t.floor, t.seen = t.seen[n-1], t.seen[:0]
	}
}
