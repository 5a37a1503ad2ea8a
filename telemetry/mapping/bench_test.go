package mapping_test

import (
	"strings"
	"testing"

	"github.com/lamppost-city/lamppost/telemetry"
	"github.com/lamppost-city/lamppost/telemetry/internal/wiretest"
)

// steady are mappings and payloads that come again and again: every way to a sensor, a channel and a time is among them.
func steady(t testing.TB) map[string][3]string {
	all := map[string][3]string{
		"records, keys, states": {
			`{each: "s.*", when: [{path: on, is: true}], sensor: {path: "*", prefix: dock-}, readings: [
				{path: v, quantity: speed, channel_from: n.id}, {path: "w[*]", quantity: intensity, channel_from: "*"},
				{path: d, quantity: door, values: [{text: AJAR, value: open}]}]}`,
			"a/b",
			`{"s":{"a1":{"on":true,"v":1.5,"n":{"id":"lane 1"},"w":[1,2,3],"d":"AJAR"},"a2":{"on":false}}}`,
		},
		"local time": {
			`{time: {path: t, format: "%F %T", zone: Europe/Madrid}, readings: [{path: v, quantity: speed}]}`,
			"a/b", `{"t":"2026-03-01 13:00:00","v":1}`,
		},
	}
	for name, file := range map[string]string{
		"zigbee2mqtt-climate": "full", "tasmota-energy": "two-channels", "tts-normalized": "two", "sensor-community": "sds011",
		"shelly-switch": "full", "chirpstack-uplink": "lpp",
	} {
		path := "testdata/" + name + "-" + file + ".json"
		topic, payload, _ := strings.Cut(string(wiretest.Files(t, path)[path]), "\n")
		all[name] = [3]string{"ready: " + name, topic, payload}
	}
	return all
}

func TestDecodeAllocatesNothingInSteadyState(t *testing.T) {
	for name, c := range steady(t) {
		t.Run(name, func(t *testing.T) {
			d, payload := decoder(t, c[0]), []byte(c[2])
			var msg telemetry.Message
			if n := testing.AllocsPerRun(100, func() {
				msg.Reset()
				d.Decode(&msg, c[1], payload, wiretest.From)
			}); n != 0 {
				t.Errorf("%v allocations", n)
			}
			if len(msg.Readings) == 0 || len(msg.Faults) != 0 {
				t.Errorf("%d readings, faults %v", len(msg.Readings), msg.Faults)
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	for name, c := range steady(b) {
		b.Run(name, func(b *testing.B) {
			d, payload := decoder(b, c[0]), []byte(c[2])
			var msg telemetry.Message
			b.ReportAllocs()
			b.SetBytes(int64(len(payload)))
			readings := 0
			for b.Loop() {
				msg.Reset()
				d.Decode(&msg, c[1], payload, wiretest.From)
				readings += len(msg.Readings)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(readings), "ns/reading")
		})
	}
}
