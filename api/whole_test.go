package api_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/lamppost-city/lamppost/api"
	"github.com/lamppost-city/lamppost/ingest/audit"
	"github.com/lamppost-city/lamppost/ingest/frame"
	"github.com/lamppost-city/lamppost/ingest/ledger"
	"github.com/lamppost-city/lamppost/query"
	"github.com/lamppost-city/lamppost/spool"
	"github.com/lamppost-city/lamppost/store/embedded"
	"github.com/lamppost-city/lamppost/store/influx"
	"github.com/lamppost-city/lamppost/telemetry"
)

// audits gives package audit the type that api asks for, as cmd does.
type audits struct {
	ledger *ledger.Ledger
	store  *influx.Client
}

func (a audits) Audit(ctx context.Context, from, to time.Time) (api.AuditReport, error) {
	r, err := audit.Run(ctx, a.ledger, a.store, from, to)
	if err != nil {
		return api.AuditReport{}, err
	}
	return api.AuditReport{Clean: r.Clean(), From: api.TimeOf(r.From), To: api.TimeOf(r.To), Readings: r.Written, Rows: r.Rows}, nil
}

// openStore starts the embedded InfluxDB, with a configuration that change may alter, and returns a client of it.
func openStore(t *testing.T, change func(*embedded.Config)) *influx.Client {
	t.Helper()
	cfg := embedded.DefaultConfig()
	if change != nil {
		change(&cfg)
	}
	cfg.Dir = filepath.Join(t.TempDir(), "store")
	log := slog.New(slog.DiscardHandler)
	store, err := embedded.New(cfg, log)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- store.Run(ctx) }()
	select {
	case <-store.Ready():
	case err := <-ended:
		t.Fatal(err)
	}
	client, err := influx.New(store.Influx(), log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		client.Close()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return client
}

// TestWithTheRealStoreAndLedger holds that the API, the registry, the store, the ledger and the queries mean the same by
// what they say to each other.
func TestWithTheRealStoreAndLedger(t *testing.T) {
	store := openStore(t, nil)
	accounts, err := ledger.Open(t.Context(), filepath.Join(t.TempDir(), "ledger.db"), ledger.DefaultConfig(), prometheus.NewRegistry(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { accounts.Close() })
	latest := query.NewLatest(query.DefaultConfig(), prometheus.NewRegistry())
	s := start(t, func(s *server) {
		s.deps.Latest, s.deps.History = latest, query.NewHistory(query.DefaultConfig(), store, prometheus.NewRegistry())
		s.deps.Figures = func(now time.Time, maxAge func(telemetry.SensorID) time.Duration) []query.Figure {
			return query.Figures(latest, now, maxAge)
		}
		s.deps.Ledger, s.deps.Quarantine, s.deps.Audit = accounts, accounts, audits{accounts, store}
	})
	s.change("POST", "/api/v1/sensors/import", header+"air-1,Air,market,Market Square,old-town,13.4,52.5,,60,no2\n").want(http.StatusOK)

	// Ten readings, one a minute, the last one now; and a message that was refused.
	const n = 10
	newest := telemetry.MilliOf(time.Now())
	var f frame.Frame
	for i := range n {
		at := newest - telemetry.UnixMilli((n-1-i)*60_000)
		f.Lines = fmt.Appendf(f.Lines, "safety,sensor=air-1,site=market,district=old-town no2=%d %d\n", 10*i, at)
		f.Accepted = append(f.Accepted, 1)
		f.Minutes = append(f.Minutes, frame.Minute{Sensor: "air-1", Minute: ledger.MinuteOf(at), Newest: at, Counts: frame.Counts{Received: 1, Accepted: 1, Reports: 1}})
	}
	f.Rejections = []frame.Rejection{{Minute: ledger.MinuteOf(newest), Reason: telemetry.ReasonUnregistered, N: 1}}
	f.Refused = []frame.Refused{{
		Received: newest, Topic: "city/ghost/readings", Publisher: "ghost", Payload: []byte("{}"), SizeBytes: 2,
		Faults: []frame.Fault{{Reason: telemetry.ReasonUnregistered, Sensor: "ghost", Detail: "no such sensor", Readings: 1}},
	}}
	end := spool.Position{Segment: 1, Offset: 100}
	if err := accounts.Record(t.Context(), &f, end); err != nil {
		t.Fatal(err)
	}
	flush := func() { // sums that are given out may be a little old otherwise
		if err := accounts.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	flush()
	if got := decode[api.LedgerCounts](s.get("/api/v1/ledger")); got.Received != n+1 || got.Waiting != n || got.Rejected["unregistered"] != 1 {
		t.Errorf("before the store has anything the ledger says %+v", got)
	}
	if err := store.Write(t.Context(), f.Lines); err != nil {
		t.Fatal(err)
	}
	if err := accounts.Settle(t.Context(), &f, nil, nil, end); err != nil {
		t.Fatal(err)
	}
	flush()
	if err := latest.Seed(t.Context(), store, time.Now()); err != nil {
		t.Fatal(err)
	}

	checkAccounts(s, n, newest)
	checkHistory(s, n, newest)
}

// checkAccounts expects n readings of air-1, all written, the newest with the value 90, and one message in quarantine.
func checkAccounts(s *server, n int64, newest telemetry.UnixMilli) {
	t := s.t
	got := decode[api.LedgerOfSensor](s.get("/api/v1/ledger/sensors/air-1"))
	if got.Written != n || got.Waiting != 0 || len(got.Minutes) != int(n) {
		t.Errorf("the ledger of the sensor says %+v", got)
	}
	if got := decode[api.AuditReport](s.get("/api/v1/audit")); !got.Clean || got.Readings != n || got.Rows != n {
		t.Errorf("audit is %+v", got)
	}
	if got := decode[api.QuarantineList](s.get("/api/v1/quarantine?reason=unregistered")); got.Total != 1 || got.Items[0].Sensor != "ghost" {
		t.Errorf("quarantine is %+v", got)
	}
	sensor := decode[api.SensorWithLatest](s.get("/api/v1/sensors/air-1"))
	if sensor.State != "ok" || len(sensor.Latest) != 1 || sensor.Latest[0].Value != 90 || sensor.Latest[0].Time != api.Time(newest) {
		t.Errorf("the sensor is %+v", sensor)
	}
	for _, figure := range decode[api.FigureList](s.get("/api/v1/figures")).Items {
		if figure.Quantity == "no2" && (figure.Value != 90 || figure.Sensors != 1) {
			t.Errorf("figure is %+v", figure)
		}
	}
}

// checkHistory expects n readings of air-1, one a minute: 0, 10, 20 ...
func checkHistory(s *server, n int, newest telemetry.UnixMilli) {
	t := s.t
	raw := decode[api.HistoryAnswer](s.get("/api/v1/history?sensor=air-1&from=-1h"))
	if len(raw.Series) != 1 || len(raw.Series[0].Points) != n || raw.Series[0].Points[n-1] != [2]float64{float64(newest), 90} {
		t.Errorf("history is %+v", raw)
	}
	from, to := newest-telemetry.UnixMilli(n*60_000), newest+1
	for agg, want := range map[string]float64{"mean": 45, "min": 0, "max": 90, "sum": 450, "count": float64(n)} {
		got := decode[api.HistoryAnswer](s.get(fmt.Sprintf("/api/v1/history?sensor=air-1&quantity=no2&from=%d&to=%d&step=365d&agg=%s", from, to, agg)))
		if len(got.Series) != 1 || len(got.Series[0].Points) == 0 {
			t.Fatalf("%s: %+v", agg, got)
		}
		if diff := cmp.Diff(want, got.Series[0].Points[len(got.Series[0].Points)-1][1]); diff != "" && len(got.Series[0].Points) == 1 {
			t.Errorf("%s (-want +got):\n%s", agg, diff)
		}
	}
	s.get("/api/v1/history?sensor=air-1&from=-1h&step=1ms").problem(http.StatusUnprocessableEntity, "query.step")
	s.get("/api/v1/history?sensor=air-1&from=-50w&step=1s").problem(http.StatusUnprocessableEntity, "query.step")
}

func TestStoreThatIsAwayIsSaidSo(t *testing.T) {
	cfg := influx.DefaultConfig()
	cfg.URL, cfg.Bucket, cfg.Token, cfg.Org = "http://127.0.0.1:9", "lamppost/readings", "u:p", "lamppost"
	client, err := influx.New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	s := start(t, func(s *server) {
		s.deps.History = query.NewHistory(query.DefaultConfig(), client, prometheus.NewRegistry())
	})
	if a := s.get("/api/v1/history?sensor=aa&quantity=no2").problem(http.StatusServiceUnavailable, "/readyz"); a.header.Get("Retry-After") == "" {
		t.Error("503 without Retry-After")
	}
}
