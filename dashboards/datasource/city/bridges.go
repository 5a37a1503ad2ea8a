package city

import (
	"context"
	"net/url"
	"time"
)

// Bridge is an edge bridge as it described itself last. What it did not say is nil or "".
type Bridge struct {
	// Publisher is its id.
	Publisher string `json:"publisher"`
	Title     string `json:"title"`
	// State is online or offline.
	State   string `json:"state"`
	Version string `json:"version"`
	// At is when it described itself, Started when its program began.
	At       *time.Time      `json:"at"`
	Started  *time.Time      `json:"started"`
	Sensors  float64         `json:"sensors"`
	Failing  float64         `json:"failing"`
	Settings *BridgeSettings `json:"settings"`
	Outbox   *BridgeOutbox   `json:"outbox"`
	Clock    *BridgeClock    `json:"clock"`
}

// BridgeSettings are those that are in force, and what became of newer ones.
type BridgeSettings struct {
	ID      string `json:"id"`
	Refused *struct {
		Error string `json:"error"`
	} `json:"refused"`
}

// BridgeOutbox is the spool of a bridge: what waits there for the broker.
type BridgeOutbox struct {
	WaitingReadings float64            `json:"waiting_readings"`
	OldestS         float64            `json:"oldest_s"`
	DiskBytes       float64            `json:"disk_bytes"`
	MaxBytes        float64            `json:"max_bytes"`
	Dropped         map[string]float64 `json:"dropped"`
	// Disk is fine, full, read_only or failing.
	Disk string `json:"disk"`
}

// BridgeClock is whom a bridge believes about the date.
type BridgeClock struct {
	Known          bool    `json:"known"`
	Source         string  `json:"source"`
	UncertaintyMS  float64 `json:"uncertainty_ms"`
	SystemOffsetMS float64 `json:"system_offset_ms"`
}

// MaxBridges is how many bridges one answer has at most.
const MaxBridges = 1000

// Bridges asks for edge bridges in order of id; total counts those beyond the limit as well.
func (c *Client) Bridges(ctx context.Context, params url.Values) (items []Bridge, total int, err error) {
	return list[Bridge](ctx, c, "bridges", params)
}
