package live

import (
	"context"
	"log/slog"
	"time"

	"github.com/lamppost-city/lamppost/dashboards/datasource/city"
)

// Point is one reading on its way to a panel.
type Point struct {
	Sensor, Quantity, Channel string
	// Text is the name of a state; "" for everything else, and for what comes from the history.
	Text  string
	Time  time.Time
	Value float64
}

// Past asks for the readings as they were from a moment to now.
type Past func(ctx context.Context, from time.Time) ([]Point, error)

// Follower hands each reading on once: what the stream says, and from the history what it left out.
type Follower struct {
	Listener *Listener
	Past     Past
	// Send takes points that are new. It must not keep them.
	Send func([]Point) error
	// Since is up to when the panel has its readings.
	Since time.Time
	// Longest is how far back the history is asked at most.
	Longest time.Duration
	Log     *slog.Logger
}

const (
	// overlap is asked again before each hole: clocks differ a little, and readings come a little late.
	overlap = 30 * time.Second
	// pastRetry is the pause after a history that failed, such as while the server starts.
	pastRetry = time.Second
)

// rounds are the pauses before each time that the history of a hole is asked: at once, soon, and when what was under way to the
// store when the stream opened has surely arrived, which is promised within a second.
func rounds() []time.Duration { return []time.Duration{0, 300 * time.Millisecond, 2 * time.Second} }

// Follow hands readings on until the context ends or Send fails.
func (f *Follower) Follow(ctx context.Context) error {
	var seen seen
	whole := f.Since         // all up to here has been handed on
	var left []time.Duration // rounds that are still to come
	due := time.NewTimer(time.Hour)
	due.Stop()
	defer due.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-f.Listener.Wake():
			readings, hole := f.Listener.Take()
			if err := f.hand(fresh(&seen, readings)); err != nil {
				return err
			}
			switch {
			case hole:
				left = rounds()
				due.Reset(left[0])
			case len(left) == 0:
				whole = time.Now()
			}
		case <-due.C:
			asked := time.Now()
			if oldest := asked.Add(-f.Longest); f.Longest > 0 && whole.Before(oldest) {
				whole = oldest
			}
			points, err := f.Past(ctx, whole.Add(-overlap))
			if err != nil {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				f.Log.WarnContext(ctx, "history of a hole in a live stream was not answered; asking again", "error", err)
				due.Reset(pastRetry)
				continue
			}
			if err := f.hand(unseen(&seen, points)); err != nil {
				return err
			}
			if left = left[1:]; len(left) > 0 {
				due.Reset(left[0])
			} else {
				whole = asked
			}
		}
	}
}

func (f *Follower) hand(points []Point) error {
	if len(points) == 0 {
		return nil
	}
	return f.Send(points)
}

func fresh(s *seen, readings []*city.Reading) []Point {
	points := make([]Point, 0, len(readings))
	for _, r := range readings {
		if r.Value == nil {
			continue
		}
		p := Point{Sensor: r.Sensor, Quantity: r.Quantity, Channel: r.Channel, Text: r.State, Time: r.Time, Value: *r.Value}
		if s.first(p) {
			points = append(points, p)
		}
	}
	return points
}

func unseen(s *seen, points []Point) []Point {
	kept := points[:0]
	for _, p := range points {
		if s.first(p) {
			kept = append(kept, p)
		}
	}
	return kept
}

// remembered is how many points a generation of seen has.
const remembered = 20_000

// seen knows the points that were handed on last, at least as many as remembered: far more than come within overlap.
type seen struct{ now, before map[identity]struct{} }

// identity is what makes two readings the same.
type identity struct {
	sensor, quantity, channel string
	ms                        int64
}

// first says whether the point was not there before, and remembers it.
func (s *seen) first(p Point) bool {
	id := identity{p.Sensor, p.Quantity, p.Channel, p.Time.UnixMilli()}
	if _, known := s.now[id]; known {
		return false
	}
	if _, known := s.before[id]; known {
		return false
	}
	if s.now == nil || len(s.now) >= remembered {
		s.before, s.now = s.now, make(map[identity]struct{})
	}
	s.now[id] = struct{}{}
	return true
}
