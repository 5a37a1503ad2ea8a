package write_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// when tells when each post began, and how many lines it had.
func (r *rig) when(began time.Time) (at []time.Duration, lines []int) {
	for _, p := range r.store.all() {
		at = append(at, p.at.Sub(began))
		lines = append(lines, len(p.lines))
	}
	return at, lines
}

func TestWhatComesWithinThePauseGoesTogether(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		cfg := config()
		cfg.MinPause = 100 * time.Millisecond
		r.run(cfg)
		synctest.Wait()
		began := time.Now()
		for i := range 10 { // at 0, 10, ... 90 ms
			r.put(readings("loop-1", i, i+1))
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(150 * time.Millisecond)
		r.put(readings("loop-1", 10, 11)) // at 250 ms
		r.settled()
		at, lines := r.when(began)
		if diff := cmp.Diff([]time.Duration{0, 100 * time.Millisecond, 250 * time.Millisecond}, at); diff != "" {
			t.Errorf("posts begin:\n%s", diff)
		}
		if diff := cmp.Diff([]int{1, 9, 1}, lines); diff != "" {
			t.Errorf("lines:\n%s", diff)
		}
	})
}

func TestFullPostDoesNotWait(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		cfg := config()
		cfg.MinPause, cfg.MaxLines = 10*time.Second, 20
		r.run(cfg)
		synctest.Wait()
		began := time.Now()
		r.put(readings("loop-1", 0, 1))
		synctest.Wait()
		r.put(readings("loop-1", 1, 11))
		r.put(readings("loop-1", 11, 21)) // this is 20 lines
		synctest.Wait()
		r.put(readings("loop-1", 21, 40))
		r.put(readings("loop-1", 40, 42)) // this would be 21
		synctest.Wait()
		at, lines := r.when(began)
		if diff := cmp.Diff([]time.Duration{0, 0, 0}, at); diff != "" {
			t.Errorf("posts begin:\n%s", diff)
		}
		if diff := cmp.Diff([]int{1, 20, 19}, lines); diff != "" {
			t.Errorf("lines:\n%s", diff)
		}
		r.settled()
		if at, _ := r.when(began); at[3] != 10*time.Second {
			t.Errorf("what was left over went after %s, want 10s", at[3])
		}
	})
}
