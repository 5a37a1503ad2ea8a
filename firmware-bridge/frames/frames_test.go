package frames_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/clock"
	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
	"github.com/lamppost-city/lamppost/firmware-bridge/frames"
	"github.com/lamppost-city/lamppost/firmware-bridge/simbus"
)

var errBad = errors.New("bad frame")

// brackets finds what stands in [ and ]; one that begins with ! is bad.
func brackets(b []byte) (done int, frame []byte, wrong error) {
	i := bytes.IndexByte(b, '[')
	if i < 0 {
		return len(b), nil, nil
	}
	if i > 0 {
		return i, nil, nil
	}
	end := bytes.IndexByte(b, ']')
	switch {
	case end < 0:
		return 0, nil, nil
	case b[1] == '!':
		return end + 1, nil, errBad
	}
	return end + 1, b[:end+1], nil
}

type since struct{ began time.Time }

func (s since) Now() clock.Instant { return clock.Instant(time.Since(s.began)) }

func reader(t *testing.T) (*frames.Reader, *simbus.SerialLine) {
	t.Helper()
	b, err := simbus.New(bus.Config{ID: "serial", Type: bus.Serial})
	if err != nil {
		t.Fatal(err)
	}
	port, err := b.Serial.Open(bus.Mode{})
	if err != nil {
		t.Fatal(err)
	}
	return &frames.Reader{Port: port, Clock: since{time.Now()}, Split: brackets, MaxBytes: 20, Advice: "look at the baud rate"}, b.Serial
}

func TestFramesAreFoundBetweenNoiseAndDatedWithTheirFirstByte(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, line := reader(t)
		line.Say(1*time.Second, []byte("noise]a[!bad"))
		line.Say(2*time.Second, []byte("]b[one][tw"))
		line.Say(3*time.Second, []byte("o]c["))
		line.Say(4*time.Second, []byte("three"))
		line.Say(5*time.Second, []byte("]"))
		for _, want := range []struct {
			text string
			at   time.Duration
		}{{"[one]", 2 * time.Second}, {"[two]", 2 * time.Second}, {"[three]", 3 * time.Second}} {
			f, err := r.Next(t.Context(), 10*time.Second)
			if err != nil || string(f.Bytes) != want.text || time.Duration(f.At) != want.at {
				t.Errorf("got %q at %s, %v; want %q at %s", f.Bytes, time.Duration(f.At), err, want.text, want.at)
			}
		}
	})
}

func TestSilenceIsToldFromGarbage(t *testing.T) {
	for _, c := range []struct {
		name, bytes string
		kind        fault.Kind
		is          error
	}{
		{"nothing", "", fault.Timeout, nil},
		{"noise only", "noise, noise", fault.Garbled, nil},
		{"a bad frame", "[!bad]", fault.Garbled, errBad},
		{"half a frame", "[half", fault.Garbled, nil},
		{"a frame that does not end", "[" + string(bytes.Repeat([]byte("x"), 300)), fault.Garbled, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, line := reader(t)
				line.Say(time.Second, []byte(c.bytes))
				began := time.Now()
				_, err := r.Next(t.Context(), 3*time.Second)
				if fault.KindOf(err) != c.kind || c.is != nil && !errors.Is(err, c.is) {
					t.Errorf("got %v (%s)", err, fault.KindOf(err))
				}
				if took := time.Since(began); took != 3*time.Second {
					t.Errorf("it took %s", took)
				}
				line.Say(time.Second, []byte("][good]"))
				if f, err := r.Next(t.Context(), 3*time.Second); err != nil || string(f.Bytes) != "[good]" && string(f.Bytes) != "[half]" {
					t.Errorf("the next good frame: %q, %v", f.Bytes, err)
				}
			})
		})
	}
}

func TestNextEndsWithContextAndWithThePort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, line := reader(t)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		began := time.Now()
		if _, err := r.Next(ctx, time.Hour); !errors.Is(err, context.Canceled) || time.Since(began) > 1300*time.Millisecond {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
		time.AfterFunc(time.Second, func() { line.Unplug(true) })
		if _, err := r.Next(t.Context(), time.Hour); fault.KindOf(err) != fault.Lost {
			t.Errorf("unplugged: %v", err)
		}
	})
}

func TestResetForgetsAndQuietWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, line := reader(t)
		line.Say(0, []byte("[old"))
		if quiet, err := r.Quiet(t.Context(), time.Second); err != nil || quiet {
			t.Errorf("quiet: %t, %v", quiet, err)
		}
		line.Say(0, []byte("er"))
		if err := r.Reset(); err != nil {
			t.Fatal(err)
		}
		if quiet, err := r.Quiet(t.Context(), time.Second); err != nil || !quiet {
			t.Errorf("quiet: %t, %v", quiet, err)
		}
		line.Say(0, []byte("][new]"))
		if f, err := r.Next(t.Context(), time.Second); err != nil || string(f.Bytes) != "[new]" {
			t.Errorf("got %q, %v", f.Bytes, err)
		}
	})
}

func TestHeardOnlyListens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, err := simbus.New(bus.Config{ID: "serial", Type: bus.Serial})
		if err != nil {
			t.Fatal(err)
		}
		b.Serial.Answer(func(heard []byte, _ simbus.Say) { t.Errorf("a probe wrote %q", heard) })
		listen := func() (bool, error) {
			return frames.Heard(t.Context(), b.Serial, bus.Mode{Baud: 9600}, brackets, 20, 3*time.Second)
		}
		if heard, err := listen(); heard || err != nil {
			t.Errorf("silence: %t, %v", heard, err)
		}
		b.Serial.Talk(time.Second, func(time.Time) []byte { return []byte("[hello]") })
		if heard, err := listen(); !heard || err != nil {
			t.Errorf("a frame each second: %t, %v", heard, err)
		}
		b.Serial.Unplug(true)
		if _, err := listen(); fault.KindOf(err) != fault.Lost {
			t.Errorf("unplugged: %v", err)
		}
	})
}
