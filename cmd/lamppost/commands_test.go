package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lamppost-city/lamppost/internal/endtoend"
	"github.com/lamppost-city/lamppost/registry"
	"github.com/lamppost-city/lamppost/telemetry"
)

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// well runs a command that must succeed.
func well(t *testing.T, args ...string) string {
	t.Helper()
	r := lamppost.itself.Run(t, args...)
	if r.Code != 0 {
		t.Fatalf("lamppost %s ended with code %d:\n%s%s", strings.Join(args, " "), r.Code, r.Stdout, r.Stderr)
	}
	return r.Stdout
}

func TestSensorsAreImportedListedShownAndExported(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	file := write(t, "sensors.csv", sensorsCSV)
	if out := well(t, "sensors", "import", "--data", data, "--dry-run", file); out != "would import 3 rows: 3 created, 0 updated, 0 unchanged\n" {
		t.Errorf("dry run: %s", out)
	}
	if _, err := os.Stat(data); err == nil {
		t.Error("the dry run made the data folder")
	}
	if out := well(t, "sensors", "import", "--data", data, file); out != "imported 3 rows: 3 created, 0 updated, 0 unchanged\n" {
		t.Errorf("import: %s", out)
	}
	if out := well(t, "sensors", "import", "--data", data, file); out != "imported 3 rows: 0 created, 0 updated, 3 unchanged\n" {
		t.Errorf("second import: %s", out)
	}
	list := well(t, "sensors", "list", "--data", data, "--domain", "traffic")
	if !strings.Contains(list, "loop-1") || !strings.Contains(list, "loop-2") || strings.Contains(list, "air-1") {
		t.Errorf("list of traffic: %s", list)
	}
	var shown struct {
		ID, Title, Site, Publisher string
		CadenceS                   float64 `json:"cadence_s"`
		Quantities                 []string
	}
	if err := json.Unmarshal([]byte(well(t, "sensors", "show", "--data", data, "loop-2")), &shown); err != nil {
		t.Fatal(err)
	}
	if shown.ID != "loop-2" || shown.Publisher != "bridge-1" || shown.CadenceS != 60 || shown.Site != "corner" {
		t.Errorf("shown: %+v", shown)
	}
	if out := well(t, "sensors", "show", "--data", data, "loop-1"); !strings.Contains(out, `"publisher": "loop-1"`) {
		t.Errorf("who publishes loop-1 is not said as the API does: %s", out)
	}
	if r := lamppost.itself.Run(t, "sensors", "show", "--data", data, "nobody"); r.Code != 1 || !strings.Contains(r.Stderr, "nobody") {
		t.Errorf("an unknown sensor is shown with code %d: %s", r.Code, r.Stderr)
	}
	// What is exported can be imported elsewhere, and comes out the same.
	exported := well(t, "sensors", "export", "--data", data)
	other := filepath.Join(t.TempDir(), "data")
	well(t, "sensors", "import", "--data", other, write(t, "exported.csv", exported))
	if again := well(t, "sensors", "export", "--data", other); again != exported {
		t.Errorf("exported:\n%sand from there:\n%s", exported, again)
	}
}

func TestAnImportWithFaultsNamesEachByRowAndColumnAndChangesNothing(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	file := write(t, "bad.csv", `sensor,title,site,site_title,district,lon,lat,publisher,cadence_s,quantities
good-1,Good,corner,Corner,harbour,9.99,53.55,,60,speed
Not A Slug,Bad,corner,Corner,harbour,9.99,53.55,,60,speed
bad-2,Bad,corner,Corner,harbour,9.99,53.55,,often,speed
bad-3,Bad,corner,Corner,harbour,9.99,53.55,,60,mood
bad-4,Bad,edge,Edge,harbour,999,53.55,,60,speed
good-1,Twice,corner,Corner,harbour,9.99,53.55,,60,speed
speed,Named like a quantity,corner,Corner,harbour,9.99,53.55,,60,speed
`)
	for _, dry := range []string{"--dry-run=true", "--dry-run=false"} {
		r := lamppost.itself.Run(t, "sensors", "import", "--data", data, dry, file)
		if r.Code != 1 || !strings.Contains(r.Stdout, "nothing was changed: 6 faults") {
			t.Errorf("%s: code %d:\n%s%s", dry, r.Code, r.Stdout, r.Stderr)
		}
		for _, want := range []string{"3 sensor", "4 cadence_s", "5 quantities", "6 lon", "7 sensor", "8 sensor"} {
			found := false
			for line := range strings.Lines(r.Stdout) {
				f := strings.Fields(line)
				found = found || len(f) > 2 && f[0]+" "+f[1] == want
			}
			if !found {
				t.Errorf("%s: no fault at row and column %s:\n%s", dry, want, r.Stdout)
			}
		}
	}
	if out := well(t, "sensors", "export", "--data", data); strings.Count(out, "\n") != 1 {
		t.Errorf("sensors are there all the same:\n%s", out)
	}
}

func TestSensorsImportedBesideARunningProcessAreKnownWithinASecond(t *testing.T) {
	city := endtoend.NewCity(t, lamppost.itself, "--demo", "0")
	city.Start()
	well(t, "sensors", "import", "--data", city.Dir, write(t, "sensors.csv", sensorsCSV))
	endtoend.Eventually(t, time.Second, "the running process knows them", func() error { return city.Get("/api/v1/sensors/loop-1", nil) })
	if err := session(t, city).Publish("city/loop-1/readings", `{"time":"2026-03-01T12:00:00Z","speed":50}`); err != nil {
		t.Fatal(err)
	}
	city.Settled(1, 10*time.Second)
	city.Stop()
}

func TestSensorsAreKnownToARunningProcessWhenTheirImportReturns(t *testing.T) {
	city := endtoend.NewCity(t, lamppost.itself, "--demo", "0")
	city.Start()
	publisher := session(t, city)
	for n := range 5 {
		id := fmt.Sprintf("new-%d", n)
		well(t, "sensors", "import", "--data", city.Dir, write(t, "sensors.csv", "sensor,title,site,site_title,district,lon,lat,publisher,cadence_s,quantities\n"+id+",,,,,,,,,speed\n"))
		if err := publisher.Publish("city/"+id+"/readings", `{"speed":50}`); err != nil {
			t.Fatal(err)
		}
	}
	city.Settled(5, 10*time.Second)
	city.Stop()
}

// However late the process looks for changes of its registry, it looks before it refuses anybody.
func TestWhoIsRegisteredIsNotRefusedBecauseItIsNew(t *testing.T) {
	file := write(t, "lamppost.yml", "registry:\n  watch_interval: 1s\n")
	city := endtoend.NewCity(t, lamppost.itself, "--demo", "0", "--config", file)
	city.Start()
	r, err := registry.Open(t.Context(), filepath.Join(city.Dir, registryFile), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	for n := range 3 {
		id := telemetry.SensorID(fmt.Sprintf("new-%d", n))
		if _, err := r.PutSensor(t.Context(), "test", registry.Sensor{ID: id, Quantities: []string{"speed"}}); err != nil {
			t.Fatal(err)
		}
		password, err := r.NewPassword(t.Context(), "test", registry.Publisher{ID: id})
		if err != nil {
			t.Fatal(err)
		}
		if publisher, err := endtoend.DialAs(city.MQTT, string(id), string(id), "not-"+password.Reveal()); err == nil {
			_ = publisher.Close()
			t.Errorf("%s was let in with a wrong password", id)
		}
		publisher, err := endtoend.DialAs(city.MQTT, string(id), string(id), password.Reveal())
		if err != nil {
			t.Fatal(err)
		}
		if err := publisher.Publish("city/"+string(id)+"/readings", `{"speed":50}`); err != nil {
			t.Error(err)
		}
		_ = publisher.Close()
	}
	city.Settled(3, 10*time.Second)
	city.Stop()
}

func TestThePrintedConfigurationIsReadBackAndSecretsAreNot(t *testing.T) {
	program := lamppost.itself.With("LAMPPOST_STORE_EMBEDDED=false", "LAMPPOST_STORE_INFLUX_URL=http://127.0.0.1:8086", "LAMPPOST_STORE_INFLUX_BUCKET=x",
		"LAMPPOST_STORE_INFLUX_TOKEN=do-not-tell", "LAMPPOST_HTTP_CITY_NAME=Elbstadt")
	printed := program.Run(t, "config", "print", "--metrics", "127.0.0.1:9999")
	if printed.Code != 0 || !strings.Contains(printed.Stdout, "city_name: Elbstadt") || !strings.Contains(printed.Stdout, "127.0.0.1:9999") ||
		!strings.Contains(printed.Stdout, "[redacted]") || strings.Contains(printed.Stdout+printed.Stderr, "do-not-tell") {
		t.Errorf("printed with code %d:\n%s%s", printed.Code, printed.Stdout, printed.Stderr)
	}
	plain := well(t, "config", "print")
	file := write(t, "lamppost.yml", plain)
	if out := well(t, "config", "check", "--config", file); out != "the configuration is good\n" {
		t.Errorf("check: %s", out)
	}
	values := func(s string) (lines []string) {
		for line := range strings.Lines(s) {
			line, _, _ = strings.Cut(line, " #")
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
				lines = append(lines, line)
			}
		}
		return lines
	}
	again := values(well(t, "config", "print", "--config", file))
	for i, line := range values(plain) {
		if i >= len(again) || again[i] != line {
			t.Fatalf("line %d was %q and is read back as %q", i+1, line, again[min(i, len(again)-1)])
		}
	}
}

func TestVersion(t *testing.T) {
	if out := well(t, "version"); !strings.HasPrefix(out, "lamppost ") || strings.TrimSpace(out) == "lamppost" {
		t.Errorf("version: %q", out)
	}
}

func TestAWrongIDIsSaidOnce(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	for _, args := range [][]string{{"publishers", "add", "Bad#", "--data", data}, {"bridges", "show", "Bad#", "--data", data}} {
		r := lamppost.itself.Run(t, args...)
		sentence(t, r, "Bad#", "only a-z")
		if n := strings.Count(r.Stderr, "Bad#"); n != 1 {
			t.Errorf("it is said %d times: %s", n, r.Stderr)
		}
	}
	if _, err := os.Stat(data); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the data folder was made: %v", err)
	}
}

func TestOnlyWhatStartsTheCityTakesItsFlags(t *testing.T) {
	for _, line := range []string{"audit", "sensors list", "publishers list", "bridges list"} {
		if help := well(t, append(strings.Fields(line), "--help")...); strings.Contains(help, "--demo") || strings.Contains(help, "--mqtt") || !strings.Contains(help, "--data") {
			t.Errorf("%s:\n%s", line, help)
		}
	}
}

func TestTheHelpOfAnImportNamesEveryColumn(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	well(t, "sensors", "import", "--data", data, write(t, "sensors.csv", sensorsCSV))
	header, _, _ := strings.Cut(well(t, "sensors", "export", "--data", data), "\n")
	if help := well(t, "sensors", "import", "--help"); !strings.Contains(help, strings.TrimSpace(header)) {
		t.Errorf("the header %q is not in:\n%s", header, help)
	}
}

// audited is a city whose store has one reading of loop-1 for each of the first 30 minutes of an hour.
type audited struct {
	*endtoend.City
	t *testing.T
}

const auditedMinutes = 30

func newAudited(t *testing.T) audited {
	t.Helper()
	a := audited{endtoend.NewCity(t, lamppost.built, "--demo", "0"), t}
	a.Start()
	register(t, a.City)
	p := session(t, a.City)
	for i := range auditedMinutes {
		if err := p.Publish("city/loop-1/readings", fmt.Sprintf(`{"time":"2026-03-01T12:%02d:00Z","speed":%d}`, i, i)); err != nil {
			t.Fatal(err)
		}
	}
	a.Settled(auditedMinutes, 10*time.Second)
	a.MustBeClean()
	return a
}

func auditedMinute(minute int) time.Time { return time.Date(2026, 3, 1, 12, minute, 0, 0, time.UTC) }

// add writes the reading of a minute into the store, behind Lamppost's back.
func (a audited) add(minute int, site string) {
	a.t.Helper()
	line := fmt.Sprintf("traffic,district=harbour,sensor=loop-1,site=%s speed=%d %d\n", site, minute, auditedMinute(minute).UnixMilli())
	if err := a.Store().Write(a.t.Context(), []byte(line)); err != nil {
		a.t.Fatal(err)
	}
}

// remove takes the reading of a minute out of the store.
func (a audited) remove(minute int) {
	a.Change(fmt.Sprintf(`DELETE FROM "traffic" WHERE "sensor" = 'loop-1' AND time = %d`, auditedMinute(minute).UnixNano()))
}

// dirty expects the audit to fail with a table of these minutes: minute, ledger, store.
func (a audited) dirty(what string, want ...[3]int) {
	a.t.Helper()
	r := a.Audit()
	if r.Code != 1 || strings.Contains(r.Stdout, "clean") || r.Stderr != "" {
		a.t.Fatalf("%s: the audit ended with code %d:\n%s%s", what, r.Code, r.Stdout, r.Stderr)
	}
	var table, rows []string
	for _, w := range want {
		table = append(table, fmt.Sprintf("loop-1 %s %d %d", auditedMinute(w[0]).Format("2006-01-02T15:04Z"), w[1], w[2]))
	}
	for l := range strings.Lines(r.Stdout) {
		if strings.HasPrefix(l, "loop-1") {
			rows = append(rows, strings.Join(strings.Fields(l), " "))
		}
	}
	if diff := cmp.Diff(table, rows); diff != "" {
		a.t.Errorf("%s: the table (-want +got):\n%s", what, diff)
	}
}

// TestTheAuditFindsWhatWasChangedBehindItsBack is the proof that the audit can fail.
func TestTheAuditFindsWhatWasChangedBehindItsBack(t *testing.T) {
	a := newAudited(t)
	a.remove(7)
	a.dirty("a row is removed", [3]int{7, 1, 0})
	a.add(7, "corner")
	a.MustBeClean()
	a.add(45, "corner")
	a.dirty("a row is added", [3]int{45, 0, 1})
	a.remove(45)
	a.MustBeClean()
	a.add(9, "park") // under other tags it is a second point
	a.dirty("a reading is there twice", [3]int{9, 1, 2})
	a.Stop()
	a.dirty("the process is stopped", [3]int{9, 1, 2})
	if r := a.Audit("--from", "2026-03-01T13:00:00Z"); r.Code != 0 {
		t.Errorf("audit of other hours: code %d:\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
}

func TestTheAuditFindsOneTooManyAndOneTooFewInTheSameHour(t *testing.T) {
	a := newAudited(t)
	a.add(9, "park")
	a.remove(11)
	a.dirty("one is there twice, another is missing", [3]int{9, 1, 2}, [3]int{11, 1, 0})
	a.Stop()
}

func TestAMistypedCommandIsRefused(t *testing.T) {
	for line, want := range map[string]string{
		"bogus": "lamppost has no command", "sensors bogus": "export, import, list, show", "config chek": "lamppost config check?",
		"publishers bogus x": "add, list, remove", "bridges bogus": "lamppost bridges has no command",
	} {
		sentence(t, lamppost.itself.Run(t, strings.Fields(line)...), want)
	}
}

func TestReadingAFolderThatIsNotThereMakesNone(t *testing.T) {
	for _, line := range []string{"sensors list", "sensors show loop-1", "sensors export", "publishers list", "publishers remove loop-1", "bridges list", "audit", "sensors import --dry-run FILE"} {
		dir := filepath.Join(t.TempDir(), "typo")
		file := write(t, "sensors.csv", sensorsCSV)
		r := lamppost.itself.Run(t, append(strings.Fields(strings.ReplaceAll(line, "FILE", file)), "--data", dir)...)
		if !strings.Contains(line, "import") {
			sentence(t, r, dir)
		} else if r.Code != 0 || r.Stdout != "would import 3 rows: 3 created, 0 updated, 0 unchanged\n" {
			t.Errorf("%s: code %d: %s%s", line, r.Code, r.Stdout, r.Stderr)
		}
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("%s made the folder", line)
		}
	}
}
