package replay_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/lamppost-city/lamppost/firmware-bridge/uplink/uplinktest"
	"github.com/lamppost-city/lamppost/simulate/replay"
	"github.com/lamppost-city/lamppost/simulate/replay/replaytest"
	"github.com/lamppost-city/lamppost/telemetry"
	"github.com/lamppost-city/lamppost/telemetry/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func config(address string, paths ...string) replay.Config {
	cfg := replay.DefaultConfig()
	cfg.Paths, cfg.Speed = paths, 0
	cfg.MQTT.URL, cfg.MQTT.Connections = "mqtt://"+address, 2
	return cfg
}

// replayed sends paths to a broker and returns the readings that ingest would see, in the order in which they came.
func replayed(t *testing.T, paths ...string) ([]telemetry.Reading, replay.Report) {
	t.Helper()
	broker := uplinktest.New(t, uplinktest.AckAll)
	cfg := config(broker.Address(), paths...)
	cfg.MQTT.Connections = 1
	report, err := replay.Run(t.Context(), cfg, quiet())
	if err != nil {
		t.Fatal(err)
	}
	readings := decode(t, broker)
	if report.Readings != uint64(len(readings)) {
		t.Errorf("report %+v; the broker got %d readings", report, len(readings))
	}
	return readings, report
}

func decode(t *testing.T, broker *uplinktest.Broker) []telemetry.Reading {
	t.Helper()
	d := wire.NewDecoder(telemetry.DefaultLimits())
	var m telemetry.Message
	var all []telemetry.Reading
	last := map[telemetry.SensorID]uint64{}
	for _, one := range broker.Seen() {
		m.Reset()
		id := telemetry.SensorID(strings.Split(one.Topic, "/")[1])
		d.Decode(&m, []byte(one.Payload), telemetry.Origin{Publisher: id, Received: telemetry.MilliOf(time.Now())})
		if len(m.Faults) > 0 || !m.HasSeq || last[id] != 0 && m.Seq != last[id]+1 {
			t.Fatalf("%s: faults %v, sequence %d after %d", one.Payload, m.Faults, m.Seq, last[id])
		}
		last[id] = m.Seq
		for _, r := range m.Readings {
			if q := r.Quantity.Quantity(); r.Value < q.Min || r.Value > q.Max || r.Stamped {
				t.Fatalf("ingest would refuse %+v", r)
			}
		}
		all = append(all, m.Readings...)
	}
	return all
}

// Every value that is in the recordings, and no other, arrives, at its time and in the catalogue's unit.
func TestKnownRecordingsArriveWhole(t *testing.T) {
	dir := replaytest.Folder(t, 2)
	want, err := replaytest.Expected(dir)
	if err != nil {
		t.Fatal(err)
	}
	readings, report := replayed(t, dir)
	got := map[string]*replaytest.Series{}
	once := map[string]bool{}
	for i, r := range readings {
		s := replaytest.Series{Sensor: string(r.Sensor), Quantity: r.Quantity.String(), Channel: r.Channel}
		if got[s.Key()] == nil {
			got[s.Key()] = &s
		}
		got[s.Key()].Add(int64(r.Measured), r.Value)
		if id := fmt.Sprint(s.Key(), r.Measured); once[id] {
			t.Errorf("%s has two values at %s", s.Key(), r.Measured.Time())
		} else {
			once[id] = true
		}
		if i > 0 && r.Measured < readings[i-1].Measured {
			t.Fatalf("%s at %s comes after %s", s.Key(), r.Measured.Time(), readings[i-1].Measured.Time())
		}
	}
	total := 0
	for i := range want {
		total += want[i].Count
		if got[want[i].Key()] == nil {
			t.Errorf("no values of %s", want[i].Key())
		} else if err := want[i].Same(got[want[i].Key()]); err != nil {
			t.Error(err)
		}
		delete(got, want[i].Key())
	}
	for key := range got {
		t.Errorf("values of %s, which no recording has", key)
	}
	if report.Files != 7 || report.Replaced != 0 || report.BadRows != 0 || len(readings) != total {
		t.Errorf("report %+v; %d readings, want %d", report, len(readings), total)
	}
	t.Log(report, len(want), "series")
}

// reading is a value as text, for comparison.
func lines(readings []telemetry.Reading, keep func(telemetry.Reading) bool) []string {
	var out []string
	for _, r := range readings {
		if keep == nil || keep(r) {
			name := r.Quantity.String()
			if r.Channel != "" {
				name += "/" + r.Channel
			}
			out = append(out, fmt.Sprintf("%s %s %s %.6g", r.Measured.Time().Format("2006-01-02T15:04:05Z"), r.Sensor, name, r.Value))
		}
	}
	return out
}

// The hours around each change of the clock, and other traps, as they are in the recordings.
func TestKnownTrapsByExactValues(t *testing.T) {
	readings, _ := replayed(t, replaytest.Folder(t, 2))
	for _, trap := range []struct {
		name, from, to, sensor string
		quantities             string
		want                   []string
	}{
		{
			"the end of summer time 2012: one row for the hour that comes twice", "2012-11-04T07:00:00Z", "2012-11-04T10:00:00Z", "fremont-bridge", "bicycles",
			[]string{
				"2012-11-04T07:00:00Z fremont-bridge bicycles/nb 11", "2012-11-04T07:00:00Z fremont-bridge bicycles/sb 7",
				"2012-11-04T08:00:00Z fremont-bridge bicycles/nb 4", "2012-11-04T08:00:00Z fremont-bridge bicycles/sb 6",
				"2012-11-04T10:00:00Z fremont-bridge bicycles/nb 5", "2012-11-04T10:00:00Z fremont-bridge bicycles/sb 5",
			},
		},
		{
			"the beginning of summer time 2013: two rows 03:00, the second of them the empty hour that follows", "2013-03-10T08:00:00Z", "2013-03-10T12:00:00Z", "fremont-bridge", "bicycles",
			[]string{
				"2013-03-10T08:00:00Z fremont-bridge bicycles/nb 9", "2013-03-10T08:00:00Z fremont-bridge bicycles/sb 2",
				"2013-03-10T09:00:00Z fremont-bridge bicycles/nb 10", "2013-03-10T09:00:00Z fremont-bridge bicycles/sb 8",
				"2013-03-10T10:00:00Z fremont-bridge bicycles/nb 7", "2013-03-10T10:00:00Z fremont-bridge bicycles/sb 0",
				"2013-03-10T11:00:00Z fremont-bridge bicycles/nb 2", "2013-03-10T11:00:00Z fremont-bridge bicycles/sb 2",
				"2013-03-10T12:00:00Z fremont-bridge bicycles/nb 1", "2013-03-10T12:00:00Z fremont-bridge bicycles/sb 1",
			},
		},
		{
			"the beginning of summer time 2014: the first row 03:00 is empty", "2014-03-09T09:00:00Z", "2014-03-09T11:00:00Z", "fremont-bridge", "bicycles",
			[]string{
				"2014-03-09T09:00:00Z fremont-bridge bicycles/nb 0", "2014-03-09T09:00:00Z fremont-bridge bicycles/sb 0",
				"2014-03-09T10:00:00Z fremont-bridge bicycles/nb 0", "2014-03-09T10:00:00Z fremont-bridge bicycles/sb 0",
				"2014-03-09T11:00:00Z fremont-bridge bicycles/nb 2", "2014-03-09T11:00:00Z fremont-bridge bicycles/sb 2",
			},
		},
		{
			"12:00:00 AM is midnight", "2012-10-02T07:00:00Z", "2012-10-02T07:00:00Z", "fremont-bridge", "bicycles",
			[]string{"2012-10-02T07:00:00Z fremont-bridge bicycles/nb 0", "2012-10-02T07:00:00Z fremont-bridge bicycles/sb 0"},
		},
		{
			"-200 is missing; the hour that summer time would leave out is there", "2004-03-28T01:00:00Z", "2004-03-28T02:00:00Z", "roadside-air", "co nox no2 temperature relative_humidity absolute_humidity nmhc",
			[]string{
				"2004-03-28T01:00:00Z roadside-air co 1700", "2004-03-28T01:00:00Z roadside-air nmhc 95", "2004-03-28T01:00:00Z roadside-air nox 166.386",
				"2004-03-28T01:00:00Z roadside-air no2 79", "2004-03-28T01:00:00Z roadside-air temperature 9.3",
				"2004-03-28T01:00:00Z roadside-air relative_humidity 0.622", "2004-03-28T01:00:00Z roadside-air absolute_humidity 0.7294",
				"2004-03-28T02:00:00Z roadside-air co 2200", "2004-03-28T02:00:00Z roadside-air nmhc 129",
				"2004-03-28T02:00:00Z roadside-air temperature 8.2",
				"2004-03-28T02:00:00Z roadside-air relative_humidity 0.667", "2004-03-28T02:00:00Z roadside-air absolute_humidity 0.7276",
			},
		},
		{
			"day before month, kW, kvar, sub-meters", "2006-12-16T16:24:00Z", "2006-12-16T16:24:00Z", "household-meter", "",
			[]string{
				"2006-12-16T16:24:00Z household-meter active_power 4216", "2006-12-16T16:24:00Z household-meter reactive_power 418",
				"2006-12-16T16:24:00Z household-meter voltage 234.84", "2006-12-16T16:24:00Z household-meter current 18.4",
				"2006-12-16T16:24:00Z household-meter energy_used/kitchen 0", "2006-12-16T16:24:00Z household-meter energy_used/laundry 1",
				"2006-12-16T16:24:00Z household-meter energy_used/heating 17",
			},
		},
		{
			"miles per hour and percent", "2015-09-17T21:14:00Z", "2015-09-17T21:14:00Z", "mndot-6005", "",
			[]string{"2015-09-17T21:14:00Z mndot-6005 occupancy 0.0344", "2015-09-17T21:14:00Z mndot-6005 speed 140.013"},
		},
	} {
		t.Run(trap.name, func(t *testing.T) {
			got := lines(readings, func(r telemetry.Reading) bool {
				at := r.Measured.Time().Format(time.RFC3339)
				return string(r.Sensor) == trap.sensor && at >= trap.from && at <= trap.to &&
					(trap.quantities == "" || strings.Contains(" "+trap.quantities+" ", " "+r.Quantity.String()+" "))
			})
			if diff := cmp.Diff(trap.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Nothing is sent unless everything can be.
func TestFaultsAreFoundBeforeAnythingIsSent(t *testing.T) {
	good := common + "zone: Europe/Paris\ncolumns: [{column: v, quantity: temperature}]"
	unmapped := t.TempDir()
	if err := os.WriteFile(filepath.Join(unmapped, "secret.csv"), []byte("a,b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, path string
		says       []string
	}{
		{"no such folder", "/nowhere/data", []string{"/nowhere/data", "no file or folder"}},
		{"an empty folder", t.TempDir(), []string{"holds no *.csv"}},
		{"no mapping", unmapped, []string{"secret.csv has no mapping", "secret.mapping.yml"}},
		{"a bad time", write(t, good, "when,v\n2005-06-01 12:00,1\nyesterday,2\n"), []string{"street.csv line 3", `"yesterday"`}},
		{"a bad number", write(t, good, "when,v\n2005-06-01 12:00,warm\n2005-06-01 12:30,NaN\n"), []string{"line 2", `"warm"`, "line 3"}},
		{"a missing column", write(t, good, "when,w\n2005-06-01 12:00,1\n"), []string{`no column "v"`}},
		{"a time before SenML's", write(t, good, "when,v\n1975-06-01 12:00,1\n"), []string{"line 2", "1978"}},
		{"an empty file", write(t, good, ""), []string{"header", "street.csv"}},
		{"a broken mapping", write(t, common+`
zone: Mars/Olympus
separator: "ab"
decimal: x
duplicates: first
colour: blue`, ""), []string{"street.mapping.yml", "colour"}},
		{
			"a wrong mapping", write(t, `
zone: Mars/Olympus
separator: "ab"
duplicates: first
sensors: [{id: "Street 1", cadence: 1500ms, lat: 91}, {id: speed}]
columns: [{column: a, quantity: happiness}, {column: b, quantity: speed, unit: kg, sensor: other}]`, ""),
			[]string{"zone:", "Mars/Olympus", "separator:", "duplicates:", "time:", "Street 1", "cadence", "lat 91", "name of a quantity", "happiness", "kg", "other"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			broker := uplinktest.New(t, uplinktest.AckAll)
			_, err := replay.Run(t.Context(), config(broker.Address(), c.path), quiet())
			for _, text := range c.says {
				if err == nil || !strings.Contains(err.Error(), text) {
					t.Errorf("the error does not say %q: %v", text, err)
				}
			}
			if n := len(broker.Seen()); n > 0 {
				t.Errorf("%d messages were sent", n)
			}
		})
	}
}

func TestBadRowsCanBeSkippedAndAreCounted(t *testing.T) {
	broker := uplinktest.New(t, uplinktest.AckAll)
	dir := write(t, common+"zone: Europe/Paris\ncolumns: [{column: v, quantity: temperature}]",
		"when,v\n2005-06-01 12:00,1\nyesterday,2\n2005-06-01 12:30,\"3\n")
	cfg := config(broker.Address(), dir)
	cfg.SkipBadRows = true
	report, err := replay.Run(t.Context(), cfg, quiet())
	if err != nil || report.BadRows != 2 || report.Readings != 1 {
		t.Errorf("%+v, %v", report, err)
	}
}

func TestSpeedIsKept(t *testing.T) {
	broker := uplinktest.New(t, uplinktest.AckAll)
	dir := write(t, common+"zone: Europe/Paris\ncolumns: [{column: v, quantity: temperature}]",
		"when,v\n2005-06-01 12:00,1\n2005-06-01 12:30,2\n2005-06-01 13:00,3\n")
	cfg := config(broker.Address(), dir)
	cfg.Speed = 3600 / 0.2 // an hour in 0.2 s
	begin := time.Now()
	if _, err := replay.Run(t.Context(), cfg, quiet()); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took < 200*time.Millisecond || took > 5*time.Second {
		t.Errorf("an hour of recording took %s, want 0.2 s", took)
	}
	cfg.Speed = 1
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if report, err := replay.Run(ctx, cfg, quiet()); !errors.Is(err, context.DeadlineExceeded) || report.Messages != 1 {
		t.Errorf("stopped within the first half hour: %+v, %v", report, err)
	}
}

func TestSensorsAreRegisteredFirst(t *testing.T) {
	dir := replaytest.Folder(t, 2)
	var table string
	broker := uplinktest.New(t, uplinktest.AckAll)
	api := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		table = string(body)
		if len(broker.Seen()) > 0 {
			t.Error("messages came before the sensors were registered")
		}
	}))
	defer api.Close()
	cfg := config(broker.Address(), filepath.Join(dir, "traffic"))
	cfg.HTTP.URL, cfg.HTTP.TokenFile = api.URL, filepath.Join(t.TempDir(), "api-token")
	if err := os.WriteFile(cfg.HTTP.TokenFile, []byte("token"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := replay.Run(t.Context(), cfg, quiet()); err != nil {
		t.Fatal(err)
	}
	want := `sensor,title,site,site_title,district,lon,lat,publisher,cadence_s,quantities
fremont-bridge,"Fremont Bridge, bicycle counter",fremont-bridge-walk,Fremont Bridge,fremont,-122.3496,47.6478,,3600,bicycles
mndot-6005,Detector 6005,mndot-site-6005,"Motorway, detector 6005",motorway,-93.3,44.98,,300,speed occupancy
mndot-7578,Detector 7578,mndot-site-7578,"Motorway, detector 7578",motorway,-93.26,44.86,,300,speed
mndot-link-387,"Travel time, link 387",mndot-site-387,"Motorway, link 387",motorway,-93.22,44.92,,600,travel_time
`
	if diff := cmp.Diff(want, table); diff != "" {
		t.Error(diff)
	}
}

func FuzzMapping(f *testing.F) {
	f.Add(common + "zone: Europe/Paris\ncolumns: [{column: v, quantity: temperature}]")
	f.Add("zone: +01:00\nseparator: \";\"\nduplicates: next\nstep: 1h")
	f.Fuzz(func(t *testing.T, text string) {
		if m, err := replay.Parse([]byte(text)); err == nil && len(m.Columns) == 0 {
			t.Error("a mapping without columns was taken")
		}
	})
}
