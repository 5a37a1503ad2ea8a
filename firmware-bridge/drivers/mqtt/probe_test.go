package mqtt_test

import (
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver/drivertest"
	"github.com/lamppost-city/lamppost/firmware-bridge/drivers/mqtt"
	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
	"github.com/lamppost-city/lamppost/firmware-bridge/uplink/uplinktest"
)

// topics are what was found, as topic: mapping, in order. The options have to open the driver as they stand.
func topics(t *testing.T, found []driver.Found) (all []string) {
	t.Helper()
	for _, f := range found {
		o := mqtt.Driver().Options()
		if err := driver.Decode(o, f.Options); err != nil {
			t.Errorf("%s: %v", f.Where, err)
		} else if err := o.Validate(); err != nil {
			t.Errorf("%s: %v", f.Where, err)
		}
		all = append(all, fmt.Sprintf("%s: %s", f.Options["topic"], f.Options["mapping"]))
	}
	slices.Sort(all)
	return all
}

func TestProbeTellsWhatAReadyMappingReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		on := drivertest.Bus(t, bus.MQTT)
		say := func(topic, payload string, retain bool) { on.Topics.Publish(topic, []byte(payload), retain) }
		say("zigbee2mqtt/pump room", `{"temperature":21.5,"humidity":48,"battery":97,"linkquality":120}`, true)
		say("zigbee2mqtt/bridge/state", `{"state":"online"}`, true)
		say("homeassistant/sensor/x/config", `{"name":"x","unit_of_measurement":"C"}`, true)
		go func() {
			for range 3 { // it is named once
				time.Sleep(3 * time.Second)
				say("tele/heater/SENSOR", `{"Time":"2027-03-01T12:00:00","ENERGY":{"Total":12.3,"Power":45,"Voltage":231,"Current":0.2}}`, false)
				say("noise", "\x00\xff", false)
				say("camera/picture", string(make([]byte, 1<<20)), false)
			}
		}()
		found, err := mqtt.Driver().Probe(t.Context(), on.Bus())
		if err != nil {
			t.Fatal(err)
		}
		if got, want := topics(t, found), []string{"tele/heater/SENSOR: tasmota-energy", "zigbee2mqtt/pump room: zigbee2mqtt-climate"}; !slices.Equal(got, want) {
			t.Errorf("found %q, want %q", got, want)
		}
	})
}

func TestProbeOfABrokerThatIsAwayOrFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		on := drivertest.Bus(t, bus.MQTT)
		for i := range 200 {
			on.Topics.Publish(fmt.Sprintf("zigbee2mqtt/room %d", i), []byte(`{"temperature":21.5}`), true)
		}
		if found, err := mqtt.Driver().Probe(t.Context(), on.Bus()); err != nil || len(found) != 32 {
			t.Errorf("%d found, %v", len(found), err)
		}
		on.Topics.Leave(true)
		if found, err := mqtt.Driver().Probe(t.Context(), on.Bus()); len(found) != 0 || fault.KindOf(err) != fault.Lost || fault.AdviceOf(err) == "" {
			t.Errorf("found %v, %v", found, err)
		}
	})
}

// A real broker hands over what it retains.
func TestProbeOfARealBroker(t *testing.T) {
	m := uplinktest.StartMosquitto(t)
	say, said := device(t, m)
	say("zigbee2mqtt/pump room", `{"temperature":21.5,"humidity":48}`, true)
	said()
	cfg, there := bus.LocalBroker(t.Context(), m.Address())
	if err := cfg.Validate(); err != nil || !there {
		t.Fatalf("%+v, %t, %v", cfg, there, err)
	}
	b, err := bus.Open(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	found, err := mqtt.Driver().Probe(t.Context(), b)
	if got := topics(t, found); err != nil || !slices.Equal(got, []string{"zigbee2mqtt/pump room: zigbee2mqtt-climate"}) {
		t.Errorf("found %q, %v", got, err)
	}
	m.Kill()
	if _, there := bus.LocalBroker(t.Context(), m.Address()); there {
		t.Error("a broker that is killed is found")
	}
}
