package ingest

import "github.com/lamppost-city/lamppost/telemetry"

// Directory tells what is registered. Ingest asks for the current sensors before every batch, so a change takes effect
// with the next one.
type Directory interface {
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
}
