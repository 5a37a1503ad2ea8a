package api

import (
	"cmp"
	"context"
	"io"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/lamppost-city/lamppost/query"
	"github.com/lamppost-city/lamppost/telemetry"
)

// defaultHistory is how far back a history goes where the request does not say.
const defaultHistory = 24 * time.Hour

type historyInput struct {
	Sensor   []string `query:"sensor,explode" maxItems:"1000" doc:"Which sensors; may repeat. Without it, all that are registered with one of the quantities."`
	Quantity []string `query:"quantity,explode" maxItems:"200" doc:"Which quantities; may repeat. Without it, those that the sensors are registered with."`
	Channel  string   `query:"channel" maxLength:"32" doc:"Only this channel; given but empty, readings without a channel."`
	From     string   `query:"from" maxLength:"40" doc:"Begin, included: RFC 3339, Unix milliseconds, or relative like -24h or -7d. Without it, 24 hours before the end." example:"-24h"`
	To       string   `query:"to" maxLength:"40" doc:"End, excluded; now without it." example:"now"`
	Step     string   `query:"step" maxLength:"20" doc:"Combine the readings of each step, like 30s, 5m, 1h or 1d; 0 or without it, the readings as they are." example:"5m"`
	Agg      string   `query:"agg" enum:"mean,min,max,sum,count,p50,p95" doc:"How to combine them. Without it, sum for counts, max for counters, mean for the rest."`

	hasChannel bool
}

// Resolve implements huma.Resolver: it tells an empty channel from none.
func (in *historyInput) Resolve(ctx huma.Context) []error {
	u := ctx.URL()
	in.hasChannel = u.Query().Has("channel")
	return nil
}

// HistoryAnswer describes what historyBody sends.
type HistoryAnswer struct {
	Series    []HistorySeries `json:"series" nullable:"false"`
	Truncated bool            `json:"truncated" doc:"Whether points or series were left out because there are too many; ask for less, or a longer step."`
}

// HistorySeries is the readings of one sensor, quantity and channel.
type HistorySeries struct {
	Sensor   string       `json:"sensor"`
	Quantity string       `json:"quantity"`
	Channel  string       `json:"channel"`
	Unit     string       `json:"unit" doc:"Of the values; empty for a bare number and where readings are counted."`
	Points   [][2]float64 `json:"points" nullable:"false" doc:"Pairs of a time in Unix milliseconds and a value, oldest first."`
}

// historyBody writes a HistoryAnswer without reflection.
type historyBody struct {
	result query.HistoryResult
	agg    query.Agg
}

// Schema implements huma.SchemaProvider.
func (historyBody) Schema(r huma.Registry) *huma.Schema {
	return r.Schema(reflect.TypeFor[HistoryAnswer](), true, "")
}

type historyOutput struct {
	Body *historyBody
}

func (s *Server) getHistory(ctx context.Context, in *historyInput) (*historyOutput, error) {
	asked, err := s.historyQuery(in, time.Now())
	if err != nil {
		return nil, err
	}
	if len(asked.Sensors) == 0 { // nobody is registered with the quantities
		return &historyOutput{Body: &historyBody{agg: asked.Agg}}, nil
	}
	done, err := s.begin(ctx, s.queries)
	if err != nil {
		return nil, err
	}
	defer done()
	ctx, cancel := context.WithTimeout(ctx, s.cfg.QueryTimeout)
	defer cancel()
	result, err := s.deps.History.History(ctx, asked)
	if err != nil {
		return nil, s.storeFault(ctx, "ask the store for readings", err)
	}
	return &historyOutput{Body: &historyBody{result: result, agg: asked.Agg}}, nil
}

// historyQuery reads the parameters.
func (s *Server) historyQuery(in *historyInput, now time.Time) (q query.HistoryQuery, err error) {
	sensors, err := parseSensors(in.Sensor)
	if err != nil {
		return q, err
	}
	q.Sensors = slices.Sorted(maps.Keys(sensors))
	quantities, err := parseQuantities(in.Quantity)
	if err != nil {
		return q, err
	}
	switch {
	case len(q.Sensors) == 0 && len(quantities) == 0:
		return q, badQuery("sensor", "", "name sensors, or quantities, or both")
	case len(q.Sensors) == 0:
		q.Sensors = s.sensorsWith(quantities)
	case len(quantities) == 0:
		if quantities, err = s.quantitiesOf(q.Sensors); err != nil {
			return q, err
		}
	}
	for _, one := range quantities {
		q.Quantities = append(q.Quantities, one.ID)
	}
	if in.hasChannel {
		q.Channel = &in.Channel
	}
	from, to, err := parseRange(in.From, in.To, defaultHistory, now)
	if err != nil {
		return q, err
	}
	q.From, q.To = from.Time(), to.Time()
	step, ok := readDuration(in.Step)
	if in.Step != "" && !ok {
		return q, badQuery("step", in.Step, "%q is not a duration; use for instance 30s, 5m, 1h or 1d", cut(in.Step))
	}
	q.Step = step
	q.Agg, _ = query.ParseAgg(in.Agg) // an enum, checked before
	return q, nil
}

// sensorsWith lists the sensors that are registered with one of the quantities.
func (s *Server) sensorsWith(quantities []*telemetry.Quantity) []telemetry.SensorID {
	var all []telemetry.SensorID
	for _, sensor := range s.deps.Registry.Snapshot().Sensors() {
		if slices.ContainsFunc(quantities, func(q *telemetry.Quantity) bool { return slices.Contains(sensor.Quantities, q.Name) }) {
			all = append(all, sensor.ID)
		}
	}
	return all
}

// quantitiesOf lists what the sensors are registered with, each once.
func (s *Server) quantitiesOf(sensors []telemetry.SensorID) ([]*telemetry.Quantity, error) {
	snapshot := s.deps.Registry.Snapshot()
	var names []string
	for _, id := range sensors {
		sensor, ok := snapshot.Sensor(id)
		if !ok {
			return nil, newProblem(http.StatusNotFound, "no sensor %q is registered; to see what it once reported, name a quantity", string(id))
		}
		names = append(names, sensor.Quantities...)
	}
	return parseQuantities(names)
}

func (b *historyBody) writeJSON(w io.Writer) error {
	piece := append(make([]byte, 0, pieceBytes+1024), `{"series":[`...)
	for i := range b.result.Series {
		series := &b.result.Series[i]
		if i > 0 {
			piece = append(piece, ',')
		}
		piece = appendSeriesHead(piece, series, b.agg)
		for p, point := range series.Points {
			if p > 0 {
				piece = append(piece, ',')
			}
			piece = append(piece, '[')
			piece = strconv.AppendInt(piece, int64(point.Time), 10)
			piece = append(piece, ',')
			piece = appendFloat(piece, point.Value)
			piece = append(piece, ']')
			if len(piece) >= pieceBytes {
				if _, err := w.Write(piece); err != nil {
					return err
				}
				piece = piece[:0]
			}
		}
		piece = append(piece, "]}"...)
	}
	piece = append(piece, `],"truncated":`...)
	piece = strconv.AppendBool(piece, b.result.Truncated)
	_, err := w.Write(append(piece, '}', '\n'))
	return err
}

func appendSeriesHead(dst []byte, series *query.HistorySeries, agg query.Agg) []byte {
	q := series.Quantity.Quantity()
	dst = append(dst, `{"sensor":`...)
	dst = appendString(dst, string(series.Sensor))
	dst = append(dst, `,"quantity":`...)
	dst = appendString(dst, q.Name)
	dst = append(dst, `,"channel":`...)
	dst = appendString(dst, series.Channel)
	dst = append(dst, `,"unit":`...)
	if agg == query.Count {
		dst = append(dst, `""`...)
	} else {
		dst = appendString(dst, q.Unit.Symbol)
	}
	return append(dst, `,"points":[`...)
}

// Figure is a number for the whole city, as a wall shows it.
type Figure struct {
	Domain   string  `json:"domain" enum:"traffic,energy,safety"`
	Quantity string  `json:"quantity"`
	Title    string  `json:"title"`
	Unit     string  `json:"unit"`
	Agg      string  `json:"agg" enum:"mean,sum,max" doc:"How the sensors' values were combined."`
	Value    float64 `json:"value" doc:"Means nothing where sensors is 0."`
	Sensors  int     `json:"sensors" doc:"How many sensors have a reading that is new enough."`
	Time     *Time   `json:"time" nullable:"true" doc:"When the newest of them was measured."`
}

// FigureList is every figure, in the order in which they are shown.
type FigureList struct {
	Items []Figure `json:"items" nullable:"false"`
}

type figuresOutput struct {
	Body FigureList
}

func (s *Server) getFigures(context.Context, *struct{}) (*figuresOutput, error) {
	snapshot := s.deps.Registry.Snapshot()
	figures := s.deps.Figures(time.Now(), func(id telemetry.SensorID) time.Duration {
		sensor, ok := snapshot.Sensor(id)
		if !ok {
			return 0
		}
		return cmp.Or(patience(sensor), s.cfg.FigureAge)
	})
	list := FigureList{Items: make([]Figure, len(figures))}
	for i, f := range figures {
		list.Items[i] = Figure{
			Domain: f.Domain.String(), Quantity: f.Quantity.Name, Title: f.Title, Unit: f.Unit.Symbol, Agg: f.Agg.String(),
			Value: f.Value, Sensors: f.Sensors,
		}
		if f.Sensors > 0 {
			at := Time(f.Time)
			list.Items[i].Time = &at
		}
	}
	return &figuresOutput{Body: list}, nil
}
