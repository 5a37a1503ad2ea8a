package sds011_test

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/clock"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver/drivertest"
	"github.com/lamppost-city/lamppost/firmware-bridge/drivers/sds011"
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

// simulated is a line with the driver's own simulation on it.
func simulated(t *testing.T) *simbus.Bus {
	t.Helper()
	on := line(t)
	d := sds011.Driver()
	if err := d.Simulate(drivertest.Setup(t, d, on.Bus(), nil), on); err != nil {
		t.Fatal(err)
	}
	return on
}

func TestReadsAFrameOfADeafSensor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		on := line(t)
		// By hand after the specification: PM2.5 is 0x04d4 / 10, PM10 0x063a / 10, the id 0xa160, the sum of those six.
		frame := []byte{0xaa, 0xc0, 0xd4, 0x04, 0x3a, 0x06, 0xa1, 0x60, 0x19, 0xab}
		s := drivertest.Open(t, sds011.Driver(), on.Bus(), nil)
		if got := on.Serial.Mode().String(); got != "9600 8N1" {
			t.Errorf("the line is %s", got)
		}
		on.Serial.Say(0, sds011.Frame(1, 1)) // stale
		time.Sleep(time.Second)
		on.Serial.Say(400*time.Millisecond, frame)
		got, err := s.Read(t.Context())
		if err != nil || len(got) != 2 || got[0].At == 0 {
			t.Fatalf("got %v, %v", got, err)
		}
		for i := range got {
			got[i].At = 0
		}
		want := []driver.Measurement{{Quantity: "pm25", Value: 123.6}, {Quantity: "pm10", Value: 159.4}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestSettingsAreWrittenOnlyWhenTheyDiffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		on := line(t)
		settings := map[byte]byte{2: 1, 8: 5} // it reports when asked, every five minutes
		var written []byte
		on.Serial.Answer(func(heard []byte, say simbus.Say) {
			if heard[3] == 1 {
				settings[heard[2]] = heard[4]
				written = append(written, heard[2])
			}
			answer := []byte{0xaa, 0xc5, heard[2], heard[3], settings[heard[2]], 0, 1, 2, 0, 0xab}
			for _, b := range answer[2:8] {
				answer[8] += b
			}
			say(time.Millisecond, append(sds011.Frame(1, 2), answer...)) // data come in between
		})
		for _, want := range [][]byte{{6, 2, 8}, {6}} {
			written = nil
			s, err := sds011.Driver().Open(t.Context(), drivertest.Setup(t, sds011.Driver(), on.Bus(), nil))
			if err != nil {
				t.Fatal(err)
			}
			s.Close()
			if diff := cmp.Diff(want, written); diff != "" {
				t.Error(diff)
			}
		}
	})
}

func TestSensorWithAPeriodIsListenedTo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		on := simulated(t)
		d := sds011.Driver()
		setup := drivertest.Setup(t, d, on.Bus(), map[string]any{"period": "5m"})
		setup.Every = 5 * time.Minute
		s, err := d.Open(t.Context(), setup)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		var heard []clock.Instant
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			ended <- s.(driver.Listener).Listen(ctx, func(ms []driver.Measurement, _ error) { heard = append(heard, ms[0].At) })
		}()
		time.Sleep(16 * time.Minute)
		synctest.Wait()
		if got, err := s.Read(t.Context()); err != nil || len(got) != 0 {
			t.Errorf("got %v, %v", got, err)
		}
		if len(heard) != 3 || heard[2].Sub(heard[1]) != 5*time.Minute {
			t.Errorf("heard at %v", heard)
		}
		on.Serial.Garble(func([]byte) []byte { return []byte("noise") })
		time.Sleep(12 * time.Minute)
		synctest.Wait()
		if _, err := s.Read(t.Context()); fault.KindOf(err) != fault.Timeout {
			t.Errorf("noise for two periods: %v", err)
		}
		on.Serial.Garble(nil)
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if _, err := s.Read(t.Context()); err != nil || len(heard) != 4 {
			t.Errorf("good again: %v, heard at %v", err, heard)
		}
		on.Serial.Say(time.Second, sds011.Frame(5, 6000))
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if _, err := s.Read(t.Context()); fault.KindOf(err) != fault.Implausible || len(heard) != 5 {
			t.Errorf("one value beyond the range: %v, heard at %v", err, heard)
		}
		on.Serial.Unplug(true)
		if err := <-ended; fault.KindOf(err) != fault.Lost {
			t.Errorf("pulled: %v", err)
		}
		cancel()
	})
}

func TestListeningEndsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := sds011.Driver()
		setup := drivertest.Setup(t, d, simulated(t).Bus(), map[string]any{"period": "1m"})
		setup.Every = time.Minute
		s, err := d.Open(t.Context(), setup)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := s.(driver.Listener).Listen(ctx, func([]driver.Measurement, error) {}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

func TestPeriodNeedsASensorThatAnswersAndIsReadLessOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := sds011.Driver()
		setup := drivertest.Setup(t, d, line(t).Bus(), map[string]any{"period": "1m"})
		if _, err := d.Open(t.Context(), setup); fault.KindOf(err) != fault.Misconfigured {
			t.Errorf("read every second: %v", err)
		}
		setup.Every = time.Hour
		if _, err := d.Open(t.Context(), setup); fault.KindOf(err) != fault.Timeout || fault.AdviceOf(err) == "" {
			t.Errorf("a deaf sensor: %v", err)
		}
	})
}

func TestFaultsAndTheNextGoodFrame(t *testing.T) {
	good := sds011.Frame(12.3, 45.6)
	wrong := bytes.Clone(good)
	wrong[3]++
	for _, c := range []struct {
		name string
		say  []byte
		kind fault.Kind
	}{
		{"silence", nil, fault.Timeout},
		{"noise", []byte("\xaa\xaa\x00noise"), fault.Garbled},
		{"half a frame", good[:7], fault.Garbled},
		{"a wrong sum", wrong, fault.Garbled},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				on := line(t)
				s := drivertest.Open(t, sds011.Driver(), on.Bus(), nil)
				on.Serial.Say(time.Second, c.say)
				if got, err := s.Read(t.Context()); fault.KindOf(err) != c.kind {
					t.Errorf("got %v, %v (%s)", got, err, fault.KindOf(err))
				}
				on.Serial.Say(time.Second, append(bytes.Clone(c.say), good...))
				on.Serial.Say(1100*time.Millisecond, good)
				if got, err := s.Read(t.Context()); err != nil || len(got) != 2 || got[1].Value != 45.6 {
					t.Errorf("the next good frame: %v, %v", got, err)
				}
			})
		})
	}
}

func TestProbeListens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := sds011.Driver()
		if found, err := d.Probe(t.Context(), line(t).Bus()); err != nil || len(found) != 0 {
			t.Errorf("a silent line: %v, %v", found, err)
		}
		if found, err := d.Probe(t.Context(), simulated(t).Bus()); err != nil || len(found) != 1 {
			t.Errorf("a sensor: %v, %v", found, err)
		}
	})
}

func TestOptionsSayWhatIsWrong(t *testing.T) {
	for _, period := range []string{"90s", "31m", "-1m"} {
		if err := driver.Decode(sds011.Driver().Options(), map[string]any{"period": period}); err == nil {
			t.Errorf("%s is a period", period)
		}
	}
}

func TestSimulated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { drivertest.Simulated(t, sds011.Driver()) })
}

func FuzzSplit(f *testing.F) {
	good := sds011.Frame(1, 2)
	f.Add([]byte("noise"), uint64(1))
	f.Add(good[:6], uint64(2))
	f.Add([]byte{0xaa, 0xc0, 0xaa, 0xc5}, uint64(3))
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
				done, frame, _ := sds011.Split(buffer)
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
