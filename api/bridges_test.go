package api_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lamppost-city/lamppost/api"
	"github.com/lamppost-city/lamppost/registry"
)

// bridges are one that has said everything, and one of which only the will came.
func bridges() []api.BridgeWithSensors {
	at := api.TimeOf(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	return []api.BridgeWithSensors{
		{
			Bridge: api.Bridge{
				Publisher: "bridge-1", State: "online", Version: "1.2.3", At: &at, Started: &at, Boot: "01020304-0000-0000-0000-000000000000",
				Settings: &api.BridgeSettings{
					Source: "remote", ID: "0123456789ab", Buses: 2, Sensors: 4, Applied: &at,
					Refused: &api.BridgeRefusal{Source: "remote", ID: "ba9876543210", At: &at, Error: "version: 2 is not known here"},
				},
				Outbox: &api.BridgeOutbox{WaitingReadings: 7, OldestS: 90, Disk: "full", Dropped: map[string]uint64{"full": 3}},
				Clock:  &api.BridgeClock{Known: true, Source: "broker", UncertaintyMS: 12},
			},
			Sensors: []api.BridgeSensor{
				{ID: "air-1", Driver: "sht3x", Bus: "i2c-1", State: "ok", LastGood: &at, Readings: 5},
				{ID: "air-2", Driver: "sht3x", Bus: "i2c-1", State: "failing", Kind: "absent", Error: "nothing answers", Advice: "look at the plug", Faults: map[string]uint64{"absent": 2}},
				{ID: "air-3", Driver: "sht3x", Bus: "i2c-1", State: "hanging"},
				{ID: "air-4", Driver: "sht3x", Bus: "i2c-1", State: "starting"},
			},
		},
		{Bridge: api.Bridge{Publisher: "bridge-2", State: "offline", Version: "1.2.3"}},
	}
}

func TestBridgesAreListedByPageAndState(t *testing.T) {
	s := start(t, nil)
	if got := string(s.get("/api/v1/bridges").want(http.StatusOK).body); got != "{\"items\":[],\"total\":0}\n" {
		t.Errorf("without bridges: %s", got)
	}
	s.bridges.all = bridges()
	if _, err := s.registry.PutSensor(t.Context(), "test", registry.Sensor{ID: "bridge-1", Title: "Quay cabinet", Quantities: []string{"temperature"}}); err != nil {
		t.Fatal(err)
	}
	list := decode[api.BridgeList](s.get("/api/v1/bridges"))
	if list.Total != 2 || len(list.Items) != 2 {
		t.Fatalf("got %+v", list)
	}
	want := bridges()[0].Bridge
	want.Title, want.Sensors, want.Failing = "Quay cabinet", 4, 2
	if diff := cmp.Diff(want, list.Items[0]); diff != "" {
		t.Errorf("the first one (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(api.Bridge{Publisher: "bridge-2", Title: "bridge-2", State: "offline", Version: "1.2.3"}, list.Items[1]); diff != "" {
		t.Errorf("the second one (-want +got):\n%s", diff)
	}
	for query, ids := range map[string]string{
		"?state=offline": "bridge-2 of 1", "?state=online": "bridge-1 of 1", "?limit=1": "bridge-1 of 2", "?offset=1": "bridge-2 of 2", "?offset=9": " of 2",
	} {
		list := decode[api.BridgeList](s.get("/api/v1/bridges" + query))
		var got []string
		for _, b := range list.Items {
			got = append(got, b.Publisher)
		}
		if got := fmt.Sprintf("%s of %d", strings.Join(got, " "), list.Total); got != ids {
			t.Errorf("%s: got %q, want %q", query, got, ids)
		}
	}
	s.get("/api/v1/bridges?state=away").problem(http.StatusUnprocessableEntity, "query.state")
	s.get("/api/v1/bridges?limit=1001").problem(http.StatusUnprocessableEntity, "query.limit")
}

func TestABridgeIsShownWithItsSensors(t *testing.T) {
	s := start(t, nil)
	s.bridges.all = bridges()
	var got struct {
		Title   string
		Failing int
		Sensors []api.BridgeSensor
		Clock   api.BridgeClock
	}
	s.get("/api/v1/bridges/bridge-1").want(http.StatusOK).into(&got)
	if got.Title != "bridge-1" || got.Failing != 2 || got.Clock.Source != "broker" {
		t.Errorf("got %+v", got)
	}
	if diff := cmp.Diff(bridges()[0].Sensors, got.Sensors); diff != "" {
		t.Errorf("its sensors (-want +got):\n%s", diff)
	}
	var raw map[string]json.RawMessage
	s.get("/api/v1/bridges/bridge-2").want(http.StatusOK).into(&raw)
	if string(raw["sensors"]) != "[]" || string(raw["at"]) != "null" || raw["outbox"] != nil {
		t.Errorf("one of which only the will came: %s", raw)
	}
	s.get("/api/v1/bridges/bridge-9").problem(http.StatusNotFound, "bridge-9", "has reported")
	s.get("/api/v1/bridges/NO").problem(http.StatusUnprocessableEntity, "path.id")
}

func TestSettingsAreLeftForABridge(t *testing.T) {
	s := start(t, nil)
	s.bridges.all = bridges()
	const path, yaml = "/api/v1/bridges/bridge-1/settings", "version: 1\nbuses: []\nsensors: []\n"
	s.ask(http.MethodPut, path, yaml).problem(http.StatusUnauthorized, "token")
	s.ask(http.MethodDelete, path, "").problem(http.StatusUnauthorized, "token")
	if s.bridges.id != "" {
		t.Fatal("settings were left without the token")
	}
	if left := decode[api.BridgeSettingsLeft](s.change(http.MethodPut, path, yaml)); left.ID != "0123456789ab" || s.bridges.id != "bridge-1" || string(s.bridges.settings) != yaml {
		t.Errorf("answered %+v, left %q for %s", left, s.bridges.settings, s.bridges.id)
	}
	decode[api.BridgeSettingsLeft](s.change(http.MethodPut, path, strings.Repeat(" ", api.MaxBridgeSettingsBytes-2)+"{}"))
	s.change(http.MethodPut, path, strings.Repeat("x", api.MaxBridgeSettingsBytes+1)).problem(http.StatusRequestEntityTooLarge)
	s.change(http.MethodDelete, path, "").want(http.StatusNoContent)
	if len(s.bridges.settings) != 0 {
		t.Errorf("withdrawn by %d bytes", len(s.bridges.settings))
	}
	s.bridges.id = ""
	s.change(http.MethodPut, path, "").problem(http.StatusBadRequest, "body is required")
	for _, bad := range []string{" \n", "version: \xff", "version: 1\x00"} {
		s.change(http.MethodPut, path, bad).problem(http.StatusUnprocessableEntity, "body", "YAML")
	}
	s.change(http.MethodPut, "/api/v1/bridges/bridge-9/settings", yaml).problem(http.StatusNotFound, "bridge-9", "register")
	if s.bridges.id != "" {
		t.Errorf("what is refused was left for %s", s.bridges.id)
	}
	// One that is still to come is registered already.
	if _, err := s.registry.PutSensor(t.Context(), "test", registry.Sensor{ID: "bridge-9", Quantities: []string{"temperature"}}); err != nil {
		t.Fatal(err)
	}
	decode[api.BridgeSettingsLeft](s.change(http.MethodPut, "/api/v1/bridges/bridge-9/settings", yaml))
}

func TestABridgeIsCommanded(t *testing.T) {
	s := start(t, nil)
	s.bridges.all = bridges()
	const path = "/api/v1/bridges/bridge-1/commands"
	s.ask(http.MethodPost, path, `{"do":"restart"}`).problem(http.StatusUnauthorized, "token")
	if s.bridges.id != "" {
		t.Fatal("commanded without the token")
	}
	s.bridges.answer = api.BridgeAnswer{Do: "describe", OK: true, Buses: []api.BridgeBus{{
		ID: "i2c-1", Type: "i2c", Devices: []api.BridgeDevice{{Driver: "sht3x", Title: "Sensirion SHT3x", Where: "0x44", Options: map[string]any{"address": 68.0}}}, Answers: []string{"0x3c"},
	}}}
	for body, want := range map[string]api.BridgeCommand{
		`{"do":"describe"}`:                {Do: "describe"},
		`{"do":"read"}`:                    {Do: "read"},
		`{"do":"read","sensor":"air-1"}`:   {Do: "read", Sensor: "air-1"},
		`{"do":"log","level":"debug"}`:     {Do: "log", Level: "debug"},
		`{"do":"restart"}`:                 {Do: "restart"},
		`{"do":"read","sensor":"aiR"}`:     {},
		`{"do":"shell"}`:                   {},
		`{}`:                               {},
		`{"do":"log"}`:                     {},
		`{"do":"log","level":"loud"}`:      {},
		`{"do":"read","level":"debug"}`:    {},
		`{"do":"restart","sensor":"aa"}`:   {},
		`{"do":"restart","shell":"rm -r"}`: {},
	} {
		s.bridges.command = api.BridgeCommand{}
		a := s.change(http.MethodPost, path, body)
		if want.Do == "" {
			a.problem(http.StatusUnprocessableEntity, "body")
		} else if diff := cmp.Diff(s.bridges.answer, decode[api.BridgeAnswer](a)); diff != "" {
			t.Errorf("%s: answer (-want +got):\n%s", body, diff)
		}
		if s.bridges.command != want {
			t.Errorf("%s: commanded %+v, want %+v", body, s.bridges.command, want)
		}
	}
	s.bridges.answer = api.BridgeAnswer{Do: "read", Error: "no sensor air-9"}
	if a := decode[api.BridgeAnswer](s.change(http.MethodPost, path, `{"do":"read","sensor":"air-9"}`)); a.OK || a.Error != "no sensor air-9" {
		t.Errorf("what the bridge cannot do is answered as %+v", a)
	}
}

func TestWhatKeepsABridgeFromBeingToldIsSaid(t *testing.T) {
	s := start(t, nil)
	s.bridges.all = bridges()
	for _, c := range []struct {
		err    error
		status int
		words  []string
	}{
		{api.ErrBridgeUnknown, http.StatusNotFound, []string{"bridge-1", "has reported"}},
		{api.ErrBridgeOffline, http.StatusConflict, []string{"bridge-1", "no connection"}},
		{api.ErrBridgeSilent, http.StatusGatewayTimeout, []string{"bridge-1", "all the same"}},
		{api.ErrBrokerSilent, http.StatusGatewayTimeout, []string{"broker", "all the same"}},
		{api.ErrBrokerAway, http.StatusServiceUnavailable, []string{"broker", "/readyz"}},
		{errors.New("secret"), http.StatusInternalServerError, nil},
	} {
		s.bridges.err = fmt.Errorf("secret: %w", c.err)
		for _, a := range []*answer{
			s.change(http.MethodPost, "/api/v1/bridges/bridge-1/commands", `{"do":"restart"}`),
			s.change(http.MethodPut, "/api/v1/bridges/bridge-1/settings", "version: 1"),
			s.change(http.MethodDelete, "/api/v1/bridges/bridge-1/settings", ""),
		} {
			a.problem(c.status, c.words...)
			if strings.Contains(string(a.body), "secret") {
				t.Errorf("%s shows what is inside: %s", a.what, a.body)
			}
			if retry := a.header.Get("Retry-After"); (retry != "") != (c.status == http.StatusServiceUnavailable) {
				t.Errorf("%s: Retry-After %q with %d", a.what, retry, a.status)
			}
		}
	}
}

func TestManyBridgesAreListedQuickly(t *testing.T) {
	s := start(t, nil)
	for i := range 10_000 {
		b := bridges()[0]
		b.Publisher = fmt.Sprintf("bridge-%05d", i)
		s.bridges.all = append(s.bridges.all, b)
	}
	began := time.Now()
	list := decode[api.BridgeList](s.get("/api/v1/bridges?limit=1000&offset=9000"))
	if took := time.Since(began); list.Total != 10_000 || len(list.Items) != 1000 || took > time.Second {
		t.Errorf("%d of %d bridges after %s", len(list.Items), list.Total, took)
	}
}
