package simbus_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"periph.io/x/conn/v3/gpio"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
	"github.com/lamppost-city/lamppost/firmware-bridge/simbus"
)

// pin is an input on a simulated chip, from both sides.
func pin(t *testing.T, edges gpio.Edge) (bus.Pin, *simbus.Pin) {
	t.Helper()
	b, err := simbus.New(bus.Config{ID: "gpio", Type: bus.GPIO})
	if err != nil {
		t.Fatal(err)
	}
	p, err := b.Bus().Pins.Pin("17")
	if err != nil {
		t.Fatal(err)
	}
	if err := p.In(gpio.PullUp, edges); err != nil {
		t.Fatal(err)
	}
	return p, b.Pins.Line("GPIO17")
}

func TestPinKeepsItsEdgesWithTheirTimesWhileNobodyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, line := pin(t, gpio.FallingEdge)
		for range 3 {
			time.Sleep(time.Second)
			line.Set(gpio.High)
			time.Sleep(time.Second)
			line.Set(gpio.Low)
			line.Set(gpio.Low)
		}
		time.Sleep(time.Hour)
		if !p.WaitForEdge(-1) {
			t.Fatal("the first edge is not there")
		}
		var at []time.Duration
		for {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			e, err := p.NextEdge(ctx)
			cancel()
			if err != nil {
				break
			}
			at = append(at, e.At)
		}
		if diff := cmp.Diff([]time.Duration{4 * time.Second, 6 * time.Second}, at); diff != "" {
			t.Error(diff)
		}
	})
}

func TestPinFollowsItsDevice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, line := pin(t, gpio.BothEdges)
		high := false
		line.Follow(func(after time.Duration) (time.Duration, gpio.Level) {
			high = !high
			return after + 10*time.Millisecond, gpio.Level(high)
		})
		for i := range 4 {
			e, err := p.NextEdge(t.Context())
			want := bus.Edge{At: time.Duration(i+1) * 10 * time.Millisecond, Level: i%2 == 0}
			if err != nil || e != want {
				t.Errorf("got %+v, %v; want %+v", e, err, want)
			}
		}
		time.Sleep(5 * time.Millisecond)
		if l, err := p.Level(); err != nil || l {
			t.Errorf("level %v, %v", l, err)
		}
	})
}

func TestPinThatOverflowsSaysHowManyEdgesWereLost(t *testing.T) {
	p, line := pin(t, gpio.BothEdges)
	for i := range 1030 {
		line.Set(i%2 == 0)
	}
	if e, err := p.NextEdge(t.Context()); err != nil || e.Lost != 6 {
		t.Errorf("got %+v, %v", e, err)
	}
}

func TestPinHasOneUser(t *testing.T) {
	b, err := simbus.New(bus.Config{ID: "gpio", Type: bus.GPIO})
	if err != nil {
		t.Fatal(err)
	}
	p, err := b.Pins.Pin("GPIO4")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"4", "door", "GPIO-1"} {
		if _, err := b.Pins.Pin(name); fault.KindOf(err) != fault.Misconfigured {
			t.Errorf("pin %s: %v", name, err)
		}
	}
	if err := p.Halt(); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Pins.Pin("4"); err != nil {
		t.Errorf("after its halt: %v", err)
	}
}

func TestHaltAndBreakEndAWaitForAnEdge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, line := pin(t, gpio.BothEdges)
		ended := make(chan error)
		wait := func() {
			_, err := p.NextEdge(t.Context())
			ended <- err
		}
		go wait()
		synctest.Wait()
		line.Break(errors.New("unplugged"))
		if err := <-ended; fault.KindOf(err) != fault.Lost {
			t.Errorf("broken: %v", err)
		}
		line.Break(nil)
		go wait()
		synctest.Wait()
		if err := p.Halt(); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; err == nil {
			t.Error("an edge of a halted pin")
		}
	})
}
