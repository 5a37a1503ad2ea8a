package bridge_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"periph.io/x/conn/v3/i2c"

	bridge "github.com/lamppost-city/lamppost/firmware-bridge"
	"github.com/lamppost-city/lamppost/firmware-bridge/box"
	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/clock"
	"github.com/lamppost-city/lamppost/firmware-bridge/control"
	"github.com/lamppost-city/lamppost/firmware-bridge/drivers"
	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
	"github.com/lamppost-city/lamppost/firmware-bridge/outbox"
	"github.com/lamppost-city/lamppost/firmware-bridge/uplink"
	"github.com/lamppost-city/lamppost/telemetry"
	"github.com/lamppost-city/lamppost/telemetry/senml"
)

// cabinet is a bridge with simulated buses whose city acknowledges everything.
type cabinet struct {
	t      *testing.T
	bridge *bridge.Bridge
	stop   context.CancelFunc
	all    sync.WaitGroup
	mended chan struct{}

	mu       sync.Mutex
	open     map[string]*bus.Bus
	now      *trouble
	answered [][]byte
	said     control.Status // the newest of the status's topic
	counts   map[telemetry.SensorID]int
	health   map[string]float64 // driver_faults, by kind
}

const me telemetry.SensorID = "bridge-7"

func newCabinet(t *testing.T, dir string) *cabinet {
	t.Helper()
	return newCabinetOn(t, dir, "")
}

// newCabinetOn looks for a local broker at an address; with none the buses are simulated.
func newCabinetOn(t *testing.T, dir, broker string) *cabinet {
	t.Helper()
	c := &cabinet{
		t: t, mended: make(chan struct{}), open: make(map[string]*bus.Bus),
		counts: make(map[telemetry.SensorID]int), health: make(map[string]float64),
	}
	quiet := slog.New(slog.DiscardHandler)
	began := time.Now()
	trusting := clock.DefaultConfig()
	trusting.TrustSystem = clock.TrustAlways
	at, err := clock.OpenOn(trusting, filepath.Join(dir, "clock"), clock.Machine{
		Boot: func() clock.Boot { return clock.Boot{1} }, Now: func() clock.Instant { return clock.Instant(time.Since(began)) + 1 },
		Date: time.Now, Synchronised: func() (time.Duration, bool) { return 0, true }, Built: began.AddDate(-1, 0, 0),
	}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	out, err := outbox.Open(t.Context(), outbox.DefaultConfig(), filepath.Join(dir, "outbox"), outbox.Deps{Publisher: me, Root: "city", Clock: at, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	cfg := bridge.DefaultConfig()
	cfg.Publisher, cfg.Settings = me, filepath.Join(dir, "sensors.yaml")
	text := cabinetSettings
	if broker != "" {
		text = "version: 1\nbuses: []\nsensors: []\n" // this machine's own are left alone
	}
	if err := os.WriteFile(cfg.Settings, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c.bridge, err = bridge.New(cfg, bridge.Deps{
		Drivers: drivers.All(), Buses: bridge.Buses{Simulated: broker == "", Root: dir, Broker: broker, Opened: c.opened}, Clock: at, Outbox: out,
		Board: box.Board{Root: dir, Data: dir}, Dir: dir, Restart: func() {}, SetLevel: func(string) error { return nil }, Version: "test", Log: quiet,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	c.stop = stop
	for _, run := range []func(context.Context) error{
		at.Run,
		func(ctx context.Context) error { return out.Run(ctx, c) },
		func(ctx context.Context) error { return c.bridge.Run(ctx, c) },
	} {
		c.all.Go(func() {
			if err := run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	return c
}

// end ends it, and whatever hangs.
func (c *cabinet) end() {
	select {
	case <-c.mended:
	default:
		close(c.mended)
	}
	c.stop()
	c.all.Wait()
}

// opened is told of every bus that the bridge opens, and puts what disturbs it between the bus and its drivers.
func (c *cabinet) opened(b *bus.Bus) {
	if b.I2C != nil {
		b.I2C = &wires{Bus: b.I2C}
	}
	if b.Modbus != nil {
		b.Modbus = &units{Registers: b.Modbus}
	}
	if b.OneWire != nil {
		b.OneWire = &drops{Wires: b.OneWire}
	}
	c.mu.Lock()
	c.open[b.ID] = b
	now := c.now
	c.mu.Unlock()
	if now != nil && now.bus == b.ID {
		now.wrong(c, b)
	}
}

func (c *cabinet) begins(t trouble) {
	c.mu.Lock()
	c.now = &t
	b := c.open[t.bus]
	c.mu.Unlock()
	t.wrong(c, b)
}

func (c *cabinet) isMended(t trouble) {
	c.mu.Lock()
	c.now = nil
	b := c.open[t.bus]
	c.mu.Unlock()
	close(c.mended)
	t.mend(c, b)
}

// Announce is the bridge's link: what is said of its status.
func (c *cabinet) Announce(m uplink.Message) error {
	if strings.HasSuffix(m.Topic, "/"+control.TopicAnswer) {
		c.mu.Lock()
		c.answered = append(c.answered, m.Payload)
		c.mu.Unlock()
		return nil
	}
	if !strings.HasSuffix(m.Topic, "/"+control.TopicStatus) {
		return nil
	}
	var s control.Status
	if err := json.Unmarshal(m.Payload, &s); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.said = s
	return nil
}

// Publish is the outbox's way to the broker.
func (c *cabinet) Publish(_ context.Context, m uplink.Message) error {
	var got telemetry.Message
	senml.NewDecoder(telemetry.DefaultLimits()).DecodeCBOR(&got, m.Payload, telemetry.Origin{Publisher: me, Received: telemetry.MilliOf(time.Now())})
	c.mu.Lock()
	for _, r := range got.Readings {
		c.counts[r.Sensor]++
		if r.Quantity.String() == "driver_faults" {
			c.health[r.Channel] = r.Value
		}
	}
	c.mu.Unlock()
	m.Done(m)
	return nil
}

// hear hands the bridge a message from the broker.
func (c *cabinet) hear(topic, payload string) {
	c.t.Helper()
	filter := control.Topic("city", me, topic)
	if len(payload) > uplink.MaxReceived { // the connection leaves it out
		c.bridge.Session().TooLong(filter)
		return
	}
	for _, s := range c.bridge.Session().Subscriptions {
		if s.Filter == filter {
			s.Handle(uplink.Received{Topic: filter, Payload: []byte(payload), Retained: true, At: time.Now()})
			return
		}
	}
	c.t.Fatalf("nobody hears %s", filter)
}

func (c *cabinet) status() control.Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.said
}

// faults is what the newest health says of a kind.
func (c *cabinet) faults(kind fault.Kind) float64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.health[string(kind)]
}

// readings is how many readings of each sensor have reached the city.
func (c *cabinet) readings() map[telemetry.SensorID]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.counts)
}

// worksWithin expects every sensor to work, by the word of the status.
func (c *cabinet) worksWithin(most time.Duration, when string) {
	c.t.Helper()
	for deadline := time.Now().Add(most); ; time.Sleep(time.Second) {
		var not []control.SensorReport
		s := c.status()
		for _, r := range s.Sensors {
			if r.State != control.Working {
				not = append(not, r)
			}
		}
		if len(not) == 0 && len(s.Sensors) > 0 {
			return
		}
		if !time.Now().Before(deadline) {
			c.t.Fatalf("%s, after %s, these do not work: %+v", when, most, not)
		}
	}
}

// names expects the status to name the bad sensors with their faults, and no other.
func (c *cabinet) names(bad map[telemetry.SensorID]fault.Kind) {
	c.t.Helper()
	for _, r := range c.status().Sensors {
		kind, isBad := bad[r.ID]
		switch {
		case !isBad && r.State != control.Working:
			c.t.Errorf("%s is to go on, and is %+v", r.ID, r)
		case isBad && (r.State == control.Working || r.Kind != kind || r.Error == "" || r.Advice == "" || r.Faults[kind] == 0):
			c.t.Errorf("%s is to fail with kind %s, and is %+v", r.ID, kind, r)
		}
	}
}

// wentOn expects readings of all sensors but the bad ones.
func (c *cabinet) wentOn(before, after map[telemetry.SensorID]int, bad map[telemetry.SensorID]fault.Kind, during time.Duration) {
	c.t.Helper()
	for _, r := range c.status().Sensors {
		least := int(during/(10*time.Second)) - 2 // the slowest is read every ten seconds
		if r.Driver == "mqtt" {
			least = int(during / time.Minute)
		}
		if _, isBad := bad[r.ID]; !isBad && after[r.ID]-before[r.ID] < least {
			c.t.Errorf("%d readings of %s came in %s, want at least %d", after[r.ID]-before[r.ID], r.ID, during, least)
		}
	}
}

// wires are an I2C bus on which something may go wrong.
type wires struct {
	i2c.Bus
	mu sync.Mutex
	do func(address uint16, r []byte) error
}

func (w *wires) disturb(do func(address uint16, r []byte) error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.do = do
}

func (w *wires) Tx(address uint16, out, in []byte) error {
	w.mu.Lock()
	do := w.do
	w.mu.Unlock()
	if err := w.Bus.Tx(address, out, in); err != nil || do == nil {
		return err
	}
	return do(address, in)
}

// units are a Modbus line on which something may go wrong.
type units struct {
	bus.Registers
	mu sync.Mutex
	do func(unit uint8) error
}

func (u *units) disturb(do func(unit uint8) error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.do = do
}

func (u *units) Read(ctx context.Context, unit uint8, table bus.Table, address, n uint16) ([]uint16, error) {
	u.mu.Lock()
	do := u.do
	u.mu.Unlock()
	if do != nil {
		if err := do(unit); err != nil {
			return nil, err
		}
	}
	return u.Registers.Read(ctx, unit, table, address, n)
}

// drops are a 1-Wire line with a thermometer whose checksum may be wrong.
type drops struct {
	bus.Wires
	mu    sync.Mutex
	wrong bool
}

func (d *drops) disturb(wrong bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.wrong = wrong
}

func (d *drops) Measure(ctx context.Context, id string) (string, error) {
	said, err := d.Wires.Measure(ctx, id)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.wrong && id == "28-0316a2794bff" {
		said = strings.ReplaceAll(said, "YES", "NO")
	}
	return said, err
}
