package bridge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/control"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver"
	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
	"github.com/lamppost-city/lamppost/firmware-bridge/settings"
	"github.com/lamppost-city/lamppost/telemetry"
)

// fleet is the stations of all sensors and the buses that they share. Settings are applied to it while it runs: what they
// leave as it was goes on undisturbed.
type fleet struct {
	// openBus opens a bus for the sensors on it. simulated ones consist of these, and are made anew when they change.
	openBus   func(ctx context.Context, cfg bus.Config, on []settings.Sensor) (*bus.Bus, error)
	simulated bool
	changed   func() // the state of a sensor has changed

	clock driver.Clock
	state func(telemetry.SensorID) driver.State
	take  func(telemetry.SensorID, []driver.Measurement)
	log   *slog.Logger

	child    func() (context.Context, context.CancelFunc) // a context for a station, which ends with the fleet's
	applying sync.Mutex

	mu       sync.Mutex
	settings *settings.Settings
	stations map[telemetry.SensorID]*running
	buses    map[string]*shared
}

// running is a station and its goroutine.
type running struct {
	*station
	stop    context.CancelFunc
	stopped chan struct{}
}

// shared is a bus that is opened when the first station needs it.
type shared struct {
	cfg     bus.Config
	sensors []settings.Sensor

	mu    sync.Mutex
	open  *bus.Bus
	ended bool // the settings have it no more, or another in its place
}

// begin must be called before apply; stations end with ctx.
func (f *fleet) begin(ctx context.Context) {
	f.child = func() (context.Context, context.CancelFunc) { return context.WithCancel(ctx) }
}

// apply makes the fleet what the settings say. Stations whose sensor and bus are as before are left alone; the others are
// stopped before their successors start, for both would want the bus.
func (f *fleet) apply(to *settings.Settings) {
	f.applying.Lock()
	defer f.applying.Unlock()

	f.mu.Lock()
	stations, buses := f.stations, f.buses
	f.mu.Unlock()

	next := make(map[string]*shared, len(to.Buses))
	for _, cfg := range to.Buses {
		on := sensorsOn(to, cfg.ID)
		if old, ok := buses[cfg.ID]; ok && old.cfg == cfg && (!f.simulated || slices.EqualFunc(old.sensors, on, same)) {
			next[cfg.ID] = old
			continue
		}
		next[cfg.ID] = &shared{cfg: cfg, sensors: on}
	}
	keep := make(map[telemetry.SensorID]*running, len(to.Sensors))
	for _, s := range to.Sensors {
		if r, ok := stations[s.ID]; ok && same(r.cfg, s) && next[s.Bus] == buses[s.Bus] {
			keep[s.ID] = r
		}
	}
	f.stop(stations, keep)
	for id, old := range buses {
		if next[id] != old {
			old.close(f.log)
		}
	}
	for _, s := range to.Sensors {
		if keep[s.ID] == nil {
			keep[s.ID] = f.start(s, next[s.Bus])
		}
	}
	f.mu.Lock()
	f.settings, f.stations, f.buses = to, keep, next
	f.mu.Unlock()
}

func sensorsOn(s *settings.Settings, id string) []settings.Sensor {
	var on []settings.Sensor
	for _, one := range s.Sensors {
		if one.Bus == id {
			on = append(on, one)
		}
	}
	return on
}

// same compares what a person wrote.
func same(a, b settings.Sensor) bool {
	return a.ID == b.ID && a.Driver == b.Driver && a.Bus == b.Bus && a.Every == b.Every && a.Timeout == b.Timeout &&
		reflect.DeepEqual(a.Options, b.Options)
}

// stop ends the stations that are not kept, and waits for them.
func (f *fleet) stop(all, keep map[telemetry.SensorID]*running) {
	for id, r := range all {
		if keep[id] != r {
			r.stop()
		}
	}
	for id, r := range all {
		if keep[id] != r {
			<-r.stopped
		}
	}
}

func (f *fleet) start(cfg settings.Sensor, on *shared) *running {
	ctx, stop := f.child()
	s := &station{
		cfg: cfg, clock: f.clock, take: f.take, changed: f.changed, log: f.log, now: make(chan struct{}, 1),
		report: report{SensorReport: control.SensorReport{ID: cfg.ID, Driver: cfg.Driver, Bus: cfg.Bus, State: control.Starting}},
	}
	s.open = func(ctx context.Context) (sensor driver.Sensor, err error) {
		sensor, s.bus, err = f.open(ctx, cfg, on)
		return sensor, err
	}
	s.lost = func() { on.closeIf(s.bus, f.log) }
	r := &running{station: s, stop: stop, stopped: make(chan struct{})}
	go func() {
		defer close(r.stopped)
		s.run(ctx)
	}()
	return r
}

// open opens a sensor, and its bus if that is not open yet.
func (f *fleet) open(ctx context.Context, cfg settings.Sensor, on *shared) (driver.Sensor, *bus.Bus, error) {
	b, err := on.get(func() (*bus.Bus, error) { return f.openBus(ctx, on.cfg, on.sensors) })
	if err != nil {
		return nil, nil, fault.New(fault.Lost, fmt.Errorf("open bus %s: %w", on.cfg.ID, err), "")
	}
	d, options := cfg.How()
	sensor, err := d.Open(ctx, driver.Setup{
		Sensor: cfg.ID, Bus: b, Options: options, Every: cfg.Every, Clock: f.clock, State: f.state(cfg.ID),
		Log: f.log.With("sensor", string(cfg.ID)),
	})
	return sensor, b, err
}

var errReplaced = errors.New("the settings have another bus in its place")

func (s *shared) get(open func() (*bus.Bus, error)) (*bus.Bus, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return nil, errReplaced
	}
	if s.open == nil {
		b, err := open()
		if err != nil {
			return nil, err
		}
		s.open = b
	}
	return s.open, nil
}

// scan looks at those buses of the settings that a machine's files do not show: Modbus lines and local brokers. Their sensors
// are read meanwhile.
func (f *fleet) scan(ctx context.Context, drivers []driver.Driver) []control.BusReport {
	f.mu.Lock()
	all := maps.Clone(f.buses)
	f.mu.Unlock()
	var there []bus.Config
	for _, on := range all {
		if on.cfg.Type == bus.Modbus || on.cfg.Type == bus.MQTT {
			there = append(there, on.cfg)
		}
	}
	slices.SortFunc(there, func(a, b bus.Config) int { return strings.Compare(a.ID, b.ID) })
	return scan(ctx, there, drivers, func(ctx context.Context, cfg bus.Config) (*bus.Bus, error) {
		on := all[cfg.ID]
		b, err := on.get(func() (*bus.Bus, error) { return f.openBus(ctx, cfg, on.sensors) })
		if err != nil {
			return nil, err
		}
		lent := *b
		lent.Closer = nil // it stays open for its sensors
		return &lent, nil
	})
}

// closeIf closes the bus if it is still the one that a station has seen fail, and not its successor.
func (s *shared) closeIf(failed *bus.Bus, log *slog.Logger) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == failed {
		s.shut(log)
	}
}

func (s *shared) close(log *slog.Logger) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	s.shut(log)
}

func (s *shared) shut(log *slog.Logger) {
	if s.open == nil {
		return
	}
	if err := s.open.Close(); err != nil {
		log.Debug("bus closed badly", "bus", s.cfg.ID, "error", err)
	}
	s.open = nil
}

// end stops all stations and closes all buses.
func (f *fleet) end() {
	f.applying.Lock()
	defer f.applying.Unlock()
	f.mu.Lock()
	stations, buses := f.stations, f.buses
	f.stations, f.buses = nil, nil
	f.mu.Unlock()
	f.stop(stations, nil)
	for _, b := range buses {
		b.close(f.log)
	}
}

// readNow asks one sensor, or all if id is "", for a reading at once.
func (f *fleet) readNow(id telemetry.SensorID) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if id == "" {
		for _, r := range f.stations {
			r.readNow()
		}
		return nil
	}
	r, ok := f.stations[id]
	if !ok {
		return fmt.Errorf("sensor %q is not in the settings", id)
	}
	r.readNow()
	return nil
}

// reports are of all sensors, in the order of the settings.
func (f *fleet) reports() []report {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.settings == nil {
		return nil
	}
	all := make([]report, 0, len(f.settings.Sensors))
	for _, s := range f.settings.Sensors {
		if r, ok := f.stations[s.ID]; ok {
			all = append(all, r.snapshot())
		}
	}
	return all
}
