package pms5003_test

import (
	"bytes"
	"encoding/hex"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/clock"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver/drivertest"
	"github.com/lamppost-city/lamppost/firmware-bridge/drivers/pms5003"
	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
	"github.com/lamppost-city/lamppost/firmware-bridge/simbus"
)

func line(t *testing.T) *simbus.Bus {
	t.Helper()
	on, err := simbus.New(bus.Config{ID: "serial", Type: bus.Serial})
	if err != nil {
		t.Fatal(err)
	}
	return on
}

// A frame by hand after the manual: 28 bytes, CF=1 values 5 8 9, atmospheric ones 4 7 10, six counts, version, sum.
const byHand = "424d001c" + "000500080009" + "00040007000a" + "03840128002c000800020001" + "9700" + "0254"

func TestReadsTheAtmosphericValuesOfAFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		on := line(t)
		frame, err := hex.DecodeString(byHand)
		if err != nil {
			t.Fatal(err)
		}
		on.Serial.Talk(time.Second, func(time.Time) []byte { return frame })
		s := drivertest.Open(t, pms5003.Driver(), on.Bus(), nil)
		if got := on.Serial.Mode().String(); got != "9600 8N1" {
			t.Errorf("the line is %s", got)
		}
		time.Sleep(1500 * time.Millisecond)
		at := clock.Instant(2 * time.Second) // the one before was stale
		want := []driver.Measurement{
			{Quantity: "pm1", Value: 4, At: at}, {Quantity: "pm25", Value: 7, At: at}, {Quantity: "pm10", Value: 10, At: at},
		}
		got, err := s.Read(t.Context())
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%v\n%s", err, diff)
		}
	})
}

func TestPassiveSensorIsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		on := line(t)
		var heard []string
		deaf := 4 // the first commands get lost
		on.Serial.Answer(func(b []byte, say simbus.Say) {
			heard = append(heard, hex.EncodeToString(b))
			if deaf--; deaf >= 0 {
				return
			}
			switch b[2] {
			case 0xe1:
				say(10*time.Millisecond, []byte{0x42, 0x4d, 0, 4, 0xe1, b[4], 0x01, 0x74 + b[4]})
			case 0xe2:
				say(20*time.Millisecond, pms5003.Frame(1, 2, 3))
			}
		})
		s := drivertest.Open(t, pms5003.Driver(), on.Bus(), map[string]any{"mode": "passive"})
		if diff := cmp.Diff([]string{"424de100000170", "424de200000171", "424de100000170", "424de200000171", "424de100000170", "424de200000171"}, heard); diff != "" {
			t.Error(diff)
		}
		began := time.Now()
		if got, err := s.Read(t.Context()); err != nil || len(got) != 3 || got[1].Value != 2 || time.Since(began) > 100*time.Millisecond {
			t.Errorf("after %s: %v, %v", time.Since(began), got, err)
		}
	})
}

func TestFaultsAndTheNextGoodFrame(t *testing.T) {
	good := pms5003.Frame(11, 22, 33)
	wrong := bytes.Clone(good)
	wrong[9] ^= 4
	for _, c := range []struct {
		name string
		say  []byte
		kind fault.Kind
	}{
		{"silence", nil, fault.Timeout},
		{"noise", []byte("\x00\xff\x42\x42\x42noise"), fault.Garbled},
		{"half a frame", good[:17], fault.Garbled},
		{"a wrong sum", wrong, fault.Garbled},
		{"a length that is none", []byte("\x42\x4d\xff\xff\x42\x4d"), fault.Garbled},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				on := line(t)
				s := drivertest.Open(t, pms5003.Driver(), on.Bus(), nil)
				on.Serial.Say(time.Second, c.say)
				if got, err := s.Read(t.Context()); fault.KindOf(err) != c.kind {
					t.Errorf("got %v, %v (%s)", got, err, fault.KindOf(err))
				}
				on.Serial.Say(time.Second, append(bytes.Clone(c.say), good...))
				if got, err := s.Read(t.Context()); err != nil || len(got) != 3 || got[2].Value != 33 {
					t.Errorf("the next good frame: %v, %v", got, err)
				}
			})
		})
	}
}

func TestImplausibleValueLeavesTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		on := line(t)
		s := drivertest.Open(t, pms5003.Driver(), on.Bus(), nil)
		on.Serial.Say(time.Second, pms5003.Frame(10, 20, 65000))
		if got, err := s.Read(t.Context()); fault.KindOf(err) != fault.Implausible || len(got) != 2 {
			t.Errorf("got %v, %v", got, err)
		}
	})
}

func TestPulledPlugIsLostAndComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		on := line(t)
		d := pms5003.Driver()
		setup := drivertest.Setup(t, d, on.Bus(), nil)
		if err := d.Simulate(setup, on); err != nil {
			t.Fatal(err)
		}
		s, err := d.Open(t.Context(), setup)
		if err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(500*time.Millisecond, func() { on.Serial.Unplug(true) })
		if _, err := s.Read(t.Context()); fault.KindOf(err) != fault.Lost {
			t.Errorf("pulled: %v", err)
		}
		s.Close()
		if err := drivertest.OpenError(t, d, on.Bus(), nil); fault.KindOf(err) != fault.Lost {
			t.Errorf("opened without a plug: %v", err)
		}
		on.Serial.Unplug(false)
		if got, err := drivertest.Open(t, d, on.Bus(), nil).Read(t.Context()); err != nil || len(got) != 3 {
			t.Errorf("plugged in again: %v, %v", got, err)
		}
	})
}

func TestProbeListens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		on := line(t)
		d := pms5003.Driver()
		if found, err := d.Probe(t.Context(), on.Bus()); err != nil || len(found) != 0 {
			t.Errorf("a silent line: %v, %v", found, err)
		}
		if err := d.Simulate(drivertest.Setup(t, d, on.Bus(), nil), on); err != nil {
			t.Fatal(err)
		}
		if found, err := d.Probe(t.Context(), on.Bus()); err != nil || len(found) != 1 {
			t.Errorf("a sensor: %v, %v", found, err)
		}
	})
}

func TestOptionsSayWhatIsWrong(t *testing.T) {
	if err := driver.Decode(pms5003.Driver().Options(), map[string]any{"mode": "sleepy"}); err == nil {
		t.Error("sleepy is a mode")
	}
}

func TestSimulated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { drivertest.Simulated(t, pms5003.Driver()) })
}

// Whatever comes before a good frame, in whatever pieces: the splitter gets over it, and finds the frame after at most one more.
func FuzzSplit(f *testing.F) {
	good := pms5003.Frame(1, 2, 3)
	f.Add([]byte("noise"), uint64(1))
	f.Add(good[:20], uint64(2))
	f.Add([]byte("\x42\x4d\x00\x1c\x42\x4d"), uint64(3))
	f.Fuzz(func(t *testing.T, noise []byte, seed uint64) {
		all := append(bytes.Clone(noise), good...)
		all = append(all, good...)
		random := rand.New(rand.NewPCG(seed, 0))
		var buffer []byte
		found := false
		for len(all) > 0 {
			n := 1 + random.IntN(len(all))
			buffer, all = append(buffer, all[:n]...), all[n:]
			for {
				done, frame, _ := pms5003.Split(buffer)
				if done < 0 || done > len(buffer) || frame != nil && done == 0 {
					t.Fatalf("done with %d of %d bytes", done, len(buffer))
				}
				found = found || bytes.Equal(frame, good)
				if done == 0 {
					break
				}
				buffer = buffer[done:]
			}
		}
		if !found {
			t.Errorf("after %x no good frame is found", noise)
		}
	})
}
