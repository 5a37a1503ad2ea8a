package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/lamppost-city/lamppost/api"
	"github.com/lamppost-city/lamppost/firmware-bridge/clock"
	"github.com/lamppost-city/lamppost/firmware-bridge/control"
	"github.com/lamppost-city/lamppost/firmware-bridge/uplink"
	"github.com/lamppost-city/lamppost/ingest/mqtt"
	"github.com/lamppost-city/lamppost/service"
	"github.com/lamppost-city/lamppost/telemetry"
)

// bridgesPart hears how the bridges do and tells them what to do. A broker that does not let it in keeps nothing else from
// running: that is a matter of its health.
func (c *town) bridgesPart() service.Part {
	log := c.log.With("part", "bridges")
	c.bridges = &bridges{city: control.New(c.cfg.Bridges, c.cfg.Ingest.Broker.TopicRoot, log)}
	return service.Part{
		Name: "bridges", Health: c.bridges.health,
		Run: func(ctx context.Context) error {
			if c.broker == nil {
				return c.bridges.run(ctx, linkTo(c.cfg.Ingest.Broker), log)
			}
			return c.toEmbedded(ctx, log, func(ctx context.Context, at uplink.Config) error { return c.bridges.run(ctx, at, log) })
		},
	}
}

// refusedPause is how long the link waits after the broker has turned it away. Whoever gives it access later need not start
// anything again.
const refusedPause = 15 * time.Second

// linkTo is the way to the broker that ingest reads from.
func linkTo(from mqtt.Config) uplink.Config {
	at := uplink.DefaultConfig()
	at.ClientName, at.Connections, at.Window = "lamppost-bridges", 1, 100
	at.URL, at.User, at.Password = from.URL, from.User, from.Password
	if u, err := url.Parse(from.URL); err == nil {
		if u.User != nil { // it takes precedence there
			at.User, at.Password = "", ""
		}
		at.URL = (&url.URL{Scheme: u.Scheme, User: u.User, Host: u.Host}).String()
	}
	at.CAFile, at.CertFile, at.KeyFile = from.CAFile, from.CertFile, from.KeyFile
	at.KeepAlive, at.ConnectTimeout, at.RetryMax, at.RetryRefused = from.KeepAlive, from.ConnectTimeout, from.MaxBackoff, refusedPause
	return at
}

// bridges shows the city's end of what bridges say and hear to api.
type bridges struct {
	city *control.City
	link atomic.Pointer[uplink.Publisher] // nil before run
}

// run keeps a connection until ctx ends.
func (b *bridges) run(ctx context.Context, at uplink.Config, log *slog.Logger) error {
	link, err := uplink.NewSession(at, b.city.Session(), log)
	if err != nil {
		return err
	}
	b.link.Store(link)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() {
		defer stop()
		ended <- link.Run(ctx)
	}()
	err = b.city.Run(ctx, link)
	return errors.Join(err, <-ended)
}

// awayGrace is how long a connection may be away before that is worth a word.
const awayGrace = 5 * time.Second

// health says why bridges are not heard, or not told.
func (b *bridges) health() error {
	link := b.link.Load()
	if link == nil {
		return nil
	}
	s := link.Status()
	if !s.Connected {
		if s.Fault == "" || time.Since(s.Since) < awayGrace && !s.Refused {
			return nil
		}
		return fmt.Errorf("no connection to the broker %s, bridges are not heard: %s", link.Broker(), s.Fault)
	}
	for _, one := range s.Subscriptions {
		if !one.Granted && one.Fault != "" {
			return fmt.Errorf("the broker %s does not let bridges be heard: subscribe to %s: %s", link.Broker(), one.Filter, one.Fault)
		}
	}
	return nil
}

// Bridges implements api.Bridges.
func (b *bridges) Bridges() []api.BridgeWithSensors {
	all := b.city.Bridges()
	shown := make([]api.BridgeWithSensors, len(all))
	for i := range all {
		shown[i] = bridgeOf(&all[i])
	}
	return shown
}

// Bridge implements api.Bridges.
func (b *bridges) Bridge(id telemetry.SensorID) (api.BridgeWithSensors, error) {
	s, err := b.city.Bridge(id)
	if err != nil {
		return api.BridgeWithSensors{}, bridgeError(err)
	}
	return bridgeOf(&s), nil
}

// connected says whether anything would go out now. Otherwise it would wait, and go out when nobody expects it any more.
func (b *bridges) connected() error {
	if link := b.link.Load(); link == nil || !link.Status().Connected {
		return api.ErrBrokerAway
	}
	return nil
}

// Configure implements api.Bridges.
func (b *bridges) Configure(ctx context.Context, id telemetry.SensorID, settings []byte) (string, error) {
	if err := b.connected(); err != nil {
		return "", err
	}
	if err := b.city.Configure(ctx, id, settings); err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			err = errors.Join(api.ErrBrokerSilent, err)
		}
		return "", bridgeError(err)
	}
	return control.SettingsID(settings), nil
}

// Command implements api.Bridges.
func (b *bridges) Command(ctx context.Context, id telemetry.SensorID, c api.BridgeCommand) (api.BridgeAnswer, error) {
	a, err := b.city.Do(ctx, id, control.Command{Do: control.Verb(c.Do), Sensor: telemetry.SensorID(c.Sensor), Level: c.Level})
	if err != nil {
		return api.BridgeAnswer{}, bridgeError(err)
	}
	answer := api.BridgeAnswer{Do: string(a.Do), OK: a.OK, Error: a.Error}
	for _, found := range a.Buses {
		bus := api.BridgeBus{
			ID: found.ID, Type: found.Type, Device: found.Device, Answers: found.Answers, Error: found.Error, Advice: found.Advice,
			Devices: []api.BridgeDevice{},
		}
		for _, d := range found.Devices {
			bus.Devices = append(bus.Devices, api.BridgeDevice(d))
		}
		answer.Buses = append(answer.Buses, bus)
	}
	return answer, nil
}

// bridgeError says it in the API's errors.
func bridgeError(err error) error {
	for ours, theirs := range map[error]error{
		control.ErrUnknown: api.ErrBridgeUnknown, control.ErrOffline: api.ErrBridgeOffline, control.ErrNoAnswer: api.ErrBridgeSilent,
		uplink.ErrAway: api.ErrBrokerAway,
	} {
		if errors.Is(err, ours) {
			return fmt.Errorf("%w: %w", theirs, err)
		}
	}
	return err
}

// bridgeOf says what a bridge says in the API's words. Title and counts are the API's to fill in.
func bridgeOf(s *control.Status) api.BridgeWithSensors {
	b := api.BridgeWithSensors{Bridge: api.Bridge{
		Publisher: string(s.Publisher), State: string(control.Offline), Version: s.Version, At: instant(s.At), Started: instant(s.Started),
		Clock: clockOf(s.Clock), Settings: settingsOf(s.Settings), Outbox: outboxOf(s.Outbox),
	}}
	if s.State == control.Online {
		b.State = string(control.Online)
	}
	if s.Boot != (clock.Boot{}) {
		b.Boot = s.Boot.String()
	}
	for _, r := range s.Sensors {
		shown := api.BridgeSensor{
			ID: string(r.ID), Driver: r.Driver, Bus: r.Bus, State: string(r.State), LastGood: instant(r.LastGood), Readings: r.Readings,
			Kind: string(r.Kind), Error: r.Error, Advice: r.Advice,
		}
		if len(r.Faults) > 0 {
			shown.Faults = make(map[string]uint64, len(r.Faults))
		}
		for kind, n := range r.Faults {
			shown.Faults[string(kind)] = n
		}
		b.Sensors = append(b.Sensors, shown)
	}
	return b
}

func clockOf(c *control.Clock) *api.BridgeClock {
	if c == nil {
		return nil
	}
	return &api.BridgeClock{
		Known: c.Known, Source: string(c.Source), UncertaintyMS: c.UncertaintyMS, SystemOffsetMS: c.SystemOffsetMS, Error: c.Error,
	}
}

func settingsOf(s *control.Settings) *api.BridgeSettings {
	if s == nil {
		return nil
	}
	shown := &api.BridgeSettings{Source: string(s.Source), ID: s.ID, Buses: s.Buses, Sensors: s.Sensors, Applied: instant(s.Applied)}
	if r := s.Refused; r != nil {
		shown.Refused = &api.BridgeRefusal{Source: string(r.Source), ID: r.ID, At: instant(r.At), Error: r.Error}
	}
	return shown
}

func outboxOf(o *control.Outbox) *api.BridgeOutbox {
	if o == nil {
		return nil
	}
	shown := api.BridgeOutbox(*o)
	return &shown
}

// instant is nil for a time that is not known.
func instant(t time.Time) *api.Time {
	if t.IsZero() {
		return nil
	}
	at := timeOf(t)
	return &at
}
