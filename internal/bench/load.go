package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/lamppost-city/lamppost/firmware-bridge/uplink"
	"github.com/lamppost-city/lamppost/telemetry"
	"github.com/lamppost-city/lamppost/telemetry/senml"
)

// Kinds of load. The k-th message of a sensor is measured k seconds after the beginning.
const (
	// threeFields are messages of plain JSON with speed, intensity and occupancy: three readings, one point.
	threeFields = "three"
	// hundred are messages of SenML in CBOR with a hundred values of one quantity: a hundred readings, a hundred points.
	hundred = "hundred"
)

// packedReadings is how many readings a message of the load hundred holds.
const packedReadings = 100

// load is what is sent.
type load struct {
	kind              string
	messages, sensors int
}

// readings is how many readings a message holds.
func (l load) readings() int {
	if l.kind == hundred {
		return packedReadings
	}
	return 3
}

func (l load) sensor(i int) telemetry.SensorID {
	return telemetry.SensorID("bench-" + strconv.Itoa(i%l.sensors))
}

// beginning is the measured time of the first messages.
func beginning() time.Time { return time.Now().Add(-24 * time.Hour).Truncate(time.Hour) }

// message is the i-th.
func (l load) message(i int, begin time.Time) (topic string, payload []byte) {
	topic = "city/" + string(l.sensor(i)) + "/readings"
	if l.kind == hundred {
		return topic, l.senml(i, begin)
	}
	return topic, l.json(i, begin)
}

func (l load) json(i int, begin time.Time) []byte {
	at := begin.Add(time.Duration(i/l.sensors) * time.Second)
	payload := make([]byte, 0, 112)
	payload = append(payload, `{"time":"`...)
	payload = at.UTC().AppendFormat(payload, "2006-01-02T15:04:05.000Z07:00")
	return fmt.Appendf(payload, `","seq":%d,"speed":%.1f,"intensity":%d,"occupancy":%.2f}`, i/l.sensors, 30+float64(i%400)/10, i%40, float64(i%100)/100)
}

func (l load) senml(i int, begin time.Time) []byte {
	id := l.sensor(i)
	m := telemetry.Message{Seq: uint64(i / l.sensors), HasSeq: true}
	quantity, _ := telemetry.QuantityByName("speed")
	for k := range packedReadings {
		m.Readings = append(m.Readings, telemetry.Reading{
			Sensor: id, Quantity: quantity.ID, Channel: "packed", Value: 30 + float64((i+k)%400)/10,
			Measured: telemetry.MilliOf(begin.Add(time.Duration(i/l.sensors*packedReadings+k) * time.Second)),
		})
	}
	return senml.AppendCBOR(nil, &m, id)
}

// lines are the i-th message's points in line protocol, as ingest writes them.
func (l load) lines(dst []byte, i int, begin time.Time) []byte {
	if l.kind == hundred {
		for k := range packedReadings {
			at := begin.Add(time.Duration(i/l.sensors*packedReadings+k) * time.Second)
			dst = fmt.Appendf(dst, "traffic,channel=packed,district=harbour,sensor=%s,site=corner-%d speed=%.1f %d\n",
				l.sensor(i), i%l.sensors/4, 30+float64((i+k)%400)/10, at.UnixMilli())
		}
		return dst
	}
	at := begin.Add(time.Duration(i/l.sensors) * time.Second)
	return fmt.Appendf(dst, "traffic,district=harbour,sensor=%s,site=corner-%d speed=%.1f,intensity=%d,occupancy=%.2f %d\n",
		l.sensor(i), i%l.sensors/4, 30+float64(i%400)/10, i%40, float64(i%100)/100, at.UnixMilli())
}

// publisher sends messages until they are acknowledged. end must be called, and tells what went wrong.
func publisher(ctx context.Context, address string, log *slog.Logger) (p *uplink.Publisher, end func() error, err error) {
	cfg := uplink.DefaultConfig()
	cfg.URL, cfg.Connections = "mqtt://"+address, 2
	if p, err = uplink.New(cfg, nil, log); err != nil {
		return nil, nil, err
	}
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- p.Run(running) }()
	return p, func() error {
		stop()
		return <-ended
	}, nil
}

// publish sends the load's messages, or as many as come until the given time if that is not zero, and waits until all
// are acknowledged. It returns how many there were.
func (l load) publish(ctx context.Context, address string, until time.Time, log *slog.Logger) (n int, err error) {
	p, end, err := publisher(ctx, address, log)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, end()) }()
	for begin := beginning(); until.IsZero() && n < l.messages || time.Now().Before(until); n++ {
		topic, payload := l.message(n, begin)
		if err := p.Publish(ctx, uplink.Message{Topic: topic, Payload: payload, Readings: l.readings()}); err != nil {
			return n, err
		}
	}
	return n, p.Flush(ctx)
}
