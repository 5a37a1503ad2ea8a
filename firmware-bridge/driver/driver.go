// Package driver is what a driver has to be: a descriptor with a name, options and an example, that opens sensors on a bus
// and can simulate their devices. Package drivers lists them all.
//
//	settings ──► Options ──► Driver.Open(Setup) ──► Sensor ──Read──► Measurements ──► bridge
//	                     └─► Driver.Simulate(Setup, simbus.Bus), in its place
package driver

import (
	"context"
	"log/slog"
	"time"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/clock"
	"github.com/lamppost-city/lamppost/firmware-bridge/simbus"
	"github.com/lamppost-city/lamppost/telemetry"
)

// Measurement is one value as a driver has it: in the quantity's own unit, at a moment of the machine's own clock.
type Measurement struct {
	// Sensor is "" for the sensor that the driver was opened for. A driver that speaks for many names them.
	Sensor telemetry.SensorID
	// Quantity is a name of the catalogue.
	Quantity string
	// Channel tells alike quantities of one sensor apart; "" if there is only one.
	Channel string
	// Value is in the quantity's unit; for a state it is the state's index.
	Value float64
	// At is when it was measured; 0 means when Read returned.
	At clock.Instant
	// Date is when it was measured where the device itself said so; the zero time means that At counts.
	Date time.Time
}

// Sensor is one configured sensor. It is used by one goroutine, save that Close may come at any time to end a Read that
// hangs.
type Sensor interface {
	// Read returns what the sensor measures now. It returns when ctx ends, unless the operating system does not let it.
	// An error is a *fault.Fault where the driver knows what is wrong; the measurements returned beside an error are good
	// (one register of ten may be out of order). The slice is the caller's until the next Read.
	Read(ctx context.Context) ([]Measurement, error)
	// Close gives the bus back what is the sensor's own. After faults the bridge closes the sensor and opens it anew.
	Close() error
}

// Listener is a Sensor that also speaks on its own: an edge on a pin, a message on a topic. The bridge runs Listen beside
// the Reads.
type Listener interface {
	// Listen hands over measurements as they come until ctx ends, or until an error after which the sensor has to be
	// opened anew. The slice is the listener's again when deliver returns; deliver does not block for long.
	//
	// An error that is delivered, with measurements or without, is a fault from which the listener goes on; it stands until
	// the next call has none. What Read returns, if it is nothing, does not change what was heard.
	Listen(ctx context.Context, deliver func([]Measurement, error)) error
}

// Options are a driver's own settings: a pointer to a struct with mapstructure tags.
type Options interface {
	// Validate says all that is wrong, each as "key: what is wrong and what to do".
	Validate() error
}

// Setup is what a driver gets for one sensor.
type Setup struct {
	Sensor telemetry.SensorID
	// Bus is of the driver's kind.
	Bus *bus.Bus
	// Options are those of Driver.Options, filled and valid.
	Options Options
	// Every is how often Read will be called.
	Every time.Duration
	Clock Clock
	State State
	Log   *slog.Logger
}

// Clock is what drivers may know of time.
type Clock interface {
	// Now is the present moment.
	Now() clock.Instant
	// Tell says what the date was at an instant, and how exactly, as a satellite receiver knows it.
	Tell(date time.Time, at clock.Instant, within time.Duration)
}

// State keeps a few bytes of a sensor over restarts and power cuts: at most 4 KiB. Every Save is a write to an SD card, so
// once a minute is often.
type State interface {
	// Load returns what was saved last, or nil.
	Load() ([]byte, error)
	// Save is durable when it returns.
	Save([]byte) error
}

// Driver describes a kind of sensor.
type Driver struct {
	// Name is what the settings call it, such as "bme280".
	Name string
	// Title says to a person what it is: maker, type, what it measures.
	Title string
	// Bus is what it hangs on. A driver for I2C and SPI has a descriptor for each.
	Bus bus.Kind
	// Options returns the defaults, to be filled from the settings.
	Options func() Options
	// Open makes a sensor ready. It may talk to the device.
	Open func(ctx context.Context, s Setup) (Sensor, error)
	// Simulate attaches a device that behaves like a real one to a simulated bus.
	Simulate func(s Setup, on *simbus.Bus) error
	// Example is an entry of the settings' sensors, in YAML, that works as it stands on a bus with the example's name.
	Example string
	// Probe tells whether a device that answers at an I2C address, or with a 1-Wire or serial bus, is one of this driver, and
	// gives the options that reach it. It must not disturb other devices. nil where that cannot be told.
	Probe func(ctx context.Context, b *bus.Bus) ([]Found, error)
	// PerhapsAt are the I2C addresses where it may be what answers, of a chip that nothing tells from others; nil where Probe
	// tells.
	PerhapsAt []uint16
}

// Found is a device that Probe has recognised.
type Found struct {
	// Where says to a person which device it is, such as "address 0x76".
	Where string
	// Options reach it; keys as in the settings.
	Options map[string]any
}
