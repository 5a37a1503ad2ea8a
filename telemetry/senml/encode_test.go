package senml_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	oracle "github.com/absmach/senml"
	"github.com/fxamacker/cbor/v2"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/lamppost-city/lamppost/telemetry"
	"github.com/lamppost-city/lamppost/telemetry/internal/wiretest"
	"github.com/lamppost-city/lamppost/telemetry/senml"
)

func id(t testing.TB, name string) telemetry.QuantityID {
	t.Helper()
	q, ok := telemetry.QuantityByName(name)
	if !ok {
		t.Fatal(name)
	}
	return q.ID
}

func sample(t testing.TB) *telemetry.Message {
	t.Helper()
	const at = 1772366400250
	return &telemetry.Message{Seq: 4711, HasSeq: true, Readings: []telemetry.Reading{
		{Sensor: "gate-7", Quantity: id(t, "speed"), Channel: "2", Value: 47.5, Measured: at},
		{Sensor: "cam-1", Quantity: id(t, "intensity"), Value: 12, Measured: at + 60_000},
		{Sensor: "cam-1", Quantity: id(t, "water_flow"), Channel: "L1", Value: -0.1, Measured: at - 1},
		{Sensor: "gate-7", Quantity: id(t, "door"), Value: 1, Measured: at},
	}}
}

func TestAppendJSON(t *testing.T) {
	const want = `[{"bt":1772366400.25,"n":"seq","v":4711},{"n":"speed/2","u":"km/h","v":47.5},` +
		`{"n":"cam-1/intensity","u":"count","v":12,"t":60},{"n":"cam-1/water_flow/L1","v":-0.1,"t":-0.001},{"n":"door","v":1}]`
	if diff := cmp.Diff("x"+want, string(senml.AppendJSON([]byte("x"), sample(t), "gate-7"))); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if got := string(senml.AppendJSON(nil, &telemetry.Message{}, "gate-7")); got != "[]" {
		t.Errorf("nothing is written as %s", got)
	}
}

func TestAppendCBORSaysWhatAppendJSONSays(t *testing.T) {
	var records []map[int]any
	if err := cbor.Unmarshal(senml.AppendCBOR(nil, sample(t), "gate-7"), &records); err != nil {
		t.Fatal(err)
	}
	want := []map[int]any{
		{-3: 1772366400.25, 0: "seq", 2: uint64(4711)},
		{0: "speed/2", 1: "km/h", 2: 47.5},
		{0: "cam-1/intensity", 1: "count", 2: uint64(12), 6: uint64(60)},
		{0: "cam-1/water_flow/L1", 2: -0.1, 6: -0.001},
		{0: "door", 2: uint64(1)},
	}
	if diff := cmp.Diff(want, records); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestStampedReadingsAreWrittenWithoutATime(t *testing.T) {
	m := sample(t)
	m.Readings[1].Stamped, m.Readings[1].Measured = true, wiretest.From.Received
	for name, payload := range encodings(m) {
		got := decoders()[name](t, payload)
		if diff := cmp.Diff(m.Readings, got.Readings); diff != "" {
			t.Errorf("%s: -want +got\n%s", name, diff)
		}
	}
}

func TestValuesThatAreNotFiniteBecomeFaults(t *testing.T) {
	for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		m := sample(t)
		m.Readings[0].Value = v
		for name, payload := range encodings(m) {
			got := decoders()[name](t, payload)
			if len(got.Readings) != len(m.Readings)-1 || len(got.Faults) != 1 || got.Faults[0].Reason != telemetry.ReasonNotANumber {
				t.Errorf("%s of %v: %s", name, v, wiretest.Render(got))
			}
		}
	}
}

func encodings(m *telemetry.Message) map[string][]byte {
	return map[string][]byte{
		"JSON": senml.AppendJSON(nil, m, wiretest.From.Publisher),
		"CBOR": senml.AppendCBOR(nil, m, wiretest.From.Publisher),
	}
}

func decoders() map[string]func(t testing.TB, payload []byte) *telemetry.Message {
	return map[string]func(t testing.TB, payload []byte) *telemetry.Message{
		"CBOR": decodeCBOR,
		"JSON": func(t testing.TB, payload []byte) *telemetry.Message {
			t.Helper()
			var m telemetry.Message
			senml.NewDecoder(telemetry.DefaultLimits()).DecodeJSON(&m, payload, wiretest.From)
			wiretest.Check(t, &m, telemetry.DefaultLimits())
			return &m
		},
	}
}

// message draws any message that SenML can say.
func message(t *rapid.T) *telemetry.Message {
	all := telemetry.Quantities()
	sensors := rapid.SampledFrom([]telemetry.SensorID{wiretest.From.Publisher, "cam-1", "0-", "site-0001"})
	reading := rapid.Custom(func(t *rapid.T) telemetry.Reading {
		q := &all[rapid.IntRange(0, len(all)-1).Draw(t, "quantity")]
		r := telemetry.Reading{
			Sensor: sensors.Draw(t, "sensor"), Quantity: q.ID, Channel: rapid.StringMatching(`[a-zA-Z0-9._-]{0,32}`).Draw(t, "channel"),
			Measured: telemetry.UnixMilli(rapid.Int64Range(268_435_456_000, 253_402_300_799_999).Draw(t, "measured")),
		}
		if q.Kind == telemetry.State {
			r.Value = float64(rapid.IntRange(0, 9).Draw(t, "state"))
		} else {
			r.Value = rapid.Float64().Draw(t, "value")
		}
		if rapid.IntRange(0, 9).Draw(t, "stamped") == 0 {
			r.Stamped, r.Measured = true, wiretest.From.Received
		}
		return r
	})
	m := &telemetry.Message{Readings: rapid.SliceOfN(reading, 0, 5).Draw(t, "readings"), HasSeq: rapid.Bool().Draw(t, "has seq")}
	if m.HasSeq {
		m.Seq = rapid.Uint64().Draw(t, "seq")
	}
	return m
}

func TestWhatIsWrittenIsReadAgain(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := message(rt)
		for name, payload := range encodings(m) {
			got := decoders()[name](t, payload)
			if diff := cmp.Diff(m, got, cmp.Comparer(sameFloat), cmp.Transformer("nil", func(r []telemetry.Reading) []telemetry.Reading {
				return append([]telemetry.Reading{}, r...)
			})); diff != "" {
				rt.Fatalf("%s: -want +got\n%s\n%q", name, diff, payload)
			}
		}
	})
}

func sameFloat(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) }

// Another SenML library and another CBOR library read what the encoders write, and resolve it to the same.
func TestOtherLibrariesReadWhatIsWritten(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := message(rt)
		payloads := encodings(m)
		if !json.Valid(payloads["JSON"]) || cbor.Wellformed(payloads["CBOR"]) != nil {
			rt.Fatalf("not valid: %q, %x", payloads["JSON"], payloads["CBOR"])
		}
		for name, format := range map[string]oracle.Format{"JSON": oracle.JSON, "CBOR": oracle.CBOR} {
			pack, err := oracle.Decode(payloads[name], format)
			if err != nil {
				rt.Fatalf("%s: %v: %q", name, err, payloads[name])
			}
			compareWithOracle(rt, m, pack, name)
		}
	})
}

func compareWithOracle(t *rapid.T, m *telemetry.Message, pack oracle.Pack, format string) {
	records := pack.Records
	if m.HasSeq {
		if len(records) == 0 || records[0].Name != "seq" || *records[0].Value != float64(m.Seq) {
			t.Fatalf("%s: no seq %d in %+v", format, m.Seq, records)
		}
	}
	var base float64
	for _, r := range records {
		if r.BaseTime != 0 {
			base = r.BaseTime
		}
	}
	records = records[len(records)-len(m.Readings):]
	for i, r := range m.Readings {
		name := r.Quantity.String()
		if r.Sensor != wiretest.From.Publisher {
			name = string(r.Sensor) + "/" + name
		}
		if r.Channel != "" {
			name += "/" + r.Channel
		}
		got := records[i]
		milli := telemetry.UnixMilli(math.Round((base + got.Time) * 1000))
		if got.Name != name || got.Unit != r.Quantity.Quantity().Unit.SenML || got.Value == nil || !sameFloat(*got.Value, r.Value) ||
			r.Stamped != (milli == 0) || !r.Stamped && milli != r.Measured {
			t.Fatalf("%s: %+v is read as %+v, value %v", format, r, got, got.Value)
		}
	}
}

func TestEncodingAllocatesNothing(t *testing.T) {
	m, buffer := sample(t), make([]byte, 0, 4096)
	if n := testing.AllocsPerRun(100, func() {
		buffer = senml.AppendJSON(buffer[:0], m, "gate-7")
		buffer = senml.AppendCBOR(buffer[:0], m, "gate-7")
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// Whatever a payload was read as is written and read again the same, in both encodings.
func stable(t *testing.T, m *telemetry.Message) {
	t.Helper()
	for _, r := range m.Readings {
		_, likeQuantity := telemetry.QuantityByName(string(r.Sensor))
		if !r.Stamped && r.Measured < 268_435_456_000 || likeQuantity {
			return // SenML cannot say that
		}
	}
	for name, payload := range encodings(m) {
		got := decoders()[name](t, payload)
		got.Faults, m.Faults = nil, nil
		if want, got := wiretest.Render(m), wiretest.Render(got); want != got {
			t.Errorf("%s: %s", name, cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n")))
		}
	}
}

func FuzzDecodeJSON(f *testing.F) {
	wiretest.Seed(f, "testdata/*.json")
	d := senml.NewDecoder(telemetry.DefaultLimits())
	f.Fuzz(func(t *testing.T, payload []byte) {
		var m telemetry.Message
		d.DecodeJSON(&m, payload, wiretest.From)
		wiretest.Check(t, &m, telemetry.DefaultLimits())
		stable(t, &m)
	})
}

func FuzzDecodeCBOR(f *testing.F) {
	wiretest.Seed(f, "testdata/*.cbor")
	oracle, err := cbor.DecOptions{MaxNestedLevels: 65535}.DecMode() // tags in tags count as levels there
	if err != nil {
		f.Fatal(err)
	}
	d := senml.NewDecoder(telemetry.DefaultLimits())
	f.Fuzz(func(t *testing.T, payload []byte) {
		var m telemetry.Message
		d.DecodeCBOR(&m, payload, wiretest.From)
		wiretest.Check(t, &m, telemetry.DefaultLimits())
		if len(m.Readings) == 0 && len(m.Faults) == 0 && oracle.Wellformed(payload) != nil {
			t.Errorf("%x is not well-formed, and nothing says so", payload)
		}
		stable(t, &m)
	})
}

func BenchmarkAppend(b *testing.B) {
	m := &telemetry.Message{Seq: 1, HasSeq: true}
	for len(m.Readings) < 100 {
		m.Readings = append(m.Readings, sample(b).Readings...)
	}
	for name, encode := range map[string]func([]byte, *telemetry.Message, telemetry.SensorID) []byte{"JSON": senml.AppendJSON, "CBOR": senml.AppendCBOR} {
		b.Run(name+" 100 readings", func(b *testing.B) {
			buffer := encode(nil, m, "gate-7")
			b.ReportAllocs()
			b.SetBytes(int64(len(buffer)))
			for b.Loop() {
				buffer = encode(buffer[:0], m, "gate-7")
			}
		})
	}
}
