package ledger

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/lamppost-city/lamppost/telemetry"
)

// encoded is an hour as a row of the ledger has it.
func encoded(h hour) (blob []byte) {
	for minute := range byte(60) {
		if t, ok := h[minute]; ok {
			blob = t.encode(blob, minute)
		}
	}
	return blob
}

func TestHourIsReadAsItWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := make(hour)
		for range rapid.IntRange(0, 60).Draw(t, "n") {
			sums := want.at(rapid.ByteRange(0, 59).Draw(t, "minute"))
			for _, counter := range sums.counters() {
				*counter = rapid.Int64().Draw(t, "counter")
			}
			for _, reason := range telemetry.Reasons() {
				if rapid.Bool().Draw(t, "rejected") {
					sums.reject(reason, rapid.Int64().Draw(t, "n"))
				}
			}
		}
		got, err := decodeHour(encoded(want))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Fatal(diff)
		}
	})
}

func FuzzDecodeHour(f *testing.F) {
	sums := Totals{Written: 3, Rejected: map[telemetry.Reason]int64{telemetry.ReasonRange: 2}}
	sums.Received, sums.Accepted = 5, -3
	f.Add(encoded(hour{0: &sums, 59: &sums}))
	f.Add([]byte{60})
	f.Add([]byte{1, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, blob []byte) {
		h, err := decodeHour(blob)
		if err != nil {
			return
		}
		first := encoded(h)
		again, err := decodeHour(first)
		if err != nil {
			t.Fatal(err)
		}
		if second := encoded(again); !bytes.Equal(first, second) {
			t.Errorf("%x is written as %x, then as %x", blob, first, second)
		}
	})
}

func TestMinutesBefore1970AreCountedDownwards(t *testing.T) {
	for at, want := range map[telemetry.UnixMilli]int64{0: 0, 59_999: 0, 60_000: 1, -1: -1, -60_000: -1, -60_001: -2, -3_600_000: -60} {
		if got := MinuteOf(at); got != want {
			t.Errorf("%d lies in minute %d, want %d", at, got, want)
		}
	}
	for minute, want := range map[int64]int64{0: 0, 59: 0, 60: 1, -1: -1, -60: -1, -61: -2} {
		if got := floorHour(minute); got != want {
			t.Errorf("minute %d lies in hour %d, want %d", minute, got, want)
		}
	}
}
