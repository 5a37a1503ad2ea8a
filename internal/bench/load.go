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

// load is what is sent: every sensor reports speed, intensity and occupancy; the k-th message of a sensor is measured
// k seconds after the beginning.
type load struct {
	messages, packed, sensors int
	// profile is a folder for processor profiles, "" for none.
	profile string
}

// packedReadings is how many readings one SenML message of the load holds.
const packedReadings = 100

func (l load) sensor(i int) telemetry.SensorID {
	return telemetry.SensorID("bench-" + strconv.Itoa(i%l.sensors))
}

func (l load) begin() time.Time { return time.Now().Add(-24 * time.Hour).Truncate(time.Hour) }

// message is the i-th: plain JSON with three fields.
func (l load) message(i int, begin time.Time) (topic string, payload []byte) {
	at := begin.Add(time.Duration(i/l.sensors) * time.Second)
	payload = make([]byte, 0, 112)
	payload = append(payload, `{"time":"`...)
	payload = at.UTC().AppendFormat(payload, "2006-01-02T15:04:05.000Z07:00")
	payload = fmt.Appendf(payload, `","seq":%d,"speed":%.1f,"intensity":%d,"occupancy":%.2f}`, i/l.sensors, 30+float64(i%400)/10, i%40, float64(i%100)/100)
	return "city/" + string(l.sensor(i)) + "/readings", payload
}

// line is the same as line protocol, as ingest writes it.
func (l load) line(dst []byte, i int, begin time.Time) []byte {
	at := begin.Add(time.Duration(i/l.sensors) * time.Second)
	return fmt.Appendf(dst, "traffic,district=harbour,sensor=%s,site=corner-%d speed=%.1f,intensity=%d,occupancy=%.2f %d\n",
		l.sensor(i), i%l.sensors/4, 30+float64(i%400)/10, i%40, float64(i%100)/100, at.UnixMilli())
}

// pack is the i-th message of a hundred readings, SenML in CBOR.
func (l load) pack(i int, begin time.Time) (topic string, payload []byte) {
	id := l.sensor(i)
	m := telemetry.Message{Seq: uint64(i / l.sensors), HasSeq: true}
	quantity, _ := telemetry.QuantityByName("speed")
	for k := range packedReadings {
		m.Readings = append(m.Readings, telemetry.Reading{
			Sensor: id, Quantity: quantity.ID, Channel: "packed", Value: 30 + float64((i+k)%400)/10,
			Measured: telemetry.MilliOf(begin.Add(time.Duration(i/l.sensors*packedReadings+k) * time.Second)),
		})
	}
	return "city/" + string(id) + "/readings", senml.AppendCBOR(nil, &m, id)
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

// publish sends n messages and waits until all are acknowledged.
func publish(ctx context.Context, address string, n int, message func(i int) (string, []byte), log *slog.Logger) (err error) {
	p, end, err := publisher(ctx, address, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	for i := range n {
		topic, payload := message(i)
		if err := p.Publish(ctx, uplink.Message{Topic: topic, Payload: payload, Readings: 1}); err != nil {
			return err
		}
	}
	return p.Flush(ctx)
}
