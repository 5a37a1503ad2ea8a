package uplinktest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// Mosquitto is a real broker in a process of its own, which can be ended and started again on the same port.
type Mosquitto struct {
	t    testing.TB
	conf string
	path string // of the program
	port int
	cmd  *exec.Cmd
}

// StartMosquitto starts one on a free port of 127.0.0.1, open to anybody; it skips the test where there is none.
func StartMosquitto(t testing.TB) *Mosquitto {
	t.Helper()
	path, err := exec.LookPath("mosquitto")
	if err != nil {
		if _, err := os.Stat("/usr/sbin/mosquitto"); err != nil {
			t.Skip("mosquitto is not installed: apt-get install mosquitto")
		}
		path = "/usr/sbin/mosquitto"
	}
	m := &Mosquitto{t: t, path: path, port: freePort(t), conf: filepath.Join(t.TempDir(), "mosquitto.conf")}
	text := fmt.Sprintf("listener %d 127.0.0.1\nallow_anonymous true\npersistence true\npersistence_location %s/\nmax_queued_messages 0\nautosave_interval 1\n",
		m.port, t.TempDir())
	if os.Geteuid() == 0 {
		text += "user root\n" // or it gives up its rights and cannot write into the test's folder
	}
	if err := os.WriteFile(m.conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	m.start()
	t.Cleanup(m.stop)
	return m
}

func freePort(t testing.TB) int {
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// Address is host:port.
func (m *Mosquitto) Address() string { return "127.0.0.1:" + strconv.Itoa(m.port) }

func (m *Mosquitto) start() {
	m.t.Helper()
	m.cmd = exec.CommandContext(context.Background(), m.path, "-c", m.conf) // it outlives t.Context: Cleanup ends it
	if err := m.cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	Eventually(m.t, "mosquitto answers", func() bool {
		c, err := new(net.Dialer).DialContext(m.t.Context(), "tcp", m.Address())
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

// stop ends it as an operator would, so that it writes its persistent sessions down. It forgets a signal that comes after its
// port is open and before it serves, so it is told until it has ended.
func (m *Mosquitto) stop() {
	if m.cmd == nil {
		return
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = m.cmd.Wait() // its exit code says that it was interrupted
	}()
	for deadline := time.After(20 * time.Second); ; {
		if err := m.cmd.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
			m.t.Error(err)
		}
		select {
		case <-ended:
			m.cmd = nil
			return
		case <-time.After(200 * time.Millisecond):
		case <-deadline:
			m.t.Error("mosquitto does not stop")
			_ = m.cmd.Process.Kill() // it is waited for already
			<-ended
			m.cmd = nil
			return
		}
	}
}

// Restart ends it and starts it again on the same port.
func (m *Mosquitto) Restart() {
	m.stop()
	m.start()
}

// Kill ends it as a power cut would. Restart starts it again.
func (m *Mosquitto) Kill() {
	m.t.Helper()
	if err := m.cmd.Process.Kill(); err != nil {
		m.t.Fatal(err)
	}
	_ = m.cmd.Wait() // its exit code says that it was killed
	m.cmd = nil
}

// Eventually waits until holds returns true, for a process that is not ours to synchronise with.
func Eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("after 20 s it is still not so that %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// RestartWith restarts it with other settings; the listener stays.
func (m *Mosquitto) RestartWith(settings string) {
	m.stop()
	text := fmt.Sprintf("listener %d 127.0.0.1\n%s", m.port, settings)
	if err := os.WriteFile(m.conf, []byte(text), 0o600); err != nil {
		m.t.Fatal(err)
	}
	m.start()
}
