package wiretest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lamppost-city/lamppost/telemetry"
)

// Rule is what a decoder makes of a payload. It has no type name of its own so that tables of it stay short.
type Rule = struct {
	// Name says the rule.
	Name, Payload string
	// Readings are those read, as "sensor quantity/channel value time", and "seq n", separated by "; ".
	Readings string
	// Faults are "reason word", where the word stands in the detail.
	Faults []string
}

// Rules holds a decoder to each rule; every rule gets a decoder that has not met anything yet.
func Rules(t *testing.T, newDecode func() Decode, rules []Rule) {
	t.Helper()
	for _, rule := range rules {
		t.Run(rule.Name, func(t *testing.T) {
			var m telemetry.Message
			newDecode()(&m, []byte(rule.Payload), From)
			Check(t, &m, telemetry.DefaultLimits())
			if diff := cmp.Diff(rule.Readings, brief(&m)); diff != "" {
				t.Errorf("readings: -want +got\n%s", diff)
			}
			if len(m.Faults) != len(rule.Faults) {
				t.Fatalf("faults %v, want %q", m.Faults, rule.Faults)
			}
			for i, want := range rule.Faults {
				reason, word, _ := strings.Cut(want, " ")
				if f := m.Faults[i]; f.Reason.String() != reason || !strings.Contains(f.Detail, word) {
					t.Errorf("fault %d is %s: %s; want %s with %q", i, f.Reason, f.Detail, reason, word)
				}
			}
		})
	}
}

// brief writes the readings as Rule.Readings does: the time of day, or the year where it is not 2026.
func brief(m *telemetry.Message) string {
	var got []string
	for _, r := range m.Readings {
		name := r.Quantity.String()
		if r.Channel != "" {
			name += "/" + r.Channel
		}
		at := r.Measured.Time().Format("15:04:05.000")
		if year := r.Measured.Time().Year(); year != 2026 {
			at = fmt.Sprint(year)
		}
		if r.Stamped {
			at += " stamped"
		}
		got = append(got, fmt.Sprintf("%s %s %v %s", r.Sensor, name, r.Value, at))
	}
	if m.HasSeq {
		got = append(got, fmt.Sprint("seq ", m.Seq))
	}
	return strings.Join(got, "; ")
}
