package bridge

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/clock"
	"github.com/lamppost-city/lamppost/firmware-bridge/control"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver"
	"github.com/lamppost-city/lamppost/firmware-bridge/outbox"
	"github.com/lamppost-city/lamppost/firmware-bridge/settings"
	"github.com/lamppost-city/lamppost/firmware-bridge/uplink"
	"github.com/lamppost-city/lamppost/telemetry"
)

// Bridge reads sensors and hands their readings to the outbox.
type Bridge struct {
	cfg     Config
	deps    Deps
	log     *slog.Logger
	link    Link
	fleet   *fleet
	desk    *desk
	started clock.Instant

	heard   chan uplink.Received // from the broker
	ended   chan struct{}        // closed when Run returns
	looking sync.WaitGroup       // one that looks at the buses
	looks   atomic.Bool          // there is one
	changed chan struct{}        // capacity 1: the status is to be published soon
	tooLong chan struct{}        // capacity 1: settings came that were too long to be read
}

// New prepares a bridge. Nothing is opened before Run.
func New(cfg Config, deps Deps) (*Bridge, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	b := &Bridge{
		cfg: cfg, deps: deps, log: deps.Log, started: deps.Clock.Now(),
		heard: make(chan uplink.Received), ended: make(chan struct{}), changed: make(chan struct{}, 1), tooLong: make(chan struct{}, 1),
	}
	b.fleet = newFleet(deps, b.take)
	b.fleet.changed = b.publishSoon
	b.desk = &desk{
		file: cfg.Settings, kept: filepath.Join(deps.Dir, "settings-from-afar"), drivers: deps.Drivers, apply: b.fleet.apply,
		date: func() time.Time { return b.date(deps.Clock.Now()) }, log: deps.Log,
	}
	return b, nil
}

// newFleet makes a fleet on the machine's buses, or on simulated ones.
func newFleet(deps Deps, take func(telemetry.SensorID, []driver.Measurement)) *fleet {
	f := &fleet{simulated: deps.Buses.Simulated, clock: deps.Clock, take: take, log: deps.Log, changed: func() {}}
	f.state = func(id telemetry.SensorID) driver.State { return stateIn(deps.Dir, id) }
	f.openBus = func(ctx context.Context, cfg bus.Config, on []settings.Sensor) (open *bus.Bus, err error) {
		if deps.Buses.Simulated {
			open, err = openSimulated(ctx, cfg, on, deps.Clock, deps.Log)
		} else {
			open, err = bus.Open(ctx, cfg, deps.Log)
		}
		if err == nil && deps.Buses.Opened != nil {
			deps.Buses.Opened(open)
		}
		return open, err
	}
	return f
}

// Check tries every sensor of the settings once.
func Check(ctx context.Context, s *settings.Settings, deps Deps) []CheckResult {
	return newFleet(deps, nil).check(ctx, s)
}

// Init looks for devices that the drivers know, and returns settings for them, with what was found where.
func Init(ctx context.Context, publisher telemetry.SensorID, deps Deps) ([]byte, []control.BusReport, error) {
	found := scanMachine(ctx, deps)
	text, err := draft(string(publisher), found)
	return text, found, err
}

func scanMachine(ctx context.Context, deps Deps) []control.BusReport {
	buses := bus.List(deps.Buses.Root)
	if local, there := bus.LocalBroker(ctx, deps.Buses.Broker); there {
		buses = append(buses, local)
	}
	return scan(ctx, buses, deps.Drivers, func(ctx context.Context, cfg bus.Config) (*bus.Bus, error) {
		return bus.Open(ctx, cfg, deps.Log)
	})
}

func (b *Bridge) topic(last string) string {
	return control.Topic(b.cfg.TopicRoot, b.cfg.Publisher, last)
}

// Session is what the connection to the broker carries beside readings.
func (b *Bridge) Session() uplink.Session {
	will := b.statusMessage(encode(control.Status{State: control.Offline, Publisher: b.cfg.Publisher, Version: b.deps.Version}))
	s := uplink.Session{
		Will:    &will,
		Birth:   func() []uplink.Message { return []uplink.Message{b.statusMessage(encode(b.Status()))} },
		Goodbye: func() []uplink.Message { return []uplink.Message{will} },
		Date:    func() (time.Time, bool) { return b.deps.Clock.Date(b.deps.Clock.Now()) },
		// One that waited would be wrong by how long it waited.
		Subscriptions: []uplink.Subscription{{Filter: control.TimeTopic(b.cfg.TopicRoot), Handle: b.hearTime, Waiting: 1}},
	}
	if b.cfg.Remote {
		s.Subscriptions = append(s.Subscriptions,
			uplink.Subscription{Filter: b.topic(control.TopicConfig), Handle: b.hear, Waiting: 1}, // the newest settings count
			uplink.Subscription{Filter: b.topic(control.TopicCommand), Handle: b.hear},
		)
		s.TooLong = b.hearTooLong
	}
	return s
}

func (b *Bridge) statusMessage(payload []byte) uplink.Message {
	return uplink.Message{Topic: b.topic(control.TopicStatus), Payload: payload, Retained: true}
}

func encode(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		return []byte(`{"state":"online"}`) // these types can be encoded; a test holds that
	}
	return text
}

// hear hands a message from the broker to Run.
func (b *Bridge) hear(m uplink.Received) {
	select {
	case b.heard <- m:
	case <-b.ended:
	}
}

// hearTooLong notes settings that are too long for the connection, let alone for package settings.
func (b *Bridge) hearTooLong(topic string) {
	if topic == b.topic(control.TopicConfig) {
		select {
		case b.tooLong <- struct{}{}:
		default:
		}
	}
}

// brokerWithin is how wrong the broker's time may be when it arrives: a slow mobile link, and no more.
const brokerWithin = 2 * time.Second

// hearTime takes the time that the city says every few seconds, in milliseconds since 1970.
func (b *Bridge) hearTime(m uplink.Received) {
	ms, err := strconv.ParseInt(string(m.Payload), 10, 64)
	if err != nil || m.Retained {
		b.log.Debug("time from the broker is of no use", "retained", m.Retained, "error", err)
		return
	}
	at := b.deps.Clock.Now().Add(-time.Since(m.At))
	b.deps.Clock.TellFrom(clock.Broker, time.UnixMilli(ms), at, brokerWithin)
}

// Run reads the sensors of the settings until ctx ends. When it returns no sensor is read any more, and everything that was
// read is with the outbox. link is the connection that Session was given to.
func (b *Bridge) Run(ctx context.Context, link Link) error {
	b.link = link
	defer close(b.ended)
	defer b.looking.Wait()
	defer b.fleet.end()
	b.fleet.begin(ctx)
	b.desk.begin()
	b.publish()

	health := ticker(b.cfg.HealthEvery)
	defer health.Stop()
	status := ticker(b.cfg.StatusEvery)
	defer status.Stop()
	var soon <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return nil
		case m := <-b.heard:
			b.answer(ctx, m)
		case <-b.tooLong:
			b.desk.refuseTooLong()
			b.publishSoon()
		case <-health.C:
			b.measureHealth()
		case <-status.C:
			b.desk.settle()
			b.publish()
		case <-b.changed:
			if soon == nil {
				soon = time.After(publishAfter)
			}
		case <-soon:
			soon = nil
			b.publish()
		}
	}
}

// publishAfter gathers changes, so that a sensor that comes and goes does not fill the link with statuses.
const publishAfter = 2 * time.Second

// ticker of 0 never ticks.
func ticker(every time.Duration) *time.Ticker {
	if every > 0 {
		return time.NewTicker(every)
	}
	t := time.NewTicker(time.Hour)
	t.Stop()
	return t
}

func (b *Bridge) publishSoon() {
	select {
	case b.changed <- struct{}{}:
	default:
	}
}

// publish says how the bridge is. Without a connection nobody hears it: the next one begins with the status.
func (b *Bridge) publish() { b.say(b.statusMessage(encode(b.Status()))) }

func (b *Bridge) say(m uplink.Message) {
	if err := b.link.Announce(m); err != nil && !errors.Is(err, uplink.ErrAway) {
		b.log.Warn("message could not be published", "topic", m.Topic, "error", err)
	}
}

// Reload reads the settings' file again, unless settings from afar are in force.
func (b *Bridge) Reload() {
	b.desk.reload()
	b.publishSoon()
}

// take hands a sensor's measurements to the outbox.
func (b *Bridge) take(id telemetry.SensorID, ms []driver.Measurement) {
	readings := make([]outbox.Reading, len(ms))
	for i, m := range ms {
		if m.Sensor == "" {
			m.Sensor = id
		}
		readings[i] = outbox.Reading{Sensor: m.Sensor, Quantity: m.Quantity, Channel: m.Channel, Value: m.Value, At: m.At, Date: m.Date}
	}
	b.deps.Outbox.Put(readings)
}

// measureHealth puts the board's own readings into the outbox, under the bridge's id.
func (b *Bridge) measureHealth() {
	ms, err := b.deps.Board.Read()
	if err != nil {
		b.log.Debug("board cannot tell all of its health", "error", err)
	}
	out := b.deps.Outbox.Status()
	ms = append(ms,
		driver.Measurement{Quantity: "backlog", Value: float64(out.WaitingReadings)},
		driver.Measurement{Quantity: "backlog_age", Value: out.Oldest.Seconds()},
		driver.Measurement{Quantity: "disk_state", Value: float64(slices.Index(outbox.DiskStates(), out.Disk))},
	)
	for kind, n := range b.faults() {
		ms = append(ms, driver.Measurement{Quantity: "driver_faults", Channel: kind, Value: float64(n)})
	}
	at := b.deps.Clock.Now()
	for i := range ms {
		ms[i].At = at
	}
	b.take(b.cfg.Publisher, ms)
}

// faults counts the faults of all sensors since the start, by kind.
func (b *Bridge) faults() map[string]uint64 {
	sum := make(map[string]uint64)
	for _, r := range b.fleet.reports() {
		for kind, n := range r.Faults {
			sum[string(kind)] += n
		}
	}
	return sum
}

func (b *Bridge) date(at clock.Instant) time.Time {
	if at == 0 {
		return time.Time{}
	}
	date, _ := b.deps.Clock.Date(at)
	return date
}

// answer does what a message asks for.
func (b *Bridge) answer(ctx context.Context, m uplink.Received) {
	switch m.Topic {
	case b.topic(control.TopicConfig):
		b.desk.receive(m.Payload)
		b.publishSoon()
	case b.topic(control.TopicCommand):
		c, err := control.ParseCommand(m.Payload)
		if err == nil && c.Do == control.Describe {
			if err = b.describe(ctx, c); err == nil {
				return // it answers
			}
		} else if err == nil {
			err = b.do(c)
		}
		b.reply(c, nil, err)
		if c.Do == control.Restart && err == nil {
			b.deps.Restart()
		}
	}
}

// reply says what became of a command.
func (b *Bridge) reply(c control.Command, buses []control.BusReport, err error) {
	a := control.Answer{ID: c.ID, Do: c.Do, OK: err == nil, Buses: buses}
	if err != nil {
		a.Error = err.Error()
	}
	b.log.Info("command from afar", "do", string(c.Do), "id", c.ID, "ok", a.OK, "error", a.Error)
	b.say(uplink.Message{Topic: b.topic(control.TopicAnswer), Payload: encode(a)})
}

// do carries a command out that takes no time.
func (b *Bridge) do(c control.Command) error {
	switch c.Do {
	case control.Read:
		return b.fleet.readNow(c.Sensor)
	case control.Log:
		return b.deps.SetLevel(c.Level)
	case control.Describe, control.Restart:
	}
	return nil
}

// describe looks at the buses and answers when that is done: up to half a minute, in which status and settings go on.
func (b *Bridge) describe(ctx context.Context, c control.Command) error {
	if b.deps.Buses.Simulated {
		return errors.New("a simulated bridge has no buses to look at")
	}
	if !b.looks.CompareAndSwap(false, true) {
		return errors.New("the buses are being looked at already; ask again when that is answered")
	}
	b.looking.Go(func() {
		var found, configured []control.BusReport
		var both sync.WaitGroup
		both.Go(func() { found = scanMachine(ctx, b.deps) })
		both.Go(func() { configured = b.fleet.scan(ctx, b.deps.Drivers) })
		both.Wait()
		found = append(found, configured...)
		b.looks.Store(false)
		b.reply(c, found, ctx.Err())
	})
	return nil
}
