package write_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lamppost-city/lamppost/ingest/frame"
	"github.com/lamppost-city/lamppost/ingest/ledger"
	"github.com/lamppost-city/lamppost/store"
	"github.com/lamppost-city/lamppost/telemetry"
)

// field is a value of a line.
type field struct {
	quantity string
	value    float64
}

// standing adds a line of suspects of loop-1, which stands at a site, to a frame.
func standing(f *frame.Frame, site string, n int, fields ...field) {
	var texts []string
	for _, v := range fields {
		texts = append(texts, fmt.Sprintf("%s=%g", v.quantity, v.value))
		f.Suspects = append(f.Suspects, frame.Suspect{
			Line: len(f.Accepted), Domain: telemetry.Traffic, Sensor: "loop-1", Quantity: v.quantity, Measured: second(n), Value: v.value,
		})
	}
	f.Lines = fmt.Appendf(f.Lines, "%s %s %d\n", headAt(site), strings.Join(texts, ","), second(n))
	f.Accepted = append(f.Accepted, uint16(len(fields)))
	all := int64(len(fields))
	f.Minutes = append(f.Minutes, frame.Minute{Sensor: "loop-1", Minute: ledger.MinuteOf(second(n)), Counts: frame.Counts{Received: all, Accepted: all}})
}

func headAt(site string) string {
	h := frame.Head{Domain: telemetry.Traffic, Sensor: "loop-1", Site: site}
	if site != "" {
		h.District = "district-of-" + site
	}
	return string(frame.AppendHead(nil, h))
}

func at(site, fields string, n int) string {
	return fmt.Sprintf("%s %s %d", headAt(site), fields, second(n))
}

// moving is what a sensor says before and after it has moved, what is written of the latter, and how much of that is no
// new reading.
type moving struct {
	before, after func(*frame.Frame)
	written       []string
	duplicates    int64
}

func moved(t *testing.T, all map[string]moving) {
	t.Helper()
	for name, c := range all {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, r *rig) {
				var before, after frame.Frame
				c.before(&before)
				c.after(&after)
				r.put(&before)
				r.put(&after)
				r.run(config())
				if got := r.settled(); got.Duplicate != c.duplicates {
					t.Errorf("ledger: %+v", got)
				}
				last := r.store.all()[len(r.store.all())-1]
				if diff := cmp.Diff(c.written, last.lines); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

func TestChangedValueIsOverwrittenWhereItStands(t *testing.T) {
	moved(t, map[string]moving{
		"alone in its line": {
			func(f *frame.Frame) { standing(f, "corner", 0, field{"speed", 1}) },
			func(f *frame.Frame) { standing(f, "park", 0, field{"speed", 2}) },
			[]string{at("corner", "speed=2", 0)},
			1,
		},
		"beside one that is as it was, and a new one": {
			func(f *frame.Frame) { standing(f, "corner", 0, field{"speed", 1}, field{"intensity", 5}) },
			func(f *frame.Frame) {
				standing(f, "park", 0, field{"speed", 2}, field{"intensity", 5}, field{"occupancy", 0.5})
			},
			[]string{at("park", "occupancy=0.5", 0), at("corner", "speed=2", 0)},
			2,
		},
		"of a sensor that had no site": {
			func(f *frame.Frame) { standing(f, "", 0, field{"speed", 1}) },
			func(f *frame.Frame) { standing(f, "park", 0, field{"speed", 2}) },
			[]string{at("", "speed=2", 0)},
			1,
		},
		"of one that has none now": {
			func(f *frame.Frame) { standing(f, strings.Repeat("corner", 50), 0, field{"speed", 1}) },
			func(f *frame.Frame) {
				standing(f, "", 0, field{"speed", 2})
				standing(f, "", 1, field{"speed", 3})
			},
			[]string{at(strings.Repeat("corner", 50), "speed=2", 0), at("", "speed=3", 1)},
			1,
		},
	})
}

func TestChangedValuesOfOneFrameAreOverwrittenEachWhereItStands(t *testing.T) {
	moved(t, map[string]moving{
		"each where it stands": {
			func(f *frame.Frame) {
				standing(f, "corner", 0, field{"speed", 1})
				standing(f, "bridge", 0, field{"intensity", 1})
				standing(f, "park", 0, field{"occupancy", 0.5})
			},
			func(f *frame.Frame) {
				standing(f, "park", 0, field{"speed", 2}, field{"intensity", 2}, field{"occupancy", 0.25})
			},
			[]string{at("park", "occupancy=0.25", 0), at("corner", "speed=2", 0), at("bridge", "intensity=2", 0)},
			3,
		},
		"twice in one frame": {
			func(f *frame.Frame) { standing(f, "corner", 0, field{"speed", 1}) },
			func(f *frame.Frame) {
				standing(f, "park", 0, field{"speed", 2})
				standing(f, "park", 0, field{"speed", 3})
				standing(f, "park", 1, field{"speed", 4})
				standing(f, "park", 1, field{"speed", 5})
			},
			[]string{at("corner", "speed=2", 0), at("corner", "speed=3", 0), at("park", "speed=4", 1), at("park", "speed=5", 1)},
			3,
		},
		"under tags that are none of ours": {
			func(f *frame.Frame) { standing(f, `a\ b\,c\=d`, 0, field{"speed", 1}) },
			func(f *frame.Frame) { standing(f, "park", 0, field{"speed", 2}) },
			[]string{at(`a\ b\,c\=d`, "speed=2", 0)},
			1,
		},
	})
}

// Also a process that finds the verdict of the one before, which may have written the frame, overwrites in place.
func TestCrashLeavesAChangedValueWhereItStands(t *testing.T) {
	for name, written := range map[string]bool{"before it was written": false, "after it was written": true} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, r *rig) {
				var before, after frame.Frame
				standing(&before, "corner", 0, field{"speed", 1})
				standing(&after, "park", 0, field{"speed", 2}, field{"intensity", 7})
				r.put(&before)
				r.put(&after)
				if err := r.ledger.Flush(t.Context()); err != nil {
					t.Fatal(err)
				}
				tried := make(chan struct{})
				r.store.answer = func(_ int, lines []string) error {
					if !slices.Contains(lines, at("corner", "speed=2", 0)) {
						return nil
					}
					if written {
						r.store.mu.Lock()
						for _, line := range lines {
							r.store.keep(line)
						}
						r.store.mu.Unlock()
					}
					close(tried)
					return kind(store.Retry)
				}
				r.run(config())
				select {
				case <-tried:
				case <-time.After(time.Minute):
					t.Fatal("nothing is written under the old tags")
				}
				r.stop()
				r.store.answering(nil)
				r.run(config())
				if got := r.settled(); got.Accepted != 2 || got.Duplicate != 1 {
					t.Errorf("ledger: %+v", got)
				}
			})
		})
	}
}

// A line that only overwrites holds no reading that the ledger counts as accepted.
func TestRefusedOverwritingTakesNothingFromTheAccount(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		var before, after frame.Frame
		standing(&before, "corner", 0, field{"speed", 1})
		standing(&after, "park", 0, field{"speed", 2}, field{"intensity", 7})
		r.put(&before)
		r.put(&after)
		r.store.answer = func(_ int, lines []string) error {
			if slices.Contains(lines, at("corner", "speed=2", 0)) {
				return kind(store.Rejected)
			}
			return nil
		}
		r.run(config())
		if got := r.settled(); got.Accepted != 2 || got.Duplicate != 1 || got.RejectedSum() != 0 {
			t.Errorf("ledger: %+v", got)
		}
		if err := r.ledger.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		messages, _, err := r.ledger.Quarantined(t.Context(), ledger.QuarantineFilter{Limit: 10})
		if err != nil || len(messages) != 1 || string(messages[0].Payload) != at("corner", "speed=2", 0)+"\n" {
			t.Errorf("quarantine: %+v, %v", messages, err)
		}
	})
}

// However often a sensor moves, and whatever it says again of any time, the store has one value for each time: the last.
func TestStoreHasOneValueForEachTimeWhereverTheSensorStood(t *testing.T) {
	for seed := range uint64(20) {
		inBubble(t, func(t *testing.T, r *rig) {
			random := rand.New(rand.NewPCG(seed, 1))
			type reading struct {
				quantity string
				n        int
			}
			want := make(map[reading]float64)
			sites := []string{"corner", "park", "a-site-with-a-long-name", ""}
			r.run(config())
			for range 15 {
				var f frame.Frame
				site := sites[random.IntN(len(sites))]
				for range 1 + random.IntN(6) {
					n := random.IntN(6)
					var fields []field
					for _, quantity := range []string{"speed", "intensity", "occupancy"} {
						if random.IntN(2) == 0 {
							value := float64(random.IntN(4))
							fields = append(fields, field{quantity, value})
							want[reading{quantity, n}] = value
						}
					}
					if len(fields) > 0 {
						standing(&f, site, n, fields...)
					}
				}
				r.put(&f)
				if random.IntN(4) == 0 {
					r.run(config())
				}
			}
			r.settled()
			got := make(map[reading]float64)
			for k, v := range r.store.values {
				got[reading{k.quantity, int((k.at - int64(second(0))) / 1000)}] = v
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("seed %d: %s", seed, diff)
			}
		})
	}
}
