package simulate

import "math"

// due is when a sensor reports next, in microseconds since 1970.
type due struct {
	at     int64
	sensor int
}

func (d due) before(e due) bool { return d.at < e.at || d.at == e.at && d.sensor < e.sensor }

// schedule gives the sensors in the order in which they report: a heap, the earliest first.
type schedule struct {
	heap  []due
	every []int64 // microseconds between two reports of each sensor
}

// newSchedule starts at start. Each sensor's first report falls somewhere into its first interval, so that the city does
// not report all at once; or into the one before start, where phase is from -1 to 0.
func newSchedule(start int64, every []int64, phase func(sensor int) float64) *schedule {
	s := &schedule{every: every, heap: make([]due, len(every))}
	for i := range every {
		s.heap[i] = due{start + int64(math.Floor(phase(i)*float64(every[i]))), i}
	}
	for i := len(s.heap)/2 - 1; i >= 0; i-- {
		s.sink(i)
	}
	return s
}

// first is the earliest report.
func (s *schedule) first() due { return s.heap[0] }

// advance moves the earliest sensor on to its next report.
func (s *schedule) advance() {
	s.heap[0].at += s.every[s.heap[0].sensor]
	s.sink(0)
}

func (s *schedule) sink(i int) {
	h := s.heap
	for {
		least := i
		for c := 2*i + 1; c <= 2*i+2 && c < len(h); c++ {
			if h[c].before(h[least]) {
				least = c
			}
		}
		if least == i {
			return
		}
		h[i], h[least] = h[least], h[i]
		i = least
	}
}
