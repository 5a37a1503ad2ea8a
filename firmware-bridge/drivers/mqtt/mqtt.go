// Package mqtt hears devices that publish to a broker beside the board: Zigbee2MQTT, Tasmota, Shelly, a LoRaWAN gateway, anything
// that sends JSON or the city's own format. The decoders are telemetry's, the same that ingest has.
//
//	device ──► local broker ──► Topics.Listen ──► format.Decoder ──► measurements
//	                                └── availability ──► fault absent
//
// One entry of the settings is one device, or with a wildcard in its topic all devices that the mapping lets in; then the mapping
// says which sensor each of them is.
//
// A reading whose message says no time gets the time of its arrival. A retained message that says none is not read: the broker had
// kept it, and when it was sent nobody knows. One that says when is read if that is less than a day ago; what it repeats is
// the same reading again, and is stored once. An empty message, which clears what is retained, is nothing.
//
// What is published while the broker or the bridge is away is lost, save what is retained: the connection has no session, and
// most of these devices publish at QoS 0 anyway.
package mqtt

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver"
	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
	"github.com/lamppost-city/lamppost/telemetry"
	"github.com/lamppost-city/lamppost/telemetry/format"
)

// Driver describes it.
func Driver() driver.Driver {
	return driver.Driver{
		Name:     "mqtt",
		Title:    "Devices on a local MQTT broker: Zigbee2MQTT, Tasmota, Shelly, LoRaWAN, any JSON by a mapping",
		Bus:      bus.MQTT,
		Options:  func() driver.Options { return &Options{Format: "json"} },
		Open:     open,
		Simulate: simulate,
		Probe:    probe,
		Example: `id: cabinet-7-climate
driver: mqtt
bus: mqtt
every: 1m
options:
  topic: zigbee2mqtt/cabinet 7
  mapping: zigbee2mqtt-climate
  availability: zigbee2mqtt/cabinet 7/availability
  silence: 3h
`,
	}
}

type sensor struct {
	*Options
	id      telemetry.SensorID
	clock   driver.Clock
	topics  bus.Topics
	decoder format.Decoder

	// Of the listener alone:
	deliver func([]driver.Measurement, error)
	message telemetry.Message
	ms      []driver.Measurement
	away    offline

	mu     sync.Mutex
	heard  time.Time // when it was opened, or something was read last
	broker error     // what is wrong with the broker, or nil
	absent error     // which devices are not there, or nil
}

func open(_ context.Context, s driver.Setup) (driver.Sensor, error) {
	o := s.Options.(*Options)
	decoder, err := o.decoder()
	if err != nil {
		return nil, fault.New(fault.Misconfigured, err, "")
	}
	return &sensor{Options: o, id: s.Sensor, clock: s.Clock, topics: s.Bus.Topics, decoder: decoder, heard: time.Now()}, nil
}

// Read says whether it has been silent for too long; values come by Listen.
func (s *sensor) Read(context.Context) ([]driver.Measurement, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	since := time.Since(s.heard)
	if s.Silence == 0 || since < s.Silence || s.broker != nil || s.absent != nil {
		return nil, nil
	}
	return nil, fault.New(fault.Timeout, fmt.Errorf("nothing was heard on %s for %s", s.Topic, since.Round(time.Second)),
		"look at the device's supply or battery and its radio; mosquitto_sub -v -t '"+s.Topic+"' shows what the broker hears")
}

// Listen delivers what the devices say, and what is wrong with them or the broker.
func (s *sensor) Listen(ctx context.Context, deliver func([]driver.Measurement, error)) error {
	s.deliver = deliver
	filters := []string{s.Topic}
	if s.Availability != "" {
		filters = append(filters, s.Availability)
	}
	return s.topics.Listen(ctx, bus.Ear{Filters: filters, Hear: s.hear, Broker: s.hearOf})
}

// hearOf takes what is wrong with the broker, or that it is well again.
func (s *sensor) hearOf(err error) {
	s.mu.Lock()
	s.broker = err
	if err == nil {
		s.heard = time.Now() // silence counts from now on
	}
	s.mu.Unlock()
	s.deliver(nil, s.standing())
}

// standing is what is wrong beside the message at hand.
func (s *sensor) standing() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return errors.Join(s.broker, s.absent)
}

func (s *sensor) hear(m bus.Message) {
	switch {
	case s.Availability != "" && bus.TopicMatches(s.Availability, m.Topic):
		s.hearAvailability(m)
	case len(m.Payload) > 0:
		s.hearReadings(m)
	}
}

// oldest is how old what is retained may be. A board that does not know the date believes none of it.
const oldest = 24 * time.Hour

func (s *sensor) hearReadings(m bus.Message) {
	at := s.clock.Now().Add(-time.Since(m.At))
	s.message.Reset()
	s.decoder.Decode(&s.message, m.Topic, m.Payload, telemetry.Origin{Publisher: s.id, Received: telemetry.MilliOf(m.At)})
	s.ms = s.ms[:0]
	for i := range s.message.Readings {
		r := &s.message.Readings[i]
		one := driver.Measurement{Quantity: r.Quantity.String(), Channel: r.Channel, Value: r.Value, At: at}
		if r.Sensor != s.id {
			one.Sensor = r.Sensor
		}
		if !r.Stamped {
			one.Date = r.Measured.Time()
		}
		if m.Retained {
			age := m.At.Sub(one.Date)
			if r.Stamped || age < 0 || age > oldest {
				continue
			}
			one.At = at.Add(-age)
		}
		s.ms = append(s.ms, one)
	}
	wrong := s.wrong(m.Topic)
	if len(s.ms) == 0 && wrong == nil {
		return // not for this mapping, or old
	}
	if len(s.ms) > 0 {
		s.mu.Lock()
		s.heard = time.Now()
		s.mu.Unlock()
	}
	s.deliver(s.ms, errors.Join(wrong, s.standing()))
}

// wrong is what could not be read of the message.
func (s *sensor) wrong(topic string) error {
	n := len(s.message.Faults)
	if n == 0 {
		return nil
	}
	first := s.message.Faults[0]
	err := fmt.Errorf("%.80q: %s", topic, first.Detail)
	if n > 1 {
		err = fmt.Errorf("%w; and %d more", err, n-1)
	}
	if first.Reason == telemetry.ReasonTopic {
		return fault.New(fault.Misconfigured, err, "list the device in sensor.names of the mapping, or name it in the gateway as the registry does")
	}
	return fault.New(fault.Garbled, err, "see what is sent by mosquitto_sub -v -t '"+s.Topic+"', and look at the mapping")
}

// Close has nothing to give back: the connection is Listen's.
func (s *sensor) Close() error { return nil }
