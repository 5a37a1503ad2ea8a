package city_test

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/lamppost-city/lamppost/dashboards/datasource/city"
)

// Arrays of numbers are read as encoding/json reads them, with NaN for null.
func FuzzFloats(f *testing.F) {
	for _, seed := range []string{`[]`, `[1,2.5,null,-3e-4]`, ` [ 1 , null ] `, `null`, `["a"]`, `[[1]]`, `{}`, `[1e999]`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var want []*float64
		wantErr := json.Unmarshal(text, &want)
		var got city.Floats
		err := json.Unmarshal(text, &got)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%q: %v, want %v", text, err, wantErr)
		}
		if err != nil {
			return
		}
		if len(got) != len(want) {
			t.Fatalf("%q: %d numbers, want %d", text, len(got), len(want))
		}
		for i, v := range want {
			if v == nil != math.IsNaN(got[i]) || v != nil && *v != got[i] {
				t.Errorf("%q: %g at %d", text, got[i], i)
			}
		}
	})
}
