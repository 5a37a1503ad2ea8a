package bus

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"

	"periph.io/x/conn/v3"
	"periph.io/x/conn/v3/physic"
	"periph.io/x/conn/v3/spi"
	"periph.io/x/host/v3/sysfs"

	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
)

// openSPI looks whether the chip select can be opened. It is opened in earnest by Connect.
func openSPI(cfg Config) (*Bus, error) {
	p := &spiPort{path: cfg.Device}
	device, err := p.open()
	if err != nil {
		return nil, err
	}
	device.Close()
	return &Bus{Config: cfg, SPI: p, Closer: p}, nil
}

// spiPort is a chip select of the kernel's spidev. It has one user at a time. periph's own can be connected once in its life;
// this one again, after the connection was closed.
type spiPort struct {
	path string

	mu     sync.Mutex
	conn   *spiConn
	closed bool
}

var validSPI = regexp.MustCompile(`^/dev/spidev(\d+)\.(\d+)$`)

const adviseSPI = "enable SPI (raspi-config, or dtparam=spi=on in config.txt)"

func (p *spiPort) open() (*sysfs.SPI, error) {
	path, err := filepath.EvalSymlinks(p.path)
	if err == nil {
		// periph tells the error of the kernel as text only, so that it is asked for here.
		var f *os.File
		if f, err = os.OpenFile(path, os.O_RDWR, 0); err == nil {
			f.Close()
		}
	}
	if err != nil {
		return nil, openFault(p.path, err, enabling{pattern: "/dev/spidev*", advice: adviseSPI, group: "spi"})
	}
	n := validSPI.FindStringSubmatch(path)
	if n == nil {
		return nil, fault.New(fault.Misconfigured, fmt.Errorf("open %s: it is no SPI device", p.path), "set device to one like /dev/spidev0.0"+others("/dev/spidev*"))
	}
	number, err := strconv.Atoi(n[1])
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", p.path, err)
	}
	chipSelect, err := strconv.Atoi(n[2])
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", p.path, err)
	}
	device, err := sysfs.NewSPI(number, chipSelect)
	if err != nil {
		return nil, fault.New(fault.Lost, fmt.Errorf("open %s: %w", p.path, err), adviseSPI)
	}
	return device, nil
}

var errTaken = errors.New("another sensor uses it")

// Connect opens the chip select. The connection is an io.Closer, and has to be closed before the next one.
func (p *spiPort) Connect(f physic.Frequency, mode spi.Mode, bits int) (spi.Conn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closed:
		return nil, fault.New(fault.Lost, fmt.Errorf("connect to %s: %w", p.path, os.ErrClosed), "")
	case p.conn != nil:
		return nil, fault.New(fault.Misconfigured, fmt.Errorf("connect to %s: %w", p.path, errTaken), "every chip needs a chip select of its own: look at the sensors of this bus")
	}
	device, err := p.open()
	if err != nil {
		return nil, err
	}
	c, err := device.Connect(f, mode, bits)
	if err != nil {
		device.Close()
		return nil, fault.New(fault.Misconfigured, fmt.Errorf("connect to %s: %w", p.path, err), "the SPI controller cannot do what this sensor needs")
	}
	p.conn = &spiConn{Conn: c, device: device, port: p}
	return p.conn, nil
}

// String is the device's path.
func (p *spiPort) String() string { return p.path }

// Close ends the port, and the connection if there is one.
func (p *spiPort) Close() error {
	p.mu.Lock()
	p.closed = true
	c := p.conn
	p.mu.Unlock()
	if c == nil {
		return nil
	}
	return c.Close()
}

// spiConn is a connection through a port.
type spiConn struct {
	spi.Conn
	device io.Closer
	port   *spiPort

	mu     sync.Mutex
	closed bool
}

// Tx is one transaction; what is written and what is read are of the same length.
func (c *spiConn) Tx(w, r []byte) error {
	return c.do(func() error { return c.Conn.Tx(w, r) })
}

// TxPackets is a transaction of several parts.
func (c *spiConn) TxPackets(packets []spi.Packet) error {
	return c.do(func() error { return c.Conn.TxPackets(packets) })
}

func (c *spiConn) do(transaction func() error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	err := os.ErrClosed
	if !c.closed {
		err = transaction()
	}
	if err != nil {
		return fault.New(fault.Lost, fmt.Errorf("%s: %w", c.port.path, err), "the SPI controller of the board does not work: look at the kernel's log")
	}
	return nil
}

// Duplex is full.
func (c *spiConn) Duplex() conn.Duplex { return conn.Full }

// Close gives the chip select back.
func (c *spiConn) Close() error {
	c.port.mu.Lock()
	if c.port.conn == c {
		c.port.conn = nil
	}
	c.port.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil
	}
	c.closed = true
	return c.device.Close()
}
