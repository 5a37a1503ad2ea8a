package uplink_test

import (
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// fakeBroker is a broker that does what a test says with each PUBLISH: it answers with PUBACK, keeps silent, or drops the
// connection.
type fakeBroker struct {
	listener net.Listener
	answer   func(nth int, p *packets.PublishPacket) verdict
	conns    sync.WaitGroup

	mu       sync.Mutex
	seen     []string // payloads in the order in which they came, repeats included
	answered map[string]int
}

type verdict int

const (
	ack verdict = iota
	silence
	drop
	ackOther // a PUBACK for an identifier that was never used
)

func newFakeBroker(t *testing.T, answer func(nth int, p *packets.PublishPacket) verdict) *fakeBroker {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serveFake(t, l, answer)
}

// newTLSBroker acknowledges everything, behind a certificate that the authority in caFile has signed.
func newTLSBroker(t *testing.T) (b *fakeBroker, caFile string) {
	t.Helper()
	web := httptest.NewUnstartedServer(nil) // for its certificate, which is valid for 127.0.0.1
	web.StartTLS()
	defer web.Close()
	caFile = filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: web.Certificate().Raw})
	if err := os.WriteFile(caFile, text, 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: web.TLS.Certificates})
	if err != nil {
		t.Fatal(err)
	}
	return serveFake(t, l, func(int, *packets.PublishPacket) verdict { return ack }), caFile
}

func serveFake(t *testing.T, l net.Listener, answer func(int, *packets.PublishPacket) verdict) *fakeBroker {
	b := &fakeBroker{listener: l, answer: answer, answered: map[string]int{}}
	b.conns.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			b.conns.Go(func() { b.serve(c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		b.conns.Wait()
	})
	return b
}

func (b *fakeBroker) url() string { return "mqtt://" + b.listener.Addr().String() }

func (b *fakeBroker) serve(c net.Conn) {
	defer c.Close()
	for {
		p, err := packets.ReadPacket(c)
		if err != nil {
			return
		}
		switch p := p.(type) {
		case *packets.ConnectPacket:
			packets.NewControlPacket(packets.Connack).Write(c)
		case *packets.PingreqPacket:
			packets.NewControlPacket(packets.Pingresp).Write(c)
		case *packets.DisconnectPacket:
			return
		case *packets.PublishPacket:
			if !b.publish(c, p) {
				return
			}
		}
	}
}

func (b *fakeBroker) publish(c net.Conn, p *packets.PublishPacket) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.seen = append(b.seen, string(p.Payload))
	reply := packets.NewControlPacket(packets.Puback).(*packets.PubackPacket)
	reply.MessageID = p.MessageID
	switch b.answer(len(b.seen), p) {
	case drop:
		return false
	case silence:
		return true
	case ackOther:
		reply.MessageID += 30_000
	default:
		b.answered[string(p.Payload)]++
	}
	return reply.Write(c) == nil
}

func (b *fakeBroker) payloads() (seen []string, answered map[string]int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	answered = make(map[string]int, len(b.answered))
	for k, v := range b.answered {
		answered[k] = v
	}
	return append([]string(nil), b.seen...), answered
}

// mosquitto is a real broker in a process of its own, which can be ended and started again on the same port.
type mosquitto struct {
	t    testing.TB
	conf string
	port int
	cmd  *exec.Cmd
}

func startMosquitto(t testing.TB) *mosquitto {
	t.Helper()
	path, err := exec.LookPath("mosquitto")
	if err != nil {
		if _, err := os.Stat("/usr/sbin/mosquitto"); err != nil {
			t.Skip("mosquitto is not installed: apt-get install mosquitto")
		}
		path = "/usr/sbin/mosquitto"
	}
	m := &mosquitto{t: t, port: freePort(t), conf: filepath.Join(t.TempDir(), "mosquitto.conf")}
	text := fmt.Sprintf("listener %d 127.0.0.1\nallow_anonymous true\npersistence true\npersistence_location %s/\nmax_queued_messages 0\nautosave_interval 1\n",
		m.port, t.TempDir())
	if os.Geteuid() == 0 {
		text += "user root\n" // or it gives up its rights and cannot write into the test's folder
	}
	if err := os.WriteFile(m.conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	m.start(path)
	t.Cleanup(m.stop)
	return m
}

func freePort(t testing.TB) int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func (m *mosquitto) address() string { return "127.0.0.1:" + strconv.Itoa(m.port) }

func (m *mosquitto) start(path string) {
	m.t.Helper()
	m.cmd = exec.Command(path, "-c", m.conf)
	if err := m.cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	eventually(m.t, "mosquitto answers", func() bool {
		c, err := net.Dial("tcp", m.address())
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

// stop ends it as an operator would, so that it writes its persistent sessions down.
func (m *mosquitto) stop() {
	if m.cmd == nil {
		return
	}
	m.cmd.Process.Signal(os.Interrupt)
	m.cmd.Wait()
	m.cmd = nil
}

func (m *mosquitto) restart() {
	path := m.cmd.Path
	m.stop()
	m.start(path)
}

func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("after 20 s it is still not so that %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
