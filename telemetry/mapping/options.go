package mapping

import (
	"github.com/lamppost-city/lamppost/telemetry"
)

// Options are a mapping as people write it. Lists carry ids, and no map is keyed by one: configuration loaders change the case
// of keys, and take dots for levels.
type Options struct {
	// Title says to a person what the mapping is for.
	Title string `mapstructure:"title"`
	// Each is the path of the records in a payload that holds several. The other paths then begin at a record, save those
	// that begin with $. "" makes the payload one record.
	Each string `mapstructure:"each"`
	// When must all hold for a record to be read.
	When   []Condition `mapstructure:"when"`
	Sensor Sensor      `mapstructure:"sensor"`
	Time   Time        `mapstructure:"time"`
	// Readings are the values, at least one and at most 500.
	Readings []Reading `mapstructure:"readings"`
}

// Condition holds if a value is at the path and, where Is is set, equals it. A null is no value.
type Condition struct {
	// Path is where the value is; of several, one has to do.
	Path []string `mapstructure:"path"`
	// Is is a text, a number, true or false, or a list of them, one of which has to be met.
	Is any `mapstructure:"is"`
	// Absent turns the condition round: no such value may be there.
	Absent bool `mapstructure:"absent"`
}

// Sensor says whose readings they are. Without anything they are the publisher's: the bridge's entry, or the topic's id.
type Sensor struct {
	// ID is always the same sensor.
	ID telemetry.SensorID `mapstructure:"id"`
	// Path leads to a name in the payload; "*" is the key of the record that Each has matched.
	Path string `mapstructure:"path"`
	// Topic lists the levels of the topic that make the name, joined by "/": 1 is the first, -1 the last.
	Topic []int `mapstructure:"topic"`
	// Names turn names into ids. One that is not among them is taken for the id as it stands.
	Names []Name `mapstructure:"names"`
	// Slug makes an id of any other name: lower case, and every run of other characters one "-". Of two names that become the
	// same id, only the first that came is read.
	Slug bool `mapstructure:"slug"`
	// Prefix is put before ids that are not in Names.
	Prefix string `mapstructure:"prefix"`
}

// Name is what a payload or topic calls a sensor.
type Name struct {
	Name string             `mapstructure:"name"`
	ID   telemetry.SensorID `mapstructure:"id"`
}

// Time says when it was measured. Where none of the paths leads to a value the readings get the time of receipt, and are marked
// Stamped.
type Time struct {
	// Path leads to the time; of several the first that leads to a value counts.
	Path []string `mapstructure:"path"`
	// Format is rfc3339 (with a zone), unix (in seconds, milliseconds, microseconds or nanoseconds, told apart by size), or
	// made of the letters of strptime: %Y-%m-%dT%H:%M:%S. "" is either of the first two.
	Format string `mapstructure:"format"`
	// Zone is that of a time that does not say its own: a name such as Europe/Madrid, or an offset such as +01:00 for a clock
	// that nobody changes in summer. Names are those that the machine or the program has.
	Zone string `mapstructure:"zone"`
}

// Reading is one value, or with * several.
type Reading struct {
	Path string `mapstructure:"path"`
	// Quantity is a name of the catalogue.
	Quantity string `mapstructure:"quantity"`
	// Channel tells alike quantities of one sensor apart.
	Channel string `mapstructure:"channel"`
	// ChannelFrom leads to the channel in the payload. Its stars stand for what those of Path have matched: lanes[*].name beside
	// lanes[*].speed. "*" alone is the key or number that the last star of Path has matched, or Each where Path has
	// none. What a channel's name cannot have becomes "-".
	ChannelFrom string `mapstructure:"channel_from"`
	// Unit is a unit's code (UCUM, SenML or symbol) that the value is in; "" is the quantity's own.
	Unit string `mapstructure:"unit"`
	// Factor and Offset give value × factor + offset, in Unit. A Factor of 0 is 1.
	Factor float64 `mapstructure:"factor"`
	Offset float64 `mapstructure:"offset"`
	// Values say what certain texts, numbers, true and false stand for. A value that is not among them is read as usual.
	Values []Value `mapstructure:"values"`
	// Missing are texts and numbers that stand for no value, such as -127 or unavailable.
	Missing []any `mapstructure:"missing"`
	// NumberAsText lets the number be a text: "26.83".
	NumberAsText bool `mapstructure:"number_as_text"`
	// Required makes it a fault that there is no value.
	Required bool `mapstructure:"required"`
}

// Value says what a value of the payload stands for.
type Value struct {
	// Text is what stands in the payload: a text, a number, true or false.
	Text any `mapstructure:"text"`
	// Value is the number that it stands for, or the name of a state. Factor, Offset and Unit apply to the number.
	Value any `mapstructure:"value"`
}

// Bounds of a mapping; what is beyond them is a mistake.
const (
	maxReadings   = 500
	maxConditions = 32
	maxNames      = 10_000
	maxValues     = 256
	maxPaths      = 16
	maxLevels     = 16
)

// Validate says all that is wrong, each with its key.
func (o Options) Validate() error {
	_, err := compile(o)
	return err
}
