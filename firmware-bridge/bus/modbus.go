package bus

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
)

const (
	// modbusTimeout is how long a unit may take to begin its answer, where the settings say nothing: most take under 100 ms,
	// the slowest inverters nearly a second.
	modbusTimeout = time.Second
	// modbusDial is how long a connection may take to come about.
	modbusDial = 5 * time.Second
	// firstPause and longestPause are between attempts to open a line that cannot be opened.
	firstPause, longestPause = 500 * time.Millisecond, 30 * time.Second
	// serialGap and networkGap are the silence after which an answer that has begun is over. Adapters on USB hold bytes
	// back for up to 16 ms.
	serialGap, networkGap = 50 * time.Millisecond, 150 * time.Millisecond
	// deafConnection and deafPort are how many requests in a row may stay unanswered until the connection or the port is
	// opened anew: the other end may have lost power without a word, an adapter may have lost its mind.
	deafConnection, deafPort = 3, 20
)

// modbusMode is how a line is set where the settings are silent. The specification's own default is 8E1, and 8N2 where there
// is no parity; nearly all meters come from the factory with 9600 8N1, so that is ours.
func modbusMode() Mode { return Mode{Baud: 9600, DataBits: 8, Parity: "none", StopBits: 1} }

// openModbus starts the line. The first request opens it, and so does the first after it was lost.
func openModbus(cfg Config, log *slog.Logger) (*Bus, error) {
	scheme, target, err := modbusTarget(cfg.Device)
	if err != nil {
		return nil, fault.New(fault.Misconfigured, fmt.Errorf("open bus %s: %w", cfg.ID, err), "")
	}
	l := &modbusLine{
		cfg: cfg, log: log.With("bus", cfg.ID), scheme: scheme, timeout: cfg.Timeout,
		asks: make(chan *modbusAsk), done: make(chan struct{}),
		answered: make(map[uint8]bool), owed: make(map[uint8]*debt),
	}
	if l.timeout == 0 {
		l.timeout = modbusTimeout
	}
	switch scheme {
	case "tcp":
		l.open = func(ctx context.Context) (wire, error) {
			c, err := dialModbus(ctx, target)
			if err != nil {
				return nil, err
			}
			return &tcpWire{conn: c, timeout: l.timeout, late: make(map[uint8]bool)}, nil
		}
	case "rtuovertcp":
		l.open = func(ctx context.Context) (wire, error) {
			c, err := dialModbus(ctx, target)
			if err != nil {
				return nil, err
			}
			return l.rtu(&tcpPort{Conn: c}, networkGap), nil
		}
	default:
		cfg.Device = target
		b, err := openSerial(cfg)
		if err != nil {
			return nil, err
		}
		l.open = func(context.Context) (wire, error) {
			p, err := b.Serial.Open(modbusMode())
			if err != nil {
				return nil, err
			}
			return l.rtu(p, serialGap), nil
		}
	}
	l.start()
	return &Bus{Config: l.cfg, Modbus: l, Closer: l}, nil
}

func (l *modbusLine) network() bool { return l.scheme != "rtu" }

func (l *modbusLine) rtu(p rtuPort, gap time.Duration) *rtuWire {
	return &rtuWire{port: p, pace: paceOf(l.cfg.Mode(modbusMode()).Baud), timeout: l.timeout, gap: gap, late: make(map[uint8]bool), owed: l.owed}
}

// modbusTarget takes a line's device apart: rtu:/dev/ttyUSB0, rtuovertcp://HOST:PORT or tcp://HOST:502.
func modbusTarget(device string) (scheme, target string, err error) {
	scheme, rest, _ := strings.Cut(device, ":")
	switch scheme {
	case "rtu":
		if target = strings.TrimPrefix(rest, "//"); !strings.HasPrefix(target, "/") {
			return "", "", fmt.Errorf("device: %q names no serial line; write it like rtu:/dev/ttyUSB0", device)
		}
		return scheme, target, nil
	case "tcp", "rtuovertcp":
		u, err := url.Parse(device)
		if err != nil || u.Hostname() == "" || u.Path != "" || u.Port() == "" && scheme == "rtuovertcp" {
			return "", "", fmt.Errorf("device: %q names no host and port; write it like %s://192.168.1.20:502", device, scheme)
		}
		if u.Port() == "" {
			return scheme, net.JoinHostPort(u.Hostname(), "502"), nil
		}
		return scheme, u.Host, nil
	}
	return "", "", fmt.Errorf("device: %q is no Modbus line; write rtu:/dev/ttyUSB0, rtuovertcp://HOST:PORT or tcp://HOST:502", device)
}

func dialModbus(ctx context.Context, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, modbusDial)
	defer cancel()
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fault.New(fault.Lost, fmt.Errorf("connect to %s: %w", address, err), fmt.Sprintf("nothing can be reached at %s: look at the address and the port, at the network cable, and whether Modbus is switched on in the device", address))
	}
	return c, nil
}
