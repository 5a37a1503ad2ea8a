// Package wiretest is what the tests of telemetry's decoders share: golden files, and what holds for every message.
//
// Only tests call it. A payload in testdata has a file beside it, named .golden, that says what is read from it:
//
//	speed.json ──Decode──► Message ──Render──► compared with speed.json.golden
package wiretest

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/lamppost-city/lamppost/telemetry"
)

// From is where golden payloads come from: gate-7, received 2026-03-01T12:00:01Z.
var From = telemetry.Origin{Publisher: "gate-7", Received: 1772366401000}

// Decode is a decoder's method.
type Decode func(msg *telemetry.Message, payload []byte, from telemetry.Origin)

// Render writes a message as lines that people can read.
func Render(m *telemetry.Message) string {
	var b strings.Builder
	for _, r := range m.Readings {
		fmt.Fprintf(&b, "reading %s %s", r.Sensor, r.Quantity)
		if r.Channel != "" {
			fmt.Fprintf(&b, "/%s", r.Channel)
		}
		fmt.Fprintf(&b, " %v %s", r.Value, r.Measured.Time().Format("2006-01-02T15:04:05.000Z"))
		if r.Stamped {
			b.WriteString(" stamped")
		}
		b.WriteByte('\n')
	}
	for _, f := range m.Faults {
		fmt.Fprintf(&b, "fault %s %s: %s\n", f.Reason, f.Sensor, f.Detail)
	}
	if m.HasSeq {
		fmt.Fprintf(&b, "seq %d\n", m.Seq)
	}
	return b.String()
}

// Golden decodes the files of the pattern and compares each with its golden file. With LAMPPOST_UPDATE_GOLDEN set it writes
// them instead.
func Golden(t *testing.T, pattern string, decode Decode) {
	t.Helper()
	files := Files(t, pattern)
	if len(files) == 0 {
		t.Fatalf("no file is like %s", pattern)
	}
	for name, payload := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			var m telemetry.Message
			decode(&m, payload, From)
			Check(t, &m, telemetry.DefaultLimits())
			golden := name + ".golden"
			if os.Getenv("LAMPPOST_UPDATE_GOLDEN") != "" {
				if err := os.WriteFile(golden, []byte(Render(&m)), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), Render(&m)); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

// Files reads the files of the pattern; folders are passed over.
func Files(t testing.TB, pattern string) map[string][]byte {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, name := range names {
		if info, err := os.Stat(name); err == nil && info.IsDir() {
			continue
		}
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = data
	}
	return files
}

// Seed adds the files of the pattern to a fuzz target's corpus, whole and cut in half.
func Seed(f *testing.F, pattern string) {
	for _, payload := range Files(f, pattern) {
		f.Add(payload)
		f.Add(payload[:len(payload)/2])
	}
}

// Check fails the test unless everything holds that a message promises, whatever it was read from.
func Check(t testing.TB, m *telemetry.Message, limits telemetry.Limits) {
	t.Helper()
	// A record may end the message with a few faults of its own and one that says that there was more.
	if n := len(m.Readings) + len(m.Faults); n > limits.MaxReadings+4 {
		t.Errorf("%d readings and faults with a limit of %d", n, limits.MaxReadings)
	}
	for _, r := range m.Readings {
		if err := r.Sensor.Check(); err != nil {
			t.Errorf("%+v: %v", r, err)
		}
		if err := telemetry.CheckChannel(r.Channel); err != nil {
			t.Errorf("%+v: %v", r, err)
		}
		if math.IsNaN(r.Value) || math.IsInf(r.Value, 0) {
			t.Errorf("%+v is not finite", r)
		}
		if year := r.Measured.Time().Year(); year < 1 || year > 9999 {
			t.Errorf("%+v is of the year %d", r, year)
		}
		if r.Stamped && r.Measured != From.Received {
			t.Errorf("%+v is stamped with another time than that of receipt", r)
		}
	}
	for _, f := range m.Faults {
		if _, known := telemetry.ParseReason(f.Reason.String()); !known {
			t.Errorf("fault %+v has no reason", f)
		}
		if f.Detail == "" || len(f.Detail) > 200 || !utf8.ValidString(f.Detail) {
			t.Errorf("detail %q is empty, too long or not UTF-8", f.Detail)
		}
		if err := f.Sensor.Check(); err != nil {
			t.Errorf("fault %+v: %v", f, err)
		}
	}
}
