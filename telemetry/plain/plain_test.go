package plain_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lamppost-city/lamppost/telemetry"
	"github.com/lamppost-city/lamppost/telemetry/internal/wiretest"
	"github.com/lamppost-city/lamppost/telemetry/plain"
)

func decode(t testing.TB, payload string) *telemetry.Message {
	t.Helper()
	var m telemetry.Message
	plain.NewDecoder(telemetry.DefaultLimits()).Decode(&m, []byte(payload), wiretest.From)
	wiretest.Check(t, &m, telemetry.DefaultLimits())
	return &m
}

func TestGolden(t *testing.T) {
	d := plain.NewDecoder(telemetry.DefaultLimits())
	wiretest.Golden(t, "testdata/*.json", d.Decode)
}

func newDecode() wiretest.Decode { return plain.NewDecoder(telemetry.DefaultLimits()).Decode }

// Each case lists what is read, and of faults the reason and a word of the detail.
func TestRules(t *testing.T) {
	wiretest.Rules(t, newDecode, []wiretest.Rule{
		{"an empty object says nothing", `{}`, "", nil},
		{"an empty array says nothing", ` [ ] `, "", nil},
		{"a heartbeat with only seq says nothing", `{"seq":1}`, "seq 1", nil},
		{"no time is stamped", `{"speed":1}`, "gate-7 speed 1 12:00:01.000 stamped", nil},
		{"time may follow the readings", `{"speed":1,"time":1772366400}`, "gate-7 speed 1 12:00:00.000", nil},
		{"sensor and channel may follow the readings", `{"speed":1,"time":1772366400,"channel":"a","sensor":"x1"}`, "x1 speed/a 1 12:00:00.000", nil},
		{"null is absent, for a quantity", `{"speed":null,"time":1772366400}`, "", nil},
		{"null is absent, for an unknown key", `{"foo":null,"speed":1,"time":1772366400}`, "gate-7 speed 1 12:00:00.000", nil},
		{"null is absent, for time", `{"time":null,"speed":1}`, "gate-7 speed 1 12:00:01.000 stamped", nil},
		{"a time before the sensor's first clock is read", `{"time":0,"speed":1}`, "gate-7 speed 1 1970", nil},
		{"a time of 2100 is read", `{"time":"2100-01-01T00:00:00Z","speed":1}`, "gate-7 speed 1 2100", nil},
		{
			"an unknown key leaves its neighbours", `{"time":1772366400,"speed":1,"foo":[{"a":1}],"no2":2}`,
			"gate-7 speed 1 12:00:00.000; gate-7 no2 2 12:00:00.000",
			[]string{`unknown_quantity "foo"`},
		},
		{"names are case sensitive", `{"time":1772366400,"Speed":1}`, "", []string{`unknown_quantity "Speed"`}},
		{"a name with escapes is the name", `{"time":1772366400,"\u0073peed":1}`, "gate-7 speed 1 12:00:00.000", nil},
		{"an empty key is unknown", `{"":1}`, "", []string{`unknown_quantity ""`}},
		{"a text is no number", `{"time":1772366400,"speed":"47.5","no2":1}`, "gate-7 no2 1 12:00:00.000", []string{`not_a_number "47.5"`}},
		{"NaN is no number", `{"time":1772366400,"speed":NaN,"no2":1}`, "gate-7 no2 1 12:00:00.000", []string{`not_a_number NaN`}},
		{"a number too large is no number", `{"speed":1e999,"time":1772366400}`, "", []string{`not_a_number 1e999`}},
		{"a missing value is no number", `{"speed":,"time":1772366400}`, "", []string{"not_a_number missing"}},
		{"an object is no number", `{"speed":{"value":1},"time":1772366400}`, "", []string{"not_a_number object"}},
		{"a boolean is no number", `{"speed":true}`, "", []string{"not_a_number true or false"}},
		{
			"a state by its name, number or boolean", `{"time":1772366400,"door":"open","smoke":1,"tamper":false}`,
			"gate-7 door 1 12:00:00.000; gate-7 smoke 1 12:00:00.000; gate-7 tamper 0 12:00:00.000", nil,
		},
		{"an unknown state is named with the known ones", `{"door":"ajar"}`, "", []string{"not_a_number closed, open"}},
		{"half a state is out of range", `{"door":0.5}`, "", []string{"range between two states"}},
		{"a key twice: the first counts", `{"time":1772366400,"speed":1,"speed":2}`, "gate-7 speed 1 12:00:00.000", []string{"malformed again"}},
		{"time twice: the first counts", `{"time":1772366400,"time":1,"speed":1}`, "gate-7 speed 1 12:00:00.000", []string{"malformed again"}},
		{
			"a time without zone refuses the record, not the next", `[{"time":"2026-03-01T12:00:00","speed":1,"no2":2},{"time":1772366400,"speed":3}]`,
			"gate-7 speed 3 12:00:00.000",
			[]string{"time record 1: speed", "time record 1: no2"},
		},
		{"an interval is no time", `{"time":"2026-03-01T12:00:00Z/2026-03-01T13:00:00Z","speed":1}`, "", []string{"time speed"}},
		{"a bad time without readings is a fault all the same", `{"time":"noon"}`, "", []string{`time "noon"`}},
		{"a bad sensor refuses the record", `{"speed":1,"sensor":"Cam 1"}`, "", []string{`malformed "Cam 1"`}},
		{"a sensor must be a text", `{"speed":1,"sensor":17}`, "", []string{`malformed "17"`}},
		{"a bad channel refuses the record", `{"speed":1,"channel":"a/b"}`, "", []string{`malformed "a/b"`}},
		{"a channel may be a number", `{"time":1772366400,"speed":1,"channel":2}`, "gate-7 speed/2 1 12:00:00.000", nil},
		{"seq as a text", `{"seq":"17"}`, "seq 17", nil},
		{"seq beyond 2^53", `{"seq":9007199254740993}`, "seq 9007199254740993", nil},
		{"seq below 0", `{"seq":-1}`, "", []string{"not_a_number seq"}},
		{"two sequence numbers in one message", `[{"seq":1},{"seq":1},{"seq":2}]`, "seq 1", []string{"malformed differs"}},
		{"a key that is not UTF-8", "{\"time\":1772366400,\"sp\xffeed\":1,\"no2\":2}", "gate-7 no2 2 12:00:00.000", []string{"encoding"}},
		{"a text that is not UTF-8", "{\"time\":\"\xff\",\"speed\":1}", "", []string{"encoding speed"}},
		{"half a surrogate pair", `{"door":"\ud83d"}`, "", []string{"encoding"}},
		{"a byte order mark is passed over", "\xEF\xBB\xBF{\"time\":1772366400,\"speed\":1}", "gate-7 speed 1 12:00:00.000", nil},
		{
			"what is not an object in an array", `[1,"a",null,[2],{"time":1772366400,"speed":1}]`, "gate-7 speed 1 12:00:00.000",
			[]string{"malformed record 1", "malformed record 2", "malformed record 3", "malformed record 4"},
		},
		{"a comma before the end costs nothing else", `{"time":1772366400,"speed":1,}`, "gate-7 speed 1 12:00:00.000", []string{"malformed comma"}},
		{"what follows the end is a fault", `{"time":1772366400,"speed":1}{"speed":2}`, "gate-7 speed 1 12:00:00.000", []string{"malformed follows"}},
		{"cut short after the time keeps what came", `{"time":1772366400,"speed":1,"no2":`, "gate-7 speed 1 12:00:00.000", []string{"malformed cut short"}},
		{
			"cut short before the time keeps nothing that would be false", `{"speed":1,"no2":2,"tim`, "",
			[]string{"malformed speed: its record has no time", "malformed no2: its record", "malformed cut short"},
		},
		{
			"cut short between records keeps them", `[{"speed":1},{"time":1772366400,"no2":2}`,
			"gate-7 speed 1 12:00:01.000 stamped; gate-7 no2 2 12:00:00.000",
			[]string{"malformed cut short"},
		},
		{"a broken record does not spoil a refused one before it", `[{"time":"x","speed":1} `, "", []string{"time speed", "malformed cut short"}},
		{"a bare key breaks the structure", `{speed:1}`, "", []string{"malformed double quotes"}},
		{"nested too deep", `{"a":` + strings.Repeat("[", 50) + strings.Repeat("]", 50) + `}`, "", []string{"malformed nested deeper than 16"}},
		{"an empty payload", ``, "", []string{"malformed cut short"}},
	})
}

func TestMoreReadingsThanTheLimitEndTheMessage(t *testing.T) {
	limits := telemetry.DefaultLimits()
	limits.MaxReadings = 3
	d := plain.NewDecoder(limits)
	for payload, readings := range map[string]int{
		`[{"time":1,"speed":1,"no2":2},{"time":2,"speed":3}]`:                                  3,
		`[{"time":1,"speed":1,"no2":2},{"time":2,"speed":3,"seq":4}]`:                          3,
		`[{"time":1,"speed":1,"no2":2},{"time":2,"speed":3,"no2":4},{"time":3,"speed":5}]`:     3,
		`[{"time":1,"speed":1},{"time":1,"speed":2},{"speed":3,"no2":4,"time":2},{"speed":5}]`: 2,
	} {
		var m telemetry.Message
		d.Decode(&m, []byte(payload), wiretest.From)
		wiretest.Check(t, &m, limits)
		full := strings.Count(payload, `"speed"`)+strings.Count(payload, `"no2"`) > limits.MaxReadings
		told := len(m.Faults) > 0 && m.Faults[len(m.Faults)-1].Reason == telemetry.ReasonTooLarge
		if len(m.Readings) != readings || told != full {
			t.Errorf("%s: %d readings, faults %v", payload, len(m.Readings), m.Faults)
		}
	}
}

func TestDecodeAppends(t *testing.T) {
	m := decode(t, `{"time":1772366400,"speed":1,"foo":2}`)
	d := plain.NewDecoder(telemetry.DefaultLimits())
	d.Decode(m, []byte(`{"time":1772366400,"speed":3,"foo":4}`), wiretest.From)
	if len(m.Readings) != 2 || m.Readings[0].Value != 1 || m.Readings[1].Value != 3 || len(m.Faults) != 2 {
		t.Errorf("%+v", m)
	}
}

func TestReadingsShareNoMemoryWithThePayload(t *testing.T) {
	payload := []byte(`{"time":1772366400,"sensor":"cam-1","channel":"2","speed":1}`)
	var m telemetry.Message
	plain.NewDecoder(telemetry.DefaultLimits()).Decode(&m, payload, wiretest.From)
	clear(payload)
	if r := m.Readings[0]; r.Sensor != "cam-1" || r.Channel != "2" {
		t.Errorf("%+v", r)
	}
}

// Nothing vanishes: in valid JSON each value that is not null, of a key that is not one of the four words, is a reading or a fault.
func FuzzDecode(f *testing.F) {
	wiretest.Seed(f, "testdata/*.json")
	d := plain.NewDecoder(telemetry.DefaultLimits())
	f.Fuzz(func(t *testing.T, payload []byte) {
		var m telemetry.Message
		d.Decode(&m, payload, wiretest.From)
		wiretest.Check(t, &m, telemetry.DefaultLimits())
		values, ok := countValues(payload)
		if got := len(m.Readings) + len(m.Faults); ok && got < values {
			t.Errorf("%d values became %d readings and faults: %s", values, got, wiretest.Render(&m))
		}
		var again telemetry.Message
		plain.NewDecoder(telemetry.DefaultLimits()).Decode(&again, payload, wiretest.From)
		if diff := cmp.Diff(wiretest.Render(&again), wiretest.Render(&m)); diff != "" {
			t.Errorf("a new decoder reads something else:\n%s", diff)
		}
	})
}

// countValues counts the values of a JSON object, or of an array's objects, with encoding/json.
func countValues(payload []byte) (n int, ok bool) {
	if !json.Valid(payload) {
		return 0, false
	}
	var records []json.RawMessage
	if json.Unmarshal(payload, &records) != nil {
		records = []json.RawMessage{payload}
	}
	for _, record := range records {
		in := json.NewDecoder(bytes.NewReader(record))
		if open, _ := in.Token(); open != json.Delim('{') {
			continue
		}
		for in.More() {
			key, _ := in.Token()
			var value json.RawMessage
			if in.Decode(&value) != nil {
				return 0, false
			}
			switch key {
			case "time", "seq", "sensor", "channel":
			default:
				if string(value) != "null" {
					n++
				}
			}
		}
	}
	return n, true
}
