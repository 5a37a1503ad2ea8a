package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
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
			if c.words[0] == port {
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

// TestWhatWouldNotStartIsToldAtOnceByUpAndByTheCheck: what the check calls good is not refused by the start, and nothing comes
// one by one.
func TestWhatWouldNotStartIsToldAtOnceByUpAndByTheCheck(t *testing.T) {
	certFile, keyFile := keyPair(t)
	_, otherKey := keyPair(t)
	withPassword := filepath.Join(t.TempDir(), "data")
	well(t, "publishers", "add", "bridge-1", "--data", withPassword)
	tls := func(section, cert, key string) string { return fmt.Sprintf(section, cert, key) }
	const httpTLS, mqttTLS = "http: {tls_cert_file: %q, tls_key_file: %q}\n", "broker: {server: {tls: {cert_file: %q, key_file: %q}}}\n"
	for _, c := range []struct {
		name, file, data string
		args             []string
		want             []string // the beginnings of its faults, all of them
	}{
		{
			name: "addresses for others, without anything", args: []string{"--http", "0.0.0.0:1", "--mqtt", "0.0.0.0:2", "--metrics", "0.0.0.0:3"},
			want: []string{"http.listen: 0.0.0.0:1", "metrics.listen: 0.0.0.0:3", "broker.server.listen: 0.0.0.0:2 can be reached from outside this machine, which needs credentials and TLS"},
		},
		{
			name: "ports that are none", args: []string{"--http", "127.0.0.1:99999", "--mqtt", "127.0.0.1:99999", "--metrics", "127.0.0.1:99999"},
			want: []string{`http.listen: is "127.0.0.1:99999"`, `metrics.listen: is "127.0.0.1:99999"`, `broker.server.listen: is "127.0.0.1:99999"`},
		},
		{
			name: "certificates that are not there", file: tls(httpTLS, "no.pem", keyFile) + tls(mqttTLS, certFile, "no.key"),
			want: []string{"http.tls_cert_file: read certificate no.pem", "broker.server.tls.cert_file: read certificate " + certFile},
		},
		{
			name: "keys of other certificates", file: tls(httpTLS, certFile, otherKey) + tls(mqttTLS, certFile, otherKey),
			want: []string{"http.tls_cert_file: read certificate " + certFile, "broker.server.tls.cert_file: read certificate " + certFile},
		},
		{
			name: "a broker for others without passwords", file: tls(mqttTLS, certFile, keyFile), args: []string{"--mqtt", "0.0.0.0:0"},
			want: []string{"broker.server.listen: 0.0.0.0:0 can be reached from outside this machine, which needs credentials; give publishers passwords"},
		},
		{
			name: "a broker for others without TLS", data: withPassword, args: []string{"--mqtt", "0.0.0.0:0"},
			want: []string{"broker.server.listen: 0.0.0.0:0 can be reached from outside this machine, which needs TLS; set broker.server.tls.cert_file"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			data := c.data
			if data == "" {
				data = filepath.Join(t.TempDir(), "data")
			}
			args := append([]string{"--config", write(t, "lamppost.yml", c.file)}, c.args...)
			for _, command := range [][]string{append([]string{"config", "check", "--data", data}, args...), upOn(data, args...)} {
				r := lamppost.built.Run(t, command...)
				text := strings.TrimPrefix(strings.TrimPrefix(r.Stderr, "lamppost: the configuration has a fault: "), fmt.Sprintf("lamppost: the configuration has %d faults:\n", len(c.want)))
				lines := strings.Split(strings.TrimSpace(text), "\n")
				if r.Code != 1 || len(lines) != len(c.want) {
					t.Errorf("%s: code %d, and not %d faults: %s", command[0], r.Code, len(c.want), r.Stderr)
					continue
				}
				for i, want := range c.want {
					if !strings.HasPrefix(strings.TrimSpace(lines[i]), want) {
						t.Errorf("%s: %s\nwant %s", command[0], lines[i], want)
					}
				}
			}
			if _, err := os.Stat(data); c.data == "" && err == nil {
				t.Error("it made the data folder")
			}
		})
	}
}

// TestKeysThatFollowFromOthersCannotBeSet: they are not printed, and who sets one is told which to set instead.
func TestKeysThatFollowFromOthersCannotBeSet(t *testing.T) {
	printed := well(t, "config", "print")
	if n := strings.Count(printed, "topic_root:"); n != 1 {
		t.Errorf("topic_root is printed %d times", n)
	}
	if strings.Contains(printed, "subscribers:") {
		t.Errorf("subscribers are printed:\n%s", printed)
	}
	if n := strings.Count(printed, " retention:"); n != 1 {
		t.Errorf("retention is printed %d times, not once in store.server", n)
	}
	if r := lamppost.itself.With("LAMPPOST_STORE_EMBEDDED=false", "LAMPPOST_STORE_INFLUX_URL=http://127.0.0.1:8086", "LAMPPOST_STORE_INFLUX_BUCKET=x", "LAMPPOST_INGEST_RETENTION=48h").Run(t, "config", "print"); !strings.Contains(r.Stdout, "retention: 48h0m0s") {
		t.Errorf("with a store elsewhere ingest's retention is not printed: code %d\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
	for env, want := range map[string]string{
		"LAMPPOST_BROKER_SERVER_TOPIC_ROOT=town": "LAMPPOST_BROKER_SERVER_TOPIC_ROOT: unknown variable",
		"LAMPPOST_INGEST_RETENTION=48h":          "ingest.retention: is store.server.retention while the store is embedded",
		"LAMPPOST_INGEST_BROKER_TOPIC_ROOT=a//b": `ingest.broker.topic_root: is "a//b"`,
		"LAMPPOST_INGEST_BROKER_CLIENT_ID=a b":   `ingest.broker.client_id: `,
		"LAMPPOST_INGEST_BROKER_TOPIC_ROOT=":     "ingest.broker.topic_root: must not be empty",
		"LAMPPOST_INGEST_BROKER_CLIENT_ID=":      "ingest.broker.client_id: must not be empty",
		"LAMPPOST_INGEST_BROKER_URL=mqtt://b:1":  "ingest.broker.url: is of no use while the broker is embedded; set broker.embedded to false to read from another one, or leave it out (LAMPPOST_INGEST_BROKER_URL)",
		"LAMPPOST_INGEST_BROKER_USER=u":          "ingest.broker.user: is of no use while the broker is embedded",
		"LAMPPOST_INGEST_BROKER_PASSWORD=p":      "ingest.broker.password: is of no use while the broker is embedded",
		"LAMPPOST_INGEST_BROKER_CA_FILE=ca.pem":  "ingest.broker.ca_file: is of no use while the broker is embedded",
		"LAMPPOST_STORE_INFLUX_URL=http://i:1":   "store.influx.url: is of no use while the store is embedded; set store.embedded to false to write to another one, or leave it out",
		"LAMPPOST_STORE_INFLUX_TOKEN=t":          "store.influx.token: is of no use while the store is embedded",
	} {
		sentence(t, lamppost.itself.With(env).Run(t, "config", "check"), "the configuration has a fault: "+want)
	}
}

func TestEveryValueThatIsNotADefaultIsPrintedWithItsSource(t *testing.T) {
	plain := strings.Split(well(t, "config", "print"), "\n")
	for i, line := range strings.Split(well(t, "config", "print", "--demo", "4", "--data", "elsewhere"), "\n") {
		if line != plain[i] && !strings.Contains(line, " # from ") {
			t.Errorf("%q differs from the default %q, and has no source", line, plain[i])
		}
	}
}

func TestHTTPForOthersNeedsTLS(t *testing.T) {
	r := lamppost.built.Run(t, upOn(filepath.Join(t.TempDir(), "data"), "--http", "0.0.0.0:0")...)
	if r.Code != 1 || !strings.Contains(r.Stderr, "http.listen: 0.0.0.0:0") || !strings.Contains(r.Stderr, "TLS") {
		t.Errorf("code %d: %s", r.Code, r.Stderr)
	}
}

// TestPasswordsEndWhatTheyAllowedAndADemonstrationGoesOn: from the first password on every session needs one, and none outlives its
// own. Only the city that the process plays itself never had one.
func TestPasswordsEndWhatTheyAllowedAndADemonstrationGoesOn(t *testing.T) {
	city := endtoend.NewCity(t, lamppost.itself, "--demo", "20")
	city.Start()
	ended := func(what string, p *endtoend.Publisher) {
		t.Helper()
		endtoend.Eventually(t, 5*time.Second, what+" is ended", func() error {
			if err := p.Publish("city/loop-1/readings", `{"speed":50}`); err == nil {
				return errors.New("it still publishes")
			}
			return nil
		})
	}
	anybody := session(t, city)
	password := strings.TrimSpace(well(t, "publishers", "add", "loop-1", "--data", city.Dir))
	ended("a session without a password", anybody)
	var own *endtoend.Publisher
	endtoend.Eventually(t, 30*time.Second, "it logs in with its password", func() (err error) {
		own, err = endtoend.DialAs(city.MQTT, "own", "loop-1", password)
		return err
	})
	if err := own.Publish("city/loop-1/readings", `{"speed":50}`); err != nil {
		t.Fatal(err)
	}
	if out := well(t, "publishers", "remove", "loop-1", "--data", city.Dir); !strings.Contains(out, "5 s") {
		t.Errorf("it does not say when its sessions end: %s", out)
	}
	ended("the session of a removed publisher", own)
	well(t, "publishers", "add", "loop-2", "--data", city.Dir)
	endtoend.Eventually(t, 5*time.Second, "the removed password is refused", func() error {
		if p, err := endtoend.DialAs(city.MQTT, "own", "loop-1", password); err == nil {
			_ = p.Close()
			return errors.New("it is let in")
		}
		return nil
	})
	var before, after endtoend.Ledger
	if err := city.Get("/api/v1/ledger", &before); err != nil {
		t.Fatal(err)
	}
	endtoend.Eventually(t, 90*time.Second, "the demonstration goes on", func() error {
		if err := city.Get("/api/v1/ledger", &after); err != nil || after.Written == before.Written {
			return fmt.Errorf("%d written, %w", after.Written, err)
		}
		return nil
	})
	city.Stop()
}
