package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/lamppost-city/lamppost/firmware-bridge/clock"
	"github.com/lamppost-city/lamppost/firmware-bridge/control"
	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
	"github.com/lamppost-city/lamppost/firmware-bridge/uplink"
	"github.com/lamppost-city/lamppost/service"
	"github.com/lamppost-city/lamppost/simulate"
	"github.com/lamppost-city/lamppost/simulate/city"
)

// demonstrate plays a city and its edge bridges. The city's past is made up once, on the first start.
func (c *town) demonstrate(ctx context.Context) error {
	cfg := simulate.DemoConfig(c.cfg.Demo)
	cfg.MQTT.URL = "mqtt://" + c.broker.Addr()
	cfg.MQTT.User, cfg.MQTT.Password = c.broker.Player()
	cfg.Root = c.cfg.Ingest.Broker.TopicRoot
	if len(c.registry.Snapshot().Sensors()) == 0 {
		cfg.Backfill = simulate.DemoBackfill
	}
	log := c.log.With("part", "demonstration")
	all, err := playedBridges(cfg)
	if err != nil {
		return err
	}
	playing, stop := context.WithCancel(ctx)
	ended := make(chan error, len(all))
	for i := range all {
		go func() {
			defer stop()
			ended <- all[i].run(playing, cfg.MQTT, log)
		}()
	}
	_, err = simulate.Demo(playing, cfg, registrar{c.registry}, log)
	stop()
	for range all {
		err = errors.Join(err, <-ended)
	}
	if err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}

// playedBridge is an edge bridge of the demonstration: it says how it does as a real one would. Its readings come with those of
// the city's other sensors.
type playedBridge struct {
	root   string
	status control.Status
}

// olderBridge is the version of the bridge that nobody has brought up to date.
const olderBridge = "v0.9.4"

// playedBridges makes the bridges of the city that cfg plays. Each reads the street light cabinets of its district; the
// second one is of an older version, and the third one does not hear one of its cabinets.
func playedBridges(cfg simulate.Config) ([]*playedBridge, error) {
	played, err := city.New(cfg.Seed, cfg.Sensors)
	if err != nil {
		return nil, err
	}
	var all []*playedBridge
	for i, s := range played.Sensors() {
		if !strings.HasPrefix(string(s.ID), "bridge-") {
			continue
		}
		started := time.Unix(int64(played.BridgeStarted(i, float64(time.Now().Unix()))), 0).UTC()
		b := &playedBridge{cfg.Root, control.Status{
			State: control.Online, Publisher: s.ID, Version: service.Version(), Started: started,
			Clock:  &control.Clock{Known: true, Source: clock.System, UncertaintyMS: 8},
			Outbox: &control.Outbox{DiskBytes: 3 << 20, MaxBytes: 256 << 20, Disk: "fine"},
		}}
		for _, other := range played.Sensors() {
			if strings.HasPrefix(string(other.ID), "cabinet-") && played.Site(other.Site).District == played.Site(s.Site).District {
				b.status.Sensors = append(b.status.Sensors, control.SensorReport{
					ID: other.ID, Driver: "modbus", Bus: "rs485", State: control.Working,
				})
			}
		}
		b.status.Settings = &control.Settings{
			Source: control.FromFile, ID: control.SettingsID([]byte(s.ID)), Buses: 1, Sensors: len(b.status.Sensors), Applied: started,
		}
		all = append(all, b)
	}
	if len(all) > 1 {
		all[1].status.Version = olderBridge
	}
	if len(all) > 2 && len(all[2].status.Sensors) > 0 {
		one := &all[2].status.Sensors[0]
		one.State, one.Kind, one.Faults = control.Failing, fault.Timeout, map[fault.Kind]uint64{fault.Timeout: 212}
		one.Error, one.Advice = "no answer within 500ms", "look whether the meter has power and both wires of the bus are connected"
	}
	return all, nil
}

// bridgeEvery is how often a bridge says how it does.
const bridgeEvery = 15 * time.Second

// run keeps a connection until ctx ends, and says on it how the bridge does.
func (b *playedBridge) run(ctx context.Context, at uplink.Config, log *slog.Logger) error {
	offline := b.message(control.Status{State: control.Offline, Publisher: b.status.Publisher, Version: b.status.Version})
	at.ClientName, at.Connections = "lamppost-"+string(b.status.Publisher), 1
	link, err := uplink.NewSession(at, uplink.Session{
		Will:    &offline,
		Birth:   func() []uplink.Message { return []uplink.Message{b.message(b.now())} },
		Goodbye: func() []uplink.Message { return []uplink.Message{offline} },
	}, log.With("bridge", string(b.status.Publisher)))
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- link.Run(ctx) }()
	tick := time.NewTicker(bridgeEvery)
	defer tick.Stop()
	for {
		select {
		case err := <-ended:
			return err
		case <-tick.C:
			_ = link.Announce(b.message(b.now())) // without a connection the next birth says it
		}
	}
}

// now is how the bridge does at this moment.
func (b *playedBridge) now() control.Status {
	s := b.status
	s.At = time.Now().UTC()
	outbox := *s.Outbox
	outbox.WaitingReadings = uint64(s.At.Second()) % 7 * uint64(len(s.Sensors))
	for _, r := range s.Sensors {
		if r.State == control.Working {
			outbox.Acknowledged += uint64(s.At.Sub(s.Started) / time.Minute)
		}
	}
	s.Outbox = &outbox
	return s
}

func (b *playedBridge) message(s control.Status) uplink.Message {
	text, _ := json.Marshal(s) //nolint:errchkjson // nothing in it that JSON has not
	return uplink.Message{Topic: control.Topic(b.root, b.status.Publisher, control.TopicStatus), Payload: text, Retained: true}
}
