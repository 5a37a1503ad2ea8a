package endtoend

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lamppost-city/lamppost/internal/secret"
	"github.com/lamppost-city/lamppost/store/influx"
)

// City is `lamppost up` on one data folder and one set of addresses.
type City struct {
	t       testing.TB
	program Program
	args    []string
	up      *Process

	// Dir is the data folder.
	Dir string
	// HTTP, MQTT and Metrics are host:port, the same for every process.
	HTTP, MQTT, Metrics string
}

// NewCity prepares a city on free ports; args are further arguments of `up`.
func NewCity(t testing.TB, program Program, args ...string) *City {
	t.Helper()
	return &City{t: t, program: program, args: args, Dir: filepath.Join(t.TempDir(), "data"), HTTP: FreeAddr(t), MQTT: FreeAddr(t), Metrics: FreeAddr(t)}
}

// FreeAddr returns an address of 127.0.0.1 that nobody listens at, outside the range from which the kernel gives ports
// to outgoing connections: between a kill and a restart one of those could take it, or connect to itself.
func FreeAddr(t testing.TB) string {
	t.Helper()
	for range 1000 {
		addr := fmt.Sprintf("127.0.0.1:%d", 15_000+rand.IntN(17_000))
		if l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", addr); err == nil {
			_ = l.Close()
			return addr
		}
	}
	t.Fatal("no free port was found")
	return ""
}

// Spawn starts a process and does not wait for anything.
func (c *City) Spawn() *Process {
	c.t.Helper()
	args := append([]string{"up", "--data", c.Dir, "--http", c.HTTP, "--mqtt", c.MQTT, "--metrics", c.Metrics}, c.args...)
	c.up = c.program.Start(c.t, args...)
	return c.up
}

// Start starts a process and waits until all of its parts are ready.
func (c *City) Start() *Process {
	c.t.Helper()
	c.Spawn()
	c.Ready()
	return c.up
}

// Ready waits until all parts of the process are ready.
func (c *City) Ready() {
	c.t.Helper()
	Eventually(c.t, time.Minute, "lamppost up is ready", func() error {
		if c.up.Ended() {
			c.t.Fatalf("lamppost up ended: %s", c.up.Stderr())
		}
		return c.Get("/readyz", nil)
	})
}

// Kill ends the process with SIGKILL.
func (c *City) Kill() { c.up.Kill() }

// Stop ends the process with SIGTERM; it must leave with code 0 within 10 s.
func (c *City) Stop() {
	c.t.Helper()
	if r := c.up.Stop(10 * time.Second); r.Code != 0 {
		c.t.Errorf("lamppost up was stopped and ended with code %d: %s", r.Code, tail(r.Stderr))
	}
}

// URL is the API's address.
func (c *City) URL() string { return "http://" + c.HTTP }

// TokenFile is the file that holds the API's token.
func (c *City) TokenFile() string { return filepath.Join(c.Dir, "api-token") }

// Get reads JSON from the API into answer, which may be nil. A status other than 200 is an error.
func (c *City) Get(path string, answer any) error {
	return c.ask(http.MethodGet, path, nil, answer)
}

// Post sends a body with the token and reads JSON into answer, which may be nil.
func (c *City) Post(path, contentType, body string, answer any) error {
	return c.ask(http.MethodPost, path, &posted{contentType, body}, answer)
}

type posted struct{ contentType, body string }

func (c *City) ask(method, path string, sent *posted, answer any) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var body io.Reader
	if sent != nil {
		body = strings.NewReader(sent.body)
	}
	request, err := http.NewRequestWithContext(ctx, method, c.URL()+path, body)
	if err != nil {
		return err
	}
	if sent != nil {
		token, err := os.ReadFile(c.TokenFile())
		if err != nil {
			return err
		}
		request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
		request.Header.Set("Content-Type", sent.contentType)
	}
	request.Close = true // the next process listens on the same address
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s answered %s: %.1000s", method, path, response.Status, text)
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(text, answer)
}

// Ledger is the answer of the API's ledger.
type Ledger struct {
	Received  int64            `json:"received"`
	Duplicate int64            `json:"duplicate"`
	Late      int64            `json:"late"`
	Stamped   int64            `json:"stamped"`
	Rejected  map[string]int64 `json:"rejected"`
	Accepted  int64            `json:"accepted"`
	Written   int64            `json:"written"`
	Waiting   int64            `json:"waiting"`
	Missing   int64            `json:"missing"`
}

// Closes says where the sums do not close.
func (l Ledger) Closes() error {
	rejected := int64(0)
	for _, n := range l.Rejected {
		rejected += n
	}
	if l.Received != l.Duplicate+rejected+l.Accepted || l.Accepted != l.Written+l.Waiting {
		return fmt.Errorf("the ledger's sums do not close: %+v", l)
	}
	return nil
}

// Settled waits until the ledger has accepted and written exactly so many readings. Where it does not come to that the test
// fails with what the audit says, and goes on.
func (c *City) Settled(accepted int64, within time.Duration) Ledger {
	c.t.Helper()
	var l Ledger
	var err error
	for deadline := time.Now().Add(within); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		l = Ledger{}
		if err = c.Get("/api/v1/ledger", &l); err == nil && l.Accepted == accepted && l.Waiting == 0 {
			break
		}
	}
	if err != nil || l.Accepted != accepted || l.Waiting != 0 {
		r := c.Audit()
		c.t.Errorf("after %s the ledger should have %d readings accepted and written, and has %+v (%v); the audit:\n%s%s",
			within, accepted, l, err, tail(r.Stdout), tail(r.Stderr))
	}
	if err := l.Closes(); err != nil {
		c.t.Error(err)
	}
	return l
}

// Audit runs `lamppost audit` on the folder, whether a process runs on it or not.
func (c *City) Audit(args ...string) Result {
	c.t.Helper()
	return c.program.Run(c.t, append([]string{"audit", "--data", c.Dir}, args...)...)
}

// MustBeClean fails the test unless the audit is clean and nothing waits. What was acknowledged a moment ago may still be on its
// way to the store; it is given ten seconds.
func (c *City) MustBeClean() {
	c.t.Helper()
	r := c.Audit()
	for deadline := time.Now().Add(10 * time.Second); r.Code == 0 && !strings.Contains(r.Stdout, " 0 waiting") && time.Now().Before(deadline); {
		time.Sleep(100 * time.Millisecond)
		r = c.Audit()
	}
	if r.Code != 0 || !strings.Contains(r.Stdout, "clean: ") || !strings.Contains(r.Stdout, " 0 waiting") {
		c.t.Errorf("audit ended with code %d:\n%s%s", r.Code, tail(r.Stdout), tail(r.Stderr))
	}
}

// Store opens the embedded store of the running process from outside.
func (c *City) Store() *influx.Client {
	c.t.Helper()
	password, err := os.ReadFile(filepath.Join(c.Dir, "store", "password"))
	if err != nil {
		c.t.Fatal(err)
	}
	cfg := influx.DefaultConfig()
	cfg.URL, cfg.Org, cfg.Bucket = "http://"+c.storeAddr(), "lamppost", "lamppost/readings"
	cfg.Token = secret.String("lamppost:" + strings.TrimSpace(string(password)))
	client, err := influx.New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(client.Close)
	return client
}

// storeAddr finds in the log where the embedded store listens.
func (c *City) storeAddr() string {
	c.t.Helper()
	for line := range strings.Lines(c.up.Stderr()) {
		var entry struct{ Msg, Address string }
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Msg == "embedded store started" {
			return entry.Address
		}
	}
	c.t.Fatal("the log does not say where the embedded store listens")
	return ""
}

// Eventually waits until holds returns nil, and fails the test with its last error after the time.
func Eventually(t testing.TB, within time.Duration, what string, holds func() error) {
	t.Helper()
	for deadline := time.Now().Add(within); ; time.Sleep(20 * time.Millisecond) {
		err := holds()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after %s it is still not so that %s: %v", within, what, err)
		}
	}
}

// Change runs an InfluxQL statement on the embedded store of the running process, behind Lamppost's back.
func (c *City) Change(statement string) {
	c.t.Helper()
	password, err := os.ReadFile(filepath.Join(c.Dir, "store", "password"))
	if err != nil {
		c.t.Fatal(err)
	}
	form := url.Values{"db": {"lamppost"}, "q": {statement}}
	request, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, "http://"+c.storeAddr()+"/query", strings.NewReader(form.Encode()))
	if err != nil {
		c.t.Fatal(err)
	}
	request.SetBasicAuth("lamppost", strings.TrimSpace(string(password)))
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		c.t.Fatal(err)
	}
	defer response.Body.Close()
	if text, err := io.ReadAll(response.Body); err != nil || response.StatusCode != http.StatusOK || strings.Contains(string(text), "error") {
		c.t.Fatalf("%s: %s %s %v", statement, response.Status, text, err)
	}
}
