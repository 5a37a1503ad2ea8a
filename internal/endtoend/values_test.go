package endtoend_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lamppost-city/lamppost/internal/endtoend"
)

// TestDifferencesAreFound: a comparison that finds nothing proves nothing unless it can find something.
func TestDifferencesAreFound(t *testing.T) {
	k := endtoend.Key{Sensor: "loop-1", Quantity: "speed"}
	whole := func() endtoend.Values { return endtoend.Values{k: {{1, 1}, {2, 2}, {3, 3}}} }
	for name, c := range map[string]struct {
		got  endtoend.Values
		want []string
	}{
		"the same in another order": {endtoend.Values{k: {{3, 3}, {1, 1}, {2, 2}}}, nil},
		"one is missing":            {endtoend.Values{k: {{1, 1}, {3, 3}}}, []string{"2 is missing"}},
		"one is there twice":        {endtoend.Values{k: {{1, 1}, {2, 2}, {2, 2}, {3, 3}}}, []string{"2 should not be there"}},
		"one has another value":     {endtoend.Values{k: {{1, 1}, {2, 9}, {3, 3}}}, []string{"2 is missing", "9 should not be there"}},
		"one has another time":      {endtoend.Values{k: {{1, 1}, {4, 2}, {3, 3}}}, []string{"2 is missing", "2 should not be there"}},
		"a series is missing":       {endtoend.Values{}, []string{"1 is missing", "2 is missing", "3 is missing"}},
	} {
		t.Run(name, func(t *testing.T) {
			var told []string
			for _, d := range endtoend.Differences(whole(), c.got) {
				_, what, _ := strings.Cut(d, "): ")
				told = append(told, what)
			}
			if diff := cmp.Diff(c.want, told); diff != "" {
				t.Errorf("differences (-want +got):\n%s", diff)
			}
			if same := c.got.Checksum() == whole().Checksum(); same != (c.want == nil) {
				t.Errorf("checksums are the same: %t", same)
			}
		})
	}
}
