package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/lamppost-city/lamppost/internal/endtoend"
)

// TestScenarios runs every file of testdata/scenarios through the whole of `lamppost up`. A file has these parts, in any number
// and order but for the first two; each is carried out, or compared with what there is, in turn:
//
//	-- config.yml --   further configuration
//	-- sensors.csv --  registered now
//	-- messages --     TOPIC PAYLOAD, one a line, published with QoS 1; a payload in double quotes is a Go string,
//	                   ago(20m) is the time so long before the scenario began
//	-- restart --      the process ends with SIGTERM and starts again
//	-- kill --         the same with SIGKILL
//	-- replay --       what is in quarantine for this reason is taken in again
//	-- readings --     everything in the store: SENSOR QUANTITY[/CHANNEL] TIME VALUE, sorted
//	-- rejects --      everything in quarantine: TOPIC REASON[,REASON...], oldest first
//	-- ledger --       the sums of the city, those that are not zero: received=4 late=4 ...
//	-- sensor ID --    the sums of one sensor since 2026-03-01
//
// A line that begins with # is a comment. At the end the audit must be clean.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/scenarios/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			runScenario(t, archive.Files)
		})
	}
}

type scenario struct {
	t     *testing.T
	city  *endtoend.City
	began time.Time
}

func runScenario(t *testing.T, parts []txtar.File) {
	args := []string{"--demo", "0"}
	if len(parts) > 0 && parts[0].Name == "config.yml" {
		args = append(args, "--config", write(t, "lamppost.yml", string(parts[0].Data)))
		parts = parts[1:]
	}
	s := &scenario{t: t, began: time.Now().UTC(), city: endtoend.NewCity(t, lamppost.built, args...)}
	s.city.Start()
	for _, part := range parts {
		name, argument, _ := strings.Cut(part.Name, " ")
		step, known := s.steps()[name]
		if !known {
			t.Fatalf("%s: no such part", part.Name)
		}
		step(argument, lines(part.Data))
	}
	s.city.MustBeClean()
	s.city.Stop()
}

func (s *scenario) steps() map[string]func(argument string, lines []string) {
	return map[string]func(string, []string){
		"sensors.csv": s.register, "messages": s.publish, "restart": s.restart, "kill": s.kill, "replay": s.replay,
		"readings": s.readings, "rejects": s.rejects, "ledger": s.ledger, "sensor": s.sensor,
	}
}

// lines leaves out comments and empty lines.
func lines(data []byte) []string {
	var all []string
	for line := range strings.Lines(string(data)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			all = append(all, line)
		}
	}
	return all
}

func (s *scenario) register(_ string, lines []string) {
	s.t.Helper()
	if err := s.city.Post("/api/v1/sensors/import", "text/csv", strings.Join(lines, "\n")+"\n", nil); err != nil {
		s.t.Fatal(err)
	}
}

func (s *scenario) publish(_ string, lines []string) {
	s.t.Helper()
	p, err := endtoend.Dial(s.city.MQTT, "scenario")
	if err != nil {
		s.t.Fatal(err)
	}
	defer p.Close()
	for _, line := range lines {
		topic, payload, _ := strings.Cut(line, " ")
		if strings.HasPrefix(payload, `"`) {
			if payload, err = strconv.Unquote(payload); err != nil {
				s.t.Fatalf("%s: %v", line, err)
			}
		}
		if err := p.Publish(topic, s.dated(payload)); err != nil {
			s.t.Fatal(err)
		}
	}
}

// dated puts in the times that a payload tells by how long ago they are.
func (s *scenario) dated(payload string) string {
	before, rest, found := strings.Cut(payload, "ago(")
	if !found {
		return payload
	}
	length, after, _ := strings.Cut(rest, ")")
	ago, err := time.ParseDuration(length)
	if err != nil {
		s.t.Fatalf("%s: %v", payload, err)
	}
	return before + s.began.Add(-ago).Format(time.RFC3339) + s.dated(after)
}

func (s *scenario) restart(string, []string) {
	s.city.Stop()
	s.city.Start()
}

func (s *scenario) kill(string, []string) {
	s.city.Kill()
	s.city.Start()
}

func (s *scenario) replay(_ string, lines []string) {
	s.t.Helper()
	for _, reason := range lines {
		if err := s.city.Post("/api/v1/quarantine/replay", "application/json", fmt.Sprintf(`{"reason":%q}`, reason), nil); err != nil {
			s.t.Fatal(err)
		}
	}
}

// same compares until it is so, or long enough.
func (s *scenario) same(part string, want []string, look func() ([]string, error)) {
	s.t.Helper()
	var got []string
	var err error
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if got, err = look(); err == nil && slices.Equal(want, got) {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("%s (-want +got): %v\n%s", part, err, cmp.Diff(want, got))
		}
	}
}

func (s *scenario) readings(_ string, want []string) {
	s.t.Helper()
	store := s.city.Store()
	s.same("readings", want, func() ([]string, error) {
		all, err := endtoend.ReadStore(s.t.Context(), store)
		var got []string
		for k, points := range all {
			quantity := k.Quantity
			if k.Channel != "" {
				quantity += "/" + k.Channel
			}
			for _, p := range points {
				at := time.UnixMilli(p.Milli).UTC().Format("2006-01-02T15:04:05.999Z")
				got = append(got, fmt.Sprintf("%s %s %s %v", k.Sensor, quantity, at, p.Value))
			}
		}
		slices.Sort(got)
		return got, err
	})
}

func (s *scenario) rejects(_ string, want []string) {
	s.t.Helper()
	s.same("rejects", want, func() ([]string, error) {
		var list quarantineList
		if err := s.city.Get("/api/v1/quarantine?limit=1000", &list); err != nil {
			return nil, err
		}
		var got []string
		for _, q := range slices.Backward(list.Items) {
			var reasons []string
			for _, f := range q.Faults {
				reasons = append(reasons, f.Reason)
			}
			got = append(got, q.Topic+" "+strings.Join(reasons, ","))
		}
		return got, nil
	})
}

func (s *scenario) ledger(_ string, want []string) {
	s.t.Helper()
	s.sums("ledger", "/api/v1/ledger", want)
}

func (s *scenario) sensor(id string, want []string) {
	s.t.Helper()
	s.sums("sensor "+id, "/api/v1/ledger/sensors/"+id+"?from=2026-03-01T00:00:00Z&to=2026-03-02T00:00:00Z", want)
}

func (s *scenario) sums(part, path string, want []string) {
	s.t.Helper()
	s.same(part, want, func() ([]string, error) {
		var l endtoend.Ledger
		if err := s.city.Get(path, &l); err != nil {
			return nil, err
		}
		return []string{sums(l)}, l.Closes()
	})
}

// sums writes those sums that are not zero.
func sums(l endtoend.Ledger) string {
	var all []string
	add := func(name string, n int64) {
		if n != 0 {
			all = append(all, fmt.Sprintf("%s=%d", name, n))
		}
	}
	add("received", l.Received)
	add("duplicate", l.Duplicate)
	add("late", l.Late)
	add("stamped", l.Stamped)
	var reasons []string
	for reason := range l.Rejected {
		reasons = append(reasons, reason)
	}
	slices.Sort(reasons)
	for _, reason := range reasons {
		add(reason, l.Rejected[reason])
	}
	add("accepted", l.Accepted)
	add("written", l.Written)
	add("waiting", l.Waiting)
	add("missing", l.Missing)
	return strings.Join(all, " ")
}

// TestScenarioFilesAreWhole keeps a part from being overlooked because its name is misspelt in a comment.
func TestScenarioFilesAreWhole(t *testing.T) {
	files, err := filepath.Glob("testdata/scenarios/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if archive := txtar.Parse(text); len(strings.TrimSpace(string(archive.Comment))) == 0 {
			t.Errorf("%s does not begin with what it is about", file)
		}
	}
}
