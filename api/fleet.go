package api

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lamppost-city/lamppost/ingest/ledger"
	"github.com/lamppost-city/lamppost/registry"
	"github.com/lamppost-city/lamppost/telemetry"
)

// SensorAccount is what came from one sensor in a range.
type SensorAccount struct {
	Sensor       string   `json:"sensor"`
	Title        string   `json:"title"`
	Site         string   `json:"site"`
	District     string   `json:"district"`
	Accepted     int64    `json:"accepted" doc:"Readings."`
	Reports      int64    `json:"reports" doc:"How often it reported: a report is all of its readings with the same time."`
	Missing      int64    `json:"missing" doc:"Reports that did not come."`
	Expected     int64    `json:"expected" doc:"Reports and missing together."`
	Completeness *float64 `json:"completeness,omitempty" doc:"reports / expected, from 0 to 1; left out where nothing was expected."`
	Late         int64    `json:"late"`
	Duplicate    int64    `json:"duplicate"`
	Rejected     int64    `json:"rejected" doc:"Refused readings, for whatever reason."`
	LastSeen     *Time    `json:"last_seen" nullable:"true"`
	State        string   `json:"state" enum:"ok,silent,never"`
}

// SensorAccountList is a page of accounts, and how many there are on all pages.
type SensorAccountList struct {
	Items []SensorAccount `json:"items" nullable:"false"`
	Total int             `json:"total"`
}

type accountsInput struct {
	From   string   `query:"from" maxLength:"40" doc:"Begin: RFC 3339, Unix milliseconds, or relative like -24h or -7d; rounded down to the hour. Without it, 24 hours before the end." example:"-24h"`
	To     string   `query:"to" maxLength:"40" doc:"End, rounded up to the hour; now without it." example:"now"`
	Sensor []string `query:"sensor,explode" maxItems:"1000" doc:"Only these sensors; may repeat."`
	PlaceParams
	Sort   string `query:"sort" enum:"missing,last_seen,rejected" default:"missing" doc:"missing and rejected: the most first; last_seen: the longest ago first."`
	Limit  int    `query:"limit" minimum:"1" maximum:"10000" default:"100" doc:"How many at most."`
	Offset int    `query:"offset" minimum:"0" maximum:"100000000" doc:"How many to leave out before."`
}

type accountsOutput struct {
	Body SensorAccountList
}

func (s *Server) getSensorAccounts(ctx context.Context, in *accountsInput) (*accountsOutput, error) {
	now := time.Now()
	first, end, err := parseRange(in.From, in.To, defaultLedger, now)
	if err != nil {
		return nil, err
	}
	c, err := parseChoice(in.Sensor, in.PlaceParams, "")
	if err != nil {
		return nil, err
	}
	snapshot := s.deps.Registry.Snapshot()
	shown := s.accountsOf(snapshot, c.sensorsIn(snapshot), telemetry.MilliOf(now))
	list := SensorAccountList{Total: len(shown)}
	page := func(all []SensorAccount) []SensorAccount {
		from := min(in.Offset, len(all))
		return all[from:min(from+in.Limit, len(all))]
	}
	if in.Sort == "last_seen" { // known without the ledger, which then is asked for a page only
		sortAccounts(shown, in.Sort)
		shown = page(shown)
	}
	from, to := first.Time().Truncate(time.Hour), end.Time().Add(time.Hour-1).Truncate(time.Hour)
	err = s.accounts(ctx, func(ctx context.Context) error {
		ids := make([]telemetry.SensorID, len(shown))
		for i := range shown {
			ids[i] = telemetry.SensorID(shown[i].Sensor)
		}
		sums, err := s.deps.Ledger.Sums(ctx, ids, from, to)
		for i := range sums {
			shown[i].add(&sums[i])
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if in.Sort != "last_seen" {
		sortAccounts(shown, in.Sort)
		shown = page(shown)
	}
	list.Items = shown
	return &accountsOutput{Body: list}, nil
}

// accountsOf are the accounts of sensors before the ledger was asked.
func (s *Server) accountsOf(snapshot *registry.Snapshot, sensors []*registry.Sensor, now telemetry.UnixMilli) []SensorAccount {
	shown := make([]SensorAccount, len(sensors))
	for i, sensor := range sensors {
		shown[i] = SensorAccount{Sensor: string(sensor.ID), Title: sensor.Title, Site: sensor.Site}
		if site, ok := snapshot.Site(sensor.Site); ok {
			shown[i].District = site.District
		}
		shown[i].State, shown[i].LastSeen = s.stateOf(sensor, now)
	}
	return shown
}

func (a *SensorAccount) add(t *ledger.Totals) {
	a.Accepted, a.Reports, a.Missing, a.Late, a.Duplicate = t.Accepted, t.Reports, t.Missing, t.Late, t.Duplicate
	a.Rejected, a.Expected = t.RejectedSum(), t.Reports+t.Missing
	if a.Expected > 0 {
		share := float64(a.Reports) / float64(a.Expected)
		a.Completeness = &share
	}
}

// sortAccounts puts first what needs attention; the accounts are in order of id, and stay so among equals.
func sortAccounts(all []SensorAccount, by string) {
	slices.SortStableFunc(all, func(a, b SensorAccount) int {
		switch by {
		case "last_seen":
			return cmp.Compare(seenMilli(a.LastSeen), seenMilli(b.LastSeen))
		case "rejected":
			return cmp.Compare(b.Rejected, a.Rejected)
		}
		return cmp.Compare(b.Missing, a.Missing)
	})
}

// seenMilli puts what was never seen before everything else.
func seenMilli(at *Time) int64 {
	if at == nil {
		return -1 << 63
	}
	return int64(*at)
}

// Event is something that went wrong with a sensor for some time.
type Event struct {
	Kind     string `json:"kind" enum:"silence,clock" doc:"silence: it did not report for longer than twice its cadence and 10 seconds; clock: readings were refused because of their time."`
	Sensor   string `json:"sensor"`
	Site     string `json:"site"`
	District string `json:"district"`
	From     Time   `json:"from" doc:"The last report before a silence; the minute in which the first reading was refused."`
	To       *Time  `json:"to" nullable:"true" doc:"The first report after a silence; the end of the minute in which the last reading was refused; null while it lasts."`
	Text     string `json:"text" doc:"What happened, for people."`
}

// EventList is events, oldest first.
type EventList struct {
	Items     []Event `json:"items" nullable:"false"`
	Truncated bool    `json:"truncated" doc:"Whether older ones were left out because there are too many; ask for a shorter range."`
}

type eventsInput struct {
	From   string   `query:"from" maxLength:"40" doc:"Begin: RFC 3339, Unix milliseconds, or relative like -24h or -7d. Without it, 24 hours before the end." example:"-24h"`
	To     string   `query:"to" maxLength:"40" doc:"End; now without it." example:"now"`
	Sensor []string `query:"sensor,explode" maxItems:"1000" doc:"Only of these sensors; may repeat."`
	PlaceParams
	Kind []string `query:"kind,explode" maxItems:"2" enum:"silence,clock" doc:"Only of these kinds; may repeat."`
}

type eventsOutput struct {
	Body EventList
}

func (s *Server) getEvents(ctx context.Context, in *eventsInput) (*eventsOutput, error) {
	from, to, err := parseRange(in.From, in.To, defaultLedger, time.Now())
	if err != nil {
		return nil, err
	}
	c, err := parseChoice(in.Sensor, in.PlaceParams, "")
	if err != nil {
		return nil, err
	}
	list := EventList{Items: []Event{}}
	err = s.accounts(ctx, func(ctx context.Context) error {
		events, truncated, err := s.deps.Ledger.Events(ctx, from.Time(), to.Time())
		list.Truncated = truncated
		snapshot := s.deps.Registry.Snapshot()
		for i := range events {
			shown, ok := showEvent(snapshot, &c, &events[i])
			if ok && (len(in.Kind) == 0 || slices.Contains(in.Kind, shown.Kind)) {
				list.Items = append(list.Items, shown)
			}
		}
		return err
	})
	return &eventsOutput{Body: list}, err
}

// showEvent tells what happened, unless it is of a sensor that is not chosen or not registered, or too short to count.
func showEvent(snapshot *registry.Snapshot, c *choice, e *ledger.Event) (Event, bool) {
	sensor, ok := snapshot.Sensor(e.Sensor)
	if !ok {
		return Event{}, false
	}
	if _, named := c.sensors[e.Sensor]; c.sensors != nil && !named {
		return Event{}, false
	}
	site, known := snapshot.Site(sensor.Site)
	if !c.hasSite(site) {
		return Event{}, false
	}
	shown := Event{Sensor: string(e.Sensor), Site: sensor.Site, From: TimeOf(e.From)}
	if known {
		shown.District = site.District
	}
	end := time.Now()
	if !e.To.IsZero() {
		end = e.To
		to := TimeOf(e.To)
		shown.To = &to
	}
	if e.Kind == ledger.WrongClock {
		shown.Kind, shown.Text = "clock", clockText(e)
		return shown, true
	}
	lasted := end.Sub(e.From)
	shown.Kind = "silence"
	shown.Text = fmt.Sprintf("no report for %s, one is expected every %s", inWords(lasted), inWords(e.Cadence))
	if e.Missing > 0 {
		shown.Text += fmt.Sprintf("; %d missing", e.Missing)
	}
	return shown, lasted > 2*e.Cadence+silenceGrace
}

// inWords writes a duration for people, to the second: its largest unit and the one below it, where that is not 0.
func inWords(d time.Duration) string {
	d = d.Round(time.Second)
	units := []struct {
		name   string
		length time.Duration
	}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"min", time.Minute}, {"s", time.Second}}
	for i, u := range units {
		if d < u.length && u.name != "s" {
			continue
		}
		text := fmt.Sprintf("%d %s", d/u.length, u.name)
		if i+1 < len(units) {
			if rest := d % u.length / units[i+1].length; rest > 0 {
				text += fmt.Sprintf(" %d %s", rest, units[i+1].name)
			}
		}
		return text
	}
	return ""
}

func clockText(e *ledger.Event) string {
	var parts []string
	for _, one := range []struct {
		reason    telemetry.Reason
		one, more string
	}{
		{telemetry.ReasonFuture, "lay in the future", "lay in the future"},
		{telemetry.ReasonTooOld, "was older than what is kept", "were older than what is kept"},
		{telemetry.ReasonTime, "could not be read", "could not be read"},
	} {
		switch n := e.Refused[one.reason]; {
		case n == 1:
			parts = append(parts, "the time of 1 reading "+one.one)
		case n > 1:
			parts = append(parts, fmt.Sprintf("the times of %d readings %s", n, one.more))
		}
	}
	return strings.Join(parts, ", ") + "; look at its clock"
}
