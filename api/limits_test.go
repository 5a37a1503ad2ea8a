package api_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lamppost-city/lamppost/ingest/ledger"
	"github.com/lamppost-city/lamppost/query"
	"github.com/lamppost-city/lamppost/telemetry"
)

func TestWrongRequestsGetProblemsThatNameTheFault(t *testing.T) {
	s := start(t, nil)
	aCity(s)
	for _, c := range []struct {
		path   string
		status int
		says   string
	}{
		{"/api", 404, "/api/docs"},
		{"/api/v1/none", 404, "/api/v1/none"},
		{"/api/v1/sensors/air-1/none", 404, ""},
		{"/api/v1/sensors?limit=0", 422, "query.limit"},
		{"/api/v1/sensors?limit=10001", 422, "query.limit"},
		{"/api/v1/sensors?limit=many", 422, "query.limit"},
		{"/api/v1/sensors?limit=99999999999999999999", 422, "query.limit"},
		{"/api/v1/sensors?offset=-1", 422, "query.offset"},
		{"/api/v1/sensors?domain=weather", 422, "query.domain"},
		{"/api/v1/sensors?state=odd", 422, "query.state"},
		{"/api/v1/sensors?colour=red", 422, "query.colour"},
		{"/api/v1/sensors?q=" + strings.Repeat("x", 201), 422, "query.q"},
		{"/api/v1/sensors?q=%zz", 400, "query string"},
		{"/api/v1/sensors?q=a;b", 400, "query string"},
		{"/api/v1/sensors?q=" + strings.Repeat("x", 9000), 414, "8192"},
		{"/api/v1/latest?sensor=A", 422, "query.sensor"},
		{"/api/v1/latest?quantity=happiness", 422, "query.quantity"},
		{"/api/v1/history", 422, "query.sensor"},
		{"/api/v1/history?sensor=none", 404, "none"},
		{"/api/v1/history?sensor=air-1&from=yesterday", 422, "query.from"},
		{"/api/v1/history?sensor=air-1&from=1e9", 422, "query.from"},
		{"/api/v1/history?sensor=air-1&to=2300-01-01T00:00:00Z", 422, "query.to"},
		{"/api/v1/history?sensor=air-1&to=1960-01-01T00:00:00Z", 422, "query.to"},
		{"/api/v1/history?sensor=air-1&from=--1h", 422, "query.from"},
		{"/api/v1/history?sensor=air-1&from=-99999999999d", 422, "query.from"},
		{"/api/v1/history?sensor=air-1&from=now&to=-1h", 422, "query.from"},
		{"/api/v1/history?sensor=air-1&step=often", 422, "query.step"},
		{"/api/v1/history?sensor=air-1&step=-5m", 422, "query.step"},
		{"/api/v1/history?sensor=air-1&agg=mode", 422, "query.agg"},
		{"/api/v1/quarantine?limit=1001", 422, "query.limit"},
		{"/api/v1/quarantine?before=-1", 422, "query.before"},
		{"/api/v1/audit?from=never", 422, "query.from"},
	} {
		s.get(c.path).problem(c.status, c.says)
	}
	for _, method := range []string{"POST", "PATCH", "DELETE", "OPTIONS", "BREW"} {
		a := s.change(method, "/api/v1/sensors", "").problem(http.StatusMethodNotAllowed, method)
		if a.header.Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: Allow is %q", method, a.header.Get("Allow"))
		}
	}
}

func TestProblemsRepeatLittleOfTheRequest(t *testing.T) {
	s := start(t, func(s *server) { s.cfg.MaxQueryBytes = 60_000 })
	long := strings.Repeat("é", 4_000)
	for _, a := range []*answer{
		s.get("/api/v1/sensors?q=" + long).problem(http.StatusUnprocessableEntity),
		s.get("/api/v1/sensors?" + long + "=1").problem(http.StatusUnprocessableEntity),
		s.get("/api/v1/" + long).problem(http.StatusNotFound),
		s.get("/api/v1/sensors/" + long).problem(http.StatusUnprocessableEntity),
		s.change("PUT", "/api/v1/sensors/aa", `{"x":"`+long).problem(http.StatusBadRequest),
		s.change("PUT", "/api/v1/sensors/aa", `{"quantities":"`+long+`"}`).problem(http.StatusUnprocessableEntity),
	} {
		if len(a.body) > 2000 {
			t.Errorf("%.60s: the problem has %d bytes: %.300s", a.what, len(a.body), a.body)
		}
	}
}

func TestBodiesAreBounded(t *testing.T) {
	s := start(t, func(s *server) {
		s.cfg.MaxBodyBytes, s.cfg.MaxPlanBytes, s.cfg.MaxImportBytes = 2000, 4000, 8000
	})
	for _, c := range []struct {
		method, path string
		size         int
		tooLarge     bool
	}{
		{"PUT", "/api/v1/sensors/aa", 1000, false},
		{"PUT", "/api/v1/sensors/aa", 2001, true},
		{"PUT", "/api/v1/plan", 3000, false},
		{"PUT", "/api/v1/plan", 4001, true},
		{"POST", "/api/v1/sensors/import", 7000, false},
		{"POST", "/api/v1/sensors/import", 8001, true},
		{"POST", "/api/v1/sensors/import", 1 << 20, true},
		{"POST", "/api/v1/session", 1 << 20, true},
	} {
		a := s.change(c.method, c.path, strings.Repeat(" ", c.size))
		if got := a.status == http.StatusRequestEntityTooLarge; got != c.tooLarge {
			t.Errorf("%s with %d bytes answers %d", a.what, c.size, a.status)
		}
		if c.tooLarge {
			a.problem(http.StatusRequestEntityTooLarge)
		}
	}
}

// What is left of a body that was refused must not be taken for the next request: whoever can make a browser or a proxy
// send a body could otherwise make requests in its name.
func TestRestOfARefusedBodyIsNoRequest(t *testing.T) {
	s := start(t, nil)
	inner := "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
	for _, size := range []int{2 << 20, 100 << 10} {
		for _, c := range []struct{ path, status string }{
			{"/api/v1/session", "4"}, {"/api/v1/city", "405"}, {"/api/v1/none", "404"}, {"/", "200"},
		} {
			conn, err := net.Dial("tcp", s.Addr())
			if err != nil {
				t.Fatal(err)
			}
			body := strings.Repeat(inner, size/len(inner))
			go func() {
				fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s", c.path, token, len(body), body)
				fmt.Fprintf(conn, "GET /api/v1/city HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
			}()
			if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
				t.Fatal(err)
			}
			got, _ := io.ReadAll(conn) // it may end with a reset
			conn.Close()
			if !strings.HasPrefix(string(got), "HTTP/1.1 "+c.status) {
				t.Errorf("%s with %d bytes is answered %.100q", c.path, size, got)
			}
			answers := strings.Count(string(got), "HTTP/1.1 ")
			if whole := strings.Contains(string(got), `"zone"`); answers > 2 || answers == 2 && !whole {
				t.Errorf("%s with %d bytes: the rest of the body was taken for a request: %.1000s", c.path, size, got)
			}
		}
	}
}

func TestPanicIsAProblemAndServesOn(t *testing.T) {
	s := start(t, func(s *server) {
		s.deps.Figures = func(time.Time, func(telemetry.SensorID) time.Duration) []query.Figure { panic("secret detail") }
	})
	for range 3 {
		if a := s.get("/api/v1/figures").problem(http.StatusInternalServerError); strings.Contains(string(a.body), "secret") {
			t.Errorf("the problem tells the inside: %s", a.body)
		}
	}
	s.get("/api/v1/city").want(http.StatusOK)
}

func TestFaultsInsideStayInside(t *testing.T) {
	s := start(t, nil)
	s.ledger.err = errors.New("secret detail of the disk")
	s.history.err = errors.New("secret detail of the store")
	for path, status := range map[string]int{
		"/api/v1/ledger": 500, "/api/v1/quarantine": 500, "/api/v1/history?sensor=aa&quantity=no2": 500,
	} {
		if a := s.get(path).problem(status); strings.Contains(string(a.body), "secret") {
			t.Errorf("%s tells the inside: %s", path, a.body)
		}
	}
	s.history.err = fmt.Errorf("asked: %w", &query.InvalidError{Param: "step", Message: "makes too many steps"})
	s.get("/api/v1/history?sensor=aa&quantity=no2").problem(http.StatusUnprocessableEntity, "query.step", "too many steps")
	s.history.err = context.DeadlineExceeded
	s.get("/api/v1/history?sensor=aa&quantity=no2").problem(http.StatusGatewayTimeout)
	s.ledger.err = ledger.ErrRange
	s.get("/api/v1/ledger").problem(http.StatusInternalServerError)
}

func TestQueriesAreBounded(t *testing.T) {
	const path = "/api/v1/history?sensor=aa&quantity=no2"
	s := start(t, func(s *server) {
		s.cfg.MaxQueries, s.cfg.QueryWait = 2, 50*time.Millisecond
		s.history.hold = make(chan struct{})
	})
	answers := make(chan int, 2)
	for range 2 {
		go func() {
			got, err := s.client.Get(s.URL() + path)
			if err != nil {
				answers <- 0
				return
			}
			got.Body.Close()
			answers <- got.StatusCode
		}()
	}
	// The two hold the places; once they do, everybody else is told to come again.
	deadline := time.Now().Add(10 * time.Second)
	for s.get("/api/v1/audit").status != http.StatusServiceUnavailable {
		if time.Now().After(deadline) {
			t.Fatal("a third query was never refused")
		}
	}
	if a := s.get("/api/v1/audit").problem(http.StatusServiceUnavailable); a.header.Get("Retry-After") == "" {
		t.Error("503 without Retry-After")
	}
	s.get("/api/v1/latest").want(http.StatusOK) // does not ask the store
	close(s.history.hold)
	for range 2 {
		if status := <-answers; status != http.StatusOK {
			t.Errorf("a query that held a place ended with %d", status)
		}
	}
	s.get("/api/v1/audit").want(http.StatusOK)
}

func TestQueriesAreEndedInTime(t *testing.T) {
	s := start(t, func(s *server) {
		s.cfg.QueryTimeout = 100 * time.Millisecond
		s.history.hold = make(chan struct{})
	})
	s.get("/api/v1/history?sensor=aa&quantity=no2").problem(http.StatusGatewayTimeout)
}

func TestLargeAnswersAreCompressed(t *testing.T) {
	s := start(t, nil)
	aCity(s)
	for _, path := range []string{"/api/v1/quantities", "/api/openapi.json", "/api/docs"} {
		plain := s.get(path).want(http.StatusOK)
		packed := s.get(path, "Accept-Encoding", "gzip").want(http.StatusOK)
		if packed.header.Get("Content-Encoding") != "gzip" || !strings.Contains(packed.header.Get("Vary"), "Accept-Encoding") {
			t.Fatalf("%s: headers %v", path, packed.header)
		}
		unpack, err := gzip.NewReader(bytes.NewReader(packed.body))
		if err != nil {
			t.Fatal(err)
		}
		unpacked, err := io.ReadAll(unpack)
		if err != nil || !bytes.Equal(unpacked, plain.body) {
			t.Errorf("%s: unpacked it differs from the plain answer (error %v)", path, err)
		}
		if len(packed.body) > len(plain.body)/2 {
			t.Errorf("%s: %d bytes became %d", path, len(plain.body), len(packed.body))
		}
		s.get(path, "Accept-Encoding", "gzip", "If-None-Match", packed.header.Get("Etag")).want(http.StatusNotModified)
	}
	if a := s.get("/api/v1/city", "Accept-Encoding", "gzip"); a.header.Get("Content-Encoding") != "" {
		t.Error("a short answer is compressed")
	}
	s.get("/api/v1/none", "Accept-Encoding", "gzip").problem(http.StatusNotFound)
}

func TestSafetyHeaders(t *testing.T) {
	s := start(t, nil)
	for _, path := range []string{"/api/v1/city", "/api/v1/none", "/api/docs", "/", "/livez"} {
		h := s.get(path).header
		if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("X-Frame-Options") != "DENY" {
			t.Errorf("%s: %v", path, h)
		}
		if h.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s lets other origins read", path)
		}
	}
	if got := s.get("/api/v1/city").header.Get("Content-Security-Policy"); !strings.HasPrefix(got, "default-src 'none'") {
		t.Errorf("data has the policy %q", got)
	}
	if got := s.get("/").header.Get("Content-Security-Policy"); !strings.Contains(got, "default-src 'self'") {
		t.Errorf("pages have the policy %q", got)
	}
}

func TestRequestsAreCounted(t *testing.T) {
	metrics := prometheus.NewRegistry()
	s := start(t, func(s *server) { s.deps.Metrics = metrics })
	s.get("/api/v1/sensors/one-of-many")
	s.get("/api/v1/sensors/another")
	s.get("/api/v1/none")
	s.get("/livez")
	s.ask("BREW", "/api/v1/city", "")
	families, err := metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, family := range families {
		if family.GetName() != "lamppost_api_requests_total" {
			continue
		}
		for _, m := range family.GetMetric() {
			key := ""
			for _, label := range m.GetLabel() {
				key += label.GetValue() + " "
			}
			got[key] = m.GetCounter().GetValue()
		}
	}
	for key, want := range map[string]float64{
		"GET /api/v1/sensors/{id} 4xx ": 2, "GET none 4xx ": 1, "GET /livez 2xx ": 1, "other none 4xx ": 1,
	} {
		if got[key] != want {
			t.Errorf("%q counted %v times, want %v; all: %v", key, got[key], want, got)
		}
	}
}

func TestManySensorsAreListedQuickly(t *testing.T) {
	s := manySensors(t, 12_000, nil)
	for path, least := range map[string]int{"/api/v1/latest": 24_000, "/api/v1/sensors?state=ok&limit=1000": 1000, "/api/v1/sites": 1200} {
		s.get(path)
		began := time.Now()
		a := s.get(path).want(http.StatusOK)
		took := time.Since(began)
		var list struct{ Items []json.RawMessage }
		a.into(&list)
		if len(list.Items) < least {
			t.Errorf("%s has %d items, want at least %d", path, len(list.Items), least)
		}
		t.Logf("%s: %d items, %d bytes in %v", path, len(list.Items), len(a.body), took)
		if took > 2*time.Second { // a bound that a loaded machine keeps; the benchmark has the figure
			t.Errorf("%s took %v", path, took)
		}
	}
}

// manySensors is a city of n sensors with two readings each, ten to a site, behind a server that change may alter.
func manySensors(t testing.TB, n int, change func(*server)) *server {
	s := start(t, change)
	no2, temperature := quantity(t, "no2"), quantity(t, "temperature")
	now := telemetry.MilliOf(time.Now())
	var csv strings.Builder
	csv.WriteString(header)
	for i := range n {
		id := telemetry.SensorID(fmt.Sprintf("air-%05d", i))
		fmt.Fprintf(&csv, "%s,Air %d,site-%04d,Site %d,district-%d,13.4,52.5,,60,no2 temperature\n", id, i, i/10, i/10, i/10%20)
		s.latest.readings[id] = []telemetry.Reading{
			{Sensor: id, Quantity: no2, Value: float64(i) / 8, Measured: now}, {Sensor: id, Quantity: temperature, Value: 12.5, Measured: now},
		}
	}
	s.change("POST", "/api/v1/sensors/import", csv.String()).want(http.StatusOK)
	return s
}

func BenchmarkLatestOf10000Sensors(b *testing.B) { benchmarkGet(b, "/api/v1/latest") }

func BenchmarkPageOf10000Sensors(b *testing.B) {
	benchmarkGet(b, "/api/v1/sensors?state=ok&limit=1000")
}

func BenchmarkSitesOf10000Sensors(b *testing.B) { benchmarkGet(b, "/api/v1/sites") }

func benchmarkGet(b *testing.B, path string) {
	s := manySensors(b, 10_000, nil)
	b.ReportAllocs()
	b.SetBytes(int64(len(s.get(path).want(http.StatusOK).body)))
	for b.Loop() {
		s.get(path)
	}
}

func TestLargeHeadsAreRefused(t *testing.T) {
	s := start(t, nil)
	conn, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Long: %s", strings.Repeat("x", 64<<10))
	if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(conn)
	if err == nil && !strings.Contains(string(got), "431") {
		t.Errorf("a head of 64 KB is answered %q", got)
	}
}
