package write

import (
	"slices"
	"sync"
	"time"
)

// remembered is of how many frames the delay is remembered.
const remembered = 1024

// delays are the newest frames' times from receipt to the store.
type delays struct {
	mu   sync.Mutex
	all  []time.Duration
	next int
}

func (d *delays) add(delay time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.all) < remembered {
		d.all = append(d.all, delay)
		return
	}
	d.all[d.next] = delay
	d.next = (d.next + 1) % remembered
}

// Delays returns the median and the 99th percentile of the time from receipt until the store had it, over the newest
// thousand frames; 0 if there are none.
func (w *Writer) Delays() (p50, p99 time.Duration) {
	w.delays.mu.Lock()
	sorted := slices.Clone(w.delays.all)
	w.delays.mu.Unlock()
	if len(sorted) == 0 {
		return 0, 0
	}
	slices.Sort(sorted)
	return sorted[len(sorted)/2], sorted[len(sorted)*99/100]
}
