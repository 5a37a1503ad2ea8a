package api

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/lamppost-city/lamppost/query"
	"github.com/lamppost-city/lamppost/registry"
	"github.com/lamppost-city/lamppost/telemetry"
	"github.com/lamppost-city/lamppost/telemetry/step"
)

// defaultHistory is how far back a history goes where the request does not say.
const defaultHistory = 24 * time.Hour

type historyInput struct {
	Sensor []string `query:"sensor,explode" maxItems:"1000" doc:"Which sensors; may repeat. Without it and without a place, all that are registered with one of the quantities."`
	PlaceParams
	BoxParam
	Domain   []string `query:"domain,explode" maxItems:"3" enum:"traffic,energy,safety" doc:"Only quantities of these domains; may repeat."`
	Quantity []string `query:"quantity,explode" maxItems:"200" doc:"Which quantities; may repeat. Without it, those that the sensors are registered with."`
	Channel  string   `query:"channel" maxLength:"32" doc:"Only this channel; given but empty, readings without a channel."`
	From     string   `query:"from" maxLength:"40" doc:"Begin, included: RFC 3339, Unix milliseconds, or relative like -24h or -7d. Without it, 24 hours before the end." example:"-24h"`
	To       string   `query:"to" maxLength:"40" doc:"End, excluded; now without it." example:"now"`
	Step     string   `query:"step" maxLength:"20" doc:"Combine the readings of each step: 30s, 5m, 1h, or days, weeks, months and years of the city's calendar: 1d, 1w, 1mo, 1y; 0 or without it, the readings as they are." example:"5m"`
	Points   int      `query:"points" minimum:"0" maximum:"10000" doc:"In place of step: the shortest round step with which no series has more points, all series fit into one answer, and no sensor reports less often."`
	Agg      string   `query:"agg" enum:"mean,min,max,sum,count,p50,p95" doc:"How to combine them. Without it, sum for counts, max for counters, mean for the rest."`
	Group    []string `query:"group,explode" maxItems:"5" enum:"sensor,site,district,channel,domain" doc:"Keep readings of a quantity apart by these, and combine over the others; may repeat. Without it, by sensor and channel. It needs step or points."`
	Format   string   `query:"format" enum:"points,columns" default:"points" doc:"points: pairs of time and value; columns: times and values in arrays of their own, and what is needed to show them."`

	hasChannel bool
}

// Resolve implements huma.Resolver: it tells an empty channel from none.
func (in *historyInput) Resolve(ctx huma.Context) []error {
	u := ctx.URL()
	in.hasChannel = u.Query().Has("channel")
	return nil
}

// historyOutput has one of several bodies.
type historyOutput struct {
	Body any
}

func (s *Server) getHistory(ctx context.Context, in *historyInput) (*historyOutput, error) {
	asked, err := s.historyQuery(in, time.Now())
	if err != nil {
		return nil, err
	}
	body := historyBody{agg: asked.Agg, snapshot: s.deps.Registry.Snapshot()}
	if !nothingChosen(&asked) {
		if body.result, err = s.askHistory(ctx, asked); err != nil {
			return nil, err
		}
	}
	if in.Format == formatColumns {
		return &historyOutput{Body: &historyColumns{body}}, nil
	}
	return &historyOutput{Body: &body}, nil
}

func (s *Server) askHistory(ctx context.Context, asked query.HistoryQuery) (query.HistoryResult, error) {
	done, err := s.begin(ctx, s.queries)
	if err != nil {
		return query.HistoryResult{}, err
	}
	defer done()
	ctx, cancel := context.WithTimeout(ctx, s.cfg.QueryTimeout)
	defer cancel()
	result, err := s.deps.History.History(ctx, asked)
	if err != nil {
		return result, s.storeFault(ctx, "ask the store for readings", err)
	}
	return result, nil
}

// nothingChosen tells that no sensor and no quantity can answer the question, which is not the asker's fault.
func nothingChosen(q *query.HistoryQuery) bool {
	return len(q.Quantities) == 0 || len(q.Sensors)+len(q.Sites)+len(q.Districts) == 0 && !q.Group.Combines()
}

// historyQuery reads the parameters. Where the choice is empty, so are the quantities.
func (s *Server) historyQuery(in *historyInput, now time.Time) (q query.HistoryQuery, err error) {
	for _, name := range in.Group {
		one, _ := query.ParseGroup(name) // an enum, checked before
		q.Group |= one
	}
	q.Agg, _ = query.ParseAgg(in.Agg)
	if in.hasChannel {
		q.Channel = &in.Channel
	}
	from, to, err := parseRange(in.From, in.To, defaultHistory, now)
	if err != nil {
		return q, err
	}
	q.From, q.To = from.Time(), to.Time()
	length, ok := step.Parse(in.Step)
	if !ok {
		return q, badQuery("step", in.Step, "%q is not a duration; use for instance 30s, 5m, 1h, 1d, 1w, 1mo or 1y", cut(in.Step))
	}
	q.Step, q.Zone, q.Points = length, s.zone, in.Points
	err = s.chooseHistory(in, &q)
	return q, err
}

// chooseHistory decides on sensors, places and quantities, how many series are expected, and how short steps may be.
func (s *Server) chooseHistory(in *historyInput, q *query.HistoryQuery) error {
	c, err := parseChoice(in.Sensor, in.PlaceParams, in.BBox)
	if err != nil {
		return err
	}
	quantities, err := parseQuantities(in.Quantity)
	if err != nil {
		return err
	}
	domains, err := parseDomains(in.Domain)
	if err != nil {
		return err
	}
	if c.sensors == nil && !c.places() && len(quantities)+len(domains) == 0 {
		return badQuery("sensor", "", "name sensors, or quantities, or both; or sites, districts, a box or a domain")
	}
	snapshot := s.deps.Registry.Snapshot()
	sensors := c.sensorsIn(snapshot)
	if len(quantities) == 0 {
		if quantities, err = quantitiesOf(snapshot, sensors, c.sensors); err != nil {
			return err
		}
	}
	if len(domains) > 0 {
		quantities = slices.DeleteFunc(quantities, func(one *telemetry.Quantity) bool { return !slices.Contains(domains, one.Domain) })
	}
	for _, one := range quantities {
		q.Quantities = append(q.Quantities, one.ID)
	}
	sensors = withAny(sensors, quantities)
	q.Sensors = slices.Sorted(maps.Keys(c.sensors))
	switch {
	case c.box != nil:
		if q.Sites = c.sitesIn(snapshot); len(q.Sites) == 0 {
			q.Quantities = nil
		}
	case c.places():
		q.Sites, q.Districts = slices.Sorted(maps.Keys(c.sites)), slices.Sorted(maps.Keys(c.districts))
	case c.sensors == nil && !q.Group.Combines():
		for _, sensor := range sensors {
			q.Sensors = append(q.Sensors, sensor.ID)
		}
	}
	q.Expect = expected(snapshot, sensors, q)
	if q.Points > 0 {
		q.Shortest = cadenceOf(sensors, q.Group.Combines())
	}
	return nil
}

// quantitiesOf lists what the sensors are registered with, each once. All that are named must be registered.
func quantitiesOf(snapshot *registry.Snapshot, sensors []*registry.Sensor, named map[telemetry.SensorID]struct{}) ([]*telemetry.Quantity, error) {
	for _, id := range slices.Sorted(maps.Keys(named)) {
		if _, ok := snapshot.Sensor(id); !ok {
			return nil, newProblem(http.StatusNotFound, "no sensor %q is registered; to see what it once reported, name a quantity", string(id))
		}
	}
	var names []string
	seen := make(map[string]bool)
	for _, sensor := range sensors {
		for _, name := range sensor.Quantities {
			if !seen[name] {
				seen[name] = true
				names = append(names, name)
			}
		}
	}
	return parseQuantities(names)
}

// withAny leaves the sensors that are registered with one of the quantities.
func withAny(sensors []*registry.Sensor, quantities []*telemetry.Quantity) []*registry.Sensor {
	var all []*registry.Sensor
	for _, sensor := range sensors {
		if reports(sensor, quantities) {
			all = append(all, sensor)
		}
	}
	return all
}

// expected counts the series that registered sensors will have, channels not counted; 0 where query knows as well.
func expected(snapshot *registry.Snapshot, sensors []*registry.Sensor, q *query.HistoryQuery) int {
	if len(q.Sensors) > 0 && q.Group == 0 {
		return 0
	}
	type series struct{ sensor, site, district, quantity string }
	all := make(map[series]struct{})
	for _, sensor := range sensors {
		var one series
		if q.Group == 0 || q.Group&query.BySensor != 0 {
			one.sensor = string(sensor.ID)
		}
		if q.Group&query.BySite != 0 {
			one.site = sensor.Site
		}
		if site, ok := snapshot.Site(sensor.Site); ok && q.Group&query.ByDistrict != 0 {
			one.district = site.District
		}
		for _, id := range q.Quantities {
			if one.quantity = id.String(); slices.Contains(sensor.Quantities, one.quantity) {
				all[one] = struct{}{}
			}
		}
	}
	return max(1, len(all))
}

// cadenceOf is the shortest step that makes sense: the shortest cadence, or, where sensors are combined, the longest one,
// so that each has a part in every step.
func cadenceOf(sensors []*registry.Sensor, combined bool) time.Duration {
	shortest, longest := time.Duration(0), time.Duration(0)
	for _, sensor := range sensors {
		if c := sensor.Cadence; c > 0 {
			longest = max(longest, c)
			if shortest == 0 || c < shortest {
				shortest = c
			}
		}
	}
	if combined {
		return longest
	}
	return shortest
}
