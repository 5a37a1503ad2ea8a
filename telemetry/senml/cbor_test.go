package senml_test

import (
	"encoding/hex"
	"math"
	"math/big"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"

	"github.com/lamppost-city/lamppost/telemetry"
	"github.com/lamppost-city/lamppost/telemetry/internal/wiretest"
	"github.com/lamppost-city/lamppost/telemetry/senml"
)

func decodeCBOR(t testing.TB, payload []byte) *telemetry.Message {
	t.Helper()
	var m telemetry.Message
	senml.NewDecoder(telemetry.DefaultLimits()).DecodeCBOR(&m, payload, wiretest.From)
	wiretest.Check(t, &m, telemetry.DefaultLimits())
	return &m
}

// value decodes a pack of one record whose v is the given item.
func value(t *testing.T, item []byte) *telemetry.Message {
	t.Helper()
	return decodeCBOR(t, append([]byte{0x81, 0xA2, 0x00, 0x65, 's', 'p', 'e', 'e', 'd', 0x02}, item...))
}

func TestNumbersOfEveryForm(t *testing.T) {
	big2to64 := new(big.Int).Lsh(big.NewInt(1), 64)
	for _, v := range []any{
		0, 1, 23, 24, 255, 256, 65535, 65536, int64(math.MaxUint32), int64(math.MaxUint32) + 1, uint64(math.MaxInt64), uint64(math.MaxUint64),
		-1, -24, -25, -256, -257, int64(math.MinInt64), float32(0.5), 0.1, math.MaxFloat64, math.SmallestNonzeroFloat64, math.Copysign(0, -1),
		big2to64, new(big.Int).Neg(big2to64),
		cbor.Tag{Number: 1, Content: 17},
		cbor.Tag{Number: 100, Content: cbor.Tag{Number: 1, Content: 1.5}},
	} {
		item, err := cbor.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var want float64
		switch v := v.(type) {
		case cbor.Tag:
			want = map[uint64]float64{1: 17, 100: 1.5}[v.Number]
		case *big.Int:
			want, _ = new(big.Float).SetInt(v).Float64()
		default:
			if err := cbor.Unmarshal(item, &want); err != nil {
				t.Fatal(err)
			}
		}
		m := value(t, item)
		if len(m.Readings) != 1 || math.Float64bits(m.Readings[0].Value) != math.Float64bits(want) {
			t.Errorf("%v (%x): %s", v, item, wiretest.Render(m))
		}
	}
}

func TestHalfFloatsAreThoseOfAnotherDecoder(t *testing.T) {
	d := senml.NewDecoder(telemetry.DefaultLimits())
	pack := []byte{0x81, 0xA2, 0x00, 0x65, 's', 'p', 'e', 'e', 'd', 0x02}
	for bits := range 1 << 16 {
		item := []byte{0xF9, byte(bits >> 8), byte(bits)}
		var want float64
		if err := cbor.Unmarshal(item, &want); err != nil {
			t.Fatal(err)
		}
		var m telemetry.Message
		d.DecodeCBOR(&m, append(pack, item...), wiretest.From)
		if want-want != 0 {
			if len(m.Faults) != 1 || m.Faults[0].Reason != telemetry.ReasonNotANumber {
				t.Fatalf("%x: %s", item, wiretest.Render(&m))
			}
			continue
		}
		if len(m.Readings) != 1 || math.Float64bits(m.Readings[0].Value) != math.Float64bits(want) {
			t.Fatalf("%x: %s, want %v", item, wiretest.Render(&m), want)
		}
	}
}

// Items in hexadecimal as they stand in v.
func TestItemsInV(t *testing.T) {
	for _, c := range []struct{ name, item, want string }{
		{"decimal fraction 273.15", "c48221196ab3", "273.15"},
		{"decimal fraction, negative", "c48221396ab2", "-273.15"},
		{"decimal fraction with a bignum", "c48200c249010000000000000000", "1.8446744073709552e+19"},
		{"decimal fraction that is tiny", "c4823a0001869f01", "0"},
		{"decimal fraction that is huge", "c4821a0001869f01", "not_a_number"},
		{"decimal fraction with a text", "c482016161", "not_a_number"},
		{"decimal fraction of three parts", "c483010203", "not_a_number"},
		{"decimal fraction that is a number", "c401", "not_a_number"},
		{"bigfloat 1.5", "c5822003", "1.5"},
		{"bigfloat beyond every float", "c5821a7fffffff01", "not_a_number"},
		{"bigfloat below every float", "c5823a7fffffff01", "0"},
		{"bignum that is a text", "c26161", "not_a_number"},
		{"bignum longer than any float", "c25884" + strings.Repeat("ff", 132), "not_a_number"},
		{"infinity as a float", "fa7f800000", "not_a_number"},
		{"NaN as a double", "fb7ff8000000000000", "not_a_number"},
		{"text", "6434372e35", "not_a_number"},
		{"bytes", "4101", "not_a_number"},
		{"array", "83010203", "not_a_number"},
		{"map of indefinite length", "bf0102ff", "not_a_number"},
		{"null", "f6", ""},
		{"undefined", "f7", ""},
		{"a simple value nobody gave a meaning", "f0", "not_a_number"},
		{"a simple value of two bytes", "f8ff", "not_a_number"},
		{"a simple value longer than it may be", "f806", "malformed"},
		{"a reserved head", "fc", "malformed"},
		{"a reserved length", "1c", "malformed"},
		{"a number of indefinite length", "1f", "malformed"},
		{"a break", "ff", "malformed"},
		{"a text longer than the payload", "7bffffffffffffffff", "malformed"},
		{"an array longer than the payload", "9bffffffffffffffff01", "malformed"},
		{"a piece of bytes in a text", "7f6161410161ff", "malformed"},
		{"pieces in pieces", "7f7f6161ffff", "malformed"},
		{"nested too deep", strings.Repeat("81", 40) + "01", "malformed"},
		{"endless nested too deep", strings.Repeat("9f", 40), "malformed"},
		{"tags in tags", strings.Repeat("c1", 5000) + "05", "5"},
		{"bignums in bignums", strings.Repeat("c2", 5000) + "4105", "malformed"},
		{"decimal fractions in decimal fractions", strings.Repeat("c482", 5000) + "05", "malformed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			item, err := hex.DecodeString(c.item)
			if err != nil {
				t.Fatal(err)
			}
			m := value(t, item)
			got := ""
			if len(m.Readings) == 1 {
				got = strings.Fields(wiretest.Render(m))[3]
			}
			if len(m.Faults) == 1 {
				got += m.Faults[0].Reason.String()
			}
			if got != c.want {
				t.Errorf("got %s, want %s", wiretest.Render(m), c.want)
			}
		})
	}
}

func TestLabelsMayBeIntegersOrTexts(t *testing.T) {
	type record struct {
		BaseName string  `cbor:"-2,keyasint"`
		BaseTime float64 `cbor:"-3,keyasint"`
		BaseUnit string  `cbor:"-4,keyasint"`
		BaseVal  float64 `cbor:"-5,keyasint"`
		Version  int     `cbor:"-1,keyasint"`
		Name     string  `cbor:"0,keyasint"`
		Unit     string  `cbor:"1,keyasint"`
		Value    float64 `cbor:"2,keyasint"`
		Time     float64 `cbor:"6,keyasint"`
		Update   int     `cbor:"7,keyasint"`
	}
	integers, err := cbor.Marshal([]record{{"cam-1/", 1772366400, "Pa", 1000, 10, "speed/2", "m/s", 10, 0.25, 5}})
	if err != nil {
		t.Fatal(err)
	}
	texts, err := cbor.Marshal([]map[string]any{{
		"bn": "cam-1/", "bt": 1772366400, "bu": "Pa", "bv": 1000, "bver": 10, "n": "speed/2", "u": "m/s", "v": 10, "t": 0.25, "ut": 5, "new": []int{1},
	}})
	if err != nil {
		t.Fatal(err)
	}
	const want = "reading cam-1 speed/2 3636 2026-03-01T12:00:00.250Z\n"
	for _, payload := range [][]byte{integers, texts} {
		if got := wiretest.Render(decodeCBOR(t, payload)); got != want {
			t.Errorf("%x: %s", payload, got)
		}
	}
}

// A pack that is cut anywhere gives the records before the cut, and one fault.
func TestCutAtEveryByte(t *testing.T) {
	payload := senml.AppendCBOR(nil, sample(t), wiretest.From.Publisher)
	whole := len(decodeCBOR(t, payload).Readings)
	last := 0
	for n := range payload {
		m := decodeCBOR(t, payload[:n])
		if len(m.Faults) != 1 || m.Faults[0].Reason != telemetry.ReasonMalformed || len(m.Readings) < last || len(m.Readings) >= whole {
			t.Errorf("cut at %d of %d: %s", n, len(payload), wiretest.Render(m))
		}
		last = len(m.Readings)
	}
}
