package mapping_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/lamppost-city/lamppost/telemetry"
	"github.com/lamppost-city/lamppost/telemetry/internal/wiretest"
	"github.com/lamppost-city/lamppost/telemetry/mapping"
)

// fields reads a mapping as a person writes it.
func fields(t testing.TB, text string) map[string]any {
	t.Helper()
	var m map[string]any
	if err := yaml.Unmarshal([]byte(text), &m); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return m
}

func options(t testing.TB, text string) mapping.Options {
	t.Helper()
	o, err := mapping.Decode(fields(t, text))
	if err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return o
}

func decoder(t testing.TB, text string) *mapping.Decoder {
	t.Helper()
	d, err := mapping.New(options(t, text), telemetry.DefaultLimits())
	if err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return d
}

// rule is a mapping and what it makes of a payload; readings and faults are as in wiretest.Rule.
type rule struct {
	name, mapping, topic, payload, readings string
	faults                                  []string
}

func hold(t *testing.T, rules []rule) {
	t.Helper()
	for _, r := range rules {
		d := decoder(t, r.mapping)
		wiretest.Rules(t, func() wiretest.Decode {
			return func(msg *telemetry.Message, payload []byte, from telemetry.Origin) {
				d.Decode(msg, r.topic, payload, from)
			}
		}, []wiretest.Rule{{Name: r.name, Payload: r.payload, Readings: r.readings, Faults: r.faults}})
	}
}

const stamped = " 12:00:01.000 stamped"

func TestPaths(t *testing.T) {
	one := func(path string) string {
		b, _ := json.Marshal(path)
		return `readings: [{path: ` + string(b) + `, quantity: speed, channel_from: ""}]`
	}
	hold(t, []rule{
		{name: "a key", mapping: one(`v`), payload: `{"a":1,"v":7}`, readings: "gate-7 speed 7" + stamped},
		{name: "keys within keys", mapping: one(`a.b.c`), payload: `{"a":{"x":1,"b":{"c":7}},"b":2}`, readings: "gate-7 speed 7" + stamped},
		{name: "keys with odd characters need no quotes", mapping: one(`switch:0.Luft °C/h-1`), payload: `{"switch:0":{"Luft °C/h-1":7}}`, readings: "gate-7 speed 7" + stamped},
		{name: "keys in quotes", mapping: one(`"a.b[*]"."\"\u00b0"`), payload: `{"a.b[*]":{"\"°":7},"a":{"b":[8]}}`, readings: "gate-7 speed 7" + stamped},
		{name: "escapes in the payload's keys", mapping: one(`°C`), payload: `{"\u00b0C":7}`, readings: "gate-7 speed 7" + stamped},
		{name: "an element of an array", mapping: one(`a[1].v`), payload: `{"a":[{"v":6},{"v":7},{"v":8}]}`, readings: "gate-7 speed 7" + stamped},
		{name: "elements of elements", mapping: one(`[1][0]`), payload: `[[1],[7]]`, readings: "gate-7 speed 7" + stamped},
		{name: "an array is the payload", mapping: one(`[0].v`), payload: `[{"v":7}]`, readings: "gate-7 speed 7" + stamped},
		{name: "the payload itself", mapping: one(`$`), payload: ` 7 `, readings: "gate-7 speed 7" + stamped},
		{name: "the record itself", mapping: one(`@`), payload: `7`, readings: "gate-7 speed 7" + stamped},
		{name: "$ and @ before a key", mapping: one(`$.a["b"=1].v`), payload: `{"a":[{"b":2,"v":6},{"b":1,"v":7}]}`, readings: "gate-7 speed 7" + stamped},
		{name: "a member chosen by what is in it", mapping: one(`a[type=x y].v`), payload: `{"a":{"p":{"type":"z","v":6},"q":{"type":"x y","v":7}}}`, readings: "gate-7 speed 7" + stamped},
		{name: "chosen by true", mapping: one(`a[on=true].v`), payload: `{"a":[{"on":false,"v":6},{"on":true,"v":7}]}`, readings: "gate-7 speed 7" + stamped},
		{name: "chosen by a text with a bracket", mapping: one(`a[n="x]"].v`), payload: `{"a":[{"n":"x]","v":7}]}`, readings: "gate-7 speed 7" + stamped},
		{
			name: "stars are all elements, by number", mapping: `readings: [{path: "a[*].v", quantity: speed, channel_from: "*"}]`,
			payload: `{"a":[{"v":6},{"w":1},{"v":8}]}`, readings: "gate-7 speed/0 6" + stamped + "; gate-7 speed/2 8" + stamped,
		},
		{
			name: "stars are all members, by key", mapping: `readings: [{path: "a.*.v", quantity: speed, channel_from: "*"}]`,
			payload: `{"a":{"L1":{"v":6},"lane 2":{"v":8},"x":3}}`, readings: "gate-7 speed/L1 6" + stamped + "; gate-7 speed/lane-2 8" + stamped,
		},
		{
			name: "the last star makes the channel", mapping: `readings: [{path: "*.*", quantity: speed, channel_from: "*"}]`,
			payload: `{"x":{"a":1,"b":2}}`, readings: "gate-7 speed/a 1" + stamped + "; gate-7 speed/b 2" + stamped,
		},
		{
			name: "a channel beside the value", mapping: `readings: [{path: "a[*].d.v", quantity: speed, channel_from: "a[*].name"}, {path: "a[*].n", quantity: intensity, channel_from: "a[*].d.k"}]`,
			payload:  `{"a":[{"d":{"v":1,"k":7},"name":"in","n":5},{"d":{"v":2},"name":"out"}]}`,
			readings: "gate-7 speed/in 1" + stamped + "; gate-7 speed/out 2" + stamped + "; gate-7 intensity/7 5" + stamped,
		},
		{
			name: "a channel of the whole payload", mapping: `readings: [{path: v, quantity: speed, channel_from: meta.id}]`,
			payload: `{"v":1,"meta":{"id":3}}`, readings: "gate-7 speed/3 1" + stamped,
		},
		{
			name: "a channel that is not there", mapping: `readings: [{path: v, quantity: speed, channel_from: id}]`,
			payload: `{"v":1}`, faults: []string{`malformed there is no channel at "id"`},
		},
		{
			name: "a channel that is none", mapping: `readings: [{path: "*.v", quantity: speed, channel_from: "*.id"}]`,
			payload:  `{"a":{"v":1,"id":true},"b":{"v":2,"id":"123456789012345678901234567890123"},"c":{"v":3,"id":"ok"}}`,
			readings: "gate-7 speed/ok 3" + stamped, faults: []string{"malformed neither a text", "malformed at most 32"},
		},
	})
}

func TestPathsThatAreNone(t *testing.T) {
	for path, word := range map[string]string{
		"":                             "is empty",
		"a..b":                         "two dots",
		"a.":                           "ends with a dot",
		".a":                           "two dots",
		"a[":                           "closing bracket",
		"a[x":                          "closing bracket",
		"a[-1]":                        "neither a number",
		"a[+1]":                        "neither a number",
		"a[1.5]":                       "neither a number",
		"a[x=y":                        "closing bracket",
		`a["x"=y`:                      "closing bracket",
		`a["x"`:                        "there should be =",
		`a[x="y"`:                      "closing bracket",
		`a[x="y]`:                      "closing double quote",
		`a."b`:                         "closing double quote",
		`a."\x"`:                       "as in JSON",
		`a."b"c`:                       "a dot is missing",
		"a[0]b":                        "a dot is missing",
		"a*":                           "double quotes",
		"a]":                           "double quotes",
		"a.\tb":                        "double quotes",
		`a"b`:                          "double quotes",
		"$a":                           "behind $",
		"a[x*y=1]":                     "double quotes",
		"a[12345678901]":               "neither a number",
		strings.Repeat("a.", 24) + "a": "25 steps",
		strings.Repeat("a", 501):       "501 characters",
	} {
		err := mapping.Options{Readings: []mapping.Reading{{Path: path, Quantity: "speed"}}}.Validate()
		if err == nil || !strings.HasPrefix(err.Error(), "readings[0].path: ") || !strings.Contains(err.Error(), word) {
			t.Errorf("path %q: %v; want %q", path, err, word)
		}
	}
}

func TestValues(t *testing.T) {
	hold(t, []rule{
		{
			name: "units are converted", mapping: `readings: [{path: v, quantity: temperature, unit: "°F"}, {path: p, quantity: pressure, unit: Pa}]`,
			payload: `{"v":212,"p":101325}`, readings: "gate-7 temperature 100" + stamped + "; gate-7 pressure 1013.25" + stamped,
		},
		{
			name: "factor and offset come before the unit", mapping: `readings: [{path: v, quantity: relative_humidity, unit: "%", factor: 0.5, offset: 10}]`,
			payload: `{"v":60}`, readings: "gate-7 relative_humidity 0.4" + stamped,
		},
		{
			name: "numbers as text", mapping: `readings: [{path: v, quantity: pm10, number_as_text: true}, {path: w, quantity: pm25, number_as_text: true}]`,
			payload: `{"v":" 26.83 ","w":22}`, readings: "gate-7 pm10 26.83" + stamped + "; gate-7 pm25 22" + stamped,
		},
		{
			name: "a number as text that is none", mapping: `readings: [{path: v, quantity: pm10, number_as_text: true}]`,
			payload: `{"v":"-59 dBm"}`, faults: []string{`not_a_number "-59 dBm" is not a finite number`},
		},
		{
			name: "a text is no number otherwise", mapping: `readings: [{path: v, quantity: pm10}]`,
			payload: `{"v":"26.83"}`, faults: []string{`not_a_number pm10 from "v" at byte 5: the value is the text`},
		},
		{
			name: "states by their names, numbers, true and false", mapping: `readings: [{path: a, quantity: door}, {path: b, quantity: flood}, {path: c, quantity: smoke}, {path: d, quantity: tamper}]`,
			payload:  `{"a":"open","b":1,"c":true,"d":false}`,
			readings: "gate-7 door 1" + stamped + "; gate-7 flood 1" + stamped + "; gate-7 smoke 1" + stamped + "; gate-7 tamper 0" + stamped,
		},
		{
			name: "states by a list", mapping: `readings: [{path: a, quantity: door, values: [{text: true, value: closed}, {text: false, value: open}]}, {path: b, quantity: tamper, values: [{text: ON, value: 1}]}]`,
			payload: `{"a":true,"b":"ON"}`, readings: "gate-7 door 0" + stamped + "; gate-7 tamper 1" + stamped,
		},
		{
			name: "YAML's on and off are texts", mapping: `readings: [{path: a, quantity: power_state, values: [{text: on, value: off}, {text: off, value: on}]}]`,
			payload: `{"a":"on"}`, readings: "gate-7 power_state 0" + stamped,
		},
		{
			name: "numbers by a list go through factor and unit", mapping: `readings: [{path: a, quantity: battery_level, unit: "%", values: [{text: low, value: 20}, {text: 255, value: 100}]}]`,
			payload: `{"a":"low"}`, readings: "gate-7 battery_level 0.2" + stamped,
		},
		{
			name: "numbers of a list are compared as numbers", mapping: `readings: [{path: a, quantity: battery_level, unit: "%", values: [{text: 255, value: 100}]}]`,
			payload: `{"a":2.55e2}`, readings: "gate-7 battery_level 1" + stamped,
		},
		{
			name: "a state that is not in the list", mapping: `readings: [{path: a, quantity: door, values: [{text: ON, value: open}]}]`,
			payload: `{"a":"AJAR"}`, faults: []string{`not_a_number "AJAR" is not one of closed, open`},
		},
		{
			name: "a bare word is a text", mapping: `readings: [{path: $, quantity: door, values: [{text: OPEN, value: open}]}]`,
			payload: `OPEN`, readings: "gate-7 door 1" + stamped,
		},
	})
}

func TestValuesThatAreNone(t *testing.T) {
	hold(t, []rule{
		{
			name: "missing values make neither reading nor fault", mapping: `readings: [{path: a, quantity: speed, missing: [-127, unavailable, nan]}, {path: b, quantity: gap_distance, missing: [unavailable]}, {path: c, quantity: headway_time, missing: [nan]}, {path: d, quantity: occupancy}]`,
			payload: `{"a":-127.0,"b":"unavailable","c":nan,"d":null}`,
		},
		{
			name: "what JSON does not have is a fault in its place", mapping: `readings: [{path: a, quantity: speed}, {path: b, quantity: gap_distance}, {path: c, quantity: headway_time}]`,
			payload: `{"a":NaN,"b":5,"c":}`, readings: "gate-7 gap_distance 5" + stamped, faults: []string{`not_a_number "NaN" is not a finite`, "not_a_number the value is missing"},
		},
		{
			name: "what is too large for a number", mapping: `readings: [{path: a, quantity: speed, factor: 1e300}]`,
			payload: `{"a":1e300}`, faults: []string{"not_a_number too large"},
		},
		{
			name: "compounds are no values", mapping: `readings: [{path: a, quantity: speed}]`,
			payload: `{"a":{"v":3}}`, faults: []string{`not_a_number speed from "a" at byte 5: the value is an object or array`},
		},
		{
			name: "a compound is left to the path that leads on", mapping: `readings: [{path: a, quantity: speed}, {path: "a[*]", quantity: speed, channel_from: "*"}]`,
			payload: `{"a":[3,4]}`, readings: "gate-7 speed/0 3" + stamped + "; gate-7 speed/1 4" + stamped,
		},
		{
			name: "and so is a single value to the path that ends there", mapping: `readings: [{path: a, quantity: speed}, {path: "a[*]", quantity: speed, channel_from: "*"}]`,
			payload: `{"a":3}`, readings: "gate-7 speed 3" + stamped,
		},
		{
			name: "required values", mapping: `readings: [{path: a, quantity: speed, required: true}, {path: b, quantity: gap_distance, required: true}, {path: c, quantity: headway_time}]`,
			payload: `{"b":null,"c":1}`, readings: "gate-7 headway_time 1" + stamped, faults: []string{`not_a_number speed: there is no value at "a"`, "not_a_number gap_distance: there is no value"},
		},
		{
			name: "a payload without any mapped value", mapping: `readings: [{path: a, quantity: speed}, {path: b.c, quantity: gap_distance}]`,
			payload: `{"x":1,"b":2}`, faults: []string{`malformed none of the mapped values is there: "a", "b.c"`},
		},
		{
			name: "the first of two alike counts", mapping: `readings: [{path: a, quantity: speed}, {path: b, quantity: speed}, {path: "c[*]", quantity: intensity}]`,
			payload: `{"b":2,"a":1,"c":[3,4]}`, readings: "gate-7 speed 1" + stamped + "; gate-7 intensity 3" + stamped,
			faults: []string{`malformed speed from "b" at byte 5: there is one already`, "malformed intensity"},
		},
		{
			name: "a key that comes twice", mapping: `readings: [{path: a.v, quantity: speed}]`,
			payload: `{"a":{"v":1,"v":2},"a":{"v":3}}`, readings: "gate-7 speed 1" + stamped,
			faults: []string{`malformed key "a" comes again before byte 23`, `malformed key "v" comes again before byte 16`},
		},
	})
}

func TestRecordsSensorsAndConditions(t *testing.T) {
	list := `
each: "[*]"
sensor: {path: id}
time: {path: t}
readings: [{path: v, quantity: speed}]`
	keyed := `
each: sensors.*
sensor: {path: "*", prefix: dock-}
readings: [{path: v, quantity: speed}, {path: "w[*]", quantity: intensity, channel_from: "*"}]`
	hold(t, []rule{
		{
			name: "records with sensor and time", mapping: list, payload: `[{"id":"aa","t":1772366400,"v":1},{"id":"bb","t":"2026-03-01T12:00:02+01:00","v":2},{"id":"cc","v":3}]`,
			readings: "aa speed 1 12:00:00.000; bb speed 2 11:00:02.000; cc speed 3" + stamped,
		},
		{
			name: "a record without what is mapped is named by its number", mapping: list, payload: `[{"id":"aa","v":1},{"id":"bb"}]`,
			readings: "aa speed 1" + stamped, faults: []string{"malformed record 2: none of the mapped values"},
		},
		{
			name: "a sensor that is not there", mapping: list, payload: `[{"v":1},{"id":null,"v":2},{"id":"bb","v":3}]`,
			readings: "bb speed 3" + stamped, faults: []string{`malformed record 1: speed: there is no sensor at "id"`, "malformed record 2: speed: sensor at byte 15 is neither"},
		},
		{
			name: "a sensor that is none", mapping: list, payload: `[{"id":"Gate 7","v":1},{"id":"speed","v":2},{"id":17,"v":3}]`,
			readings: "17 speed 3" + stamped, faults: []string{`malformed "Gate 7" is no sensor's id`, `malformed "speed" is no sensor's id`},
		},
		{
			name: "a time that is none takes its record's readings with it", mapping: list, payload: `[{"id":"aa","t":"noon","v":1},{"id":"bb","t":null,"v":2}]`,
			readings: "bb speed 2" + stamped, faults: []string{`time record 1: speed: time "noon" at byte 16`},
		},
		{name: "no record", mapping: list, payload: `[]`, faults: []string{`malformed there is no record at "[*]"`}},
		{
			name: "records by key", mapping: keyed, payload: `{"sensors":{"a1":{"v":1},"b2":{"v":2,"w":[5]}},"x":1}`,
			readings: "dock-a1 speed 1" + stamped + "; dock-b2 speed 2" + stamped + "; dock-b2 intensity/0 5" + stamped,
		},
		{
			name: "the channel is the record's key", mapping: `{each: "lanes.*", readings: [{path: v, quantity: speed, channel_from: "*"}]}`,
			payload: `{"lanes":{"1":{"v":1},"2":{"v":2}}}`, readings: "gate-7 speed/1 1" + stamped + "; gate-7 speed/2 2" + stamped,
		},
		{
			name: "what all records share begins with $", mapping: `{each: "s[*]", sensor: {path: $.dev}, time: {path: [at, $.at]}, readings: [{path: v, quantity: speed}]}`,
			payload: `{"dev":"aa","at":1772366400,"s":[{"v":1},{"v":2,"at":1772366401}]}`, readings: "aa speed 1 12:00:00.000; aa speed 2 12:00:01.000",
		},
		{
			name: "records that are bare values", mapping: `{each: "v[*]", readings: [{path: "@", quantity: speed, channel_from: "*"}]}`,
			payload: `{"v":[1,2]}`, readings: "gate-7 speed/0 1" + stamped + "; gate-7 speed/1 2" + stamped,
		},
		{
			name: "a condition that does not hold passes the payload over", mapping: `{when: [{path: method, is: NotifyStatus}], readings: [{path: v, quantity: speed}]}`,
			payload: `{"method":"NotifyEvent","v":1}`,
		},
		{
			name: "a condition that holds", mapping: `{when: [{path: method, is: [A, NotifyStatus]}, {path: n, is: 2}, {path: b, is: true}, {path: "l[*]", is: x}, {path: o}], readings: [{path: v, quantity: speed}]}`,
			payload: `{"method":"NotifyStatus","n":2.0,"b":true,"l":["y","x"],"o":{},"v":1}`, readings: "gate-7 speed 1" + stamped,
		},
		{name: "one of several paths", mapping: `{when: [{path: [a, b]}], readings: [{path: v, quantity: speed}]}`, payload: `{"b":0,"v":1}`, readings: "gate-7 speed 1" + stamped},
		{name: "what must not be there", mapping: `{when: [{path: [a, b], absent: true}], readings: [{path: v, quantity: speed}]}`, payload: `{"b":0,"v":1}`},
		{name: "what must not be so", mapping: `{when: [{path: a, is: x, absent: true}], readings: [{path: v, quantity: speed}]}`, payload: `{"a":"y","v":1}`, readings: "gate-7 speed 1" + stamped},
		{name: "null does not meet a condition", mapping: `{when: [{path: v}], readings: [{path: v, quantity: speed}]}`, payload: `{"v":null}`},
		{
			name: "conditions on records pass records over", mapping: `{each: "[*]", when: [{path: k, is: speed}], readings: [{path: v, quantity: speed}]}`,
			payload: `[{"k":"noise","v":1},{"k":"speed","v":2}]`, readings: "gate-7 speed 2" + stamped,
		},
		{name: "conditions on the payload come before its records", mapping: `{each: "[*]", when: [{path: $.k}], readings: [{path: v, quantity: speed}]}`, payload: `{}`},
		{name: "a constant sensor", mapping: `{sensor: {id: door-1}, readings: [{path: v, quantity: speed}]}`, payload: `{"v":1}`, readings: "door-1 speed 1" + stamped},
		{
			name: "a level of the topic", mapping: `{sensor: {topic: 2, slug: true}, readings: [{path: v, quantity: speed}]}`, topic: "zigbee2mqtt/Kitchen  Door!",
			payload: `{"v":1}`, readings: "kitchen-door speed 1" + stamped,
		},
		{name: "several levels", mapping: `{sensor: {topic: [-1, 1], slug: true}, readings: [{path: v, quantity: speed}]}`, topic: "a/b/c", payload: `{"v":1}`, readings: "c-a speed 1" + stamped},
		{name: "a level that the topic has not", mapping: `{sensor: {topic: [4]}, readings: [{path: v, quantity: speed}]}`, topic: "a/b/c", payload: `{"v":1}`, faults: []string{"topic has no level 4"}},
		{
			name: "names", mapping: `{sensor: {topic: [1], prefix: z-, names: [{name: "Tür.Süd", id: door-south}]}, readings: [{path: v, quantity: speed}]}`, topic: "Tür.Süd",
			payload: `{"v":1}`, readings: "door-south speed 1" + stamped,
		},
		{name: "a slug that is a quantity", mapping: `{sensor: {topic: [1], slug: true}, readings: [{path: v, quantity: speed}]}`, topic: "Door", payload: `{"v":1}`, faults: []string{"topic list it in names: id"}},
		{name: "a slug of nothing", mapping: `{sensor: {topic: [1], slug: true}, readings: [{path: v, quantity: speed}]}`, topic: "é", payload: `{"v":1}`, faults: []string{"topic is no sensor's id"}},
	})
}

func TestTwoNamesNeverBecomeOneSensor(t *testing.T) {
	d := decoder(t, `{sensor: {topic: [1], slug: true, names: [{name: x, id: listed}]}, readings: [{path: v, quantity: speed}]}`)
	for topic, want := range map[string]int{"Door 1": 1, "Door 2": 1} {
		for range 2 {
			if n := len(decode(d, topic, `{"v":1}`).Readings); n != want {
				t.Errorf("%s: %d readings", topic, n)
			}
		}
	}
	for _, topic := range []string{"door-1", "Door/1", "Listed"} {
		m := decode(d, topic, `{"v":1}`)
		if topic == "Door/1" { // the first level only
			continue
		}
		if len(m.Readings) != 0 || len(m.Faults) != 1 || !strings.Contains(m.Faults[0].Detail, "becomes the id of") {
			t.Errorf("%s: %+v", topic, m)
		}
	}
}

func decode(d *mapping.Decoder, topic, payload string) telemetry.Message {
	var m telemetry.Message
	d.Decode(&m, topic, []byte(payload), wiretest.From)
	return m
}

func TestPayloadsThatAreNotWhole(t *testing.T) {
	d := `readings: [{path: v, quantity: speed}]`
	hold(t, []rule{
		{name: "empty", mapping: d, payload: ``, faults: []string{"malformed empty"}},
		{name: "cut short", mapping: d, payload: `{"v":1`, faults: []string{"malformed cut short at byte 6"}},
		{name: "cut in a text", mapping: d, payload: `{"v":1,"x":"`, faults: []string{"malformed cut short"}},
		{name: "not JSON", mapping: d, payload: `<v>1</v>`, faults: []string{"malformed none of the mapped values"}},
		{name: "bytes, even where a condition lets them not in", mapping: `{when: [{path: v}], readings: [{path: v, quantity: speed}]}`, payload: "\x00\xff\xfe", faults: []string{"encoding neither JSON nor a text"}},
		{name: "CBOR", mapping: d, payload: "\x81\xa2\x00", faults: []string{"encoding"}},
		{name: "no key", mapping: d, payload: `{1:2}`, faults: []string{"malformed a key in double quotes"}},
		{name: "something follows", mapping: d, payload: `{"v":1} {"v":2}`, readings: "gate-7 speed 1" + stamped, faults: []string{"malformed something follows the end of the message at byte 8"}},
		{name: "too deep", mapping: d, payload: strings.Repeat(`{"v":`, 17), faults: []string{"malformed nested deeper than 16"}},
		{name: "a byte order mark", mapping: d, payload: "\xef\xbb\xbf" + `{"v":1}`, readings: "gate-7 speed 1" + stamped},
		{name: "no UTF-8 in a name", mapping: `{sensor: {path: id}, readings: [{path: v, quantity: speed}]}`, payload: "{\"id\":\"\xff\",\"v\":1}", faults: []string{"encoding"}},
	})
}

func TestBounds(t *testing.T) {
	limits := telemetry.Limits{MaxReadings: 4, MaxDepth: 8, MaxNames: 10}
	d, err := mapping.New(options(t, `{each: "[*]", sensor: {path: id}, readings: [{path: "v[*]", quantity: speed, channel_from: "*"}]}`), limits)
	if err != nil {
		t.Fatal(err)
	}
	for payload, want := range map[string]string{
		`[{"id":"aa","v":[1,2,3,4,5,6,7,8]}]`:           "too_large",
		`[{},{},{},{},{},{},{},{},{},{},{}]`:            "too_large",
		`[` + strings.Repeat(`0,`, 64) + `0]`:           "too_large",
		`[{"id":"aa","id":"aa","v":[1,1,1]},{"v":[1]}]`: "malformed",
	} {
		m := decode(d, "", payload)
		wiretest.Check(t, &m, limits)
		if n := len(m.Faults); n == 0 || m.Faults[n-1].Reason.String() != want {
			t.Errorf("%.40s: %+v", payload, m.Faults)
		}
	}
}

// TestWorkIsBounded holds that a hostile payload does not make a decoder work for long: every shared place is looked for once.
func TestWorkIsBounded(t *testing.T) {
	d := decoder(t, `{each: "a[*]", sensor: {path: "$.ids[k=9999999].id"}, time: {path: ["$.b[x=1].t", t]}, when: [{path: "$.z[*]", is: 1}],
readings: [{path: "v[*]", quantity: speed, channel_from: c}, {path: "$.z[*]", quantity: intensity}]}`)
	payload := `{"ids":[` + strings.Repeat(`{"k":1},`, 20_000) + `{"k":9999999,"id":"aa"}],"z":[1],"a":[` +
		strings.Repeat(`{"v":[1,2,3,4],"c":"x"},`, 9_000) + `{}]}`
	began := time.Now()
	m := decode(d, "", payload)
	wiretest.Check(t, &m, telemetry.DefaultLimits())
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("%d bytes took %s", len(payload), took)
	}
}
