// Package pms5003 reads the PMS5003, a particle sensor of Plantower, on a serial line; the PMS7003 and the PMSA003 speak alike.
//
// Data manual: Plantower, PMS5003 series data manual V2.5: appendix I (frames, commands), "Output result" (the mass
// concentrations under atmospheric environment are those for outside). Line: 9600 8N1, 3.3 V levels.
//
// After it was switched on its fan needs half a minute until the values settle. Whether the one at hand obeys the command for
// passive mode only after it has spoken once is not in the manual: opening asks three times.
package pms5003

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/clock"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver"
	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
	"github.com/lamppost-city/lamppost/firmware-bridge/frames"
	"github.com/lamppost-city/lamppost/firmware-bridge/simbus"
)

// Options of one sensor.
type Options struct {
	// Mode is active (the sensor speaks by itself, about once a second) or passive (it is asked for each reading; TX has to be
	// connected).
	Mode string `mapstructure:"mode"`
}

const (
	active  = "active"
	passive = "passive"
)

// Validate says all that is wrong, each with its key.
func (o *Options) Validate() error {
	if o.Mode != active && o.Mode != passive {
		return fmt.Errorf("mode: %q is neither active nor passive", o.Mode)
	}
	return nil
}

// Driver describes it.
func Driver() driver.Driver {
	return driver.Driver{
		Name:     "pms5003",
		Title:    "Plantower PMS5003, PMS7003, PMSA003: particles",
		Bus:      bus.Serial,
		Options:  func() driver.Options { return &Options{Mode: active} },
		Open:     open,
		Simulate: simulate,
		Probe:    probe,
		Example: `id: air-7-dust
driver: pms5003
bus: serial
every: 1m
options:
  mode: active
`,
	}
}

func mode() bus.Mode { return bus.Mode{Baud: 9600, DataBits: 8, Parity: "none", StopBits: 1} }

// Frames, after the manual's appendix I: two start bytes, the length of what follows, data, and the sum of all bytes before.
const (
	start      = "\x42\x4d"
	dataLength = 28 // thirteen words and the sum
	echoLength = 4  // the answer to a command: the command, its value, and the sum
	maxFrame   = 4 + dataLength
)

// Commands: name and value (appendix I, "Command of host").
const (
	commandMode byte = 0xe1 // 0 is passive, 1 active
	commandRead byte = 0xe2
)

// pause is the longest between two frames: 2.3 s where the values are steady.
const pause = 2300 * time.Millisecond

var (
	errSum    = errors.New("the checksum of a frame is wrong")
	errLength = errors.New("a frame has a length that the sensor does not send")
)

// Split finds frames of data, and skips the answers to commands.
func Split(b []byte) (done int, frame []byte, wrong error) {
	i := bytes.Index(b, []byte(start))
	switch {
	case i < 0 && len(b) > 0 && b[len(b)-1] == start[0]:
		return len(b) - 1, nil, nil
	case i < 0:
		return len(b), nil, nil
	case i > 0:
		return i, nil, nil
	case len(b) < 4:
		return 0, nil, nil
	}
	length := int(binary.BigEndian.Uint16(b[2:]))
	if length != dataLength && length != echoLength {
		return len(start), nil, fmt.Errorf("%w: %d", errLength, length)
	}
	if len(b) < 4+length {
		return 0, nil, nil
	}
	b = b[:4+length]
	if sum(b[:len(b)-2]) != binary.BigEndian.Uint16(b[len(b)-2:]) {
		return len(start), nil, errSum
	}
	if length == echoLength {
		return len(b), nil, nil
	}
	return len(b), b, nil
}

func sum(b []byte) (s uint16) {
	for _, c := range b {
		s += uint16(c)
	}
	return s
}

// command is a frame of the host: the start, name, two bytes of value, and the sum.
func command(name byte, value uint16) []byte {
	b := append([]byte(start), name)
	b = binary.BigEndian.AppendUint16(b, value)
	return binary.BigEndian.AppendUint16(b, sum(b))
}

type sensor struct {
	*Options
	port   bus.Port
	reader *frames.Reader
}

func open(ctx context.Context, s driver.Setup) (driver.Sensor, error) {
	port, err := s.Bus.Serial.Open(mode())
	if err != nil {
		return nil, err
	}
	p := &sensor{Options: s.Options.(*Options), port: port, reader: &frames.Reader{
		Port: port, Clock: s.Clock, Split: Split, MaxBytes: maxFrame, Advice: "the line has to be 9600 8N1; look at the device of the bus",
	}}
	value := uint16(1)
	if p.Mode == passive {
		value = 0
	}
	if _, err := port.Write(command(commandMode, value)); err != nil {
		return nil, errors.Join(fmt.Errorf("set %s mode: %w", p.Mode, err), port.Close())
	}
	if p.Mode == passive {
		if _, err := p.ask(ctx); err != nil {
			return nil, errors.Join(err, port.Close())
		}
	}
	return p, nil
}

// ask asks for a frame in passive mode, three times at most.
func (s *sensor) ask(ctx context.Context) (f frames.Frame, err error) {
	for range 3 {
		if err := s.reader.Reset(); err != nil {
			return f, err
		}
		if _, err := s.port.Write(command(commandRead, 0)); err != nil {
			return f, fmt.Errorf("ask for a frame: %w", err)
		}
		if f, err = s.reader.Next(ctx, time.Second); err == nil || ctx.Err() != nil || fault.KindOf(err) == fault.Lost {
			return f, err
		}
		// It may have missed the mode, as after a power cut of its own.
		if _, err := s.port.Write(command(commandMode, 0)); err != nil {
			return f, fmt.Errorf("set passive mode: %w", err)
		}
	}
	return f, err
}

// Read takes the next frame.
func (s *sensor) Read(ctx context.Context) ([]driver.Measurement, error) {
	if s.Mode == passive {
		f, err := s.ask(ctx)
		if err != nil {
			return nil, err
		}
		return measurements(f.Bytes, f.At)
	}
	if err := s.reader.Reset(); err != nil {
		return nil, err
	}
	f, err := s.reader.Next(ctx, 2*pause)
	if err != nil {
		return nil, err
	}
	return measurements(f.Bytes, f.At)
}

// measurements are words 4 to 6 of a frame, in µg/m³.
func measurements(frame []byte, at clock.Instant) ([]driver.Measurement, error) {
	var all []driver.Measurement
	var faults []error
	for i, quantity := range [...]string{"pm1", "pm25", "pm10"} {
		m, err := driver.Scale{Quantity: quantity}.Measure(float64(binary.BigEndian.Uint16(frame[4+2*(3+i):])))
		if err != nil {
			faults = append(faults, err)
			continue
		}
		m.At = at
		all = append(all, m)
	}
	return all, errors.Join(faults...)
}

// Close gives the line back.
func (s *sensor) Close() error { return s.port.Close() }

func probe(ctx context.Context, b *bus.Bus) ([]driver.Found, error) {
	heard, err := frames.Heard(ctx, b.Serial, mode(), Split, maxFrame, pause+time.Second)
	if !heard {
		return nil, err
	}
	return []driver.Found{{Where: "speaks on " + b.Device, Options: map[string]any{"mode": active}}}, nil
}

// Frame is what the sensor sends for mass concentrations in µg/m³.
func Frame(pm1, pm25, pm10 uint16) []byte {
	b := binary.BigEndian.AppendUint16([]byte(start), dataLength)
	counts := [...]uint16{pm1 * 90, pm25 * 60, pm25 * 9, pm10, pm10 / 4, pm10 / 16}
	for _, word := range append([]uint16{pm1, pm25, pm10, pm1, pm25, pm10}, counts[:]...) {
		b = binary.BigEndian.AppendUint16(b, word)
	}
	b = binary.BigEndian.AppendUint16(b, 0x9700) // version, error code
	return binary.BigEndian.AppendUint16(b, sum(b))
}

// simulate has a sensor speak every second, or when it is asked.
func simulate(s driver.Setup, on *simbus.Bus) error {
	began := time.Now()
	wave := simbus.Wave{Mean: 14, Swing: 9, Period: 12 * time.Hour, Phase: simbus.Phase(string(s.Sensor))}
	now := func(time.Time) []byte {
		v := uint16(wave.At(time.Since(began)))
		return Frame(v*2/3, v, v*3/2)
	}
	on.Serial.Talk(time.Second, now)
	on.Serial.Answer(func(heard []byte, say simbus.Say) {
		switch {
		case bytes.Equal(heard, command(commandMode, 0)):
			on.Serial.Talk(0, nil)
		case bytes.Equal(heard, command(commandMode, 1)):
			on.Serial.Talk(time.Second, now)
		case bytes.Equal(heard, command(commandRead, 0)):
			say(20*time.Millisecond, now(time.Time{}))
		}
	})
	return nil
}
