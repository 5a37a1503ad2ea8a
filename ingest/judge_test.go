package ingest

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/influxdata/line-protocol/v2/lineprotocol"
	"pgregory.net/rapid"

	"github.com/lamppost-city/lamppost/ingest/frame"
	"github.com/lamppost-city/lamppost/ingest/mqtt"
	"github.com/lamppost-city/lamppost/telemetry"
)

// all registers every sensor that is asked for.
type all struct{}

func (all) Sensors() Sensors                  { return all{} }
func (all) Version() uint64                   { return 1 }
func (all) Publisher(telemetry.SensorID) bool { return true }
func (all) Sensor(telemetry.SensorID) (Sensor, bool) {
	return Sensor{Site: "corner", District: "harbour", Publisher: "bridge-1"}, true
}

// paced registers every sensor with a cadence.
type paced struct{ all }

func (paced) Sensor(telemetry.SensorID) (Sensor, bool) {
	return Sensor{Site: "corner", District: "harbour", Cadence: time.Second, Since: 1}, true
}

func delivery(topic, payload string) *mqtt.Delivery {
	return &mqtt.Delivery{Topic: []byte(topic), Payload: []byte(payload), SizeBytes: int64(len(payload)), Received: 1_772_366_401_000}
}

func judged(t testing.TB, deliveries ...*mqtt.Delivery) *frame.Frame {
	t.Helper()
	j := newJudge(DefaultConfig(), memory{})
	var f frame.Frame
	j.begin(&f, all{}, time.UnixMilli(1_772_366_401_000), false)
	for _, d := range deliveries {
		j.add(d)
	}
	return &f
}

func TestQuantitiesOfOneTimeShareALine(t *testing.T) {
	f := judged(t, delivery("city/loop-1/readings", `{"time":1772366400250,"speed":47.5,"intensity":12,"occupancy":0.31}`))
	want := "traffic,district=harbour,sensor=loop-1,site=corner speed=47.5,intensity=12,occupancy=0.31 1772366400250\n"
	if string(f.Lines) != want {
		t.Errorf("lines:\n%swant:\n%s", f.Lines, want)
	}
	if len(f.Accepted) != 1 || f.Accepted[0] != 3 {
		t.Errorf("accepted by line: %v", f.Accepted)
	}
}

func TestDomainsChannelsAndTimesHaveLinesOfTheirOwn(t *testing.T) {
	f := judged(t, delivery("city/bridge-1/readings", `[
		{"bn":"mast-1/","bt":1772366400,"n":"speed/1","v":40},{"n":"speed/2","v":50},{"n":"occupancy/2","v":0.5},
		{"n":"temperature","v":-3.25},{"n":"temperature","v":-3.5,"t":1}]`))
	want := `traffic,channel=1,district=harbour,sensor=mast-1,site=corner speed=40 1772366400000
traffic,channel=2,district=harbour,sensor=mast-1,site=corner speed=50,occupancy=0.5 1772366400000
safety,district=harbour,sensor=mast-1,site=corner temperature=-3.25 1772366400000
safety,district=harbour,sensor=mast-1,site=corner temperature=-3.5 1772366401000
`
	if string(f.Lines) != want {
		t.Errorf("lines:\n%swant:\n%s", f.Lines, want)
	}
}

func TestALineNeverHoldsAFieldTwice(t *testing.T) {
	f := judged(t, delivery("city/bridge-1/readings", `[{"bn":"loop-1/","bt":1772366400,"n":"speed","v":40},{"n":"speed","v":41},{"n":"occupancy","v":0.5}]`))
	for line := range strings.Lines(string(f.Lines)) {
		if strings.Count(line, "speed=") > 1 {
			t.Errorf("line %s", line)
		}
	}
	if got := f.Minutes[0]; got.Received != 3 || got.Duplicate != 1 || got.Accepted != 2 {
		t.Errorf("minute: %+v", got)
	}
}

// Whatever finite value is written, InfluxDB's own decoder reads the same one.
func TestValuesAreWrittenExactly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.OneOf(
			rapid.Float64(),
			rapid.Map(rapid.Int64Range(-1e15, 1e15), func(n int64) float64 { return float64(n) / 1000 }),
			rapid.Map(rapid.Int64(), func(n int64) float64 { return float64(n) }),
		).Draw(t, "v")
		text := appendValue(nil, v)
		got, err := strconv.ParseFloat(string(text), 64)
		if err != nil || got != v {
			t.Fatalf("%v is written as %s and read as %v (%v)", v, text, got, err)
		}
		d := lineprotocol.NewDecoderWithBytes(append(append([]byte("m f="), text...), " 1\n"...))
		if !d.Next() {
			t.Fatal("no line")
		}
		if _, err := d.Measurement(); err != nil {
			t.Fatal(err)
		}
		for key, _, err := d.NextTag(); key != nil || err != nil; key, _, err = d.NextTag() {
			t.Fatalf("tag %s, %v", key, err)
		}
		if _, value, err := d.NextField(); err != nil || value.FloatV() != v {
			t.Fatalf("InfluxDB reads %s as %v (%v), want %v", text, value, err, v)
		}
	})
}

// Every line that any payload leads to is one that InfluxDB reads.
func FuzzLines(f *testing.F) {
	f.Add("city/loop-1/readings", `{"time":1772366400250,"speed":47.5,"intensity":12,"occupancy":0.31}`)
	f.Add("city/bridge-1/readings", `[{"bn":"mast-1/","n":"speed/1","v":40},{"n":"temperature","v":1e-7}]`)
	f.Add("city//readings", "\x81\xa2\x00\x65speed\x02\x18\x2a")
	f.Fuzz(func(t *testing.T, topic, payload string) {
		out := judged(t, delivery(topic, payload))
		received := int64(0)
		for _, m := range out.Minutes {
			received += m.Received
			if m.Received != m.Duplicate+m.Accepted {
				t.Errorf("minute does not close: %+v", m)
			}
		}
		d := lineprotocol.NewDecoderWithBytes(out.Lines)
		lines, fields := 0, int64(0)
		for d.Next() {
			lines++
			if _, err := d.Measurement(); err != nil {
				t.Fatalf("%v in %q", err, out.Lines)
			}
			for {
				key, _, err := d.NextTag()
				if err != nil {
					t.Fatalf("%v in %q", err, out.Lines)
				}
				if key == nil {
					break
				}
			}
			for {
				key, _, err := d.NextField()
				if err != nil {
					t.Fatalf("%v in %q", err, out.Lines)
				}
				if key == nil {
					break
				}
				fields++
			}
			if _, err := d.Time(lineprotocol.Millisecond, time.Time{}); err != nil {
				t.Fatalf("%v in %q", err, out.Lines)
			}
		}
		if lines != len(out.Accepted) || fields != received {
			t.Errorf("%d lines with %d fields for %d accepted counts and %d readings", lines, fields, len(out.Accepted), received)
		}
		if received == 0 && len(out.Rejections) == 0 && len(out.Refused) > 0 {
			t.Error("a message is in quarantine that nothing counts")
		}
	})
}

func TestJudgingInSteadyStateAllocatesNothing(t *testing.T) {
	for name, c := range map[string]struct {
		directory Sensors
		payload   string
	}{
		"numbered":     {all{}, `{"time":%d,"seq":%d,"speed":47.5,"intensity":12,"occupancy":0.31}`},
		"by a cadence": {paced{}, `{"time":%d,"speed":47.5,"intensity":%d,"occupancy":0.31}`},
	} {
		t.Run(name, func(t *testing.T) {
			j := newJudge(DefaultConfig(), memory{})
			var f frame.Frame
			n := 0
			payload := make([]byte, 0, 128)
			d := delivery("city/loop-1/readings", "")
			once := func() {
				j.begin(&f, c.directory, time.UnixMilli(1_772_366_401_000), false)
				n++
				payload = fmt.Appendf(payload[:0], c.payload, 1_772_366_000_000+n, n)
				d.Payload, d.SizeBytes = payload, int64(len(payload))
				j.add(d)
			}
			for range 200 {
				once()
			}
			// fmt.Appendf boxes two numbers, and the race detector costs one more.
			if got := testing.AllocsPerRun(200, once); got > 3 {
				t.Errorf("%v allocations a message", got)
			}
			if len(f.Refused) > 0 || f.Minutes[0].Accepted != 3 || f.Minutes[0].Missing != 0 {
				t.Fatalf("frame: %+v", f)
			}
		})
	}
}

// BenchmarkJudge is given messages of a thousand sensors in turn: the same few again and again, and new ones.
func BenchmarkJudge(b *testing.B) {
	const first = 1_772_366_000_000
	for _, c := range []struct {
		name, payload string
		directory     Sensors
		fresh         bool
	}{
		{"3 fields of JSON", `{"time":%d,"seq":%d,"speed":47.5,"intensity":12,"occupancy":0.31}`, all{}, false},
		{"new ones", `{"time":%d,"seq":%d,"speed":47.5,"intensity":12,"occupancy":0.31}`, all{}, true},
		{"new ones by a cadence", `{"time":%d,"intensity":%d,"speed":47.5,"occupancy":0.31}`, paced{}, true},
	} {
		b.Run(c.name, func(b *testing.B) {
			j := newJudge(DefaultConfig(), memory{})
			var f frame.Frame
			deliveries := make([]*mqtt.Delivery, 4096)
			for i := range deliveries {
				deliveries[i] = delivery(fmt.Sprintf("city/loop-%d/readings", i%1000), fmt.Sprintf(c.payload, first+i, i/1000))
			}
			b.ReportAllocs()
			b.SetBytes(int64(len(deliveries[0].Payload)))
			i := 0
			for b.Loop() {
				if i%1024 == 0 {
					j.begin(&f, c.directory, time.UnixMilli(1_772_366_401_000), false)
				}
				d := deliveries[i%len(deliveries)]
				if c.fresh {
					strconv.AppendInt(d.Payload[:len(`{"time":`)], first+int64(i), 10) // as long as the one before
				}
				j.add(d)
				i++
			}
		})
	}
}

// A reading that comes again in one frame is not in the store yet, however much came between: the store cannot tell.
func TestRepetitionWithinAFrameNeedsNoQuestionToTheStore(t *testing.T) {
	var all []*mqtt.Delivery
	for range 2 {
		for i := range 5 * maxRemembered {
			all = append(all, delivery("city/loop-1/readings", fmt.Sprintf(`{"time":%d,"speed":1}`, 1_772_366_000_000+i)))
		}
	}
	f := judged(t, all...)
	var sum frame.Counts
	for _, m := range f.Minutes {
		sum.Add(m.Counts)
	}
	if len(f.Suspects) > 0 || sum.Accepted != 5*maxRemembered || sum.Duplicate != 5*maxRemembered {
		t.Errorf("%d suspects, %+v", len(f.Suspects), sum)
	}
}

func TestWhatBridgesAndCitySayBesideReadingsIsNotIngests(t *testing.T) {
	for topic, mine := range map[string]bool{
		"city/loop-1/status": false, "city/loop-1/config": false, "city/loop-1/command": false, "city/loop-1/answer": false, "city/time": false,
		"city/times": true, "city/loop-1/time": true, "city/loop-1/statuses": true,
	} {
		j := newJudge(DefaultConfig(), memory{})
		var f frame.Frame
		j.begin(&f, all{}, time.UnixMilli(1_772_366_401_000), false)
		j.add(delivery(topic, "1772366401000"))
		if got := len(f.Refused) > 0; got != mine {
			t.Errorf("%s: refused %v, want %v", topic, got, mine)
		}
	}
}
