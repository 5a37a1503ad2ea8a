package outbox

import (
	"bytes"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lamppost-city/lamppost/firmware-bridge/clock"
)

func frames() []frame {
	samples := []sample{
		{"box-1", "temperature", "", -5, 1.5}, {"", "active_power", "L1", 1 << 60, math.Inf(1)}, {"box-2", "no2", "", 0, 0},
	}
	var body []byte
	for i := range samples {
		body = samples[i].append(body)
	}
	return []frame{
		{kind: dated, seq: 1, total: 3, readings: 3, made: 1772366400250, publisher: "kerb-1", body: []byte("\x82 something")},
		{kind: undated, seq: math.MaxUint64, total: math.MaxUint64, readings: 3, made: -5, publisher: "kerb-1", boot: clock.Boot{1, 2, 15: 3}, body: body},
	}
}

func TestFramesAreReadAsTheyWereWritten(t *testing.T) {
	for _, want := range frames() {
		got, err := parseFrame(want.bytes())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(frame{})); diff != "" {
			t.Error(diff)
		}
		if want.kind == dated {
			continue
		}
		var names []string
		if err := got.samples(func(s sample) { names = append(names, s.sensor+"/"+s.quantity+"/"+s.channel) }); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff([]string{"box-1/temperature/", "kerb-1/active_power/L1", "box-2/no2/"}, names); diff != "" {
			t.Error(diff)
		}
	}
}

func FuzzParseFrame(f *testing.F) {
	for _, one := range frames() {
		whole := one.bytes()
		f.Add(whole)
		f.Add(whole[:len(whole)/2])
	}
	f.Add([]byte{})
	f.Add([]byte{frameVersion, 'U', 1, 1, 255, 255, 255, 255, 15, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		one, err := parseFrame(b)
		if err != nil {
			return
		}
		again, err := parseFrame(one.bytes())
		if err != nil || again.seq != one.seq || again.total != one.total || again.readings != one.readings || !bytes.Equal(again.body, one.body) {
			t.Fatalf("%+v is read again as %+v, %v", one, again, err)
		}
		n := 0
		if one.kind == undated && one.samples(func(sample) { n++ }) == nil && n != one.readings {
			t.Fatalf("%d samples, want %d", n, one.readings)
		}
	})
}
