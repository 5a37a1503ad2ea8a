package api_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"runtime"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lamppost-city/lamppost/query"
	"github.com/lamppost-city/lamppost/telemetry"
)

// many is how many clients at once these tests have: as many as may listen.
const many = 200

// askSlowly sends a request over a connection of its own, with a receive buffer as small as it gets, and reads nothing.
func (s *server) askSlowly(path string) net.Conn {
	s.t.Helper()
	conn := s.dialSlowly()
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path)
	return conn
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestManySlowListenersHoldNobodyUp(t *testing.T) {
	metrics := prometheus.NewRegistry()
	s := start(t, func(s *server) {
		s.cfg.MaxLiveClients, s.cfg.LiveFlush, s.cfg.WriteTimeout = many+1, time.Millisecond, time.Minute
		s.deps.Metrics = metrics
	})
	for range many {
		s.listenSlowly()
	}
	fast := s.listen("")
	before := heap()
	const batches, size = 200, 500 // about 13 MB for each listener
	no2 := quantity(t, "no2")
	began, longest := time.Now(), time.Duration(0)
	for b := range batches {
		readings := make([]telemetry.Reading, size)
		for i := range readings {
			readings[i] = telemetry.Reading{Sensor: "air-1", Quantity: no2, Value: float64(b)}
		}
		published := time.Now()
		s.hub.Publish(readings)
		longest = max(longest, time.Since(published))
		for range size {
			if e := next(t, fast); e.name != "reading" {
				t.Fatalf("the fast listener gets %v", e)
			}
		}
	}
	// They share what waits for them: 2.6 GB each for itself, a few MB together.
	if grown := int64(heap()) - int64(before); grown > 200<<20 {
		t.Errorf("%d slow listeners take %d MB", many, grown>>20)
	}
	if longest > time.Second {
		t.Errorf("publishing took up to %v", longest)
	}
	t.Logf("%d readings in %v, publishing up to %v", batches*size, time.Since(began), longest)
	if lost := metric(t, metrics, "lamppost_api_live_lost_readings_total"); lost == 0 {
		t.Error("nobody lost anything: they were not slow")
	}
	stopsWithin(t, s, 10*time.Second)
}

// Fifty streams that read nothing, each in the middle of a write, and fifty that do.
func TestStopEndsStreamsThatTakeNothing(t *testing.T) {
	s := start(t, func(s *server) { s.cfg.WriteTimeout = time.Minute })
	var streams []<-chan event
	for range 50 {
		s.listenSlowly()
		streams = append(streams, s.listen("?sensor=nobody"))
	}
	readings := make([]telemetry.Reading, 4000)
	for i := range readings {
		readings[i] = telemetry.Reading{Sensor: "air-1", Quantity: quantity(t, "no2")}
	}
	for range 30 { // 14 MB: more than the buffers of a connection hold
		s.hub.Publish(readings)
	}
	stopsWithin(t, s, 10*time.Second)
	for _, events := range streams {
		for range events { // ends, because the stream has
		}
	}
}

func stopsWithin(t *testing.T, s *server, limit time.Duration) {
	t.Helper()
	began := time.Now()
	s.stop()
	if took := time.Since(began); took > limit {
		t.Errorf("stopping took %v", took)
	}
}

func TestListenersThatVanishLeaveTheirPlaces(t *testing.T) {
	metrics := prometheus.NewRegistry()
	s := start(t, func(s *server) {
		s.cfg.MaxLiveClients, s.deps.Metrics = 20, metrics
	})
	for round := range 3 {
		for range 20 {
			conn := s.listenSlowly().conn.(*net.TCPConn)
			if round == 1 {
				_ = conn.SetLinger(0) // without a word of farewell
			}
			defer conn.Close()
			if round < 2 {
				conn.Close()
			}
		}
		if round == 2 {
			break
		}
		deadline := time.Now().Add(10 * time.Second)
		for metric(t, metrics, "lamppost_api_live_clients") != 0 {
			if time.Now().After(deadline) {
				t.Fatalf("round %d: %v clients are still counted", round, metric(t, metrics, "lamppost_api_live_clients"))
			}
		}
	}
}

// Many clients ask for a large answer and take nothing of it: it costs little memory, others are served, and in the end
// they are dropped.
func TestAnswersThatNobodyTakes(t *testing.T) {
	const sensors = 12_000
	s := manySensors(t, sensors, func(s *server) { s.cfg.WriteTimeout = 2 * time.Second })
	points := make([]query.Point, 500_000) // 15 MB: more than the buffers of a connection hold
	for i := range points {
		points[i] = query.Point{Time: 1772366400000, Value: math.Pi}
	}
	s.history.result = query.HistoryResult{Series: []query.HistorySeries{{Sensor: "air-1", Quantity: quantity(t, "no2"), Points: points}}}
	before := heap()
	var conns []net.Conn
	for i := range many {
		path := "/api/v1/latest"
		if i%2 == 1 {
			path = "/api/v1/history?sensor=air-1&quantity=no2"
		}
		conns = append(conns, s.askSlowly(path))
	}
	for range 20 {
		began := time.Now()
		s.get("/api/v1/sensors?limit=10").want(http.StatusOK)
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("another client waited %v", took)
		}
	}
	if grown := int64(heap()) - int64(before); grown > 100<<20 {
		t.Errorf("%d answers that nobody takes hold %d MB", many, grown>>20)
	}
	time.Sleep(2*s.cfg.WriteTimeout + time.Second) // nothing is read for longer than WriteTimeout
	for i, conn := range conns {
		if i%2 == 0 {
			continue // this answer may be wholly in the buffers
		}
		_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatalf("client %d: %v", i, err)
		}
		if _, err := io.Copy(io.Discard, response.Body); !errors.Is(err, io.ErrUnexpectedEOF) {
			var timeout net.Error
			t.Fatalf("client %d, status %d: the answer ended with %v, want it broken off (timeout %v)", i, response.StatusCode, err, errors.As(err, &timeout))
		}
	}
}

// A client that reads slowly, but reads, gets its answer whole.
func TestSlowReaderGetsItsAnswer(t *testing.T) {
	s := manySensors(t, 12_000, func(s *server) { s.cfg.WriteTimeout = 500 * time.Millisecond })
	want := s.get("/api/v1/latest").want(http.StatusOK).body
	conn := s.askSlowly("/api/v1/latest")
	_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
	response, err := http.ReadResponse(bufio.NewReaderSize(conn, 4096), nil)
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	for err == nil {
		_, err = io.CopyN(&got, response.Body, int64(len(want)/40))
		time.Sleep(50 * time.Millisecond) // it takes two seconds in all
	}
	if !errors.Is(err, io.EOF) || !bytes.Equal(got.Bytes(), want) {
		t.Errorf("got %d of %d bytes: %v", got.Len(), len(want), err)
	}
}
