package bridge

import (
	"time"

	"github.com/lamppost-city/lamppost/firmware-bridge/clock"
	"github.com/lamppost-city/lamppost/firmware-bridge/outbox"
	"github.com/lamppost-city/lamppost/telemetry"
)

// Status is what a bridge says of itself on <root>/<publisher>/status, retained: what is broken, and what is in force. Times
// are left out while the date is not known.
type Status struct {
	// State is online; the will says offline.
	State     string             `json:"state"`
	Publisher telemetry.SensorID `json:"publisher"`
	Version   string             `json:"version"`
	// At is when this was said; Started when the process began.
	At      time.Time `json:"at,omitzero"`
	Started time.Time `json:"started,omitzero"`
	// Boot changes when the machine was switched off and on.
	Boot clock.Boot `json:"boot"`

	Clock    ClockStatus    `json:"clock"`
	Settings SettingsStatus `json:"settings"`
	Outbox   OutboxStatus   `json:"outbox"`
	Sensors  []SensorReport `json:"sensors"`
}

// ClockStatus says whom the bridge believes about the date.
type ClockStatus struct {
	Known         bool         `json:"known"`
	Source        clock.Source `json:"source,omitempty"`
	UncertaintyMS int64        `json:"uncertainty_ms"`
	// SystemOffsetMS is how far the system's clock is ahead of what is believed.
	SystemOffsetMS int64  `json:"system_offset_ms"`
	Error          string `json:"error,omitempty"`
}

func clockStatus(c *clock.Clock) ClockStatus {
	s := c.Status()
	out := ClockStatus{
		Known: s.Source != "", Source: s.Source, UncertaintyMS: s.Uncertainty.Milliseconds(), SystemOffsetMS: s.SystemOffset.Milliseconds(),
		Error: s.Contradiction,
	}
	if out.Error == "" {
		out.Error = s.Fault
	}
	return out
}

// OutboxStatus says what waits for the broker.
type OutboxStatus struct {
	WaitingReadings uint64 `json:"waiting_readings"`
	OldestS         int64  `json:"oldest_s"`
	UndatedReadings uint64 `json:"undated_readings"`
	DiskBytes       int64  `json:"disk_bytes"`
	MaxBytes        int64  `json:"max_bytes"`
	// Acknowledged readings have reached the broker, and Dropped ones were lost, since the start.
	Acknowledged uint64                   `json:"acknowledged"`
	Dropped      map[outbox.Reason]uint64 `json:"dropped,omitempty"`
	Disk         outbox.DiskState         `json:"disk"`
	Error        string                   `json:"error,omitempty"`
}

func outboxStatus(s outbox.Status) OutboxStatus {
	return OutboxStatus{
		WaitingReadings: s.WaitingReadings, OldestS: int64(s.Oldest.Seconds()), UndatedReadings: s.UndatedReadings,
		DiskBytes: s.DiskBytes, MaxBytes: s.MaxBytes, Acknowledged: s.AcknowledgedReadings, Dropped: s.Dropped,
		Disk: s.Disk, Error: s.DiskError,
	}
}

// SettingsStatus says which settings are in force, and what became of newer ones.
type SettingsStatus struct {
	Source  Source    `json:"source"`
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

// goodbye is the will: what the broker says for a bridge whose connection has ended.
type goodbye struct {
	State     string             `json:"state"`
	Publisher telemetry.SensorID `json:"publisher"`
	Version   string             `json:"version"`
}
