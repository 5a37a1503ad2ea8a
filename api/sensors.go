package api

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/lamppost-city/lamppost/registry"
	"github.com/lamppost-city/lamppost/telemetry"
)

// The states of a sensor and of a site.
const (
	stateOK     = "ok"
	stateSilent = "silent"
	stateNever  = "never"
)

// silenceGrace is added to twice the cadence before a sensor counts as silent.
const silenceGrace = 10 * time.Second

// actor is who the registry's audit names for changes through the API: whoever holds the token.
const actor registry.Actor = "api token"

// Sensor is a registered sensor as the API shows it.
type Sensor struct {
	ID         string   `json:"id"`
	Title      string   `json:"title"`
	Site       string   `json:"site" doc:"The id of its site; empty where that is not known."`
	SiteTitle  string   `json:"site_title"`
	District   string   `json:"district" doc:"The id of its site's district."`
	Lon        *float64 `json:"lon" nullable:"true" doc:"Degrees, WGS 84; null without a site."`
	Lat        *float64 `json:"lat" nullable:"true"`
	Publisher  string   `json:"publisher" doc:"Who publishes for it; its own id where it speaks for itself."`
	CadenceS   float64  `json:"cadence_s" doc:"How often it should report, in seconds; 0 where nothing is expected."`
	Quantities []string `json:"quantities" nullable:"false"`
	Domains    []string `json:"domains" nullable:"false"`
	State      string   `json:"state" enum:"ok,silent,never" doc:"silent: no reading for longer than twice the cadence and 10 seconds; never: none at all."`
	LastSeen   *Time    `json:"last_seen" nullable:"true" doc:"Measured time of its newest reading."`
}

// SensorList is a page of sensors in the order of registry.Snapshot.Select, and how many there are on all pages.
type SensorList struct {
	Items []Sensor `json:"items" nullable:"false"`
	Total int      `json:"total"`
}

type sensorsInput struct {
	Q string `query:"q" maxLength:"200" doc:"Words that must all occur in the ids or titles of the sensor or its site. Sensors whose id begins with one come first, then those with a word of their title that does, then the rest, each in order of id."`
	PlaceParams
	BoxParam
	Domain      string   `query:"domain" enum:"traffic,energy,safety" doc:"Only sensors with a quantity of this domain."`
	Quantity    []string `query:"quantity,explode" maxItems:"200" doc:"Only sensors with one of these quantities; may repeat."`
	State       string   `query:"state" enum:"ok,silent,never" doc:"Only sensors in this state."`
	Limit       int      `query:"limit" minimum:"1" maximum:"10000" default:"100" doc:"How many at most."`
	Offset      int      `query:"offset" minimum:"0" maximum:"100000000" doc:"How many to leave out before."`
	IfNoneMatch string   `header:"If-None-Match" hidden:"true"`
}

func (s *Server) getSensors(_ context.Context, in *sensorsInput) (*fileOutput, error) {
	c, err := parseChoice(nil, in.PlaceParams, in.BBox)
	if err != nil {
		return nil, err
	}
	quantities, err := parseQuantities(in.Quantity)
	if err != nil {
		return nil, err
	}
	snapshot, now := s.deps.Registry.Snapshot(), telemetry.MilliOf(time.Now())
	domain, _ := telemetry.ParseDomain(in.Domain) // an enum, checked before
	chosen := snapshot.Select(registry.Filter{Q: in.Q, Domain: domain})
	wanted := func(sensor *registry.Sensor) bool {
		site, _ := snapshot.Site(sensor.Site)
		state := in.State
		if state != "" {
			state, _ = s.stateOf(sensor, now)
		}
		return state == in.State && c.hasSite(site) && (len(quantities) == 0 || reports(sensor, quantities))
	}
	if in.State != "" || c.places() || len(quantities) > 0 {
		// A list of its own: the one chosen may be the snapshot's.
		chosen = slices.DeleteFunc(slices.Clone(chosen), func(sensor *registry.Sensor) bool { return !wanted(sensor) })
	}
	from := min(in.Offset, len(chosen))
	page := chosen[from:min(from+in.Limit, len(chosen))]
	list := SensorList{Items: make([]Sensor, len(page)), Total: len(chosen)}
	for i, sensor := range page {
		list.Items[i] = s.show(snapshot, sensor, now)
	}
	return tagged(list, in.IfNoneMatch)
}

// reports tells whether a sensor is registered with one of the quantities.
func reports(sensor *registry.Sensor, quantities []*telemetry.Quantity) bool {
	return slices.ContainsFunc(quantities, func(q *telemetry.Quantity) bool { return slices.Contains(sensor.Quantities, q.Name) })
}

// stateOf tells whether a sensor reports as it should, and when it was last seen (nil: never).
func (s *Server) stateOf(sensor *registry.Sensor, now telemetry.UnixMilli) (string, *Time) {
	at, ok := s.deps.Latest.LastSeen(sensor.ID)
	if !ok {
		return stateNever, nil
	}
	seen := Time(at)
	if wait := patience(sensor); wait > 0 && now-at > telemetry.UnixMilli(wait.Milliseconds()) {
		return stateSilent, &seen
	}
	return stateOK, &seen
}

// patience is how old a sensor's newest reading may be before the sensor counts as silent; 0 where nothing is expected.
func patience(sensor *registry.Sensor) time.Duration {
	if sensor.Cadence <= 0 {
		return 0
	}
	return 2*sensor.Cadence + silenceGrace
}

// show gathers what the API says of a sensor.
func (s *Server) show(snapshot *registry.Snapshot, sensor *registry.Sensor, now telemetry.UnixMilli) Sensor {
	shown := Sensor{
		ID: string(sensor.ID), Title: sensor.Title, Site: sensor.Site, Publisher: string(sensor.Publisher),
		CadenceS: sensor.Cadence.Seconds(), Quantities: sensor.Quantities, Domains: domainNames(sensor.Domains()),
	}
	if shown.Publisher == "" {
		shown.Publisher = shown.ID
	}
	if site, ok := snapshot.Site(sensor.Site); ok {
		shown.SiteTitle, shown.District = site.Title, site.District
		shown.Lon, shown.Lat = &site.Lon, &site.Lat
	}
	shown.State, shown.LastSeen = s.stateOf(sensor, now)
	return shown
}

func domainNames(domains []telemetry.Domain) []string {
	names := make([]string, len(domains))
	for i, d := range domains {
		names[i] = d.String()
	}
	return names
}

// SensorWithLatest is a sensor and its newest reading of each quantity and channel.
type SensorWithLatest struct {
	Sensor
	Latest []Reading `json:"latest" nullable:"false"`
}

type sensorInput struct {
	ID string `path:"id" maxLength:"63" doc:"The sensor's id." example:"air-market-1"`
}

type sensorOutput struct {
	Status int
	Body   SensorWithLatest
}

func (s *Server) getSensor(_ context.Context, in *sensorInput) (*sensorOutput, error) {
	id, err := sensorID(in.ID)
	if err != nil {
		return nil, err
	}
	return s.showSensor(id, http.StatusOK)
}

func (s *Server) showSensor(id telemetry.SensorID, status int) (*sensorOutput, error) {
	snapshot := s.deps.Registry.Snapshot()
	sensor, ok := snapshot.Sensor(id)
	if !ok {
		return nil, noSensor(id)
	}
	shown := s.show(snapshot, sensor, telemetry.MilliOf(time.Now()))
	return &sensorOutput{Status: status, Body: SensorWithLatest{Sensor: shown, Latest: s.latestOf(id)}}, nil
}

// sensorID checks an id out of a path.
func sensorID(text string) (telemetry.SensorID, error) {
	id := telemetry.SensorID(text)
	if err := id.Check(); err != nil {
		return "", badParameter("path", "id", text, "%v", err)
	}
	return id, nil
}

func noSensor(id telemetry.SensorID) error {
	return newProblem(http.StatusNotFound, "no sensor %q is registered", string(id))
}

// SensorSettings is what a person decides about a sensor.
type SensorSettings struct {
	Title      string   `json:"title,omitempty" doc:"For people; the id where it is empty."`
	Site       string   `json:"site,omitempty" doc:"The id of a registered site."`
	Publisher  string   `json:"publisher,omitempty" doc:"Who publishes for it; empty where it speaks for itself."`
	CadenceS   float64  `json:"cadence_s,omitempty" minimum:"0" maximum:"31622400" doc:"How often it should report, in seconds; 0 where nothing is expected."`
	Quantities []string `json:"quantities" nullable:"false" minItems:"1" maxItems:"64" doc:"Names out of /api/v1/quantities."`
}

type putSensorInput struct {
	ID   string `path:"id" maxLength:"63" doc:"The sensor's id." example:"air-market-1"`
	Body SensorSettings
}

func (s *Server) putSensor(ctx context.Context, in *putSensorInput) (*sensorOutput, error) {
	id, err := sensorID(in.ID)
	if err != nil {
		return nil, err
	}
	outcome, err := s.deps.Registry.PutSensor(ctx, actor, registry.Sensor{
		ID: id, Title: in.Body.Title, Site: in.Body.Site, Publisher: telemetry.SensorID(in.Body.Publisher),
		Cadence:    time.Duration(in.Body.CadenceS*1000+0.5) * time.Millisecond,
		Quantities: in.Body.Quantities,
	})
	if err != nil {
		return nil, s.fault(ctx, "register the sensor", err)
	}
	return s.showSensor(id, statusOf(outcome))
}

func statusOf(outcome registry.Outcome) int {
	if outcome == registry.Created {
		return http.StatusCreated
	}
	return http.StatusOK
}

func (s *Server) deleteSensor(ctx context.Context, in *sensorInput) (*struct{}, error) {
	id, err := sensorID(in.ID)
	if err != nil {
		return nil, err
	}
	if err := s.deps.Registry.DeleteSensor(ctx, actor, id); err != nil {
		return nil, s.fault(ctx, "forget the sensor", err)
	}
	return nil, nil
}

type exportInput struct {
	Q           string `query:"q" maxLength:"200" doc:"Words that must all occur in the ids or titles of the sensor or its site."`
	District    string `query:"district" maxLength:"63" doc:"Only sensors in this district."`
	Domain      string `query:"domain" enum:"traffic,energy,safety" doc:"Only sensors with a quantity of this domain."`
	IfNoneMatch string `header:"If-None-Match" hidden:"true"`
}

type fileOutput struct {
	ContentType string `header:"Content-Type" hidden:"true"`
	Disposition string `header:"Content-Disposition" hidden:"true"`
	ETag        string `header:"ETag"`
	Body        []byte
}

func (s *Server) exportSensors(ctx context.Context, in *exportInput) (*fileOutput, error) {
	domain, _ := telemetry.ParseDomain(in.Domain)
	var csv bytes.Buffer
	err := s.deps.Registry.Export(ctx, &csv, registry.Filter{Q: in.Q, District: in.District, Domain: domain})
	if err != nil {
		return nil, s.fault(ctx, "export the sensors", err)
	}
	tag := tagOf(csv.Bytes())
	if matches(in.IfNoneMatch, tag) {
		return nil, notModified(tag)
	}
	return &fileOutput{
		ContentType: "text/csv; charset=utf-8", Disposition: `attachment; filename="sensors.csv"`, ETag: tag, Body: csv.Bytes(),
	}, nil
}

type importInput struct {
	DryRun  bool   `query:"dry_run" doc:"Only say what would be done."`
	RawBody []byte `contentType:"text/csv"`
}

type importOutput struct {
	Body registry.ImportReport
}

func (s *Server) importSensors(ctx context.Context, in *importInput) (*importOutput, error) {
	done, err := s.begin(ctx, s.writes)
	if err != nil {
		return nil, err
	}
	defer done()
	report, err := s.deps.Registry.Import(ctx, bytes.NewReader(in.RawBody), registry.ImportOptions{By: actor, DryRun: in.DryRun})
	if errors.Is(err, registry.ErrImport) {
		return nil, &importProblem{
			Type: "about:blank", Title: http.StatusText(http.StatusUnprocessableEntity), Status: http.StatusUnprocessableEntity,
			Detail: "the file has faults; nothing was changed", ImportReport: report,
		}
	}
	if err != nil {
		return nil, s.fault(ctx, "import the sensors", err)
	}
	return &importOutput{Body: report}, nil
}

// importProblem is a problem document with the report of an import beside it.
type importProblem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	registry.ImportReport
}

var _ huma.StatusError = (*importProblem)(nil)

func (p *importProblem) Error() string { return p.Detail }

// GetStatus implements huma.StatusError.
func (p *importProblem) GetStatus() int { return p.Status }

// ContentType implements huma.ContentTypeFilter.
func (p *importProblem) ContentType(string) string { return "application/problem+json" }
