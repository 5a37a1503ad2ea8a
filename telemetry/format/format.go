// Package format lists the payload formats that a route may name, and makes their decoders: for the bridge, which hears them on a
// local broker, and for ingest, which hears them on the city's.
//
//	"json", options ──New──► Decoder ──Decode(topic, payload)──► telemetry.Message
//
// What is added to the list is bridge's and ingest's at once.
package format

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/lamppost-city/lamppost/internal/faults"
	"github.com/lamppost-city/lamppost/internal/options"
	"github.com/lamppost-city/lamppost/telemetry"
	"github.com/lamppost-city/lamppost/telemetry/internal/scan"
	"github.com/lamppost-city/lamppost/telemetry/mapping"
	"github.com/lamppost-city/lamppost/telemetry/wire"
)

// Decoder reads the payloads of one route. It remembers names between payloads, so each worker needs one of its own: it is not
// safe for concurrent use.
type Decoder interface {
	// Decode appends what the payload holds to msg, which the caller has Reset: its readings, and a fault for everything that
	// could not become one. It keeps neither msg nor payload, and takes any bytes. Where the options say that the payload is
	// not for this route, msg is left as it is.
	Decode(msg *telemetry.Message, topic string, payload []byte, from telemetry.Origin)
	// Example makes a payload that Decode reads, as a simulated device sends it. name is what the payload calls the sensor, where it
	// does so; value gives the value of each quantity and channel, in the quantity's unit.
	Example(name string, at time.Time, value func(q *telemetry.Quantity, channel string) float64) ([]byte, error)
}

// format is an entry of the list.
type format struct {
	name string
	make func(from map[string]any, limits telemetry.Limits) (Decoder, error)
}

// formats are all that there are.
var formats = [...]format{
	{"json", newJSON},
	{"wire", newWire},
}

// Names lists the formats: json (any JSON, by a mapping) and wire (the city's own: SenML and plain JSON).
func Names() []string {
	names := make([]string, len(formats))
	for i := range formats {
		names[i] = formats[i].name
	}
	return names
}

// New makes a decoder of the named format within limits, which must be valid. The options are the format's own, as configuration
// makes them of YAML or JSON. The error joins all that is wrong with them, each with its key.
func New(name string, from map[string]any, limits telemetry.Limits) (Decoder, error) {
	for i := range formats {
		if formats[i].name == name {
			return formats[i].make(from, limits)
		}
	}
	return nil, fmt.Errorf("format: %q is none of %s", name, strings.Join(Names(), ", "))
}

func newJSON(from map[string]any, limits telemetry.Limits) (Decoder, error) {
	o, err := mapping.Decode(from)
	if err != nil {
		return nil, err
	}
	return mapping.New(o, limits)
}

// wireOptions are those of the city's own format.
type wireOptions struct {
	// Sensor says who publishes, where that is to be read from the topic. Names in the payload are the sensors' ids in any case.
	Sensor mapping.Sensor `mapstructure:"sensor"`
}

// ofWire reads the city's own format.
type ofWire struct {
	*wire.Decoder
	names *mapping.Names
}

func newWire(from map[string]any, limits telemetry.Limits) (Decoder, error) {
	var o wireOptions
	if err := options.Decode(&o, from); err != nil {
		return nil, err
	}
	if o.Sensor.Path != "" {
		return nil, errors.New("sensor.path: payloads of this format name sensors in their own way; use topic")
	}
	names, err := mapping.NewNames(o.Sensor)
	if err != nil {
		return nil, faults.Prefix("sensor", err)
	}
	return &ofWire{Decoder: wire.NewDecoder(limits), names: names}, nil
}

// Decode reads a payload.
func (d *ofWire) Decode(msg *telemetry.Message, topic string, payload []byte, from telemetry.Origin) {
	id, named, err := d.names.FromTopic(topic)
	if err != nil {
		msg.Faults = append(msg.Faults, telemetry.Fault{
			Reason: telemetry.ReasonTopic, Sensor: from.Publisher, Detail: scan.Detail("%v", err),
		})
		return
	}
	if named {
		from.Publisher = id
	}
	d.Decoder.Decode(msg, payload, from)
}

// Example makes a payload of plain JSON.
func (d *ofWire) Example(_ string, at time.Time, value func(q *telemetry.Quantity, channel string) float64) ([]byte, error) {
	payload := fmt.Appendf(nil, `{"time":%d`, at.UnixMilli())
	for _, name := range []string{"temperature", "relative_humidity"} {
		if q, ok := telemetry.QuantityByName(name); ok {
			payload = fmt.Appendf(payload, `,%q:%g`, name, value(q, ""))
		}
	}
	return append(payload, '}'), nil
}
