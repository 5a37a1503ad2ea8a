// Package bus opens what sensors hang on: I2C and SPI, GPIO pins, 1-Wire, serial lines, Modbus lines, a local MQTT broker.
//
// The bridge opens each bus of its settings once; the drivers of all sensors on it share it. A simulated bus (package
// simbus) has the same interfaces, so that drivers cannot tell the difference.
//
//	settings: buses ──Open──► *Bus ──► driver ──► Read
//	         or simbus.New ───┘
package bus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/spi"
)

// Kind is a kind of bus, as in the settings' type.
type Kind string

// The kinds.
const (
	I2C     Kind = "i2c"
	SPI     Kind = "spi"
	GPIO    Kind = "gpio"
	OneWire Kind = "onewire"
	Serial  Kind = "serial"
	Modbus  Kind = "modbus"
	MQTT    Kind = "mqtt"
)

// Kinds lists all kinds.
func Kinds() []Kind { return []Kind{I2C, SPI, GPIO, OneWire, Serial, Modbus, MQTT} }

// Config is one entry of the settings' buses.
type Config struct {
	// ID is what sensors name as their bus: lower-case letters, digits and '-'.
	ID string `mapstructure:"id"`
	// Type is a Kind.
	Type Kind `mapstructure:"type"`
	// Device is where the bus is: /dev/i2c-1, /dev/spidev0.0, /dev/ttyUSB0, a GPIO chip (/dev/gpiochip0; "" for the first
	// one), a folder of 1-Wire devices ("" for /sys/bus/w1/devices), a Modbus line (rtu:/dev/ttyUSB0,
	// rtuovertcp://HOST:PORT, tcp://HOST:502), or the URL of a broker (mqtt://127.0.0.1:1883).
	Device string `mapstructure:"device"`

	// Baud, DataBits, Parity (none, even, odd) and StopBits (1 or 2) are of serial lines, Modbus RTU among them.
	// What is 0 or "" is the driver's own.
	Baud     int    `mapstructure:"baud"`
	DataBits int    `mapstructure:"data_bits"`
	Parity   string `mapstructure:"parity"`
	StopBits int    `mapstructure:"stop_bits"`

	// Timeout is how long one answer may take; 0 means the bus's own.
	Timeout time.Duration `mapstructure:"timeout"`

	// User, PasswordFile, CAFile, CertFile and KeyFile are for a local broker that asks for them; the files are read for every
	// connection. A password is never in the settings, which travel.
	User         string `mapstructure:"user"`
	PasswordFile string `mapstructure:"password_file"`
	CAFile       string `mapstructure:"ca_file"`
	CertFile     string `mapstructure:"cert_file"`
	KeyFile      string `mapstructure:"key_file"`
	// ClientName begins the MQTT client ids at a local broker, one for each sensor; a random part follows. "" is
	// lamppost-bridge.
	ClientName string `mapstructure:"client_name"`
}

var validID = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)

// Validate says all that is wrong, each with its key.
func (c Config) Validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if !validID.MatchString(c.ID) {
		fault("id: %q is no name for a bus; use up to 32 of a-z, 0-9 and '-'", c.ID)
	}
	known := false
	for _, k := range Kinds() {
		known = known || c.Type == k
	}
	if !known {
		fault("type: %q is none of %v", c.Type, Kinds())
	}
	if c.Device == "" && c.Type != GPIO && c.Type != OneWire && known {
		fault("device: is empty; say where the %s bus is", c.Type)
	}
	if c.Type == Modbus && c.Device != "" {
		if _, _, err := modbusTarget(c.Device); err != nil {
			faults = append(faults, err)
		}
	}
	if c.Type == MQTT && c.Device != "" {
		faults = append(faults, c.validateMQTT())
	}
	if c.Baud < 0 || c.Baud > 4_000_000 {
		fault("baud: %d is outside 0 to 4000000", c.Baud)
	}
	if c.DataBits != 0 && (c.DataBits < 5 || c.DataBits > 8) {
		fault("data_bits: %d is outside 5 to 8", c.DataBits)
	}
	switch c.Parity {
	case "", "none", "even", "odd":
	default:
		fault("parity: %q is none of none, even and odd", c.Parity)
	}
	if c.StopBits < 0 || c.StopBits > 2 {
		fault("stop_bits: %d is neither 1 nor 2", c.StopBits)
	}
	if c.Timeout < 0 || c.Timeout > time.Minute {
		fault("timeout: %s is outside 0s to 1m", c.Timeout)
	}
	return errors.Join(faults...)
}

// Bus is an open bus: what belongs to its kind is set, everything else is nil. What is in it may be used by several
// drivers at once.
type Bus struct {
	Config

	I2C     i2c.Bus
	SPI     spi.Port
	Pins    Pins
	OneWire Wires
	Serial  Line
	Modbus  Registers
	Topics  Topics

	// Closer ends the bus; it may be nil.
	Closer io.Closer
}

// Close ends the bus.
func (b *Bus) Close() error {
	if b.Closer == nil {
		return nil
	}
	return b.Closer.Close()
}

// Pins are the GPIO lines of a chip.
type Pins interface {
	// Pin finds a line by name ("GPIO17") or by its number on the chip ("17"). The pin is the caller's alone until its
	// Halt; a pin that is taken is an error.
	Pin(name string) (Pin, error)
}

// Wires are the devices on 1-Wire lines, as the kernel's w1 driver shows them: no rights are needed but to read.
type Wires interface {
	// Devices lists the ids, such as "28-0316a2794bff".
	Devices() ([]string, error)
	// Measure makes the device measure, and returns what the kernel's w1_slave file says: two lines, the scratchpad with
	// its CRC and YES or NO, then the scratchpad with t= and the value. It takes up to a second.
	Measure(ctx context.Context, id string) (string, error)
}

// Mode is how bytes travel on a serial line.
type Mode struct {
	Baud     int
	DataBits int
	// Parity is none, even or odd.
	Parity   string
	StopBits int
}

// Mode is the driver's, save where the settings of the bus say otherwise.
func (c Config) Mode(driver Mode) Mode {
	m := Mode{Baud: c.Baud, DataBits: c.DataBits, Parity: c.Parity, StopBits: c.StopBits}
	if m.Baud == 0 {
		m.Baud = driver.Baud
	}
	if m.DataBits == 0 {
		m.DataBits = driver.DataBits
	}
	if m.Parity == "" {
		m.Parity = driver.Parity
	}
	if m.StopBits == 0 {
		m.StopBits = driver.StopBits
	}
	return m
}

// String writes it as it is said: 9600 8N1.
func (m Mode) String() string {
	parity := "?"
	if m.Parity != "" {
		parity = strings.ToUpper(m.Parity[:1])
	}
	return fmt.Sprintf("%d %d%s%d", m.Baud, m.DataBits, parity, m.StopBits)
}

// Line is a serial line. It has one user at a time.
type Line interface {
	// Open opens the line in the mode of the bus's settings, and where these are silent in the driver's.
	Open(driver Mode) (Port, error)
}

// Port is an open serial line. Read returns 0 bytes and no error when the time set by SetReadTimeout has passed.
type Port interface {
	io.ReadWriteCloser
	// SetReadTimeout bounds a Read; a negative time means that it waits for ever.
	SetReadTimeout(d time.Duration) error
	// ResetInputBuffer forgets what has come in and was not read.
	ResetInputBuffer() error
}

// Table is one of the four tables of a Modbus device.
type Table uint8

// The tables, in the order of the specification (Modbus Application Protocol V1.1b3, section 4.3).
const (
	Coils Table = iota + 1
	DiscreteInputs
	InputRegisters
	HoldingRegisters
)

// Registers is a Modbus line. Requests of all its units go one after another, with the quiet time between them that the
// line needs; it is reopened, with a growing pause, after faults.
type Registers interface {
	// Read reads n registers, or bits (0 or 1 each), of a unit from the given address on: at most 125 registers or 2,000
	// bits. A device's exception is a fault of kind Refused.
	Read(ctx context.Context, unit uint8, table Table, address, n uint16) ([]uint16, error)
}

// Message is what came on a topic of a local broker.
type Message struct {
	Topic string
	// Payload is the receiver's.
	Payload []byte
	// Retained says that the broker had kept it: it was sent at some time before the subscription.
	Retained bool
	// At is when it came, by the system's clock with its monotonic part: time.Since(At) is right whatever the date.
	At time.Time
}

// Ear hears what a local broker says. Its functions are called one at a time.
type Ear struct {
	// Filters are topic filters. What several of them match may come as often.
	Filters []string
	// Hear takes a message.
	Hear func(Message)
	// Broker is told, with a *fault.Fault, that nothing can be heard at present or that something was missed, and with nil
	// that everything can be heard again. While it is not told anything, all is well.
	Broker func(error)
}

// Topics is a local MQTT broker.
type Topics interface {
	// Listen hands over every message until ctx ends. It connects by itself, and connects and subscribes again after the
	// connection was lost. What is sent meanwhile is not heard, save where the broker retains it.
	Listen(ctx context.Context, ear Ear) error
}

// TopicMatches says whether a topic filter matches a topic (MQTT 3.1.1, section 4.7).
func TopicMatches(filter, topic string) bool {
	if strings.HasPrefix(topic, "$") && !strings.HasPrefix(filter, "$") {
		return false // what the broker says of itself
	}
	for {
		f, moreFilter, deeperFilter := strings.Cut(filter, "/")
		if f == "#" {
			return true
		}
		t, moreTopic, deeperTopic := strings.Cut(topic, "/")
		switch {
		case f != "+" && f != t:
			return false
		case !deeperTopic:
			return !deeperFilter || moreFilter == "#"
		case !deeperFilter:
			return false
		}
		filter, topic = moreFilter, moreTopic
	}
}

// CheckFilter says what is wrong with a topic filter (MQTT 3.1.1, section 4.7.1).
func CheckFilter(filter string) error {
	switch {
	case filter == "":
		return errors.New("is empty; write a topic such as zigbee2mqtt/kitchen, or zigbee2mqtt/+ for all")
	case len(filter) > 1024 || strings.ContainsRune(filter, 0) || !utf8.ValidString(filter):
		return fmt.Errorf("%.40q... is no topic", filter)
	}
	levels := strings.Split(filter, "/")
	for i, level := range levels {
		if strings.ContainsAny(level, "+#") && len(level) > 1 {
			return fmt.Errorf("%q has + or # within a level; they stand for whole levels: a/+/b, a/#", filter)
		}
		if level == "#" && i < len(levels)-1 {
			return fmt.Errorf("%q has # before its end; use + for one level", filter)
		}
	}
	return nil
}
