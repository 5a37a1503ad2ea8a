package ingest

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/lamppost-city/lamppost/ingest/frame"
	"github.com/lamppost-city/lamppost/ingest/mqtt"
	"github.com/lamppost-city/lamppost/telemetry"
)

// framesOf runs batches over a desk, and returns copies of the frames that come of them.
func framesOf(t testing.TB, cfg Config, batches ...*mqtt.Batch) (frames []*frame.Frame, batchesIn []int) {
	t.Helper()
	l := &Line{deps: Deps{Directory: all{}}, free: make(chan *unit, 1), units: make(chan *unit)}
	l.free <- new(unit)
	done := make(chan struct{})
	go func() {
		defer close(done)
		parser := frame.NewParser()
		for u := range l.units {
			copied := new(frame.Frame)
			if err := parser.Parse(frame.Append(nil, &u.frame), copied); err != nil {
				t.Error(err)
			}
			frames, batchesIn = append(frames, copied), append(batchesIn, len(u.batches))
			l.free <- u
		}
	}()
	d := &desk{line: l, judge: newJudge(cfg, memory{}), unit: <-l.free}
	d.judge.spill = d.spill
	d.begin()
	for _, b := range batches {
		d.addBatch(b)
	}
	d.send()
	close(l.units)
	<-done
	return frames, batchesIn
}

func batchOf(payloads ...string) *mqtt.Batch {
	b := new(mqtt.Batch)
	for _, payload := range payloads {
		b.Deliveries = append(b.Deliveries, *delivery("city/bridge-1/readings", payload))
	}
	return b
}

func TestFrameNeverOutgrowsTheSpool(t *testing.T) {
	many := func(record string, n int) string {
		return "[" + strings.TrimSuffix(strings.Repeat(record+",", n), ",") + "]"
	}
	var distinct strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&distinct, `,{"n":"mast-%d/temperature/channel-that-has-a-name-%d","v":%d.125,"t":%d}`, i%500, i%50, i%50, 1_772_366_000-60*i)
	}
	foreign := strings.ReplaceAll(distinct.String(), "temperature/channel", "speed/channel")
	messages := map[string]string{
		"one reading many times":          many(`{"n":"mast-1/speed","v":1}`, 10_000),
		"readings without anything alike": "[" + distinct.String()[1:] + "]",
		"refused readings of many":        strings.ReplaceAll("["+foreign[1:]+"]", ".125", "e9"),
		"unknown quantities":              many(`{"n":"mast-1/quantity-nobody-knows","v":1}`, 10_000),
		"a megabyte of nothing":           strings.Repeat("x", 1<<20),
		"empty":                           "",
	}
	cfg := DefaultConfig()
	cfg.MaxSeriesPerSensor = 10_000
	for name, payload := range messages {
		t.Run(name, func(t *testing.T) {
			held := make([]string, 2)
			for i := range held {
				held[i] = payload
			}
			frames, ends := framesOf(t, cfg, batchOf(held...), batchOf(held...))
			batches := 0
			for i, f := range frames {
				if size := int64(len(frame.Append(nil, f))); size > cfg.spool().MaxFrameBytes || size > 2*maxFrameBytes+frameOverhead {
					t.Errorf("frame %d of %d has %d bytes", i, len(frames), size)
				}
				batches += ends[i]
			}
			if batches != 2 || ends[len(ends)-1] == 0 {
				t.Errorf("%v batches end in the frames, want the second in the last", ends)
			}
		})
	}
}

// However a stream of messages is cut into frames, the same things are counted.
func TestCutsChangeNoSums(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var payloads []string
		readings := 0
		for range rapid.IntRange(1, 3).Draw(t, "messages") {
			n := rapid.SampledFrom([]int{1, 10, 100, 3_500}).Draw(t, "readings")
			var b strings.Builder
			for i := range n {
				value := rapid.SampledFrom([]string{"1", "5e9"}).Draw(t, "value")
				if n > 1 {
					value = "1"
				}
				fmt.Fprintf(&b, `,{"n":"mast-%d/temperature/c%d","v":%s,"t":%d}`, i%7, i%50, value, 1_772_366_000-i%3000)
			}
			payloads = append(payloads, "["+b.String()[1:]+"]")
			readings += n
		}
		frames, _ := framesOf(new(testing.T), DefaultConfig(), batchOf(payloads...))
		var sum frame.Counts
		rejected, lines, faults := int64(0), 0, int64(0)
		for _, f := range frames {
			for _, m := range f.Minutes {
				sum.Add(m.Counts)
			}
			for _, r := range f.Rejections {
				rejected += r.N
			}
			for _, r := range f.Refused {
				for _, fault := range r.Faults {
					faults += fault.Readings
				}
			}
			accepted := 0
			for _, n := range f.Accepted {
				accepted += int(n)
			}
			lines += accepted
			for _, s := range f.Suspects {
				if s.Line >= len(f.Accepted) {
					t.Fatalf("suspect of line %d in a frame of %d", s.Line, len(f.Accepted))
				}
			}
			if strings.Count(string(f.Lines), "\n") != len(f.Accepted) {
				t.Fatalf("%d lines, %d counts", strings.Count(string(f.Lines), "\n"), len(f.Accepted))
			}
		}
		if sum.Received+rejected != int64(readings) || sum.Received != sum.Accepted+sum.Duplicate || int64(lines) != sum.Accepted || faults != rejected {
			t.Fatalf("of %d readings in %d frames: %+v, %d rejected, %d in lines, %d in quarantine", readings, len(frames), sum, rejected, lines, faults)
		}
	})
}

// Everything that write can make, decodeLine reads.
func TestLineForTheStoreIsReadBack(t *testing.T) {
	quantities := telemetry.Quantities()
	rapid.Check(t, func(t *rapid.T) {
		j := newJudge(DefaultConfig(), memory{})
		var f frame.Frame
		j.begin(&f, all{}, telemetry.UnixMilli(0).Time(), false)
		want := telemetry.Reading{
			Sensor:   telemetry.SensorID(rapid.StringMatching(`[a-z0-9][a-z0-9-]{1,20}`).Draw(t, "sensor")),
			Channel:  rapid.StringMatching(`[A-Za-z0-9._-]{0,32}`).Draw(t, "channel"),
			Measured: telemetry.UnixMilli(rapid.Int64Range(-1e12, 4e12).Draw(t, "measured")),
			Value:    rapid.Float64().Draw(t, "value"),
		}
		quantity := &quantities[rapid.IntRange(0, len(quantities)-1).Draw(t, "quantity")]
		want.Quantity = quantity.ID
		j.write(j.sensor(want.Sensor), &want, quantity, false)
		var got telemetry.Message
		if err := appendLine(&got, f.Lines); err != nil {
			t.Fatalf("%v in %q", err, f.Lines)
		}
		if len(got.Readings) != 1 || got.Readings[0] != want {
			t.Fatalf("%q is read as %+v, want %+v", f.Lines, got.Readings, want)
		}
	})
}

func FuzzLineForTheStore(f *testing.F) {
	f.Add([]byte("traffic,channel=1,sensor=loop-1 speed=47.5,intensity=12 1772366400250\n"))
	f.Add([]byte("traffic speed=\"x\"\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		var got telemetry.Message
		if err := appendLine(&got, text); err == nil && len(got.Readings) == 0 {
			t.Error("a line without a reading")
		}
	})
}

func TestManyFaultsOfOneMessageAreBounded(t *testing.T) {
	var b strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&b, `,{"n":"mast-%d/temperature","v":5e9}`, i)
	}
	f := judged(t, delivery("city/bridge-1/readings", "["+b.String()[1:]+"]"))
	sum := int64(0)
	counted := make(map[telemetry.SensorID]int64)
	for _, fault := range f.Refused[0].Faults {
		sum += fault.Readings
		counted[fault.Counted] += fault.Readings
	}
	if len(f.Refused[0].Faults) > maxFaults+len(telemetry.Reasons()) || sum != 5000 {
		t.Errorf("%d faults with %d readings", len(f.Refused[0].Faults), sum)
	}
	// What is in quarantine takes back exactly what was counted.
	for _, r := range f.Rejections {
		counted[r.Sensor] -= r.N
	}
	for s, n := range counted {
		if n != 0 {
			t.Errorf("%s: %d more in quarantine than counted", s, n)
		}
	}
}
