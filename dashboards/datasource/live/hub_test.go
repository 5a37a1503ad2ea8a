package live_test

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lamppost-city/lamppost/dashboards/datasource/city"
	"github.com/lamppost-city/lamppost/dashboards/datasource/live"
)

// source is a server that tells what it is given.
type source struct {
	mu     sync.Mutex
	opened []string
	open   map[chan city.Told]string
	// down is why no stream can be opened, or nil.
	down error
}

func newSource() *source { return &source{open: make(map[chan city.Told]string)} }

func (s *source) Live(ctx context.Context, params url.Values, _ time.Duration, tell func(city.Told)) error {
	events := make(chan city.Told)
	s.mu.Lock()
	if s.down != nil {
		defer s.mu.Unlock()
		return s.down
	}
	s.opened = append(s.opened, params.Encode())
	s.open[events] = params.Encode()
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.open, events)
		s.mu.Unlock()
	}()
	tell(city.Told{})
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case told, ok := <-events:
			if !ok {
				return errors.New("cut")
			}
			tell(told)
		}
	}
}

// say tells all who listen; a nil reading cuts the streams.
func (s *source) say(r *city.Reading) {
	s.mu.Lock()
	var all []chan city.Told
	for events := range s.open {
		all = append(all, events)
	}
	s.mu.Unlock()
	for _, events := range all {
		if r == nil {
			close(events)
		} else {
			events <- city.Told{Reading: r}
		}
	}
	synctest.Wait()
}

// stop lets no stream be opened any more, and start lets them again, with nil.
func (s *source) stop(down error) {
	s.mu.Lock()
	s.down = down
	s.mu.Unlock()
	if down != nil {
		s.say(nil)
	}
}

func (s *source) streams() (now, ever int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open), len(s.opened)
}

func reading(value float64) *city.Reading {
	return &city.Reading{Sensor: "cam-1", Quantity: "speed", Value: &value}
}

func join(t *testing.T, h *live.Hub, f live.Filter) *live.Listener {
	t.Helper()
	l, err := h.Join(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestFiltersThatSayTheSameShareAStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource()
		h := live.New(s, live.DefaultConfig(), slog.New(slog.DiscardHandler))
		defer h.Close()
		a := join(t, h, live.Filter{Quantities: []string{"speed", "no2"}})
		b := join(t, h, live.Filter{Quantities: []string{"no2", "speed", "no2"}})
		other := join(t, h, live.Filter{Quantities: []string{"speed"}})
		synctest.Wait()
		if now, _ := s.streams(); now != 2 || h.Streams() != 2 {
			t.Errorf("%d streams are open", now)
		}
		for name, l := range map[string]*live.Listener{"first": a, "second": b, "other": other} {
			if readings, hole := l.Take(); !hole || len(readings) != 0 {
				t.Errorf("%s: a stream that opens is no hole: %v %v", name, readings, hole)
			}
		}
		s.say(reading(1))
		for name, l := range map[string]*live.Listener{"first": a, "second": b, "other": other} {
			if readings, hole := l.Take(); hole || len(readings) != 1 {
				t.Errorf("%s: took %d readings, hole %v", name, len(readings), hole)
			}
		}
	})
}

func TestStreamLingersForWhoeverComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource()
		cfg := live.DefaultConfig()
		h := live.New(s, cfg, slog.New(slog.DiscardHandler))
		defer h.Close()
		join(t, h, live.Filter{}).Leave()
		time.Sleep(cfg.Linger / 2)
		l := join(t, h, live.Filter{})
		time.Sleep(2 * cfg.Linger)
		synctest.Wait()
		if now, ever := s.streams(); now != 1 || ever != 1 {
			t.Errorf("%d streams are open, %d were", now, ever)
		}
		l.Leave()
		time.Sleep(cfg.Linger + time.Second)
		synctest.Wait()
		if now, _ := s.streams(); now != 0 || h.Streams() != 0 {
			t.Errorf("%d streams are open for nobody", now)
		}
	})
}

func TestSlowListenerHasAHoleAndSlowsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource()
		cfg := live.DefaultConfig()
		cfg.Backlog = 3
		h := live.New(s, cfg, slog.New(slog.DiscardHandler))
		defer h.Close()
		slow, quick := join(t, h, live.Filter{}), join(t, h, live.Filter{})
		synctest.Wait()
		slow.Take()
		quick.Take()
		for i := range 4 {
			s.say(reading(float64(i)))
			if readings, hole := quick.Take(); hole || len(readings) != 1 {
				t.Errorf("the quick one took %d readings, hole %v", len(readings), hole)
			}
		}
		if readings, hole := slow.Take(); !hole || len(readings) == 0 || *readings[len(readings)-1].Value != 3 {
			t.Errorf("the slow one took %d readings, hole %v", len(readings), hole)
		}
	})
}

func TestBrokenStreamIsOpenedAgainAndIsAHole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource()
		h := live.New(s, live.DefaultConfig(), slog.New(slog.DiscardHandler))
		defer h.Close()
		l := join(t, h, live.Filter{})
		synctest.Wait()
		l.Take()
		s.say(nil)
		time.Sleep(time.Second)
		synctest.Wait()
		if now, ever := s.streams(); now != 1 || ever != 2 {
			t.Errorf("%d streams are open, %d were", now, ever)
		}
		if _, hole := l.Take(); !hole {
			t.Error("what was said meanwhile is not looked for")
		}
	})
}

func TestStreamsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := live.DefaultConfig()
		cfg.MaxStreams = 1
		h := live.New(newSource(), cfg, slog.New(slog.DiscardHandler))
		join(t, h, live.Filter{})
		if _, err := h.Join(t.Context(), live.Filter{Channel: "lane-1"}); !errors.Is(err, live.ErrFull) {
			t.Errorf("a second filter: %v", err)
		}
		h.Close()
		if _, err := h.Join(t.Context(), live.Filter{}); err == nil {
			t.Error("a closed hub let somebody in")
		}
	})
}
