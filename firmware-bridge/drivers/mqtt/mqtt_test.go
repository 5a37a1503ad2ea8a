package mqtt_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	_ "time/tzdata" // the zones must not depend on the machine

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver/drivertest"
	"github.com/lamppost-city/lamppost/firmware-bridge/drivers/mqtt"
	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
	"github.com/lamppost-city/lamppost/firmware-bridge/simbus"
	"github.com/lamppost-city/lamppost/telemetry"
)

// room is a sensor that listens to a simulated broker, and what it has delivered.
type room struct {
	t      *testing.T
	on     *simbus.Bus
	sensor driver.Sensor
	stop   func()

	mu    sync.Mutex
	heard []driver.Measurement
	errs  []error // of each delivery
}

func listen(t *testing.T, options map[string]any) *room {
	r := &room{t: t, on: drivertest.Bus(t, bus.MQTT)}
	r.open(options)
	return r
}

func (r *room) open(options map[string]any) {
	r.sensor = drivertest.Open(r.t, mqtt.Driver(), r.on.Bus(), options)
	ctx, cancel := context.WithCancel(r.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.sensor.(driver.Listener).Listen(ctx, r.deliver) }()
	r.stop = func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			r.t.Errorf("listening ends with %v", err)
		}
	}
	synctest.Wait()
}

func (r *room) deliver(ms []driver.Measurement, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.heard, r.errs = append(r.heard, ms...), append(r.errs, err)
}

// say publishes and returns what was delivered of it, and the fault of the last delivery.
func (r *room) say(topic, payload string, retain bool) ([]driver.Measurement, error) {
	r.t.Helper()
	return r.after(func() { r.on.Topics.Publish(topic, []byte(payload), retain) })
}

func (r *room) after(act func()) (heard []driver.Measurement, last error) {
	r.mu.Lock()
	r.heard, r.errs = nil, nil
	r.mu.Unlock()
	act()
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.errs) > 0 {
		last = r.errs[len(r.errs)-1]
	}
	return r.heard, last
}

// brief writes measurements as sensor/quantity/channel=value, with the date where the device has said it.
func brief(ms []driver.Measurement) string {
	var words []string
	for _, m := range ms {
		word := fmt.Sprintf("%s/%s/%s=%.6g", m.Sensor, m.Quantity, m.Channel, m.Value)
		if !m.Date.IsZero() {
			word += "@" + m.Date.UTC().Format(time.DateTime)
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

// recorded are messages as their makers' documentation and devices have them.
func TestRecordedMessages(t *testing.T) {
	for _, c := range []struct {
		name, topic, payload, want string
		options                    map[string]any
	}{
		{
			"one Zigbee device is the entry", "zigbee2mqtt/Kitchen 2", `{"battery":97,"humidity":48.2,"last_seen":"2000-01-01T01:00:00+01:00","linkquality":120,"temperature":21.45,"voltage":2995}`,
			"/temperature/=21.45@2000-01-01 00:00:00 /relative_humidity/=0.482@2000-01-01 00:00:00 /battery_level/=0.97@2000-01-01 00:00:00 /battery_voltage/=2.995@2000-01-01 00:00:00 /link_quality/=120@2000-01-01 00:00:00",
			map[string]any{"topic": "zigbee2mqtt/Kitchen 2", "mapping": "zigbee2mqtt-climate"},
		},
		{
			"all Zigbee devices are named by the topic", "zigbee2mqtt/Door 1", `{"contact":false,"linkquality":80}`,
			"door-1/door/=1 door-1/link_quality/=80",
			map[string]any{"topic": "zigbee2mqtt/+", "mapping": "zigbee2mqtt-contact"},
		},
		{
			"a Tasmota plug", "tele/tasmota_8A2B4C/SENSOR", `{"Time":"1970-01-01T00:00:11","ENERGY":{"TotalStartTime":"2019-12-24T08:00:00","Total":15.123,"Yesterday":0.512,"Today":0.213,"Power":37,"ApparentPower":56,"ReactivePower":42,"Factor":0.66,"Voltage":231,"Current":0.242}}`,
			"/energy_import/=15.123 /active_power/=37 /apparent_power/=56 /reactive_power/=42 /power_factor/=0.66 /voltage/=231 /current/=0.242",
			map[string]any{"topic": "tele/tasmota_8A2B4C/SENSOR", "mapping": map[string]any{"ready": "tasmota-energy"}},
		},
		{
			"a LoRaWAN uplink with a field of one's own", "v3/parks@ttn/devices/bench-3/up",
			`{"end_device_ids":{"device_id":"bench-3"},"received_at":"2000-01-01T00:00:00.5Z","uplink_message":{"f_cnt":5,"decoded_payload":{"soil":31.5},"rx_metadata":[{"rssi":-101,"snr":4.2}],"received_at":"2000-01-01T00:00:00Z"}}`,
			"bench-3/signal_strength/=-101@2000-01-01 00:00:00 bench-3/signal_to_noise/=4.2@2000-01-01 00:00:00 bench-3/soil_moisture/=0.315@2000-01-01 00:00:00",
			map[string]any{"topic": "v3/+/devices/+/up", "mapping": map[string]any{
				"ready": "tts-uplink", "more_readings": []any{map[string]any{"path": "uplink_message.decoded_payload.soil", "quantity": "soil_moisture", "unit": "%"}},
			}},
		},
		{
			"a mapping of one's own", "cab/1", `{"d":{"t":"70.7"}}`, "/temperature/=21.5",
			map[string]any{"topic": "cab/#", "mapping": map[string]any{"readings": []any{map[string]any{"path": "d.t", "quantity": "temperature", "unit": "°F", "number_as_text": true}}}},
		},
		{
			"the example of docs/mapping.md", "loops/gate-17", `{"dev":"A-17","ts":"01/01/2000 01:00:00","lanes":[{"no":1,"v":52.6,"n":12},{"no":2,"v":"-"}]}`,
			"/speed/1=52.6@2000-01-01 00:00:00 /intensity/1=12@2000-01-01 00:00:00",
			map[string]any{"topic": "loops/gate-17", "mapping": map[string]any{
				"time": map[string]any{"path": "ts", "format": "%d/%m/%Y %H:%M:%S", "zone": "Europe/Madrid"},
				"readings": []any{
					map[string]any{"path": "lanes[*].v", "quantity": "speed", "unit": "km/h", "channel_from": "lanes[*].no", "missing": []any{"-"}},
					map[string]any{"path": "lanes[*].n", "quantity": "intensity", "channel_from": "lanes[*].no"},
				},
			}},
		},
		{
			"SenML", "city/loop-9/readings", `[{"bn":"loop-9/","n":"speed","u":"km/h","v":31.5}]`, "loop-9/speed/=31.5",
			map[string]any{"topic": "city/+/readings", "format": "wire", "mapping": map[string]any{"sensor": map[string]any{"topic": []any{2}}}},
		},
		{
			"plain JSON", "loops/9", `{"speed":31.5,"intensity":4}`, "/speed/=31.5 /intensity/=4",
			map[string]any{"topic": "loops/9", "format": "wire"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := listen(t, c.options)
				defer r.stop()
				got, err := r.say(c.topic, c.payload, false)
				if err != nil || brief(got) != c.want {
					t.Errorf("%v\ngot  %s\nwant %s", err, brief(got), c.want)
				}
				if got, err := r.say("other/topic/x", c.payload, false); len(got) > 0 || err != nil {
					t.Errorf("another topic is read: %v, %v", got, err)
				}
			})
		})
	}
}

func climate() map[string]any {
	return map[string]any{"topic": "zigbee2mqtt/+", "mapping": "zigbee2mqtt-climate", "availability": "zigbee2mqtt/+/availability"}
}

func TestReadingsAreOfTheTimeOfArrival(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := listen(t, climate())
		defer r.stop()
		time.Sleep(90 * time.Second)
		got, err := r.say("zigbee2mqtt/a1", `{"temperature":20}`, false)
		want := []driver.Measurement{{Sensor: "a1", Quantity: "temperature", Value: 20}}
		if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(driver.Measurement{}, "At")); err != nil || diff != "" {
			t.Fatalf("%v\n%s", err, diff)
		}
		if at := time.Duration(got[0].At); at != 90*time.Second {
			t.Errorf("it is dated %s after the start", at)
		}
	})
}

// What the broker has kept is old. It counts only where the message itself says of when it is.
func TestRetainedMessagesAreNotOfNow(t *testing.T) {
	for payload, want := range map[string]string{
		`{"temperature":20}`: "",
		`{"temperature":20,"last_seen":"2000-01-01T00:30:00Z"}`: "a1/temperature/=20@2000-01-01 00:30:00",
		`{"temperature":20,"last_seen":"1999-12-01T00:30:00Z"}`: "", // weeks ago
		`{"temperature":20,"last_seen":"2000-01-01T02:30:00Z"}`: "", // a clock that is wrong
		`{"temperature":20,"last_seen":0}`:                      "",
	} {
		synctest.Test(t, func(t *testing.T) {
			r := &room{t: t, on: drivertest.Bus(t, bus.MQTT)}
			time.Sleep(time.Hour)
			r.on.Topics.Publish("zigbee2mqtt/a1", []byte(payload), true)
			got, err := r.after(func() { r.open(climate()) })
			defer func() { r.stop() }()
			if err != nil || brief(got) != want {
				t.Errorf("%s: got %s, %v; want %q", payload, brief(got), err, want)
			}
			for _, m := range got {
				if at := time.Duration(m.At); at != -30*time.Minute { // the test's clock counts from the opening
					t.Errorf("%s: it is dated %s after the start", payload, at)
				}
			}
			// The same message is of now when it comes while somebody listens, though it asks to be retained.
			if got, err := r.say("zigbee2mqtt/a1", `{"temperature":21}`, true); err != nil || brief(got) != "a1/temperature/=21" {
				t.Errorf("live: %s, %v", brief(got), err)
			}
			if got, err := r.say("zigbee2mqtt/a1", "", true); err != nil || len(got) > 0 {
				t.Errorf("what clears a retained message is read: %s, %v", brief(got), err)
			}
		})
	}
}

func TestGarbageIsAFaultAndTheNextGoodMessageIsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := listen(t, climate())
		defer r.stop()
		for _, c := range []struct {
			topic, payload string
			kind           fault.Kind
			advice         string
		}{
			{"zigbee2mqtt/a1", "\x00\xff\xfe", fault.Garbled, "mosquitto_sub -v -t 'zigbee2mqtt/+'"},
			{"zigbee2mqtt/a1", `{"temperature":20`, fault.Garbled, "mapping"},
			{"zigbee2mqtt/a1", `{"temperature":"warm"}`, fault.Garbled, "mapping"},
			{"zigbee2mqtt/a1", `{"temperature":20,"last_seen":"yesterday"}`, fault.Garbled, "mapping"},
			{"zigbee2mqtt/Türe", `{"temperature":20}`, "", ""},
			{"zigbee2mqtt/°", `{"temperature":20}`, fault.Misconfigured, "sensor.names"},
			{"zigbee2mqtt/a1/availability", `perhaps`, fault.Garbled, "availability"},
			{"zigbee2mqtt/a1/availability", `{"state":`, fault.Garbled, "availability"},
			{"zigbee2mqtt/a1/availability", `{}`, fault.Garbled, "availability"},
			{"zigbee2mqtt/a1", strings.Repeat(`[`, 10000), fault.Garbled, ""},
		} {
			got, err := r.say(c.topic, c.payload, false)
			if c.kind == "" {
				if err != nil || len(got) == 0 {
					t.Errorf("%s: %v", c.topic, err)
				}
				continue
			}
			drivertest.WantFault(t, err, c.kind, c.advice)
			if len(got) > 0 {
				t.Errorf("%s %.20s is read as %s", c.topic, c.payload, brief(got))
			}
			if got, err := r.say("zigbee2mqtt/a1", `{"temperature":20}`, false); err != nil || len(got) != 1 {
				t.Errorf("the next good message: %v, %v", got, err)
			}
		}
		got, err := r.say("zigbee2mqtt/a1", `{"temperature":20,"humidity":"wet"}`, false)
		if brief(got) != "a1/temperature/=20" || fault.KindOf(err) != fault.Garbled {
			t.Errorf("half a message: %s, %v", brief(got), err)
		}
	})
}

func TestDevicesThatAreOfflineAreAbsent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &room{t: t, on: drivertest.Bus(t, bus.MQTT)}
		r.on.Topics.Publish("zigbee2mqtt/a1/availability", []byte(`{"state":"offline"}`), true)
		_, err := r.after(func() { r.open(climate()) })
		defer func() { r.stop() }()
		drivertest.WantFault(t, err, fault.Absent, "battery")
		_, err = r.say("zigbee2mqtt/b2/availability", "Offline", true)
		drivertest.WantFault(t, err, fault.Absent)
		if want := "offline: zigbee2mqtt/a1/availability, zigbee2mqtt/b2/availability"; err == nil || err.Error() != want {
			t.Errorf("it says %v, want %s", err, want)
		}
		got, err := r.say("zigbee2mqtt/c3", `{"temperature":20}`, false)
		if drivertest.WantFault(t, err, fault.Absent); len(got) != 1 {
			t.Errorf("the others are still read: %v", got)
		}
		if _, err = r.say("zigbee2mqtt/a1/availability", "online", true); fault.KindOf(err) != fault.Absent {
			t.Errorf("one is still away: %v", err)
		}
		if _, err = r.say("zigbee2mqtt/b2/availability", "", true); err != nil {
			t.Errorf("nobody says any more that it is away: %v", err)
		}
	})
}

func TestTasmotasLastWillIsAbsent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := listen(t, map[string]any{"topic": "tele/plug/SENSOR", "mapping": "tasmota-energy", "availability": "tele/plug/LWT"})
		defer r.stop()
		_, err := r.say("tele/plug/LWT", "Offline", true)
		drivertest.WantFault(t, err, fault.Absent)
		if _, err := r.say("tele/plug/LWT", "Online", true); err != nil {
			t.Error(err)
		}
	})
}

func TestBrokerThatIsAwayIsLostAndComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := listen(t, climate())
		defer r.stop()
		_, err := r.after(func() { r.on.Topics.Leave(true) })
		drivertest.WantFault(t, err, fault.Lost, "broker")
		if got, _ := r.say("zigbee2mqtt/a1", `{"temperature":20}`, false); len(got) > 0 {
			t.Errorf("heard of a broker that is away: %v", got)
		}
		if _, err = r.after(func() { r.on.Topics.Leave(false) }); err != nil {
			t.Errorf("it is back: %v", err)
		}
		if got, err := r.say("zigbee2mqtt/a1", `{"temperature":20}`, false); err != nil || len(got) != 1 {
			t.Errorf("got %v, %v", got, err)
		}
	})
}

func TestSilenceIsAFaultWhereItIsSaidHowLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		options := climate()
		options["silence"] = "1h"
		r := listen(t, options)
		defer r.stop()
		quiet := func(kind fault.Kind) {
			t.Helper()
			if got, err := r.sensor.Read(t.Context()); len(got) > 0 || (err == nil) != (kind == "") || err != nil && fault.KindOf(err) != kind {
				t.Errorf("got %v, %v; want fault %q", got, err, kind)
			}
		}
		time.Sleep(59 * time.Minute)
		quiet("")
		time.Sleep(time.Minute)
		quiet(fault.Timeout)
		if _, err := r.say("zigbee2mqtt/a1", `{"battery":20}`, false); err != nil { // not for this mapping
			t.Error(err)
		}
		quiet(fault.Timeout)
		if _, err := r.say("zigbee2mqtt/a1", `{"temperature":20}`, false); err != nil {
			t.Error(err)
		}
		quiet("")
		r.on.Topics.Leave(true)
		time.Sleep(2 * time.Hour)
		quiet("") // the broker is to blame, and that is said already
	})
}

func TestAFloodIsNamedAndDoesNotGrow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := listen(t, climate())
		defer r.stop()
		r.mu.Lock()
		r.heard, r.errs = nil, nil
		for i := range 2000 { // while the listener stands still
			r.on.Topics.Publish("zigbee2mqtt/a1", fmt.Appendf(nil, `{"temperature":%d}`, i%50), false)
		}
		r.mu.Unlock()
		synctest.Wait()
		r.mu.Lock()
		defer r.mu.Unlock()
		if len(r.heard) > 600 || len(r.heard) < 200 {
			t.Errorf("%d of 2000 are heard", len(r.heard))
		}
		flood := false
		for _, err := range r.errs {
			flood = flood || err != nil && strings.Contains(err.Error(), "floods")
		}
		if !flood || r.errs[len(r.errs)-1] != nil {
			t.Errorf("the flood is named: %t; at last: %v", flood, r.errs[len(r.errs)-1])
		}
	})
}

func TestOptionsSayWhatIsWrong(t *testing.T) {
	for _, c := range []struct {
		key     string
		options map[string]any
	}{
		{"topic", map[string]any{"topic": ""}},
		{"topic", map[string]any{"topic": "a/b+"}},
		{"topic", map[string]any{"topic": "a/#/b"}},
		{"availability", map[string]any{"availability": "a/#b"}},
		{"availability", map[string]any{"availability": "zigbee2mqtt/+"}},
		{"silence", map[string]any{"silence": "-1s"}},
		{"format", map[string]any{"format": "xml"}},
		{"mapping.ready", map[string]any{"mapping": "zigbee"}},
		{"mapping.ready", map[string]any{"mapping": 7}},
		{"mapping.readings", map[string]any{"mapping": map[string]any{}}},
		{"mapping.readings[0].quantity", map[string]any{"mapping": map[string]any{"readings": []any{map[string]any{"path": "a", "quantity": "x"}}}}},
	} {
		options := climate()
		for k, v := range c.options {
			options[k] = v
		}
		drivertest.OptionError(t, mqtt.Driver(), c.key, options)
	}
}

func TestSimulated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { drivertest.Simulated(t, mqtt.Driver()) })
}

// Every ready mapping has a simulated device, on topics with wildcards too.
func TestSimulatedDevicesAreRead(t *testing.T) {
	for _, options := range []map[string]any{
		{"topic": "tele/+/SENSOR", "mapping": "tasmota-energy", "availability": "tele/+/LWT"},
		{"topic": "v3/+/devices/+/up", "mapping": "tts-normalized"},
		{"topic": "application/+/device/+/event/up", "mapping": "chirpstack-uplink"},
		{"topic": "city/+/readings", "format": "wire", "mapping": map[string]any{"sensor": map[string]any{"topic": []any{2}}}},
		{"topic": "a/#", "mapping": map[string]any{"readings": []any{map[string]any{"path": "v[*]", "quantity": "door"}}}},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := &room{t: t, on: drivertest.Bus(t, bus.MQTT)}
			drivertest.Attach(t, mqtt.Driver(), r.on, options)
			r.open(options)
			got, err := r.after(func() { time.Sleep(5 * time.Second) })
			r.stop()
			if err != nil || len(got) < 2 {
				t.Errorf("%s: %v, %v", options["topic"], got, err)
			}
			for _, m := range got {
				if q, ok := telemetry.QuantityByName(m.Quantity); m.Sensor != "" || !ok || driver.Plausible(q, m.Value) != nil {
					t.Errorf("%s: %+v", options["topic"], m)
				}
			}
		})
	}
}

// Whatever comes on a topic, it is faults or readings, and the next good message is read.
func FuzzMessage(f *testing.F) {
	f.Add("a1", []byte(`{"temperature":20}`), false)
	f.Add("a1/availability", []byte(`{"state":"offline"}`), true)
	f.Add("a1/availability", []byte(`offline`), false)
	f.Add("°", []byte("\x81\xa2"), true)
	f.Fuzz(func(t *testing.T, topic string, payload []byte, retain bool) {
		if strings.HasPrefix(topic, "good") {
			return
		}
		synctest.Test(t, func(t *testing.T) {
			r := listen(t, climate())
			defer r.stop()
			r.on.Topics.Publish("zigbee2mqtt/"+topic, payload, retain)
			synctest.Wait()
			if got, err := r.say("zigbee2mqtt/good", `{"temperature":20}`, false); len(got) != 1 || err != nil && fault.KindOf(err) != fault.Absent {
				t.Errorf("after %q: %v, %v", payload, got, err)
			}
		})
	})
}
