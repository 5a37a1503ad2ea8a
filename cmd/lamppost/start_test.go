package main

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/lamppost-city/lamppost/internal/endtoend"
)

// said collects what a command writes.
type said struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// TestUpStartsAndStopsInMemory runs the root command with a demonstration city, and ends it as a signal would.
func TestUpStartsAndStopsInMemory(t *testing.T) {
	before := goleak.IgnoreCurrent()
	dir := filepath.Join(t.TempDir(), "data")
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	var out, errs said
	cmd := root()
	cmd.SetArgs([]string{"up", "--data", dir, "--demo", "20", "--http", "127.0.0.1:0", "--mqtt", "127.0.0.1:0", "--metrics", "127.0.0.1:0"})
	cmd.SetOut(&out)
	cmd.SetErr(&errs)
	ended := make(chan error, 1)
	go func() { ended <- cmd.ExecuteContext(ctx) }()
	city := &endtoend.City{Dir: dir}
	endtoend.Eventually(t, time.Minute, "the demonstration's readings are stored", func() error {
		select {
		case err := <-ended:
			t.Fatalf("up ended: %v\n%s", err, errs.String())
		default:
		}
		address, err := os.ReadFile(filepath.Join(dir, "address"))
		if err != nil {
			return err
		}
		city.HTTP = strings.TrimPrefix(strings.TrimSpace(string(address)), "http://")
		if err := city.Get("/readyz", nil); err != nil {
			return err
		}
		var l endtoend.Ledger
		if err := city.Get("/api/v1/ledger", &l); err != nil || l.Written == 0 {
			return errLedger(l)
		}
		return l.Closes()
	})
	for _, want := range []string{"page and API  http://127.0.0.1:", "MQTT broker   mqtt://127.0.0.1:", "metrics       http://127.0.0.1:", "token         " + dir} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("standard output does not say %q:\n%s", want, out.String())
		}
	}
	began := time.Now()
	stop()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("up was stopped and ended with %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("up has not ended within 10 s")
	}
	t.Logf("stopped within %s", time.Since(began).Round(time.Millisecond))
	goleak.VerifyNone(t, before)
}

// sentence expects a command to fail with one clear sentence on standard error, which has all these words.
func sentence(t *testing.T, r endtoend.Result, words ...string) {
	t.Helper()
	var own []string
	for line := range strings.Lines(r.Stderr) {
		if !strings.HasPrefix(line, `{"time"`) { // a line of the log
			own = append(own, strings.TrimSpace(line))
		}
	}
	if r.Code != 1 || len(own) != 1 || !strings.HasPrefix(own[0], "lamppost: ") {
		t.Fatalf("code %d, and on standard error %d lines:\n%s", r.Code, len(own), strings.Join(own, "\n"))
	}
	for _, w := range words {
		if !strings.Contains(own[0], w) {
			t.Errorf("the sentence does not say %q: %s", w, own[0])
		}
	}
}

func upOn(dir string, args ...string) []string {
	return append([]string{"up", "--data", dir, "--http", "127.0.0.1:0", "--mqtt", "127.0.0.1:0", "--metrics", "127.0.0.1:0"}, args...)
}

func TestWhatCannotRunSaysWhyInOneSentence(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := taken.Addr().String()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		args  []string
		words []string
	}{
		{"a taken port for HTTP", []string{"--http", port}, []string{port, "http"}},
		{"a taken port for MQTT", []string{"--mqtt", port}, []string{port, "MQTT", "in use", "another port"}},
		{"a taken port for metrics", []string{"--metrics", port}, []string{port, "metrics", "in use"}},
		{"MQTT for others without credentials", []string{"--mqtt", "0.0.0.0:0"}, []string{"0.0.0.0:0", "credentials", "TLS"}},
		{"a data folder below a file", []string{"--data", filepath.Join(file, "data")}, []string{file, "not a directory"}},
		{"a data folder that is a file", []string{"--data", file}, []string{file}},
		{"a data folder that nobody can make", []string{"--data", "/proc/lamppost"}, []string{"/proc/lamppost"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "data")
			sentence(t, lamppost.built.Run(t, upOn(dir, c.args...)...), c.words...)
			// Nothing is harmed: the folder can be used as soon as the cause is gone.
			if c.words[0] == port || c.args[0] == "--mqtt" {
				r := lamppost.built.Run(t, "audit", "--data", dir)
				if r.Code != 0 {
					t.Errorf("audit of the folder afterwards: code %d: %s%s", r.Code, r.Stdout, r.Stderr)
				}
			}
		})
	}
}

func TestAnUnwritableFolderIsRefused(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may write everywhere")
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	sentence(t, lamppost.built.Run(t, upOn(filepath.Join(dir, "data"))...), dir, "permission denied")
	sentence(t, lamppost.built.Run(t, upOn(dir)...), dir, "permission denied")
}

func TestASecondProcessOnTheSameFolderIsRefusedAndTheFirstGoesOn(t *testing.T) {
	city := endtoend.NewCity(t, lamppost.itself, "--demo", "0")
	city.Start()
	register(t, city)
	p := session(t, city)
	if err := p.Publish("city/loop-1/readings", `{"time":"2026-03-01T12:00:00Z","speed":50}`); err != nil {
		t.Fatal(err)
	}
	sentence(t, lamppost.built.Run(t, upOn(city.Dir)...), city.Dir, "in use")
	if err := city.Get("/readyz", nil); err != nil {
		t.Error(err)
	}
	if err := p.Publish("city/loop-1/readings", `{"time":"2026-03-01T12:01:00Z","speed":51}`); err != nil {
		t.Errorf("the first process after the second one: %v", err)
	}
	city.Settled(2, 10*time.Second)
	city.MustBeClean() // asks the first process: its address and token are still the right ones
	city.Stop()
}

const manyFaults = `demo: -1
nonsense: 1
http:
  listen: nowhere
  max_queries: many
ingest:
  late_after: 0s
broker:
  server:
    listen: "127.0.0.1:99999"
store:
  server:
    retention: 1m
`

func TestEveryFaultOfAConfigurationIsToldAtOnceWithItsKey(t *testing.T) {
	file := filepath.Join(t.TempDir(), "lamppost.yml")
	if err := os.WriteFile(file, []byte(manyFaults), 0o600); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "data")
	program := lamppost.built.With("LAMPPOST_INGEST_MAX_SERIES_PER_SENSOR=none", "LAMPPOST_NO_SUCH_KEY=1")
	for _, args := range [][]string{{"config", "check", "--config", file, "--metrics", "here"}, upOn(dir, "--config", file, "--metrics", "here")} {
		t.Run(args[0], func(t *testing.T) {
			r := program.Run(t, args...)
			if r.Code != 1 {
				t.Errorf("code %d: %s", r.Code, r.Stdout)
			}
			for _, key := range []string{
				"demo: ", "nonsense: ", "http.max_queries: ", "ingest.late_after: ", "store.server.retention: ",
				"ingest.max_series_per_sensor: ", "LAMPPOST_NO_SUCH_KEY", "metrics.listen: ",
			} {
				if n := strings.Count(r.Stderr, key); n != 1 {
					t.Errorf("%q is named %d times in:\n%s", key, n, r.Stderr)
				}
			}
		})
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("a wrong configuration made the data folder")
	}
}

func TestHTTPForOthersNeedsTLS(t *testing.T) {
	r := lamppost.built.Run(t, upOn(filepath.Join(t.TempDir(), "data"), "--http", "0.0.0.0:0")...)
	if r.Code != 1 || !strings.Contains(r.Stderr, "http.listen: 0.0.0.0:0") || !strings.Contains(r.Stderr, "TLS") {
		t.Errorf("code %d: %s", r.Code, r.Stderr)
	}
}

func TestADemonstrationWherePublishersHavePasswordsIsRefused(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	well(t, "publishers", "add", "bridge-1", "--data", dir)
	sentence(t, lamppost.built.Run(t, upOn(dir, "--demo", "20")...), "demonstration", "passwords", "--demo 0")
}
