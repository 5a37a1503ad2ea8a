package plugin_test

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"

	"github.com/lamppost-city/lamppost/internal/endtoend"
)

// running is a real `lamppost up` with a few sensors of our own.
func running(t *testing.T) (*endtoend.City, backend.PluginContext) {
	t.Helper()
	if testing.Short() {
		t.Skip("it runs lamppost up")
	}
	program, err := endtoend.Build(t.TempDir(), "lamppost")
	if err != nil {
		t.Fatal(err)
	}
	city := endtoend.NewCity(t, program)
	city.Start()
	csv := "sensor,title,site,site_title,district,lon,lat,publisher,cadence_s,quantities\n"
	for i := range 4 {
		csv += fmt.Sprintf("cam-%d,Camera %d,quay-1,North quay,harbour,10.01,53.51,,60,speed intensity\n", i+1, i+1)
	}
	if err := city.Post("/api/v1/sensors/import", "text/csv", csv, nil); err != nil {
		t.Fatal(err)
	}
	token, err := os.ReadFile(city.TokenFile())
	if err != nil {
		t.Fatal(err)
	}
	return city, settings(t, city.URL(), strings.TrimSpace(string(token)))
}

// publisher sends readings until it is closed; it opens its session again when the broker went away.
type publisher struct {
	t    *testing.T
	city *endtoend.City
	mqtt *endtoend.Publisher
	sent []point
}

// send publishes one reading of now and returns when it was acknowledged. Where the broker is away it tries again.
func (p *publisher) send(sensor string, value float64) time.Time {
	p.t.Helper()
	at := time.Now().Truncate(time.Millisecond)
	if n := len(p.sent); n > 0 { // two readings of one millisecond are one reading
		at = time.UnixMilli(max(at.UnixMilli(), p.sent[n-1].ms+1))
	}
	payload := fmt.Sprintf(`{"time":%q,"speed":%g}`, at.UTC().Format(time.RFC3339Nano), value)
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		err := error(nil)
		if p.mqtt == nil {
			p.mqtt, err = endtoend.Dial(p.city.MQTT, "test")
		}
		if err == nil {
			err = p.mqtt.Publish("city/"+sensor+"/readings", payload)
		}
		if err == nil {
			break
		}
		if p.mqtt != nil {
			_ = p.mqtt.Close()
			p.mqtt = nil
		}
		if time.Now().After(deadline) {
			p.t.Fatal(err)
		}
	}
	p.sent = append(p.sent, point{sensor: sensor, ms: at.UnixMilli(), value: value})
	return at
}

func (p *publisher) close() {
	if p.mqtt != nil {
		_ = p.mqtt.Close()
	}
}

// complete waits until a panel has everything that was sent, and fails where something came twice.
func (p *publisher) complete(panel *panel, within time.Duration) {
	p.t.Helper()
	missing := func() (list []point) {
		have := append(panel.points(), panel.first...)
		for _, s := range p.sent {
			if !slices.ContainsFunc(have, func(c point) bool { return c.sensor == s.sensor && c.ms == s.ms && c.value == s.value }) {
				list = append(list, s)
			}
		}
		return list
	}
	for deadline := time.Now().Add(within); len(missing()) > 0; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			p.t.Fatalf("%d of %d readings never came to the panel: %v", len(missing()), len(p.sent), missing())
		}
	}
	seen := make(map[point]int)
	for _, c := range panel.points() {
		c.at = time.Time{}
		if seen[c]++; seen[c] > 1 {
			p.t.Errorf("the reading of %s at %d came %d times", c.sensor, c.ms, seen[c])
		}
	}
}

func TestRealCityIsFollowedThroughARestart(t *testing.T) {
	city, to := running(t)
	p := &publisher{t: t, city: city}
	defer p.close()
	for i := range 20 { // a little past
		p.send(fmt.Sprintf("cam-%d", 1+i%4), float64(i))
	}
	panel := follow(t, to, liveQuery)
	var delays []time.Duration
	for i := 20; i < 120; i++ {
		at := p.send(fmt.Sprintf("cam-%d", 1+i%4), float64(i))
		value := float64(i)
		eventually(t, 10*time.Second, "the reading is in the panel", func() bool {
			for _, c := range panel.points() {
				if c.value == value && c.ms == at.UnixMilli() {
					delays = append(delays, c.at.Sub(at))
					return true
				}
			}
			return false
		})
	}
	// The first of them come while the stream is opened, and from the history.
	slices.Sort(delays)
	t.Logf("sensor to frame through a real city: median %s, 90 of 100 %s, 99 of 100 %s", delays[len(delays)/2], delays[len(delays)*9/10], delays[len(delays)*99/100])
	if p90 := delays[len(delays)*9/10]; p90 > 250*time.Millisecond {
		t.Errorf("90 of 100 readings need up to %s", p90)
	}
	city.Stop()
	city.Start()
	for i := 120; i < 160; i++ {
		p.send(fmt.Sprintf("cam-%d", 1+i%4), float64(i))
	}
	p.complete(panel, 30*time.Second)
}

func TestRealCityAnswersEveryKindOfQuery(t *testing.T) {
	city, to := running(t)
	p := &publisher{t: t, city: city}
	defer p.close()
	for i := range 20 {
		p.send(fmt.Sprintf("cam-%d", 1+i%4), float64(i))
	}
	city.Settled(20, 30*time.Second)
	if result, _ := health(t, to); result.Status != backend.HealthStatusOk {
		t.Errorf("health: %s", result.Message)
	}
	now := time.Now()
	within := backend.TimeRange{From: now.Add(-time.Hour), To: now.Add(time.Second)}
	for query, rows := range map[string]int{
		`{"kind":"history","quantities":["speed"],"step":"raw"}`:                                     20,
		`{"kind":"history","quantities":["speed"],"group":["city"],"aggregate":"count","step":"1d"}`: 1,
		`{"kind":"history","quantities":["speed"],"group":["site"],"compare":["day"]}`:               -1,
		`{"kind":"history","sensors":["cam-1"],"gaps":true}`:                                         -1,
		`{"kind":"latest","sensors":["cam-1","cam-2"]}`:                                              2,
		`{"kind":"latest","view":"readings","districts":["harbour"]}`:                                4,
		`{"kind":"ledger"}`:                               1,
		`{"kind":"ledger","view":"steps"}`:                -1,
		`{"kind":"ledger","view":"reasons"}`:              0,
		`{"kind":"ledger","view":"each"}`:                 4,
		`{"kind":"sensors","states":["ok","silent"]}`:     4,
		`{"kind":"sensors","sensors":["cam-3","nobody"]}`: 1,
		`{"kind":"sensors","view":"sites"}`:               1,
		`{"kind":"sensors","view":"districts"}`:           1,
		`{"kind":"sensors","view":"states"}`:              1,
		`{"kind":"sensors","view":"bridges"}`:             0,
		`{"kind":"pipeline"}`:                             1,
		`{"kind":"pipeline","view":"parts"}`:              -1,
		`{"kind":"events"}`:                               0,
	} {
		answer := ask(t, to, within, query)
		if answer.Error != nil {
			t.Errorf("%s: %v", query, answer.Error)
			continue
		}
		got := 0
		for _, frame := range answer.Frames {
			got += frame.Rows()
		}
		if rows >= 0 && got != rows || rows < 0 && got == 0 {
			t.Errorf("%s: %d rows, want %d", query, got, rows)
		}
	}
	for at, want := range map[string]int{"quantities?sensor=cam-1": 2, "districts": 1, "sites?district=harbour": 1, "sensors?q=cam&site=quay-1": 4} {
		if status, choices, body := call(t, to, at); status != http.StatusOK || len(choices.Items) != want {
			t.Errorf("%s: %d %s", at, status, body)
		}
	}
	wrong := settings(t, city.URL(), "wrong")
	wrong.DataSourceInstanceSettings.UID += " wrong"
	if result, fault := health(t, wrong); fault != "token" {
		t.Errorf("wrong token: %s %q", fault, result.Message)
	}
	const speed = `{"kind":"history","quantities":["speed"]}`
	if decades := ask(t, to, backend.TimeRange{From: now.AddDate(-30, 0, 0), To: now}, speed); decades.Error != nil {
		t.Errorf("30 years: %v", decades.Error)
	}
	if ages := ask(t, to, backend.TimeRange{From: time.Unix(0, 0), To: now}, speed); ages.Status != backend.StatusBadRequest || !strings.Contains(ages.Error.Error(), "are allowed") {
		t.Errorf("56 years: %d %v", ages.Status, ages.Error)
	}
}

// points of a history are finite; JSON has no other numbers.
func TestFramesHaveNoInfinities(t *testing.T) {
	api := newTown(t, "")
	answer := ask(t, settings(t, api.URL, ""), day(), `{"kind":"history","quantities":["speed"]}`)
	for _, frame := range answer.Frames {
		for i := range frame.Rows() {
			if v, err := frame.FloatAt(1, i); err != nil || math.IsInf(v, 0) {
				t.Errorf("%g %v", v, err)
			}
		}
		if _, err := json.Marshal(frame); err != nil {
			t.Error(err)
		}
	}
}
