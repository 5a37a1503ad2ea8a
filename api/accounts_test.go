package api_test

import (
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lamppost-city/lamppost/api"
	"github.com/lamppost-city/lamppost/ingest/frame"
	"github.com/lamppost-city/lamppost/ingest/ledger"
	"github.com/lamppost-city/lamppost/telemetry"
)

func TestLedger(t *testing.T) {
	s := start(t, nil)
	aCity(s)
	s.ledger.totals = ledger.Totals{
		Counts: frame.Counts{Received: 10, Duplicate: 1, Late: 2, Stamped: 3, Accepted: 7, Missing: 4}, Written: 5,
		Rejected: map[telemetry.Reason]int64{telemetry.ReasonRange: 2},
	}
	s.ledger.minutes = []ledger.Minute{
		{Time: time.UnixMilli(1772366400000), Totals: ledger.Totals{Counts: frame.Counts{Received: 2, Accepted: 2}, Written: 1}},
		{Time: time.UnixMilli(1772366460000), Totals: ledger.Totals{Counts: frame.Counts{Received: 3, Accepted: 2}, Written: 2, Rejected: map[telemetry.Reason]int64{telemetry.ReasonRange: 1}}},
	}
	want := api.LedgerCounts{Received: 10, Duplicate: 1, Late: 2, Stamped: 3, Rejected: map[string]int64{"range": 2}, Accepted: 7, Written: 5, Waiting: 2, Missing: 4, Expected: 4}
	if diff := cmp.Diff(want, decode[api.LedgerCounts](s.get("/api/v1/ledger?from=-1h&to=now"))); diff != "" {
		t.Errorf("ledger (-want +got):\n%s", diff)
	}
	a := s.get("/api/v1/ledger/sensors/air-1")
	got := decode[api.LedgerOfSensor](a)
	want = api.LedgerCounts{Received: 5, Accepted: 4, Written: 3, Waiting: 1, Rejected: map[string]int64{"range": 1}}
	if diff := cmp.Diff(want, got.LedgerCounts); diff != "" {
		t.Errorf("totals of a sensor (-want +got):\n%s", diff)
	}
	if !strings.Contains(string(a.body), `"minutes":[{"time":"2026-03-01T12:00:00.000Z","received":2,"accepted":2,"written":1,"waiting":1},{`) {
		t.Errorf("minutes: %s", a.body)
	}
	s.get("/api/v1/ledger/sensors/none").problem(http.StatusNotFound)
	s.get("/api/v1/ledger/sensors/air-1?from=-8d").problem(http.StatusUnprocessableEntity, "query.from", "7 days")
	s.get("/api/v1/ledger?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z").problem(http.StatusUnprocessableEntity, "query.from")
}

func TestLedgerRangesAreWholeMinutesThatLeaveNothingOut(t *testing.T) {
	s := start(t, nil)
	aCity(s)
	now := time.Now()
	for _, c := range []struct {
		path          string
		from, to      time.Duration // from now; to is the earliest that is right
		spanAtMost    time.Duration
		fromTheOutset bool
	}{
		{path: "/api/v1/ledger", fromTheOutset: true, to: 5 * time.Minute},
		{path: "/api/v1/ledger?to=now", fromTheOutset: true},
		{path: "/api/v1/ledger?from=-1h", from: -time.Hour, to: 5 * time.Minute},
		{path: "/api/v1/ledger?from=-1h&to=-30m", from: -time.Hour, to: -30 * time.Minute},
		{path: "/api/v1/ledger/sensors/air-1", from: -24 * time.Hour, to: 5 * time.Minute},
		{path: "/api/v1/ledger/sensors/air-1?from=-1h&to=now", from: -time.Hour},
		{path: "/api/v1/ledger/sensors/air-1?from=-7d", from: -7*24*time.Hour + 2*time.Hour, to: 5 * time.Minute, spanAtMost: ledger.MaxMinutes * time.Minute},
		{path: "/api/v1/ledger/sensors/air-1?from=-7d&to=now", from: -7*24*time.Hour + 2*time.Minute, spanAtMost: ledger.MaxMinutes * time.Minute},
	} {
		s.get(c.path).want(http.StatusOK)
		from, to := s.ledger.from, s.ledger.to
		if from.Truncate(time.Minute) != from || to.Truncate(time.Minute) != to {
			t.Errorf("%s asks from %v to %v", c.path, from, to)
		}
		if c.fromTheOutset && from.Unix() != 0 || !c.fromTheOutset && from.After(now.Add(c.from+time.Second)) {
			t.Errorf("%s asks from %v", c.path, from)
		}
		if to.Before(now.Add(c.to)) {
			t.Errorf("%s asks to %v", c.path, to)
		}
		if c.spanAtMost > 0 && to.Sub(from) > c.spanAtMost {
			t.Errorf("%s asks for %v", c.path, to.Sub(from))
		}
	}
}

func TestQuarantine(t *testing.T) {
	s := start(t, nil)
	s.ledger.messages = []ledger.Message{{ID: 9, Refused: frame.Refused{
		Received: 1772366400000, Topic: "city/bridge-1/readings", Publisher: "bridge-1", Payload: []byte{0xff, 0x00}, SizeBytes: 10,
		Faults: []frame.Fault{
			{Reason: telemetry.ReasonRange, Sensor: "air-1", Detail: "9999 is too much", Readings: 1},
			{Reason: telemetry.ReasonUnregistered, Sensor: "ghost", Detail: "no such sensor", Readings: 2},
		},
	}}}
	faults := []api.QuarantineFault{
		{Reason: "range", Sensor: "air-1", Detail: "9999 is too much", Readings: 1},
		{Reason: "unregistered", Sensor: "ghost", Detail: "no such sensor", Readings: 2},
	}
	want := api.QuarantineEntry{
		ID: 9, Received: 1772366400000, Topic: "city/bridge-1/readings", Publisher: "bridge-1", SizeBytes: 10, Payload: "/wA=",
		Truncated: true, Faults: faults, Reason: "range", Sensor: "air-1", Detail: "9999 is too much", Readings: 1,
	}
	got := decode[api.QuarantineList](s.get("/api/v1/quarantine"))
	if diff := cmp.Diff(api.QuarantineList{Items: []api.QuarantineEntry{want}, Total: 1}, got); diff != "" {
		t.Errorf("quarantine (-want +got):\n%s", diff)
	}
	want.Reason, want.Sensor, want.Detail, want.Readings = "unregistered", "ghost", "no such sensor", 2
	got = decode[api.QuarantineList](s.get("/api/v1/quarantine?reason=unregistered&limit=7&before=10&sensor=ghost"))
	if diff := cmp.Diff(want, got.Items[0]); diff != "" {
		t.Errorf("the entry shows another reason than was asked for (-want +got):\n%s", diff)
	}
	if asked := s.ledger.asked; asked != (ledger.QuarantineFilter{Reason: telemetry.ReasonUnregistered, Sensor: "ghost", Before: 10, Limit: 7}) {
		t.Errorf("it asked for %+v", asked)
	}
	s.get("/api/v1/quarantine?reason=boredom").problem(http.StatusUnprocessableEntity, "query.reason", "unregistered")
}

func TestReplay(t *testing.T) {
	s := start(t, nil)
	got := decode[api.ReplayResult](s.change("POST", "/api/v1/quarantine/replay", `{"reason":"unregistered","ids":[3,4]}`))
	if got != (api.ReplayResult{Replayed: 2, StillRefused: 1}) || s.replay.reason != telemetry.ReasonUnregistered || !reflect.DeepEqual(s.replay.ids, []int64{3, 4}) {
		t.Errorf("answer %+v, asked for %v %v", got, s.replay.reason, s.replay.ids)
	}
	decode[api.ReplayResult](s.change("POST", "/api/v1/quarantine/replay", `{}`))
	if s.replay.reason != telemetry.ReasonNone || len(s.replay.ids) != 0 {
		t.Errorf("without parameters it asked for %v %v", s.replay.reason, s.replay.ids)
	}
	s.change("POST", "/api/v1/quarantine/replay", `{"reason":"boredom"}`).problem(http.StatusUnprocessableEntity)
	s.ask("POST", "/api/v1/quarantine/replay", `{}`).problem(http.StatusUnauthorized)
}

func TestAuditAndPipeline(t *testing.T) {
	s := start(t, nil)
	s.audit.report = api.AuditReport{Readings: 5, Rows: 4, Differences: []api.AuditDifference{{Sensor: "air-1", Time: 60000, Ledger: 5, Store: 4}}}
	want := s.audit.report
	want.From, want.To = 1000, 2000
	if diff := cmp.Diff(want, decode[api.AuditReport](s.get("/api/v1/audit?from=1000&to=2000"))); diff != "" {
		t.Errorf("audit (-want +got):\n%s", diff)
	}
	decode[api.AuditReport](s.get("/api/v1/audit"))
	if !s.audit.from.IsZero() || !s.audit.to.IsZero() {
		t.Errorf("without parameters it compares from %v to %v", s.audit.from, s.audit.to)
	}
	got := decode[api.PipelineState](s.get("/api/v1/pipeline"))
	if got.ReceivedPerS != 12.5 || len(got.Parts) != 2 || got.Parts[1].Message != "away" {
		t.Errorf("pipeline is %+v", got)
	}
}
