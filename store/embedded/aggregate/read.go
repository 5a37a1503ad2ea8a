package aggregate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/influxdata/influxdb/models"
	"github.com/influxdata/influxdb/tsdb"
	"github.com/influxdata/influxql"
)

// reader is a plan with the series that it is about.
type reader struct {
	plan
	shards []*tsdb.Shard
	groups []group
}

// group is the stored series that become one series of the answer.
type group struct {
	tags   map[string]string
	series []models.Tags
}

// readTypes looks up the fields of the measurement, and returns false where one that is asked for is no floating-point
// number somewhere.
func (p *plan) readTypes(shards []*tsdb.Shard) bool {
	if p.countAll {
		for _, field := range tsdb.Shards(shards).FieldKeysByMeasurement([]byte(p.from.name)) {
			p.columns = append(p.columns, column{name: "count_" + field, field: field, kind: count})
		}
	}
	for _, s := range shards {
		fields := s.MeasurementFields([]byte(p.from.name))
		if fields == nil {
			continue
		}
		for _, c := range p.columns {
			if f := fields.Field(c.field); f != nil && f.Type != influxql.Float {
				return false
			}
		}
	}
	return true
}

func (p *plan) hasPercentile() bool {
	return slices.ContainsFunc(p.columns, func(c column) bool { return c.kind == percentile })
}

// readSeries finds the stored series of a plan, in order.
func (p *plan) readSeries(shards []*tsdb.Shard) ([]group, error) {
	name := tsdb.NewMeasurementSliceIterator([][]byte{[]byte(p.from.name)})
	all, err := tsdb.Shards(shards).CreateSeriesCursor(context.Background(), tsdb.SeriesCursorRequest{Measurements: name}, p.series)
	if err != nil {
		return nil, fmt.Errorf("find the series of %s: %w", p.from.name, err)
	}
	defer all.Close()
	var groups []group
	numbers := map[string]int{}
	for {
		one, err := all.Next()
		if err != nil {
			return nil, fmt.Errorf("find the series of %s: %w", p.from.name, err)
		}
		if one == nil {
			break
		}
		values := make([]string, len(p.by))
		for i, tag := range p.by {
			values[i] = one.Tags.GetString(tag)
		}
		key := strings.Join(values, "\x00")
		n, ok := numbers[key]
		if !ok {
			n = len(groups)
			numbers[key] = n
			tags := make(map[string]string, len(p.by))
			for i, tag := range p.by {
				tags[tag] = values[i]
			}
			groups = append(groups, group{tags: tags})
		}
		groups[n].series = append(groups[n].series, one.Tags.Clone())
	}
	p.sort(groups)
	return groups, nil
}

// sort puts groups into the order of their tags.
func (p *plan) sort(groups []group) {
	slices.SortFunc(groups, func(a, b group) int {
		for _, tag := range p.by {
			if c := strings.Compare(a.tags[tag], b.tags[tag]); c != 0 {
				return c
			}
		}
		return 0
	})
}

// errOtherType says that the type of a field has changed since it was looked at.
var errOtherType = errors.New("is no floating-point number")

// fold reads a group. A column of which the group has no reading is nil.
func (r *reader) fold(ctx context.Context, g *group) ([]*fold, error) {
	cursors := make([]tsdb.CursorIterator, len(r.shards))
	for i, s := range r.shards {
		var err error
		if cursors[i], err = s.CreateCursorIterator(ctx); err != nil {
			return nil, fmt.Errorf("read shard %d: %w", s.ID(), err)
		}
	}
	folds := make([]*fold, len(r.columns))
	for i, c := range r.columns {
		for _, series := range g.series {
			for _, cursor := range cursors {
				if ctx.Err() != nil {
					return nil, ctx.Err()
				}
				found, err := cursor.Next(ctx, &tsdb.CursorRequest{
					Name: []byte(r.from.name), Tags: series, Field: c.field, Ascending: true, StartTime: r.first, EndTime: r.last,
				})
				if err != nil {
					return nil, fmt.Errorf("read field %s: %w", c.field, err)
				}
				if found == nil {
					continue
				}
				floats, ok := found.(tsdb.FloatArrayCursor)
				if !ok {
					found.Close()
					return nil, fmt.Errorf("read field %s: %w", c.field, errOtherType)
				}
				folds[i] = r.drain(floats, c, folds[i])
			}
		}
		if folds[i] != nil {
			folds[i].finish()
		}
	}
	return folds, nil
}

// drain adds the readings of a cursor to a fold, which is made for the first of them. It closes the cursor.
func (r *reader) drain(from tsdb.FloatArrayCursor, c column, into *fold) *fold {
	defer from.Close()
	// The cursor may begin before StartTime, and give a block again that it has given in part.
	after := r.first - 1
	for {
		block := from.Next()
		if block.Len() == 0 {
			return into
		}
		times := block.Timestamps
		skip := sort.Search(len(times), func(i int) bool { return times[i] > after })
		if skip == len(times) {
			continue
		}
		if into == nil {
			into = newFold(c, r.steps)
		}
		r.cut(times[skip:], block.Values[skip:], into)
		after = times[len(times)-1]
	}
}

// cut adds readings, which are in the order of time, step by step.
func (r *reader) cut(times []int64, values []float64, into *fold) {
	for len(times) > 0 {
		step := (times[0] - r.origin) / r.step
		end := r.origin + (step+1)*r.step
		n := 1
		for n < len(times) && times[n] < end {
			n++
		}
		into.add(step, values[:n])
		times, values = times[n:], values[n:]
	}
}
