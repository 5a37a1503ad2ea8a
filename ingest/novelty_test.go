package ingest

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/lamppost-city/lamppost/telemetry"
)

// What times says is never wrong: fresh only for what was not seen, repeated only for what was, and unsure never for
// what first came in the same frame.
func TestTimesAgreesWithAMemoryThatForgetsNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		floor := telemetry.UnixMilli(rapid.IntRange(0, 50).Draw(t, "floor"))
		memory, thisFrame := make(map[telemetry.UnixMilli]bool), make(map[telemetry.UnixMilli]bool)
		remembered, frame := times{floor: floor}, uint64(1)
		for range rapid.IntRange(1, 300).Draw(t, "n") {
			at := telemetry.UnixMilli(rapid.IntRange(0, 200).Draw(t, "at"))
			switch remembered.see(at, frame) {
			case fresh:
				if at <= floor || memory[at] {
					t.Fatalf("%d is called fresh", at)
				}
				thisFrame[at] = true
			case repeated:
				if !memory[at] {
					t.Fatalf("%d is called repeated", at)
				}
			case unsure:
				if at > remembered.floor {
					t.Fatalf("%d is later than the floor %d, and yet unsure", at, remembered.floor)
				}
				if thisFrame[at] {
					t.Fatalf("%d is unsure, though it came in this frame", at)
				}
			}
			memory[at] = true
			switch rapid.IntRange(0, 99).Draw(t, "then") {
			case 0:
				remembered.forget()
				frame++
				clear(thisFrame)
			case 1, 2, 3:
				frame++
				clear(thisFrame)
				remembered.see(at, frame)
				if len(remembered.seen) > maxRemembered {
					t.Fatalf("remembers %d times", len(remembered.seen))
				}
			}
		}
	})
}

func TestBacklogInOrderNeedsNoQuestionToTheStore(t *testing.T) {
	var remembered times
	frame := uint64(0)
	for at := telemetry.UnixMilli(10_000); at < 10_000+2*maxRemembered; at++ {
		frame++
		remembered.see(at, frame)
	}
	newest := remembered.floor
	// A bridge sends the newest first and the backlog, in order, beside it: only what lies below the floor is unsure.
	for at := newest + 1_000; at < newest+2_000; at++ {
		frame++
		if got := remembered.see(at, frame); got != fresh {
			t.Fatalf("%d: novelty %d", at, got)
		}
	}
}
