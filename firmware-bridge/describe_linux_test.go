package bridge_test

import (
	"encoding/json"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/control"
	"github.com/lamppost-city/lamppost/firmware-bridge/uplink/uplinktest"
)

// Looking at buses takes its time: something listens at the local broker's port, and says nothing.
func TestABridgeThatLooksAtItsBusesGoesOn(t *testing.T) {
	silent, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	c := newCabinetOn(t, t.TempDir(), silent.Addr().String())
	defer c.end()
	uplinktest.Eventually(t, "it says how it is", func() bool { return c.status().State == control.Online })
	c.hear(control.TopicCommand, `{"id":"1","do":"describe"}`)
	c.hear(control.TopicCommand, `{"id":"2","do":"describe"}`)
	c.hear(control.TopicCommand, `{"id":"3","do":"log","level":"debug"}`)
	uplinktest.Eventually(t, "the others are answered meanwhile", func() bool {
		all := c.answers()
		return len(all) == 2 && all[0].ID == "2" && strings.Contains(all[0].Error, "already") && all[1].ID == "3" && all[1].OK
	})
	began := time.Now()
	c.end()
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %s to end", took)
	}
	all := c.answers()
	if last := all[len(all)-1]; last.ID != "1" || last.OK || len(last.Buses) != 1 || last.Buses[0].Type != string(bus.MQTT) {
		t.Errorf("the answer is %+v", last)
	}
}

func (c *cabinet) answers() []control.Answer {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make([]control.Answer, len(c.answered))
	for i, payload := range c.answered {
		if err := json.Unmarshal(payload, &all[i]); err != nil {
			c.t.Error(err)
		}
	}
	return all
}
