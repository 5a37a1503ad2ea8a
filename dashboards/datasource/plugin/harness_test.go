package plugin_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/backend/datasource"
	"github.com/grafana/grafana-plugin-sdk-go/experimental/datasourcetest"
	"github.com/grafana/grafana-plugin-sdk-go/genproto/pluginv2"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/lamppost-city/lamppost/dashboards/datasource/plugin"
)

// served is the real plugin behind gRPC, one for all tests, each with data sources of its own.
type served struct {
	datasourcetest.TestPlugin
	streams pluginv2.StreamClient
	conn    *grpc.ClientConn
}

var shared served

func TestMain(m *testing.M) {
	code := serve(m)
	// Connections to a server that a benchmark measures stay open.
	if code == 0 && flag.Lookup("test.bench").Value.String() == "" {
		// A stream stays open for a while after its last listener left.
		err := goleak.Find()
		for deadline := time.Now().Add(15 * time.Second); err != nil && time.Now().Before(deadline); {
			err = goleak.Find()
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

func serve(m *testing.M) int {
	probe, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	addr := probe.Addr().String()
	_ = probe.Close()
	tp, err := datasourcetest.Manage(datasource.InstanceFactoryFunc(plugin.New), datasourcetest.ManageOpts{Address: addr})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(64<<20)))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	tp.Client.DataClient = pluginv2.NewDataClient(conn) // answers may be larger than the test client's own takes
	shared = served{TestPlugin: tp, streams: pluginv2.NewStreamClient(conn), conn: conn}
	defer conn.Close()
	defer tp.Shutdown() //nolint:errcheck // the process ends
	return m.Run()
}

// settings are those of a data source for an address.
func settings(t *testing.T, address, token string) backend.PluginContext {
	t.Helper()
	return backend.PluginContext{PluginID: plugin.ID, DataSourceInstanceSettings: &backend.DataSourceInstanceSettings{
		UID: t.Name(), Name: t.Name(), URL: address, JSONData: json.RawMessage(`{}`), Updated: time.Now(),
		DecryptedSecureJSONData: map[string]string{plugin.TokenKey: token},
	}}
}

// day is the time range of tests that need none in particular.
func day() backend.TimeRange {
	from := time.Date(2026, 3, 9, 0, 0, 0, 0, time.UTC)
	return backend.TimeRange{From: from, To: from.Add(24 * time.Hour)}
}

// ask sends one query.
func ask(t *testing.T, to backend.PluginContext, within backend.TimeRange, query string) backend.DataResponse {
	t.Helper()
	return askAs(t.Context(), t, to, within, query)
}

func askAs(ctx context.Context, t *testing.T, to backend.PluginContext, within backend.TimeRange, query string) backend.DataResponse {
	t.Helper()
	response, err := shared.Client.QueryData(ctx, &backend.QueryDataRequest{
		PluginContext: to, Queries: []backend.DataQuery{{RefID: "A", JSON: json.RawMessage(query), TimeRange: within, MaxDataPoints: 500, Interval: time.Minute}},
	})
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return response.Responses["A"]
}

// town is a server that answers as the API does, from testdata, and remembers what it was asked.
type town struct {
	*httptest.Server
	t     *testing.T
	token string

	mu    sync.Mutex
	calls []string
	// behind is how far the server's clock is behind.
	behind time.Duration
	// instead answers a path below /api/v1/ other than testdata does.
	instead map[string]http.HandlerFunc
}

func newTown(t *testing.T, token string) *town {
	t.Helper()
	c := &town{t: t, token: token, instead: make(map[string]http.HandlerFunc)}
	c.Server = httptest.NewServer(c)
	t.Cleanup(func() {
		c.CloseClientConnections() // a stream stays open for a while after its last listener left
		c.Close()
	})
	return c
}

// ServeHTTP answers.
func (c *town) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path, ok := strings.CutPrefix(r.URL.Path, "/api/v1/")
	c.mu.Lock()
	c.calls = append(c.calls, r.URL.RequestURI())
	instead := c.instead[path]
	c.mu.Unlock()
	w.Header().Set("Date", time.Now().Add(-c.behind).UTC().Format(http.TimeFormat))
	authorized := r.Header.Get("Authorization") == "Bearer "+c.token
	switch {
	case !ok:
		http.NotFound(w, r)
	case c.token != "" && !authorized && instead == nil:
		problem(w, http.StatusUnauthorized, "the token is missing or wrong")
	case instead != nil:
		instead(w, r)
	default:
		text, err := os.ReadFile("testdata/answers/" + strings.ReplaceAll(path, "/", "_") + ".json")
		if err != nil {
			problem(w, http.StatusNotFound, "there is nothing at "+r.URL.Path+"; see /api/docs")
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Write(text) //nolint:errcheck // the test will see
	}
}

// answer makes a path answer with a text.
func (c *town) answer(path, text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.instead[path] = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, text) //nolint:errcheck // the test will see
	}
}

func (c *town) handle(path string, by http.HandlerFunc) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.instead[path] = by
}

// asked are the calls so far whose path begins so.
func (c *town) asked(path string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var found []string
	for _, call := range c.calls {
		if strings.HasPrefix(call, "/api/v1/"+path) {
			found = append(found, call)
		}
	}
	return found
}

func problem(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]any{"status": status, "title": http.StatusText(status), "detail": detail}) //nolint:errcheck // strings and numbers
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(v) //nolint:errcheck // the test will see
}
