package plugin

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/lamppost-city/lamppost/dashboards/datasource/city"
	"github.com/lamppost-city/lamppost/dashboards/datasource/live"
)

const (
	// mostParts is how many requests a hole in a stream may take.
	mostParts = 64
	// mostPoints is how many readings fill a hole at most; each has about 100 bytes.
	mostPoints = 500_000
	// shortestPart is how short a part of a hole may be that is asked for in two.
	shortestPart = 2 * time.Second
)

// past asks for the readings of a filter as they were. What one answer does not hold is asked for in two parts, the newer one
// first; where that has no end, the error is live.ErrPartial. The moment is of our clock, which may be another than the server's.
func (d *Datasource) past(ctx context.Context, f live.Filter, from time.Time) (points []live.Point, err error) {
	from = from.Add(d.city.Ahead())
	if len(f.Quantities)+len(f.Sensors)+len(f.Sites) == 0 { // a history of everything is not answered: the newest must do
		return d.newest(ctx, f, from)
	}
	type part struct{ from, to time.Time }
	asked, partial := 0, false
	for parts := []part{{from, d.city.Now()}}; len(parts) > 0; asked++ {
		p := parts[len(parts)-1]
		parts = parts[:len(parts)-1]
		if asked >= mostParts || len(points) >= mostPoints {
			partial = true
			break
		}
		params := f.Params()
		params.Set("from", p.from.UTC().Format(time.RFC3339Nano))
		if asked > 0 {
			params.Set("to", p.to.UTC().Format(time.RFC3339Nano))
		}
		answer, err := d.city.History(ctx, params)
		if err != nil {
			return nil, err
		}
		if answer.Truncated && p.to.Sub(p.from) >= shortestPart {
			middle := p.from.Add(p.to.Sub(p.from) / 2).Truncate(time.Millisecond)
			parts = append(parts, part{p.from, middle}, part{middle, p.to})
			continue
		}
		partial = partial || answer.Truncated
		points = appendPoints(points, answer)
	}
	if partial {
		return points, fmt.Errorf("%d readings since %s: %w", len(points), from.UTC().Format(time.RFC3339), live.ErrPartial)
	}
	return points, nil
}

func appendPoints(points []live.Point, answer *city.Readings) []live.Point {
	for i := range answer.Series {
		s := &answer.Series[i]
		for j, ms := range s.Times {
			if !math.IsNaN(s.Values[j]) {
				points = append(points, live.Point{Sensor: s.Sensor, Quantity: s.Quantity, Channel: s.Channel, Time: time.UnixMilli(ms), Value: s.Values[j]})
			}
		}
	}
	return points
}

// newest asks for the newest readings, those that are not older than from.
func (d *Datasource) newest(ctx context.Context, f live.Filter, from time.Time) ([]live.Point, error) {
	params := f.Params()
	params.Del("channel")
	items, truncated, err := d.city.Latest(ctx, params)
	var points []live.Point
	for i := range items {
		if r := &items[i]; r.Value != nil && !r.Time.Before(from) {
			points = append(points, live.Point{Sensor: r.Sensor, Quantity: r.Quantity, Channel: r.Channel, Text: r.State, Time: r.Time, Value: *r.Value})
		}
	}
	if err == nil && truncated {
		err = fmt.Errorf("the newest %d readings: %w", len(items), live.ErrPartial)
	}
	return points, err
}
