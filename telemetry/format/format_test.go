package format_test

import (
	"strings"
	"testing"
	"time"

	"github.com/lamppost-city/lamppost/telemetry"
	"github.com/lamppost-city/lamppost/telemetry/format"
	"github.com/lamppost-city/lamppost/telemetry/internal/wiretest"
)

func decoder(t *testing.T, name string, options map[string]any) format.Decoder {
	t.Helper()
	d, err := format.New(name, options, telemetry.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func read(d format.Decoder, topic, payload string) string {
	var m telemetry.Message
	d.Decode(&m, topic, []byte(payload), wiretest.From)
	return wiretest.Render(&m)
}

func TestFormatsByName(t *testing.T) {
	topic := map[string]any{"sensor": map[string]any{"topic": 2}}
	for _, c := range []struct {
		format, topic, payload, want string
		options                      map[string]any
	}{
		{"json", "zigbee2mqtt/Door 1", `{"contact":false}`, "reading door-1 door 1 2026-03-01T12:00:01.000Z stamped\n", map[string]any{"ready": "zigbee2mqtt-contact"}},
		{"json", "", `{"v":3}`, "reading gate-7 speed 3 2026-03-01T12:00:01.000Z stamped\n", map[string]any{"readings": []any{map[string]any{"path": "v", "quantity": "speed"}}}},
		{
			"json", "a/b/status/switch:0", `{"id":0,"apower":5,"extra":{"x":7}}`,
			"reading shelly-1 active_power/0 5 2026-03-01T12:00:01.000Z stamped\nreading shelly-1 speed 7 2026-03-01T12:00:01.000Z stamped\n",
			map[string]any{
				"ready": "shelly-switch", "sensor": map[string]any{"id": "shelly-1"},
				"more_readings": []any{map[string]any{"path": "extra.x", "quantity": "speed"}},
			},
		},
		{"wire", "x", `{"time":1772366400,"speed":3}`, "reading gate-7 speed 3 2026-03-01T12:00:00.000Z\n", nil},
		{"wire", "city/loop-1/readings", `[{"n":"speed","v":3,"t":1772366400},{"n":"loop-2/speed","v":4,"t":1772366400},{"n":"seq","v":9}]`, "reading loop-1 speed 3 2026-03-01T12:00:00.000Z\nreading loop-2 speed 4 2026-03-01T12:00:00.000Z\nseq 9\n", topic},
		{"wire", "city", `{"speed":3}`, "fault topic gate-7: topic \"city\" has no level 2\n", topic},
	} {
		if got := read(decoder(t, c.format, c.options), c.topic, c.payload); got != c.want {
			t.Errorf("%s %s:\n%swant\n%s", c.format, c.payload, got, c.want)
		}
	}
}

func TestWhatIsWrongWithAFormatIsSaid(t *testing.T) {
	for _, c := range []struct {
		format, want string
		options      map[string]any
	}{
		{"xml", `format: "xml" is none of json, wire`, nil},
		{"json", "readings: are none", nil},
		{"json", "ready: ", map[string]any{"ready": "no"}},
		{"wire", "ready", map[string]any{"ready": "zigbee2mqtt-plug"}},
		{"wire", "sensor.path: ", map[string]any{"sensor": map[string]any{"path": "a"}}},
		{"wire", "sensor.topic: ", map[string]any{"sensor": map[string]any{"topic": 0}}},
		{"wire", "sensor: has a key", map[string]any{"sensor": map[any]any{1: 2}}},
	} {
		if _, err := format.New(c.format, c.options, telemetry.DefaultLimits()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %v: %v; want %s", c.format, c.options, err, c.want)
		}
	}
}

func TestExamplesAreRead(t *testing.T) {
	at := wiretest.From.Received.Time()
	for _, name := range format.Names() {
		var options map[string]any
		if name == "json" {
			options = map[string]any{"ready": "tts-normalized"}
		}
		d := decoder(t, name, options)
		payload, err := d.Example("gate-7", at, func(q *telemetry.Quantity, _ string) float64 { return max(q.Min, 0.5) })
		if err != nil {
			t.Fatal(err)
		}
		var m telemetry.Message
		d.Decode(&m, "a/b", payload, wiretest.From)
		if len(m.Faults) > 0 || len(m.Readings) < 2 || m.Readings[0].Measured.Time().Sub(at).Abs() > time.Second || m.Readings[0].Sensor != "gate-7" {
			t.Errorf("%s: %s is read as\n%s", name, payload, wiretest.Render(&m))
		}
	}
}
