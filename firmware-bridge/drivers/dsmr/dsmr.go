// Package dsmr reads smart meters with a P1 port: those of the Netherlands (DSMR 2.2 to 5), Luxembourg in the clear, Belgium
// (eMUCS-P1), and Swedish and Norwegian ones that speak alike.
//
// Standard: Netbeheer Nederland, Dutch Smart Meter Requirements, P1 Companion Standard 5.0.2: "Data Readout" (telegram, CRC) and
// "Representation of P1 telegram" (objects); for telegrams without a CRC its versions 2.2 and 3.0. Line: 115200 8N1. Meters of
// DSMR 2.2 and 3 have 9600 7E1: set baud, data_bits and parity of the bus.
//
// The meter speaks by itself, every second (DSMR 5) or every ten, while the adapter raises the data request line; the port is
// listened to all the time, and Read takes the newest telegram that it has not told yet. Readings are dated by the meter,
// those of meters on M-Bus (gas, water, heat) by these, and told once.
//
//	energy_import/t1 /t2   energy_export/t1 /t2   active_power, /L1 /L2 /L3   voltage/L1 …   current/L1 …   gas_volume/mbus1
package dsmr

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
	_ "time/tzdata" // small boards may have no zone files, and the meter says local time

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver"
	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
	"github.com/lamppost-city/lamppost/firmware-bridge/frames"
	"github.com/lamppost-city/lamppost/firmware-bridge/simbus"
)

// Options of one meter.
type Options struct {
	// Zone is the time zone of the meter's clock.
	Zone string `mapstructure:"zone"`
}

// Validate says all that is wrong, each with its key.
func (o *Options) Validate() error {
	if _, err := time.LoadLocation(o.Zone); err != nil || o.Zone == "" {
		return fmt.Errorf("zone: %q is no time zone; use one like Europe/Amsterdam", o.Zone)
	}
	return nil
}

// Driver describes it.
func Driver() driver.Driver {
	return driver.Driver{
		Name:     "dsmr",
		Title:    "Smart meter with a P1 port (DSMR): energy, power, gas",
		Bus:      bus.Serial,
		Options:  func() driver.Options { return &Options{Zone: "Europe/Amsterdam"} },
		Open:     open,
		Simulate: simulate,
		Probe:    probe,
		Example: `id: pump-3-meter
driver: dsmr
bus: serial
every: 10s
options:
  zone: Europe/Amsterdam
`,
	}
}

func mode() bus.Mode { return bus.Mode{Baud: 115200, DataBits: 8, Parity: "none", StopBits: 1} }

// silence is when a meter should have spoken: those before DSMR 5 do every ten seconds.
const silence = 12 * time.Second

// sensor listens from open to Close.
type sensor struct {
	port   bus.Port
	frames *frames.Reader
	stop   context.CancelFunc
	done   sync.WaitGroup

	news chan struct{} // one that waits in Read is told of what is new; capacity 1

	mu     sync.Mutex
	newest frames.Frame // not told yet; no bytes if there is none
	wrong  error        // what was heard in place of a telegram
	ended  error        // why it listens no more
	reader reader
}

func open(_ context.Context, s driver.Setup) (driver.Sensor, error) {
	zone, err := time.LoadLocation(s.Options.(*Options).Zone)
	if err != nil {
		return nil, fault.New(fault.Misconfigured, err, "")
	}
	port, err := s.Bus.Serial.Open(mode())
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	m := &sensor{
		port: port, stop: stop, news: make(chan struct{}, 1), reader: reader{zone: zone, said: make(map[int]time.Time)},
		frames: &frames.Reader{
			Port: port, Clock: s.Clock, Split: Split, MaxBytes: maxTelegram,
			Advice: "the line is open as " + s.Bus.Mode(mode()).String() + ": meters since DSMR 4 have 115200 8N1, older ones 9600 7E1 (set it at the bus); is the cable one that inverts?",
		},
	}
	m.done.Go(func() { m.listen(ctx) })
	return m, nil
}

// listen keeps the newest telegram.
func (m *sensor) listen(ctx context.Context) {
	for {
		f, err := m.frames.Next(ctx, silence)
		kind := fault.KindOf(err)
		m.mu.Lock()
		switch {
		case err == nil:
			m.newest, m.wrong = f, nil
		case kind == fault.Timeout || kind == fault.Garbled:
			m.wrong = err
		default:
			m.ended = err
		}
		ended := m.ended != nil || ctx.Err() != nil
		m.mu.Unlock()
		select {
		case m.news <- struct{}{}:
		default:
		}
		if ended {
			return
		}
	}
}

var errSilent = errors.New("no telegram came in")

// Read tells the newest telegram, and waits for one if it has been told.
func (m *sensor) Read(ctx context.Context) ([]driver.Measurement, error) {
	for {
		m.mu.Lock()
		f, wrong, ended := m.newest, m.wrong, m.ended
		m.newest, m.wrong = frames.Frame{}, nil
		m.mu.Unlock()
		switch {
		case len(f.Bytes) > 0:
			return m.measure(f)
		case ended != nil:
			return nil, ended
		case wrong != nil:
			return nil, wrong
		}
		select {
		case <-m.news:
		case <-ctx.Done():
			if err := m.frames.SoFar(); err != nil { // the listener gives the meter more time than there is here
				return nil, fmt.Errorf("%w: %w", err, ctx.Err())
			}
			return nil, fault.New(fault.Timeout, fmt.Errorf("%w: %w", errSilent, ctx.Err()), "look at cable and plug; the customer's port may have to be switched on by the grid's operator")
		}
	}
}

func (m *sensor) measure(f frames.Frame) ([]driver.Measurement, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	all, err := m.reader.measure(f.Bytes, f.At)
	return all, fault.New(fault.Garbled, err, "") // unless it is a fault of another kind already
}

// Close ends the listening.
func (m *sensor) Close() error {
	m.stop()
	err := m.port.Close()
	m.done.Wait()
	return err
}

func probe(ctx context.Context, b *bus.Bus) ([]driver.Found, error) {
	heard, err := frames.Heard(ctx, b.Serial, mode(), Split, maxTelegram, 10500*time.Millisecond)
	if !heard {
		return nil, err
	}
	return []driver.Found{{Where: "speaks on " + b.Device, Options: map[string]any{}}}, nil
}

// simulate has a meter of DSMR 5 speak every second, with a gas meter that is read every five minutes.
func simulate(s driver.Setup, on *simbus.Bus) error {
	zone, err := time.LoadLocation(s.Options.(*Options).Zone)
	if err != nil {
		return err
	}
	began := time.Now()
	wave := simbus.Wave{Mean: 1.9, Swing: 1.6, Period: 24 * time.Hour, Phase: simbus.Phase(string(s.Sensor))}
	stamped := func(at time.Time) string {
		season := "W"
		if at = at.In(zone); at.IsDST() {
			season = "S"
		}
		return at.Format(stampLayout) + season
	}
	on.Serial.Talk(time.Second, func(at time.Time) []byte {
		since := at.Sub(began)
		kilowatts := wave.At(since)
		used := 4321 + 1.9*since.Hours()
		return Telegram(
			"/LMP5\\2SIMULATED", "",
			"1-3:0.2.8(50)",
			"0-0:1.0.0("+stamped(at)+")",
			"0-0:96.14.0(0002)",
			fmt.Sprintf("1-0:1.8.1(%010.3f*kWh)", used), fmt.Sprintf("1-0:1.8.2(%010.3f*kWh)", used/2),
			"1-0:2.8.1(000000.000*kWh)", "1-0:2.8.2(000000.000*kWh)",
			fmt.Sprintf("1-0:1.7.0(%06.3f*kW)", kilowatts), "1-0:2.7.0(00.000*kW)",
			"1-0:32.7.0(231.4*V)",
			fmt.Sprintf("1-0:31.7.0(%03.0f*A)", kilowatts/0.2314),
			"0-1:24.1.0(003)",
			fmt.Sprintf("0-1:24.2.1(%s)(%09.3f*m3)", stamped(at.Truncate(5*time.Minute)), 987+since.Hours()/4),
		)
	})
	return nil
}
