package bus

import (
	"bytes"
	"context"
	"encoding/binary"
	"log/slog"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// These tests stand inside the package, with a serial line in memory, because in a bubble of testing/synctest the silence on
// a line can be measured exactly, which no real line lets one do.

// piece is bytes that come some time after the piece before.
type piece struct {
	after time.Duration
	bytes []byte
}

// cable is a serial line in memory. Whatever is sent is given to the units, which say what comes back.
type cable struct {
	units func(request []byte) []piece

	in     chan []byte
	closed chan struct{}
	once   sync.Once
	wait   time.Duration
	left   []byte

	mu    sync.Mutex
	sent  int
	last  time.Time     // when the last byte was on the line
	least time.Duration // the shortest silence before a request
}

func newCable(units func([]byte) []piece) *cable {
	return &cable{units: units, in: make(chan []byte, 1000), closed: make(chan struct{})}
}

func (w *cable) SetReadTimeout(d time.Duration) error {
	w.wait = d
	return nil
}

func (w *cable) Read(b []byte) (int, error) {
	if len(w.left) == 0 {
		timer := time.NewTimer(w.wait)
		defer timer.Stop()
		select {
		case w.left = <-w.in:
		case <-timer.C:
			return 0, nil
		case <-w.closed:
			return 0, os.ErrClosed
		}
	}
	n := copy(b, w.left)
	w.left = w.left[n:]
	return n, nil
}

func (w *cable) Write(b []byte) (int, error) {
	w.mu.Lock()
	if silence := time.Since(w.last); w.sent > 0 && (w.least == 0 || silence < w.least) {
		w.least = silence
	}
	w.sent++
	w.last = time.Now()
	w.mu.Unlock()
	at := time.Duration(0)
	for _, p := range w.units(bytes.Clone(b)) {
		at += p.after
		time.AfterFunc(at, func() {
			w.mu.Lock()
			w.last = time.Now()
			w.mu.Unlock()
			w.in <- p.bytes
		})
	}
	return len(b), nil
}

func (w *cable) Close() error {
	w.once.Do(func() { close(w.closed) })
	return nil
}

// register is what the units have at an address.
func register(unit uint8, address uint16) uint16 { return uint16(unit)<<12 ^ address }

// answering is the answer of a healthy unit.
func answering(request []byte) []byte {
	address, n := binary.BigEndian.Uint16(request[2:]), binary.BigEndian.Uint16(request[4:])
	frame := []byte{request[0], request[1], byte(2 * n)}
	for i := range n {
		frame = binary.BigEndian.AppendUint16(frame, register(request[0], address+i))
	}
	return appendCRC(frame)
}

const normal = 20 * time.Millisecond // the usual delay of a unit

func healthy(request []byte) []piece { return []piece{{normal, answering(request)}} }

// lineOn is a line whose wire is opened by open.
func lineOn(t *testing.T, cfg Config, open func() (*cable, error)) *modbusLine {
	t.Helper()
	l := &modbusLine{
		cfg: cfg, log: slog.New(slog.DiscardHandler), scheme: "rtu", timeout: modbusTimeout,
		asks: make(chan *modbusAsk), done: make(chan struct{}), answered: map[uint8]bool{}, owed: map[uint8]*debt{},
	}
	l.open = func(context.Context) (wire, error) {
		w, err := open()
		if err != nil {
			return nil, err
		}
		return l.rtu(w, serialGap), nil
	}
	l.start()
	return l
}

// onCable runs a test on a line in memory.
func onCable(t *testing.T, cfg Config, units func([]byte) []piece, test func(*testing.T, *modbusLine, *cable)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newCable(units)
		l := lineOn(t, cfg, func() (*cable, error) { return w, nil })
		defer func() {
			if err := l.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		}()
		test(t, l, w)
	})
}

// want reads registers of a unit and compares them.
func want(t *testing.T, l Registers, unit uint8, address, n uint16) {
	t.Helper()
	got, err := l.Read(t.Context(), unit, HoldingRegisters, address, n)
	if err != nil || len(got) != int(n) {
		t.Fatalf("unit %d, %d registers at %d: got %v, %v", unit, n, address, got, err)
	}
	for i := range n {
		if got[i] != register(unit, address+i) {
			t.Fatalf("unit %d, register %d is %#x, want %#x", unit, address+i, got[i], register(unit, address+i))
		}
	}
}
