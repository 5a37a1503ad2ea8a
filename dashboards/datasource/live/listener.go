package live

import (
	"sync"
	"time"

	"github.com/lamppost-city/lamppost/dashboards/datasource/city"
)

// Listener collects what one panel has not taken yet.
type Listener struct {
	hub    *Hub
	stream *stream
	most   int
	wake   chan struct{}

	mu      sync.Mutex
	pending []*city.Reading
	hole    bool
}

// Wake tells when there is something to take.
func (l *Listener) Wake() <-chan struct{} { return l.wake }

// Take returns what came since the last time, and whether something before that may be missing. The readings belong to all
// listeners: nobody changes them.
func (l *Listener) Take() (readings []*city.Reading, hole bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	readings, hole = l.pending, l.hole
	l.pending, l.hole = nil, false
	return readings, hole
}

// Break is a stream that is broken.
type Break struct {
	// At is when it broke, Since when its last word came.
	At, Since time.Time
	// Err is why the last try failed.
	Err error
}

// Broken says that the stream is, or nil. Wake tells when it breaks and when it is open again.
func (l *Listener) Broken() *Break {
	l.hub.mu.Lock()
	defer l.hub.mu.Unlock()
	return l.stream.broken
}

// tell never waits. A nil reading is only a hole, or a break.
func (l *Listener) tell(r *city.Reading, hole bool) {
	l.mu.Lock()
	if r != nil {
		if len(l.pending) >= l.most {
			l.pending, hole = l.pending[:0:0], true
		}
		l.pending = append(l.pending, r)
	}
	l.hole = l.hole || hole
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default: // it has been woken already
	}
}
