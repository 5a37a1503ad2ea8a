package dsmr_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/clock"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver/drivertest"
	"github.com/lamppost-city/lamppost/firmware-bridge/drivers/dsmr"
	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
	"github.com/lamppost-city/lamppost/firmware-bridge/simbus"
)

func telegram(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func line(t *testing.T) *simbus.Bus {
	t.Helper()
	on, err := simbus.New(bus.Config{ID: "serial", Type: bus.Serial})
	if err != nil {
		t.Fatal(err)
	}
	return on
}

// open opens a meter, and waits until it listens.
func open(t *testing.T, on *simbus.Bus) driver.Sensor {
	t.Helper()
	s := drivertest.Open(t, dsmr.Driver(), on.Bus(), nil)
	synctest.Wait()
	return s
}

// written writes measurements as lines.
func written(ms []driver.Measurement) []string {
	var lines []string
	for _, m := range ms {
		date := "-"
		if !m.Date.IsZero() {
			date = m.Date.UTC().Format(time.RFC3339)
		}
		name := m.Quantity
		if m.Channel != "" {
			name += "/" + m.Channel
		}
		lines = append(lines, fmt.Sprintf("%s %.6g %s", name, m.Value, date))
	}
	return lines
}

func TestTelegrams(t *testing.T) {
	for name, want := range map[string][]string{
		// At half past two in the night when summer time ends: the meter says W, the gas meter's reading is from before.
		"dsmr5.txt": {
			"energy_import/t1 1234.57 2026-10-25T01:30:15Z",
			"energy_import/t2 890.123 2026-10-25T01:30:15Z",
			"energy_export/t1 45.678 2026-10-25T01:30:15Z",
			"energy_export/t2 0.009 2026-10-25T01:30:15Z",
			"active_power -1500 2026-10-25T01:30:15Z",
			"voltage/L1 230.1 2026-10-25T01:30:15Z",
			"voltage/L2 231.2 2026-10-25T01:30:15Z",
			"voltage/L3 229.9 2026-10-25T01:30:15Z",
			"current/L1 1 2026-10-25T01:30:15Z",
			"current/L2 8 2026-10-25T01:30:15Z",
			"current/L3 0 2026-10-25T01:30:15Z",
			"active_power/L1 250 2026-10-25T01:30:15Z",
			"active_power/L2 -1850 2026-10-25T01:30:15Z",
			"active_power/L3 100 2026-10-25T01:30:15Z",
			"gas_volume/mbus1 987.654 2026-10-25T00:30:00Z",
			"water_volume/mbus2 123.456 2026-10-25T00:00:00Z",
			"heat_energy/mbus3 500 2026-10-25T00:00:00Z",
		},
		"dsmr2.txt": {
			"energy_import/t1 123.456 -",
			"energy_import/t2 234.567 -",
			"energy_export/t1 0 -",
			"energy_export/t2 0 -",
			"active_power 980 -",
			"gas_volume/mbus1 456.789 2026-07-01T09:00:00Z",
		},
		"emucs.txt": {
			"energy_import/t1 100.5 2026-07-01T12:05:10Z",
			"energy_import/t2 200.25 2026-07-01T12:05:10Z",
			"active_power 456 2026-07-01T12:05:10Z",
			"voltage/L1 235.5 2026-07-01T12:05:10Z",
			"gas_volume/mbus1 11.222 2026-07-01T12:00:00Z",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				on := line(t)
				s := open(t, on)
				all := telegram(t, name)
				on.Serial.Say(time.Second, all[:100])
				on.Serial.Say(1100*time.Millisecond, all[100:])
				got, err := s.Read(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, written(got)); diff != "" {
					t.Error(diff)
				}
				if at := got[0].At; at != clock.Instant(time.Second) {
					t.Errorf("it came in at %s", time.Duration(at))
				}
				on.Serial.Say(time.Second, all)
				got, err = s.Read(t.Context())
				if err != nil || len(got) == 0 {
					t.Fatalf("again: %v, %v", got, err)
				}
				for _, m := range got {
					if m.Channel == "mbus1" {
						t.Errorf("%s is told twice", m.Quantity)
					}
				}
			})
		})
	}
}

func TestChecksumsWithoutLeadingZerosAreRead(t *testing.T) {
	seen := map[int]bool{}
	for n := 0; len(seen) < 2; n++ {
		whole := dsmr.Telegram("/LMP5\\1", "", "1-3:0.2.8(50)", fmt.Sprintf("1-0:1.8.1(%010.3f*kWh)", float64(n)/1000))
		i := bytes.IndexByte(whole, '!') + 1
		sum := bytes.TrimLeft(whole[i:i+4], "0")
		if len(sum) == 4 {
			continue
		}
		seen[len(sum)] = true
		short := append(append(bytes.Clone(whole[:i]), sum...), "\r\n"...)
		if done, frame, err := dsmr.Split(short); err != nil || done != len(short) || !bytes.Equal(frame, short) {
			t.Errorf("%q: %d of %d bytes, %v", sum, done, len(short), err)
		}
		if _, frame, err := dsmr.Split(append(append(bytes.Clone(whole[:i]), "0"...), whole[i:]...)); err == nil || frame != nil {
			t.Errorf("five digits are read: %q", frame)
		}
	}
}

func TestReadTakesTheNewestTelegramAtOnceAndNoneTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		on := line(t)
		d := dsmr.Driver()
		if err := d.Simulate(drivertest.Setup(t, d, on.Bus(), nil), on); err != nil {
			t.Fatal(err)
		}
		s := open(t, on)
		time.Sleep(time.Minute + time.Millisecond)
		began := time.Now()
		got, err := s.Read(t.Context())
		if err != nil || len(got) == 0 || got[0].At != clock.Instant(time.Minute) || time.Since(began) != 0 {
			t.Fatalf("after %s: %v, %v", time.Since(began), got, err)
		}
		got, err = s.Read(t.Context())
		if err != nil || len(got) == 0 || got[0].At != clock.Instant(time.Minute+time.Second) {
			t.Errorf("the next: %v, %v", got, err)
		}
	})
}

func TestFaultsAndTheNextGoodTelegram(t *testing.T) {
	good := telegram(t, "dsmr5.txt")
	wrong := bytes.Replace(good, []byte("001234.567"), []byte("901234.567"), 1)
	old := telegram(t, "dsmr2.txt")
	for _, c := range []struct {
		name string
		say  []byte
		kind fault.Kind
	}{
		{"silence", nil, fault.Timeout},
		{"wrong baud rate", bytes.Repeat([]byte("\x00\xff\x81"), 99), fault.Garbled},
		{"a changed digit", wrong, fault.Garbled},
		{"a cut telegram", good[:400], fault.Garbled},
		{"a telegram whose checksum was cut off", append(bytes.Clone(good[:len(good)-6]), '\r', '\n'), fault.Garbled},
		{"no checksum, and a line that is none", bytes.Replace(old, []byte("1-0:2.8.1("), []byte("1-0:2.8;1["), 1), fault.Garbled},
		{"no checksum, and a number that is none", bytes.Replace(old, []byte("00123.456"), []byte("00l23.456"), 1), fault.Garbled},
		{"a telegram of nothing", []byte("/X\r\n\r\n!\r\n"), fault.Garbled},
		{"a telegram without an end", append([]byte("/"), bytes.Repeat([]byte("1-0:1.8.1(000001.000*kWh)\r\n"), 400)...), fault.Garbled},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				on := line(t)
				s := open(t, on)
				for i := 0; i < len(c.say); i += 1000 {
					on.Serial.Say(time.Second+time.Duration(i)*time.Millisecond/10, c.say[i:min(i+1000, len(c.say))])
				}
				if got, err := s.Read(t.Context()); fault.KindOf(err) != c.kind {
					t.Errorf("got %v, %v (%s)", got, err, fault.KindOf(err))
				}
				on.Serial.Say(time.Second, append(bytes.Clone(c.say[:min(len(c.say), 500)]), good...))
				time.Sleep(2 * time.Second)
				if got, err := s.Read(t.Context()); err != nil || len(got) != 17 {
					t.Errorf("the next good telegram: %v, %v", got, err)
				}
			})
		})
	}
}

// Whoever tries the meter once does not wait as long as the listener does.
func TestGarbageIsNotTakenForSilenceByAnImpatientReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		on := line(t)
		s := open(t, on)
		wrong := bytes.Replace(telegram(t, "dsmr5.txt"), []byte("001234.567"), []byte("901234.567"), 1)
		on.Serial.Talk(time.Second, func(time.Time) []byte { return wrong })
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if _, err := s.Read(ctx); fault.KindOf(err) != fault.Garbled || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v (%s)", err, fault.KindOf(err))
		}
	})
}

func TestReadEndsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, line(t))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := s.Read(ctx); fault.KindOf(err) != fault.Timeout {
			t.Errorf("got %v", err)
		}
	})
}

func TestPulledPlugIsLostAndComesBack(t *testing.T) {
	defer goleak.VerifyNone(t)
	synctest.Test(t, func(t *testing.T) {
		on := line(t)
		s := open(t, on)
		on.Serial.Unplug(true)
		for range 2 {
			if _, err := s.Read(t.Context()); fault.KindOf(err) != fault.Lost {
				t.Errorf("got %v", err)
			}
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		on.Serial.Unplug(false)
		s = open(t, on)
		on.Serial.Say(time.Second, telegram(t, "emucs.txt"))
		if got, err := s.Read(t.Context()); err != nil || len(got) != 5 {
			t.Errorf("plugged in again: %v, %v", got, err)
		}
	})
}

func TestImplausibleValueLeavesTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		on := line(t)
		s := open(t, on)
		on.Serial.Say(0, dsmr.Telegram("/X", "", "1-0:32.7.0(-0231.0*V)", "1-0:31.7.0(001*A)", "1-0:52.7.0(231*bar)"))
		if got, err := s.Read(t.Context()); fault.KindOf(err) != fault.Implausible || len(got) != 1 || got[0].Quantity != "current" {
			t.Errorf("got %v, %v", got, err)
		}
	})
}

func TestProbeListens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		on := line(t)
		d := dsmr.Driver()
		if found, err := d.Probe(t.Context(), on.Bus()); err != nil || len(found) != 0 {
			t.Errorf("a silent line: %v, %v", found, err)
		}
		on.Serial.Talk(10*time.Second, func(time.Time) []byte { return telegram(t, "emucs.txt") })
		if found, err := d.Probe(t.Context(), on.Bus()); err != nil || len(found) != 1 {
			t.Errorf("a meter: %v, %v", found, err)
		}
	})
}

func TestOptionsSayWhatIsWrong(t *testing.T) {
	for _, zone := range []string{"", "Europe/Atlantis", "../etc/passwd"} {
		if err := driver.Decode(dsmr.Driver().Options(), map[string]any{"zone": zone}); err == nil {
			t.Errorf("%q is a zone", zone)
		}
	}
}

func TestSimulated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { drivertest.Simulated(t, dsmr.Driver()) })
}

// Whatever comes before two good telegrams, in whatever pieces, one of them is found.
func FuzzSplit(f *testing.F) {
	good := dsmr.Telegram("/X", "", "1-3:0.2.8(50)", "1-0:1.8.1(000001.000*kWh)")
	f.Add([]byte("noise"), uint64(1))
	f.Add([]byte("/!/"), uint64(2))
	f.Add([]byte("/\r\n!ABCD\r\n!"), uint64(3))
	f.Add(good[:20], uint64(4))
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
				done, frame, _ := dsmr.Split(buffer)
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
			t.Errorf("after %q no good telegram is found", noise)
		}
	})
}

// Whatever a telegram with a right checksum says, what is read of it is in the catalogue's range.
func FuzzTelegram(f *testing.F) {
	for _, name := range []string{"dsmr5.txt", "dsmr2.txt", "emucs.txt"} {
		b := telegram(f, name)
		f.Add(b[:bytes.IndexByte(b, '!')])
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		synctest.Test(t, func(t *testing.T) {
			on := line(t)
			s := open(t, on)
			on.Serial.Say(0, dsmr.Telegram(string(text)))
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			got, _ := s.Read(ctx) // the good ones beside an error count
			for _, m := range got {
				if m.Quantity == "" || m.Value != m.Value || !m.Date.IsZero() && m.Date.Year() < 2019 {
					t.Errorf("%+v", m)
				}
			}
		})
	})
}
