package mapping_test

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/lamppost-city/lamppost/telemetry"
	"github.com/lamppost-city/lamppost/telemetry/internal/wiretest"
	"github.com/lamppost-city/lamppost/telemetry/mapping"
)

// TestReadyMappings reads payloads in the shape of each format's documentation: testdata/<mapping>-<case>.json, with the
// topic in the file's first line.
func TestReadyMappings(t *testing.T) {
	for _, name := range mapping.Ready() {
		t.Run(name, func(t *testing.T) {
			d := decoder(t, "ready: "+name)
			if options(t, "ready: "+name).Title == "" {
				t.Error("it has no title")
			}
			wiretest.Golden(t, filepath.Join("testdata", name+"-*.json"), func(msg *telemetry.Message, file []byte, from telemetry.Origin) {
				topic, payload, _ := strings.Cut(string(file), "\n")
				d.Decode(msg, topic, []byte(payload), from)
			})
		})
	}
}

func TestExamplesAreReadWithoutFaults(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 250e6, time.UTC)
	value := func(q *telemetry.Quantity, _ string) float64 {
		if q.Kind == telemetry.State {
			return 1
		}
		return max(q.Min, min(q.Max, 20))
	}
	texts := []string{
		`{each: "s.*", sensor: {path: "*"}, readings: [{path: v, quantity: speed, channel_from: n.id}, {path: "w[*].x", quantity: intensity, channel_from: "w[*].id"}]}`,
		`{when: [{path: "a[k=2].on", is: true}, {path: z}], time: {path: [t], format: "%d/%m/%Y %I:%M:%S.%f %p", zone: Europe/Madrid}, readings: [{path: "a[2]", quantity: speed}, {path: "b[k=x].v", quantity: temperature, unit: K, factor: 0.1, number_as_text: true}]}`,
		`{readings: [{path: $, quantity: door, values: [{text: OPEN, value: open}]}]}`,
		`{time: {path: t, format: unix}, readings: [{path: v, quantity: door, values: [{text: false, value: open}]}]}`,
		`{time: {path: t, format: "%y-%b-%d %H.%M %z"}, readings: [{path: v, quantity: speed}]}`,
	}
	for _, name := range mapping.Ready() {
		texts = append(texts, "ready: "+name)
	}
	for _, text := range texts {
		d := decoder(t, text)
		payload, err := d.Example("cabinet-7", at, value)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		m := decode(d, "cabinet-7/cabinet-7/x", string(payload))
		if len(m.Faults) > 0 || len(m.Readings) == 0 {
			t.Errorf("%s: %s is read as %s", text, payload, wiretest.Render(&m))
		}
		for _, r := range m.Readings {
			if want := value(r.Quantity.Quantity(), ""); math.Abs(r.Value-want) > 1e-6 {
				t.Errorf("%s: %s: %+v, want %g", text, payload, r, want)
			}
			if off := r.Measured.Time().Sub(at).Abs(); !r.Stamped && off > time.Minute {
				t.Errorf("%s: %s: measured %s", text, payload, r.Measured.Time())
			}
		}
	}
}

// Whatever bytes come, every ready mapping makes a message of them that keeps what messages promise.
func FuzzPayload(f *testing.F) {
	files := wiretest.Files(f, "testdata/*.json")
	for _, file := range files {
		topic, payload, _ := strings.Cut(string(file), "\n")
		for which := range len(mapping.Ready()) {
			f.Add(topic, []byte(payload), uint8(which))
			f.Add(topic, []byte(payload[:len(payload)/2]), uint8(which))
		}
	}
	f.Fuzz(func(t *testing.T, topic string, payload []byte, which uint8) {
		names := mapping.Ready()
		d := decoder(t, "ready: "+names[int(which)%len(names)])
		check(t, d, topic, payload)
	})
}

func check(t *testing.T, d *mapping.Decoder, topic string, payload []byte) {
	t.Helper()
	var m, again telemetry.Message
	d.Decode(&m, topic, payload, wiretest.From)
	wiretest.Check(t, &m, telemetry.DefaultLimits())
	d.Decode(&again, topic, payload, wiretest.From)
	if wiretest.Render(&m) != wiretest.Render(&again) {
		t.Errorf("%q is read as\n%s\nand then as\n%s", payload, wiretest.Render(&m), wiretest.Render(&again))
	}
}

// Whatever a person or a city writes, it is a mapping or it is said what is wrong; what it reads keeps what messages promise.
func FuzzMapping(f *testing.F) {
	for _, name := range mapping.Ready() {
		text, err := os.ReadFile("ready/" + name + ".yaml")
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range wiretest.Files(f, "testdata/"+name+"-*.json") {
			_, payload, _ := strings.Cut(string(file), "\n")
			f.Add(text, []byte(payload))
		}
	}
	f.Add([]byte(`{each: "s.*", when: [{path: a, is: [1, true, x]}], sensor: {path: "*", slug: true, prefix: x}, time: {path: [t, $.t], format: "%d %b %y %I:%M:%S.%f %p %z"}, readings: [{path: "v[k=1].*", quantity: door, channel_from: "v[k=1].*", values: [{text: ON, value: open}], missing: [nan]}]}`),
		[]byte(`{"s":{"a":{"a":true,"t":"1 Mar 26 12:00:00.5 pm Z","v":[{"k":1,"z":"ON"}]}}}`))
	f.Fuzz(func(t *testing.T, text, payload []byte) {
		var raw map[string]any
		if len(text) > 4096 || yaml.Unmarshal(text, &raw) != nil {
			return
		}
		o, err := mapping.Decode(raw)
		if err != nil {
			return
		}
		d, err := mapping.New(o, telemetry.DefaultLimits())
		if err != nil {
			return
		}
		check(t, d, "a/b/c", payload)
		example, err := d.Example("door-1", wiretest.From.Received.Time(), func(q *telemetry.Quantity, _ string) float64 { return q.Min })
		if err == nil {
			check(t, d, "a/b/c", example)
		}
	})
}
