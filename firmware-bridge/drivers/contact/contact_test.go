package contact_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"periph.io/x/conn/v3/gpio"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/clock"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver/drivertest"
	"github.com/lamppost-city/lamppost/firmware-bridge/drivers/contact"
	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
	"github.com/lamppost-city/lamppost/firmware-bridge/simbus"
)

// rig is a contact that is listened to. heard may be looked at after synctest.Wait.
type rig struct {
	driver.Sensor
	line  *simbus.Pin
	heard []driver.Measurement
	wrong error // with what was heard last
	ended chan error
	stop  context.CancelFunc
}

func newRig(t *testing.T, options map[string]any) *rig {
	t.Helper()
	on, err := simbus.New(bus.Config{ID: "gpio", Type: bus.GPIO})
	if err != nil {
		t.Fatal(err)
	}
	options["pin"] = "GPIO27"
	r := &rig{line: on.Pins.Line("GPIO27"), ended: make(chan error, 1)}
	r.Sensor = drivertest.Open(t, contact.Driver(), on.Bus(), options)
	ctx, stop := context.WithCancel(t.Context())
	r.stop = stop
	go func() {
		r.ended <- r.Sensor.(driver.Listener).Listen(ctx, func(ms []driver.Measurement, err error) { r.heard, r.wrong = append(r.heard, ms...), err })
	}()
	synctest.Wait()
	return r
}

func (r *rig) end(t *testing.T) {
	t.Helper()
	r.stop()
	if err := <-r.ended; err != nil {
		t.Error(err)
	}
}

func (r *rig) state(t *testing.T) float64 {
	t.Helper()
	got, err := r.Read(t.Context())
	if err != nil || len(got) != 1 {
		t.Fatalf("got %v, %v", got, err)
	}
	return got[0].Value
}

func TestChangesAreDatedWithTheirFirstEdge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, map[string]any{"quantity": "door", "channel": "rear"})
		if r.state(t) != 0 {
			t.Error("the door is open")
		}
		time.Sleep(time.Second)
		for range 4 { // it bounces
			r.line.Set(gpio.High)
			time.Sleep(2 * time.Millisecond)
			r.line.Set(gpio.Low)
			time.Sleep(2 * time.Millisecond)
		}
		r.line.Set(gpio.High)
		time.Sleep(20 * time.Millisecond)
		if r.state(t) != 0 {
			t.Error("the state changes before it stays")
		}
		time.Sleep(5 * time.Second)
		if r.state(t) != 1 {
			t.Error("the door is closed")
		}
		r.line.Set(gpio.Low)
		time.Sleep(time.Second)
		r.end(t)
		want := []driver.Measurement{
			{Quantity: "door", Channel: "rear", Value: 1, At: clock.Instant(time.Second)},
			{Quantity: "door", Channel: "rear", Value: 0, At: clock.Instant(6036 * time.Millisecond)},
		}
		if diff := cmp.Diff(want, r.heard); diff != "" {
			t.Error(diff)
		}
	})
}

func TestInvertedContact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, map[string]any{"quantity": "flood", "inverted": true})
		defer r.end(t)
		if r.state(t) != 1 {
			t.Error("a float that pulls the pin down is flooded")
		}
		r.line.Set(gpio.High)
		time.Sleep(time.Second)
		if r.state(t) != 0 {
			t.Error("a float that lets go is dry")
		}
	})
}

func TestLooseContactIsBoundedAndNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, map[string]any{"quantity": "tamper", "debounce": "10ms", "max_changes": 60})
		defer r.end(t)
		for i := range 3000 { // ten minutes
			r.line.Set(i%2 == 0)
			time.Sleep(200 * time.Millisecond)
			synctest.Wait()
			if i > 50 && fault.KindOf(r.wrong) != fault.Garbled {
				t.Fatalf("after %d changes what is heard has the fault %v beside it", i, r.wrong)
			}
		}
		if n := len(r.heard); n < 590 || n > 610 {
			t.Errorf("%d changes in ten minutes, 60 a minute are allowed", n)
		}
		got, err := r.Read(t.Context())
		if fault.KindOf(err) != fault.Garbled || len(got) != 1 || got[0].Value != 0 {
			t.Errorf("got %v, %v", got, err)
		}
		time.Sleep(time.Minute)
		before := len(r.heard)
		r.line.Set(gpio.High)
		time.Sleep(time.Second)
		synctest.Wait()
		if r.state(t) != 1 || len(r.heard) != before+1 || r.wrong != nil {
			t.Error("the first good change after the noise is not heard")
		}
	})
}

func TestPinThatFailsIsLostAndComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, map[string]any{"quantity": "door"})
		r.line.Break(errors.New("unplugged"))
		if err := <-r.ended; fault.KindOf(err) != fault.Lost {
			t.Errorf("listening ended with %v", err)
		}
		if _, err := r.Read(t.Context()); fault.KindOf(err) != fault.Lost {
			t.Errorf("reading: %v", err)
		}
		r.line.Break(nil)
		if r.state(t) != 0 {
			t.Error("the door is open")
		}
	})
}

func TestTwoContactsAtOnePinAreRefused(t *testing.T) {
	on, err := simbus.New(bus.Config{ID: "gpio", Type: bus.GPIO})
	if err != nil {
		t.Fatal(err)
	}
	options := map[string]any{"pin": "27", "quantity": "door"}
	drivertest.Open(t, contact.Driver(), on.Bus(), options)
	if err := drivertest.OpenError(t, contact.Driver(), on.Bus(), options); fault.KindOf(err) != fault.Misconfigured {
		t.Errorf("got %v", err)
	}
}

func TestOptionsSayWhatIsWrong(t *testing.T) {
	for key, value := range map[string]any{
		"pin": "", "pull": "left", "debounce": "1m", "quantity": "temperature", "channel": "a b", "max_changes": 0,
	} {
		options := map[string]any{"pin": "27", "quantity": "door"}
		options[key] = value
		if err := driver.Decode(contact.Driver().Options(), options); err == nil || !strings.Contains(err.Error(), key+":") {
			t.Errorf("%s %q: %v", key, value, err)
		}
	}
}

func TestSimulated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { drivertest.Simulated(t, contact.Driver()) })
}
