package senml_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/lamppost-city/lamppost/telemetry"
	"github.com/lamppost-city/lamppost/telemetry/internal/wiretest"
	"github.com/lamppost-city/lamppost/telemetry/senml"
)

func TestGoldenJSON(t *testing.T) {
	d := senml.NewDecoder(telemetry.DefaultLimits())
	wiretest.Golden(t, "testdata/*.json", d.DecodeJSON)
}

func TestGoldenCBOR(t *testing.T) {
	d := senml.NewDecoder(telemetry.DefaultLimits())
	wiretest.Golden(t, "testdata/*.cbor", d.DecodeCBOR)
}

// at is a time, where a rule is not about one.
const at = `"t":1772366400,`

func newDecode() wiretest.Decode { return senml.NewDecoder(telemetry.DefaultLimits()).DecodeJSON }

// Each case lists what is read, and of faults the reason and a word of the detail.
func TestRulesOfNamesAndTimes(t *testing.T) {
	wiretest.Rules(t, newDecode, []wiretest.Rule{
		{"an empty pack says nothing", `[]`, "", nil},
		{"a quantity alone is the publisher's", `[{` + at + `"n":"speed","v":1}]`, "gate-7 speed 1 12:00:00.000", nil},
		{"a quantity and a channel", `[{` + at + `"n":"speed/L1","v":1}]`, "gate-7 speed/L1 1 12:00:00.000", nil},
		{"a sensor and a quantity", `[{` + at + `"n":"cam-1/speed","v":1}]`, "cam-1 speed 1 12:00:00.000", nil},
		{"a sensor, a quantity and a channel", `[{` + at + `"n":"cam-1/speed/2","v":1}]`, "cam-1 speed/2 1 12:00:00.000", nil},
		{"of two quantities the second is a channel", `[{` + at + `"n":"door/speed","v":1}]`, "gate-7 door/speed 1 12:00:00.000", nil},
		{
			"a base name ends where it likes", `[{"bt":1772366400,"bn":"cam-1/sp","n":"eed","v":1},{"bn":"speed","v":2}]`,
			"cam-1 speed 1 12:00:00.000; gate-7 speed 2 12:00:00.000", nil,
		},
		{"four parts are too many", `[{"n":"cam-1/speed/2/3","v":1}]`, "", []string{"malformed channel"}},
		{"a sensor must be a slug", `[{"n":"urn:dev:ow:10e2073a01080063/speed","v":1}]`, "", []string{"malformed id"}},
		{"an unknown quantity", `[{"n":"cam-1/tempo","v":1}]`, "", []string{`unknown_quantity "tempo"`}},
		{"no name", `[{"v":1}]`, "", []string{`unknown_quantity ""`}},
		{"a name that is not UTF-8", "[{\"n\":\"cam-\xff/speed\",\"v\":1},{" + at + "\"n\":\"speed\",\"v\":1}]", "gate-7 speed 1 12:00:00.000", []string{"encoding UTF-8"}},
		{"a name with escapes", `[{` + at + `"n":"cam-1\/sp\u0065ed","v":1}]`, "cam-1 speed 1 12:00:00.000", nil},
		{"no time is stamped", `[{"n":"speed","v":1}]`, "gate-7 speed 1 12:00:01.000 stamped", nil},
		{"t of 0 is now, and stamped", `[{"n":"speed","v":1,"t":0}]`, "gate-7 speed 1 12:00:01.000 stamped", nil},
		{"a small t is relative to receipt", `[{"n":"speed","v":1,"t":-60.5}]`, "gate-7 speed 1 11:59:00.500", nil},
		{"t and bt are added before that is asked", `[{"bt":1772366400,"n":"speed","v":1,"t":-60}]`, "gate-7 speed 1 11:59:00.000", nil},
		{"2^28 is absolute", `[{"n":"speed","v":1,"t":268435456}]`, "gate-7 speed 1 1978", nil},
		{"just below 2^28 is relative", `[{"n":"speed","v":1,"t":268435455.999}]`, "gate-7 speed 1 2034", nil},
		{"milliseconds survive the addition", `[{"bt":1772366400.001,"n":"speed","v":1,"t":0.122}]`, "gate-7 speed 1 12:00:00.123", nil},
		{"a time beyond the calendar", `[{"n":"speed","v":1,"t":1e300}]`, "", []string{"time not a time"}},
		{"a time as text", `[{"n":"speed","v":1,"t":"now"}]`, "", []string{"time not a time"}},
		{
			"a bad base time spoils what depends on it until the next", `[{"bt":"x","n":"speed","v":1},{"n":"speed","v":2,"t":5},{"bt":1772366400,"n":"speed","v":3}]`,
			"gate-7 speed 3 12:00:00.000",
			[]string{"time", "time"},
		},
		{
			"a bad base name spoils what depends on it until the next", `[{"bn":["x"]},{"n":"speed","v":2},{` + at + `"bn":"","n":"speed","v":3}]`,
			"gate-7 speed 3 12:00:00.000",
			[]string{"malformed bn", "malformed n or bn"},
		},
		{"a base name twice is nobody's", `[{"bn":"a1/","bn":"b1/"},{"n":"speed","v":2}]`, "", []string{"malformed", "malformed", "malformed"}},
	})
}

func TestRulesOfValuesAndRecords(t *testing.T) {
	wiretest.Rules(t, newDecode, []wiretest.Rule{
		{"a unit is converted", `[{` + at + `"n":"speed","u":"m/s","v":10}]`, "gate-7 speed 36 12:00:00.000", nil},
		{"a base unit is converted", `[{` + at + `"bu":"m/s","n":"speed","v":10}]`, "gate-7 speed 36 12:00:00.000", nil},
		{"a unit goes before the base unit", `[{` + at + `"bu":"m/s","u":"km/h","n":"speed","v":10}]`, "gate-7 speed 10 12:00:00.000", nil},
		{"an empty unit is the quantity's own", `[{` + at + `"u":"","n":"speed","v":10}]`, "gate-7 speed 10 12:00:00.000", nil},
		{"an unknown unit", `[{"u":"furlong/h","n":"speed","v":10}]`, "", []string{`unit "furlong/h"`}},
		{"a unit of something else", `[{"u":"Cel","n":"speed","v":10}]`, "", []string{"unit cannot become"}},
		{"a unit that is no text", `[{"u":7,"n":"speed","v":10}]`, "", []string{"unit"}},
		{
			"a base value is added", `[{` + at + `"bv":20,"n":"temperature","v":1.5},{"n":"no2","v":1,"t":1772366400}]`,
			"gate-7 temperature 21.5 12:00:00.000; gate-7 no2 21 12:00:00.000", nil,
		},
		{"a base value is added before the unit is converted", `[{` + at + `"bv":273,"u":"K","n":"temperature","v":0.15}]`, "gate-7 temperature 0 12:00:00.000", nil},
		{"a bad base value", `[{"bv":"x","n":"temperature","v":1}]`, "", []string{"not_a_number bv"}},
		{"a sum that is too large", `[{"bv":1.7e308,"n":"temperature","v":1.7e308}]`, "", []string{"not_a_number too large"}},
		{"no value", `[{"n":"speed"}]`, "", []string{"not_a_number no value"}},
		{"null is absent", `[{"n":"speed","v":null}]`, "", nil},
		{"a text in v", `[{"n":"speed","v":"47.5"}]`, "", []string{`not_a_number "47.5"`}},
		{"a text in vs for a number", `[{"n":"speed","vs":"47.5"}]`, "", []string{`not_a_number "47.5"`}},
		{
			"a state in v, vs and vb", `[{` + at + `"n":"door","v":1},{` + at + `"n":"door","vs":"closed"},{` + at + `"n":"door","vb":true}]`,
			"gate-7 door 1 12:00:00.000; gate-7 door 0 12:00:00.000; gate-7 door 1 12:00:00.000", nil,
		},
		{"a state's name belongs in vs", `[{"n":"door","v":"open"}]`, "", []string{"not_a_number type"}},
		{"a number belongs in v", `[{"n":"door","vb":1}]`, "", []string{"not_a_number type"}},
		{"data is no value", `[{"n":"door","vd":"b3Blbg"}]`, "", []string{"not_a_number"}},
		{"two values", `[{"n":"door","v":1,"vb":true}]`, "", []string{"malformed several"}},
		{"NaN", `[{"n":"speed","v":NaN},{` + at + `"n":"speed","v":2}]`, "gate-7 speed 2 12:00:00.000", []string{"not_a_number NaN"}},
		{"a sum is not kept", `[{"n":"speed","s":3}]`, "", []string{"unknown_quantity sum"}},
		{"a sum beside a value leaves the value", `[{` + at + `"n":"speed","v":1,"s":3}]`, "gate-7 speed 1 12:00:00.000", []string{"unknown_quantity sum"}},
		{"unknown labels are ignored", `[{` + at + `"n":"speed","v":1,"ut":3600,"gw":"x","deep":{"a":[1]}}]`, "gate-7 speed 1 12:00:00.000", nil},
		{"unknown labels that must be understood", `[{` + at + `"n":"speed","v":1,"x_":1},{` + at + `"n":"speed","v":2}]`, "gate-7 speed 2 12:00:00.000", []string{"malformed ends in _"}},
		{"a label twice", `[{"n":"speed","v":1,"v":2}]`, "", []string{"malformed v at byte 1 comes twice"}},
		{"the sequence number, with any base name", `[{"bn":"cam-1/","n":"seq","v":17}]`, "seq 17", nil},
		{"the sequence number beyond 2^53", `[{"n":"seq","v":9007199254740993}]`, "seq 9007199254740993", nil},
		{"a sequence number that is none", `[{"n":"seq","v":1.5}]`, "", []string{"not_a_number whole"}},
		{"two sequence numbers", `[{"n":"seq","v":1},{"n":"seq","v":2}]`, "seq 1", []string{"malformed differs"}},
		{"version 10 is read", `[{"bver":10,` + at + `"n":"speed","v":1}]`, "gate-7 speed 1 12:00:00.000", nil},
		{"version 11 ends the pack", `[{` + at + `"n":"speed","v":1},{"bver":11,"n":"speed","v":2},{"n":"speed","v":3}]`, "gate-7 speed 1 12:00:00.000", []string{"malformed bver"}},
		{"what is not a record", `[7,null,{` + at + `"n":"speed","v":1},"x"]`, "gate-7 speed 1 12:00:00.000", []string{"malformed record 1", "malformed record 2", "malformed record 4"}},
		{"cut short keeps the whole records", `[{` + at + `"n":"speed","v":1},{"n":"no2","v":2`, "gate-7 speed 1 12:00:00.000", []string{"malformed cut short"}},
		{"an object is no pack", `{"n":"speed","v":1}`, "", []string{"malformed array"}},
		{"what follows the pack", `[{` + at + `"n":"speed","v":1}] x`, "gate-7 speed 1 12:00:00.000", []string{"malformed follows"}},
	})
}

func TestMoreReadingsThanTheLimitEndThePack(t *testing.T) {
	limits := telemetry.DefaultLimits()
	limits.MaxReadings = 3
	d := senml.NewDecoder(limits)
	for n := range 6 {
		payload := "[" + strings.TrimSuffix(strings.Repeat(`{"n":"speed","v":1},`, n), ",") + "]"
		var m telemetry.Message
		d.DecodeJSON(&m, []byte(payload), wiretest.From)
		told := len(m.Faults) == 1 && m.Faults[0].Reason == telemetry.ReasonTooLarge
		if len(m.Readings) != min(n, 3) || told != (n > 3) {
			t.Errorf("%d records: %d readings, faults %v", n, len(m.Readings), m.Faults)
		}
	}
}

func TestNamesAreForgottenWhenThereAreTooMany(t *testing.T) {
	limits := telemetry.DefaultLimits()
	limits.MaxNames = 2
	d := senml.NewDecoder(limits)
	for i := range 20 {
		var m telemetry.Message
		sensor := fmt.Sprintf("cam-%d", i%5)
		d.DecodeJSON(&m, fmt.Appendf(nil, `[{"n":"%s/speed/2","v":1}]`, sensor), wiretest.From)
		if len(m.Readings) != 1 || string(m.Readings[0].Sensor) != sensor || m.Readings[0].Channel != "2" {
			t.Fatalf("%s: %+v", sensor, m)
		}
	}
}

func TestReadingsShareNoMemoryWithThePayload(t *testing.T) {
	payload := []byte(`[{"n":"cam-1/speed/2","v":1}]`)
	var m telemetry.Message
	senml.NewDecoder(telemetry.DefaultLimits()).DecodeJSON(&m, payload, wiretest.From)
	clear(payload)
	if r := m.Readings[0]; r.Sensor != "cam-1" || r.Channel != "2" {
		t.Errorf("%+v", r)
	}
}
