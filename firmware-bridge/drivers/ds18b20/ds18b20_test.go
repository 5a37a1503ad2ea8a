package ds18b20_test

import (
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver/drivertest"
	"github.com/lamppost-city/lamppost/firmware-bridge/drivers/ds18b20"
	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
)

// The temperatures of table 1 of the data sheet with their bytes, but for 85 °C.
func TestReadsTheDataSheetsTemperatures(t *testing.T) {
	for _, c := range []struct {
		low, high string
		want      float64
	}{
		{"d0", "07", 125},
		{"91", "01", 25.0625},
		{"a2", "00", 10.125},
		{"08", "00", 0.5},
		{"00", "00", 0},
		{"f8", "ff", -0.5},
		{"5e", "ff", -10.125},
		{"6f", "fe", -25.0625},
		{"90", "fc", -55},
	} {
		text := ds18b20.Text(c.want)
		if !strings.HasPrefix(text, c.low+" "+c.high+" ") {
			t.Errorf("%g °C is %q", c.want, text)
		}
		got, err := ds18b20.Parse(text)
		if err != nil || math.Abs(got-c.want) > 0.001 { // the kernel cuts to thousandths
			t.Errorf("%q: %g, %v", text, got, err)
		}
	}
}

func TestChecksumIsTheOneOfTheChip(t *testing.T) {
	if got := ds18b20.Text(25.0625); !strings.HasPrefix(got, "91 01 4b 46 7f ff 0f 10 25 : crc=25 YES\n") {
		t.Errorf("got %q", got)
	}
}

func TestTextThatIsNoTemperature(t *testing.T) {
	for _, c := range []struct {
		name, text string
		kind       fault.Kind
	}{
		{"power on", "50 05 4b 46 7f ff 0c 10 1c : crc=1c YES\n50 05 4b 46 7f ff 0c 10 1c t=85000\n", fault.Implausible},
		{"wrong checksum", "91 01 4b 46 7f ff 0f 10 24 : crc=25 NO\n91 01 4b 46 7f ff 0f 10 24 t=25062\n", fault.Garbled},
		{"line shorted, checksum of zeros", "00 00 00 00 00 00 00 00 00 : crc=00 YES\n00 00 00 00 00 00 00 00 00 t=0\n", fault.Garbled},
		{"nobody", "ff ff ff ff ff ff ff ff ff : crc=c9 NO\nff ff ff ff ff ff ff ff ff t=-62\n", fault.Absent},
		{"beyond the device", "f0 0f 4b 46 7f ff 10 10 00 : crc=00 YES\nf0 0f 4b 46 7f ff 10 10 00 t=255000\n", fault.Implausible},
		{"nothing", "", fault.Garbled},
		{"half", "91 01 4b 46 7f ff 0f 10 24 : crc=24 YES\n", fault.Garbled},
		{"short scratchpad", "91 01 4b : crc=24 YES\n91 01 4b t=25062\n", fault.Garbled},
		{"no number", "91 01 4b 46 7f ff 0f 10 24 : crc=24 YES\n91 01 4b 46 7f ff 0f 10 24 t=warm\n", fault.Garbled},
	} {
		if got, err := ds18b20.Parse(c.text); fault.KindOf(err) != c.kind {
			t.Errorf("%s: %g, %v (%s)", c.name, got, err, fault.KindOf(err))
		}
	}
}

// w1 is a folder as the kernel shows it, with thermometers at 11.5 °C.
func w1(t *testing.T, ids ...string) (root string, b *bus.Bus) {
	t.Helper()
	root = t.TempDir()
	for _, id := range ids {
		if err := os.Mkdir(filepath.Join(root, id), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, id, "w1_slave"), []byte(ds18b20.Text(11.5)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, err := bus.Open(t.Context(), bus.Config{ID: "w1", Type: bus.OneWire, Device: root}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return root, b
}

const (
	one = "28-0316a2794bff"
	two = "28-0416a17e2cff"
)

func TestOnlyDeviceNeedsNoID(t *testing.T) {
	_, b := w1(t, one, "26-000001a2b3c4") // that is a battery monitor
	s := drivertest.Open(t, ds18b20.Driver(), b, map[string]any{"quantity": "road_temperature", "channel": "deep", "offset": -0.5})
	got, err := s.Read(t.Context())
	want := []driver.Measurement{{Quantity: "road_temperature", Channel: "deep", Value: 11}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
}

func TestMissingDeviceIsAbsentAndTheOthersAreListed(t *testing.T) {
	_, b := w1(t, one, two)
	for id, kind := range map[string]fault.Kind{"": fault.Misconfigured, "28-00000000abcd": fault.Absent} {
		err := drivertest.OpenError(t, ds18b20.Driver(), b, map[string]any{"id": id})
		if fault.KindOf(err) != kind || !strings.Contains(fault.AdviceOf(err), one+", "+two) {
			t.Errorf("id %q: %v (%s), %q", id, err, fault.KindOf(err), fault.AdviceOf(err))
		}
	}
	_, b = w1(t)
	if err := drivertest.OpenError(t, ds18b20.Driver(), b, nil); fault.KindOf(err) != fault.Absent || fault.AdviceOf(err) == "" {
		t.Errorf("an empty line: %v (%s)", err, fault.KindOf(err))
	}
}

func TestDeviceThatGoesAwayComesBack(t *testing.T) {
	root, b := w1(t, one, two)
	s := drivertest.Open(t, ds18b20.Driver(), b, map[string]any{"id": two})
	away := filepath.Join(t.TempDir(), two)
	if err := os.Rename(filepath.Join(root, two), away); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Read(t.Context()); fault.KindOf(err) != fault.Absent || !strings.Contains(fault.AdviceOf(err), one) {
		t.Errorf("away: %v (%s), %q", err, fault.KindOf(err), fault.AdviceOf(err))
	}
	if err := os.Rename(away, filepath.Join(root, two)); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Read(t.Context()); err != nil || len(got) != 1 || got[0].Value != 11.5 {
		t.Errorf("back: %v, %v", got, err)
	}
}

func TestProbeListsThermometers(t *testing.T) {
	_, b := w1(t, one, two, "26-000001a2b3c4")
	found, err := ds18b20.Driver().Probe(t.Context(), b)
	if err != nil || len(found) != 2 || found[1].Options["id"] != two {
		t.Errorf("got %v, %v", found, err)
	}
}

func TestOptionsSayWhatIsWrong(t *testing.T) {
	for key, value := range map[string]any{"id": "28-0316A2794BFF", "quantity": "speed", "channel": "a b", "offset": "NaN"} {
		if err := driver.Decode(ds18b20.Driver().Options(), map[string]any{key: value}); err == nil || !strings.Contains(err.Error(), key+":") && key != "quantity" {
			t.Errorf("%s %v: %v", key, value, err)
		}
	}
}

func TestSimulated(t *testing.T) { drivertest.Simulated(t, ds18b20.Driver()) }

func FuzzParse(f *testing.F) {
	f.Add(ds18b20.Text(20.5))
	f.Add("50 05 4b 46 7f ff 0c 10 1c : crc=1c YES\n50 05 4b 46 7f ff 0c 10 1c t=85000\n")
	f.Fuzz(func(t *testing.T, text string) {
		if c, err := ds18b20.Parse(text); err == nil && !(c >= -55 && c <= 125 && c != 85) {
			t.Errorf("%q is %g °C", text, c)
		}
	})
}
