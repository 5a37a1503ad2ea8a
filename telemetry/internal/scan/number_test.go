package scan_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/lamppost-city/lamppost/telemetry/internal/scan"
)

// checkNumber holds ParseNumber to JSON's grammar and to strconv, to the last bit.
func checkNumber(t *testing.T, text string) {
	t.Helper()
	var v scan.Value
	scan.ParseNumber([]byte(text), &v)
	f, err := strconv.ParseFloat(text, 64)
	isNumber := json.Valid([]byte(text)) && strings.IndexByte("-0123456789", text[0]) >= 0 && !strings.ContainsAny(text, " \t\r\n")
	if !isNumber || err != nil {
		if v.Kind != scan.Junk {
			t.Errorf("%q is read as %v, want junk", text, v.Num)
		}
		return
	}
	if v.Kind != scan.Number || math.Float64bits(v.Num) != math.Float64bits(f) {
		t.Errorf("%q is kind %d, %v (%x), want %v (%x)", text, v.Kind, v.Num, math.Float64bits(v.Num), f, math.Float64bits(f))
	}
	whole, err := strconv.ParseUint(text, 10, 64)
	if v.Whole && (err != nil || v.Uint != whole) {
		t.Errorf("%q is whole %d, want %d, %v", text, v.Uint, whole, err)
	}
}

var numbers = []string{
	"0", "-0", "0.0", "-0.0", "1", "-1", "47.5", "0.31", "1e5", "1E+5", "1e-5", "123456789012345", "9007199254740991",
	"9007199254740993", "12345678901234567890", "18446744073709551615", "18446744073709551616", "99999999999999999999",
	"0.1", "0.30000000000000004", "1e22", "1e23", "1e-22", "1e-23", "4503599627370497.5", "1.7976931348623157e308",
	"1.7976931348623159e308", "1e309", "-1e309", "5e-324", "2e-324", "2.2250738585072011e-308", "1e99999999999",
	"1e-99999999999", "0e999", "0.000000000000000000000000000001", "100000000000000000000000000000",
	"01", "-", "+1", ".5", "5.", "1e", "1e+", "0x10", "NaN", "Infinity", "1_000", "1,5", "--1", "1.2.3", "00", "-01", "1e5.5",
}

func TestNumbersAreThoseOfStrconv(t *testing.T) {
	for _, text := range numbers {
		checkNumber(t, text)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 200_000 {
		f := math.Float64frombits(random.Uint64())
		if math.IsNaN(f) || math.IsInf(f, 0) {
			continue
		}
		checkNumber(t, strconv.FormatFloat(f, 'g', -1, 64))
		checkNumber(t, strconv.FormatFloat(float64(random.IntN(1e7))/1000, 'f', -1, 64))
	}
}

func FuzzNumber(f *testing.F) {
	for _, text := range numbers {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if text != "" {
			checkNumber(t, text)
		}
	})
}

func TestCountIsOnlyWhatWasSurelyWritten(t *testing.T) {
	for text, want := range map[string]uint64{
		"0": 0, "17": 17, "17.0": 17, "1.7e1": 17, "9007199254740993": 9007199254740993, "18446744073709551615": math.MaxUint64,
	} {
		var v scan.Value
		scan.ParseNumber([]byte(text), &v)
		if got, ok := v.Count(); got != want || !ok {
			t.Errorf("%s counts %d, %t", text, got, ok)
		}
	}
	for _, text := range []string{"-1", "1.5", "1e300", "9007199254740993.0", "18446744073709551616", "x"} {
		var v scan.Value
		scan.ParseNumber([]byte(text), &v)
		if got, ok := v.Count(); ok {
			t.Errorf("%s counts %d", text, got)
		}
	}
}

func BenchmarkParseNumber(b *testing.B) {
	for _, text := range []string{"12", "47.5", "1772366400.25", "0.30000000000000004"} {
		b.Run(text, func(b *testing.B) {
			var v scan.Value
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
			in := []byte(text)
			for b.Loop() {
				scan.ParseNumber(in, &v)
			}
		})
	}
}
