// Package settings says what a bridge reads: its buses and its sensors. They come from a file that a technician writes, or
// as a retained message from afar, in the same words; both are checked here, whole, before anything changes.
//
//	sensors.yaml ────┐
//	                 ├─ Parse ──► Settings ──► the bridge's stations
//	<root>/ID/config ┘
package settings

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/go-viper/mapstructure/v2"
	"go.yaml.in/yaml/v3"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver"
	"github.com/lamppost-city/lamppost/internal/faults"
	"github.com/lamppost-city/lamppost/internal/options"
	"github.com/lamppost-city/lamppost/telemetry"
)

// Version is the version of these words. Settings of another version are refused: a newer city must not half-configure
// an older bridge.
const Version = 1

// Bounds of settings. What is beyond them is a mistake, or an attack.
const (
	MaxBytes   = 256 << 10
	MaxBuses   = 32
	MaxSensors = 500
)

// Settings are what a bridge reads.
type Settings struct {
	Version int          `mapstructure:"version"`
	Buses   []bus.Config `mapstructure:"buses"`
	Sensors []Sensor     `mapstructure:"sensors"`
}

// Sensor is one entry of sensors.
type Sensor struct {
	// ID is the sensor's id in the city's registry.
	ID telemetry.SensorID `mapstructure:"id"`
	// Driver is a name of the drivers.
	Driver string `mapstructure:"driver"`
	// Bus is the id of a bus of the driver's kind.
	Bus string `mapstructure:"bus"`
	// Every is how often it is read, 10ms to 24h.
	Every time.Duration `mapstructure:"every"`
	// Timeout is how long one reading may take; 0 means 10 s, or Every where that is longer, at most a minute.
	Timeout time.Duration `mapstructure:"timeout"`
	// Options are the driver's.
	Options map[string]any `mapstructure:"options"`

	driver  driver.Driver
	decoded driver.Options
}

// How is the driver and its options, decoded and valid.
func (s Sensor) How() (driver.Driver, driver.Options) { return s.driver, s.decoded }

// Patience is how long one reading may take.
func (s Sensor) Patience() time.Duration {
	if s.Timeout > 0 {
		return s.Timeout
	}
	return min(max(s.Every, 10*time.Second), time.Minute)
}

// Bus returns the bus with the id.
func (s *Settings) Bus(id string) (bus.Config, bool) {
	for _, b := range s.Buses {
		if b.ID == id {
			return b, true
		}
	}
	return bus.Config{}, false
}

// Parse reads settings in YAML or JSON and checks them against the drivers. The error joins everything that is wrong, each
// with its key: sensors[2].options.address: ...
func Parse(text []byte, drivers []driver.Driver) (*Settings, error) {
	if len(text) > MaxBytes {
		return nil, fmt.Errorf("settings are %d bytes; at most %d are allowed", len(text), MaxBytes)
	}
	var raw map[string]any
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	if err := decoder.Decode(&raw); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, errors.New("settings are empty; write version, buses and sensors")
		}
		return nil, fmt.Errorf("settings are neither YAML nor JSON: %w", err)
	}
	if err := decoder.Decode(new(any)); !errors.Is(err, io.EOF) {
		return nil, errors.New("settings are more than one document")
	}
	s := &Settings{}
	if err := decode(s, raw); err != nil {
		return nil, err
	}
	if err := s.check(drivers); err != nil {
		return nil, err
	}
	return s, nil
}

func decode(into *Settings, raw map[string]any) error {
	if v, ok := raw["version"]; !ok || fmt.Sprint(v) != fmt.Sprint(Version) {
		return fmt.Errorf("version: is %v, and this bridge understands version %d; update the bridge or the settings", v, Version)
	}
	if err := options.CheckKeys(raw); err != nil {
		return err
	}
	decoder, err := mapstructure.NewDecoder(&mapstructure.DecoderConfig{
		Result: into, ErrorUnused: true, DecodeHook: mapstructure.StringToTimeDurationHookFunc(),
		MatchName: func(key, field string) bool { return key == field },
	})
	if err != nil {
		return fmt.Errorf("decode settings: %w", err)
	}
	if err := decoder.Decode(raw); err != nil {
		return errors.New(strings.Join(strings.Fields(err.Error()), " "))
	}
	return nil
}

func (s *Settings) check(drivers []driver.Driver) error {
	var all []error
	fault := func(format string, args ...any) { all = append(all, fmt.Errorf(format, args...)) }
	if len(s.Buses) > MaxBuses {
		fault("buses: are %d; at most %d are allowed", len(s.Buses), MaxBuses)
	}
	if len(s.Sensors) > MaxSensors {
		fault("sensors: are %d; at most %d are allowed", len(s.Sensors), MaxSensors)
	}
	kinds := make(map[string]bus.Kind, len(s.Buses))
	for i, b := range s.Buses {
		all = append(all, faults.Prefix(fmt.Sprintf("buses[%d]", i), b.Validate()))
		if _, twice := kinds[b.ID]; twice {
			fault("buses[%d].id: %q is there twice", i, b.ID)
		}
		kinds[b.ID] = b.Type
	}
	ids := make(map[telemetry.SensorID]bool, len(s.Sensors))
	for i := range s.Sensors {
		one := &s.Sensors[i]
		all = append(all, faults.Prefix(fmt.Sprintf("sensors[%d]", i), one.check(kinds, drivers)))
		if ids[one.ID] {
			fault("sensors[%d].id: %q is there twice; a sensor is read by one driver", i, one.ID)
		}
		ids[one.ID] = true
	}
	return errors.Join(all...)
}

func (s *Sensor) check(kinds map[string]bus.Kind, drivers []driver.Driver) error {
	var all []error
	fault := func(format string, args ...any) { all = append(all, fmt.Errorf(format, args...)) }
	if err := s.ID.Check(); err != nil {
		fault("id: %w", err)
	}
	if s.Every < 10*time.Millisecond || s.Every > 24*time.Hour {
		fault("every: %s is outside 10ms to 24h", s.Every)
	}
	if s.Timeout < 0 || s.Timeout > time.Minute {
		fault("timeout: %s is outside 0s to 1m", s.Timeout)
	}
	kind, known := kinds[s.Bus]
	if !known {
		fault("bus: %q is none of the buses", s.Bus)
	}
	found := false
	for _, d := range drivers {
		if d.Name != s.Driver || found && (!known || d.Bus != kind) {
			continue
		}
		s.driver, found = d, true // of several with the name (I2C and SPI) the one whose bus fits
	}
	switch {
	case !found:
		fault("driver: %q is not one of this bridge; see lamppost-bridge drivers", s.Driver)
		return errors.Join(all...)
	case known && s.driver.Bus != kind:
		fault("bus: %q is of type %s, and driver %s is for %s", s.Bus, kind, s.Driver, s.driver.Bus)
	}
	s.decoded = s.driver.Options()
	all = append(all, faults.Prefix("options", driver.Decode(s.decoded, s.Options)))
	return errors.Join(all...)
}
