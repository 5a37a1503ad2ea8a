package write_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lamppost-city/lamppost/ingest/ledger"
	"github.com/lamppost-city/lamppost/store"
	"github.com/lamppost-city/lamppost/telemetry"
)

func TestFramesThatWaitGoTogetherInTheirOrder(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		var want []string
		for i := range 30 {
			r.put(readings("loop-1", 10*i, 10*i+10))
			for n := 10 * i; n < 10*i+10; n++ {
				want = append(want, lineOf("loop-1", n, float64(n)))
			}
		}
		cfg := config()
		cfg.MaxLines, cfg.InFlight = 95, 1
		r.run(cfg)
		r.settled()
		var got []string
		for _, p := range r.store.all() {
			if len(p.lines) > 95 {
				t.Errorf("%d lines in one post", len(p.lines))
			}
			got = append(got, p.lines...)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if n := len(r.store.all()); n != 4 {
			t.Errorf("%d posts, want 4", n)
		}
	})
}

// againAfter checks that a post is the one before it again, after a pause.
func againAfter(t *testing.T, before, after post, least, most time.Duration) {
	t.Helper()
	if pause := after.at.Sub(before.at); pause < least || pause > most {
		t.Errorf("pause is %s, want %s to %s", pause, least, most)
	}
	if diff := cmp.Diff(before.lines, after.lines); diff != "" {
		t.Error(diff)
	}
}

func TestPausesBeforeThePostIsTriedAgain(t *testing.T) {
	const s = time.Second
	for _, c := range []struct {
		name    string
		answers []error
		// least and most are the pauses between the posts.
		least, most []time.Duration
		unwell      string
	}{
		{
			"no answer: doubled up to the longest, with jitter",
			[]error{errors.New("connection refused"), kind(store.Retry), kind(store.Retry), kind(store.Retry), kind(store.Retry)},
			[]time.Duration{s / 2, s, 2 * s, 4 * s, 4 * s},
			[]time.Duration{s, 2 * s, 4 * s, 8 * s, 8 * s},
			"store cannot answer now",
		},
		{
			"429 with Retry-After",
			[]error{&store.Error{Kind: store.Retry, Status: 429, RetryAfter: 20 * s}},
			[]time.Duration{20 * s},
			[]time.Duration{20 * s},
			"429",
		},
		{
			"Retry-After shorter than the pause",
			[]error{&store.Error{Kind: store.Retry, Status: 503, RetryAfter: time.Millisecond}},
			[]time.Duration{s / 2},
			[]time.Duration{s},
			"503",
		},
		{
			"Retry-After of a day",
			[]error{&store.Error{Kind: store.Retry, Status: 429, RetryAfter: 24 * time.Hour}},
			[]time.Duration{time.Minute},
			[]time.Duration{time.Minute},
			"429",
		},
		{
			"401, 403, 404: seldom",
			[]error{&store.Error{Kind: store.Denied, Status: 401}, &store.Error{Kind: store.Denied, Status: 404}},
			[]time.Duration{8 * s, 8 * s},
			[]time.Duration{8 * s, 8 * s},
			"denied",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, r *rig) {
				var unwell error
				r.store.answer = func(n int, _ []string) error {
					if n < len(c.answers) {
						return c.answers[n]
					}
					unwell = r.writer.Health()
					return nil
				}
				r.put(readings("loop-1", 0, 3))
				r.run(config())
				got := r.settled()
				posts := r.store.all()
				if len(posts) != len(c.answers)+1 {
					t.Fatalf("%d posts", len(posts))
				}
				for i := range c.least {
					againAfter(t, posts[i], posts[i+1], c.least[i], c.most[i])
				}
				if unwell == nil || !strings.Contains(unwell.Error(), c.unwell) && !strings.Contains(unwell.Error(), "store") {
					t.Errorf("health while it was away: %v", unwell)
				}
				if err := r.writer.Health(); err != nil {
					t.Errorf("health afterwards: %v", err)
				}
				if got.Written != 3 || got.RejectedSum() != 0 {
					t.Errorf("ledger: %+v", got)
				}
			})
		})
	}
}

func TestLinesThatTheStoreWillNotTakeAreIsolated(t *testing.T) {
	const frames, each = 4, 8
	bad := func(numbers ...int) func(lines []string) error {
		return func(lines []string) error {
			for _, n := range numbers {
				if slices.Contains(lines, lineOf("loop-1", n, float64(n))) {
					return kind(store.Rejected)
				}
			}
			return nil
		}
	}
	everything := make([]int, frames*each)
	for i := range everything {
		everything[i] = i
	}
	for _, c := range []struct {
		name   string
		refuse func(lines []string) error
		want   []int
		posts  int
	}{
		{"none", bad(), nil, 1},
		{"the first", bad(0), []int{0}, 12},
		{"the last", bad(frames*each - 1), []int{frames*each - 1}, 11},
		{"one in the middle", bad(13), []int{13}, 11},
		{"several, in several frames", bad(0, 7, 8, 30), []int{0, 7, 8, 30}, 0},
		{"all", bad(everything...), everything, 2 * frames * each},
		{"more than five lines are too large", func(lines []string) error {
			if len(lines) > 5 {
				return kind(store.TooLarge)
			}
			return nil
		}, nil, 7 + 8},
		{"a single line is too large", func(lines []string) error {
			if slices.Contains(lines, lineOf("loop-1", 9, 9)) {
				return kind(store.TooLarge)
			}
			return nil
		}, []int{9}, 11},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, r *rig) {
				r.store.answer = func(_ int, lines []string) error { return c.refuse(lines) }
				for i := range frames {
					r.put(readings("loop-1", each*i, each*(i+1)))
				}
				r.run(config())
				got := r.settled()
				if n := int64(len(c.want)); got.Rejected[telemetry.ReasonStore] != n || got.RejectedSum() != n || got.Written != frames*each-n {
					t.Errorf("ledger: %+v", got)
				}
				if c.posts > 0 && len(r.store.all()) != c.posts {
					t.Errorf("%d posts, want %d", len(r.store.all()), c.posts)
				}
				r.isQuarantined(c.want)
				if err := r.writer.Health(); err != nil {
					t.Errorf("health: %v", err)
				}
			})
		})
	}
}

// isQuarantined compares the quarantine with the lines of these seconds.
func (r *rig) isQuarantined(want []int) {
	r.t.Helper()
	if err := r.ledger.Flush(context.Background()); err != nil {
		r.t.Fatal(err)
	}
	messages, _, err := r.ledger.Quarantined(context.Background(), ledger.QuarantineFilter{Limit: 1000})
	if err != nil {
		r.t.Fatal(err)
	}
	var lines, expected []string
	for _, m := range messages {
		lines = append(lines, strings.TrimSuffix(string(m.Payload), "\n"))
		f := m.Faults[0]
		if m.Topic != "" || m.Publisher != "loop-1" || f.Reason != telemetry.ReasonStore || f.Readings != 1 || f.Counted != "loop-1" || !strings.Contains(f.Detail, "made up") {
			r.t.Errorf("message %+v", m)
		}
	}
	for _, n := range want {
		expected = append(expected, lineOf("loop-1", n, float64(n)))
	}
	slices.Sort(lines)
	slices.Sort(expected)
	if diff := cmp.Diff(expected, lines); diff != "" {
		r.t.Error(diff)
	}
}

// A store that refuses everything says nothing of the lines: they wait, and health tells.
func TestStoreThatRefusesWhateverItIsSentGetsItAllLater(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.store.answering(func(int, []string) error { return kind(store.Rejected) })
		for i := range 4 {
			r.put(readings("loop-1", 8*i, 8*(i+1)))
		}
		r.run(config())
		time.Sleep(time.Minute)
		if got := r.ledger.City(); got.RejectedSum() != 0 || r.writer.Health() == nil {
			t.Errorf("ledger: %+v, health: %v", got, r.writer.Health())
		}
		if n := len(r.store.all()); n > 40 {
			t.Errorf("the store was asked %d times in a minute", n)
		}
		r.store.answering(func(_ int, lines []string) error {
			if slices.Contains(lines, lineOf("loop-1", 0, 0)) {
				return kind(store.Rejected)
			}
			return nil
		})
		if got := r.settled(); got.Written != 31 || r.writer.Health() != nil {
			t.Errorf("ledger: %+v, health: %v", got, r.writer.Health())
		}
		r.isQuarantined([]int{0})
	})
}

func TestStoreThatGoesAwayWhileBadLinesAreIsolated(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.store.answer = func(n int, lines []string) error {
			if n%2 == 1 {
				return kind(store.Retry)
			}
			if slices.Contains(lines, lineOf("loop-1", 5, 5)) {
				return kind(store.Rejected)
			}
			return nil
		}
		r.put(readings("loop-1", 0, 16))
		r.run(config())
		if got := r.settled(); got.Written != 15 {
			t.Errorf("ledger: %+v", got)
		}
		r.isQuarantined([]int{5})
	})
}

func TestPostsInFlightAreBounded(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.store.answer = func(int, []string) error {
			time.Sleep(time.Second)
			return nil
		}
		for i := range 20 {
			r.put(readings("loop-1", i, i+1))
		}
		cfg := config()
		cfg.InFlight, cfg.MaxLines = 4, 1
		r.run(cfg)
		r.settled()
		if r.store.most != 4 {
			t.Errorf("%d posts at once, want 4", r.store.most)
		}
	})
}

func TestStoreIsAskedOnlyWhenAllBeforeIsInIt(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		release := make(chan struct{})
		r.store.answer = func(n int, _ []string) error {
			if n < 2 {
				<-release
			}
			return nil
		}
		cfg := config()
		cfg.MaxLines = 10
		r.put(readings("loop-1", 0, 10))
		r.put(readings("loop-1", 10, 20))
		r.put(suspected("loop-1", 5, 25))
		r.put(readings("loop-1", 25, 30))
		r.run(cfg)
		synctest.Wait()
		if r.store.asked != 0 || len(r.store.all()) != 2 {
			t.Errorf("asked %d times while %d posts are under way", r.store.asked, len(r.store.all()))
		}
		close(release)
		got := r.settled()
		if got.Accepted != 30 || got.Duplicate != 15 || r.store.asked != 1 {
			t.Errorf("ledger: %+v; asked %d times", got, r.store.asked)
		}
	})
}

func TestOfSuspectsOnlyWhatIsNewOrOtherIsWritten(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.put(readings("loop-1", 0, 4))
		f := suspected("loop-1", 2, 6)
		f.Lines = []byte(strings.ReplaceAll(string(f.Lines), "speed=3 ", "speed=33 "))
		f.Suspects[1].Value = 33
		r.put(f)
		cfg := config()
		cfg.InFlight = 1
		r.run(cfg)
		got := r.settled()
		if got.Accepted != 6 || got.Duplicate != 2 {
			t.Errorf("ledger: %+v", got)
		}
		last := r.store.all()[len(r.store.all())-1]
		want := []string{lineOf("loop-1", 3, 33), lineOf("loop-1", 4, 4), lineOf("loop-1", 5, 5)}
		if diff := cmp.Diff(want, last.lines); diff != "" {
			t.Error(diff)
		}
	})
}

func TestSuspectsThatAreAlikeCountOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		f, again := suspected("loop-1", 0, 3), suspected("loop-1", 1, 2)
		f.Lines, f.Accepted, f.Minutes = append(f.Lines, again.Lines...), append(f.Accepted, 1), append(f.Minutes, again.Minutes...)
		again.Suspects[0].Line = 3
		f.Suspects = append(f.Suspects, again.Suspects...)
		r.put(f)
		r.run(config())
		if got := r.settled(); got.Accepted != 3 || got.Duplicate != 1 {
			t.Errorf("ledger: %+v", got)
		}
	})
}

// Where a line holds known and new fields only the new ones are written: under another site the known would be doubled.
func TestKnownFieldIsLeftOutOfItsLine(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.put(readings("loop-1", 0, 1))
		f := suspected("loop-1", 0, 1)
		f.Lines = fmt.Appendf(nil, "traffic,sensor=loop-1,site=elsewhere occupancy=0.5,speed=0,intensity=3 %d\n", second(0))
		f.Accepted[0], f.Minutes[0].Received, f.Minutes[0].Accepted = 3, 3, 3
		r.put(f)
		cfg := config()
		cfg.InFlight = 1
		r.run(cfg)
		if got := r.settled(); got.Accepted != 3 || got.Duplicate != 1 {
			t.Errorf("ledger: %+v", got)
		}
		last := r.store.all()[len(r.store.all())-1]
		want := []string{fmt.Sprintf("traffic,sensor=loop-1,site=elsewhere occupancy=0.5,intensity=3 %d", second(0))}
		if diff := cmp.Diff(want, last.lines); diff != "" {
			t.Error(diff)
		}
	})
}

func TestBadLineAmongSuspectsIsTheRightOne(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.put(readings("loop-1", 0, 4))
		r.put(suspected("loop-1", 0, 8))
		r.store.answer = func(_ int, lines []string) error {
			if slices.Contains(lines, lineOf("loop-1", 6, 6)) {
				return kind(store.Rejected)
			}
			return nil
		}
		r.run(config())
		if got := r.settled(); got.Accepted != 7 || got.Duplicate != 4 || got.Rejected[telemetry.ReasonStore] != 1 {
			t.Errorf("ledger: %+v", got)
		}
		r.isQuarantined([]int{6})
	})
}

func TestDuplicateIsNotLate(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.put(readings("loop-1", 0, 2))
		f := suspected("loop-1", 0, 3)
		for i := range f.Suspects {
			f.Suspects[i].Late = true
			f.Minutes[i].Late = 1
		}
		r.put(f)
		r.run(config())
		if got := r.settled(); got.Late != 1 {
			t.Errorf("%d late, but only one is both late and new", got.Late)
		}
	})
}

func TestStoreThatCannotBeAskedIsAskedAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.store.lookup = func(n int) error {
			if n < 3 {
				return kind(store.Retry)
			}
			return nil
		}
		r.put(readings("loop-1", 0, 5))
		r.put(suspected("loop-1", 0, 5)) // all known: nothing is written that would show that the store is back
		r.run(config())
		if got := r.settled(); got.Accepted != 5 || got.Duplicate != 5 {
			t.Errorf("ledger: %+v", got)
		}
		if err := r.writer.Health(); err != nil {
			t.Errorf("health: %v", err)
		}
	})
}
