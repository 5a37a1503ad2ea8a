package bridge

import (
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"time"

	"github.com/lamppost-city/lamppost/firmware-bridge/box"
	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/clock"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver"
	"github.com/lamppost-city/lamppost/firmware-bridge/outbox"
	"github.com/lamppost-city/lamppost/firmware-bridge/uplink"
	"github.com/lamppost-city/lamppost/telemetry"
)

// Config is what may be changed of a bridge beside its sensors, which are settings.
type Config struct {
	// Publisher is the bridge's id in the city's registry. Its own health is published under it.
	Publisher telemetry.SensorID `mapstructure:"publisher"`
	// TopicRoot is the first level of the city's topics.
	TopicRoot string `mapstructure:"topic_root"`
	// Settings is the file with buses and sensors; "" for none.
	Settings string `mapstructure:"settings"`
	// Remote lets the city change the settings, and give commands.
	Remote bool `mapstructure:"remote"`
	// StatusEvery is how often the status is published where nothing changes; what changes is published within seconds.
	StatusEvery time.Duration `mapstructure:"status_every"`
	// HealthEvery is how often the readings of the board's own health are taken; 0 takes none.
	HealthEvery time.Duration `mapstructure:"health_every"`
}

// DefaultConfig is for a board that is configured from afar as well.
func DefaultConfig() Config {
	return Config{TopicRoot: "city", Settings: "sensors.yaml", Remote: true, StatusEvery: 5 * time.Minute, HealthEvery: time.Minute}
}

var validRoot = regexp.MustCompile(`^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*$`)

// Validate reports every fault, each with its key.
func (c Config) Validate() error {
	var faults []error
	if err := c.Publisher.Check(); err != nil {
		faults = append(faults, fmt.Errorf("publisher: %w; it is the bridge's id in the city's registry", err))
	}
	if !validRoot.MatchString(c.TopicRoot) {
		faults = append(faults, fmt.Errorf("topic_root: %q is no topic; only letters, digits, - and _ are allowed, and / between levels", c.TopicRoot))
	}
	if c.StatusEvery < 10*time.Second || c.StatusEvery > 24*time.Hour {
		faults = append(faults, fmt.Errorf("status_every: %s is outside 10s to 24h", c.StatusEvery))
	}
	if c.HealthEvery != 0 && (c.HealthEvery < time.Second || c.HealthEvery > 24*time.Hour) {
		faults = append(faults, fmt.Errorf("health_every: %s is neither 0s nor within 1s to 24h", c.HealthEvery))
	}
	return errors.Join(faults...)
}

// Deps is what a bridge needs of others.
type Deps struct {
	// Drivers are those that settings may name.
	Drivers []driver.Driver
	Buses   Buses
	Clock   *clock.Clock
	Outbox  *outbox.Outbox
	Board   box.Board
	// Dir is where the bridge keeps settings from afar and the drivers' state.
	Dir string
	// Restart ends the process in order; whoever started it starts it again.
	Restart func()
	// SetLevel sets the level of the log: debug, info, warn or error.
	SetLevel func(level string) error
	Version  string
	Log      *slog.Logger
}

// Buses opens buses: the machine's own, or simulated ones.
type Buses struct {
	// Simulated buses exist in memory only.
	Simulated bool
	// Root is "/", or a folder with device files, where a scan looks for buses.
	Root string
	// Broker is host:port where a scan looks for a local broker; "" for none.
	Broker string
	// Opened is called with every bus; nil for none. It is for tests.
	Opened func(*bus.Bus)
}

// Link is the connection to the broker, for what is no reading. *uplink.Publisher is one.
type Link interface {
	// Announce sends m on the present connection and forgets it. It does not wait.
	Announce(m uplink.Message) error
}
