package broker_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/lamppost-city/lamppost/broker"
)

// process is a broker in a process of its own.
type process struct {
	cmd                  *exec.Cmd
	addr, user, password string
}

func spawn(t testing.TB, dir string, env ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(os.Args[0])}
	p.cmd.Env = append(append(os.Environ(), childDir+"="+dir), env...)
	if testing.Verbose() {
		p.cmd.Stderr = os.Stderr
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the process says %q: %v", line, err)
	}
	if _, err := fmt.Sscan(line, &p.addr, &p.user, &p.password); err != nil {
		t.Fatalf("the process says %q: %v", line, err)
	}
	return p
}

// kill is SIGKILL.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

// sender publishes numbered messages and remembers which were acknowledged.
type sender struct {
	mu    sync.Mutex
	acked map[string]bool
	next  int
}

// run publishes until the connection ends.
func (s *sender) run(addr string) {
	// A Publish that paho has begun when the connection ends waits for the write timeout.
	c := mqtt.NewClient(options(addr, "cam", "", "").SetWriteTimeout(time.Second))
	if token := c.Connect(); !token.WaitTimeout(wait) || token.Error() != nil {
		return
	}
	defer c.Disconnect(0)
	type sent struct {
		name  string
		token mqtt.Token
	}
	window := make(chan sent, 200)
	var waiter sync.WaitGroup
	waiter.Go(func() {
		for m := range window {
			if m.token.WaitTimeout(wait) && m.token.Error() == nil {
				s.mu.Lock()
				s.acked[m.name] = true
				s.mu.Unlock()
			}
		}
	})
	for c.IsConnectionOpen() {
		name := fmt.Sprintf("m-%d", s.next)
		s.next++
		window <- sent{name, c.Publish("city/cam-01/readings", 1, false, name)}
	}
	close(window)
	waiter.Wait()
}

func (s *sender) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.acked)
}

func TestSIGKILLLosesNoAcknowledgedMessage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := &sender{acked: map[string]bool{}}
	in := newInbox()
	for round := range 5 {
		p := spawn(t, dir)
		o := options(p.addr, "ingest", p.user, p.password).SetCleanSession(false).SetAutoAckDisabled(true).SetDefaultPublishHandler(in.handle)
		if round%2 == 1 { // in the even rounds nobody takes the messages
			connect(t, o)
		}
		var running sync.WaitGroup
		running.Go(func() { s.run(p.addr) })
		goal := s.count() + 2000 + 700*round
		eventually(t, "messages are acknowledged", func() bool { return s.count() >= goal })
		p.kill()
		running.Wait()
	}
	p := spawn(t, dir)
	o := options(p.addr, "ingest", p.user, p.password).SetCleanSession(false).SetAutoAckDisabled(true).SetDefaultPublishHandler(in.handle)
	connect(t, o)
	missing := func() (n int) {
		in.mu.Lock()
		defer in.mu.Unlock()
		for name := range s.acked {
			if in.got[name] == 0 {
				n++
			}
		}
		return n
	}
	began := time.Now()
	eventually(t, "every acknowledged message arrives", func() bool { return missing() == 0 })
	if d := time.Since(began); d > 20*time.Second {
		t.Errorf("the last message came after %v; it waited for ack_wait", d)
	}
	distinct, total := in.counts()
	t.Logf("%d acknowledged, %d distinct and %d in all arrived", s.count(), distinct, total)
}

func TestCleanSessionsOfAKilledProcessHoldNoMessages(t *testing.T) {
	cfg := config(t)
	p := spawn(t, cfg.Dir)
	in := newInbox()
	in.subscribe(t, connect(t, options(p.addr, "debug", "", "")), "city/+/readings")
	publish(t, connect(t, options(p.addr, "cam", "", "")), "city/cam-01/readings", "m", 10)
	p.kill()

	r := start(t, cfg, nil)
	ingest(t, r.Broker, in)
	eventually(t, "the store is empty once ingest has taken all", func() bool { return r.Stats().Stored == 0 })
	if n := r.Stats().Sessions; n != 1 {
		t.Errorf("%d sessions are left, want ingest's alone", n)
	}
}

// refusal runs a broker that must not start, and returns why.
func refusal(t *testing.T, cfg broker.Config) error {
	t.Helper()
	b, err := broker.New(cfg, nil, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	err = b.Run(ctx)
	if err == nil {
		t.Fatal("it started")
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("more than one sentence: %v", err)
	}
	if b.Health() == nil {
		t.Error("healthy, though it did not start")
	}
	return err
}

func TestSecondProcessOnTheSameFolderIsRefused(t *testing.T) {
	cfg := config(t)
	p := spawn(t, cfg.Dir)
	if err := refusal(t, cfg); !strings.Contains(err.Error(), cfg.Dir+" is in use by another process") {
		t.Errorf("got %v", err)
	}
	publish(t, connect(t, options(p.addr, "cam", "", "")), "city/cam-01/readings", "m", 10) // the first is unharmed
}

func TestTakenPortIsOneSentence(t *testing.T) {
	r := start(t, config(t), nil)
	cfg := config(t)
	cfg.Listen = r.Addr()
	if err := refusal(t, cfg); !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("got %v", err)
	}
}

func TestFolderThatCannotBeWrittenIsOneSentence(t *testing.T) {
	cfg := config(t)
	file := filepath.Join(cfg.Dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	cfg.Dir = filepath.Join(file, "broker")
	if err := refusal(t, cfg); !strings.Contains(err.Error(), cfg.Dir) && !strings.Contains(err.Error(), file) {
		t.Errorf("got %v, want the folder's name", err)
	}
}

// files under the broker's folder whose path matches.
func files(t *testing.T, dir, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "jetstream", "$G", "streams", pattern))
	if err != nil || len(found) == 0 {
		t.Fatalf("no %s: %v", pattern, err)
	}
	return found
}

func TestDamagedFolderIsRefusedAndNotReplacedByAnEmptyOne(t *testing.T) {
	t.Parallel()
	cut := func(d []byte) []byte { return d[:len(d)/2] }
	flip := func(d []byte) []byte { d[len(d)/2] ^= 1; return d }
	for _, c := range []struct {
		rule, file string
		damage     func([]byte) []byte
	}{
		{"stream cut", "$MQTT_msgs/meta.inf", cut},
		{"stream overwritten", "$MQTT_msgs/meta.inf", func(d []byte) []byte { return bytes.Repeat([]byte{0xff}, len(d)) }},
		{"stream with another byte", "$MQTT_msgs/meta.inf", flip},
		{"stream emptied", "$MQTT_msgs/meta.inf", func([]byte) []byte { return nil }},
		{"sessions with another byte", "$MQTT_sess/msgs/1.blk", flip},
		{"sessions cut", "$MQTT_sess/msgs/1.blk", cut},
		{"subscription cut", "$MQTT_msgs/obs/*/o.dat", cut},
		{"subscription's description cut", "$MQTT_msgs/obs/*/meta.inf", cut},
	} {
		t.Run(c.rule, func(t *testing.T) {
			cfg := config(t)
			r := start(t, cfg, nil)
			publish(t, connect(t, options(r.Addr(), "cam", "", "")), "city/cam-01/readings", "m", 10)
			r.stop()
			before := filepath.Join(t.TempDir(), "copy")
			if err := os.CopyFS(before, os.DirFS(cfg.Dir)); err != nil {
				t.Fatal(err)
			}
			for _, file := range files(t, cfg.Dir, c.file) {
				data, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, c.damage(data), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := refusal(t, cfg); !strings.Contains(err.Error(), cfg.Dir+" is damaged") {
				t.Errorf("got %v", err)
			}
			if blocks := files(t, cfg.Dir, "$MQTT_msgs/msgs/*.blk"); len(blocks) == 0 {
				t.Error("the messages are gone")
			}
			cfg.Dir = before // the backup serves
			r = start(t, cfg, nil)
			in := newInbox()
			ingest(t, r.Broker, in)
			eventually(t, "the messages arrive", func() bool { n, _ := in.counts(); return n == 10 })
		})
	}
}

func TestDamagedMessageTakesNoOtherWithIt(t *testing.T) {
	cfg := config(t)
	r := start(t, cfg, nil)
	publish(t, connect(t, options(r.Addr(), "cam", "", "")), "city/cam-01/readings", "m", 1000)
	r.stop()
	file := files(t, cfg.Dir, "$MQTT_msgs/msgs/1.blk")[0]
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 1
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	r = start(t, cfg, nil)
	in := newInbox()
	ingest(t, r.Broker, in)
	eventually(t, "999 messages arrive", func() bool { n, _ := in.counts(); return n >= 999 })
}
