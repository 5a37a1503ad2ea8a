package spool_test

import (
	"encoding/json"
	"testing"

	"github.com/lamppost-city/lamppost/spool"
)

func TestPositionTextFormRoundTrips(t *testing.T) {
	for _, p := range []spool.Position{{}, {Segment: 12, Offset: 3456}, {Segment: 1<<64 - 1, Offset: 1<<63 - 1}} {
		got, err := spool.ParsePosition(p.String())
		if err != nil || got != p {
			t.Errorf("ParsePosition(%q) = %v, %v", p.String(), got, err)
		}
		encoded, err := json.Marshal(map[string]spool.Position{"at": p})
		if err != nil {
			t.Fatal(err)
		}
		var back map[string]spool.Position
		if err := json.Unmarshal(encoded, &back); err != nil || back["at"] != p {
			t.Errorf("%s decodes to %v, %v", encoded, back, err)
		}
	}
}

func TestPositionRefusesOtherTexts(t *testing.T) {
	for _, text := range []string{"", "12", ":", "12:", ":5", "12:-1", "-1:5", "12:5 ", "1:2:3", "+1:2", "1:9223372036854775808", "18446744073709551616:1", "0x1:2"} {
		if p, err := spool.ParsePosition(text); err == nil {
			t.Errorf("ParsePosition(%q) = %v", text, p)
		}
	}
}

func TestPositionsSortBySegmentThenOffset(t *testing.T) {
	ordered := []spool.Position{{}, {Segment: 1, Offset: 136}, {Segment: 1, Offset: 200}, {Segment: 2, Offset: 136}, {Segment: 10}}
	for i, p := range ordered {
		for j, q := range ordered {
			if got := p.Before(q); got != (i < j) {
				t.Errorf("%v.Before(%v) = %v", p, q, got)
			}
			if got := p.Compare(q) == 0; got != (i == j) {
				t.Errorf("%v.Compare(%v) == 0 is %v", p, q, got)
			}
		}
	}
	if !ordered[0].IsZero() || ordered[1].IsZero() {
		t.Error("only the zero position is zero")
	}
}

func FuzzPosition(f *testing.F) {
	for _, seed := range []string{"12:3456", "0:0", "1:", "18446744073709551615:9223372036854775807"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := spool.ParsePosition(text)
		if err != nil {
			return
		}
		if q, err := spool.ParsePosition(p.String()); err != nil || q != p || p.Offset < 0 {
			t.Errorf("%q: %v, then %v, %v", text, p, q, err)
		}
	})
}
