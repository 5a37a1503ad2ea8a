package influx_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"

	"github.com/lamppost-city/lamppost/store"
	"github.com/lamppost-city/lamppost/store/influx"
	"github.com/lamppost-city/lamppost/store/storetest"
)

// serve runs a server that stands for an InfluxDB in a state that a real one cannot be put into.
func serve(t *testing.T, handle http.HandlerFunc) influx.Config {
	t.Helper()
	server := httptest.NewServer(handle)
	t.Cleanup(server.Close)
	cfg := influx.DefaultConfig()
	cfg.URL, cfg.Token, cfg.Org, cfg.Bucket = server.URL, "secret-token", "city hall", "lamppost/readings"
	return cfg
}

func storeError(t *testing.T, err error) *store.Error {
	t.Helper()
	var e *store.Error
	if !errors.As(err, &e) {
		t.Fatalf("%v (%T) is no *store.Error", err, err)
	}
	return e
}

const oneLine = "traffic,sensor=loop-1 speed=1 1772625600000"

type writeAnswer struct {
	rule    string
	status  int
	header  map[string]string
	body    string
	kind    store.Kind
	message string
	lines   []store.Line
	wait    time.Duration
}

// writeAnswers is the whole table of what an InfluxDB, or something that stands in front of it, can answer.
func writeAnswers() []writeAnswer {
	date := func(d time.Duration) string { return time.Now().Add(d).UTC().Format(http.TimeFormat) }
	return []writeAnswer{
		{rule: "204 is stored", status: 204},
		{rule: "200 is not proof", status: 200, body: "<html>welcome to the guest network</html>", kind: store.Denied, message: "not the answer of an InfluxDB"},
		{rule: "a redirect is not followed", status: 302, header: map[string]string{"Location": "/elsewhere"}, kind: store.Denied},
		{rule: "400 of 1.8", status: 400, header: map[string]string{"X-Influxdb-Error": "unable to parse"}, kind: store.Rejected, message: "unable to parse"},
		{
			rule: "400 of 1.8 with a body", status: 400, body: `{"error":"partial write: field type conflict: input field \"speed\" dropped=1"}`,
			header: map[string]string{"X-Influxdb-Error": "shorter"}, kind: store.Rejected, message: `partial write: field type conflict: input field "speed" dropped=1`,
		},
		{
			rule: "400 of 2.7", status: 400, body: `{"code":"invalid","message":"unable to parse 'x': missing fields"}`,
			kind: store.Rejected, message: "unable to parse 'x': missing fields",
		},
		{
			rule: "422 of 2.7", status: 422, body: `{"code":"unprocessable entity","message":"failure writing points to database: partial write: points beyond retention policy dropped=1"}`,
			kind: store.Rejected, message: "points beyond retention policy dropped=1",
		},
		{
			rule: "400 of 3 Core names the lines", status: 400,
			body: `{"error":"partial write of line protocol occurred","data":[{"original_line":"a","line_number":2,"error_message":"No fields were provided"},{"original_line":"b","line_number":7,"error_message":"invalid column type"}]}`,
			kind: store.Rejected, message: "partial write of line protocol occurred: line 2: No fields were provided",
			lines: []store.Line{{Number: 2, Message: "No fields were provided"}, {Number: 7, Message: "invalid column type"}},
		},
		{
			rule: "400 of 3 Core about the first line", status: 400,
			body: `{"error":"parsing failed for write_lp endpoint","data":{"original_line":"a","line_number":1,"error_message":"bad"}}`,
			kind: store.Rejected, message: "line 1: bad", lines: []store.Line{{Number: 1, Message: "bad"}},
		},
		{rule: "400 with a cut body is still an answer", status: 400, body: `{"error":"par`, kind: store.Rejected, message: `{"error":"par`},
		{
			rule: "400 of a port that wants TLS is not about the lines", status: 400, body: "Client sent an HTTP request to an HTTPS server.\n",
			kind: store.Denied, message: "Client sent an HTTP request to an HTTPS server.",
		},
		{
			rule: "400 of a proxy is not about the lines", status: 400, body: "<html><h1>400 Bad Request</h1></html>",
			kind: store.Denied, message: "not the answer of an InfluxDB",
		},
		{rule: "422 without a word is not about the lines", status: 422, kind: store.Denied},
		{rule: "a page of HTML is not a message", status: 503, body: "<html><body>Bad gateway", kind: store.Retry},
		{rule: "401", status: 401, body: `{"code":"unauthorized","message":"unauthorized access"}`, kind: store.Denied, message: "unauthorized access"},
		{rule: "403", status: 403, kind: store.Denied},
		{rule: "404", status: 404, body: `{"error":"database not found: \"x\""}`, kind: store.Denied, message: `database not found: "x"`},
		{rule: "405 is not an InfluxDB", status: 405, kind: store.Denied},
		{rule: "408", status: 408, kind: store.Retry},
		{rule: "413", status: 413, body: `{"error":"Request Entity Too Large"}`, kind: store.TooLarge, message: "Request Entity Too Large"},
		{rule: "429 asks for seconds", status: 429, header: map[string]string{"Retry-After": "17"}, kind: store.Retry, wait: 17 * time.Second},
		{rule: "503 asks for a date", status: 503, header: map[string]string{"Retry-After": date(90 * time.Second)}, kind: store.Retry, wait: 90 * time.Second},
		{rule: "a date that has passed asks for nothing", status: 503, header: map[string]string{"Retry-After": date(-time.Hour)}, kind: store.Retry},
		{rule: "a negative wait asks for nothing", status: 503, header: map[string]string{"Retry-After": "-5"}, kind: store.Retry},
		{rule: "a wait of days is cut to an hour", status: 503, header: map[string]string{"Retry-After": "99999999999"}, kind: store.Retry, wait: time.Hour},
		{rule: "nonsense asks for nothing", status: 503, header: map[string]string{"Retry-After": "soon"}, kind: store.Retry},
		{rule: "500", status: 500, body: `{"error":"engine: cache-max-memory-size exceeded"}`, kind: store.Retry, message: "cache-max-memory-size"},
		{rule: "504", status: 504, kind: store.Retry},
	}
}

func TestAnswerOfAWriteSaysWhatToDo(t *testing.T) {
	for _, c := range writeAnswers() {
		t.Run(c.rule, func(t *testing.T) {
			cfg := serve(t, func(w http.ResponseWriter, r *http.Request) {
				for k, v := range c.header {
					w.Header().Set(k, v)
				}
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.body)
			})
			err := storetest.Client(t, cfg).Write(context.Background(), []byte(oneLine))
			if c.kind == 0 {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			e := storeError(t, err)
			if e.Kind != c.kind || e.Status != c.status || !strings.Contains(e.Message, c.message) {
				t.Errorf("got %s, %d, %q; want %s, %d, %q", e.Kind, e.Status, e.Message, c.kind, c.status, c.message)
			}
			if diff := cmp.Diff(c.lines, e.Lines); diff != "" {
				t.Errorf("lines (-want +got):\n%s", diff)
			}
			// A date has whole seconds, and the clock runs on.
			if e.RetryAfter > c.wait || e.RetryAfter < c.wait-2*time.Second || e.RetryAfter < 0 {
				t.Errorf("asks to wait %s, want %s", e.RetryAfter, c.wait)
			}
		})
	}
}

func TestWriteSendsWhatAnInfluxDBExpects(t *testing.T) {
	for _, level := range []int{0, 1, 9} {
		lines := bytes.Repeat([]byte(oneLine+"\n"), 2000)
		cfg := serve(t, func(w http.ResponseWriter, r *http.Request) {
			body := io.Reader(r.Body)
			if r.Header.Get("Content-Encoding") == "gzip" {
				unzip, err := gzip.NewReader(r.Body)
				if err != nil {
					t.Error(err)
					return
				}
				body = unzip
			}
			got, err := io.ReadAll(body)
			if err != nil || !bytes.Equal(got, lines) {
				t.Errorf("%d bytes arrived (%v), want the %d that were written", len(got), err, len(lines))
			}
			if want := "/api/v2/write?bucket=lamppost%2Freadings&org=city+hall&precision=ms"; r.URL.String() != want {
				t.Errorf("asked for %s, want %s", r.URL, want)
			}
			if got := r.Header.Get("Authorization"); got != "Token secret-token" {
				t.Errorf("Authorization: %s", got)
			}
			if compressed := r.Header.Get("Content-Encoding") == "gzip"; compressed != (level > 0) || r.ContentLength <= 0 || compressed && r.ContentLength > int64(len(lines)/10) {
				t.Errorf("level %d: encoding %q, %d bytes", level, r.Header.Get("Content-Encoding"), r.ContentLength)
			}
			w.WriteHeader(204)
		})
		cfg.GzipLevel = level
		c := storetest.Client(t, cfg)
		for range 3 {
			if err := c.Write(context.Background(), lines); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// hijack answers with raw bytes and drops the connection.
func hijack(t *testing.T, w http.ResponseWriter, raw string, reset bool) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		t.Error(err)
		return
	}
	_, _ = io.WriteString(conn, raw)
	if reset {
		_ = conn.(*net.TCPConn).SetLinger(0)
	}
	_ = conn.Close()
}

func TestBrokenConnectionIsWorthAnotherAttempt(t *testing.T) {
	for _, c := range []struct {
		rule   string
		raw    string
		reset  bool
		kind   store.Kind
		status int
	}{
		{rule: "reset without an answer", reset: true, kind: store.Retry},
		{rule: "closed without an answer", kind: store.Retry},
		{rule: "cut in the status line", raw: "HTTP/1.1 20", kind: store.Retry},
		{rule: "not HTTP", raw: "SSH-2.0-OpenSSH_9.2\r\n", kind: store.Retry},
		{rule: "error whose explanation is cut", raw: "HTTP/1.1 400 Bad Request\r\nContent-Length: 500\r\n\r\n{\"error\":\"part", kind: store.Rejected, status: 400},
		{rule: "unavailable, explanation reset", raw: "HTTP/1.1 503 Unavailable\r\nContent-Length: 500\r\n\r\n", reset: true, kind: store.Retry, status: 503},
	} {
		t.Run(c.rule, func(t *testing.T) {
			cfg := serve(t, func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				hijack(t, w, c.raw, c.reset)
			})
			e := storeError(t, storetest.Client(t, cfg).Write(context.Background(), []byte(oneLine)))
			if e.Kind != c.kind {
				t.Errorf("%v is %s, want %s", e, e.Kind, c.kind)
			}
			// A reset may overtake the status that was sent before it.
			if e.Status != c.status && !c.reset {
				t.Errorf("status %d, want %d", e.Status, c.status)
			}
			if strings.Contains(e.Error(), "secret-token") {
				t.Errorf("the token shows in %v", e)
			}
		})
	}
	t.Run("nobody listens", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		cfg := influx.DefaultConfig()
		cfg.URL, cfg.Bucket = "http://"+l.Addr().String(), "lamppost"
		_ = l.Close()
		c := storetest.Client(t, cfg)
		if e := storeError(t, c.Write(context.Background(), []byte(oneLine))); e.Kind != store.Retry {
			t.Errorf("%v is %s", e, e.Kind)
		}
		if e := storeError(t, c.Ping(context.Background())); e.Kind != store.Retry {
			t.Errorf("ping: %v is %s", e, e.Kind)
		}
	})
}

func TestSlowStoreIsGivenUp(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	cfg := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/query" {
			w.WriteHeader(200)
			_, _ = io.WriteString(w, `{"results":[{"statement_id":0,`)
			w.(http.Flusher).Flush()
		}
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	cfg.Timeout, cfg.QueryTimeout = 50*time.Millisecond, 50*time.Millisecond
	c := storetest.Client(t, cfg)
	if e := storeError(t, c.Write(context.Background(), []byte(oneLine))); e.Kind != store.Retry || !errors.Is(e, context.DeadlineExceeded) {
		t.Errorf("write: %v (%s)", e, e.Kind)
	}
	_, err := c.Query(context.Background(), "SELECT 1")
	if e := storeError(t, err); e.Kind != store.Retry || !errors.Is(e, context.DeadlineExceeded) {
		t.Errorf("query: %v (%s)", e, e.Kind)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if e := storeError(t, c.Write(ctx, []byte(oneLine))); e.Kind != store.Retry || !errors.Is(e, context.Canceled) {
		t.Errorf("write with an ended context: %v (%s)", e, e.Kind)
	}
}

// A pooled body must not be filled again while the transport still reads it, which it does when the server answers
// before it has read everything. Run with -race this also shows that nothing is shared.
func TestBodyIsNotReusedWhileItIsSent(t *testing.T) {
	var requests, mixed atomic.Int64
	cfg := serve(t, func(w http.ResponseWriter, r *http.Request) {
		n := requests.Add(1)
		if n%2 == 0 {
			w.WriteHeader(503) // without reading the body
			return
		}
		body, _ := io.ReadAll(r.Body)
		if len(body) > 0 && bytes.Count(body, body[:1]) != len(body) {
			mixed.Add(1)
		}
		w.WriteHeader(204)
	})
	cfg.GzipLevel = 0
	c := storetest.Client(t, cfg)
	done := make(chan struct{})
	for w := range 4 {
		go func() {
			defer func() { done <- struct{}{} }()
			lines := bytes.Repeat([]byte{byte('a' + w)}, 1<<20)
			for i := range 50 {
				ctx, cancel := context.WithTimeout(context.Background(), time.Duration(1+i)*500*time.Microsecond)
				_ = c.Write(ctx, lines)
				cancel()
			}
		}()
	}
	for range 4 {
		<-done
	}
	if requests.Load() < 50 || mixed.Load() > 0 {
		t.Errorf("%d of %d bodies were mixed with another", mixed.Load(), requests.Load())
	}
}

func TestConfigNamesEveryFault(t *testing.T) {
	cfg := influx.Config{URL: "ftp://x", Token: "a\nb", GzipLevel: 10}
	err := cfg.Validate()
	for _, key := range []string{"url:", "token:", "bucket:", "timeout:", "query_timeout:", "gzip_level:", "max_response_bytes:", "max_connections:"} {
		if err == nil || !strings.Contains("\n"+err.Error(), "\n"+key) {
			t.Errorf("no fault for %s in %v", key, err)
		}
	}
	if _, err := influx.New(cfg, storetest.Log(t)); err == nil {
		t.Error("New takes a configuration that is not valid")
	}
	for _, url := range []string{"http://user:pw@host", "http://", "host:8086", "http://h?x=1", ""} {
		cfg := influx.DefaultConfig()
		cfg.URL, cfg.Bucket = url, "b"
		if err := cfg.Validate(); err == nil {
			t.Errorf("%q is taken for an address", url)
		} else if strings.Contains(err.Error(), "pw") {
			t.Errorf("the password shows in %v", err)
		}
	}
	if s := fmt.Sprintf("%+v", influx.Config{Token: "hunter2"}); strings.Contains(s, "hunter2") {
		t.Errorf("the token shows in %s", s)
	}
}
