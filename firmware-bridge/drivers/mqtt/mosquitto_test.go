package mqtt_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver/drivertest"
	"github.com/lamppost-city/lamppost/firmware-bridge/drivers/mqtt"
	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
	"github.com/lamppost-city/lamppost/firmware-bridge/uplink"
	"github.com/lamppost-city/lamppost/firmware-bridge/uplink/uplinktest"
)

// heard is what a sensor on a real broker has delivered.
type heard struct {
	mu   sync.Mutex
	ms   []driver.Measurement
	errs []error
}

func (h *heard) deliver(ms []driver.Measurement, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ms, h.errs = append(h.ms, ms...), append(h.errs, err)
}

func (h *heard) has(value float64) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, m := range h.ms {
		if m.Value == value {
			return true
		}
	}
	return false
}

// said tells whether a fault had the word in it.
func (h *heard) said(word string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, err := range h.errs {
		if err != nil && strings.Contains(err.Error(), word) {
			return true
		}
	}
	return false
}

// last is the fault that stands; nil if there is none.
func (h *heard) last() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.errs) == 0 {
		return nil
	}
	return h.errs[len(h.errs)-1]
}

// listenTo opens a sensor on a bus of the settings and listens until the test ends.
func listenTo(t *testing.T, cfg bus.Config, options map[string]any) *heard {
	t.Helper()
	cfg.ID, cfg.Type = "house", bus.MQTT
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	b, err := bus.Open(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s := drivertest.Open(t, mqtt.Driver(), b, options)
	h := &heard{}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.(driver.Listener).Listen(ctx, h.deliver) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("listening ends with %v", err)
		}
	})
	return h
}

// device publishes as a device does, until the test ends. said returns when the broker has all of it.
func device(t *testing.T, m *uplinktest.Mosquitto) (say func(topic, payload string, retained bool), said func()) {
	t.Helper()
	cfg := uplink.DefaultConfig()
	cfg.URL, cfg.Connections, cfg.RetryMax = "mqtt://"+m.Address(), 1, 200*time.Millisecond
	p, err := uplink.New(cfg, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	say = func(topic, payload string, retained bool) {
		if err := p.Publish(ctx, uplink.Message{Topic: topic, Payload: []byte(payload), Retained: retained}); err != nil {
			t.Error(err)
		}
	}
	said = func() {
		if err := p.Flush(ctx); err != nil {
			t.Error(err)
		}
	}
	return say, said
}

// reaches publishes until it is heard: nobody says when a subscription is in force.
func reaches(t *testing.T, h *heard, say func(topic, payload string, retained bool), topic string, value float64) {
	t.Helper()
	uplinktest.Eventually(t, fmt.Sprintf("%g is heard", value), func() bool {
		say(topic, fmt.Sprintf(`{"temperature":%g}`, value), false)
		time.Sleep(20 * time.Millisecond) // the pace of the device
		return h.has(value)
	})
}

func TestARealBrokerIsKilledAndComesBack(t *testing.T) {
	defer goleak.VerifyNone(t)
	t.Run("", func(t *testing.T) { // so that its clean-ups are over when leaks are looked for
		m := uplinktest.StartMosquitto(t)
		say, said := device(t, m)
		say("zigbee2mqtt/old", `{"temperature":-7}`, true)
		say("zigbee2mqtt/b2/availability", `{"state":"offline"}`, true)
		said()
		h := listenTo(t, bus.Config{Device: "mqtt://" + m.Address()}, climate())
		reaches(t, h, say, "zigbee2mqtt/a1", 20)
		if drivertest.WantFault(t, h.last(), fault.Absent); h.has(-7) {
			t.Error("a retained message without a time is read")
		}
		say("zigbee2mqtt/c3", strings.Repeat("x", 10<<20), false)
		uplinktest.Eventually(t, "what is far too long is named", func() bool { return h.said("megabyte") })
		reaches(t, h, say, "zigbee2mqtt/a1", 22)
		m.Kill()
		uplinktest.Eventually(t, "the broker is lost", func() bool { return fault.KindOf(h.last()) == fault.Lost })
		if text := h.last().Error(); !strings.Contains(text, m.Address()) {
			t.Errorf("it does not say which broker: %s", text)
		}
		m.Restart()
		reaches(t, h, say, "zigbee2mqtt/a1", 21)
		say("zigbee2mqtt/b2/availability", `{"state":"online"}`, true)
		uplinktest.Eventually(t, "all is well", func() bool { return h.last() == nil })
	})
}

func TestABrokerThatIsNotThereIsLost(t *testing.T) {
	h := listenTo(t, bus.Config{Device: "mqtt://127.0.0.1:1"}, climate())
	uplinktest.Eventually(t, "it is lost", func() bool { return fault.KindOf(h.last()) == fault.Lost })
	drivertest.WantFault(t, h.last(), fault.Lost, "systemctl status mosquitto")
}

func TestABrokerThatRefusesIsDenied(t *testing.T) {
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	admit := func(code byte) func(uplinktest.Connect) byte {
		return func(c uplinktest.Connect) byte {
			if c.User != "board" || c.Password != "secret" || !strings.HasPrefix(c.ClientID, "kerb-9-") {
				t.Errorf("it connects with %+v", c)
			}
			return code
		}
	}
	for advice, rules := range map[string]uplinktest.Rules{
		"user and password_file": {Admit: admit(5)},
		"read this topic":        {Admit: admit(0), Grant: func(filter string) bool { return filter != "zigbee2mqtt/+/availability" }},
	} {
		broker := uplinktest.NewWith(t, rules)
		h := listenTo(t, bus.Config{Device: "mqtt://" + broker.Address(), User: "board", PasswordFile: password, ClientName: "kerb-9"}, climate())
		uplinktest.Eventually(t, "the broker denies it", func() bool { return fault.KindOf(h.last()) == fault.Denied })
		drivertest.WantFault(t, h.last(), fault.Denied, advice)
	}
}

func TestABrokerBehindTLS(t *testing.T) {
	broker, ca := uplinktest.NewTLS(t)
	cfg := bus.Config{Device: "mqtts://" + broker.Address(), CAFile: ca}
	h := listenTo(t, cfg, climate())
	uplinktest.Eventually(t, "it is heard", func() bool {
		broker.Send(uplinktest.Message{Topic: "zigbee2mqtt/a1", Payload: `{"temperature":20}`})
		return h.has(20)
	})
	cfg.CAFile = ""
	h = listenTo(t, cfg, climate())
	uplinktest.Eventually(t, "a stranger's certificate is not believed", func() bool { return fault.KindOf(h.last()) == fault.Lost })
}
