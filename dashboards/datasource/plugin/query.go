package plugin

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/data"

	"github.com/lamppost-city/lamppost/dashboards/datasource/city"
	"github.com/lamppost-city/lamppost/dashboards/datasource/frames"
	"github.com/lamppost-city/lamppost/dashboards/datasource/question"
)

// atOnce is how many queries of one request are asked at the same time.
const atOnce = 6

// QueryData answers the queries of a panel, a rule or Explore. A query that fails does not take the others with it.
func (d *Datasource) QueryData(ctx context.Context, req *backend.QueryDataRequest) (*backend.QueryDataResponse, error) {
	answers := make([]backend.DataResponse, len(req.Queries))
	places := make(chan struct{}, atOnce)
	of := occasion{ways: ways(req.Queries), alert: req.Headers[backend.FromAlertHeaderName] == "true"}
	var running sync.WaitGroup
	for i, q := range req.Queries {
		running.Go(func() {
			select {
			case places <- struct{}{}:
				defer func() { <-places }()
				answers[i] = d.answer(ctx, q, of)
			case <-ctx.Done():
				answers[i] = refuse(ctx.Err())
			}
		})
	}
	running.Wait()
	response := backend.NewQueryDataResponse()
	for i, q := range req.Queries {
		response.Responses[q.RefID] = answers[i]
	}
	return response, nil
}

// asked is a query on its way to an answer.
type asked struct {
	question.Query
	// unwanted are the ad hoc filters that are applied to the answer.
	unwanted []question.Filter
	naming   frames.Naming
	from, to time.Time
	// alert is true where an alert rule asks, and now is when anybody does, by the server's clock.
	alert bool
	now   time.Time
	// points is how many steps the panel has room for.
	points int64
}

// faulty is a query that cannot be asked.
type faulty struct{ error }

// occasion is what a query is asked for.
type occasion struct {
	// ways is true where the histories of a panel are combined in several ways.
	ways bool
	// alert is true where an alert rule asks.
	alert bool
}

// check refuses what an alert rule cannot use: it needs numbers over time.
func (o occasion) check(q question.Query) error {
	if !o.alert || q.Kind == question.History || q.Kind == question.Ledger && q.View == question.Steps {
		return nil
	}
	return fmt.Errorf("kind: alert rules watch numbers over time, and %s is a table; choose history, and reduce it to the last value where only the newest counts", q.Kind)
}

func (d *Datasource) answer(ctx context.Context, q backend.DataQuery, of occasion) backend.DataResponse {
	if d.fault != nil {
		return refuse(d.fault)
	}
	parsed, err := question.Parse(q.JSON)
	if err != nil {
		return refuse(faulty{err})
	}
	if err := of.check(parsed); err != nil {
		return refuse(faulty{err})
	}
	parsed.Live = parsed.Live && !of.alert
	narrowed, unwanted, nothing := parsed.Narrowed()
	if nothing {
		return backend.DataResponse{Frames: data.Frames{explained(data.NewFrame(""), "nothing was asked: the ad hoc filters contradict the query")}}
	}
	if err := narrowed.Check(); err != nil {
		return refuse(faulty{err})
	}
	if narrowed.Area, err = d.area(ctx, narrowed); err != nil {
		return refuse(err)
	}
	a := asked{
		Query: narrowed, unwanted: unwanted, naming: naming(parsed, of.ways), from: q.TimeRange.From.UTC(), to: q.TimeRange.To.UTC(),
		points: min(max(q.MaxDataPoints, 1), question.MaxRows), alert: of.alert, now: d.city.Now(),
	}
	if a.alert { // whose range is as long as one step at times
		if a.from, err = d.begin(ctx, a); err != nil {
			return refuse(err)
		}
	}
	if q.MaxDataPoints <= 0 {
		a.points = 1000
	}
	all, err := d.ask(ctx, a)
	if err != nil {
		return refuse(err)
	}
	return backend.DataResponse{Frames: all, Status: backend.StatusOK}
}

func (d *Datasource) ask(ctx context.Context, a asked) (data.Frames, error) {
	if a.Kind != question.Sensors && a.Kind != question.Pipeline && a.Kind != question.Latest && !a.from.Before(a.to) {
		return nil, faulty{errors.New("the time range is empty; let it begin before it ends")}
	}
	switch a.Kind {
	case question.History:
		return d.history(ctx, a)
	case question.Latest:
		return d.latest(ctx, a)
	case question.Ledger:
		return d.ledger(ctx, a)
	case question.Sensors:
		return d.sensors(ctx, a)
	case question.Pipeline:
		return d.pipeline(ctx, a)
	case question.Events:
		return d.events(ctx, a)
	}
	return nil, faulty{errors.New("kind: there is no such question")}
}

// refuse makes an error into a response whose status says who has to do something.
func refuse(err error) backend.DataResponse {
	status := backend.StatusInternal
	var fault *city.Fault
	var wrong faulty
	switch {
	case errors.Is(err, context.Canceled):
		return backend.ErrDataResponseWithSource(499, backend.ErrorSourceDownstream, "the query was cancelled")
	case errors.Is(err, context.DeadlineExceeded):
		return backend.ErrDataResponseWithSource(backend.StatusTimeout, backend.ErrorSourceDownstream, "Lamppost did not answer in time; choose a longer step or a shorter time")
	case errors.As(err, &wrong):
		status = backend.StatusBadRequest
	case errors.As(err, &fault):
		switch fault.Kind {
		case city.Unknown:
			status = backend.StatusUnauthorized
		case city.Forbidden:
			status = backend.StatusForbidden
		case city.Wrong:
			status = backend.StatusBadRequest
		case city.TooMuch:
			status = backend.StatusTooManyRequests
		case city.Unreached, city.Untrusted, city.Old, city.Foreign, city.Broken:
			status = backend.StatusBadGateway
		}
	}
	return backend.ErrDataResponseWithSource(status, backend.ErrorSourceDownstream, err.Error())
}

// who are the parameters that choose sensors and quantities.
func (a asked) who() url.Values {
	params := url.Values{}
	for key, list := range map[string][]string{
		"quantity": a.Quantities, "domain": a.Domains, "district": a.Districts, "site": a.Sites, "sensor": a.Sensors,
	} {
		if len(list) > 0 {
			params[key] = list
		}
	}
	if a.Area != nil {
		params.Set("bbox", bbox(a.Area))
	}
	return params
}

// when adds the time range.
func (a asked) when(params url.Values) url.Values {
	params.Set("from", a.from.Format(time.RFC3339Nano))
	params.Set("to", a.to.Format(time.RFC3339Nano))
	return params
}

func bbox(a *question.Area) string {
	text := strconv.AppendFloat(nil, a.West, 'f', -1, 64)
	for _, v := range []float64{a.South, a.East, a.North} {
		text = strconv.AppendFloat(append(text, ','), v, 'f', -1, 64)
	}
	return string(text)
}

// shown marks frames with the call that they come from, for the query inspector.
func shown(call string, all ...*data.Frame) data.Frames {
	for _, frame := range all {
		if frame.Meta == nil {
			frame.Meta = &data.FrameMeta{}
		}
		frame.Meta.ExecutedQueryString = call
	}
	return all
}

func explained(frame *data.Frame, text string) *data.Frame {
	frame.AppendNotices(data.Notice{Severity: data.NoticeSeverityInfo, Text: text})
	return frame
}

func warned(frame *data.Frame, text string) {
	frame.AppendNotices(data.Notice{Severity: data.NoticeSeverityWarning, Text: text})
}
