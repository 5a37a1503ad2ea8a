package api_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/lamppost-city/lamppost/api"
	"github.com/lamppost-city/lamppost/ingest/ledger"
	"github.com/lamppost-city/lamppost/ingest/live"
	"github.com/lamppost-city/lamppost/query"
	"github.com/lamppost-city/lamppost/registry"
	"github.com/lamppost-city/lamppost/telemetry"
	"github.com/lamppost-city/lamppost/telemetry/step"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const token = "test-token-test-token-test-token-test-token"

// hub gives live.Hub the type that api asks for, as cmd does.
type hub struct{ *live.Hub }

func (h hub) Subscribe(batches int) api.Subscription { return h.Hub.Subscribe(batches) }

// fakeLatest holds readings by sensor.
type fakeLatest struct {
	readings map[telemetry.SensorID][]telemetry.Reading
}

func (f *fakeLatest) LastSeen(id telemetry.SensorID) (telemetry.UnixMilli, bool) {
	newest, ok := telemetry.UnixMilli(0), false
	for _, r := range f.readings[id] {
		newest, ok = max(newest, r.Measured), true
	}
	return newest, ok
}

func (f *fakeLatest) AppendLatest(dst []telemetry.Reading, id telemetry.SensorID) []telemetry.Reading {
	return append(dst, f.readings[id]...)
}

// fakeLedger answers with what it was given and notes what it was asked.
type fakeLedger struct {
	totals   ledger.Totals
	minutes  []ledger.Minute
	messages []ledger.Message
	sums     []ledger.Totals
	events   []ledger.Event
	asked    ledger.QuarantineFilter
	from, to time.Time
	step     step.Length
	sensors  []telemetry.SensorID
	err      error
}

func (f *fakeLedger) Totals(_ context.Context, from, to time.Time) (ledger.Totals, error) {
	f.from, f.to = from, to
	return f.totals, f.err
}

func (f *fakeLedger) Minutes(_ context.Context, _ telemetry.SensorID, from, to time.Time) ([]ledger.Minute, error) {
	f.from, f.to = from, to
	return f.minutes, f.err
}

func (f *fakeLedger) Steps(_ context.Context, q ledger.StepsQuery) ([]ledger.Minute, error) {
	f.sensors, f.from, f.to, f.step = q.Sensors, q.From, q.To, q.Step
	return f.minutes, f.err
}

func (f *fakeLedger) Sums(_ context.Context, sensors []telemetry.SensorID, from, to time.Time) ([]ledger.Totals, error) {
	f.sensors, f.from, f.to = sensors, from, to
	if f.sums == nil {
		return make([]ledger.Totals, len(sensors)), f.err
	}
	return f.sums[:len(sensors)], f.err
}

func (f *fakeLedger) Events(_ context.Context, from, to time.Time) ([]ledger.Event, bool, error) {
	f.from, f.to = from, to
	return f.events, false, f.err
}

func (f *fakeLedger) Quarantined(_ context.Context, filter ledger.QuarantineFilter) ([]ledger.Message, int64, error) {
	f.asked = filter
	return f.messages, int64(len(f.messages)), f.err
}

// fakeHistory answers with what it was given and notes what it was asked.
type fakeHistory struct {
	mu     sync.Mutex
	asked  query.HistoryQuery
	result query.HistoryResult
	err    error
	hold   chan struct{} // if not nil, answers wait until it is closed or the request ends
}

func (f *fakeHistory) History(ctx context.Context, q query.HistoryQuery) (query.HistoryResult, error) {
	if f.hold != nil {
		select {
		case <-f.hold:
		case <-ctx.Done():
			return query.HistoryResult{}, ctx.Err()
		}
		return f.result, f.err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = q
	return f.result, f.err
}

type fakeReplay struct {
	reason telemetry.Reason
	ids    []int64
}

func (f *fakeReplay) Replay(_ context.Context, reason telemetry.Reason, ids []int64) (api.ReplayResult, error) {
	f.reason, f.ids = reason, ids
	return api.ReplayResult{Replayed: 2, StillRefused: 1}, nil
}

type fakeAudit struct {
	report   api.AuditReport
	from, to time.Time
	err      error
}

func (f *fakeAudit) Audit(_ context.Context, from, to time.Time) (api.AuditReport, error) {
	f.from, f.to = from, to
	report := f.report
	report.From, report.To = api.Time(telemetry.MilliOf(from)), api.Time(telemetry.MilliOf(to))
	return report, f.err
}

type fakePipeline struct{}

func (fakePipeline) State(context.Context) (api.PipelineState, error) {
	return api.PipelineState{ReceivedPerS: 12.5, Version: "1.2.3"}, nil
}

func (fakePipeline) Parts() []api.PartState {
	return []api.PartState{{Name: "broker", Ready: true}, {Name: "store", Message: "away"}}
}

// fakeBridges answers with what it was given and notes what it was asked.
type fakeBridges struct {
	all      []api.BridgeWithSensors
	err      error // of Configure and Command
	id       telemetry.SensorID
	settings []byte
	command  api.BridgeCommand
	answer   api.BridgeAnswer
}

func (f *fakeBridges) Bridges() []api.BridgeWithSensors { return slices.Clone(f.all) }

func (f *fakeBridges) Bridge(id telemetry.SensorID) (api.BridgeWithSensors, error) {
	for _, b := range f.all {
		if b.Publisher == string(id) {
			return b, nil
		}
	}
	return api.BridgeWithSensors{}, fmt.Errorf("bridge %s: %w", id, api.ErrBridgeUnknown)
}

func (f *fakeBridges) Configure(_ context.Context, id telemetry.SensorID, settings []byte) (string, error) {
	f.id, f.settings = id, settings
	return "0123456789ab", f.err
}

func (f *fakeBridges) Command(_ context.Context, id telemetry.SensorID, c api.BridgeCommand) (api.BridgeAnswer, error) {
	f.id, f.command = id, c
	return f.answer, f.err
}

// server is a running Server with everything around it.
type server struct {
	*api.Server
	t        testing.TB
	cfg      api.Config
	away     bool // act as if listening away from loopback
	deps     api.Deps
	registry *registry.Registry
	hub      *live.Hub
	latest   *fakeLatest
	ledger   *fakeLedger
	history  *fakeHistory
	figures  []query.Figure
	replay   *fakeReplay
	audit    *fakeAudit
	bridges  *fakeBridges
	client   *http.Client
	stop     func() // stops Run and waits for it; further calls do nothing
}

// start runs a server on a free port of loopback with an empty registry. change, if not nil, alters it before.
func start(t testing.TB, change func(*server)) *server {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	reg, err := registry.Open(t.Context(), filepath.Join(t.TempDir(), "registry.db"), log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { reg.Close() })
	s := &server{
		t: t, cfg: api.DefaultConfig(), registry: reg, hub: &live.Hub{},
		latest: &fakeLatest{readings: map[telemetry.SensorID][]telemetry.Reading{}},
		ledger: &fakeLedger{}, history: &fakeHistory{}, replay: &fakeReplay{}, audit: &fakeAudit{},
		bridges: &fakeBridges{},
	}
	s.cfg.Listen = "127.0.0.1:0"
	s.deps = api.Deps{
		Token: token, Version: "1.2.3", Registry: reg, Latest: s.latest, Ledger: s.ledger, Quarantine: s.ledger,
		Replay: s.replay, Live: hub{s.hub}, Audit: s.audit, Pipeline: fakePipeline{}, Parts: fakePipeline{}, Bridges: s.bridges,
		Livez: text("alive"), Readyz: text("ready"), Console: text("console"),
		History: s.history, Figures: func(time.Time, func(telemetry.SensorID) time.Duration) []query.Figure { return s.figures },
	}
	if change != nil {
		change(s)
	}
	s.Server, err = api.New(s.cfg, s.deps, log)
	if err != nil {
		t.Fatal(err)
	}
	if s.away {
		api.ActAwayFromLoopback(s.Server)
	}
	s.run()
	return s
}

func text(body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) })
}

func (s *server) run() {
	s.t.Helper()
	transport := &http.Transport{DisableCompression: true}
	s.client = &http.Client{Transport: transport, Timeout: 30 * time.Second}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	var runErr error
	go func() {
		defer close(ended)
		runErr = s.Run(ctx)
	}()
	s.stop = func() {
		cancel()
		<-ended
		transport.CloseIdleConnections()
	}
	s.t.Cleanup(s.stop)
	select {
	case <-s.Ready():
	case <-ended:
		s.t.Fatalf("Run ended: %v", runErr)
	}
}

// trust makes the client accept the server's certificate.
func (s *server) trust(pool *x509.CertPool) {
	transport := s.client.Transport.(*http.Transport)
	transport.TLSClientConfig = &tls.Config{RootCAs: pool, ServerName: "localhost"}
	transport.ForceAttemptHTTP2 = true
}

// ask sends a request. Headers are pairs of name and value; Host is one of them.
func (s *server) ask(method, path, body string, headers ...string) *answer {
	s.t.Helper()
	r, err := http.NewRequest(method, s.URL()+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		} else {
			r.Header.Set(headers[i], headers[i+1])
		}
	}
	got, err := s.client.Do(r)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer got.Body.Close()
	content, err := io.ReadAll(got.Body)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	return &answer{t: s.t, what: method + " " + path, status: got.StatusCode, header: got.Header, body: content}
}

func (s *server) get(path string, headers ...string) *answer {
	s.t.Helper()
	return s.ask(http.MethodGet, path, "", headers...)
}

// change sends a request with the token.
func (s *server) change(method, path, body string) *answer {
	s.t.Helper()
	return s.ask(method, path, body, "Authorization", "Bearer "+token)
}

// answer is what came back.
type answer struct {
	t      testing.TB
	what   string
	status int
	header http.Header
	body   []byte
}

func (a *answer) want(status int) *answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("%s: status %d, want %d: %.500s", a.what, a.status, status, a.body)
	}
	return a
}

// problem expects a problem document of that status whose text has the words.
func (a *answer) problem(status int, words ...string) *answer {
	a.t.Helper()
	a.want(status)
	if got := a.header.Get("Content-Type"); got != "application/problem+json" {
		a.t.Errorf("%s: Content-Type %q", a.what, got)
	}
	var p struct {
		Title, Detail string
		Status        int
	}
	a.into(&p)
	if p.Status != status || p.Title == "" || p.Detail == "" {
		a.t.Errorf("%s: not a whole problem document: %s", a.what, a.body)
	}
	for _, word := range words {
		if !strings.Contains(string(a.body), word) {
			a.t.Errorf("%s: the problem does not say %q: %s", a.what, word, a.body)
		}
	}
	return a
}

func (a *answer) into(v any) {
	a.t.Helper()
	if err := json.Unmarshal(a.body, v); err != nil {
		a.t.Fatalf("%s: %v in %.500s", a.what, err, a.body)
	}
}

// decode reads the body of a 200.
func decode[T any](a *answer) T {
	a.t.Helper()
	a.want(http.StatusOK)
	var v T
	a.into(&v)
	return v
}
