package ingest

import (
	"testing"
	"time"

	"github.com/lamppost-city/lamppost/ingest/frame"
	"github.com/lamppost-city/lamppost/telemetry"
)

// edition is a state of a registry in which every id may publish, and one sensor is registered or not.
type edition struct {
	version    uint64
	registered telemetry.SensorID
}

func (e edition) Sensors() Sensors                  { return e }
func (e edition) Version() uint64                   { return e.version }
func (e edition) Publisher(telemetry.SensorID) bool { return true }
func (e edition) Sensor(id telemetry.SensorID) (Sensor, bool) {
	return Sensor{Site: "corner"}, id == e.registered
}

// A bridge that is a sensor too stays known as a bridge when the sensor is taken out of the registry.
func TestSensorThatIsNoLongerRegisteredIsRefusedThoughItsPublisherIsKnown(t *testing.T) {
	j := newJudge(DefaultConfig(), memory{})
	var f frame.Frame
	for i, c := range []struct {
		registered telemetry.SensorID
		accepted   int
	}{{"bridge-1", 1}, {"other-1", 0}, {"bridge-1", 1}} {
		j.begin(&f, edition{uint64(i + 1), c.registered}, time.UnixMilli(1_772_366_401_000), false)
		for range 2 {
			j.add(delivery("city/bridge-1/readings", `{"time":1772366400250,"speed":47.5}`))
			j.add(delivery("city/bridge-1/readings", `{"seq":5,"time":1772366400260,"speed":47.5}`))
		}
		if got := min(1, len(f.Accepted)); got != c.accepted {
			t.Errorf("with %s registered %d lines are accepted", c.registered, len(f.Accepted))
		}
		if c.accepted == 0 && (len(f.Refused) != 4 || f.Refused[0].Faults[0].Reason != telemetry.ReasonUnregistered) {
			t.Errorf("refused: %+v", f.Refused)
		}
	}
}
