package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	bridge "github.com/lamppost-city/lamppost/firmware-bridge"
	"github.com/lamppost-city/lamppost/firmware-bridge/control"
	"github.com/lamppost-city/lamppost/firmware-bridge/drivers"
	"github.com/lamppost-city/lamppost/firmware-bridge/settings"
	"github.com/lamppost-city/lamppost/firmware-bridge/uplink"
	"github.com/lamppost-city/lamppost/firmware-bridge/uplink/uplinktest"
	"github.com/lamppost-city/lamppost/internal/endtoend"
	"github.com/lamppost-city/lamppost/telemetry"
)

const me = "bridge-7"

// cabinet is a bridge's folder and settings, and the city that it reports to.
type cabinet struct {
	t        *testing.T
	city     *endtoend.City
	mqtt     string // the broker's address
	dir      string
	settings string
}

// newCabinet starts a city that knows the bridge and the sensors of the settings.
func newCabinet(t *testing.T, text string) *cabinet {
	t.Helper()
	return cabinetOf(t, text, endtoend.NewCity(t, built.city, "--demo", "0"), "")
}

// cabinetOf starts a city that reads from the broker at mqtt, or from its own if that is empty.
func cabinetOf(t *testing.T, text string, city *endtoend.City, mqtt string) *cabinet {
	t.Helper()
	c := &cabinet{t: t, city: city, mqtt: mqtt, dir: t.TempDir()}
	if c.mqtt == "" {
		c.mqtt = city.MQTT
	}
	c.settings = filepath.Join(c.dir, "sensors.yaml")
	c.write(text)
	parsed, err := settings.Parse([]byte(text), drivers.All())
	if err != nil {
		t.Fatal(err)
	}
	c.city.Start()
	var csv strings.Builder
	csv.WriteString("sensor,title,site,site_title,district,lon,lat,publisher,cadence_s,quantities\n")
	for _, id := range append([]telemetry.SensorID{me}, sensorsOf(parsed)...) {
		fmt.Fprintf(&csv, "%s,%s,quay-1,Quay 1,harbour,10.0,53.5,%s,60,temperature\n", id, id, me)
	}
	if err := c.city.Post("/api/v1/sensors/import", "text/csv", csv.String(), nil); err != nil {
		t.Fatal(err)
	}
	return c
}

func sensorsOf(s *settings.Settings) []telemetry.SensorID {
	ids := make([]telemetry.SensorID, len(s.Sensors))
	for i, one := range s.Sensors {
		ids[i] = one.ID
	}
	return ids
}

func (c *cabinet) write(text string) {
	c.t.Helper()
	if err := os.WriteFile(c.settings, []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

// start starts the bridge.
func (c *cabinet) start(env ...string) *endtoend.Process {
	c.t.Helper()
	return built.bridge.With(env...).Start(c.t, "run", "--simulate", "--publisher", me, "--settings", c.settings,
		"--data", filepath.Join(c.dir, "data"), "--mqtt", "mqtt://"+c.mqtt)
}

// latest are the sensors of which the city has readings, each with its quantities.
func (c *cabinet) latest() (map[telemetry.SensorID][]string, error) {
	var answer struct {
		Items []struct {
			Sensor   telemetry.SensorID
			Quantity string
		}
	}
	if err := c.city.Get("/api/v1/latest", &answer); err != nil {
		return nil, err
	}
	seen := make(map[telemetry.SensorID][]string)
	for _, i := range answer.Items {
		seen[i.Sensor] = append(seen[i.Sensor], i.Quantity)
	}
	return seen, nil
}

// reported waits until the city has readings of all these sensors.
func (c *cabinet) reported(ids ...telemetry.SensorID) {
	c.t.Helper()
	endtoend.Eventually(c.t, time.Minute, "all sensors have reported", func() error {
		seen, err := c.latest()
		for _, id := range ids {
			if err == nil && len(seen[id]) == 0 {
				err = fmt.Errorf("%s has not reported; there are %v", id, seen)
			}
		}
		return err
	})
}

// TestEveryDriverReportsToTheCity runs all simulated devices through bridge and broker into the store.
func TestEveryDriverReportsToTheCity(t *testing.T) {
	text, err := bridge.Examples(drivers.All())
	if err != nil {
		t.Fatal(err)
	}
	c := newCabinet(t, everySecond(string(text)))
	parsed, err := settings.Parse(text, drivers.All())
	if err != nil {
		t.Fatal(err)
	}
	b := c.start("LAMPPOST_BRIDGE_BRIDGE_HEALTH_EVERY=1s")
	c.reported(append(sensorsOf(parsed), me)...)
	if end := b.Stop(15 * time.Second); end.Code != 0 {
		t.Errorf("the bridge ended with code %d: %s", end.Code, end.Stderr)
	}
	var l endtoend.Ledger
	endtoend.Eventually(t, 20*time.Second, "everything is written", func() error {
		if err := c.city.Get("/api/v1/ledger", &l); err != nil {
			return err
		}
		if l.Waiting > 0 {
			return fmt.Errorf("%d wait", l.Waiting)
		}
		return l.Closes()
	})
	if len(l.Rejected) > 0 || l.Accepted == 0 || l.Missing > 0 {
		t.Errorf("the ledger says %+v", l)
	}
	c.city.MustBeClean()
}

// everySecond makes examples read at a pace at which a test sees them.
func everySecond(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(strings.TrimSpace(line), "every: ") {
			lines[i] = "    every: 1s"
		}
	}
	return strings.Join(lines, "\n")
}

// thermometers are settings with so many of them.
func thermometers(n int, every time.Duration) string {
	var buses, sensors strings.Builder
	for i := range n {
		if i%8 == 0 {
			fmt.Fprintf(&buses, "  - {id: i2c-%d, type: i2c, device: simulated}\n", i/8)
		}
		fmt.Fprintf(&sensors, "  - {id: air-%d, driver: mcp9808, bus: i2c-%d, every: %s, options: {address: %d}}\n", i, i/8, every, 0x18+i%8)
	}
	return "version: 1\nbuses:\n" + buses.String() + "sensors:\n" + sensors.String()
}

// What the bridge had on its disk arrives, whoever is killed: no sequence number is missing.
func TestNothingOnDiskIsLostWhereBridgeAndCityAreKilled(t *testing.T) {
	c := newCabinet(t, thermometers(50, 50*time.Millisecond))
	nothingIsLost(t, c, func() {})
}

func TestNothingOnDiskIsLostWhereAnotherBrokerIsKilledToo(t *testing.T) {
	broker := uplinktest.StartMosquitto(t)
	settings := fmt.Sprintf("allow_anonymous true\npersistence true\npersistence_location %s/\nmax_inflight_messages 0\nmax_queued_messages 0\n", t.TempDir())
	if os.Geteuid() == 0 {
		settings += "user root\n" // or it gives up its rights and cannot write into the test's folder
	}
	broker.RestartWith(settings)
	city := endtoend.NewCity(t, built.city.With("LAMPPOST_BROKER_EMBEDDED=false", "LAMPPOST_INGEST_BROKER_URL=mqtt://"+broker.Address(),
		"LAMPPOST_INGEST_BROKER_MAX_BACKOFF=1s"), "--demo", "0")
	nothingIsLost(t, cabinetOf(t, thermometers(50, 50*time.Millisecond), city, broker.Address()), func() { broker.RestartWith(settings) })
}

// nothingIsLost kills bridge, city and broker in turn and compares the numbers of what was sent with the ledger.
func nothingIsLost(t *testing.T, c *cabinet, restartBroker func()) {
	rounds := 4
	if os.Getenv("LAMPPOST_TEST_FULL") != "" {
		rounds = 20
	}
	for i := range rounds {
		b := c.start()
		pause(time.Duration(1500+i*137%700) * time.Millisecond)
		switch i % 3 {
		case 1:
			c.city.Kill()
			pause(300 * time.Millisecond)
			c.city.Start()
		case 2:
			restartBroker()
		}
		b.Kill()
	}
	b := c.start()
	c.reported("air-0", "air-49")
	endtoend.Eventually(t, 30*time.Second, "nothing waits at the bridge", func() error {
		s, err := status(t, c)
		if err == nil && (s.Outbox == nil || s.Outbox.WaitingReadings > 500 || s.Outbox.Acknowledged == 0) {
			err = fmt.Errorf("the outbox is %+v", s.Outbox)
		}
		return err
	})
	if end := b.Stop(15 * time.Second); end.Code != 0 {
		t.Errorf("the bridge ended with code %d: %s", end.Code, end.Stderr)
	}
	// What was read at the very end is on the disk, and goes up with the next start.
	b = c.start()
	c.reported("air-0")
	pause(3 * time.Second)
	b.Stop(15 * time.Second)
	var l endtoend.Ledger
	endtoend.Eventually(t, 20*time.Second, "everything is written", func() error {
		if err := c.city.Get("/api/v1/ledger", &l); err != nil {
			return err
		}
		if l.Waiting > 0 {
			return fmt.Errorf("%d wait", l.Waiting)
		}
		return l.Closes()
	})
	if l.Missing != 0 || len(l.Rejected) > 0 || l.Accepted < int64(rounds)*50 {
		t.Errorf("the ledger says %+v", l)
	}
	t.Logf("%d kills: %d readings accepted, %d came again, %d messages missing", rounds, l.Accepted, l.Duplicate, l.Missing)
	c.city.MustBeClean()
}

// pause is part of an experiment: nothing is waited for.
func pause(d time.Duration) { time.Sleep(d) }

// desk is the city's end, connected to its broker.
func desk(t *testing.T, c *cabinet) *control.City {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	cfg := control.DefaultConfig()
	cfg.TimeEvery = time.Second
	city := control.New(cfg, "city", quiet)
	at := uplink.DefaultConfig()
	at.URL, at.Connections = "mqtt://"+c.mqtt, 1
	link, err := uplink.NewSession(at, city.Session(), quiet)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 2)
	go func() { ended <- link.Run(ctx) }()
	go func() { ended <- city.Run(ctx, link) }()
	t.Cleanup(func() {
		stop()
		for range 2 {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	})
	return city
}

// status asks the broker for the bridge's retained status.
func status(t *testing.T, c *cabinet) (control.Status, error) {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	city := control.New(control.DefaultConfig(), "city", quiet)
	at := uplink.DefaultConfig()
	at.URL, at.Connections = "mqtt://"+c.mqtt, 1
	link, err := uplink.NewSession(at, city.Session(), quiet)
	if err != nil {
		return control.Status{}, err
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- link.Run(ctx) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	var s control.Status
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); pause(20 * time.Millisecond) {
		if s, err = city.Bridge(me); err == nil {
			break
		}
	}
	return s, err
}

// TestTheCityRunsABridgeFromAfar changes settings, gives commands and hears of what is wrong.
func TestTheCityRunsABridgeFromAfar(t *testing.T) {
	c := newCabinet(t, thermometers(3, time.Second))
	city := desk(t, c)
	// No clock is believed but the city's.
	b := c.start("LAMPPOST_BRIDGE_CLOCK_TRUST_SYSTEM=never")
	wait := func(what string, holds func(s control.Status) bool) {
		t.Helper()
		endtoend.Eventually(t, 30*time.Second, what, func() error {
			s, err := city.Bridge(me)
			if err == nil && !holds(s) {
				err = fmt.Errorf("the status is %+v, settings %+v", s, s.Settings)
			}
			return err
		})
	}
	do := func(command control.Command) control.Answer {
		t.Helper()
		a, err := city.Do(t.Context(), me, command)
		if err != nil {
			t.Fatalf("%s: %v", command.Do, err)
		}
		return a
	}
	wait("it is online with the file's settings", func(s control.Status) bool {
		return s.State == control.Online && s.Settings.Source == control.FromFile && len(s.Sensors) == 3
	})
	c.reported("air-0") // dated by the city
	wait("it knows the date from the city", func(s control.Status) bool { return s.Clock.Known && s.Clock.Source == "broker" })

	next := thermometers(2, time.Second)
	if err := city.Configure(t.Context(), me, []byte(next)); err != nil {
		t.Fatal(err)
	}
	wait("new settings are in force", func(s control.Status) bool {
		return s.Settings.Source == control.FromRemote && s.Settings.ID == control.SettingsID([]byte(next)) && len(s.Sensors) == 2
	})
	if err := city.Configure(t.Context(), me, []byte("version: 2\nbuses: []\nsensors: []\n")); err != nil {
		t.Fatal(err)
	}
	wait("bad ones are refused, and the good ones stay", func(s control.Status) bool {
		return s.Settings.Refused != nil && strings.Contains(s.Settings.Refused.Error, "version") && len(s.Sensors) == 2
	})
	if a := do(control.Command{Do: control.Read, Sensor: "air-0"}); !a.OK {
		t.Errorf("read: %+v", a)
	}
	if a := do(control.Command{Do: control.Read, Sensor: "air-9"}); a.OK || !strings.Contains(a.Error, "air-9") {
		t.Errorf("read of a sensor that is not there: %+v", a)
	}
	if a := do(control.Command{Do: control.Log, Level: "debug"}); !a.OK {
		t.Errorf("log: %+v", a)
	}
	if a := do(control.Command{Do: control.Log, Level: "loud"}); a.OK {
		t.Errorf("log: %+v", a)
	}
	if a := do(control.Command{Do: control.Restart}); !a.OK {
		t.Errorf("restart: %+v", a)
	}
	if end := b.Wait(20 * time.Second); end.Code != 1 || !strings.Contains(end.Stderr, "restart") {
		t.Errorf("after restart: code %d: %s", end.Code, end.Stderr)
	}
	wait("it said goodbye", func(s control.Status) bool { return s.State == control.Offline })

	b = c.start()
	wait("settings from afar outlive the restart", func(s control.Status) bool { return s.State == control.Online && len(s.Sensors) == 2 })
	if err := city.Configure(t.Context(), me, nil); err != nil {
		t.Fatal(err)
	}
	wait("withdrawn, the file counts again", func(s control.Status) bool { return s.Settings.Source == control.FromFile && len(s.Sensors) == 3 })
	c.write(thermometers(1, time.Second))
	if err := syscall.Kill(b.PID(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	wait("SIGHUP reads the file again", func(s control.Status) bool { return len(s.Sensors) == 1 })
	b.Kill()
	wait("the broker says that it is gone", func(s control.Status) bool { return s.State == control.Offline })
	if kept, err := city.Bridge(me); err != nil || !slices.ContainsFunc(kept.Sensors, func(r control.SensorReport) bool { return r.ID == "air-0" }) {
		t.Errorf("what was known last: %+v, %v", kept, err)
	}
}
