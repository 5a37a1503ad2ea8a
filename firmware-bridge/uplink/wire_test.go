package uplink

import (
	"errors"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// half is a connection whose writes fail and whose reads wait, as one that the kernel has reset while nobody was reading.
type half struct {
	net.Conn
	once   sync.Once
	closed chan struct{}
}

func (h *half) Read([]byte) (int, error) {
	<-h.closed
	return 0, &net.OpError{Op: "read", Net: "tcp", Err: net.ErrClosed}
}

func (h *half) Write([]byte) (int, error) {
	return 0, &net.OpError{Op: "write", Net: "tcp", Err: os.NewSyscallError("write", syscall.EPIPE)}
}

func (h *half) Close() error                     { h.once.Do(func() { close(h.closed) }); return nil }
func (h *half) SetWriteDeadline(time.Time) error { return nil }

// A client of paho takes a read that fails with "use of closed network connection" for its own doing and tells nobody: the lane
// would wait for a PINGRESP, 40 s, with a full window.
func TestAFailedWriteIsReadAsALostConnection(t *testing.T) {
	w := newWire(&half{closed: make(chan struct{})}, time.Microsecond, time.Second, func(uint16) {}, func(string) {})
	defer w.Close()
	if _, err := w.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	_, err := w.Read(make([]byte, 1))
	if !errors.Is(err, syscall.EPIPE) || strings.Contains(err.Error(), net.ErrClosed.Error()) {
		t.Errorf("read ended with %v, want the error of the write", err)
	}
}
