package line_test

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/clock"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver/drivertest"
	"github.com/lamppost-city/lamppost/firmware-bridge/drivers/line"
	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
	"github.com/lamppost-city/lamppost/firmware-bridge/simbus"
)

func weather() map[string]any {
	return map[string]any{
		"pattern": `^T=(?P<t>[-+0-9.,na]+)( D=(?P<d>\w*))?$`,
		"readings": []any{
			map[string]any{"group": "t", "quantity": "temperature", "unit": "Cel", "offset": 0.5},
			map[string]any{"group": "d", "quantity": "door", "channel": "rear"},
		},
	}
}

func serial(t *testing.T) *simbus.Bus {
	t.Helper()
	on, err := simbus.New(bus.Config{ID: "serial", Type: bus.Serial})
	if err != nil {
		t.Fatal(err)
	}
	return on
}

func TestGroupsBecomeMeasurements(t *testing.T) {
	warm := func(v float64) driver.Measurement { return driver.Measurement{Quantity: "temperature", Value: v} }
	door := func(v float64) driver.Measurement {
		return driver.Measurement{Quantity: "door", Channel: "rear", Value: v}
	}
	for _, c := range []struct {
		text string
		want []driver.Measurement
		kind fault.Kind // "" if nothing is wrong
	}{
		{"T=21.5", []driver.Measurement{warm(22)}, ""},
		{"T=-3,5 D=open", []driver.Measurement{warm(-3), door(1)}, ""},
		{"T=+0 D=CLOSED", []driver.Measurement{warm(0.5), door(0)}, ""},
		{"T=1 D=1", []driver.Measurement{warm(1.5), door(1)}, ""},
		{"T=20 D=", []driver.Measurement{warm(20.5)}, ""},
		{"T=20 D=perhaps", []driver.Measurement{warm(20.5)}, fault.Garbled},
		{"T=20 D=2", []driver.Measurement{warm(20.5)}, fault.Implausible},
		{"T=nan D=closed", []driver.Measurement{door(0)}, fault.Implausible},
		{"T=9999 D=closed", []driver.Measurement{door(0)}, fault.Implausible},
		{"T= 1", nil, fault.Garbled},
	} {
		o := line.Driver().Options().(*line.Options)
		if err := driver.Decode(o, weather()); err != nil {
			t.Fatal(err)
		}
		got, err := o.Parse([]byte(c.text))
		if diff := cmp.Diff(c.want, got); diff != "" || (err == nil) != (c.kind == "") || err != nil && fault.KindOf(err) != c.kind {
			t.Errorf("%s: %v (%s)\n%s", c.text, err, fault.KindOf(err), diff)
		}
	}
}

func TestLineIsReadFromItsBeginning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		on := serial(t)
		s := drivertest.Open(t, line.Driver(), on.Bus(), weather())
		on.Serial.Say(0, []byte("T=99\r\nT=1"))
		// The reading begins within a line: 2.5 is what is left of 12.5.
		on.Serial.Say(10*time.Millisecond, []byte("T=2.5\r\nT=1"))
		on.Serial.Say(30*time.Millisecond, []byte("3.5\r\n"))
		got, err := s.Read(t.Context())
		want := []driver.Measurement{{Quantity: "temperature", Value: 14, At: clock.Instant(10 * time.Millisecond)}}
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%v\n%s", err, diff)
		}
		// After a pause the first line is whole, and need not be waited out.
		time.Sleep(time.Second)
		on.Serial.Say(time.Second, []byte("T=7\n"))
		if got, err := s.Read(t.Context()); err != nil || len(got) != 1 || got[0].Value != 7.5 {
			t.Errorf("got %v, %v", got, err)
		}
	})
}

func TestDeviceIsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		on := serial(t)
		options := weather()
		options["poll"] = "R?\r\n"
		on.Serial.Answer(func(heard []byte, say simbus.Say) {
			if string(heard) == "R?\r\n" {
				say(0, heard) // it echoes
				say(20*time.Millisecond, []byte("OK\r\nT=5\r\n"))
			}
		})
		s := drivertest.Open(t, line.Driver(), on.Bus(), options)
		on.Serial.Say(0, []byte("T=99\r\n"))
		if got, err := s.Read(t.Context()); err != nil || len(got) != 1 || got[0].Value != 5.5 {
			t.Errorf("got %v, %v", got, err)
		}
	})
}

func TestChecksums(t *testing.T) {
	for _, c := range []struct {
		checksum, text string
		good           bool
	}{
		{"xor", "$T=1*58", true}, // 54 ^ 3d ^ 31
		{"xor", "T=1*58", true},
		{"xor", "T=1*58  ", true},
		{"xor", "T=2*58", false},
		{"xor", "T=1*5", false},
		{"xor", "T=1", false},
		{"xor", "T=1*zz", false},
		{"sum8", "T=1*C2", true}, // 54 + 3d + 31
		{"sum8", "T=1*c2", true},
		{"sum8", "$T=1*E6", true},
		{"sum8", "T=1*58", false},
		{"none", "T=1*58", true},
	} {
		o := line.Driver().Options().(*line.Options)
		options := map[string]any{
			"pattern": `T=(?P<t>[0-9.]+)`, "checksum": c.checksum,
			"readings": []any{map[string]any{"group": "t", "quantity": "temperature"}},
		}
		if err := driver.Decode(o, options); err != nil {
			t.Fatal(err)
		}
		got, err := o.Parse([]byte(c.text))
		if c.good != (err == nil && len(got) == 1) || !c.good && fault.KindOf(err) != fault.Garbled {
			t.Errorf("%s %q: %v, %v", c.checksum, c.text, got, err)
		}
	}
}

func TestFaultsAndTheNextGoodLine(t *testing.T) {
	for _, c := range []struct {
		name, say string
		kind      fault.Kind
	}{
		{"silence", "", fault.Timeout},
		{"noise", "\x00\xff\xfe\x80", fault.Garbled},
		{"lines that do not match", "hello\r\nworld\r\n", fault.Garbled},
		{"a line without an end", strings.Repeat("T=1 ", 500), fault.Garbled},
		{"a long line whose end would match", strings.Repeat("x", 400) + "T=1", fault.Garbled},
		{"a number that is none", "T=1.2.3\r\n", fault.Garbled},
		{"beyond the range", "T=1000\r\n", fault.Implausible},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				on := serial(t)
				s := drivertest.Open(t, line.Driver(), on.Bus(), weather())
				on.Serial.Say(time.Second, []byte(c.say))
				got, err := s.Read(t.Context())
				if fault.KindOf(err) != c.kind || len(got) != 0 {
					t.Errorf("got %v, %v (%s)", got, err, fault.KindOf(err))
				}
				on.Serial.Say(time.Second, []byte(strings.Replace(c.say, "T=1000", "", 1)+"\r\nT=4\r\n"))
				if got, err := s.Read(t.Context()); err != nil || len(got) != 1 || got[0].Value != 4.5 {
					t.Errorf("the next good line: %v, %v", got, err)
				}
			})
		})
	}
}

func TestFloodOfLinesThatDoNotMatchEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		on := serial(t)
		on.Serial.Talk(10*time.Millisecond, func(time.Time) []byte { return []byte("flood\r\nflood\r\n") })
		options := weather()
		options["wait"] = "2s"
		s := drivertest.Open(t, line.Driver(), on.Bus(), options)
		began := time.Now()
		if _, err := s.Read(t.Context()); fault.KindOf(err) != fault.Garbled || time.Since(began) > 3*time.Second {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
	})
}

func TestPulledPlugIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		on := serial(t)
		s := drivertest.Open(t, line.Driver(), on.Bus(), weather())
		on.Serial.Unplug(true)
		if _, err := s.Read(t.Context()); fault.KindOf(err) != fault.Lost {
			t.Errorf("got %v", err)
		}
	})
}

func TestOptionsSayWhatIsWrong(t *testing.T) {
	for _, c := range []struct {
		key   string
		value any
		says  string
	}{
		{"pattern", "", "pattern:"},
		{"pattern", "T=(?P<t>[", "pattern:"},
		{"pattern", "T=(.*)", `"t" is no group`},
		{"readings", []any{}, "readings:"},
		{"readings", []any{map[string]any{"group": "t", "quantity": "speeed"}}, "readings[0].quantity:"},
		{"checksum", "crc", "checksum:"},
		{"max_line", 4, "max_line:"},
		{"wait", "2h", "wait:"},
		{"example", "temperature 4", "example:"},
		{"example", "T=4000", "example:"},
	} {
		options := weather()
		options[c.key] = c.value
		if err := driver.Decode(line.Driver().Options(), options); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s %v: %v", c.key, c.value, err)
		}
	}
}

func TestSimulated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { drivertest.Simulated(t, line.Driver()) })
}

func TestSimulatedDeviceThatIsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		on := serial(t)
		d := line.Driver()
		options := weather()
		options["poll"], options["example"] = "?", "T=3 D=open"
		setup := drivertest.Setup(t, d, on.Bus(), options)
		if err := d.Simulate(setup, on); err != nil {
			t.Fatal(err)
		}
		if got, err := drivertest.Open(t, d, on.Bus(), options).Read(t.Context()); err != nil || len(got) != 2 {
			t.Errorf("got %v, %v", got, err)
		}
		delete(options, "example")
		if err := d.Simulate(drivertest.Setup(t, d, on.Bus(), options), on); fault.KindOf(err) != fault.Misconfigured {
			t.Errorf("nothing to say: %v", err)
		}
	})
}

// Whatever comes before a line end and a good line, in whatever pieces, the good line is read.
func FuzzLine(f *testing.F) {
	f.Add([]byte("noise"), uint8(3))
	f.Add([]byte("T=1\r\nT=2"), uint8(1))
	f.Add(bytes.Repeat([]byte("T="), 300), uint8(200))
	f.Fuzz(func(t *testing.T, noise []byte, piece uint8) {
		synctest.Test(t, func(t *testing.T) {
			on := serial(t)
			options := weather()
			options["pattern"] = `^good T=(?P<t>4)()(?P<d>)$`
			s := drivertest.Open(t, line.Driver(), on.Bus(), options)
			all := append(bytes.Clone(noise[:min(len(noise), 2000)]), "\ngood T=4\n"...)
			for i := 0; len(all) > 0; i++ {
				n := min(len(all), 1+int(piece))
				on.Serial.Say(time.Second+time.Duration(i)*time.Millisecond, all[:n])
				all = all[n:]
			}
			if got, err := s.Read(t.Context()); err != nil || len(got) != 1 || got[0].Value != 4.5 {
				t.Errorf("after %q: %v, %v", noise, got, err)
			}
		})
	})
}
