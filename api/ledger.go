package api

import (
	"context"
	"errors"
	"time"

	"github.com/lamppost-city/lamppost/ingest/ledger"
	"github.com/lamppost-city/lamppost/telemetry"
	"github.com/lamppost-city/lamppost/telemetry/step"
)

// defaultLedger is how far back a sensor's ledger goes where the request does not say.
const defaultLedger = 24 * time.Hour

// LedgerCounts are sums of readings: received = duplicate + all of rejected + accepted, accepted = written + waiting.
type LedgerCounts struct {
	Received  int64            `json:"received" doc:"Readings that arrived."`
	Duplicate int64            `json:"duplicate" doc:"Of those: had come before, with the same sensor, quantity, channel and time."`
	Late      int64            `json:"late" doc:"Accepted readings that came later than the tolerance after they were measured, and are no recordings from before the sensor was registered."`
	Stamped   int64            `json:"stamped" doc:"Accepted readings that had no time of their own."`
	Rejected  map[string]int64 `json:"rejected" doc:"Refused readings by reason."`
	Accepted  int64            `json:"accepted" doc:"Readings in the store or on their way to it."`
	Written   int64            `json:"written" doc:"Accepted readings that the store has."`
	Waiting   int64            `json:"waiting" doc:"Accepted readings that the store has not yet."`
	Missing   int64            `json:"missing" doc:"What should have come and did not, up to this moment: by cadence, and by gaps in sequence numbers that no cadence tells of."`
	Reports   int64            `json:"reports" doc:"How often sensors reported: a report is all readings of a sensor with the same time."`
	Expected  int64            `json:"expected" doc:"Reports and missing together."`
}

// LedgerMinute is what came from one sensor for one minute. Counters that are zero are left out.
type LedgerMinute struct {
	Time      Time             `json:"time" doc:"Where the minute begins."`
	Received  int64            `json:"received,omitempty"`
	Duplicate int64            `json:"duplicate,omitempty"`
	Late      int64            `json:"late,omitempty"`
	Stamped   int64            `json:"stamped,omitempty"`
	Rejected  map[string]int64 `json:"rejected,omitempty"`
	Accepted  int64            `json:"accepted,omitempty"`
	Written   int64            `json:"written,omitempty"`
	Waiting   int64            `json:"waiting,omitempty"`
	Missing   int64            `json:"missing,omitempty"`
}

// ledgerAhead is how far beyond now a ledger reaches where the request does not say: clocks of sensors may be a little
// fast, and their readings are to be counted as well.
const ledgerAhead = time.Hour

type ledgerInput struct {
	From   string   `query:"from" maxLength:"40" doc:"Begin: RFC 3339, Unix milliseconds, or relative like -24h or -7d. Without it, the beginning; with step, 24 hours before the end." example:"-24h"`
	To     string   `query:"to" maxLength:"40" doc:"End; without it, everything." example:"now"`
	Sensor []string `query:"sensor,explode" maxItems:"1000" doc:"Only these sensors; may repeat."`
	PlaceParams
	Step string `query:"step" maxLength:"20" doc:"Sum up by steps as well: whole minutes that make up an hour, like 5m, whole hours, like 6h, or days, weeks, months and years of the city's calendar, like 1d. The range is rounded outwards to whole steps." example:"1h"`
}

// LedgerStep is what came in one step.
type LedgerStep struct {
	Time Time `json:"time" doc:"Where the step begins."`
	LedgerCounts
}

// LedgerAnswer is a sum, and its parts where they were asked for.
type LedgerAnswer struct {
	LedgerCounts
	Steps []LedgerStep `json:"steps,omitzero" doc:"Where step is given. Steps without anything are left out."`
}

type ledgerOutput struct {
	Body LedgerAnswer
}

func (s *Server) getLedger(ctx context.Context, in *ledgerInput) (*ledgerOutput, error) {
	length, ok := step.Parse(in.Step)
	if !ok || in.Step != "" && length.IsZero() {
		return nil, badQuery("step", in.Step, "%q is not a duration; use for instance 5m, 1h, 1d or 1mo", cut(in.Step))
	}
	back := time.Duration(0)
	if !length.IsZero() && in.From == "" {
		back = defaultLedger
	}
	from, to, err := ledgerRange(in.From, in.To, back, time.Now())
	if err != nil {
		return nil, err
	}
	c, err := parseChoice(in.Sensor, in.PlaceParams, "")
	if err != nil {
		return nil, err
	}
	if length.IsZero() && c.sensors == nil && !c.places() {
		totals, err := s.deps.Ledger.Totals(ctx, from, to)
		if err != nil {
			return nil, s.fault(ctx, "sum up the ledger", err)
		}
		return &ledgerOutput{Body: LedgerAnswer{LedgerCounts: ledgerCounts(totals)}}, nil
	}
	var body LedgerAnswer
	err = s.accounts(ctx, func(ctx context.Context) error {
		body, err = s.ledgerOf(ctx, &c, from, to, length)
		return err
	})
	return &ledgerOutput{Body: body}, err
}

// ledgerOf sums up what is chosen, by steps where length is not zero: then the sum is that of the steps, so that both are of one
// moment.
func (s *Server) ledgerOf(ctx context.Context, c *choice, from, to time.Time, length step.Length) (body LedgerAnswer, err error) {
	var sensors []telemetry.SensorID // nil is the whole city
	if c.sensors != nil || c.places() {
		sensors = []telemetry.SensorID{}
		for _, sensor := range c.sensorsIn(s.deps.Registry.Snapshot()) {
			sensors = append(sensors, sensor.ID)
		}
	}
	var sum ledger.Totals
	if length.IsZero() {
		sums, err := s.deps.Ledger.Sums(ctx, sensors, from, to)
		for i := range sums {
			sum.Add(sums[i])
		}
		body.LedgerCounts = ledgerCounts(sum)
		return body, err
	}
	steps, err := s.deps.Ledger.Steps(ctx, ledger.StepsQuery{Sensors: sensors, From: from, To: to, Step: length, Zone: s.zone})
	body.Steps = make([]LedgerStep, len(steps))
	for i := range steps {
		sum.Add(steps[i].Totals)
		body.Steps[i] = LedgerStep{Time: TimeOf(steps[i].Time), LedgerCounts: ledgerCounts(steps[i].Totals)}
	}
	body.LedgerCounts = ledgerCounts(sum)
	return body, err
}

// accounts asks the ledger what may take some time: within Config.QueryTimeout, beside no more others than MaxQueries.
func (s *Server) accounts(ctx context.Context, ask func(context.Context) error) error {
	done, err := s.begin(ctx, s.queries)
	if err != nil {
		return err
	}
	defer done()
	limited, cancel := context.WithTimeout(ctx, s.cfg.QueryTimeout)
	defer cancel()
	err = ask(limited)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ledger.ErrStep), errors.Is(err, ledger.ErrSteps):
		return badQuery("step", "", "%v", err)
	case errors.Is(err, ledger.ErrMuch):
		return badQuery("from", "", "%v", err)
	case limited.Err() != nil: // the database has words of its own for it
		err = limited.Err()
	}
	return s.fault(ctx, "add up the ledger", err)
}

type ledgerSensorInput struct {
	ID   string `path:"id" maxLength:"63" doc:"The sensor's id."`
	From string `query:"from" maxLength:"40" doc:"Begin: RFC 3339, Unix milliseconds, or relative like -24h or -7d. Without it, 24 hours before the end." example:"-24h"`
	To   string `query:"to" maxLength:"40" doc:"End, at most 7 days after from; now without it." example:"now"`
}

// LedgerOfSensor is what came from one sensor, summed up and by minute.
type LedgerOfSensor struct {
	LedgerCounts
	Minutes []LedgerMinute `json:"minutes" nullable:"false" doc:"By minute of measured time; refused readings by minute of receipt. Minutes without any are left out."`
}

type ledgerSensorOutput struct {
	Body LedgerOfSensor
}

func (s *Server) getLedgerOfSensor(ctx context.Context, in *ledgerSensorInput) (*ledgerSensorOutput, error) {
	id, err := sensorID(in.ID)
	if err != nil {
		return nil, err
	}
	from, to, err := ledgerRange(in.From, in.To, defaultLedger, time.Now())
	if err != nil {
		return nil, err
	}
	if to.Sub(from) > ledger.MaxMinutes*time.Minute {
		return nil, badQuery("from", in.From, "from and to are more than %d days apart; ask for less at a time", ledger.MaxMinutes/(24*60))
	}
	if _, ok := s.deps.Registry.Snapshot().Sensor(id); !ok {
		return nil, noSensor(id)
	}
	minutes, err := s.deps.Ledger.Minutes(ctx, id, from, to)
	if err != nil {
		return nil, s.fault(ctx, "read the ledger", err)
	}
	// Summed up here rather than asked for, so that the sum and its parts are of one moment.
	var sum ledger.Totals
	body := LedgerOfSensor{Minutes: make([]LedgerMinute, len(minutes))}
	for i := range minutes {
		sum.Add(minutes[i].Totals)
		body.Minutes[i] = ledgerMinute(&minutes[i])
	}
	body.LedgerCounts = ledgerCounts(sum)
	return &ledgerSensorOutput{Body: body}, nil
}

// ledgerRange is parseRange in whole minutes, rounded outwards as far as what a sensor's ledger may span allows. An empty
// to reaches ledgerAhead beyond now.
func ledgerRange(fromText, toText string, back time.Duration, now time.Time) (from, to time.Time, err error) {
	first, end, err := parseRange(fromText, toText, back, now)
	if err != nil {
		return from, to, err
	}
	asked := end.Time().Sub(first.Time())
	from, to = first.Time().Truncate(time.Minute), end.Time().Add(time.Minute-1).Truncate(time.Minute)
	if toText == "" {
		to = to.Add(ledgerAhead)
	}
	if longest := ledger.MaxMinutes * time.Minute; asked <= longest && to.Sub(from) > longest && back > 0 {
		from = to.Add(-longest)
	}
	return from, to, nil
}

func ledgerCounts(t ledger.Totals) LedgerCounts {
	return LedgerCounts{
		Received: t.Received, Duplicate: t.Duplicate, Late: t.Late, Stamped: t.Stamped, Rejected: reasonNames(t.Rejected),
		Accepted: t.Accepted, Written: t.Written, Waiting: t.Waiting(), Missing: t.Missing, Reports: t.Reports, Expected: t.Reports + t.Missing,
	}
}

func ledgerMinute(m *ledger.Minute) LedgerMinute {
	return LedgerMinute{
		Time:     Time(telemetry.MilliOf(m.Time)),
		Received: m.Received, Duplicate: m.Duplicate, Late: m.Late, Stamped: m.Stamped, Rejected: reasonNames(m.Rejected),
		Accepted: m.Accepted, Written: m.Written, Waiting: m.Waiting(), Missing: m.Missing,
	}
}

// reasonNames never returns nil, so that JSON has an object.
func reasonNames(rejected map[telemetry.Reason]int64) map[string]int64 {
	names := make(map[string]int64, len(rejected))
	for reason, n := range rejected {
		names[reason.String()] = n
	}
	return names
}
