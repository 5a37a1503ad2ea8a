package bus

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.bug.st/serial"

	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
)

// serialLine is a serial device of the operating system.
type serialLine struct {
	cfg Config

	mu   sync.Mutex
	used bool
}

func openSerial(cfg Config) (*Bus, error) {
	return &Bus{Config: cfg, Serial: &serialLine{cfg: cfg}}, nil
}

var (
	errInUse  = errors.New("the line is in use")
	errHungUp = errors.New("the line has hung up")
)

// Open opens the device. RTS and DTR are raised: some adapters and every P1 cable feed on them.
func (l *serialLine) Open(driver Mode) (Port, error) {
	mode := l.cfg.Mode(driver)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.used {
		return nil, fault.New(fault.Misconfigured, fmt.Errorf("open %s: %w", l.cfg.Device, errInUse), "one serial line serves one sensor: look at the settings for a second one on it")
	}
	p, err := openPort(l.cfg.Device, library(mode))
	if err != nil {
		return nil, l.fault(mode, err)
	}
	l.used = true
	open := &serialPort{port: p, line: l}
	open.timeout.Store(-1)
	return open, nil
}

// library is the mode in the library's words.
func library(m Mode) *serial.Mode {
	mode := &serial.Mode{BaudRate: m.Baud, DataBits: m.DataBits}
	switch m.Parity {
	case "even":
		mode.Parity = serial.EvenParity
	case "odd":
		mode.Parity = serial.OddParity
	}
	if m.StopBits == 2 {
		mode.StopBits = serial.TwoStopBits
	}
	return mode
}

// fault says why the line cannot be opened.
func (l *serialLine) fault(mode Mode, err error) error {
	var cause *serial.PortError
	code := serial.PortErrorCode(-1)
	if errors.As(err, &cause) {
		code = cause.Code()
	}
	err = fmt.Errorf("open %s: %w", l.cfg.Device, err)
	switch {
	case code == serial.PermissionDenied:
		return fault.New(fault.Denied, err, "this user may not open "+l.cfg.Device+": add the user to group dialout, and restart the bridge")
	case code == serial.PortBusy, errors.Is(err, errInUse):
		if code == serial.PortBusy {
			err = fmt.Errorf("%w: %w", err, errInUse)
		}
		return fault.New(fault.Misconfigured, err, "another program uses the line: a console (getty), a modem manager, or a bridge that runs (systemctl stop lamppost-bridge)")
	case code == serial.InvalidSerialPort && !errors.Is(err, os.ErrNotExist):
		return fault.New(fault.Misconfigured, err, "this is no serial line, or it cannot do "+mode.String()+serialDevices())
	case code == serial.InvalidSpeed, code == serial.InvalidDataBits, code == serial.InvalidParity, code == serial.InvalidStopBits:
		return fault.New(fault.Misconfigured, err, "the adapter cannot do "+mode.String())
	}
	return fault.New(fault.Lost, err, l.cfg.Device+" is not there: look at its plug"+serialDevices())
}

// serialDevices names the lines that are there, by the names that stay the same over restarts where there are such.
func serialDevices() string {
	for _, pattern := range []string{"/dev/serial/by-id/*", "/dev/ttyUSB*", "/dev/ttyACM*", "/dev/ttyAMA*"} {
		if found, err := filepath.Glob(pattern); err == nil && len(found) > 0 {
			slices.Sort(found)
			return "; there is " + strings.Join(found[:min(len(found), 8)], ", ")
		}
	}
	return "; no serial line is there"
}

// serialPort is an open line. It tells the end that its user made from the one that a pulled plug made: the library calls
// both "closed". And it does not close the line under a Read or Write: the library would go on with the number of a file that
// may be another's by then.
type serialPort struct {
	port   serial.Port
	line   *serialLine
	closed atomic.Bool

	timeout atomic.Int64 // of a Read, in nanoseconds
	reading sync.Mutex   // held for a slice of a Read
	writing sync.Mutex
}

// slice is how long the library reads at a stretch, and so how long Close takes at most.
const slice = 200 * time.Millisecond

// Read returns 0 bytes and no error when the time set by SetReadTimeout has passed.
func (p *serialPort) Read(b []byte) (int, error) {
	timeout := time.Duration(p.timeout.Load())
	for began := time.Now(); ; {
		left := timeout - time.Since(began)
		wait := max(0, left)
		if timeout < 0 || left > slice {
			wait = slice
		}
		n, err := p.readSlice(b, wait)
		if n > 0 || err != nil || timeout >= 0 && time.Since(began) >= timeout {
			return n, err
		}
	}
}

func (p *serialPort) readSlice(b []byte, wait time.Duration) (int, error) {
	p.reading.Lock()
	defer p.reading.Unlock()
	if p.closed.Load() {
		return 0, os.ErrClosed
	}
	if err := p.port.SetReadTimeout(wait); err != nil {
		return 0, p.lost(err)
	}
	n, err := p.port.Read(b)
	return n, p.lost(err)
}

// Write sends bytes.
func (p *serialPort) Write(b []byte) (int, error) {
	p.writing.Lock()
	defer p.writing.Unlock()
	if p.closed.Load() {
		return 0, os.ErrClosed
	}
	n, err := p.port.Write(b)
	return n, p.lost(err)
}

// SetReadTimeout bounds the Reads from now on; a negative time means that they wait for ever.
func (p *serialPort) SetReadTimeout(d time.Duration) error {
	p.timeout.Store(int64(d))
	return nil
}

// ResetInputBuffer forgets what has come in and was not read.
func (p *serialPort) ResetInputBuffer() error {
	p.reading.Lock()
	defer p.reading.Unlock()
	if p.closed.Load() {
		return os.ErrClosed
	}
	return p.lost(p.port.ResetInputBuffer())
}

func (p *serialPort) lost(err error) error {
	if err == nil {
		return nil
	}
	return fault.New(fault.Lost, fmt.Errorf("%s: %w: %w", p.line.cfg.Device, errHungUp, err), "look at the plug of the adapter or the line")
}

// Close ends a Read that waits, and lets another open the line. A Write that hangs in the kernel holds it up for a second.
func (p *serialPort) Close() error {
	if p.closed.Swap(true) {
		return nil
	}
	p.reading.Lock()
	defer p.reading.Unlock()
	for range 100 {
		if p.writing.TryLock() {
			defer p.writing.Unlock()
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	err := p.port.Close()
	p.line.mu.Lock()
	defer p.line.mu.Unlock()
	p.line.used = false
	return err
}
