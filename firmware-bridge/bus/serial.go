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
	p, err := serial.Open(l.cfg.Device, library(mode))
	if err != nil {
		return nil, l.fault(mode, err)
	}
	l.used = true
	return &serialPort{Port: p, line: l}, nil
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
	case code == serial.PortBusy:
		return fault.New(fault.Misconfigured, fmt.Errorf("%w: %w", err, errInUse), "another program uses the line: a console (getty), a modem manager or a second bridge")
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
// both "closed".
type serialPort struct {
	serial.Port
	line   *serialLine
	closed atomic.Bool
}

// Read returns 0 bytes and no error when the time set by SetReadTimeout has passed.
func (p *serialPort) Read(b []byte) (int, error) {
	n, err := p.Port.Read(b)
	return n, p.lost(err)
}

// Write sends bytes.
func (p *serialPort) Write(b []byte) (int, error) {
	n, err := p.Port.Write(b)
	return n, p.lost(err)
}

// SetReadTimeout bounds a Read; a negative time means that it waits for ever.
func (p *serialPort) SetReadTimeout(d time.Duration) error {
	if d < 0 {
		d = serial.NoTimeout
	}
	return p.Port.SetReadTimeout(d)
}

// ResetInputBuffer forgets what has come in and was not read.
func (p *serialPort) ResetInputBuffer() error { return p.lost(p.Port.ResetInputBuffer()) }

func (p *serialPort) lost(err error) error {
	switch {
	case err == nil:
		return nil
	case p.closed.Load():
		return os.ErrClosed
	}
	return fault.New(fault.Lost, fmt.Errorf("%s: %w: %w", p.line.cfg.Device, errHungUp, err), "look at the plug of the adapter or the line")
}

// Close ends a Read that waits, and lets another open the line.
func (p *serialPort) Close() error {
	if p.closed.Swap(true) {
		return nil
	}
	err := p.Port.Close()
	p.line.mu.Lock()
	defer p.line.mu.Unlock()
	p.line.used = false
	return err
}
