package simulate_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lamppost-city/lamppost/firmware-bridge/uplink/uplinktest"
	"github.com/lamppost-city/lamppost/simulate"
	"github.com/lamppost-city/lamppost/simulate/city"
	"github.com/lamppost-city/lamppost/telemetry"
	"github.com/lamppost-city/lamppost/telemetry/senml"
)

// A week of a few sensors, thinned out, sent by the backfill. Which week it is depends on when the test runs.
func week(t *testing.T, sins string, sensors int) (*city.City, []uplinktest.Message, simulate.Report) {
	t.Helper()
	broker := uplinktest.New(t, uplinktest.AckAll)
	cfg := fast(broker.Address(), sensors, 0)
	cfg.Sins, cfg.BackfillSins, cfg.Seed, cfg.Format = "none", sins, 4, simulate.SenMLJSON
	cfg.Rate, cfg.Backfill, cfg.BackfillStep = simulate.NaturalRate, 7*24*time.Hour, time.Hour
	cfg.MQTT.Connections, cfg.For = 1, 100*time.Hour
	c := build(t, cfg.Seed, sensors)
	step := uint64(0) // messages of a step
	for _, s := range c.Sensors() {
		step += uint64(time.Minute / s.Cadence)
	}
	cfg.Count = step*7*24 - 3*step // all of it lies in the backfill, also where sensors are silent for a while
	if sins == "silence" || sins == "burst" || sins == "all" {
		cfg.Count = step * 7 * 24 * 9 / 10
	}
	report, err := simulate.Run(t.Context(), cfg, quiet())
	if err != nil {
		t.Fatal(err)
	}
	return c, broker.Seen(), report
}

// honest compares what was sent with what the city measured: how many readings are right, and the others.
func honest(c *city.City, readings []telemetry.Reading) (right int, wrong []telemetry.Reading) {
	index := map[telemetry.SensorID]int{}
	for i, s := range c.Sensors() {
		index[s.ID] = i
	}
	var want []telemetry.Reading // of the last message; its readings stand together
	for _, r := range readings {
		i, ok := index[r.Sensor]
		if ok && (len(want) == 0 || want[0].Sensor != r.Sensor || want[0].Measured != r.Measured) {
			want = c.Readings(want[:0], i, r.Measured)
		}
		if ok && slices.Contains(want, r) {
			right++
		} else {
			wrong = append(wrong, r)
		}
	}
	return right, wrong
}

func gaps(readings []telemetry.Reading, longer time.Duration) int {
	last, n := map[telemetry.SensorID]telemetry.UnixMilli{}, 0
	for _, r := range readings {
		if at, ok := last[r.Sensor]; ok && r.Measured.Time().Sub(at.Time()) > longer {
			n++
		}
		last[r.Sensor] = r.Measured
	}
	return n
}

func TestNoSinsMeansNone(t *testing.T) {
	c, messages, _ := week(t, "none", 30)
	readings, _, bad := decode(t, messages)
	right, wrong := honest(c, readings)
	if len(bad) > 0 || len(wrong) > 0 || right == 0 || gaps(readings, 70*time.Minute) > 0 {
		t.Errorf("%d right, %d wrong, %d bad messages, %d gaps", right, len(wrong), len(bad), gaps(readings, 70*time.Minute))
	}
}

func TestEachSinDoesWhatItSays(t *testing.T) {
	for _, sin := range []struct {
		name    string
		sensors int // enough for the sin to be committed in any week
		check   func(t *testing.T, c *city.City, messages []uplinktest.Message, report simulate.Report)
	}{
		{"silence", 30, checkSilence},
		{"stuck", 30, checkStuck},
		{"drift", 30, checkDrift},
		{"clock", 100, checkClock},
		{"burst", 30, checkBurst},
		{"duplicate", 30, checkDuplicate},
		{"garbage", 100, checkGarbage},
		{"all", 30, checkAll},
	} {
		t.Run(sin.name, func(t *testing.T) {
			c, messages, report := week(t, sin.name, sin.sensors)
			sin.check(t, c, messages, report)
		})
	}
}

func checkSilence(t *testing.T, c *city.City, messages []uplinktest.Message, _ simulate.Report) {
	readings, _, _ := decode(t, messages)
	if _, wrong := honest(c, readings); gaps(readings, 70*time.Minute) < 5 || len(wrong) > 0 {
		t.Errorf("%d gaps, %d wrong values", gaps(readings, 70*time.Minute), len(wrong))
	}
}

func checkStuck(t *testing.T, c *city.City, messages []uplinktest.Message, _ simulate.Report) {
	readings, _, _ := decode(t, messages)
	right, wrong := honest(c, readings)
	if share := float64(len(wrong)) / float64(right); share < 0.002 || share > 0.08 {
		t.Fatalf("%.1f %% of all values are stuck", 100*share)
	}
	repeats := 0 // of a noisy value: a sensor that works never shows the same twice
	for i := range wrong {
		for k := i + 1; k < len(wrong); k++ {
			if wrong[k].Sensor == wrong[i].Sensor && wrong[k].Quantity == wrong[i].Quantity && wrong[k].Channel == wrong[i].Channel {
				if wrong[k].Value == wrong[i].Value {
					repeats++
				}
				break
			}
		}
	}
	if repeats < len(wrong)/2 {
		t.Errorf("%d of %d stuck values are repeated", repeats, len(wrong))
	}
}

func checkDrift(t *testing.T, c *city.City, messages []uplinktest.Message, _ simulate.Report) {
	readings, _, _ := decode(t, messages)
	right, wrong := honest(c, readings)
	sensors := map[telemetry.SensorID]bool{}
	for _, r := range wrong {
		sensors[r.Sensor] = true
		if q := r.Quantity.Quantity(); q.Kind != telemetry.Gauge || r.Value < q.Min || r.Value > q.Max {
			t.Fatalf("%s of %s drifted to %g", q.Name, r.Sensor, r.Value)
		}
	}
	if len(sensors) < 1 || len(sensors) > 6 || right < len(wrong) {
		t.Errorf("%d sensors drift: %d right and %d wrong values", len(sensors), right, len(wrong))
	}
}

func checkClock(t *testing.T, c *city.City, messages []uplinktest.Message, _ simulate.Report) {
	now := telemetry.MilliOf(time.Now())
	readings, _, _ := decode(t, messages)
	_, wrong := honest(c, readings)
	far := 0
	for _, r := range readings {
		if r.Measured > now || r.Measured < now-telemetry.UnixMilli(8*24*3600_000) {
			far++
		}
	}
	if len(wrong) == 0 || len(wrong) > len(readings)/10 {
		t.Errorf("%d of %d readings have a wrong time, %d of them far away", len(wrong), len(readings), far)
	}
	checkMeters(t, readings)
}

// checkMeters expects every counter to grow or stay, in order of measured time, as far as ingest would take it in.
func checkMeters(t *testing.T, readings []telemetry.Reading) {
	t.Helper()
	type meter struct {
		sensor   telemetry.SensorID
		quantity telemetry.QuantityID
		channel  string
	}
	now, last := telemetry.MilliOf(time.Now()), map[meter]telemetry.Reading{}
	inOrder := slices.Clone(readings)
	slices.SortStableFunc(inOrder, func(a, b telemetry.Reading) int { return int(a.Measured - b.Measured) })
	for _, r := range inOrder {
		if r.Measured > now || r.Quantity.Quantity().Kind != telemetry.Counter || r.Quantity.String() == "uptime" { // begins anew with each start
			continue
		}
		m := meter{r.Sensor, r.Quantity, r.Channel}
		if before, ok := last[m]; ok && r.Value < before.Value {
			t.Errorf("%s: %s goes back from %v at %s to %v at %s", r.Sensor, r.Quantity.Quantity().Name,
				before.Value, before.Measured.Time(), r.Value, r.Measured.Time())
		}
		last[m] = r
	}
	if len(last) == 0 {
		t.Error("no meter has reported")
	}
}

func TestMetersNeverGoBackOverARestart(t *testing.T) {
	_, first, _ := week(t, "all", 60)
	_, second, _ := week(t, "all", 60)
	readings, _, _ := decode(t, slices.Concat(first, second))
	checkMeters(t, readings)
}

func checkBurst(t *testing.T, c *city.City, messages []uplinktest.Message, _ simulate.Report) {
	readings, _, _ := decode(t, messages)
	late, newest := 0, telemetry.UnixMilli(0)
	for _, r := range readings {
		if r.Measured < newest-60_000 {
			late++
		}
		newest = max(newest, r.Measured)
	}
	if _, wrong := honest(c, readings); len(wrong) > 0 || late == 0 {
		t.Errorf("%d readings came late, %d are wrong", late, len(wrong))
	}
}

func checkDuplicate(t *testing.T, c *city.City, messages []uplinktest.Message, report simulate.Report) {
	known, twice, readings := map[string]bool{}, 0, 0
	for _, m := range messages {
		if known[m.Topic+m.Payload] {
			twice++
			continue
		}
		known[m.Topic+m.Payload] = true
		one, _, _ := decode(t, []uplinktest.Message{m})
		readings += len(one)
	}
	if share := float64(twice) / float64(len(messages)); share < 0.01 || share > 0.03 || report.Readings != uint64(readings) {
		t.Errorf("%d of %d messages came twice; report %+v, %d readings", twice, len(messages), report, readings)
	}
}

func checkGarbage(t *testing.T, c *city.City, messages []uplinktest.Message, _ simulate.Report) {
	readings, _, bad := decode(t, messages)
	if _, wrong := honest(c, readings); len(wrong) > len(messages)/500 || len(bad) < 1 || len(bad) > len(messages)/200 {
		t.Errorf("%d of %d messages are garbage, %d readings wrong", len(bad), len(messages), len(wrong))
	}
}

func checkAll(t *testing.T, c *city.City, messages []uplinktest.Message, _ simulate.Report) {
	readings, _, _ := decode(t, messages)
	right, wrong := honest(c, readings)
	if share := float64(right) / float64(right+len(wrong)); share < 0.85 {
		t.Errorf("only %.0f %% of all readings are right", 100*share)
	}
}

// The sins of a stretch of time are the same, whenever it is sent.
func TestSinsDependOnSeedAndTimeOnly(t *testing.T) {
	drifting := func() map[telemetry.SensorID]bool {
		c, messages, _ := week(t, "drift", 30)
		readings, _, _ := decode(t, messages)
		_, wrong := honest(c, readings)
		sensors := map[telemetry.SensorID]bool{}
		for _, r := range wrong {
			sensors[r.Sensor] = true
		}
		return sensors
	}
	first := drifting()
	if diff := cmp.Diff(first, drifting()); diff != "" || len(first) == 0 {
		t.Errorf("%v drift; the second time:\n%s", first, diff)
	}
}

// BenchmarkGenerate is a message from the city to its payload, without the broker.
func BenchmarkGenerate(b *testing.B) {
	c, err := city.New(1, 1000)
	if err != nil {
		b.Fatal(err)
	}
	var m telemetry.Message
	var payload []byte
	at, i := telemetry.MilliOf(time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)), 0
	b.ReportAllocs()
	for b.Loop() {
		m.Readings = c.Readings(m.Readings[:0], i%1000, at+telemetry.UnixMilli(i*30))
		payload = senml.AppendJSON(payload[:0], &m, m.Readings[0].Sensor)
		i++
	}
}
