// Package control is what a bridge and its city say to each other beside readings: the bridge how it does, the city what
// time it is, what the bridge shall read, and a few commands. The words are here for both; City is the city's end, which
// lamppost runs, and the bridge's own end is in package bridge.
//
//	<root>/<publisher>/status    bridge ► city   Status, retained; the will says offline
//	<root>/<publisher>/config    city ► bridge   settings, retained; Withdrawn, or none at all, withdraws them
//	<root>/<publisher>/command   city ► bridge   Command
//	<root>/<publisher>/answer    bridge ► city   Answer
//	<root>/time                  city ► all      milliseconds since 1970, every few seconds
package control

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/lamppost-city/lamppost/firmware-bridge/clock"
	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
	"github.com/lamppost-city/lamppost/telemetry"
)

// The last levels of the topics.
const (
	TopicStatus  = "status"
	TopicConfig  = "config"
	TopicCommand = "command"
	TopicAnswer  = "answer"
	TopicTime    = "time"
)

// Topic is that of a publisher's messages of a kind.
func Topic(root string, publisher telemetry.SensorID, last string) string {
	return root + "/" + string(publisher) + "/" + last
}

// TimeTopic is where the city says what time it is.
func TimeTopic(root string) string { return root + "/" + TopicTime }

// Withdrawn stands, retained, in place of settings: a bridge that was away hears of it when it is back. Of no bytes at all,
// which take a retained message away, it would not.
const Withdrawn = "withdrawn"

// Status is what a bridge says of itself: what is broken, and what is in force. Times are left out while the date is not
// known. The will is a Status with State, Publisher and Version only.
type Status struct {
	State     State              `json:"state"`
	Publisher telemetry.SensorID `json:"publisher"`
	Version   string             `json:"version"`
	// At is when this was said; Started when the process began.
	At      time.Time `json:"at,omitzero"`
	Started time.Time `json:"started,omitzero"`
	// Boot changes when the machine was switched off and on.
	Boot clock.Boot `json:"boot,omitzero"`

	Clock    *Clock         `json:"clock,omitempty"`
	Settings *Settings      `json:"settings,omitempty"`
	Outbox   *Outbox        `json:"outbox,omitempty"`
	Sensors  []SensorReport `json:"sensors,omitempty"`
}

// State is whether a bridge has a connection.
type State string

// The states.
const (
	Online  State = "online"
	Offline State = "offline"
)

// Clock says whom the bridge believes about the date.
type Clock struct {
	Known         bool         `json:"known"`
	Source        clock.Source `json:"source,omitempty"`
	UncertaintyMS int64        `json:"uncertainty_ms"`
	// SystemOffsetMS is how far the system's clock is ahead of what is believed.
	SystemOffsetMS int64  `json:"system_offset_ms"`
	Error          string `json:"error,omitempty"`
}

// Outbox says what waits for the broker.
type Outbox struct {
	WaitingReadings uint64 `json:"waiting_readings"`
	OldestS         int64  `json:"oldest_s"`
	UndatedReadings uint64 `json:"undated_readings"`
	DiskBytes       int64  `json:"disk_bytes"`
	MaxBytes        int64  `json:"max_bytes"`
	// Acknowledged readings have reached the broker, and Dropped ones were lost, by reason, since the start.
	Acknowledged uint64            `json:"acknowledged"`
	Dropped      map[string]uint64 `json:"dropped,omitempty"`
	// Disk is fine, full, read_only or failing.
	Disk  string `json:"disk"`
	Error string `json:"error,omitempty"`
}

// Settings says which settings are in force, and what became of newer ones.
type Settings struct {
	Source Source `json:"source"`
	// ID is made of the settings' bytes; see SettingsID.
	ID      string    `json:"id"`
	Buses   int       `json:"buses"`
	Sensors int       `json:"sensors"`
	Applied time.Time `json:"applied,omitzero"`
	// Refused are the newest that came after these and cannot be used.
	Refused *Refusal `json:"refused,omitempty"`
}

// Source is where settings came from.
type Source string

// The sources.
const (
	FromFile   Source = "file"
	FromRemote Source = "remote"
	FromNobody Source = "none"
)

// Refusal says why settings are not in force.
type Refusal struct {
	Source Source    `json:"source"`
	ID     string    `json:"id"`
	At     time.Time `json:"at,omitzero"`
	Error  string    `json:"error"`
}

// SensorState is how a sensor does.
type SensorState string

// The states.
const (
	Starting SensorState = "starting" // not read yet
	Working  SensorState = "ok"
	Failing  SensorState = "failing"
	Hanging  SensorState = "hanging" // a call of its driver does not return
)

// SensorReport is what a bridge knows of a sensor.
type SensorReport struct {
	ID     telemetry.SensorID `json:"id"`
	Driver string             `json:"driver"`
	Bus    string             `json:"bus"`
	State  SensorState        `json:"state"`
	// LastGood is when it was read last without a fault; left out if never since the start, or if the date is not known.
	LastGood time.Time `json:"last_good,omitzero"`
	// Readings were taken from it since the start.
	Readings uint64 `json:"readings"`
	// Faults counts what went wrong since the start, by kind.
	Faults map[fault.Kind]uint64 `json:"faults,omitempty"`
	// Kind, Error and Advice are of the newest fault, while it lasts.
	Kind   fault.Kind `json:"kind,omitempty"`
	Error  string     `json:"error,omitempty"`
	Advice string     `json:"advice,omitempty"`
}

// Verb is what a command asks for. There is no shell among them, and nothing that could become one.
type Verb string

// The verbs.
const (
	// Read reads one sensor now, or all.
	Read Verb = "read"
	// Describe looks what answers on the buses.
	Describe Verb = "describe"
	// Log sets the level of the log until the next start.
	Log Verb = "log"
	// Restart ends the program in order, and starts it again.
	Restart Verb = "restart"
)

// Command asks a bridge to do something now. A bridge that is away does not hear it.
type Command struct {
	// ID comes back with the answer: up to 64 characters.
	ID string `json:"id"`
	Do Verb   `json:"do"`
	// Sensor is which one to read; all if it is empty.
	Sensor telemetry.SensorID `json:"sensor,omitempty"`
	// Level is the log's: debug, info, warn or error.
	Level string `json:"level,omitempty"`
}

// MaxCommandBytes bounds a command.
const MaxCommandBytes = 4 << 10

// ParseCommand reads a command. What it returns beside an error has the id, if there was one.
func ParseCommand(text []byte) (Command, error) {
	var c Command
	if len(text) > MaxCommandBytes {
		return c, fmt.Errorf("the command is %d bytes; at most %d are allowed", len(text), MaxCommandBytes)
	}
	if err := json.Unmarshal(text, &c); err != nil {
		return Command{}, fmt.Errorf("the command is no JSON object: %w", err)
	}
	if len(c.ID) > 64 {
		return Command{}, fmt.Errorf("id: has %d characters; at most 64 are allowed", len(c.ID))
	}
	switch c.Do {
	case Read, Describe, Log, Restart:
		return c, nil
	}
	return c, fmt.Errorf("do: %q is none of read, describe, log and restart", c.Do)
}

// Answer is what became of a command.
type Answer struct {
	ID    string `json:"id"`
	Do    Verb   `json:"do"`
	OK    bool   `json:"ok"`
	Error string `json:"error,omitempty"`
	// Buses are what Describe has found.
	Buses []BusReport `json:"buses,omitempty"`
}

// BusReport is what was found on one bus.
type BusReport struct {
	ID string `json:"id"`
	// Type is i2c, spi, gpio, onewire, serial, modbus or mqtt.
	Type   string `json:"type"`
	Device string `json:"device,omitempty"`
	// Devices are those that a driver recognised.
	Devices []DeviceReport `json:"devices"`
	// Answers are places where something else answers, such as "0x3c".
	Answers []string `json:"answers,omitempty"`
	// Error says why the bus could not be looked at, and Advice what to do about it.
	Error  string `json:"error,omitempty"`
	Advice string `json:"advice,omitempty"`
}

// DeviceReport is a device that a driver has recognised.
type DeviceReport struct {
	Driver string `json:"driver"`
	Title  string `json:"title"`
	Where  string `json:"where"`
	// Options reach it, as a sensor's settings have them.
	Options map[string]any `json:"options,omitempty"`
}
