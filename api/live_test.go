package api_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lamppost-city/lamppost/telemetry"
)

// event is one of a stream.
type event struct {
	name string // "" for a comment
	data string
}

// listen opens the live stream and returns its events; the channel is closed when the stream ends. It returns once the
// server has taken the listener in.
func (s *server) listen(query string, headers ...string) <-chan event {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s.t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL()+"/api/v1/live"+query, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	got, err := (&http.Client{Transport: s.client.Transport}).Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	if got.StatusCode != http.StatusOK || got.Header.Get("Content-Type") != "text/event-stream" ||
		got.Header.Get("X-Accel-Buffering") != "no" || got.Header.Get("Content-Encoding") != "" {
		s.t.Fatalf("the stream begins with status %d and %v", got.StatusCode, got.Header)
	}
	events := make(chan event, 1000)
	lines := bufio.NewReader(got.Body)
	if first, err := lines.ReadString('\n'); first != ": connected\n" {
		s.t.Fatalf("the stream begins with %q, %v", first, err)
	}
	go func() {
		defer close(events)
		defer got.Body.Close()
		readEvents(lines, func(e event) { events <- e })
	}()
	s.t.Cleanup(func() {
		cancel()
		for range events { // so that the goroutine ends
		}
	})
	return events
}

func readEvents(lines *bufio.Reader, visit func(event)) {
	var e event
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(line, ":"):
			visit(event{data: line})
		case strings.HasPrefix(line, "event: "):
			e.name = line[7:]
		case strings.HasPrefix(line, "data: "):
			e.data = line[6:]
		case line == "" && e.name != "":
			visit(e)
			e = event{}
		}
	}
}

// next waits for an event that is no comment.
func next(t testing.TB, events <-chan event) event {
	t.Helper()
	late := time.After(10 * time.Second)
	for {
		select {
		case e, open := <-events:
			if !open {
				t.Fatal("the stream ended")
			}
			if e.name != "" {
				return e
			}
		case <-late:
			t.Fatal("no event came")
		}
	}
}

func quantity(t testing.TB, name string) telemetry.QuantityID {
	t.Helper()
	q, ok := telemetry.QuantityByName(name)
	if !ok {
		t.Fatalf("no quantity %s", name)
	}
	return q.ID
}

func TestLiveReadingsArriveAsTheyAre(t *testing.T) {
	s := start(t, nil)
	events := s.listen("")
	s.hub.Publish([]telemetry.Reading{
		{Sensor: "air-1", Quantity: quantity(t, "no2"), Value: 31.25, Measured: 1772366400123},
		{Sensor: "loop-7", Quantity: quantity(t, "speed"), Channel: "lane.2", Value: -0.5, Measured: 1772366400000, Stamped: true},
	})
	for _, want := range []string{
		`{"sensor":"air-1","quantity":"no2","channel":"","value":31.25,"unit":"µg/m³","time":"2026-03-01T12:00:00.123Z"}`,
		`{"sensor":"loop-7","quantity":"speed","channel":"lane.2","value":-0.5,"unit":"km/h","time":"2026-03-01T12:00:00.000Z","stamped":true}`,
	} {
		if got := next(t, events); got.name != "reading" || got.data != want {
			t.Errorf("got  %s %s\nwant reading %s", got.name, got.data, want)
		}
	}
}

func TestLiveFilters(t *testing.T) {
	s := start(t, nil)
	no2, speed, power := quantity(t, "no2"), quantity(t, "speed"), quantity(t, "active_power")
	published := []telemetry.Reading{
		{Sensor: "aa", Quantity: no2, Value: 1},
		{Sensor: "aa", Quantity: speed, Value: 2},
		{Sensor: "bb", Quantity: no2, Value: 3},
		{Sensor: "bb", Quantity: power, Value: 4},
		{Sensor: "cc", Quantity: speed, Value: 5},
		{Sensor: "zz", Quantity: no2, Value: 6},
	}
	cases := []struct {
		query string
		want  string
	}{
		{"", "123456"},
		{"?sensor=aa", "12"},
		{"?sensor=aa&sensor=cc", "125"},
		{"?sensor=aa,cc", "125"},
		{"?domain=traffic", "25"},
		{"?domain=traffic&domain=energy", "245"},
		{"?quantity=no2", "136"},
		{"?quantity=no2&sensor=bb", "3"},
		{"?quantity=no2&domain=traffic", ""},
		{"?sensor=none", ""},
	}
	streams := make([]<-chan event, len(cases))
	for i, c := range cases {
		streams[i] = s.listen(c.query)
	}
	s.hub.Publish(published)
	s.hub.Publish(published)
	for i, c := range cases {
		got := ""
		for range 2 * len(c.want) {
			var r struct{ Value int }
			if err := json.Unmarshal([]byte(next(t, streams[i]).data), &r); err != nil {
				t.Fatal(err)
			}
			got += fmt.Sprint(r.Value)
		}
		if got != c.want+c.want {
			t.Errorf("%q delivers %s, want %s twice", c.query, got, c.want)
		}
	}
	s.stop()
	for i, c := range cases {
		for e := range streams[i] {
			if e.name != "" {
				t.Errorf("%q delivers %v as well", c.query, e)
			}
		}
	}
	for _, query := range []string{"?sensor=Big", "?domain=weather", "?quantity=happiness", "?sensors=aa"} {
		s := start(t, nil)
		s.get("/api/v1/live"+query).problem(http.StatusUnprocessableEntity, "query."+query[1:strings.IndexByte(query, '=')])
	}
}

// slowClient is a raw connection that reads nothing until it is told to.
type slowClient struct {
	t    testing.TB
	conn net.Conn
	read *bufio.Reader
}

// dialSlowly connects with a receive buffer as small as it gets.
func (s *server) dialSlowly() net.Conn {
	s.t.Helper()
	dialer := net.Dialer{Control: func(_, _ string, c syscall.RawConn) error {
		var optErr error
		err := c.Control(func(fd uintptr) {
			optErr = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 2048)
		})
		if err != nil {
			return err
		}
		return optErr
	}}
	conn, err := dialer.Dial("tcp", s.Addr())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.Close() })
	return conn
}

// listenSlowly opens the live stream on such a connection, and reads its head only.
func (s *server) listenSlowly() *slowClient {
	s.t.Helper()
	conn := s.dialSlowly()
	fmt.Fprintf(conn, "GET /api/v1/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
	c := &slowClient{t: s.t, conn: conn, read: bufio.NewReader(conn)}
	got, err := http.ReadResponse(c.read, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	c.read = bufio.NewReader(got.Body)
	if first, err := c.read.ReadString('\n'); first != ": connected\n" {
		s.t.Fatalf("the stream begins with %q, %v", first, err)
	}
	return c
}

func TestSlowListenerLosesAndNobodyElseDoes(t *testing.T) {
	s := start(t, func(s *server) {
		s.cfg.LiveBacklog, s.cfg.LiveFlush, s.cfg.WriteTimeout = 8, time.Millisecond, time.Minute
	})
	slow := s.listenSlowly()
	fast := s.listen("")

	const batches, size = 300, 500 // about 20 MB, more than the buffers of a connection hold
	no2 := quantity(t, "no2")
	received, longest := 0, time.Duration(0)
	for b := range batches {
		readings := make([]telemetry.Reading, size)
		for i := range readings {
			readings[i] = telemetry.Reading{Sensor: "air-1", Quantity: no2, Value: float64(b*size + i)}
		}
		began := time.Now()
		s.hub.Publish(readings)
		longest = max(longest, time.Since(began))
		for range size {
			var r struct{ Value int }
			e := next(t, fast)
			if err := json.Unmarshal([]byte(e.data), &r); err != nil || e.name != "reading" || r.Value != received {
				t.Fatalf("the fast listener gets %v, want reading %d in order", e, received)
			}
			received++
		}
	}
	if longest > time.Second {
		t.Errorf("publishing took up to %v", longest)
	}

	// Once it reads again, the slow one hears how many it missed, and the sums close.
	got, lost, last := 0, 0, -1
	done := make(chan struct{})
	go func() {
		defer close(done)
		readEvents(slow.read, func(e event) {
			var v struct{ Value, Readings int }
			if e.name == "" {
				return
			}
			if err := json.Unmarshal([]byte(e.data), &v); err != nil {
				t.Errorf("the slow listener gets %q: %v", e.data, err)
			}
			if e.name == "lost" {
				lost += v.Readings
				return
			}
			if v.Value <= last {
				t.Errorf("reading %d comes after %d", v.Value, last)
			}
			got, last = got+1, v.Value
			if v.Value >= batches*size {
				slow.conn.Close()
			}
		})
	}()
	deadline := time.After(20 * time.Second)
	published := batches * size
	for {
		s.hub.Publish([]telemetry.Reading{{Sensor: "air-1", Quantity: no2, Value: float64(published)}})
		published++
		select {
		case <-done:
		case <-time.After(50 * time.Millisecond):
			continue // it was still behind and may have lost this one as well
		case <-deadline:
			t.Fatal("the slow listener never caught up")
		}
		break
	}
	if lost == 0 {
		t.Fatal("the slow listener was never told that it lost anything")
	}
	if got+lost <= last || got+lost > published {
		t.Errorf("the slow listener got %d, the last one number %d, and was told of %d lost", got, last, lost)
	}
}

func TestStuckListenerIsDropped(t *testing.T) {
	metrics := prometheus.NewRegistry()
	s := start(t, func(s *server) {
		s.cfg.WriteTimeout, s.cfg.LiveFlush = 100*time.Millisecond, time.Millisecond
		s.deps.Metrics = metrics
	})
	s.listenSlowly()
	readings := make([]telemetry.Reading, 4000)
	for i := range readings {
		readings[i] = telemetry.Reading{Sensor: "air-1", Quantity: quantity(t, "no2")}
	}
	deadline := time.Now().Add(20 * time.Second)
	for metric(t, metrics, "lamppost_api_live_clients") != 0 {
		s.hub.Publish(readings)
		if time.Now().After(deadline) {
			t.Fatal("a listener that reads nothing is still connected")
		}
	}
}

// metric returns the sum of a gauge or counter over its labels.
func metric(t *testing.T, from prometheus.Gatherer, name string) float64 {
	t.Helper()
	families, err := from.Gather()
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, m := range family.GetMetric() {
			sum += m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	return sum
}

func TestListenersAreBounded(t *testing.T) {
	s := start(t, func(s *server) { s.cfg.MaxLiveClients = 2 })
	s.listen("")
	second := s.listen("?sensor=aa")
	if got := s.get("/api/v1/live").problem(http.StatusServiceUnavailable, "max_live_clients"); got.header.Get("Retry-After") == "" {
		t.Error("503 without Retry-After")
	}
	s.hub.Publish([]telemetry.Reading{{Sensor: "aa", Quantity: quantity(t, "no2")}})
	next(t, second)
}

func TestSilentStreamHasHeartbeats(t *testing.T) {
	s := start(t, func(s *server) { s.cfg.LiveHeartbeat = 20 * time.Millisecond })
	events := s.listen("")
	for range 3 {
		select {
		case e := <-events:
			if e.name != "" || !strings.HasPrefix(e.data, ":") {
				t.Errorf("got %v, want a comment", e)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("no heartbeat came")
		}
	}
}

func TestStreamEndsWithItsSession(t *testing.T) {
	certFile, keyFile, trust := certificate(t)
	s := start(t, func(s *server) {
		s.cfg.LiveHeartbeat, s.away = 20*time.Millisecond, true
		s.cfg.TLSCertFile, s.cfg.TLSKeyFile = certFile, keyFile
	})
	s.trust(trust)
	cookie := s.signIn()
	events := s.listen("", "Cookie", cookie)
	s.ask("DELETE", "/api/v1/session", "", "Cookie", cookie, "Sec-Fetch-Site", "same-origin").want(http.StatusNoContent)
	late := time.After(10 * time.Second)
	for {
		select {
		case _, open := <-events:
			if !open {
				return
			}
		case <-late:
			t.Fatal("the stream goes on after its session has ended")
		}
	}
}

func TestStopEndsStreamsAtOnce(t *testing.T) {
	s := start(t, nil)
	var streams []<-chan event
	for range 20 {
		streams = append(streams, s.listen(""))
	}
	s.listenSlowly()
	began := time.Now()
	s.stop()
	if took := time.Since(began); took > s.cfg.StopGrace {
		t.Errorf("stopping with listeners took %v", took)
	}
	for _, events := range streams {
		for range events { // ends, because the stream has
		}
	}
}

func TestHeadOfLiveStreamHasNoBody(t *testing.T) {
	s := start(t, nil)
	if got := s.ask(http.MethodHead, "/api/v1/live", "").want(http.StatusOK); len(got.body) != 0 {
		t.Errorf("got %q", got.body)
	}
}

// BenchmarkLive hands messages of a thousand readings to fifty listeners, and waits until all have them.
func BenchmarkLive(b *testing.B) {
	const listeners, size = 50, 1000
	s := start(b, func(s *server) { s.cfg.LiveFlush = 0 })
	var received atomic.Int64
	for range listeners {
		r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, s.URL()+"/api/v1/live", nil)
		if err != nil {
			b.Fatal(err)
		}
		got, err := (&http.Client{Transport: s.client.Transport}).Do(r)
		if err != nil {
			b.Fatal(err)
		}
		defer got.Body.Close()
		go func() {
			for lines := bufio.NewReaderSize(got.Body, 64<<10); ; {
				line, err := lines.ReadSlice('\n')
				if err != nil {
					return
				}
				if line[0] == 'd' {
					received.Add(1)
				}
			}
		}()
	}
	readings := make([]telemetry.Reading, size)
	for i := range readings {
		readings[i] = telemetry.Reading{Sensor: "air-1", Quantity: 3, Value: 12.5, Measured: 1772366400123}
	}
	b.ReportAllocs()
	published := int64(0)
	for b.Loop() {
		s.hub.Publish(readings)
		published += size * listeners
		for received.Load() < published {
			runtime.Gosched()
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(published), "ns/event")
}
