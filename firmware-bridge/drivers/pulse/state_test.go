package pulse_test

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver/drivertest"
	"github.com/lamppost-city/lamppost/firmware-bridge/drivers/pulse"
	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
	"github.com/lamppost-city/lamppost/firmware-bridge/simbus"
)

func TestTotalGoesOnAfterARestartExactly(t *testing.T) {
	for _, every := range []time.Duration{time.Second, time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, every, meter())
			for i := range 5 {
				r.pulses(7, time.Second)
				r.read()
				r.pulses(3, time.Second) // not read before the end
				r.close()
				r.open()
				if got := r.read(); !near(got, 1234.5+float64(10*i+10)/1000) {
					t.Errorf("restart %d, every %s: %g", i, every, got)
				}
			}
			r.close()
		})
	}
}

// Pulses come at random distances, readings and power cuts between them: whatever is told never goes back, no more than a
// minute's pulses are missing after a cut, and the card is written once a minute at most.
func TestTotalNeverGoesBackOverPowerCuts(t *testing.T) {
	for _, every := range []time.Duration{time.Second, 10 * time.Second, time.Minute, 15 * time.Minute} {
		t.Run(every.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, every, map[string]any{"quantity": "energy_import", "unit": "kWh", "pulses_per_unit": 1})
				told, made, cuts := 0.0, 0, 0
				began := time.Now()
				writes := 0
				for round := range 16 {
					distance := time.Duration(1+round*7%13) * 300 * time.Millisecond
					for end := time.Now().Add(3*every + 90*time.Second); time.Now().Before(end); {
						r.pulses(1, distance)
						made++
						if time.Duration(made)*distance%every < distance {
							got := r.read()
							if got < told {
								t.Fatalf("round %d: %g after %g", round, got, told)
							}
							told = got
						}
					}
					writes += r.card.writes
					r.card.writes = 0
					if round%2 == 0 {
						r.cut()
						cuts++
					} else {
						r.close()
					}
					r.open()
					if got := r.read(); got < told {
						t.Fatalf("round %d, started again: %g after %g", round, got, told)
					}
				}
				minutes := time.Since(began).Minutes()
				if float64(writes) > minutes*60/55+2*16 { // and one at each start and end
					t.Errorf("%d writes in %.0f minutes", writes, minutes)
				}
				r.pulses(5000, 300*time.Millisecond) // let it come up to what it has promised
				made += 5000
				got := r.read()
				if short := float64(made) - got; short < 0 || short > float64(cuts*200+40) {
					t.Errorf("%g pulses of %d told after %d cuts", got, made, cuts)
				}
				r.close()
			})
		})
	}
}

func TestRainIsNeverCountedTwiceOverPowerCuts(t *testing.T) {
	for _, every := range []time.Duration{10 * time.Second, time.Minute, 10 * time.Minute} {
		t.Run(every.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, every, rain())
				sum, made, cuts := 0.0, 0, 0
				for round := range 30 {
					for i := range 40 {
						r.pulses(1, every/7+time.Second)
						made++
						if i%5 == 4 {
							sum += r.read()
						}
					}
					if round%3 == 0 {
						r.cut()
						cuts++
						r.open()
					}
					if told := math.Round(sum / 0.2); int(told) > made {
						t.Fatalf("round %d: %g tips told of %d", round, told, made)
					}
				}
				sum += r.read()
				// At a cut what came after the last reading or save is lost, here less than eight tips.
				if told := int(math.Round(sum / 0.2)); made-told > 8*cuts {
					t.Errorf("%d tips told of %d after %d cuts", told, made, cuts)
				}
				r.close()
			})
		})
	}
}

func TestTornStateIsNamedAndThenCountedAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, time.Minute, meter())
		r.pulses(3, time.Second)
		r.close()
		whole := r.card.bytes
		for cut := range whole {
			r.card = &card{bytes: whole[:cut]}
			r.open()
			if got, err := r.Read(t.Context()); fault.KindOf(err) != fault.Garbled || len(got) != 0 || !strings.Contains(fault.AdviceOf(err), "offset") {
				t.Fatalf("cut at %d: %v, %v", cut, got, err)
			}
			if got := r.read(); got != 1234.5 {
				t.Errorf("cut at %d: then %g", cut, got)
			}
			r.close()
		}
		for i := range whole {
			bad := append([]byte(nil), whole...)
			bad[i] ^= 0x10
			r.card = &card{bytes: bad}
			r.open()
			if _, err := r.Read(t.Context()); fault.KindOf(err) != fault.Garbled {
				t.Errorf("byte %d changed: %v", i, err)
			}
			r.close()
		}
	})
}

func TestCardThatTakesNothingIsNamedOnceAndCountingGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, time.Minute, meter())
		r.card.err = errors.New("read-only file system")
		named := 0
		for i := range 5 {
			r.pulses(4, time.Second)
			got, err := r.Read(t.Context())
			if err != nil {
				named++
			}
			if len(got) != 1 || !near(got[0].Value, 1234.5+float64(4*i+4)/1000) {
				t.Errorf("reading %d: %+v", i, got)
			}
			time.Sleep(time.Minute)
		}
		if named != 1 {
			t.Errorf("named %d times", named)
		}
		r.card.err = nil
		r.close()
		if r.open(); !near(r.read(), 1234.52) {
			t.Errorf("the card is well again, and the count is %g", r.read())
		}
		r.close()
	})
}

func FuzzState(f *testing.F) {
	f.Add([]byte(nil))
	f.Add([]byte("lpc1"))
	f.Fuzz(func(t *testing.T, state []byte) {
		synctest.Test(t, func(t *testing.T) {
			on, err := simbus.New(bus.Config{ID: "gpio", Type: bus.GPIO})
			if err != nil {
				t.Fatal(err)
			}
			options := meter()
			options["pin"] = "GPIO17"
			setup := drivertest.Setup(t, pulse.Driver(), on.Bus(), options)
			setup.State = &card{bytes: state}
			s, err := pulse.Driver().Open(t.Context(), setup)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			// Nothing but what a save wrote, and no state at all, is taken for a count.
			if _, err := s.Read(t.Context()); (fault.KindOf(err) == fault.Garbled) != (len(state) != 0 && !sound(state)) {
				t.Errorf("state %x: %v", state, err)
			}
		})
	})
}

func sound(state []byte) bool {
	return len(state) == 24 && string(state[:4]) == "lpc1" &&
		crc32.Checksum(state[:20], crc32.MakeTable(crc32.Castagnoli)) == binary.BigEndian.Uint32(state[20:])
}
