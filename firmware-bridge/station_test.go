package bridge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/clock"
	"github.com/lamppost-city/lamppost/firmware-bridge/control"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver"
	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
	"github.com/lamppost-city/lamppost/firmware-bridge/settings"
	"github.com/lamppost-city/lamppost/telemetry"
)

// sinceStart is a clock that synctest moves.
type sinceStart struct{ began time.Time }

func (c sinceStart) Now() clock.Instant                           { return clock.Instant(time.Since(c.began)) + 1 }
func (c sinceStart) Tell(time.Time, clock.Instant, time.Duration) {}

// device is a sensor that does as the test says.
type device struct {
	mu     sync.Mutex
	opened int
	closed int
	open   func() error
	read   func(ctx context.Context) ([]driver.Measurement, error)
	listen func(ctx context.Context, deliver func([]driver.Measurement, error)) error
}

func (d *device) Read(ctx context.Context) ([]driver.Measurement, error) { return d.read(ctx) }

func (d *device) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed++
	return nil
}

// times says how often the device was opened and closed so far.
func (d *device) times() (opened, closed int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.opened, d.closed
}

type talker struct{ *device }

func (t talker) Listen(ctx context.Context, deliver func([]driver.Measurement, error)) error {
	return t.listen(ctx, deliver)
}

type noOptions struct{}

func (*noOptions) Validate() error { return nil }

// driverFor opens the devices by the sensor's id.
func driverFor(devices map[telemetry.SensorID]*device) driver.Driver {
	return driver.Driver{
		Name: "fake", Bus: bus.GPIO, Options: func() driver.Options { return &noOptions{} },
		Open: func(_ context.Context, s driver.Setup) (driver.Sensor, error) {
			d := devices[s.Sensor]
			d.mu.Lock()
			d.opened++
			d.mu.Unlock()
			if d.open != nil {
				if err := d.open(); err != nil {
					return nil, err
				}
			}
			if d.listen != nil {
				return talker{d}, nil
			}
			return d, nil
		},
	}
}

// street is a fleet of devices, and what came of it.
type street struct {
	*fleet
	t     *testing.T
	known []driver.Driver
	buses int

	mu   sync.Mutex
	took map[telemetry.SensorID][]driver.Measurement
}

func newStreet(t *testing.T, devices map[telemetry.SensorID]*device) *street {
	s := &street{t: t, took: make(map[telemetry.SensorID][]driver.Measurement), known: []driver.Driver{driverFor(devices)}}
	s.fleet = &fleet{
		clock: sinceStart{time.Now()}, log: slog.New(slog.DiscardHandler), changed: func() {},
		state: func(telemetry.SensorID) driver.State { return nil },
		openBus: func(context.Context, bus.Config, []settings.Sensor) (*bus.Bus, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.buses++
			return &bus.Bus{}, nil
		},
		take: func(id telemetry.SensorID, ms []driver.Measurement) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.took[id] = append(s.took[id], ms...)
		},
	}
	s.begin(t.Context())
	return s
}

// use applies settings with one line for each sensor: id, and what may follow it.
func (s *street) use(sensors ...string) {
	s.t.Helper()
	text := "version: 1\nbuses: [{id: pins, type: gpio}]\nsensors:\n"
	for _, one := range sensors {
		text += "  - {driver: fake, bus: pins, every: 1s, id: " + one + "}\n"
	}
	parsed, err := settings.Parse([]byte(text), s.known)
	if err != nil {
		s.t.Fatal(err)
	}
	s.apply(parsed)
}

func (s *street) readings(id telemetry.SensorID) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.took[id])
}

func (s *street) report(id telemetry.SensorID) report {
	s.t.Helper()
	for _, r := range s.reports() {
		if r.ID == id {
			return r
		}
	}
	s.t.Fatalf("there is no report of %s", id)
	return report{}
}

func speed(v float64) []driver.Measurement {
	return []driver.Measurement{{Quantity: "speed", Value: v}}
}

// steady always reads 50 km/h.
func steady() *device {
	return &device{read: func(context.Context) ([]driver.Measurement, error) { return speed(50), nil }}
}

func TestOneSensorThatMisbehavesHarmsNoOther(t *testing.T) {
	stuck := make(chan struct{})
	for name, c := range map[string]struct {
		device *device
		state  control.SensorState
		kind   fault.Kind
	}{
		"cannot be opened": {&device{open: func() error { return fault.New(fault.Absent, errors.New("nobody"), "") }}, control.Failing, fault.Absent},
		"answers garbage": {&device{read: func(context.Context) ([]driver.Measurement, error) {
			return nil, fault.New(fault.Garbled, errors.New("checksum"), "")
		}}, control.Failing, fault.Garbled},
		"is silent": {&device{read: func(ctx context.Context) ([]driver.Measurement, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}}, control.Failing, fault.Timeout},
		"hangs in its driver": {&device{read: func(context.Context) ([]driver.Measurement, error) {
			<-stuck
			return nil, errors.New("at last")
		}}, control.Hanging, fault.Timeout},
		"panics":           {&device{read: func(context.Context) ([]driver.Measurement, error) { panic("index out of range") }}, control.Failing, fault.Other},
		"reads the absurd": {&device{read: func(context.Context) ([]driver.Measurement, error) { return speed(1e9), nil }}, control.Failing, fault.Implausible},
		"reads what nobody knows": {&device{read: func(context.Context) ([]driver.Measurement, error) {
			return []driver.Measurement{{Quantity: "luck", Value: 1}}, nil
		}}, control.Failing, fault.Misconfigured},
		"floods": {&device{
			read: func(context.Context) ([]driver.Measurement, error) { return nil, nil },
			listen: func(ctx context.Context, deliver func([]driver.Measurement, error)) error {
				for ctx.Err() == nil {
					for range 2 * mostReadings {
						deliver(speed(1), nil)
					}
					time.Sleep(100 * time.Millisecond)
				}
				return ctx.Err()
			},
		}, control.Failing, fault.Other},
	} {
		t.Run(name, func(t *testing.T) {
			stuck = make(chan struct{})
			synctest.Test(t, func(t *testing.T) {
				stuck = make(chan struct{})
				s := newStreet(t, map[telemetry.SensorID]*device{"bad-1": c.device, "good-1": steady()})
				s.use("bad-1", "good-1")
				time.Sleep(30500 * time.Millisecond)
				if n := s.readings("good-1"); n < 29 || n > 32 {
					t.Errorf("the good one was read %d times in 30 s", n)
				}
				if r := s.report("good-1"); r.State != control.Working || r.Readings == 0 || r.lastGood == 0 {
					t.Errorf("the good one: %+v", r)
				}
				r := s.report("bad-1")
				if r.State != c.state || r.Kind != c.kind || r.Error == "" || r.Faults[c.kind] == 0 {
					t.Errorf("the bad one: %+v", r)
				}
				if n := s.readings("bad-1"); n > 32*mostReadings {
					t.Errorf("%d readings were taken", n)
				}
				close(stuck)
				s.end()
			})
		})
	}
}

func TestSensorMendsItselfWhenTheCauseIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		away := func() bool { return time.Since(began) > 10*time.Second && time.Since(began) < 10*time.Minute }
		absent := fault.New(fault.Absent, errors.New("nobody"), "look at the cable")
		d := &device{}
		d.open = func() error {
			if away() {
				return absent
			}
			return nil
		}
		d.read = func(context.Context) ([]driver.Measurement, error) {
			if away() {
				return nil, absent
			}
			return speed(30), nil
		}
		s := newStreet(t, map[telemetry.SensorID]*device{"loop-1": d})
		s.use("loop-1")
		time.Sleep(5 * time.Minute)
		if r := s.report("loop-1"); r.State != control.Failing || r.Kind != fault.Absent || r.Advice != "look at the cable" {
			t.Errorf("while it is away: %+v", r)
		}
		if opened, _ := d.times(); opened > 20 {
			t.Errorf("opened %d times in 5 minutes; a bus is not to be pestered", opened)
		}
		before := s.readings("loop-1")
		time.Sleep(5*time.Minute + 2*longestPause)
		if r := s.report("loop-1"); r.State != control.Working || r.Error != "" || s.readings("loop-1") < before+10 {
			t.Errorf("when it is back: %+v", r)
		}
		s.end()
		if _, closed := d.times(); closed == 0 {
			t.Error("it was not closed")
		}
	})
}

func TestWhatASensorSaysByItselfIsTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("connection ended")
		d := &device{read: func(context.Context) ([]driver.Measurement, error) { return nil, nil }}
		d.listen = func(ctx context.Context, deliver func([]driver.Measurement, error)) error {
			for range 3 {
				deliver(speed(20), nil)
			}
			select {
			case <-time.After(time.Minute):
				return broken
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		s := newStreet(t, map[telemetry.SensorID]*device{"loop-1": d})
		s.use("loop-1")
		time.Sleep(30 * time.Second)
		if n := s.readings("loop-1"); n != 3 {
			t.Errorf("%d readings, want 3", n)
		}
		time.Sleep(time.Minute)
		opened, closed := d.times()
		if n := s.readings("loop-1"); n != 6 || opened != 2 || closed != 1 {
			t.Errorf("%d readings, opened %d times, closed %d times; a listener that ends is opened anew", n, opened, closed)
		}
		s.end()
	})
}

func TestSettingsLeaveAloneWhatTheyDoNotChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		devices := map[telemetry.SensorID]*device{"keep-1": steady(), "change-1": steady(), "go-1": steady(), "come-1": steady()}
		s := newStreet(t, devices)
		s.use("keep-1", "change-1", "go-1")
		time.Sleep(5 * time.Second)
		s.use("come-1", "keep-1", "change-1, timeout: 2s")
		time.Sleep(5 * time.Second)
		s.end()
		got := make(map[telemetry.SensorID]string)
		for id, d := range devices {
			opened, closed := d.times()
			got[id] = fmt.Sprintf("opened %d, closed %d", opened, closed)
		}
		want := map[telemetry.SensorID]string{
			"keep-1": "opened 1, closed 1", "change-1": "opened 2, closed 2", "go-1": "opened 1, closed 1", "come-1": "opened 1, closed 1",
		}
		if !maps.Equal(got, want) {
			t.Errorf("got %v\nwant %v", got, want)
		}
		if s.buses != 1 {
			t.Errorf("the bus was opened %d times", s.buses)
		}
		if s.readings("go-1") > 6 || s.readings("keep-1") < 9 {
			t.Errorf("%d of the one that went, %d of the one that stayed", s.readings("go-1"), s.readings("keep-1"))
		}
	})
}

func TestReadNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStreet(t, map[telemetry.SensorID]*device{"slow-1": steady(), "slow-2": steady()})
		text := "version: 1\nbuses: [{id: pins, type: gpio}]\nsensors: [{driver: fake, bus: pins, every: 10h, id: slow-1}, {driver: fake, bus: pins, every: 10h, id: slow-2}]"
		parsed, err := settings.Parse([]byte(text), s.known)
		if err != nil {
			t.Fatal(err)
		}
		s.apply(parsed)
		time.Sleep(time.Minute)
		if err := s.readNow("slow-1"); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if s.readings("slow-1") != 2 || s.readings("slow-2") != 1 {
			t.Errorf("%d and %d readings", s.readings("slow-1"), s.readings("slow-2"))
		}
		if err := s.readNow("slow-3"); err == nil {
			t.Error("a sensor that is not there was read")
		}
		s.end()
	})
}

// A line's units are looked for over the connection that its sensors have, and these are read meanwhile.
func TestBusesOfTheSettingsAreLookedAtWithoutOpeningThemTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStreet(t, map[telemetry.SensorID]*device{"load-1": steady()})
		s.known[0].Bus = bus.Modbus
		s.known[0].Probe = func(context.Context, *bus.Bus) ([]driver.Found, error) {
			time.Sleep(10 * time.Second)
			return []driver.Found{{Where: "unit 7"}}, nil
		}
		text := "version: 1\nbuses: [{id: line, type: modbus, device: 'tcp://127.0.0.1:502'}, {id: pins, type: gpio}]\nsensors: [{driver: fake, bus: line, every: 1s, id: load-1}]"
		parsed, err := settings.Parse([]byte(text), s.known)
		if err != nil {
			t.Fatal(err)
		}
		s.apply(parsed)
		time.Sleep(5 * time.Second)
		before := s.readings("load-1")
		found := s.scan(t.Context(), s.known)
		if len(found) != 1 || found[0].ID != "line" || len(found[0].Devices) != 1 || found[0].Devices[0].Where != "unit 7" {
			t.Errorf("found %+v", found)
		}
		if s.buses != 1 || s.readings("load-1") < before+9 {
			t.Errorf("the line was opened %d times, and %d readings were taken meanwhile", s.buses, s.readings("load-1")-before)
		}
		s.end()
	})
}

func TestReportsKeepTheOrderOfTheSettings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStreet(t, map[telemetry.SensorID]*device{"b-1": steady(), "a-1": steady(), "c-1": steady()})
		s.use("b-1", "a-1", "c-1")
		var got []telemetry.SensorID
		for _, r := range s.reports() {
			got = append(got, r.ID)
		}
		if !slices.Equal(got, []telemetry.SensorID{"b-1", "a-1", "c-1"}) {
			t.Errorf("got %v", got)
		}
		s.end()
	})
}

// A fault that a listener goes on from stands, whatever is heard beside it and however often nothing is read, until it is over.
func TestFaultThatIsHeardStandsUntilItIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		away := fault.New(fault.Absent, errors.New("one of two is offline"), "")
		steps := make(chan error)
		d := &device{
			read: func(context.Context) ([]driver.Measurement, error) { return nil, nil },
			listen: func(ctx context.Context, deliver func([]driver.Measurement, error)) error {
				for {
					select {
					case err := <-steps:
						deliver(speed(20), err)
					case <-ctx.Done():
						return ctx.Err()
					}
				}
			},
		}
		s := newStreet(t, map[telemetry.SensorID]*device{"gate-1": d})
		defer s.end()
		s.use("gate-1")
		time.Sleep(5 * time.Second)
		if r := s.report("gate-1"); r.State != control.Starting {
			t.Errorf("nothing was heard yet, and it is %s", r.State)
		}
		for i, err := range []error{nil, away, away, nil} {
			steps <- err
			time.Sleep(5 * time.Second)
			want := control.Working
			if err != nil {
				want = control.Failing
			}
			if r := s.report("gate-1"); r.State != want || s.readings("gate-1") != i+1 {
				t.Errorf("step %d: %s with %d readings", i, r.State, s.readings("gate-1"))
			}
		}
		if opened, _ := d.times(); opened != 1 {
			t.Errorf("it was opened %d times", opened)
		}
	})
}
