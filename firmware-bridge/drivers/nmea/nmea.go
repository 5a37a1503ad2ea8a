// Package nmea reads position and time from a satellite receiver that speaks NMEA 0183 on a serial line.
//
// Standard: NMEA 0183 version 4.11, sentences RMC, GGA and ZDA of any talker (GP, GN, GL, GA, GB ...); a checksum has to be there. Line:
// 9600 8N1 unless the settings of the bus say otherwise; old receivers have 4800.
//
// It tells the bridge's clock the date. A sentence comes in after the moment that it names: after the receiver has computed it,
// and as fast as the line is. time_within bounds that; the date is told as the middle of what is possible, with half of it
// as the error. Dates before 2024 are those of receivers whose week number has run over (every 1024 weeks), and are refused;
// so is everything without a fix.
package nmea

import (
	"context"
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

// Options of one receiver.
type Options struct {
	// TimeWithin is the longest that a sentence comes in after the moment that it names, 1ms to 10s. Receivers that speak every
	// second are done within it.
	TimeWithin time.Duration `mapstructure:"time_within"`
	// TellTime is whether the bridge's clock is told the date.
	TellTime bool `mapstructure:"tell_time"`
}

// Validate says all that is wrong, each with its key.
func (o *Options) Validate() error {
	if o.TimeWithin < time.Millisecond || o.TimeWithin > 10*time.Second {
		return fmt.Errorf("time_within: %s is outside 1ms to 10s", o.TimeWithin)
	}
	return nil
}

// Driver describes it.
func Driver() driver.Driver {
	return driver.Driver{
		Name:     "nmea",
		Title:    "Satellite receiver (NMEA 0183): position and time",
		Bus:      bus.Serial,
		Options:  func() driver.Options { return &Options{TimeWithin: time.Second, TellTime: true} },
		Open:     open,
		Simulate: simulate,
		Probe:    probe,
		Example: `id: cabinet-7-gnss
driver: nmea
bus: serial
every: 10m
options:
  time_within: 1s
`,
	}
}

func mode() bus.Mode { return bus.Mode{Baud: 9600, DataBits: 8, Parity: "none", StopBits: 1} }

type sensor struct {
	*Options
	port   bus.Port
	reader *frames.Reader
	clock  driver.Clock
}

func open(_ context.Context, s driver.Setup) (driver.Sensor, error) {
	port, err := s.Bus.Serial.Open(mode())
	if err != nil {
		return nil, err
	}
	return &sensor{Options: s.Options.(*Options), port: port, clock: s.Clock, reader: &frames.Reader{
		Port: port, Clock: s.Clock, Split: Split, MaxBytes: maxSentence,
		Advice: "the line is open as " + s.Bus.Mode(mode()).String() + ": set baud of the bus (4800, 9600, 38400, 115200)",
	}}, nil
}

// Read takes the sentences of one moment: the next one of which date and position are whole, or at least one of them.
func (s *sensor) Read(ctx context.Context) ([]driver.Measurement, error) {
	if err := s.reader.Reset(); err != nil {
		return nil, err
	}
	m, err := s.next(ctx)
	if err != nil {
		return nil, err
	}
	return s.tell(m.epoch, m.at)
}

const (
	// patience is for receivers that speak every five seconds.
	patience = 6 * time.Second
	// moments are how many are looked at for one that is complete: the first is often cut.
	moments = 3
)

var errNothing = errors.New("the receiver speaks, but neither RMC nor GGA are among its sentences")

// moment is an epoch and when its first sentence came in.
type moment struct {
	epoch
	at clock.Instant
}

// next returns the first complete moment, or after some the last one.
func (s *sensor) next(ctx context.Context) (moment, error) {
	var now, last moment
	spoke := false
	for seen, end := 0, s.clock.Now().Add(patience); seen < moments; {
		f, err := s.reader.Next(ctx, end.Sub(s.clock.Now()))
		switch kind := fault.KindOf(err); {
		case err == nil:
		case kind != fault.Timeout && kind != fault.Garbled:
			return now, err
		case last.said():
			return last, nil
		case now.said():
			return now, nil
		case spoke && kind == fault.Timeout:
			return now, fault.New(fault.Misconfigured, errNothing, "switch RMC and GGA on in the receiver's settings")
		default:
			return now, err
		}
		spoke = true
		kind, list := fields(f.Bytes)
		if now.isOther(kind, list) {
			last, now, seen = now, moment{}, seen+1
		}
		first := now.clock == ""
		now.add(kind, list)
		if first {
			now.at = f.At
		}
		if now.complete() {
			return now, nil
		}
	}
	return last, nil
}

// firstDate is before every date that a receiver can mean.
func firstDate() time.Time { return time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC) }

// tell turns a moment into measurements, and tells the clock.
func (s *sensor) tell(e epoch, at clock.Instant) ([]driver.Measurement, error) {
	var faults []error
	var date time.Time
	switch {
	case !e.dated || !e.fix():
	case e.date.Before(firstDate()):
		faults = append(faults, fault.New(fault.Implausible, fmt.Errorf("the receiver says that it is %s", e.date.Format(time.DateOnly)),
			"its count of weeks has run over: a newer receiver or firmware is needed for the time"))
	default:
		date = e.date
		if s.TellTime {
			s.clock.Tell(e.date.Add(s.TimeWithin/2), at, s.TimeWithin/2)
		}
	}
	var all []driver.Measurement
	add := func(have bool, quantity string, value float64) {
		if !have {
			return
		}
		m, err := driver.Scale{Quantity: quantity}.Measure(value)
		if err != nil {
			faults = append(faults, err)
			return
		}
		m.At, m.Date = at, date
		all = append(all, m)
	}
	add(e.fix(), "latitude", e.latitude)
	add(e.fix(), "longitude", e.longitude)
	add(e.fix() && e.high, "altitude", e.altitude)
	add(e.counted, "satellites", e.satellites)
	add(e.fix() && e.diluted, "hdop", e.hdop)
	if !e.fix() {
		faults = append(faults, fault.New(fault.Refused, errNoFix, "the antenna has to see the sky; the first fix takes minutes"))
	}
	return all, errors.Join(faults...)
}

var errNoFix = errors.New("the receiver has no fix")

// Close gives the line back.
func (s *sensor) Close() error { return s.port.Close() }

// probe listens for a sentence, of whatever kind.
func probe(ctx context.Context, b *bus.Bus) ([]driver.Found, error) {
	heard, err := frames.Heard(ctx, b.Serial, mode(), Split, maxSentence, 2500*time.Millisecond)
	if !heard {
		return nil, err
	}
	return []driver.Found{{Where: "speaks on " + b.Device, Options: map[string]any{}}}, nil
}

// simulate has a receiver on the town hall's roof speak every second. It knows the date, also where the machine does not.
func simulate(_ driver.Setup, on *simbus.Bus) error {
	on.Serial.Talk(time.Second, func(at time.Time) []byte {
		at = at.UTC()
		if at.Before(firstDate()) {
			at = firstDate().Add(at.Sub(at.Truncate(24 * time.Hour)))
		}
		b := Sentence("GPRMC," + at.Format("150405.00") + ",A,5205.4410,N,00507.2830,E,0.02,," + at.Format("020106") + ",,,A")
		b = append(b, Sentence("GPGGA,"+at.Format("150405.00")+",5205.4410,N,00507.2830,E,1,09,0.9,31.5,M,46.1,M,,")...)
		return append(b, Sentence("GPGSV,1,1,01,05,60,180,42")...)
	})
	return nil
}
