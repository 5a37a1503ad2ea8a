package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/lamppost-city/lamppost/firmware-bridge/control"
	"github.com/lamppost-city/lamppost/internal/endtoend"
)

// shown is a bridge as the API shows it.
type shown struct {
	Publisher, Title, State string
	Failing                 int
	Sensors                 []control.SensorReport
	Settings                *control.Settings
	Clock                   *control.Clock
	Outbox                  *control.Outbox
}

// ask sends a request with the token, and returns status and body.
func (c *cabinet) ask(method, path, body string) (int, string) {
	c.t.Helper()
	token, err := os.ReadFile(c.city.TokenFile())
	if err != nil {
		c.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.city.URL()+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	r.Header.Set("Content-Type", "application/json")
	r.Close = true
	got, err := http.DefaultClient.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return got.StatusCode, string(text)
}

// must expects a status, and reads the body into answer, which may be nil.
func (c *cabinet) must(status int, method, path, body string, answer any) {
	c.t.Helper()
	got, text := c.ask(method, path, body)
	if got != status {
		c.t.Fatalf("%s %s answered %d, want %d: %s", method, path, got, status, text)
	}
	if answer == nil {
		return
	}
	if err := json.Unmarshal([]byte(text), answer); err != nil {
		c.t.Fatalf("%s %s: %v in %s", method, path, err, text)
	}
}

const bridgePath = "/api/v1/bridges/" + me

// wait waits until the API shows of the bridge what holds asks for.
func (c *cabinet) wait(what string, holds func(shown) bool) {
	c.t.Helper()
	endtoend.Eventually(c.t, 30*time.Second, what, func() error {
		var s shown
		err := c.city.Get(bridgePath, &s)
		if err == nil && !holds(s) {
			err = fmt.Errorf("it is shown as %+v, settings %+v", s, s.Settings)
		}
		return err
	})
}

// withPasswords gives a publisher a password, and waits until the broker lets nobody in without one.
func (c *cabinet) withPasswords(publisher string) string {
	c.t.Helper()
	made := built.city.Run(c.t, "publishers", "add", publisher, "--data", c.city.Dir)
	if made.Code != 0 {
		c.t.Fatalf("publishers add: %s", made.Stderr)
	}
	endtoend.Eventually(c.t, 10*time.Second, "strangers are refused", func() error {
		p, err := endtoend.Dial(c.city.MQTT, "stranger")
		if err != nil {
			return nil //nolint:nilerr // that is what is waited for
		}
		return fmt.Errorf("a stranger is let in: %v", p.Close())
	})
	return strings.TrimSpace(made.Stdout)
}

// asPublisher is the bridge's environment with its own user and password.
func asPublisher(password string) []string {
	return []string{"LAMPPOST_BRIDGE_BROKER_USER=" + me, "LAMPPOST_BRIDGE_BROKER_PASSWORD=" + password}
}

// TestABridgeIsRunOverTheAPI goes the operator's whole way, at a broker that wants passwords.
func TestABridgeIsRunOverTheAPI(t *testing.T) {
	c := newCabinet(t, thermometers(3, time.Second))
	var list struct {
		Items []struct {
			Publisher, Title, State string
			Sensors                 int
		}
		Total int
	}
	if err := c.city.Get("/api/v1/bridges", &list); err != nil || list.Total != 0 {
		t.Fatalf("before the bridge: %+v, %v", list, err)
	}
	env := asPublisher(c.withPasswords(me))
	b := c.start(env...)
	c.wait("it is online with the file's settings", func(s shown) bool {
		return s.State == "online" && s.Settings.Source == control.FromFile && len(s.Sensors) == 3 && s.Sensors[0].State == control.Working
	})
	c.reported("air-0")
	if err := c.city.Get("/api/v1/bridges", &list); err != nil || list.Total != 1 || list.Items[0].Publisher != me || list.Items[0].Title != me || list.Items[0].Sensors != 3 {
		t.Errorf("listed as %+v, %v", list, err)
	}
	c.settingsComeIntoForce()
	c.commandsAreAnswered()
	c.commandLine()

	b.Kill()
	c.wait("it is offline, and known as it was", func(s shown) bool { return s.State == "offline" && len(s.Sensors) == 2 })
	if status, text := c.ask(http.MethodPost, bridgePath+"/commands", `{"do":"read"}`); status != http.StatusConflict || !strings.Contains(text, "no connection") {
		t.Errorf("a command to one that is away is answered with %d: %s", status, text)
	}
	if r := built.city.Run(t, "bridges", "do", me, "read", "--data", c.city.Dir); r.Code != 1 || strings.Count(r.Stderr, "\n") != 1 || !strings.Contains(r.Stderr, "no connection") {
		t.Errorf("on the command line, code %d: %s%s", r.Code, r.Stdout, r.Stderr)
	}
	// What is left for it waits at the broker, also over a restart of the city.
	c.must(http.StatusNoContent, http.MethodDelete, bridgePath+"/settings", "", nil)
	c.city.Stop()
	c.city.Start()
	c.wait("the city knows it after its own restart", func(s shown) bool { return s.State == "offline" })
	c.start(env...)
	c.wait("the settings were withdrawn while it was away", func(s shown) bool {
		return s.State == "online" && s.Settings.Source == control.FromFile && len(s.Sensors) == 3
	})
}

func (c *cabinet) settingsComeIntoForce() {
	c.t.Helper()
	next := thermometers(2, time.Second)
	var left struct{ ID string }
	c.must(http.StatusOK, http.MethodPut, bridgePath+"/settings", next, &left)
	if left.ID != control.SettingsID([]byte(next)) {
		c.t.Errorf("the settings' id is %q", left.ID)
	}
	c.wait("new settings are in force", func(s shown) bool {
		return s.Settings.Source == control.FromRemote && s.Settings.ID == left.ID && len(s.Sensors) == 2
	})
	c.must(http.StatusOK, http.MethodPut, bridgePath+"/settings", "version: 2\nbuses: []\nsensors: []\n", &left)
	c.wait("bad ones are refused, and the good ones stay", func(s shown) bool {
		return s.Settings.Refused != nil && s.Settings.Refused.ID == left.ID && strings.Contains(s.Settings.Refused.Error, "version") && len(s.Sensors) == 2
	})
}

func (c *cabinet) commandsAreAnswered() {
	c.t.Helper()
	var a control.Answer
	c.must(http.StatusOK, http.MethodPost, bridgePath+"/commands", `{"do":"read","sensor":"air-0"}`, &a)
	if !a.OK || a.Do != control.Read || a.ID != "" {
		c.t.Errorf("read is answered with %+v", a)
	}
	c.must(http.StatusOK, http.MethodPost, bridgePath+"/commands", `{"do":"read","sensor":"air-9"}`, &a)
	if a.OK || !strings.Contains(a.Error, "air-9") {
		c.t.Errorf("read of a sensor that is not there is answered with %+v", a)
	}
	c.must(http.StatusUnprocessableEntity, http.MethodPost, bridgePath+"/commands", `{"do":"shell"}`, nil)
	c.must(http.StatusNotFound, http.MethodPost, "/api/v1/bridges/bridge-9/commands", `{"do":"read"}`, nil)
}

// commandLine expects the commands of lamppost to do the same.
func (c *cabinet) commandLine() {
	c.t.Helper()
	file := filepath.Join(c.dir, "left.yaml")
	if err := os.WriteFile(file, []byte(thermometers(1, time.Second)), 0o600); err != nil {
		c.t.Fatal(err)
	}
	well := func(words string, args ...string) {
		c.t.Helper()
		r := built.city.Run(c.t, append(append([]string{"bridges"}, args...), "--data", c.city.Dir)...)
		if r.Code != 0 || !strings.Contains(r.Stdout, words) {
			c.t.Fatalf("lamppost bridges %s: code %d, without %q: %s%s", strings.Join(args, " "), r.Code, words, r.Stdout, r.Stderr)
		}
	}
	well("remote, newer refused", "list")
	well("version", "show", me)
	well("left settings", "settings", me, file)
	c.wait("settings of the command line are in force", func(s shown) bool { return len(s.Sensors) == 1 && s.Settings.Refused == nil })
	well(me+" reads", "do", me, "read", "--sensor", "air-0")
	well("log", "do", me, "log", "--level", "debug")
	well("withdrawn", "settings", me, "--withdraw")
	c.wait("the file counts again", func(s shown) bool { return s.Settings.Source == control.FromFile && len(s.Sensors) == 3 })
	c.must(http.StatusOK, http.MethodPut, bridgePath+"/settings", thermometers(2, time.Second), nil)
	c.wait("the API's count again", func(s shown) bool { return len(s.Sensors) == 2 })
}

// TestABridgesPasswordOpensNothingElse takes the password of a stolen cabinet.
func TestABridgesPasswordOpensNothingElse(t *testing.T) {
	c := newCabinet(t, thermometers(1, time.Second))
	password := c.withPasswords(me)
	client := func() mqtt.Client {
		k := mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://" + c.city.MQTT).SetClientID("thief").SetUsername(me).SetPassword(password).SetAutoReconnect(false))
		if token := k.Connect(); !token.WaitTimeout(10*time.Second) || token.Error() != nil {
			t.Fatalf("connect: %v", token.Error())
		}
		t.Cleanup(func() { k.Disconnect(0) })
		return k
	}
	k := client()
	for filter, want := range map[string]byte{
		"city/" + me + "/config": 1, "city/" + me + "/command": 1, "city/time": 1,
		"city/+/status": 0x80, "city/+/config": 0x80, "city/+/answer": 0x80, "city/bridge-8/config": 0x80, "city/bridge-8/command": 0x80, "city/#": 0x80, "#": 0x80,
		"city/" + me + "/status": 0x80,
	} {
		token, ok := k.Subscribe(filter, 1, func(mqtt.Client, mqtt.Message) {}).(*mqtt.SubscribeToken)
		if !ok || !token.WaitTimeout(10*time.Second) {
			t.Fatalf("subscribe to %s: no answer", filter)
		}
		if got := token.Result()[filter]; got != want {
			t.Errorf("subscribe to %s: granted %#x, want %#x", filter, got, want)
		}
	}
	online, _ := json.Marshal(control.Status{State: control.Online, Version: "forged"}) //nolint:errchkjson // it can be
	for _, topic := range []string{"city/bridge-8/status", "city/bridge-8/config", "city/bridge-8/command", "city/" + me + "/config", "city/" + me + "/command", "city/time"} {
		k := client()
		if token := k.Publish(topic, 1, true, online); token.WaitTimeout(2*time.Second) && token.Error() == nil && k.IsConnectionOpen() {
			t.Errorf("publish to %s was acknowledged", topic)
		}
	}
	k = client()
	if token := k.Publish("city/"+me+"/status", 1, true, online); !token.WaitTimeout(10*time.Second) || token.Error() != nil {
		t.Fatalf("its own status: %v", token.Error())
	}
	c.wait("its own status is heard", func(s shown) bool { return s.State == "online" })
	c.must(http.StatusNotFound, http.MethodGet, "/api/v1/bridges/bridge-8", "", nil)
}
