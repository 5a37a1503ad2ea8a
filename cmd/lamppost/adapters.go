package main

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/lamppost-city/lamppost/api"
	"github.com/lamppost-city/lamppost/broker"
	"github.com/lamppost-city/lamppost/ingest"
	"github.com/lamppost-city/lamppost/ingest/audit"
	"github.com/lamppost-city/lamppost/ingest/ledger"
	"github.com/lamppost-city/lamppost/ingest/live"
	"github.com/lamppost-city/lamppost/registry"
	"github.com/lamppost-city/lamppost/service"
	"github.com/lamppost-city/lamppost/store/influx"
	"github.com/lamppost-city/lamppost/telemetry"
)

// directory shows the registry to ingest.
type directory struct {
	registry *registry.Registry
	mu       sync.Mutex
	current  *sensors
}

// renewWithin bounds a look at the registry's file. A city of 100,000 sensors that has just been imported is read in less.
const renewWithin = 5 * time.Second

// renew brings what other processes have just registered into the snapshot. Where that fails the last snapshot stays, as the
// registry's health says.
func renew(r *registry.Registry) func(context.Context) {
	return func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, renewWithin)
		defer cancel()
		_ = r.Renew(ctx)
	}
}

// sensors is a snapshot as ingest sees it.
type sensors struct {
	snapshot *registry.Snapshot
	version  uint64
}

// Sensors is called for every batch, and when the ledger is asked what is missing.
func (d *directory) Sensors() ingest.Sensors {
	d.mu.Lock()
	defer d.mu.Unlock()
	snapshot := d.registry.Snapshot()
	if d.current == nil {
		d.current = &sensors{snapshot: snapshot, version: 1}
	} else if d.current.snapshot != snapshot {
		d.current = &sensors{snapshot: snapshot, version: d.current.version + 1}
	}
	return d.current
}

func (s *sensors) Version() uint64 { return s.version }

func (s *sensors) Sensor(id telemetry.SensorID) (ingest.Sensor, bool) {
	sensor, ok := s.snapshot.Sensor(id)
	if !ok {
		return ingest.Sensor{}, false
	}
	known := ingest.Sensor{Site: sensor.Site, Publisher: sensor.Publisher, Cadence: sensor.Cadence, Since: telemetry.MilliOf(sensor.CreatedAt)}
	if site, ok := s.snapshot.Site(sensor.Site); ok {
		known.District = site.District
	}
	return known, true
}

func (s *sensors) Publisher(id telemetry.SensorID) bool { return len(s.snapshot.SensorsOf(id)) > 0 }

// credentials shows the registry's publishers to the broker.
type credentials struct{ *registry.Registry }

// Required is asked first when a connection comes: by then a password that was made or taken away a moment ago counts.
func (c credentials) Required() bool {
	renew(c.Registry)(context.Background())
	return c.Registry.Required()
}

func (c credentials) Verify(user, password string) (broker.Grant, bool) {
	grant, ok := c.Registry.Verify(user, password)
	return broker.Grant{Publisher: grant.Publisher, All: grant.All}, ok
}

// registrar registers the demonstration city without going over HTTP.
type registrar struct{ *registry.Registry }

const demoActor registry.Actor = "demonstration city"

func (r registrar) Register(ctx context.Context, csv io.Reader) error {
	_, err := r.Import(ctx, csv, registry.ImportOptions{By: demoActor})
	return err
}

func (r registrar) PutPlan(ctx context.Context, geojson []byte) error {
	_, err := r.SetPlan(ctx, demoActor, geojson)
	return err
}

// hub shows the live readings to api.
type hub struct{ *live.Hub }

func (h hub) Subscribe(batches int) api.Subscription { return h.Hub.Subscribe(batches) }

// replays takes quarantined messages in again.
type replays struct {
	line *ingest.Line
	// renew: what is replayed has just been registered, as often as not.
	renew func(context.Context)
}

// replayBatch is how many messages are looked up at once.
const replayBatch = 500

func (r replays) Replay(ctx context.Context, reason telemetry.Reason, ids []int64) (api.ReplayResult, error) {
	r.renew(ctx)
	var result api.ReplayResult
	wanted := make(map[int64]bool, len(ids))
	for _, id := range ids {
		wanted[id] = true
	}
	if err := r.line.Ledger().Flush(ctx); err != nil {
		return result, err
	}
	// What is refused again gets a new and larger id, which must not be met again.
	for before := int64(0); ; {
		messages, _, err := r.line.Ledger().Quarantined(ctx, ledger.QuarantineFilter{Reason: reason, Before: before, Limit: replayBatch})
		if err != nil || len(messages) == 0 {
			return result, err
		}
		before = messages[len(messages)-1].ID
		for _, m := range messages {
			if len(ids) > 0 && !wanted[m.ID] {
				continue
			}
			refused, err := r.line.Retry(ctx, m)
			if err != nil && !errors.Is(err, ingest.ErrCut) {
				return result, err
			}
			if refused {
				result.StillRefused++
			} else {
				result.Replayed++
			}
		}
	}
}

// audits compares ledger and store.
type audits struct {
	ledger *ledger.Ledger
	store  *influx.Client
}

func (a audits) Audit(ctx context.Context, from, to time.Time) (api.AuditReport, error) {
	r, err := audit.Run(ctx, a.ledger, a.store, from, to)
	if err != nil {
		return api.AuditReport{}, err
	}
	return auditReport(r), nil
}

func timeOf(t time.Time) api.Time { return api.Time(telemetry.MilliOf(t)) }

func auditReport(r *audit.Report) api.AuditReport {
	report := api.AuditReport{
		Clean: r.Clean(), From: timeOf(r.From), To: timeOf(r.To), Readings: r.Written, Rows: r.Rows, Waiting: r.Waiting,
		Differences: []api.AuditDifference{}, Truncated: r.Truncated,
	}
	for _, d := range r.Differences {
		report.Differences = append(report.Differences, api.AuditDifference{Sensor: string(d.Sensor), Time: timeOf(d.Minute), Ledger: d.Written, Store: d.Stored})
	}
	return report
}

// pipeline tells how readings flow.
type pipeline struct {
	line    *ingest.Line
	started time.Time
}

func (p pipeline) State(ctx context.Context) (api.PipelineState, error) {
	flow, waits := p.line.Flow(), p.line.Spool()
	quarantined, _, err := p.line.Ledger().QuarantineSize(ctx)
	if err != nil {
		return api.PipelineState{}, err
	}
	return api.PipelineState{
		ReceivedPerS: flow.ReceivedPerSecond, WrittenPerS: flow.WrittenPerSecond,
		Waiting: max(0, flow.Totals.Waiting()), Quarantined: quarantined, RejectedTotal: flow.Totals.RejectedSum(),
		Spool:   api.SpoolState{Bytes: waits.Bytes, MaxBytes: waits.MaxBytes, OldestS: waits.OldestAge.Seconds(), Full: waits.Full || waits.DiskFull},
		DelayMS: api.DelayState{P50: float64(flow.DelayP50) / 1e6, P99: float64(flow.DelayP99) / 1e6},
		Started: timeOf(p.started), Version: service.Version(),
	}, nil
}

// parts shows the group to api.
type parts struct{ group *service.Group }

func (p parts) Parts() []api.PartState {
	var all []api.PartState
	for _, s := range p.group.Status() {
		message := s.Message
		if message == "" && s.State != service.Ready {
			message = string(s.State)
		}
		all = append(all, api.PartState{Name: s.Name, Ready: s.State == service.Ready, Message: message})
	}
	return all
}
