package live

import (
	"context"
	"errors"
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

// ErrPartial is what a Past wraps that returns some of the readings, because there are too many.
var ErrPartial = errors.New("more readings came meanwhile than can be asked for")

// Past asks for the readings as they were from a moment to now.
type Past func(ctx context.Context, from time.Time) ([]Point, error)

// Follower hands each reading on once: what the stream says, and from the history what it left out.
type Follower struct {
	Listener *Listener
	Past     Past
	// Send takes points that are new. It must not keep them.
	Send func([]Point) error
	// Tell hears that the stream has been broken for longer than Patience, and with nil that it is open and the hole is filled: at first
	// as well, because its panel may have heard of a break from a Follower before, with other settings. It hears ErrPartial of a hole
	// that is not filled.
	Tell     func(*Break) error
	Patience time.Duration
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

// following is a Follower at work.
type following struct {
	*Follower
	seen  seen
	whole time.Time // all up to here has been handed on
	// left are the pauses of rounds that are still to come, and due the next of them; alarm is when a break is to be told.
	left       []time.Duration
	due, alarm *time.Timer
	// told is true while the panel knows of a break, greeted since it knows that there is none, unanswered while the history fails.
	told, greeted, unanswered bool
}

// Follow hands readings on until the context ends or Send or Tell fails.
func (f *Follower) Follow(ctx context.Context) error {
	w := &following{Follower: f, whole: f.Since, due: time.NewTimer(time.Hour), alarm: time.NewTimer(time.Hour)}
	w.due.Stop()
	w.alarm.Stop()
	defer w.due.Stop()
	defer w.alarm.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			err = ctx.Err()
		case <-f.Listener.Wake():
			err = w.woken()
		case <-w.alarm.C:
			err = w.complain()
		case <-w.due.C:
			err = w.fill(ctx)
		}
		if err != nil {
			return err
		}
	}
}

// woken takes what the stream said.
func (w *following) woken() error {
	readings, hole := w.Listener.Take()
	if err := w.hand(fresh(&w.seen, readings)); err != nil {
		return err
	}
	broken := w.Listener.Broken()
	if broken != nil && !w.told {
		w.alarm.Reset(time.Until(broken.At.Add(w.Patience)))
	}
	switch {
	case hole:
		w.left = rounds()
		w.due.Reset(w.left[0])
	case len(w.left) == 0 && broken == nil:
		w.whole = time.Now()
	}
	return nil
}

// complain tells the panel of a break that lasts.
func (w *following) complain() error {
	broken := w.Listener.Broken()
	if broken == nil || w.told {
		return nil
	}
	if left := time.Until(broken.At.Add(w.Patience)); left > 0 { // it was open again meanwhile
		w.alarm.Reset(left)
		return nil
	}
	w.told = true
	return w.Tell(broken)
}

// fill asks for the history of a hole. When it is there, a break that the panel knows of is over.
func (w *following) fill(ctx context.Context) error {
	asked := time.Now()
	if oldest := asked.Add(-w.Longest); w.Longest > 0 && w.whole.Before(oldest) {
		w.whole = oldest
	}
	from := w.whole
	points, err := w.Past(ctx, from.Add(-overlap))
	partial := errors.Is(err, ErrPartial)
	if err != nil && !partial {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !w.unanswered {
			w.Log.WarnContext(ctx, "history of a hole in a live stream was not answered; asking again", "error", err)
		}
		w.unanswered = true
		w.due.Reset(pastRetry)
		return nil
	}
	w.unanswered = false
	if err := w.hand(unseen(&w.seen, points)); err != nil {
		return err
	}
	if w.left = w.left[1:]; len(w.left) > 0 {
		w.due.Reset(w.left[0])
	} else {
		w.whole = asked
	}
	if (w.told || !w.greeted) && w.Listener.Broken() == nil {
		w.told, w.greeted = false, true
		if err := w.Tell(nil); err != nil {
			return err
		}
	}
	if partial {
		w.Log.WarnContext(ctx, "a hole in a live stream was filled in part", "error", err)
		return w.Tell(&Break{At: asked, Since: from, Err: err})
	}
	return nil
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
