package live_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lamppost-city/lamppost/dashboards/datasource/live"
)

// diary is what a panel hears of its stream, with the time of each entry since the beginning.
type diary struct {
	begin time.Time

	mu      sync.Mutex
	entries []string
	// unanswered is why the history does not answer, or nil.
	unanswered error
}

func (d *diary) write(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.entries = append(d.entries, fmt.Sprintf("%ds ", int(time.Since(d.begin).Seconds()))+fmt.Sprintf(format, args...))
}

func (d *diary) answers(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.unanswered = err
}

// kept follows a source in a bubble and returns where it writes and what it logs.
func kept(t *testing.T, s *source) (*diary, *strings.Builder) {
	t.Helper()
	d, logged := &diary{begin: time.Now()}, new(strings.Builder)
	log := slog.New(slog.NewTextHandler(logged, nil))
	h := live.New(s, live.DefaultConfig(), log)
	follower := live.Follower{
		Listener: join(t, h, live.Filter{}),
		Past: func(context.Context, time.Time) ([]live.Point, error) {
			d.mu.Lock()
			defer d.mu.Unlock()
			return nil, d.unanswered
		},
		Send: func(points []live.Point) error {
			for _, p := range points {
				d.write("reading %g", p.Value)
			}
			return nil
		},
		Tell: func(b *live.Break) error {
			if b == nil {
				d.write("back")
			} else {
				d.write("broken since %.0fs: %v", b.Since.Sub(d.begin).Seconds(), b.Err)
			}
			return nil
		},
		Patience: 5 * time.Second, Since: d.begin, Log: log,
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := follower.Follow(ctx); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
		h.Close()
	})
	synctest.Wait()
	return d, logged
}

func TestBreakThatLastsIsToldAndItsEndToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource()
		d, logged := kept(t, s)
		time.Sleep(10 * time.Second)
		s.say(reading(1))
		time.Sleep(10 * time.Second)
		s.stop(errors.New("refused"))
		time.Sleep(30 * time.Second)
		d.answers(errors.New("starting")) // the server is back, and its history a little later
		s.stop(nil)
		time.Sleep(20 * time.Second)
		d.answers(nil)
		time.Sleep(20 * time.Second)
		d.mu.Lock()
		defer d.mu.Unlock()
		want := []string{"0s back", "10s reading 1", "25s broken since 10s: refused", "70s back"}
		if diff := cmp.Diff(want, d.entries); diff != "" {
			t.Error(diff)
		}
		for _, text := range []string{"live stream ended", "live stream is open again", "history of a hole"} {
			if n := strings.Count(logged.String(), text); n != 1 {
				t.Errorf("%q is %d times in the log:\n%s", text, n, logged)
			}
		}
	})
}

func TestShortBreakIsNotTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource()
		d, _ := kept(t, s)
		for range 8 { // more than the patience in sum
			time.Sleep(10 * time.Second)
			s.stop(errors.New("refused"))
			time.Sleep(time.Second)
			s.stop(nil)
		}
		time.Sleep(20 * time.Second)
		d.mu.Lock()
		defer d.mu.Unlock()
		if diff := cmp.Diff([]string{"0s back"}, d.entries); diff != "" {
			t.Error(diff)
		}
	})
}

func TestStreamThatNeverOpensIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource()
		s.stop(errors.New("too many"))
		d, _ := kept(t, s)
		time.Sleep(20 * time.Second)
		d.mu.Lock()
		defer d.mu.Unlock()
		if diff := cmp.Diff([]string{"5s broken since 0s: too many"}, d.entries); diff != "" {
			t.Error(diff)
		}
	})
}
