package mapping_test

import (
	"strings"
	"testing"

	"github.com/lamppost-city/lamppost/telemetry"
	"github.com/lamppost-city/lamppost/telemetry/mapping"
)

func TestMappingsSayWhatIsWrong(t *testing.T) {
	good := `{path: v, quantity: speed}`
	for text, want := range map[string]string{
		`{}`:                    "readings: are none",
		`readings: [{path: v}]`: "readings[0].quantity: \"\" is not in the catalogue",
		`readings: [{path: v, quantity: speed, unit: Cel}]`:                                            "readings[0].unit: ",
		`readings: [{path: v, quantity: speed, factor: .inf}]`:                                         "readings[0].factor: ",
		`readings: [{path: v, quantity: speed, offset: .nan}]`:                                         "readings[0].offset: ",
		`readings: [{path: v, quantity: speed, channel: "a b"}]`:                                       "readings[0].channel: ",
		`readings: [{path: v, quantity: speed, channel: a, channel_from: b}]`:                          "readings[0].channel_from: channel is set as well",
		`readings: [{path: v, quantity: speed, channel_from: "*"}]`:                                    "readings[0].channel_from: * is the key",
		`readings: [{path: v, quantity: speed, channel_from: "a[*].b"}]`:                               "readings[0].channel_from: \"a[*].b\" has a star that path has not",
		`readings: [{path: v, quantity: speed, channel_from: $.a}]`:                                    "readings[0].channel_from: begins with $",
		`readings: [{path: $.v, quantity: speed, channel_from: a}]`:                                    "readings[0].channel_from: does not begin with $",
		`readings: [{path: v, quantity: speed, channel_from: "a["}]`:                                   "readings[0].channel_from: ",
		`readings: [{path: v, quantity: door, factor: 2}]`:                                             "readings[0].quantity: door is a state",
		`readings: [{path: v, quantity: door, values: [{text: x, value: ajar}]}]`:                      "readings[0].values[0].value: \"ajar\" is none of the states",
		`readings: [{path: v, quantity: door, values: [{text: x, value: 2}]}]`:                         "readings[0].values[0].value: ",
		`readings: [{path: v, quantity: speed, values: [{text: x, value: fast}]}]`:                     "readings[0].values[0].value: \"fast\" is not a number",
		`readings: [{path: v, quantity: speed, values: [{text: [x], value: 1}]}]`:                      "readings[0].values[0].text: ",
		`readings: [{path: v, quantity: speed, values: [{text: x}]}]`:                                  "readings[0].values[0].value: ",
		`readings: [{path: v, quantity: speed, missing: [{a: b}]}]`:                                    "readings[0].missing[0]: ",
		`{each: "a[", readings: [` + good + `]}`:                                                       "each: ",
		`{when: [{path: ""}], readings: [` + good + `]}`:                                               "when[0].path: is empty",
		`{when: [{is: 1}], readings: [` + good + `]}`:                                                  "when[0].path: has 0",
		`{when: [{path: a, is: []}], readings: [` + good + `]}`:                                        "when[0].is: has 0 values",
		`{when: [{path: a, is: {b: c}}], readings: [` + good + `]}`:                                    "when[0].is: ",
		`{sensor: {id: A}, readings: [` + good + `]}`:                                                  "sensor.id: ",
		`{sensor: {id: aa, path: b}, readings: [` + good + `]}`:                                        "sensor.id: only one of",
		`{sensor: {path: "a[*]"}, readings: [` + good + `]}`:                                           "sensor.path: \"a[*]\" leads to several",
		`{sensor: {path: "*"}, readings: [` + good + `]}`:                                              "sensor.path: * is the key",
		`{sensor: {topic: [0]}, readings: [` + good + `]}`:                                             "sensor.topic: there is no level 0",
		`{sensor: {slug: true}, readings: [` + good + `]}`:                                             "sensor.names: they, slug and prefix",
		`{sensor: {path: a, prefix: "-"}, readings: [` + good + `]}`:                                   "sensor.prefix: ",
		`{sensor: {path: a, names: [{name: x, id: y}]}, readings: [` + good + `]}`:                     "sensor.names[0].id: ",
		`{sensor: {path: a, names: [{name: x, id: speed}]}, readings: [` + good + `]}`:                 "sensor.names[0].id: id \"speed\" is the name of a quantity",
		`{sensor: {path: a, names: [{name: x, id: yy}, {name: x, id: zz}]}, readings: [` + good + `]}`: "sensor.names[1].name: \"x\" is there twice",
		`{time: {path: t, format: iso}, readings: [` + good + `]}`:                                     "time.format: \"iso\" is none of",
		`{time: {path: t, format: "%F %T"}, readings: [` + good + `]}`:                                 "time.zone: the format has no zone",
		`{time: {path: t, format: "%F %T%z", zone: UTC}, readings: [` + good + `]}`:                    "time.zone: the format says the zone itself",
		`{time: {path: t, zone: UTC}, readings: [` + good + `]}`:                                       "time.zone: the format says",
		`{time: {path: t, format: "%F %T", zone: Mars/Base}, readings: [` + good + `]}`:                "time.zone: \"Mars/Base\" is not known",
		`{time: {path: t, format: "%F %T", zone: Local}, readings: [` + good + `]}`:                    "time.zone: \"Local\" differs",
		`{time: {path: t, format: "%F %T", zone: "+1"}, readings: [` + good + `]}`:                     "time.zone: \"+1\" is no offset",
		`{time: {path: t, format: "%Q"}, readings: [` + good + `]}`:                                    "time.format: %Q is not known",
		`{time: {path: t, format: "%H:%M"}, readings: [` + good + `]}`:                                 "time.format: has no whole date",
		`{time: {path: t, format: "%F"}, readings: [` + good + `]}`:                                    "time.format: has no whole time",
		`{time: {path: t, format: "%F %T %d"}, readings: [` + good + `]}`:                              "time.format: %d is there twice",
		`{time: {path: t, format: "%"}, readings: [` + good + `]}`:                                     "time.format: ends with %",
		`{time: {format: unix}, readings: [` + good + `]}`:                                             "time.path: is empty",
		`{time: {path: "a.*"}, readings: [` + good + `]}`:                                              "time.path: ",
	} {
		o, err := mapping.Decode(fields(t, text))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		err = o.Validate()
		if err == nil || !strings.Contains("\n"+err.Error(), "\n"+want) {
			t.Errorf("%s:\n%v\nwant %s", text, err, want)
		}
		if _, err := mapping.New(o, telemetry.DefaultLimits()); err == nil {
			t.Errorf("%s makes a decoder", text)
		}
	}
}

func TestKeysThatThereAreNot(t *testing.T) {
	for text, want := range map[string]string{
		`{readings: [{path: v, quantity: speed, colour: red}]}`: "colour",
		`{reading: []}`:                            "reading",
		`{ready: zigbee}`:                          `ready: "zigbee" is none of chirpstack-uplink`,
		`{more_readings: [{path: v}]}`:             "more_readings: ",
		`{readings: [{path: v, 1: 2}]}`:            "readings[0]: has a key that is no text",
		`{ready: shelly-switch, more_readings: 3}`: "more_readings: ",
		`{readings: 7}`:                            "readings",
	} {
		if _, err := mapping.Decode(fields(t, text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %s", text, err, want)
		}
	}
}
