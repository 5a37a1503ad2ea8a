package ingest

import (
	"time"

	"github.com/lamppost-city/lamppost/ingest/ledger"
	"github.com/lamppost-city/lamppost/telemetry"
)

// Directory tells what is registered. Ingest asks for the current sensors before every batch, so a change takes effect
// with the next one; before it refuses a message as unregistered or not allowed it asks again, after Deps.Renew.
type Directory interface {
	// Sensors may be called by several goroutines.
	Sensors() Sensors
}

// Sensors is one state of the registry. It never changes.
type Sensors interface {
	// Version differs between two states.
	Version() uint64
	Sensor(id telemetry.SensorID) (Sensor, bool)
	// Publisher tells whether some sensor names id as its publisher.
	Publisher(id telemetry.SensorID) bool
}

// Sensor is what ingest needs to know of a registered sensor.
type Sensor struct {
	// Site and District become tags in the store; an empty one is left out.
	Site, District string
	// Publisher may publish for the sensor beside the sensor itself; "" if nobody may.
	Publisher telemetry.SensorID
	// Cadence is how often the sensor should report; 0 if that is not known. What does not come is missing.
	Cadence time.Duration
	// Since is when the sensor was registered: nothing that was due before is missing, and recordings from before are not late.
	Since telemetry.UnixMilli
}

// plan tells the ledger what is expected of sensors.
type plan struct{ sensors Sensors }

// planOf returns what to ask for the plan of each moment.
func planOf(d Directory) func() ledger.Plan {
	return func() ledger.Plan {
		if sensors := d.Sensors(); sensors != nil {
			return plan{sensors}
		}
		return nil
	}
}

func (p plan) Expected(id telemetry.SensorID) (cadence time.Duration, since telemetry.UnixMilli) {
	s, _ := p.sensors.Sensor(id)
	return s.Cadence, s.Since
}
