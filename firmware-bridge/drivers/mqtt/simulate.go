package mqtt

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/lamppost-city/lamppost/firmware-bridge/driver"
	"github.com/lamppost-city/lamppost/firmware-bridge/simbus"
	"github.com/lamppost-city/lamppost/telemetry"
)

// pace is how often a simulated device speaks.
const pace = 2 * time.Second

// simulate has a device publish what the mapping reads; in the place of wildcards its topic has the sensor's id.
func simulate(s driver.Setup, on *simbus.Bus) error {
	o := s.Options.(*Options)
	decoder, err := o.decoder()
	if err != nil {
		return err
	}
	name := string(s.Sensor)
	began := time.Now()
	example := func(at time.Time) ([]byte, error) {
		return decoder.Example(name, at, func(q *telemetry.Quantity, _ string) float64 { return value(q, at.Sub(began)) })
	}
	if _, err := example(began); err != nil {
		return fmt.Errorf("make an example of topic %s: %w", o.Topic, err)
	}
	concrete := strings.NewReplacer("+", name, "#", name)
	topic := concrete.Replace(o.Topic)
	if o.Availability != "" {
		on.Topics.Publish(concrete.Replace(o.Availability), []byte(`{"state":"online"}`), true)
	}
	on.Topics.Talk(pace, func(at time.Time) (string, []byte) {
		payload, err := example(at)
		if err != nil {
			return topic, nil // nothing, as when the device has nothing to say
		}
		return topic, payload
	})
	return nil
}

// value is one that the quantity may have: counters go up, states stay, the rest goes up and down within its range.
func value(q *telemetry.Quantity, since time.Duration) float64 {
	switch q.Kind {
	case telemetry.State:
		return 0
	case telemetry.Counter:
		return min(q.Max, 1000+math.Floor(since.Minutes()))
	case telemetry.Count:
		return min(q.Max, max(q.Min, 5))
	}
	mean := min(q.Max*0.5, max(q.Min, 20))
	wave := simbus.Wave{Mean: mean, Swing: 0.05 * mean, Period: 10 * time.Minute}
	return min(q.Max, max(q.Min, wave.At(since)))
}
