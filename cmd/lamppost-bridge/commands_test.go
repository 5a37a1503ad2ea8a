package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lamppost-city/lamppost/firmware-bridge/drivers"
)

func TestVersion(t *testing.T) {
	if r := built.bridge.Run(t, "version"); r.Code != 0 || !strings.HasPrefix(r.Stdout, "lamppost-bridge ") {
		t.Errorf("code %d: %s%s", r.Code, r.Stdout, r.Stderr)
	}
}

func TestEveryDriverIsListedWithAnExample(t *testing.T) {
	list := built.bridge.Run(t, "drivers")
	for _, d := range drivers.All() {
		if !strings.Contains(list.Stdout, d.Title) {
			t.Errorf("%s is not listed", d.Name)
		}
		if r := built.bridge.Run(t, "drivers", d.Name); r.Code != 0 || !strings.Contains(r.Stdout, "driver: "+d.Name+"\n") {
			t.Errorf("the example of %s: code %d: %s%s", d.Name, r.Code, r.Stdout, r.Stderr)
		}
	}
	if r := built.bridge.Run(t, "drivers", "abacus"); r.Code != 1 || !strings.Contains(r.Stderr, `"abacus"`) {
		t.Errorf("code %d: %s", r.Code, r.Stderr)
	}
}

func TestCheckReadsEverySimulatedSensor(t *testing.T) {
	r := built.bridge.Run(t, "check", "--simulate", "--settings", filepath.Join(t.TempDir(), "none.yaml"))
	if r.Code != 0 || strings.Contains(r.Stdout, "FAILED") || strings.Contains(r.Stdout, "nothing yet") {
		t.Errorf("code %d:\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
	for _, d := range drivers.All() {
		if !strings.Contains(r.Stdout, d.Name+"-"+string(d.Bus)) {
			t.Errorf("%s on %s is not in\n%s", d.Name, d.Bus, r.Stdout)
		}
	}
}

func TestCheckSaysWhatIsWrongAndWhatToDo(t *testing.T) {
	settings := filepath.Join(t.TempDir(), "sensors.yaml")
	text := "version: 1\nbuses: [{id: i2c-9, type: i2c, device: /dev/no-such-bus}]\nsensors: [{id: air-1, driver: mcp9808, bus: i2c-9, every: 1m}]\n"
	if err := os.WriteFile(settings, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	r := built.bridge.Run(t, "check", "--publisher", "bridge-1", "--settings", settings)
	if r.Code != 1 || !strings.Contains(r.Stdout, "FAILED") || !strings.Contains(r.Stdout, "/dev/no-such-bus") || r.Stderr != "" {
		t.Errorf("code %d:\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
}

func TestWhatIsWrongWithTheConfigurationIsToldAtOnceWithItsKey(t *testing.T) {
	file := filepath.Join(t.TempDir(), "bridge.yaml")
	text := "bridge: {publisher: NO, topic_root: a//b, no_such_key: 1}\nbroker: {url: 'http://x'}\noutbox: {max_readings: 0}\nclock: {trust_system: sometimes}\nlog: {level: loud}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	r := built.bridge.Run(t, "config", "check", "--config", file)
	if r.Code != 1 {
		t.Errorf("code %d", r.Code)
	}
	for _, key := range []string{"bridge.publisher", "bridge.topic_root", "bridge.no_such_key", "broker.url", "outbox.max_readings", "clock.trust_system", "log.level"} {
		if !strings.Contains(r.Stderr, key) {
			t.Errorf("%s is not in\n%s", key, r.Stderr)
		}
	}
}

func TestThePrintedConfigurationIsReadBack(t *testing.T) {
	first := built.bridge.Run(t, "config", "print", "--publisher", "bridge-1", "--mqtt", "mqtts://u:secret@broker.example:8883")
	if first.Code != 0 || strings.Contains(first.Stdout, "secret@") {
		t.Fatalf("code %d: %s%s", first.Code, first.Stdout, first.Stderr)
	}
	file := filepath.Join(t.TempDir(), "bridge.yaml")
	if err := os.WriteFile(file, []byte(first.Stdout), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := built.bridge.Run(t, "config", "print", "--config", file); r.Code != 0 || !strings.Contains(r.Stdout, "bridge-1") {
		t.Errorf("code %d: %s", r.Code, r.Stderr)
	}
}

func TestInitLeavesSettingsAloneThatAreThere(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sensors.yaml")
	for range 2 {
		r := built.bridge.Run(t, "init", "--publisher", "bridge-1", "--settings", file)
		if r.Code != 0 {
			t.Fatalf("code %d: %s%s", r.Code, r.Stdout, r.Stderr)
		}
		text, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(text), "version: 1\n") {
			t.Fatalf("%s, %v", text, err)
		}
		if strings.Contains(string(text), "mine") {
			break
		}
		if err := os.WriteFile(file, append(text, "# mine\n"...), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAMistypedCommandIsRefused(t *testing.T) {
	for line, want := range map[string]string{"bogus": "lamppost-bridge has no command", "config prnt": "lamppost-bridge config print?"} {
		if r := built.bridge.Run(t, strings.Fields(line)...); r.Code != 1 || r.Stdout != "" || !strings.Contains(r.Stderr, want) || strings.Count(r.Stderr, "\n") != 1 {
			t.Errorf("%s: code %d:\n%s%s", line, r.Code, r.Stdout, r.Stderr)
		}
	}
}
