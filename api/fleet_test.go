package api_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lamppost-city/lamppost/api"
	"github.com/lamppost-city/lamppost/ingest/frame"
	"github.com/lamppost-city/lamppost/ingest/ledger"
	"github.com/lamppost-city/lamppost/telemetry"
)

func TestLedgerBySteps(t *testing.T) {
	s := start(t, nil)
	aCity(s)
	s.ledger.minutes = []ledger.Minute{
		{Time: time.UnixMilli(1772366400000), Totals: ledger.Totals{Counts: frame.Counts{Received: 4, Accepted: 3, Reports: 2, Missing: 1}, Written: 3, Rejected: map[telemetry.Reason]int64{telemetry.ReasonRange: 1}}},
		{Time: time.UnixMilli(1772370000000), Totals: ledger.Totals{Counts: frame.Counts{Received: 2, Accepted: 2, Reports: 2}}},
	}
	got := decode[api.LedgerAnswer](s.get("/api/v1/ledger?step=1h&district=old-town"))
	want := api.LedgerAnswer{
		LedgerCounts: api.LedgerCounts{Received: 6, Accepted: 5, Written: 3, Waiting: 2, Reports: 4, Missing: 1, Expected: 5, Rejected: map[string]int64{"range": 1}},
		Steps: []api.LedgerStep{
			{Time: 1772366400000, LedgerCounts: api.LedgerCounts{Received: 4, Accepted: 3, Written: 3, Reports: 2, Missing: 1, Expected: 3, Rejected: map[string]int64{"range": 1}}},
			{Time: 1772370000000, LedgerCounts: api.LedgerCounts{Received: 2, Accepted: 2, Waiting: 2, Reports: 2, Expected: 2, Rejected: map[string]int64{}}},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
	for _, c := range []struct {
		path    string
		sensors []telemetry.SensorID
		step    string
		back    time.Duration
	}{
		{"/api/v1/ledger?step=5m", nil, "5m", 24 * time.Hour},
		{"/api/v1/ledger?step=1d&from=-7d", nil, "1d", 7 * 24 * time.Hour},
		{"/api/v1/ledger?step=1h&sensor=air-2,loop-1,none", []telemetry.SensorID{"air-2", "loop-1"}, "1h", 24 * time.Hour},
		{"/api/v1/ledger?step=1h&site=market&sensor=air-2", []telemetry.SensorID{"air-2"}, "1h", 24 * time.Hour},
		{"/api/v1/ledger?step=1h&site=nowhere", []telemetry.SensorID{}, "1h", 24 * time.Hour},
	} {
		s.get(c.path).want(http.StatusOK)
		if diff := cmp.Diff(c.sensors, s.ledger.sensors); diff != "" || s.ledger.step.String() != c.step || time.Since(s.ledger.from) < c.back {
			t.Errorf("%s: step %s from %s (-want +got):\n%s", c.path, s.ledger.step, s.ledger.from, diff)
		}
	}
	s.ledger.minutes = nil
	if a := s.get("/api/v1/ledger?step=1h"); !strings.Contains(string(a.body), `"steps":[]`) {
		t.Errorf("no steps are %s", a.body)
	}
	s.ledger.sums = []ledger.Totals{{Counts: frame.Counts{Received: 1}}, {Counts: frame.Counts{Received: 2}}}
	if got := decode[api.LedgerAnswer](s.get("/api/v1/ledger?site=market")); got.Received != 3 || got.Steps != nil {
		t.Errorf("sum of a site is %+v", got)
	}
}

func TestLedgerNamesWhatItCannotAddUp(t *testing.T) {
	s := start(t, nil)
	aCity(s)
	for err, says := range map[error]string{ledger.ErrStep: "query.step", ledger.ErrSteps: "query.step", ledger.ErrMuch: "query.from"} {
		s.ledger.err = err
		s.get("/api/v1/ledger?step=1h").problem(http.StatusUnprocessableEntity, says)
	}
	s.ledger.err = ledger.ErrMuch
	s.get("/api/v1/ledger/sensors").problem(http.StatusUnprocessableEntity, "query.from")
	s.ledger.err = context.DeadlineExceeded
	for _, path := range []string{"/api/v1/ledger?step=1h", "/api/v1/ledger/sensors", "/api/v1/events"} {
		s.get(path).problem(http.StatusGatewayTimeout)
	}
	s.ledger.err = nil
	for path, says := range map[string]string{
		"/api/v1/ledger?step=often":          "query.step",
		"/api/v1/ledger?step=0":              "query.step",
		"/api/v1/ledger?district=A":          "query.district",
		"/api/v1/ledger/sensors?sort=colour": "query.sort",
		"/api/v1/ledger/sensors?limit=10001": "query.limit",
		"/api/v1/ledger/sensors?from=later":  "query.from",
		"/api/v1/events?kind=fire":           "query.kind",
		"/api/v1/events?from=now&to=-1h":     "query.from",
	} {
		s.get(path).problem(http.StatusUnprocessableEntity, says)
	}
}

func TestAccountsOfSensorsPutFirstWhatNeedsAttention(t *testing.T) {
	s := start(t, nil)
	aCity(s)
	s.ledger.sums = []ledger.Totals{ // air-1, air-2, loop-1
		{Counts: frame.Counts{Accepted: 20, Reports: 9, Missing: 1, Late: 2, Duplicate: 3}, Rejected: map[telemetry.Reason]int64{telemetry.ReasonRange: 4, telemetry.ReasonTime: 1}},
		{Counts: frame.Counts{Accepted: 5, Reports: 5, Missing: 5}},
		{},
	}
	first := decode[api.SensorAccountList](s.get("/api/v1/ledger/sensors?from=-90m&to=now&sort=rejected&limit=1"))
	seen := first.Items[0].LastSeen
	share := 0.9
	want := api.SensorAccountList{Total: 3, Items: []api.SensorAccount{{
		Sensor: "air-1", Title: "Air at the market", Site: "market", District: "old-town", Accepted: 20, Reports: 9, Missing: 1, Expected: 10,
		Completeness: &share, Late: 2, Duplicate: 3, Rejected: 5, LastSeen: seen, State: "silent",
	}}}
	if diff := cmp.Diff(want, first); diff != "" || seen == nil {
		t.Errorf("the first one (-want +got):\n%s", diff)
	}
	if s.ledger.from.Truncate(time.Hour) != s.ledger.from || s.ledger.to.Truncate(time.Hour) != s.ledger.to || s.ledger.to.Before(time.Now()) {
		t.Errorf("asks from %s to %s", s.ledger.from, s.ledger.to)
	}
	for query, want := range map[string]string{
		"":                         "air-2 air-1 loop-1",
		"?offset=1":                "air-1 loop-1",
		"?offset=9":                "",
		"?sort=rejected":           "air-1 air-2 loop-1",
		"?sort=last_seen":          "loop-1 air-1 air-2",
		"?sort=last_seen&offset=2": "air-2",
		"?district=old-town":       "air-2 air-1",
		"?sensor=air-1":            "air-1",
	} {
		list := decode[api.SensorAccountList](s.get("/api/v1/ledger/sensors" + query))
		var ids []string
		for _, one := range list.Items {
			ids = append(ids, one.Sensor)
		}
		if got := strings.Join(ids, " "); got != want {
			t.Errorf("%q lists %q, want %q", query, got, want)
		}
	}
}

func TestTextsOfSilencesAreForPeople(t *testing.T) {
	s := start(t, nil)
	aCity(s)
	at := time.UnixMilli(1772366400000)
	for lasted, want := range map[time.Duration]string{
		218600 * time.Millisecond:   "no report for 3 min 39 s, one is expected every 15 s",
		2*time.Hour + 3*time.Second: "no report for 2 h, one is expected every 15 s",
		25*time.Hour + time.Minute:  "no report for 1 d 1 h, one is expected every 15 s",
	} {
		s.ledger.events = []ledger.Event{{Kind: ledger.Silent, Sensor: "air-1", From: at, To: at.Add(lasted), Cadence: 15 * time.Second}}
		if got := decode[api.EventList](s.get("/api/v1/events?from=2026-03-01T12:00:00Z")); len(got.Items) != 1 || got.Items[0].Text != want {
			t.Errorf("after %s: %+v, want %q", lasted, got.Items, want)
		}
	}
}

func TestEvents(t *testing.T) {
	s := start(t, nil)
	aCity(s)
	at := func(minutes int64) time.Time { return time.UnixMilli(1772366400000 + 60_000*minutes) }
	s.ledger.events = []ledger.Event{
		{Kind: ledger.Silent, Sensor: "air-1", From: at(0), To: at(30), Cadence: time.Minute, Missing: 29},
		{Kind: ledger.Silent, Sensor: "air-1", From: at(40), To: at(42), Cadence: time.Minute, Missing: 1}, // not silent for long enough
		{Kind: ledger.Silent, Sensor: "ghost", From: at(0), To: at(30), Cadence: time.Minute, Missing: 29}, // not registered
		{Kind: ledger.WrongClock, Sensor: "loop-1", From: at(60), To: at(120), Refused: map[telemetry.Reason]int64{telemetry.ReasonFuture: 7, telemetry.ReasonTooOld: 1}},
		{Kind: ledger.Silent, Sensor: "air-2", From: at(90), Cadence: time.Minute, Missing: 12},
	}
	to := api.TimeOf(at(30))
	clockTo := api.TimeOf(at(120))
	got := decode[api.EventList](s.get("/api/v1/events?from=2026-03-01T12:00:00Z"))
	if len(got.Items) == 3 {
		if !strings.Contains(got.Items[2].Text, "12 missing") {
			t.Errorf("the last text is %q", got.Items[2].Text)
		}
		got.Items[2].Text = ""
	}
	want := []api.Event{
		{Kind: "silence", Sensor: "air-1", Site: "market", District: "old-town", From: api.TimeOf(at(0)), To: &to, Text: "no report for 30 min, one is expected every 1 min; 29 missing"},
		{Kind: "clock", Sensor: "loop-1", Site: "ring", District: "harbour", From: api.TimeOf(at(60)), To: &clockTo, Text: "the times of 7 readings lay in the future, the time of 1 reading was older than what is kept; look at its clock"},
		{Kind: "silence", Sensor: "air-2", Site: "market", District: "old-town", From: api.TimeOf(at(90))},
	}
	if diff := cmp.Diff(want, got.Items); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	for query, want := range map[string]int{
		"?kind=clock": 1, "?kind=silence": 2, "?kind=silence&kind=clock": 3, "?sensor=air-2": 1, "?site=ring": 1, "?district=old-town": 2, "?sensor=air-1&site=ring": 0,
	} {
		if got := decode[api.EventList](s.get("/api/v1/events" + query)); len(got.Items) != want {
			t.Errorf("%s lists %d, want %d", query, len(got.Items), want)
		}
	}
}
