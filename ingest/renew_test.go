package ingest_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/lamppost-city/lamppost/ingest"
)

// Who was registered a moment ago, by another process, is not refused because ingest has not noticed yet.
func TestNobodyIsRefusedWhoIsRegisteredByNow(t *testing.T) {
	c := newCity(t)
	noticed, registry := newChanging(), newChanging()
	c.directory = noticed
	c.renew = func(context.Context) {
		if now := registry.state.Load(); noticed.state.Load() != now {
			noticed.state.Store(now)
		}
	}
	line, _ := c.ingest(c.client)
	now := time.Now().Unix()
	step := func(name string, received, accepted, missing int64, edit func(*state), topic string, payloads ...string) {
		t.Helper()
		if edit != nil {
			registry.change(edit)
		}
		c.publish(topic, payloads...)
		got := c.settled(line, received)
		if got.Received != received || got.Accepted != accepted || got.Missing != missing {
			t.Errorf("%s: %+v", name, got)
		}
	}
	step("an old friend", 1, 1, 0, nil, "city/loop-2/readings", `{"speed":50}`)
	step("still unknown", 2, 1, 0, nil, "city/new-1/readings", `{"speed":50}`)
	step("a new sensor, with its numbers from the first message on", 4, 3, 2,
		func(s *state) { s.sensors["new-1"] = ingest.Sensor{} }, "city/new-1/readings",
		fmt.Sprintf(`{"speed":50,"time":%d,"seq":7}`, now), fmt.Sprintf(`{"speed":51,"time":%d,"seq":10}`, now+1))
	step("a new sensor among others of a bridge", 9, 8, 2,
		func(s *state) { s.sensors["new-2"] = ingest.Sensor{Publisher: "bridge-1"} }, "city/bridge-1/readings",
		fmt.Sprintf(`[{"bt":%d,"n":"loop-2/speed","v":1},{"n":"loop-2/occupancy","v":0.1},{"n":"new-2/speed","v":2},{"n":"loop-2/speed/1","v":3},{"n":"new-2/speed/1","v":4}]`, now))
	step("a new bridge", 10, 9, 2,
		func(s *state) { s.sensors["loop-1"] = ingest.Sensor{Publisher: "bridge-2"} }, "city/bridge-2/readings",
		fmt.Sprintf(`[{"bt":%d,"n":"loop-1/speed","v":1}]`, now))
	step("another publisher", 11, 10, 2,
		func(s *state) { s.sensors["loop-1"] = ingest.Sensor{Publisher: "bridge-1"} }, "city/bridge-1/readings",
		fmt.Sprintf(`[{"bt":%d,"n":"loop-1/speed","v":2}]`, now+1))
	c.clean(line)
}
