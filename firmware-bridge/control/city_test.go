package control_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lamppost-city/lamppost/firmware-bridge/control"
	"github.com/lamppost-city/lamppost/firmware-bridge/uplink"
	"github.com/lamppost-city/lamppost/telemetry"
)

// broker is a link that keeps what is published, and acknowledges it if it is told to.
type broker struct {
	acknowledges bool
	announced    func(uplink.Message)

	mu       sync.Mutex
	messages []uplink.Message
}

func (b *broker) Publish(_ context.Context, m uplink.Message) error {
	b.mu.Lock()
	b.messages = append(b.messages, m)
	b.mu.Unlock()
	if b.acknowledges {
		m.Done(m)
	}
	return nil
}

func (b *broker) Announce(m uplink.Message) error {
	b.mu.Lock()
	b.messages = append(b.messages, m)
	b.mu.Unlock()
	if b.announced != nil {
		b.announced(m)
	}
	return nil
}

func (b *broker) sent(topic string) []uplink.Message {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []uplink.Message
	for _, m := range b.messages {
		if m.Topic == topic {
			all = append(all, m)
		}
	}
	return all
}

// city runs the city's end on a broker, in a bubble.
func city(t *testing.T, b *broker, cfg control.Config) *control.City {
	t.Helper()
	c := control.New(cfg, "city", slog.New(slog.DiscardHandler))
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx, b) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	synctest.Wait()
	return c
}

// say lets a bridge say something.
func say(c *control.City, topic string, what any) {
	text, ok := what.(string)
	if !ok {
		encoded, _ := json.Marshal(what) //nolint:errchkjson // a test's own words
		text = string(encoded)
	}
	for _, s := range c.Session().Subscriptions {
		if last := s.Filter[strings.LastIndex(s.Filter, "/"):]; strings.HasSuffix(topic, last) {
			s.Handle(uplink.Received{Topic: topic, Payload: []byte(text), At: time.Now()})
		}
	}
}

func TestTheCityKnowsHowItsBridgesDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := control.DefaultConfig()
		cfg.MaxBridges = 2
		c := city(t, &broker{}, cfg)
		say(c, "city/bridge-2/status", control.Status{State: control.Online, Version: "v2", Outbox: &control.Outbox{WaitingReadings: 7}})
		say(c, "city/bridge-1/status", control.Status{State: control.Online, Publisher: "somebody-else"})
		say(c, "city/bridge-3/status", control.Status{State: control.Online}) // one too many
		for _, odd := range []string{"", "hello", "[]", `{"a":1}`} {
			say(c, "city/loop-1/status", odd)
		}
		say(c, "city/NO/status", control.Status{State: control.Online})
		say(c, "city/bridge-2/status", control.Status{State: control.Offline, Version: "v2"}) // its will
		all := c.Bridges()
		if len(all) != 2 || all[0].Publisher != "bridge-1" || all[1].Publisher != "bridge-2" {
			t.Fatalf("got %+v", all)
		}
		if s, err := c.Bridge("bridge-2"); err != nil || s.State != control.Offline || s.Outbox == nil || s.Outbox.WaitingReadings != 7 {
			t.Errorf("after the will %+v, %v; what was known last stays known", s, err)
		}
		if _, err := c.Bridge("bridge-9"); !errors.Is(err, control.ErrUnknown) {
			t.Errorf("got %v", err)
		}
		say(c, "city/bridge-1/status", "")
		if len(c.Bridges()) != 1 {
			t.Error("a status that was taken away is still there")
		}
	})
}

func TestTheCitySaysWhatTimeItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &broker{}
		city(t, b, control.DefaultConfig())
		time.Sleep(25 * time.Second)
		said := b.sent("city/time")
		if len(said) != 3 {
			t.Fatalf("said it %d times in 25 s", len(said))
		}
		if ms, err := strconv.ParseInt(string(said[2].Payload), 10, 64); err != nil || time.Since(time.UnixMilli(ms)) != 5*time.Second || said[2].Retained {
			t.Errorf("said %s, retained %t, %v", said[2].Payload, said[2].Retained, err)
		}
	})
}

func TestSettingsStayWithTheBroker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &broker{acknowledges: true}
		c := city(t, b, control.DefaultConfig())
		if err := c.Configure(t.Context(), "bridge-1", []byte("version: 1")); err != nil {
			t.Error(err)
		}
		if m := b.sent("city/bridge-1/config"); len(m) != 1 || !m[0].Retained || string(m[0].Payload) != "version: 1" {
			t.Errorf("sent %+v", m)
		}
		if err := c.Configure(t.Context(), "bridge-2", nil); err != nil {
			t.Error(err)
		}
		if m := b.sent("city/bridge-2/config"); len(m) != 1 || !m[0].Retained || string(m[0].Payload) != control.Withdrawn {
			t.Errorf("withdrawn by %+v; a bridge that is away must find something", m)
		}
		if err := c.Configure(t.Context(), "bridge-1", make([]byte, control.MaxSettingsBytes+1)); !errors.Is(err, control.ErrTooLarge) {
			t.Errorf("too large: %v", err)
		}
		if err := c.Configure(t.Context(), "BRIDGE/#", nil); err == nil {
			t.Error("an id that is none is taken")
		}
		b.acknowledges = false
		began := time.Now()
		if err := c.Configure(t.Context(), "bridge-1", nil); err == nil || time.Since(began) != control.DefaultConfig().AnswerWithin {
			t.Errorf("without an acknowledgement: %v after %s", err, time.Since(began))
		}
	})
}

func TestCommandsAreAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &broker{}
		c := city(t, b, control.DefaultConfig())
		do := func(id telemetry.SensorID, command control.Command) (control.Answer, error) {
			return c.Do(t.Context(), id, command)
		}
		if _, err := do("bridge-1", control.Command{Do: control.Read}); !errors.Is(err, control.ErrUnknown) {
			t.Errorf("unknown: %v", err)
		}
		say(c, "city/bridge-1/status", control.Status{State: control.Offline})
		if _, err := do("bridge-1", control.Command{Do: control.Read}); !errors.Is(err, control.ErrOffline) {
			t.Errorf("offline: %v", err)
		}
		say(c, "city/bridge-1/status", control.Status{State: control.Online})
		say(c, "city/bridge-2/status", control.Status{State: control.Online})
		if _, err := do("bridge-1", control.Command{Do: "shell"}); err == nil || len(b.sent("city/bridge-1/command")) != 0 {
			t.Errorf("a shell: %v", err)
		}
		b.announced = func(m uplink.Message) {
			got, err := control.ParseCommand(m.Payload)
			if err != nil || !strings.HasSuffix(m.Topic, "/command") {
				return // the time
			}
			say(c, "city/bridge-2/answer", control.Answer{ID: got.ID, Do: got.Do, OK: false, Error: "I am another"})
			say(c, "city/bridge-1/answer", control.Answer{ID: "of another command"})
			say(c, "city/bridge-1/answer", control.Answer{ID: got.ID, Do: got.Do, OK: true})
			say(c, "city/bridge-1/answer", control.Answer{ID: got.ID, Do: got.Do, OK: false, Error: "twice"})
		}
		if a, err := do("bridge-1", control.Command{Do: control.Read, Sensor: "loop-1"}); err != nil || !a.OK || a.Do != control.Read {
			t.Errorf("got %+v, %v", a, err)
		}
		b.announced = nil
		if _, err := do("bridge-1", control.Command{Do: control.Restart}); !errors.Is(err, control.ErrNoAnswer) {
			t.Errorf("no answer: %v", err)
		}
	})
}

func TestOnlyWhatIsACommandIsTaken(t *testing.T) {
	for _, text := range []string{
		"", "read", "[]", `{"do":1}`, `{"do":"shell"}`, `{"id":"` + strings.Repeat("x", 65) + `","do":"read"}`,
		`{"do":"` + strings.Repeat("x", control.MaxCommandBytes) + `"}`,
	} {
		if c, err := control.ParseCommand([]byte(text)); err == nil {
			t.Errorf("%.40q is taken as %+v", text, c)
		}
	}
	if c, err := control.ParseCommand([]byte(`{"id":"7","do":"read","sensor":"loop-1"}`)); err != nil || c.Sensor != "loop-1" || c.Do != control.Read {
		t.Errorf("got %+v, %v", c, err)
	}
}

func TestStatusIsReadBackAsItWasSaid(t *testing.T) {
	will, err := json.Marshal(control.Status{State: control.Offline, Publisher: "bridge-1", Version: "v1"})
	if err != nil || string(will) != `{"state":"offline","publisher":"bridge-1","version":"v1"}` {
		t.Errorf("a will is %s, %v", will, err)
	}
}
