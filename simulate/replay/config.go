package replay

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"time"

	"github.com/lamppost-city/lamppost/firmware-bridge/uplink"
	"github.com/lamppost-city/lamppost/simulate/register"
)

// Config says what is replayed, and where to.
type Config struct {
	// Paths are recordings, and folders in which all *.csv are taken, also in their folders.
	Paths []string `mapstructure:"paths"`
	// Speed is how many times faster than real time rows are sent, by their measured times; 0 means as fast as the broker
	// acknowledges.
	Speed float64 `mapstructure:"speed"`
	// SkipBadRows leaves rows that cannot be read out and counts them; otherwise one of them ends the replay before
	// anything is sent.
	SkipBadRows bool `mapstructure:"skip_bad_rows"`
	// Root is the first level of the topics.
	Root string `mapstructure:"root"`
	// Grace is how long a replay that is stopped from outside waits for the last acknowledgements.
	Grace time.Duration `mapstructure:"grace"`

	MQTT uplink.Config   `mapstructure:"mqtt"`
	HTTP register.Config `mapstructure:"http"`
}

// DefaultConfig names no recordings.
func DefaultConfig() Config {
	mqtt := uplink.DefaultConfig()
	mqtt.ClientName = "lamppost-replay"
	return Config{Speed: 1, Root: "city", Grace: 5 * time.Second, MQTT: mqtt, HTTP: register.DefaultConfig()}
}

var rootPattern = regexp.MustCompile(`^[^/+#\x00\s]+$`)

// Validate returns every fault of c, joined.
func (c Config) Validate() error {
	var faults []error
	if len(c.Paths) == 0 {
		faults = append(faults, errors.New("paths: there are none; name recordings, or a folder of them"))
	}
	if c.Speed < 0 || math.IsNaN(c.Speed) || math.IsInf(c.Speed, 0) {
		faults = append(faults, fmt.Errorf("speed: %g is not 0 or more", c.Speed))
	}
	if !rootPattern.MatchString(c.Root) {
		faults = append(faults, fmt.Errorf("root: %q cannot be one level of a topic", c.Root))
	}
	if c.Grace < 0 {
		faults = append(faults, fmt.Errorf("grace: %s is negative", c.Grace))
	}
	for _, part := range []struct {
		key   string
		fault error
	}{{"mqtt", c.MQTT.Validate()}, {"http", c.HTTP.Validate()}} {
		if part.fault != nil {
			faults = append(faults, fmt.Errorf("%s: %w", part.key, part.fault))
		}
	}
	return errors.Join(faults...)
}

// Report is how a replay ended.
type Report struct {
	// Messages and Readings were acknowledged by the broker.
	Messages, Readings uint64
	// Unacknowledged is how many messages were sent and not acknowledged when the replay was stopped.
	Unacknowledged uint64
	// Resent is how many messages were sent again after a connection was lost.
	Resent uint64
	// Took is the time from the first message to the last acknowledgement.
	Took time.Duration
	// Files is how many recordings were read.
	Files int
	// Missing is how many values were not there, by the recordings' own markers.
	Missing int
	// Replaced is how many values were not sent because a later one has the same time.
	Replaced int
	// BadRows is how many rows could not be read and were left out.
	BadRows int
}

// String is the sentence that a command ends with.
func (r Report) String() string {
	text := fmt.Sprintf("%d recordings: %d messages with %d readings acknowledged in %s; %d values are missing in them",
		r.Files, r.Messages, r.Readings, r.Took.Round(time.Millisecond), r.Missing)
	for _, part := range []struct {
		n    int
		text string
	}{
		{r.Replaced, "values gave way to a later one of the same time"},
		{r.BadRows, "rows could not be read"},
		{int(r.Resent), "messages were sent again"},
		{int(r.Unacknowledged), "messages were not acknowledged"},
	} {
		if part.n > 0 {
			text += fmt.Sprintf(", %d %s", part.n, part.text)
		}
	}
	return text
}
