// Package sds011 reads the SDS011, a particle sensor of Nova Fitness, on a serial line.
//
// Data sheets: Nova Fitness, SDS011 Laser PM2.5 Sensor specification V1.3 (frames, section "Communication protocol"), and
// Laser Dust Sensor Control Protocol V1.3 (commands). Line: 9600 8N1, 3.3 V levels.
//
// Its laser lasts about 8000 hours: a year. With a working period it works half a minute in so many, and then it is listened
// to: what it says is delivered when it comes, and Read has nothing to add. Whether it speaks once or each second of its
// half minute differs between what is sold; either way all is delivered. The period is kept in the sensor, and written there
// only when it is another.
package sds011

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
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
	// Period is how often the sensor works for half a minute, 1m to 30m in whole minutes; 0 means that it works all the time,
	// and speaks every second. Other than 0 needs TX.
	Period time.Duration `mapstructure:"period"`
}

// Validate says all that is wrong, each with its key.
func (o *Options) Validate() error {
	if o.Period < 0 || o.Period > 30*time.Minute || o.Period%time.Minute != 0 {
		return fmt.Errorf("period: %s is not a number of whole minutes from 0m to 30m", o.Period)
	}
	return nil
}

// Driver describes it.
func Driver() driver.Driver {
	return driver.Driver{
		Name:     "sds011",
		Title:    "Nova Fitness SDS011: particles",
		Bus:      bus.Serial,
		Options:  func() driver.Options { return &Options{} },
		Open:     open,
		Simulate: simulate,
		Probe:    probe,
		Example: `id: air-8-dust
driver: sds011
bus: serial
every: 1m
options:
  period: 0m
`,
	}
}

func mode() bus.Mode { return bus.Mode{Baud: 9600, DataBits: 8, Parity: "none", StopBits: 1} }

// Bytes of the frames. One of the sensor has ten: head, what it is, six of data with the device's id in the last two, their sum,
// tail. A command has nineteen: head, "command", fifteen of data, their sum, tail.
const (
	head, tail   = 0xaa, 0xab
	isData       = 0xc0
	isAnswer     = 0xc5
	isCommand    = 0xb4
	frameBytes   = 10
	commandBytes = 19

	commandReporting byte = 2 // 0 by itself, 1 when asked
	commandWork      byte = 6 // 0 sleep, 1 work
	commandPeriod    byte = 8 // minutes
)

var errSum = errors.New("the checksum of a frame is wrong")

// Split finds frames of the sensor: data and answers.
func Split(b []byte) (done int, frame []byte, wrong error) {
	i := bytes.IndexByte(b, head)
	switch {
	case i < 0:
		return len(b), nil, nil
	case i > 0:
		return i, nil, nil
	case len(b) < 2:
		return 0, nil, nil
	case b[1] != isData && b[1] != isAnswer:
		return 1, nil, nil
	case len(b) < frameBytes:
		return 0, nil, nil
	}
	b = b[:frameBytes]
	if b[frameBytes-1] != tail || sum(b[2:frameBytes-2]) != b[frameBytes-2] {
		return 1, nil, errSum
	}
	return frameBytes, b, nil
}

func sum(b []byte) (s byte) {
	for _, c := range b {
		s += c
	}
	return s
}

// command is a frame to any sensor: to ask for a setting, or with set to change it.
func command(name byte, set bool, value byte) []byte {
	b := make([]byte, commandBytes)
	b[0], b[1], b[2], b[4] = head, isCommand, name, value
	if set {
		b[3] = 1
	}
	b[15], b[16] = 0xff, 0xff // whatever its id
	b[17], b[18] = sum(b[2:17]), tail
	return b
}

type sensor struct {
	port   bus.Port
	reader *frames.Reader
	clock  driver.Clock
}

// listened is a sensor with a working period.
type listened struct {
	sensor
	period time.Duration

	mu    sync.Mutex
	since clock.Instant // when it spoke last, or was opened
	wrong error         // what was wrong with what it said last; told once
}

var errPace = errors.New("it is read more often than it works")

func open(ctx context.Context, s driver.Setup) (driver.Sensor, error) {
	o := s.Options.(*Options)
	if o.Period > s.Every && s.Every > 0 {
		return nil, fault.New(fault.Misconfigured, fmt.Errorf("%w: every %s and %s", errPace, s.Every, o.Period), "set every to the period or longer")
	}
	port, err := s.Bus.Serial.Open(mode())
	if err != nil {
		return nil, err
	}
	p := sensor{port: port, clock: s.Clock, reader: &frames.Reader{
		Port: port, Clock: s.Clock, Split: Split, MaxBytes: frameBytes, Advice: "the line has to be 9600 8N1; look at the device of the bus",
	}}
	if err := p.configure(ctx, o); err != nil {
		return nil, errors.Join(err, port.Close())
	}
	if o.Period > 0 {
		return &listened{sensor: p, period: o.Period, since: s.Clock.Now()}, nil
	}
	return &p, nil
}

// configure wakes the sensor and sets what it keeps, if that is another. One that works all the time may be deaf: where only
// its RX pin is left open, it speaks nonetheless.
func (s *sensor) configure(ctx context.Context, o *Options) error {
	if _, err := s.ask(ctx, commandWork, true, 1); err != nil {
		if o.Period == 0 && fault.KindOf(err) == fault.Timeout && ctx.Err() == nil {
			return nil
		}
		return fmt.Errorf("wake the sensor: %w", err)
	}
	minutes := byte(o.Period / time.Minute)
	for _, setting := range []struct {
		what        string
		name, value byte
	}{{"reporting mode", commandReporting, 0}, {"working period", commandPeriod, minutes}} {
		is, err := s.ask(ctx, setting.name, false, 0)
		if err != nil {
			return fmt.Errorf("ask for the %s: %w", setting.what, err)
		}
		if is == setting.value {
			continue
		}
		if is, err = s.ask(ctx, setting.name, true, setting.value); err != nil {
			return fmt.Errorf("set the %s: %w", setting.what, err)
		}
		if is != setting.value {
			return fault.New(fault.Refused, fmt.Errorf("the %s is %d, and should be %d", setting.what, is, setting.value), "the sensor may be a copy without this setting: set period to 0m")
		}
	}
	return nil
}

// ask sends a command, three times at most, and returns the value in the answer.
func (s *sensor) ask(ctx context.Context, name byte, set bool, value byte) (byte, error) {
	var last error
	for range 3 {
		if err := s.reader.Reset(); err != nil {
			return 0, err
		}
		if _, err := s.port.Write(command(name, set, value)); err != nil {
			return 0, err
		}
		const patience = 700 * time.Millisecond
		for end := s.clock.Now().Add(patience); ; {
			f, err := s.reader.Next(ctx, end.Sub(s.clock.Now()))
			if err != nil && (ctx.Err() != nil || fault.KindOf(err) != fault.Timeout && fault.KindOf(err) != fault.Garbled) {
				return 0, err
			}
			if err != nil {
				last = err
				break
			}
			if f.Bytes[1] == isAnswer && f.Bytes[2] == name {
				return f.Bytes[4], nil
			}
			last = errNoAnswer
			if s.clock.Now() >= end {
				break
			}
		}
	}
	return 0, &fault.Fault{Kind: fault.Timeout, Err: fmt.Errorf("it does not answer command %d: %w", name, last), Advice: "look at the wire from the board's TX to the sensor's RXD"}
}

var errNoAnswer = errors.New("it speaks, but does not answer")

// Read takes the next values of a sensor that works all the time.
func (s *sensor) Read(ctx context.Context) ([]driver.Measurement, error) {
	if err := s.reader.Reset(); err != nil {
		return nil, err
	}
	return s.next(ctx, 3*time.Second)
}

func (s *sensor) next(ctx context.Context, within time.Duration) ([]driver.Measurement, error) {
	for {
		f, err := s.reader.Next(ctx, within)
		if err != nil {
			return nil, err
		}
		if f.Bytes[1] == isData {
			return measurements(f.Bytes, f.At)
		}
	}
}

// most is the end of the range, in µg/m³.
const most = 999.9

// measurements are the two values of a frame, in tenths of a µg/m³.
func measurements(frame []byte, at clock.Instant) ([]driver.Measurement, error) {
	var all []driver.Measurement
	var faults []error
	for i, quantity := range [...]string{"pm25", "pm10"} {
		value := float64(binary.LittleEndian.Uint16(frame[2+2*i:])) / 10
		if value > most {
			faults = append(faults, fault.New(fault.Implausible, fmt.Errorf("%s is %g µg/m³, more than it can measure", quantity, value), "look for dirt or condensation in the sensor"))
			continue
		}
		all = append(all, driver.Measurement{Quantity: quantity, Value: value, At: at})
	}
	return all, errors.Join(faults...)
}

// Close gives the line back.
func (s *sensor) Close() error { return s.port.Close() }

// late is how much longer than its period a sensor may be silent.
const late = time.Minute

// Read says whether the sensor keeps to its period; its values come by Listen.
func (l *listened) Read(context.Context) ([]driver.Measurement, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.wrong; err != nil {
		l.wrong = nil
		return nil, err
	}
	if silent := l.clock.Now().Sub(l.since); silent > l.period+late {
		return nil, fault.New(fault.Timeout, fmt.Errorf("it has been silent for %s, and should speak every %s", silent.Round(time.Second), l.period), "look at the sensor's supply and cable")
	}
	return nil, nil
}

// Listen delivers what the sensor says when it works.
func (l *listened) Listen(ctx context.Context, deliver func([]driver.Measurement, error)) error {
	for {
		got, err := l.next(ctx, l.period+late)
		if len(got) > 0 {
			deliver(got, nil)
		}
		switch kind := fault.KindOf(err); {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil || kind == fault.Implausible:
			l.mu.Lock()
			l.since, l.wrong = l.clock.Now(), err
			l.mu.Unlock()
		case kind != fault.Garbled && kind != fault.Timeout: // of these Read tells, when the silence is too long
			return err
		}
	}
}

func probe(ctx context.Context, b *bus.Bus) ([]driver.Found, error) {
	heard, err := frames.Heard(ctx, b.Serial, mode(), Split, frameBytes, 2500*time.Millisecond)
	if !heard {
		return nil, err
	}
	return []driver.Found{{Where: "speaks on " + b.Device, Options: map[string]any{}}}, nil
}

// Frame is what the sensor says of values in µg/m³.
func Frame(pm25, pm10 float64) []byte {
	b := []byte{head, isData}
	b = binary.LittleEndian.AppendUint16(b, uint16(pm25*10+0.5))
	b = binary.LittleEndian.AppendUint16(b, uint16(pm10*10+0.5))
	b = append(b, 0xa1, 0x60)
	return append(b, sum(b[2:]), tail)
}

// simulate has a sensor that speaks every second, or once in its period, and answers commands.
func simulate(s driver.Setup, on *simbus.Bus) error {
	began := time.Now()
	wave := simbus.Wave{Mean: 16, Swing: 11, Period: 12 * time.Hour, Phase: simbus.Phase(string(s.Sensor))}
	now := func(time.Time) []byte {
		v := wave.At(time.Since(began))
		return Frame(v, 1.6*v)
	}
	on.Serial.Talk(time.Second, now)
	settings := map[byte]byte{commandWork: 1}
	on.Serial.Answer(func(heard []byte, say simbus.Say) {
		if len(heard) != commandBytes || heard[1] != isCommand || sum(heard[2:17]) != heard[17] {
			return
		}
		name := heard[2]
		if heard[3] == 1 {
			settings[name] = heard[4]
			every := time.Second
			if minutes := settings[commandPeriod]; minutes > 0 {
				every = time.Duration(minutes) * time.Minute
			}
			on.Serial.Talk(every, now)
		}
		answer := []byte{head, isAnswer, name, heard[3], settings[name], 0, 0xa1, 0x60}
		say(15*time.Millisecond, append(answer, sum(answer[2:]), tail))
	})
	return nil
}
