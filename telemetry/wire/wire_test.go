package wire_test

import (
	"encoding/hex"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lamppost-city/lamppost/telemetry"
	"github.com/lamppost-city/lamppost/telemetry/internal/wiretest"
	"github.com/lamppost-city/lamppost/telemetry/wire"
)

const goldenPayloads = "../[ps]*/testdata/*"

func decode(t testing.TB, payload []byte) *telemetry.Message {
	t.Helper()
	var m telemetry.Message
	wire.NewDecoder(telemetry.DefaultLimits()).Decode(&m, payload, wiretest.From)
	wiretest.Check(t, &m, telemetry.DefaultLimits())
	return &m
}

// Whatever plain and senml read in their own tests comes out the same when the format is told from the bytes.
func TestFormatIsToldFromTheBytes(t *testing.T) {
	d := wire.NewDecoder(telemetry.DefaultLimits())
	seen := 0
	for _, pattern := range []string{"../plain/testdata/*.json", "../senml/testdata/*.json", "../senml/testdata/*.cbor"} {
		for name, payload := range wiretest.Files(t, pattern) {
			golden := wiretest.Files(t, name+".golden")[name+".golden"]
			var m telemetry.Message
			d.Decode(&m, payload, wiretest.From)
			if diff := cmp.Diff(string(golden), wiretest.Render(&m)); diff != "" {
				t.Errorf("%s: -want +got\n%s", name, diff)
			}
			seen++
		}
	}
	if seen < 15 {
		t.Errorf("only %d payloads", seen)
	}
}

func TestRules(t *testing.T) {
	const speed = "reading gate-7 speed 1 2026-03-01T12:00:00.000Z\n"
	for _, c := range []struct{ name, payload, want string }{
		{"an array whose first object has n is SenML", `[{"v":1,"t":1772366400,"n":"speed"}]`, speed},
		{"an array whose first object has a quantity is plain", `[{"speed":1,"time":1772366400}]`, speed},
		{"what neither knows is passed over", `[{"foo":{"n":[1]},"n":"speed","v":1,"t":1772366400}]`, speed},
		{
			"what is no object is passed over", `[7,{},{"n":"speed","v":1,"t":1772366400}]`,
			speed + "fault malformed gate-7: record 1: an object should stand at byte 1\n",
		},
		{"white space and a byte order mark come before any format", "\xEF\xBB\xBF \r\n\t[ { \"n\" : \"speed\" , \"v\" : 1 , \"t\" : 1772366400 } ] ", speed},
		{
			"an array of things nobody knows is plain", `[{"foo":1}]`,
			"fault unknown_quantity gate-7: record 1: key \"foo\" before byte 8 is not a quantity of the catalogue\n",
		},
		{"an empty array", `[]`, ""},
		{"an empty CBOR array", "\x80", ""},
		{"an endless empty CBOR array", "\x9f\xff", ""},
		{"an empty payload", "", "fault malformed gate-7: the payload is empty\n"},
		{"white space", "  \n", `fault malformed gate-7: the payload begins with "  \n", which is neither JSON object or array nor a CBOR array` + "\n"},
		{"a bare number", "47.5", `fault malformed gate-7: the payload begins with "47.5", which is neither JSON object or array nor a CBOR array` + "\n"},
		{"binary rubbish", "\x00\xff\x12", `fault malformed gate-7: the payload begins with "\x00\xff\x12", which is neither JSON object or array nor a CBOR array` + "\n"},
		{"a CBOR map", "\xa1\x00\x01", `fault malformed gate-7: the payload begins with "\xa1\x00\x01", which is neither JSON object or array nor a CBOR array` + "\n"},
		{"a broken first key", `[{"n`, "fault malformed gate-7: record 1: the payload is cut short at byte 4\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, wiretest.Render(decode(t, []byte(c.payload)))); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

// Fields and traps of what cities really send, which must not be read as something that they do not mean.
func TestForeignPayloadsAreRefusedAndNotMisread(t *testing.T) {
	for _, c := range []struct{ name, payload string }{
		{"a Smart Data Models attribute", `{"id":"x","type":"TrafficFlowObserved","dateObserved":"2026-03-01T12:00:00Z","averageVehicleSpeed":52.6}`},
		{"a Things Stack uplink", `{"end_device_ids":{"device_id":"a"},"uplink_message":{"f_port":1,"decoded_payload":{"temperature":21.5}}}`},
		{"a ChirpStack event", `{"deduplicationId":"a","deviceInfo":{"devEui":"0"},"object":{"temperature":21.5}}`},
		{"Sentilo observations", `{"observations":[{"value":"9.6","timestamp":"17/02/2016T11:43:45CET","location":"41.3888 2.15899"}]}`},
		{"Sensor.Community values", `{"software_version":"1","sensordatavalues":[{"value_type":"SDS_P1","value":"26.83"}]}`},
		{"a Home Assistant discovery", `{"stat_t":"a","unit_of_meas":"ppm","dev_cla":"carbon_monoxide"}`},
		{"a base64 payload", `ZnJtX3BheWxvYWQ=`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if m := decode(t, []byte(c.payload)); len(m.Readings) != 0 || len(m.Faults) == 0 {
				t.Errorf("read as %s", wiretest.Render(m))
			}
		})
	}
}

func TestDeepNestingIsRefused(t *testing.T) {
	for _, piece := range []string{`[`, `{"a":`, `[{"a":`, "\x81", "\x9f", "\xa1\x00", "\xc2", "\xd9\xd9\xf7", "\x81\xa1\x00"} {
		m := decode(t, []byte(strings.Repeat(piece, 1<<20/len(piece))))
		if len(m.Readings) != 0 || len(m.Faults) == 0 {
			t.Errorf("%q again and again is read as %s", piece, wiretest.Render(m))
		}
	}
}

func TestTenMegabytesOfAnythingYieldABoundedMessage(t *testing.T) {
	for _, record := range []string{`{"speed":1,"foo":2},`, `{"n":"speed","v":1},`, `7,`, `{},`, `{"n":"x","v":1},`, `{"speed":"a"},`} {
		m := decode(t, []byte("["+strings.Repeat(record, 10<<20/len(record))+"{}]"))
		if n := len(m.Readings) + len(m.Faults); n > telemetry.DefaultLimits().MaxReadings+2 {
			t.Errorf("%s again and again is %d readings and faults", record, n)
		}
	}
}

func TestTheExampleOfThePackageCommentIsRead(t *testing.T) {
	payload, err := hex.DecodeString("81a20065" + hex.EncodeToString([]byte("speed")) + "02f951f0")
	if err != nil {
		t.Fatal(err)
	}
	if m := decode(t, payload); len(m.Readings) != 1 || m.Readings[0].Value != 47.5 {
		t.Errorf("%s", wiretest.Render(m))
	}
}

func FuzzDecode(f *testing.F) {
	for name, payload := range wiretest.Files(f, goldenPayloads) {
		if filepath.Ext(name) != ".golden" {
			f.Add(payload)
		}
	}
	f.Add([]byte(threeFields))
	d := wire.NewDecoder(telemetry.DefaultLimits())
	f.Fuzz(func(t *testing.T, payload []byte) {
		kept := string(payload)
		var m telemetry.Message
		d.Decode(&m, payload, wiretest.From)
		wiretest.Check(t, &m, telemetry.DefaultLimits())
		if string(payload) != kept {
			t.Error("the payload was changed")
		}
		before := wiretest.Render(&m)
		clear(payload)
		if after := wiretest.Render(&m); after != before {
			t.Errorf("the message changed with the payload: %s, %s", before, after)
		}
	})
}
