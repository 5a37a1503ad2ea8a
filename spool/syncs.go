package spool

import (
	"sync/atomic"
	"time"
)

// syncBuckets is how many bounds SyncBounds has.
const syncBuckets = 12

// Syncs is how often fdatasync was called since Open, and how long it took.
type Syncs struct {
	Count uint64
	Sum   time.Duration
	// Within[i] took at most SyncBounds()[i], and longer than the bound before; what took longer than all counts in
	// Count and Sum alone.
	Within [syncBuckets]uint64
}

// SyncBounds are the upper bounds of Syncs.Within: from 0.1 ms, which a good disk takes, each 2.5 times the one before, to
// 2.4 s, which a card takes that is worn out.
func SyncBounds() [syncBuckets]time.Duration {
	var all [syncBuckets]time.Duration
	bound := float64(100 * time.Microsecond)
	for i := range all {
		all[i] = time.Duration(bound)
		bound *= 2.5
	}
	return all
}

// syncCounts is Syncs while it is counted.
type syncCounts struct {
	count, nanoseconds atomic.Uint64
	within             [syncBuckets]atomic.Uint64
}

func (c *syncCounts) add(took time.Duration) {
	c.count.Add(1)
	c.nanoseconds.Add(uint64(took))
	for i, bound := range SyncBounds() {
		if took <= bound {
			c.within[i].Add(1)
			return
		}
	}
}

func (c *syncCounts) load() Syncs {
	// A sync that ends meanwhile may be in a bucket and not in the count, which no histogram allows: buckets first.
	var s Syncs
	for i := range c.within {
		s.Within[i] = c.within[i].Load()
	}
	s.Count, s.Sum = c.count.Load(), time.Duration(c.nanoseconds.Load())
	return s
}
