// Package line reads devices that write lines of text on a serial line: weather stations, scales, flow meters, boards of one's
// own. A regular expression finds the values.
//
// A device that speaks by itself is listened to from the next whole line on: the rest of a line whose beginning was not heard
// might match as well, with a value that lacks its first digits. A device that has to be asked is sent poll first. Line:
// 9600 8N1 unless the settings of the bus say otherwise.
package line

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver"
	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
	"github.com/lamppost-city/lamppost/firmware-bridge/frames"
	"github.com/lamppost-city/lamppost/firmware-bridge/simbus"
)

// Driver describes it.
func Driver() driver.Driver {
	return driver.Driver{
		Name:     "line",
		Title:    "Any device that writes lines of text: values by regular expression",
		Bus:      bus.Serial,
		Options:  func() driver.Options { return &Options{Checksum: none, MaxLine: 256, Wait: 5 * time.Second} },
		Open:     open,
		Simulate: simulate,
		Example: `id: quay-2-weather
driver: line
bus: serial
every: 10s
options:
  pattern: 'T=(?P<t>[-+]?[0-9.]+) H=(?P<h>[0-9.]+)'
  readings:
    - {group: t, quantity: temperature, unit: Cel}
    - {group: h, quantity: relative_humidity, unit: '%'}
  example: 'T=21.4 H=48.9'
`,
	}
}

func mode() bus.Mode { return bus.Mode{Baud: 9600, DataBits: 8, Parity: "none", StopBits: 1} }

type sensor struct {
	*Options
	port   bus.Port
	lines  *splitter
	reader *frames.Reader
}

func open(_ context.Context, s driver.Setup) (driver.Sensor, error) {
	port, err := s.Bus.Serial.Open(mode())
	if err != nil {
		return nil, err
	}
	o := s.Options.(*Options)
	lines := &splitter{most: o.MaxLine}
	return &sensor{Options: o, port: port, lines: lines, reader: &frames.Reader{
		Port: port, Clock: s.Clock, Split: lines.split, MaxBytes: o.MaxLine + 1,
		Advice: "the line is open as " + s.Bus.Mode(mode()).String() + ": set baud, data_bits and parity of the bus",
	}}, nil
}

var errLong = errors.New("a line is longer than max_line")

// splitter cuts at line ends, whichever they are.
type splitter struct {
	most     int
	skipping bool // up to the next line end: what comes is no whole line
}

func (s *splitter) split(b []byte) (done int, frame []byte, wrong error) {
	end := bytes.IndexAny(b, "\r\n")
	switch {
	case end < 0 && s.skipping:
		return len(b), nil, nil
	case end < 0 && len(b) > s.most:
		s.skipping = true
		return len(b), nil, errLong
	case end < 0:
		return 0, nil, nil
	case s.skipping:
		s.skipping = false
		return end + 1, nil, nil
	case end > s.most:
		return end + 1, nil, errLong
	case end == 0:
		return 1, nil, nil
	}
	return end + 1, b[:end], nil
}

// between is a pause that no device makes within a line, and that the buffer of a USB adapter (16 ms) does not make either.
const between = 50 * time.Millisecond

// Read takes the next line that matches.
func (s *sensor) Read(ctx context.Context) ([]driver.Measurement, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	limit, cancel := context.WithTimeout(ctx, s.Wait)
	defer cancel()
	var wrong error
	for {
		f, err := s.reader.Next(limit, s.Wait)
		if kind := fault.KindOf(err); wrong != nil && (kind == fault.Timeout || kind == fault.Garbled) {
			return nil, wrong // says more than that nothing else came
		}
		if err != nil {
			return nil, err
		}
		all, err := s.Parse(f.Bytes)
		for i := range all {
			all[i].At = f.At
		}
		if len(all) > 0 || err != nil && fault.KindOf(err) == fault.Implausible {
			return all, err
		}
		if wrong = err; wrong == nil {
			wrong = fault.New(fault.Garbled, fmt.Errorf("%w: %.80q", errEmpty, f.Bytes), "")
		}
	}
}

var errEmpty = errors.New("a line matches, and all of its groups are empty")

// begin forgets what came in before, and asks the device or finds the beginning of a line.
func (s *sensor) begin(ctx context.Context) error {
	if err := s.reader.Reset(); err != nil {
		return err
	}
	if s.Poll != "" {
		s.lines.skipping = false
		if _, err := s.port.Write([]byte(s.Poll)); err != nil {
			return fmt.Errorf("ask with %.20q: %w", s.Poll, err)
		}
		return nil
	}
	quiet, err := s.reader.Quiet(ctx, between)
	s.lines.skipping = !quiet
	return err
}

// Close gives the line back.
func (s *sensor) Close() error { return s.port.Close() }

var errNoExample = errors.New("what the device says is not known")

// simulate has a device say the example, every second or when it is asked.
func simulate(s driver.Setup, on *simbus.Bus) error {
	o := s.Options.(*Options)
	if o.Example == "" {
		return fault.New(fault.Misconfigured, errNoExample, "set example to a line as the device sends it")
	}
	text := []byte(o.Example + "\r\n")
	if o.Poll == "" {
		on.Serial.Talk(time.Second, func(time.Time) []byte { return text })
		return nil
	}
	on.Serial.Answer(func(heard []byte, say simbus.Say) {
		if string(heard) == o.Poll {
			say(20*time.Millisecond, text)
		}
	})
	return nil
}
