package nmea_test

import (
	"bytes"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/clock"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver/drivertest"
	"github.com/lamppost-city/lamppost/firmware-bridge/drivers/nmea"
	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
	"github.com/lamppost-city/lamppost/firmware-bridge/simbus"
)

// told is what the clock was told.
type told struct {
	Date   time.Time
	At     clock.Instant
	Within time.Duration
}

// listener is a clock that remembers.
type listener struct {
	began time.Time
	told  []told
}

func (l *listener) Now() clock.Instant { return clock.Instant(time.Since(l.began)) }

func (l *listener) Tell(date time.Time, at clock.Instant, within time.Duration) {
	l.told = append(l.told, told{date, at, within})
}

// rig is an open receiver on a simulated line.
type rig struct {
	driver.Sensor
	line  *simbus.SerialLine
	clock *listener
}

func newRig(t *testing.T, options map[string]any) *rig {
	t.Helper()
	on, err := simbus.New(bus.Config{ID: "serial", Type: bus.Serial})
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{line: on.Serial, clock: &listener{began: time.Now()}}
	setup := drivertest.Setup(t, nmea.Driver(), on.Bus(), options)
	setup.Clock = r.clock
	if r.Sensor, err = nmea.Driver().Open(t.Context(), setup); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func burst(texts ...string) []byte {
	var all []byte
	for _, text := range texts {
		all = append(all, nmea.Sentence(text)...)
	}
	return all
}

const (
	rmc    = "GNRMC,101530.25,A,5205.4410,S,00507.2830,W,0.02,,010726,,,A,V"
	gga    = "GNGGA,101530.25,5205.4410,S,00507.2830,W,2,11,0.85,31.5,M,46.1,M,,"
	void   = "GPRMC,101530.25,V,,,,,,,010726,,,N"
	nofix  = "GPGGA,101530.25,,,,,0,03,99.99,,,,,,"
	others = "GPGSV,1,1,01,05,60,180,42"
)

// values are by quantity, rounded to what the sentences have.
func values(ms []driver.Measurement) map[string]float64 {
	all := make(map[string]float64)
	for _, m := range ms {
		all[m.Quantity] = math.Round(m.Value*1e7) / 1e7
	}
	return all
}

func TestPositionAndTimeOfAMoment(t *testing.T) {
	want := map[string]float64{"latitude": -52.0906833, "longitude": -5.1213833, "altitude": 31.5, "satellites": 11, "hdop": 0.85}
	date := time.Date(2026, 7, 1, 10, 15, 30, 250e6, time.UTC)
	for _, c := range []struct {
		name  string
		first string
		then  []string
	}{
		{"RMC first", rmc, []string{others, gga}},
		{"GGA first", gga, []string{"PMTK001,314,3", rmc}},
		{"ZDA for RMC", gga, []string{"GPZDA,101530.25,01,07,2026,00,00"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, map[string]any{"time_within": "400ms"})
				r.line.Say(time.Second, burst(c.first))
				r.line.Say(1500*time.Millisecond, burst(c.then...))
				got, err := r.Read(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, values(got)); diff != "" {
					t.Error(diff)
				}
				at := clock.Instant(time.Second) // of the first sentence, not the last
				for _, m := range got {
					if m.At != at || !m.Date.Equal(date) {
						t.Errorf("%s is of %s, at %d", m.Quantity, m.Date, m.At)
					}
				}
				if diff := cmp.Diff([]told{{date.Add(200 * time.Millisecond), at, 200 * time.Millisecond}}, r.clock.told); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

func TestReceiverThatIsHeardFromTheMiddleOfABurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.line.Say(0, burst(others))
		r.line.Say(100*time.Millisecond, append([]byte("30.2,A,5205.44*7F\r\n"), burst("GPGGA,101529.25,5205.4410,N,00507.2830,E,1,09,0.9,31.5,M,46.1,M,,")...))
		r.line.Say(time.Second, burst(rmc, gga))
		got, err := r.Read(t.Context())
		if err != nil || values(got)["latitude"] > 0 || got[0].At != clock.Instant(time.Second) {
			t.Errorf("got %v, %v", got, err)
		}
	})
}

func TestReceiverWithOneSentenceOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.line.Talk(time.Second, func(at time.Time) []byte {
			return burst("GPRMC," + at.Format("150405") + ",A,5205.4410,N,00507.2830,E,0.02,,010726,,,A")
		})
		if got, err := r.Read(t.Context()); err != nil || len(got) != 2 || got[0].Date.IsZero() {
			t.Errorf("got %v, %v", got, err)
		}
	})
}

func TestWhatHasNoFixIsNotTold(t *testing.T) {
	for _, c := range []struct {
		name  string
		texts []string
	}{
		{"void", []string{void, nofix}},
		{"void without a time", []string{"GPRMC,,V,,,,,,,,,,N", "GPGGA,,,,,,0,00,99.99,,,,,,"}},
		{"RMC alone", []string{"GPRMC,,V,,,,,,,,,,N"}},
		{"estimated", []string{strings.Replace(rmc, ",A,V", ",E,V", 1), strings.Replace(gga, ",W,2,", ",W,6,", 1)}},
		{"simulated", []string{strings.Replace(rmc, ",A,V", ",S,V", 1), strings.Replace(gga, ",W,2,", ",W,8,", 1)}},
		{"a place that is none", []string{strings.Replace(rmc, "5205.4410", "9205.4410", 1), strings.Replace(gga, "5205.4410", "5299.4410", 1)}},
		{"the time alone", []string{"GPZDA,101530.25,01,07,2026,00,00", nofix}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, nil)
				r.line.Say(time.Second, burst(c.texts...))
				got, err := r.Read(t.Context())
				_, placed := values(got)["latitude"]
				if fault.KindOf(err) != fault.Refused || placed || len(r.clock.told) != 0 {
					t.Errorf("got %v, %v; told %v", got, err, r.clock.told)
				}
			})
		})
	}
}

func TestDatesOfReceiversWhoseWeeksRanOverAreRefused(t *testing.T) {
	for _, date := range []string{"151106", "060180", "311223", "320726", "011326"} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, nil)
			r.line.Say(time.Second, burst(strings.Replace(rmc, "010726", date, 1), gga))
			got, err := r.Read(t.Context())
			if len(r.clock.told) != 0 || len(got) != 5 || !got[0].Date.IsZero() {
				t.Errorf("%s: got %v, %v; told %v", date, got, err, r.clock.told)
			}
			if nonsense := date[:2] == "32" || date[2:4] == "13"; !nonsense && fault.KindOf(err) != fault.Implausible {
				t.Errorf("%s: %v", date, err)
			}
		})
	}
}

func TestClockIsNotToldWhereThatIsNotWanted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, map[string]any{"tell_time": false})
		r.line.Say(time.Second, burst(rmc, gga))
		if got, err := r.Read(t.Context()); err != nil || len(got) != 5 || len(r.clock.told) != 0 {
			t.Errorf("got %v, %v; told %v", got, err, r.clock.told)
		}
	})
}

func TestFaultsAndTheNextGoodMoment(t *testing.T) {
	wrong := bytes.Replace(burst(rmc, gga), []byte("5205"), []byte("5305"), 2)
	for _, c := range []struct {
		name string
		say  []byte
		kind fault.Kind
	}{
		{"silence", nil, fault.Timeout},
		{"wrong baud rate", []byte("\x00\xf8\x80x\xff\xfe\x00"), fault.Garbled},
		{"wrong checksums", wrong, fault.Garbled},
		{"no checksums", []byte("$" + rmc + "\r\n$" + gga + "\r\n"), fault.Garbled},
		{"half a sentence", burst(rmc)[:30], fault.Garbled},
		{"nothing but satellites in view", burst(others, others), fault.Misconfigured},
		{"a sentence without an end", append([]byte("$"), bytes.Repeat([]byte("A"), 3000)...), fault.Garbled},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, nil)
				r.line.Say(time.Second, c.say)
				if got, err := r.Read(t.Context()); fault.KindOf(err) != c.kind || len(got) != 0 {
					t.Errorf("got %v, %v (%s)", got, err, fault.KindOf(err))
				}
				r.line.Say(time.Second, append(bytes.Clone(c.say), burst(rmc, gga)...))
				if got, err := r.Read(t.Context()); err != nil || len(got) != 5 {
					t.Errorf("the next good moment: %v, %v", got, err)
				}
			})
		})
	}
}

func TestPulledPlugIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.line.Say(time.Second, burst(rmc))
		time.AfterFunc(2*time.Second, func() { r.line.Unplug(true) })
		if _, err := r.Read(t.Context()); fault.KindOf(err) != fault.Lost {
			t.Errorf("got %v", err)
		}
	})
}

func TestProbeListens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		on, err := simbus.New(bus.Config{ID: "serial", Type: bus.Serial})
		if err != nil {
			t.Fatal(err)
		}
		d := nmea.Driver()
		if found, err := d.Probe(t.Context(), on.Bus()); err != nil || len(found) != 0 {
			t.Errorf("a silent line: %v, %v", found, err)
		}
		if err := d.Simulate(drivertest.Setup(t, d, on.Bus(), nil), on); err != nil {
			t.Fatal(err)
		}
		if found, err := d.Probe(t.Context(), on.Bus()); err != nil || len(found) != 1 {
			t.Errorf("a receiver: %v, %v", found, err)
		}
	})
}

func TestOptionsSayWhatIsWrong(t *testing.T) {
	for _, within := range []string{"0s", "1m"} {
		if err := driver.Decode(nmea.Driver().Options(), map[string]any{"time_within": within}); err == nil {
			t.Errorf("%s bounds nothing", within)
		}
	}
}

func TestSimulated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { drivertest.Simulated(t, nmea.Driver()) })
}

// Whatever comes before two good sentences, in whatever pieces, one of them is found.
func FuzzSplit(f *testing.F) {
	f.Add([]byte("noise"), uint64(1))
	f.Add([]byte("$GPRMC,1*"), uint64(2))
	f.Add([]byte("$$$*00"), uint64(3))
	good := nmea.Sentence(rmc)
	f.Fuzz(func(t *testing.T, noise []byte, seed uint64) {
		all := append(bytes.Clone(noise), burst(rmc, rmc)...)
		random := rand.New(rand.NewPCG(seed, 0))
		var buffer []byte
		found := false
		for len(all) > 0 {
			n := 1 + random.IntN(len(all))
			buffer, all = append(buffer, all[:n]...), all[n:]
			for {
				done, frame, _ := nmea.Split(buffer)
				if done < 0 || done > len(buffer) || frame != nil && done == 0 {
					t.Fatalf("done with %d of %d bytes", done, len(buffer))
				}
				found = found || bytes.Equal(frame, good[:len(good)-2])
				if done == 0 {
					break
				}
				buffer = buffer[done:]
			}
		}
		if !found {
			t.Errorf("after %q no good sentence is found", noise)
		}
	})
}

// Whatever a whole sentence says: a reading of it is plausible, and nothing that it tells of the date is before 2024.
func FuzzSentence(f *testing.F) {
	f.Add(rmc, gga)
	f.Add(void, nofix)
	f.Add("GPZDA,101530.25,01,07,2026,00,00", gga)
	f.Fuzz(func(t *testing.T, one, two string) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, nil)
			r.line.Say(time.Second, burst(one, two))
			got, _ := r.Read(t.Context()) // the good ones beside an error count
			for _, m := range got {
				if math.IsNaN(m.Value) || m.Quantity == "latitude" && math.Abs(m.Value) > 90 || m.Quantity == "longitude" && math.Abs(m.Value) > 180 {
					t.Errorf("%+v", m)
				}
			}
			for _, told := range r.clock.told {
				if told.Date.Year() < 2024 {
					t.Errorf("told of %s", told.Date)
				}
			}
		})
	})
}
