package edge_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"periph.io/x/conn/v3/gpio"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/clock"
	"github.com/lamppost-city/lamppost/firmware-bridge/edge"
	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
	"github.com/lamppost-city/lamppost/firmware-bridge/simbus"
)

const ms = time.Millisecond

// since is a clock that counts from its beginning.
type since struct{ began time.Time }

func (s since) Now() clock.Instant { return clock.Instant(time.Since(s.began)) }

// watched is a watch of a simulated pin, running.
type watched struct {
	line    *simbus.Pin
	changes []edge.Change
	noise   int
	ended   chan error
}

func watch(t *testing.T, ctx context.Context, debounce time.Duration) *watched {
	t.Helper()
	b, err := simbus.New(bus.Config{ID: "gpio", Type: bus.GPIO})
	if err != nil {
		t.Fatal(err)
	}
	p, err := b.Pins.Pin("GPIO17")
	if err != nil {
		t.Fatal(err)
	}
	if err := p.In(gpio.PullUp, gpio.BothEdges); err != nil {
		t.Fatal(err)
	}
	w := &watched{line: b.Pins.Line("GPIO17"), ended: make(chan error, 1)}
	run := edge.Watch{
		Pin: p, Debounce: debounce, Clock: since{time.Now()},
		Changed: func(c edge.Change) { w.changes = append(w.changes, c) },
		Noise:   func(n int) { w.noise += n },
	}
	go func() { w.ended <- run.Run(ctx) }()
	synctest.Wait()
	return w
}

// wire lets the level change at the given times, in turn high and low.
func (w *watched) wire(at ...time.Duration) {
	began := time.Now()
	for i, d := range at {
		time.Sleep(time.Until(began.Add(d)))
		w.line.Set(i%2 == 0)
	}
}

func TestChanges(t *testing.T) {
	for _, c := range []struct {
		name     string
		debounce time.Duration
		edges    []time.Duration
		want     []edge.Change
	}{
		{"a clean pulse is two changes", 5 * ms, []time.Duration{10 * ms, 50 * ms}, []edge.Change{{gpio.High, at(10 * ms)}, {gpio.Low, at(50 * ms)}}},
		{
			"bounce is one change, dated with its first edge", 5 * ms,
			[]time.Duration{10 * ms, 11 * ms, 12 * ms, 14 * ms, 16 * ms, 80 * ms, 81 * ms, 83 * ms},
			[]edge.Change{{gpio.High, at(10 * ms)}, {gpio.Low, at(80 * ms)}},
		},
		{"a spike is none", 5 * ms, []time.Duration{10 * ms, 11 * ms, 100 * ms, 104 * ms}, nil},
		{"a level that stays just long enough counts", 5 * ms, []time.Duration{10 * ms, 15 * ms}, []edge.Change{{gpio.High, at(10 * ms)}, {gpio.Low, at(15 * ms)}}},
		{"without debounce time every edge counts", 0, []time.Duration{10 * ms, 11 * ms}, []edge.Change{{gpio.High, at(10 * ms)}, {gpio.Low, at(11 * ms)}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				w := watch(t, ctx, c.debounce)
				w.wire(c.edges...)
				time.Sleep(time.Second)
				cancel()
				if err := <-w.ended; err != nil {
					t.Error(err)
				}
				if diff := cmp.Diff(c.want, w.changes); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

func at(d time.Duration) clock.Instant { return clock.Instant(d) }

// stalled is a pin whose edges are all in the queue already when the process gets round to them.
type stalled struct {
	bus.Pin
	queue []bus.Edge
}

func (s *stalled) NextEdge(ctx context.Context) (bus.Edge, error) {
	if len(s.queue) == 0 {
		<-ctx.Done()
		return bus.Edge{}, ctx.Err()
	}
	e := s.queue[0]
	s.queue = s.queue[1:]
	return e, nil
}
func (s *stalled) Level() (gpio.Level, error) { return gpio.Low, nil }
func (s *stalled) Now() time.Duration         { return time.Hour }
func (s *stalled) String() string             { return "GPIO17" }

func TestQueuedPulsesAreNotBounce(t *testing.T) {
	p := &stalled{}
	for i := range 20 {
		p.queue = append(p.queue, bus.Edge{Level: i%2 == 0, At: time.Duration(i) * 50 * ms})
	}
	pulses := 0
	ctx, cancel := context.WithCancel(t.Context())
	w := edge.Watch{Pin: p, Debounce: 5 * ms, Clock: since{time.Now()}, Changed: func(c edge.Change) {
		if c.Level {
			pulses++
		}
		if pulses == 10 {
			cancel()
		}
	}}
	if err := w.Run(ctx); err != nil || pulses != 10 {
		t.Errorf("%d of 10 pulses, %v", pulses, err)
	}
}

func TestFloodIsBoundedAndNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		w := watch(t, ctx, ms)
		high := false
		w.line.Follow(func(after time.Duration) (time.Duration, gpio.Level) { // 100 kHz
			high = !high
			return after + 10*time.Microsecond, gpio.Level(high)
		})
		time.Sleep(5 * time.Second)
		w.line.Follow(func(after time.Duration) (time.Duration, gpio.Level) { return after + time.Hour, gpio.High })
		time.Sleep(5 * time.Second)
		w.line.Set(gpio.High)
		time.Sleep(time.Second)
		cancel()
		if err := <-w.ended; err != nil {
			t.Error(err)
		}
		if w.noise < 400_000 {
			t.Errorf("%d edges of noise", w.noise)
		}
		if n := len(w.changes); n == 0 || n > 12 || w.changes[n-1].Level != gpio.High {
			t.Errorf("%d changes: %v", n, w.changes)
		}
	})
}

func TestPinThatFailsEndsTheWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watch(t, t.Context(), ms)
		w.line.Break(errors.New("unplugged"))
		if err := <-w.ended; fault.KindOf(err) != fault.Lost {
			t.Errorf("got %v", err)
		}
	})
}

func TestBucketLetsThroughItsRate(t *testing.T) {
	b := edge.NewBucket(10)
	taken := 0
	for i := range 1000 { // 100 a second for ten seconds
		if b.Take(at(time.Duration(i) * 10 * ms)) {
			taken++
		}
	}
	if taken < 100 || taken > 110 {
		t.Errorf("%d in ten seconds at 10 a second", taken)
	}
}
