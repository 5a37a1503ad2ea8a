package pulse_test

import (
	"errors"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"periph.io/x/conn/v3/gpio"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver/drivertest"
	"github.com/lamppost-city/lamppost/firmware-bridge/drivers/pulse"
	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
	"github.com/lamppost-city/lamppost/firmware-bridge/simbus"
)

// card is a state that counts its writes, and may refuse them.
type card struct {
	bytes  []byte
	writes int
	err    error
}

func (c *card) Load() ([]byte, error) { return c.bytes, nil }

func (c *card) Save(b []byte) error {
	if c.err != nil {
		return c.err
	}
	c.bytes, c.writes = append([]byte(nil), b...), c.writes+1
	return nil
}

// rig is a counter at a simulated pin, whose level falls for 40 ms at a pulse.
type rig struct {
	t       *testing.T
	on      *simbus.Bus
	line    *simbus.Pin
	card    *card
	clock   *drivertest.Clock
	every   time.Duration
	options map[string]any
	driver.Sensor
}

func newRig(t *testing.T, every time.Duration, options map[string]any) *rig {
	t.Helper()
	on, err := simbus.New(bus.Config{ID: "gpio", Type: bus.GPIO})
	if err != nil {
		t.Fatal(err)
	}
	options["pin"] = "GPIO17"
	r := &rig{t: t, on: on, line: on.Pins.Line("GPIO17"), card: &card{}, clock: &drivertest.Clock{Began: time.Now()}, every: every, options: options}
	r.line.Set(true)
	r.open()
	return r
}

func (r *rig) open() {
	r.t.Helper()
	setup := drivertest.Setup(r.t, pulse.Driver(), r.on.Bus(), r.options)
	setup.Every, setup.State, setup.Clock = r.every, r.card, r.clock
	s, err := pulse.Driver().Open(r.t.Context(), setup)
	if err != nil {
		r.t.Fatal(err)
	}
	r.Sensor = s
	synctest.Wait()
}

// cut takes the power away: what was saved by now is all that is left.
func (r *rig) cut() {
	r.t.Helper()
	left := r.card
	r.card = &card{bytes: left.bytes}
	r.close() // a dead process does not write any more
}

func (r *rig) close() {
	r.t.Helper()
	if err := r.Close(); err != nil {
		r.t.Fatal(err)
	}
}

// pulses come in at a distance; the first one after it.
func (r *rig) pulses(n int, distance time.Duration) {
	for range n {
		time.Sleep(distance - 40*time.Millisecond)
		r.line.Set(false)
		time.Sleep(40 * time.Millisecond)
		r.line.Set(true)
	}
	synctest.Wait()
}

func (r *rig) read() float64 {
	r.t.Helper()
	got, err := r.Read(r.t.Context())
	if err != nil || len(got) == 0 {
		r.t.Fatalf("got %v, %v", got, err)
	}
	return got[0].Value
}

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-9*max(1, math.Abs(b)) }

func meter() map[string]any {
	return map[string]any{"quantity": "energy_import", "unit": "kWh", "pulses_per_unit": 1000, "offset": 1234.5}
}

func rain() map[string]any {
	return map[string]any{"quantity": "precipitation", "factor": 0.2, "edge": "falling"}
}

func TestEnergyMetersTotalIsDatedWithItsLastPulse(t *testing.T) {
	defer goleak.VerifyNone(t)
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, time.Minute, meter())
		defer r.close()
		began := r.clock.Now()
		time.Sleep(time.Second)
		got, err := r.Read(t.Context())
		if err != nil || len(got) != 1 || got[0].Value != 1234.5 || got[0].At != began.Add(time.Second) {
			t.Errorf("before the first pulse: %+v, %v", got, err)
		}
		r.pulses(3, 10*time.Second)
		time.Sleep(5 * time.Second)
		got, err = r.Read(t.Context())
		if err != nil || len(got) != 1 || !near(got[0].Value, 1234.503) || got[0].At != began.Add(31*time.Second-40*time.Millisecond) {
			t.Errorf("three pulses: %+v, %v", got, err)
		}
		time.Sleep(time.Minute)
		got, err = r.Read(t.Context())
		if err != nil || !near(got[0].Value, 1234.503) || got[0].At != began.Add(96*time.Second) {
			t.Errorf("no more pulses: %+v, %v", got, err)
		}
	})
}

func TestCountsAreOfThePeriodSinceTheReadingBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, time.Minute, rain())
		defer r.close()
		r.pulses(2, time.Second)
		for i, want := range []float64{0.4, 0, 0.2} {
			if i == 2 {
				r.pulses(1, time.Second)
			}
			if got := r.read(); !near(got, want) {
				t.Errorf("period %d: %g mm, want %g", i, got, want)
			}
			time.Sleep(time.Minute)
		}
	})
}

func TestPowerComesFromTheTimeBetweenPulses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		options := meter()
		options["rate"] = map[string]any{"quantity": "active_power", "unit": "kW"}
		r := newRig(t, 10*time.Second, options)
		defer r.close()
		power := func() (watts float64, known bool) {
			got, err := r.Read(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if len(got) < 2 {
				return 0, false
			}
			return got[1].Value, true
		}
		r.pulses(1, time.Second)
		if w, known := power(); known {
			t.Errorf("one pulse is %g W", w)
		}
		r.pulses(5, 2*time.Second) // 1 Wh in 2 s
		if w, _ := power(); !near(w, 1800) {
			t.Errorf("a pulse in 2 s is %g W", w)
		}
		time.Sleep(time.Second)
		if w, _ := power(); !near(w, 1800) {
			t.Errorf("before the next pulse is due: %g W", w)
		}
		time.Sleep(36*time.Second - time.Second - 40*time.Millisecond + 40*time.Millisecond)
		if w, _ := power(); w > 101 || w < 99 {
			t.Errorf("no pulse for 36 s: %g W, want at most 100", w)
		}
		time.Sleep(time.Hour)
		if w, known := power(); w != 0 || !known {
			t.Errorf("no pulse for an hour: %g W", w)
		}
	})
}

func TestLevelComesFromPulsesPerSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 10*time.Second, map[string]any{"quantity": "wind_speed", "unit": "km/h", "factor": 2.4})
		defer r.close()
		r.pulses(50, 200*time.Millisecond) // 5 Hz
		if got := r.read(); !near(got, 12/3.6) {
			t.Errorf("5 Hz are %g m/s", got)
		}
		if time.Sleep(time.Hour); r.card.writes != 0 {
			t.Errorf("%d writes for what is no count", r.card.writes)
		}
	})
}

func TestNoiseIsBoundedAndNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		options := meter()
		options["debounce"] = "0s"
		r := newRig(t, time.Minute, options)
		defer r.close()
		high := true
		r.line.Follow(func(after time.Duration) (time.Duration, gpio.Level) { // 500 Hz
			high = !high
			return after + time.Millisecond, gpio.Level(high)
		})
		time.Sleep(10 * time.Second)
		r.line.Follow(func(after time.Duration) (time.Duration, gpio.Level) { return after + 24*time.Hour, true })
		got, err := r.Read(t.Context())
		if fault.KindOf(err) != fault.Garbled || len(got) != 1 {
			t.Fatalf("got %v, %v", got, err)
		}
		if pulses := (got[0].Value - 1234.5) * 1000; pulses > 225 {
			t.Errorf("%g pulses in ten seconds, at most 20 a second are allowed", pulses)
		}
		before := got[0].Value
		time.Sleep(5 * time.Second)
		r.line.Set(true)
		r.pulses(5, time.Second)
		time.Sleep(time.Minute)
		if got := r.read(); got-before < 0.005-1e-9 || got-before > 0.007 {
			t.Errorf("five good pulses after the noise made %g kWh", got-before)
		}
	})
}

func TestPinThatFailsIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, time.Minute, meter())
		r.line.Break(errors.New("unplugged"))
		synctest.Wait()
		if _, err := r.Read(t.Context()); fault.KindOf(err) != fault.Lost {
			t.Errorf("got %v", err)
		}
		r.close()
		r.line.Break(nil)
		r.open()
		r.pulses(1, time.Second)
		if got := r.read(); !near(got, 1234.501) {
			t.Errorf("after it came back: %g", got)
		}
		r.close()
	})
}

func TestSecondCounterAtAPinIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, time.Minute, meter())
		defer r.close()
		if err := drivertest.OpenError(t, pulse.Driver(), r.on.Bus(), r.options); fault.KindOf(err) != fault.Misconfigured {
			t.Errorf("got %v", err)
		}
	})
}

func TestOptionsSayWhatIsWrong(t *testing.T) {
	for _, c := range []struct {
		key, value string
	}{
		{"pin", ""},
		{"edge", "both"},
		{"pull", "sideways"},
		{"debounce", "2s"},
		{"max_rate", "0"},
		{"max_rate", "1e9"},
		{"pulses_per_unit", "-1"},
		{"pulses_per_unit", "NaN"},
		{"quantity", "door"},
		{"quantity", "watts"},
		{"unit", "mm"},
	} {
		options := map[string]any{"pin": "17", "quantity": "energy_import"}
		options[c.key] = c.value
		if err := driver.Decode(pulse.Driver().Options(), options); err == nil || !strings.Contains(err.Error(), c.key+":") {
			t.Errorf("%s %q: %v", c.key, c.value, err)
		}
	}
	for _, rate := range []string{"energy_import", "nothing"} {
		options := map[string]any{"pin": "17", "quantity": "energy_import", "rate": map[string]any{"quantity": rate}}
		if err := driver.Decode(pulse.Driver().Options(), options); err == nil || !strings.Contains(err.Error(), "rate:") {
			t.Errorf("rate %s: %v", rate, err)
		}
	}
	both := map[string]any{"pin": "17", "quantity": "energy_import", "factor": 2, "pulses_per_unit": 1000}
	if err := driver.Decode(pulse.Driver().Options(), both); err == nil {
		t.Error("factor and pulses_per_unit stand beside each other")
	}
}

func TestSimulated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { drivertest.Simulated(t, pulse.Driver()) })
}
