package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lamppost-city/lamppost/ingest/ledger"
	"github.com/lamppost-city/lamppost/internal/secret"
	"github.com/lamppost-city/lamppost/query"
	"github.com/lamppost-city/lamppost/registry"
	"github.com/lamppost-city/lamppost/telemetry"
)

// Deps are what the API asks and what it serves beside itself. All but Metrics and Console are required. Their methods
// are called from many goroutines at once.
type Deps struct {
	// Token is what LoadOrCreateToken returned.
	Token secret.String
	// Version is the process' own, as `lamppost version` prints it.
	Version string

	Registry   Registry
	Latest     Latest
	History    History
	Figures    Figures
	Ledger     Ledger
	Quarantine Quarantine
	Replay     Replay
	Live       Live
	Audit      Audit
	Pipeline   Pipeline
	Parts      Parts
	Bridges    Bridges

	// Livez and Readyz answer at /livez and /readyz.
	Livez, Readyz http.Handler
	// Console serves every path that is not the API's; nil for an API without a page.
	Console http.Handler
	// Metrics may be nil.
	Metrics prometheus.Registerer
}

// check reports what is missing, which is a fault of the program.
func (d *Deps) check() error {
	var faults []error
	for _, one := range []struct {
		name string
		ok   bool
	}{
		{"Token", d.Token != ""},
		{"Registry", d.Registry != nil},
		{"Latest", d.Latest != nil},
		{"History", d.History != nil},
		{"Figures", d.Figures != nil},
		{"Ledger", d.Ledger != nil},
		{"Quarantine", d.Quarantine != nil},
		{"Replay", d.Replay != nil},
		{"Live", d.Live != nil},
		{"Audit", d.Audit != nil},
		{"Pipeline", d.Pipeline != nil},
		{"Parts", d.Parts != nil},
		{"Bridges", d.Bridges != nil},
		{"Livez", d.Livez != nil},
		{"Readyz", d.Readyz != nil},
	} {
		if !one.ok {
			faults = append(faults, fmt.Errorf("api needs Deps.%s", one.name))
		}
	}
	return errors.Join(faults...)
}

// Registry knows the sensors, sites and districts. *registry.Registry is one.
type Registry interface {
	// Snapshot is immutable and belongs to everybody.
	Snapshot() *registry.Snapshot
	SensorWriter
	SiteWriter
	Plans
	Importer
}

// SensorWriter changes sensors. Errors are *registry.InvalidError, or wrap registry.ErrNotFound, or come from the file.
type SensorWriter interface {
	PutSensor(ctx context.Context, by registry.Actor, s registry.Sensor) (registry.Outcome, error)
	DeleteSensor(ctx context.Context, by registry.Actor, id telemetry.SensorID) error
}

// SiteWriter changes sites and districts, with errors like SensorWriter's.
type SiteWriter interface {
	PutSite(ctx context.Context, by registry.Actor, s registry.Site) (registry.Outcome, error)
	PutDistrict(ctx context.Context, by registry.Actor, d registry.District) (registry.Outcome, error)
	DeleteSite(ctx context.Context, by registry.Actor, id string) error
	DeleteDistrict(ctx context.Context, by registry.Actor, id string) error
}

// Plans keeps the street plan.
type Plans interface {
	// Plan's error wraps registry.ErrNotFound where there is none.
	Plan(ctx context.Context) (registry.Plan, error)
	// SetPlan's error is a *registry.InvalidError where the GeoJSON is at fault.
	SetPlan(ctx context.Context, by registry.Actor, geoJSON []byte) (registry.Plan, error)
}

// Importer reads and writes all sensors as CSV.
type Importer interface {
	Import(ctx context.Context, in io.Reader, o registry.ImportOptions) (registry.ImportReport, error)
	Export(ctx context.Context, w io.Writer, f registry.Filter) error
}

// Latest keeps the newest reading of each sensor, quantity and channel. *query.Latest is one.
type Latest interface {
	// LastSeen is the measured time of the sensor's newest reading.
	LastSeen(sensor telemetry.SensorID) (telemetry.UnixMilli, bool)
	// AppendLatest appends the sensor's newest readings to dst.
	AppendLatest(dst []telemetry.Reading, sensor telemetry.SensorID) []telemetry.Reading
}

// History answers questions about the past. *query.History is one. Errors are *query.InvalidError where the question is
// at fault; the result is handed over.
type History interface {
	History(ctx context.Context, q query.HistoryQuery) (query.HistoryResult, error)
}

// Figures computes figures from readings that are not older than maxAge of their sensor, which is quick, and 0 for a
// sensor that does not count; query.Figures does.
type Figures func(now time.Time, maxAge func(telemetry.SensorID) time.Duration) []query.Figure

// Ledger accounts for readings. *ledger.Ledger is one.
type Ledger interface {
	Totals(ctx context.Context, from, to time.Time) (ledger.Totals, error)
	// Minutes covers at most ledger.MaxMinutes, and hands the slice over.
	Minutes(ctx context.Context, sensor telemetry.SensorID, from, to time.Time) ([]ledger.Minute, error)
	// Steps sums up sensors, nil for the city, by step. Its errors may be ledger.ErrStep, ErrSteps and ErrMuch.
	Steps(ctx context.Context, q ledger.StepsQuery) ([]ledger.Minute, error)
	// Sums sums up each sensor; its error may be ledger.ErrMuch.
	Sums(ctx context.Context, sensors []telemetry.SensorID, from, to time.Time) ([]ledger.Totals, error)
	// Events lists what went wrong, oldest first, and whether that is not all.
	Events(ctx context.Context, from, to time.Time) ([]ledger.Event, bool, error)
}

// Quarantine lists refused messages, newest first. *ledger.Ledger is one. The slice is handed over.
type Quarantine interface {
	Quarantined(ctx context.Context, filter ledger.QuarantineFilter) ([]ledger.Message, int64, error)
}

// Replay takes quarantined messages in again: those with the reason, if it is not ReasonNone, and with one of the ids,
// if there are any.
type Replay interface {
	Replay(ctx context.Context, reason telemetry.Reason, ids []int64) (ReplayResult, error)
}

// Live is the hub of accepted readings.
type Live interface {
	// Subscribe adds a listener that may fall behind by so many batches before it misses some.
	Subscribe(batches int) Subscription
}

// Subscription is a queue of batches. *live.Subscription is one.
type Subscription interface {
	// C delivers batches that all listeners share: they are only read. It is closed when the subscription ends.
	C() <-chan []telemetry.Reading
	// Lost is how many readings were missed so far.
	Lost() uint64
	Close()
}

// Audit compares ledger and store over the range from <= t < to, rounded outwards to whole hours.
type Audit interface {
	// Audit's zero from is the ledger's beginning, its zero to everything that came so far.
	Audit(ctx context.Context, from, to time.Time) (AuditReport, error)
}

// Pipeline tells how the readings flow. Its answer's Parts are left empty.
type Pipeline interface {
	State(ctx context.Context) (PipelineState, error)
}

// Parts tells how the parts of the process do, in their order of start.
type Parts interface {
	Parts() []PartState
}

// Bridges tells how the edge bridges do, and tells them what to do. What it returns is handed over. Errors wrap
// ErrBridgeUnknown and its neighbours.
type Bridges interface {
	// Bridges are all that have reported, by id.
	Bridges() []BridgeWithSensors
	Bridge(id telemetry.SensorID) (BridgeWithSensors, error)
	// Configure leaves settings of up to MaxBridgeSettingsBytes for a bridge, whether or not it is there, and returns their
	// id when the broker has them; no bytes withdraw them.
	Configure(ctx context.Context, id telemetry.SensorID, settings []byte) (string, error)
	// Command waits for the bridge's answer, for a bounded time.
	Command(ctx context.Context, id telemetry.SensorID, c BridgeCommand) (BridgeAnswer, error)
}
