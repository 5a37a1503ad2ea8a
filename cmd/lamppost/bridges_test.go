package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/lamppost-city/lamppost/firmware-bridge/uplink/uplinktest"
	"github.com/lamppost-city/lamppost/internal/endtoend"
)

// readiness is what /readyz says of the parts.
type readiness struct {
	Parts []struct {
		Name    string
		Ready   bool
		Message string
	}
}

// partIs waits until a part's message has the words; no words are a part that is well.
func partIs(t *testing.T, city *endtoend.City, name, words string) {
	t.Helper()
	endtoend.Eventually(t, 30*time.Second, name+" says "+words, func() error {
		got, err := http.Get(city.URL() + "/readyz")
		if err != nil {
			return err
		}
		defer got.Body.Close()
		var r readiness
		if err := json.NewDecoder(got.Body).Decode(&r); err != nil {
			return err
		}
		for _, p := range r.Parts {
			if p.Name == name && p.Ready == (words == "") && strings.Contains(p.Message, words) {
				return nil
			}
		}
		return fmt.Errorf("the parts are %+v", r.Parts)
	})
}

// overTLS connects as a bridge elsewhere would.
func overTLS(t *testing.T, addr, certFile, user, password string) mqtt.Client {
	t.Helper()
	client := mqtt.NewClient(mqtt.NewClientOptions().AddBroker("ssl://" + addr).SetClientID(user).SetUsername(user).SetPassword(password).
		SetConnectTimeout(10 * time.Second).SetTLSConfig(trusted(t, certFile)))
	if token := client.Connect(); !token.WaitTimeout(10*time.Second) || token.Error() != nil {
		t.Fatalf("connect over TLS: %v", token.Error())
	}
	t.Cleanup(func() { client.Disconnect(0) })
	return client
}

// listed waits until the city lists a bridge in a state.
func listed(t *testing.T, city *endtoend.City, bridge, state string) {
	t.Helper()
	endtoend.Eventually(t, 20*time.Second, bridge+" is "+state, func() error {
		var b struct{ State string }
		if err := city.Get("/api/v1/bridges/"+bridge, &b); err != nil || b.State != state {
			return fmt.Errorf("it is %q, %w", b.State, err)
		}
		return nil
	})
}

func TestBridgesAreHeardAndToldWhereTheBrokerSpeaksTLS(t *testing.T) {
	certFile, keyFile := keyPair(t)
	file := write(t, "lamppost.yml", fmt.Sprintf("broker: {server: {tls: {cert_file: %q, key_file: %q}}}\nbridges: {time_every: 1s}\n", certFile, keyFile))
	city := endtoend.NewCity(t, lamppost.itself, "--config", file)
	password := strings.TrimSpace(well(t, "publishers", "add", "bridge-1", "--data", city.Dir))
	up := city.Start()
	client := overTLS(t, city.MQTT, certFile, "bridge-1", password)
	heard := make(chan mqtt.Message, 100)
	for _, filter := range []string{"city/time", "city/bridge-1/config"} {
		if token := client.Subscribe(filter, 1, func(_ mqtt.Client, m mqtt.Message) { heard <- m }); !token.WaitTimeout(10*time.Second) || token.Error() != nil {
			t.Fatal(token.Error())
		}
	}
	if token := client.Publish("city/bridge-1/status", 1, true, `{"state":"online","publisher":"bridge-1","version":"v1"}`); !token.WaitTimeout(10*time.Second) || token.Error() != nil {
		t.Fatal(token.Error())
	}
	listed(t, city, "bridge-1", "online")
	settings := write(t, "sensors.yaml", "version: 1\nbuses: []\nsensors: []\n")
	well(t, "bridges", "settings", "bridge-1", settings, "--data", city.Dir)
	for want := map[string]bool{"city/time": true, "city/bridge-1/config": true}; len(want) > 0; {
		select {
		case m := <-heard:
			delete(want, m.Topic())
		case <-time.After(10 * time.Second):
			t.Fatalf("not heard: %v", want)
		}
	}
	partIs(t, city, "bridges", "")

	// The way inside is for nobody else. Its address is in the log.
	_, rest, _ := strings.Cut(up.Stderr(), `"part":"bridges","broker":"mqtt://lamppost-control@`)
	address, _, _ := strings.Cut(rest, `"`)
	stranger, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatalf("the way inside, %q: %v", address, err)
	}
	defer stranger.Close()
	hello := "\x10\x25\x00\x04MQTT\x04\xc2\x00\x1e\x00\x01x\x00\x08bridge-1\x00\x0c" + password[:12]
	if _, err := stranger.Write([]byte(hello)); err != nil {
		t.Fatal(err)
	}
	_ = stranger.SetReadDeadline(time.Now().Add(10 * time.Second))
	if answer, err := bufio.NewReader(stranger).ReadByte(); err == nil {
		t.Errorf("a stranger at the way inside is answered with %#x", answer)
	}
	city.Stop()
}

// another runs a city on a broker that is not its own.
func another(t *testing.T, url string, env ...string) *endtoend.City {
	t.Helper()
	return endtoend.NewCity(t, lamppost.itself.With(append(env, "LAMPPOST_BROKER_EMBEDDED=false", "LAMPPOST_INGEST_BROKER_URL="+url, "LAMPPOST_INGEST_BROKER_MAX_BACKOFF=1s")...), "--demo", "0")
}

func TestBridgesAreHeardAtAnotherBroker(t *testing.T) {
	broker, _ := mosquitto(t)
	city := another(t, "mqtt://"+broker.Address())
	city.Start()
	bridge := mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://"+broker.Address()).SetClientID("b").SetBinaryWill("city/bridge-1/status", []byte(`{"state":"offline"}`), 1, true))
	if token := bridge.Connect(); !token.WaitTimeout(10*time.Second) || token.Error() != nil {
		t.Fatal(token.Error())
	}
	bridge.Publish("city/bridge-1/status", 1, true, `{"state":"online","publisher":"bridge-1","version":"v1"}`).WaitTimeout(10 * time.Second)
	listed(t, city, "bridge-1", "online")
	if out := well(t, "bridges", "list", "--data", city.Dir); !strings.Contains(out, "bridge-1  online") {
		t.Errorf("listed as\n%s", out)
	}
	bridge.Disconnect(0)
	partIs(t, city, "bridges", "")
	city.Stop()
}

// TestTheExampleOfRightsIsEnoughForBridgesAndNoMore takes deploy/mosquitto/acl.
func TestTheExampleOfRightsIsEnoughForBridgesAndNoMore(t *testing.T) {
	acl, err := os.ReadFile("../../deploy/mosquitto/acl")
	if err != nil {
		t.Fatal(err)
	}
	broker, passwords := uplinktest.StartMosquitto(t), write(t, "passwords", "")
	for _, user := range []string{"lamppost", "bridge-1", "bridge-2"} {
		if out, err := exec.CommandContext(t.Context(), "mosquitto_passwd", "-b", passwords, user, "secret").CombinedOutput(); err != nil {
			t.Fatalf("mosquitto_passwd: %v: %s", err, out)
		}
	}
	settings := fmt.Sprintf("allow_anonymous false\npassword_file %s\nacl_file %s\n", passwords, write(t, "acl", string(acl)))
	if os.Geteuid() == 0 {
		settings += "user root\n"
	}
	broker.RestartWith(settings)
	city := another(t, "mqtt://"+broker.Address(), "LAMPPOST_INGEST_BROKER_USER=lamppost", "LAMPPOST_INGEST_BROKER_PASSWORD=secret", "LAMPPOST_BRIDGES_TIME_EVERY=1s")
	city.Start()
	heard := make(chan string, 100)
	for _, bridge := range []string{"bridge-1", "bridge-2"} {
		client := mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://" + broker.Address()).SetClientID(bridge).SetUsername(bridge).SetPassword("secret"))
		if token := client.Connect(); !token.WaitTimeout(10*time.Second) || token.Error() != nil {
			t.Fatal(token.Error())
		}
		defer client.Disconnect(0)
		for _, filter := range []string{"city/bridge-1/config", "city/bridge-1/command", "city/time"} {
			client.Subscribe(filter, 1, func(_ mqtt.Client, m mqtt.Message) { heard <- bridge + " " + m.Topic() }).WaitTimeout(10 * time.Second)
		}
		client.Publish("city/bridge-1/status", 1, true, `{"state":"online","publisher":"bridge-1","version":"`+bridge+`"}`).WaitTimeout(10 * time.Second)
	}
	listed(t, city, "bridge-1", "online")
	well(t, "bridges", "settings", "bridge-1", write(t, "s.yaml", "version: 1"), "--data", city.Dir)
	for want := map[string]bool{"bridge-1 city/bridge-1/config": true, "bridge-1 city/time": true, "bridge-2 city/time": true}; len(want) > 0; {
		select {
		case got := <-heard:
			if delete(want, got); strings.HasPrefix(got, "bridge-2 city/bridge-1") {
				t.Errorf("heard by another: %s", got)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("not heard: %v", want)
		}
	}
	if out := well(t, "bridges", "list", "--data", city.Dir); strings.Contains(out, "bridge-2") {
		t.Errorf("another spoke for bridge-1:\n%s", out)
	}
	partIs(t, city, "bridges", "")
	city.Stop()
}

// TestABrokerThatDoesNotLetBridgesInStopsNothing holds that this is a matter of health alone.
func TestABrokerThatDoesNotLetBridgesInStopsNothing(t *testing.T) {
	broker := uplinktest.StartMosquitto(t)
	passwords := filepath.Join(t.TempDir(), "passwords")
	if err := os.WriteFile(passwords, []byte(""), 0o600); err != nil {
		t.Fatal(err)
	}
	settings := fmt.Sprintf("allow_anonymous false\npassword_file %s\n", passwords)
	if os.Geteuid() == 0 {
		settings += "user root\n"
	}
	broker.RestartWith(settings)
	city := another(t, "mqtt://"+broker.Address(), "LAMPPOST_INGEST_BROKER_USER=ingest", "LAMPPOST_INGEST_BROKER_PASSWORD=wrong")
	up := city.Spawn()
	partIs(t, city, "bridges", "refuses the user or password")
	for what, args := range map[string][]string{
		"no connection to the broker":     {"settings", "loop-1", write(t, "s.yaml", "version: 1")},
		"has reported":                    {"do", "loop-1", "read"},
		"no bridges; one appears when it": {"list"},
	} {
		if what == "no connection to the broker" {
			well(t, "sensors", "import", "--data", city.Dir, write(t, "sensors.csv", sensorsCSV))
			endtoend.Eventually(t, 5*time.Second, "the sensor is known", func() error { return city.Get("/api/v1/sensors/loop-1", nil) })
		}
		r := lamppost.itself.Run(t, append(append([]string{"bridges"}, args...), "--data", city.Dir)...)
		if !strings.Contains(r.Stderr, what) {
			t.Errorf("bridges %v: code %d: %s%s", args, r.Code, r.Stdout, r.Stderr)
		}
	}
	if up.Ended() {
		t.Fatal("lamppost up has ended")
	}
	if strings.Contains(up.Stderr(), "wrong") {
		t.Error("the password is in the log")
	}
	// As soon as the broker lets it in, it is well.
	settings = strings.Replace(settings, "allow_anonymous false\npassword_file "+passwords, "allow_anonymous true", 1)
	broker.RestartWith(settings)
	partIs(t, city, "bridges", "")
	city.Stop()
}

func TestBridgesCommandsSayWhatToDo(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	empty, large := write(t, "empty.yaml", ""), write(t, "large.yaml", strings.Repeat("x", 256<<10+1))
	for _, c := range []struct {
		args  []string
		words []string
	}{
		{[]string{"list"}, []string{data, "lamppost up"}},
		{[]string{"show", "bridge-1"}, []string{data, "lamppost up"}},
		{[]string{"show", "../x"}, []string{"../x"}},
		{[]string{"do", "bridge-1", "shell"}, []string{"shell", "restart"}},
		{[]string{"do", "bridge-1", "log"}, []string{"--level", "debug"}},
		{[]string{"do", "bridge-1", "log", "--level", "loud"}, []string{"loud", "debug"}},
		{[]string{"do", "bridge-1", "restart", "--sensor", "air-1"}, []string{"--sensor", "read"}},
		{[]string{"do", "bridge-1"}, []string{"2 arg"}},
		{[]string{"settings", "bridge-1"}, []string{"--withdraw"}},
		{[]string{"settings", "bridge-1", empty, "--withdraw"}, []string{"--withdraw"}},
		{[]string{"settings", "bridge-1", empty}, []string{"empty.yaml", "--withdraw"}},
		{[]string{"settings", "bridge-1", large}, []string{"large.yaml", "262144"}},
		{[]string{"settings", "bridge-1", empty + "-not-there"}, []string{"no such file"}},
	} {
		sentence(t, lamppost.itself.Run(t, append(append([]string{"bridges"}, c.args...), "--data", data)...), c.words...)
	}
}
