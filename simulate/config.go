package simulate

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"time"

	"github.com/lamppost-city/lamppost/firmware-bridge/uplink"
	"github.com/lamppost-city/lamppost/simulate/city"
	"github.com/lamppost-city/lamppost/simulate/register"
)

// NaturalRate lets every sensor report at its own cadence.
const NaturalRate = -1

// RateHelp says what --rate does, for the command's help.
const RateHelp = `Messages per second of the whole city. The sensors' cadences are stretched or shortened by the same
factor until they add up to it; measured times are the present. At most 1000 for each sensor.
0 means as fast as the broker acknowledges: then the city's clock runs through the past, at the natural cadences, so
that every message has a measured time of its own, and none lies in the future. With --count the stretch ends about now;
with --for it is long enough not to reach the present; with neither it begins a year ago and goes on in real time.
-1 means the natural cadence of every sensor, 10 to 60 seconds.`

// Format is how payloads are written.
type Format string

// The formats.
const (
	// Mixed gives each sensor one of the others: half of them SenML JSON, a quarter each of the rest.
	Mixed     Format = "mixed"
	SenMLJSON Format = "senml-json"
	SenMLCBOR Format = "senml-cbor"
	PlainJSON Format = "json"
)

// Config says what city is simulated and how it reports.
type Config struct {
	// Sensors is how many there are.
	Sensors int `mapstructure:"sensors"`
	// Seed makes the city, its weather and its sins; the same seed repeats them.
	Seed uint64 `mapstructure:"seed"`
	// Rate is in messages a second; see RateHelp.
	Rate float64 `mapstructure:"rate"`
	// For is how long messages are sent; 0 means until stopped.
	For time.Duration `mapstructure:"for"`
	// Count is how many messages are sent; 0 means no limit.
	Count uint64 `mapstructure:"count"`
	// Sins is a list of sins, "all" or "none", separated by commas.
	Sins string `mapstructure:"sins"`
	// Format is how payloads are written.
	Format Format `mapstructure:"format"`
	// Backfill is how far back the past is sent; 0 means not at all. It needs a Rate that is not 0.
	Backfill time.Duration `mapstructure:"backfill"`
	// BackfillStep is the time of which one minute is sent, as the whole city reports in it: whatever is summed up over a step
	// holds all sensors, each as often beside the others as ever. The last hour is sent as a whole.
	BackfillStep time.Duration `mapstructure:"backfill_step"`
	// BackfillRate is how many messages of the past are sent in a second beside the present. 0 sends the past before the
	// present begins, as fast as the broker acknowledges.
	BackfillRate float64 `mapstructure:"backfill_rate"`
	// BackfillSins are the sins in the past, like Sins.
	BackfillSins string `mapstructure:"backfill_sins"`
	// Record is a file that gets one line for each acknowledged reading: sensor,quantity,channel,time_ms,value; "" means none.
	// Garbage holds no readings; readings with a wrong clock are listed, although ingest may refuse them.
	Record string `mapstructure:"record"`
	// Root is the first level of the topics.
	Root string `mapstructure:"root"`
	// Grace is how long a run that is stopped from outside waits for the last acknowledgements.
	Grace time.Duration `mapstructure:"grace"`
	// ImportRows is how many sensors are registered with one request.
	ImportRows int `mapstructure:"import_rows"`

	MQTT uplink.Config   `mapstructure:"mqtt"`
	HTTP register.Config `mapstructure:"http"`
}

// DefaultConfig returns 100 sensors at their natural cadence, without sins.
func DefaultConfig() Config {
	mqtt := uplink.DefaultConfig()
	mqtt.ClientName = "lamppost-simulate"
	return Config{
		Sensors: 100, Seed: 1, Rate: NaturalRate, Sins: "none", Format: Mixed, BackfillStep: 15 * time.Minute, BackfillSins: "none",
		Root: "city", Grace: 5 * time.Second, ImportRows: 2000, MQTT: mqtt, HTTP: register.DefaultConfig(),
	}
}

// DemoConfig returns the demonstration city of that many sensors: natural cadence, a small share of every sin. Its past,
// where it is asked for, is a recording: it has the sins that show in values, and nothing that could not be read.
func DemoConfig(sensors int) Config {
	c := DefaultConfig()
	c.Sensors, c.Sins, c.MQTT.Connections, c.MQTT.ClientName = sensors, "all", 2, "lamppost-demo"
	c.BackfillSins, c.BackfillRate, c.BackfillStep = "silence,stuck,drift", demoRate, demoStep(sensors)
	return c
}

// DemoBackfill is how far back the demonstration begins on its first start: whatever day is shown, the same day a week before
// is there as well.
const DemoBackfill = 8*24*time.Hour + time.Hour

const (
	// demoRate leaves half of a small machine to the present: two cores take 40,000 messages a second.
	demoRate = 15_000
	// demoMinutes is about how many minutes of sensors the demonstration's past may have: half a minute of messages.
	demoMinutes = 400_000
)

// demoStep is the shortest step by which the demonstration's past has no more than demoMinutes, but at most three hours, for a
// day has a rhythm.
func demoStep(sensors int) time.Duration {
	const longest = 3 * time.Hour
	step := 15 * time.Minute
	for step < longest && DemoBackfill/step*time.Duration(sensors) > demoMinutes {
		step *= 2
	}
	return min(step, longest)
}

var rootPattern = regexp.MustCompile(`^[^/+#\x00\s]+$`)

// Validate returns every fault of c, joined.
func (c Config) Validate() error {
	var faults []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	check(c.Sensors >= 1 && c.Sensors <= city.MaxSensors, "sensors: %d is outside 1 to %d", c.Sensors, city.MaxSensors)
	check(c.Rate >= 0 && !math.IsInf(c.Rate, 0) || c.Rate == NaturalRate, "rate: %g is neither 0 or more messages a second nor -1", c.Rate)
	check(c.Rate <= 1000*float64(c.Sensors), "rate: %g messages a second are too many for %d sensors with a measured time for each; at most %d",
		c.Rate, c.Sensors, 1000*c.Sensors)
	check(c.For >= 0, "for: %s is negative", c.For)
	if _, err := parseSins(c.Sins); err != nil {
		faults = append(faults, fmt.Errorf("sins: %w", err))
	}
	if _, err := parseSins(c.BackfillSins); err != nil {
		faults = append(faults, fmt.Errorf("backfill_sins: %w", err))
	}
	switch c.Format {
	case Mixed, SenMLJSON, SenMLCBOR, PlainJSON:
	default:
		check(false, "format: %q is none of mixed, senml-json, senml-cbor and json", c.Format)
	}
	check(c.Backfill >= 0, "backfill: %s is negative", c.Backfill)
	check(c.Backfill == 0 || c.Rate != 0, "backfill: rate 0 runs through the past anyway; set one of them")
	check(c.BackfillStep >= time.Second, "backfill_step: %s is shorter than a second", c.BackfillStep)
	check(c.BackfillRate >= 0 && !math.IsInf(c.BackfillRate, 0), "backfill_rate: %g is not 0 or more messages a second", c.BackfillRate)
	check(rootPattern.MatchString(c.Root), "root: %q cannot be one level of a topic", c.Root)
	check(c.Grace >= 0, "grace: %s is negative", c.Grace)
	check(c.ImportRows >= 1, "import_rows: %d is less than 1", c.ImportRows)
	for _, part := range []struct {
		key   string
		fault error
	}{{"mqtt", c.MQTT.Validate()}, {"http", c.HTTP.Validate()}} {
		if part.fault != nil {
			faults = append(faults, within(part.key, part.fault)...)
		}
	}
	return errors.Join(faults...)
}

// within puts a section's name before each of its faults.
func within(key string, fault error) []error {
	joined, ok := fault.(interface{ Unwrap() []error })
	if !ok {
		return []error{fmt.Errorf("%s.%w", key, fault)}
	}
	var all []error
	for _, err := range joined.Unwrap() {
		all = append(all, fmt.Errorf("%s.%w", key, err))
	}
	return all
}

// Report is how a run ended.
type Report struct {
	// Messages and Readings were acknowledged by the broker.
	Messages, Readings uint64
	// Unacknowledged is how many messages were sent and not acknowledged when the run was stopped.
	Unacknowledged uint64
	// Resent is how many messages were sent again after a connection was lost.
	Resent uint64
	// Took is the time from the first message to the last acknowledgement.
	Took time.Duration
}

// String is the sentence that a command ends with.
func (r Report) String() string {
	text := fmt.Sprintf("%d messages with %d readings acknowledged in %s", r.Messages, r.Readings, r.Took.Round(time.Millisecond))
	if s := r.Took.Seconds(); s > 0 {
		text += fmt.Sprintf(" (%.0f messages a second)", float64(r.Messages)/s)
	}
	if r.Resent > 0 {
		text += fmt.Sprintf(", %d sent again", r.Resent)
	}
	if r.Unacknowledged > 0 {
		text += fmt.Sprintf("; %d messages were not acknowledged", r.Unacknowledged)
	}
	return text
}
