package bus_test

import (
	"strings"
	"testing"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
)

func TestTopicFilters(t *testing.T) {
	for _, c := range []struct {
		filter, topic string
		matches       bool
	}{
		{"a/b", "a/b", true},
		{"a/b", "a/b/c", false},
		{"a/b/c", "a/b", false},
		{"+", "a", true},
		{"+", "a/b", false},
		{"a/+", "a/", true},
		{"a/+", "a", false},
		{"+/+", "/a", true},
		{"a/+/c", "a/b/c", true},
		{"a/+/c", "a/b/d", false},
		{"#", "a/b/c", true},
		{"a/#", "a/b/c", true},
		{"a/#", "a", true},
		{"a/#", "b", false},
		{"a/+/#", "a", false},
		{"a/+/#", "a/b", true},
		{"#", "$SYS/load", false},
		{"+/load", "$SYS/load", false},
		{"$SYS/#", "$SYS/load", true},
	} {
		if got := bus.TopicMatches(c.filter, c.topic); got != c.matches {
			t.Errorf("%s matches %s: %t", c.filter, c.topic, got)
		}
	}
	for filter, good := range map[string]bool{
		"a": true, "a/+/b/#": true, "+": true, "#": true, "/": true, "": false, "a/b#": false, "#/a": false, "a+/b": false, "a\x00": false, "\xff": false,
		strings.Repeat("a/", 600): false,
	} {
		if err := bus.CheckFilter(filter); (err == nil) != good {
			t.Errorf("%.20q: %v", filter, err)
		}
	}
}

func TestSettingsOfALocalBroker(t *testing.T) {
	for device, want := range map[string]string{
		"mqtt://127.0.0.1:1883":  "",
		"mqtts://broker.local":   "",
		"127.0.0.1:1883":         "device: ",
		"mqtt://127.0.0.1/topic": "device: has more than user, host and port",
		"mqtt://me:secret@house": "device: holds a user or password",
		"http://127.0.0.1:1883":  "device: scheme",
	} {
		err := bus.Config{ID: "house", Type: bus.MQTT, Device: device}.Validate()
		if (err == nil) != (want == "") || err != nil && !strings.HasPrefix(err.Error(), want) || err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v; want %q", device, err, want)
		}
	}
	if err := (bus.Config{ID: "house", Type: bus.MQTT, Device: "mqtt://house", CertFile: "a.pem"}).Validate(); err == nil || !strings.HasPrefix(err.Error(), "cert_file: ") {
		t.Errorf("half a certificate: %v", err)
	}
}
