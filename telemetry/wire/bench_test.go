package wire_test

import (
	"fmt"
	"testing"

	"github.com/lamppost-city/lamppost/telemetry"
	"github.com/lamppost-city/lamppost/telemetry/internal/wiretest"
	"github.com/lamppost-city/lamppost/telemetry/senml"
	"github.com/lamppost-city/lamppost/telemetry/wire"
)

const threeFields = `{"time":"2026-03-01T12:00:00.250Z","seq":17,"speed":47.5,"intensity":12,"occupancy":0.31}`

// hundred is a message such as a bridge sends: a hundred readings of fifty sensors, of which one is a count.
func hundred(t testing.TB) *telemetry.Message {
	t.Helper()
	names := []string{"speed", "intensity", "no2", "temperature"}
	m := &telemetry.Message{Seq: 4711, HasSeq: true}
	for i := range 100 {
		q, ok := telemetry.QuantityByName(names[i%len(names)])
		if !ok {
			t.Fatal(names[i%len(names)])
		}
		r := telemetry.Reading{
			Sensor: telemetry.SensorID(fmt.Sprintf("site-%04d", i/2)), Quantity: q.ID, Channel: "1",
			Value: 20.1 + float64(i)/10, Measured: 1772366400250 + telemetry.UnixMilli(i/2),
		}
		if q.Kind == telemetry.Count {
			r.Value = float64(i)
		}
		m.Readings = append(m.Readings, r)
	}
	return m
}

// payloads are what steady state is measured with.
func payloads(t testing.TB) map[string][]byte {
	m := hundred(t)
	return map[string][]byte{
		"plain JSON 3 readings":   []byte(threeFields),
		"SenML JSON 100 readings": senml.AppendJSON(nil, m, wiretest.From.Publisher),
		"SenML CBOR 100 readings": senml.AppendCBOR(nil, m, wiretest.From.Publisher),
	}
}

func TestDecodeAllocatesNothingInSteadyState(t *testing.T) {
	for name, payload := range payloads(t) {
		t.Run(name, func(t *testing.T) {
			d := wire.NewDecoder(telemetry.DefaultLimits())
			var msg telemetry.Message
			if n := testing.AllocsPerRun(100, func() {
				msg.Reset()
				d.Decode(&msg, payload, wiretest.From)
			}); n != 0 {
				t.Errorf("%v allocations", n)
			}
			if len(msg.Readings) < 3 || len(msg.Faults) != 0 || !msg.HasSeq {
				t.Errorf("%d readings, faults %v", len(msg.Readings), msg.Faults)
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	for name, payload := range payloads(b) {
		b.Run(name, func(b *testing.B) {
			d := wire.NewDecoder(telemetry.DefaultLimits())
			var msg telemetry.Message
			b.ReportAllocs()
			b.SetBytes(int64(len(payload)))
			readings := 0
			for b.Loop() {
				msg.Reset()
				d.Decode(&msg, payload, wiretest.From)
				readings += len(msg.Readings)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(readings), "ns/reading")
		})
	}
}
