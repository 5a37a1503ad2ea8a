package aggregate

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/influxdata/influxdb/coordinator"
	"github.com/influxdata/influxdb/models"
	"github.com/influxdata/influxdb/query"
	"github.com/influxdata/influxdb/services/meta"
	"github.com/influxdata/influxdb/tsdb"
	"github.com/influxdata/influxql"
	"golang.org/x/sync/errgroup"
)

// Executor answers statements. The bounds of a SELECT are those of the engine's executor in it.
type Executor struct {
	*coordinator.StatementExecutor

	// Names tells which shards hold a time, and Data holds them.
	Names *meta.Client
	Data  *tsdb.Store
}

// ExecuteStatement answers a statement itself, or has the engine answer it.
func (x *Executor) ExecuteStatement(to *query.ExecutionContext, statement influxql.Statement) error {
	selects, ok := statement.(*influxql.SelectStatement)
	// The bound of points is one that the engine watches while it reads.
	if !ok || x.MaxSelectPointN > 0 {
		return x.StatementExecutor.ExecuteStatement(to, statement)
	}
	p, ok := planOf(selects, time.Now(), x.MaxSelectBucketsN)
	if !ok {
		return x.StatementExecutor.ExecuteStatement(to, statement)
	}
	r, ok, err := x.open(p)
	if err != nil {
		return err
	}
	if !ok {
		return x.StatementExecutor.ExecuteStatement(to, statement)
	}
	return r.answer(to)
}

// open finds the series of a plan. It returns false where the engine must answer: it is asked for more than the bounds
// allow, which it explains, or it holds numbers of other types.
func (x *Executor) open(p plan) (*reader, bool, error) {
	shards, err := x.shards(p)
	if err != nil {
		return nil, false, err
	}
	if len(shards) == 0 || !p.readTypes(shards) {
		return nil, false, nil
	}
	r := &reader{plan: p, shards: shards}
	if r.groups, err = p.readSeries(shards); err != nil {
		return nil, false, err
	}
	series := 0
	for i := range r.groups {
		series += len(r.groups[i].series)
		if len(r.groups[i].series) > 1 && p.hasPercentile() {
			return nil, false, nil // the readings of a step would come one series after the other
		}
	}
	if x.MaxSelectSeriesN > 0 && series*len(shards) > x.MaxSelectSeriesN {
		return nil, false, nil
	}
	return r, true, nil
}

// shards are those that may hold points of a plan, the oldest first.
func (x *Executor) shards(p plan) ([]*tsdb.Shard, error) {
	groups, err := x.Names.ShardGroupsByTimeRange(p.from.database, p.from.policy, time.Unix(0, p.first), time.Unix(0, p.last))
	if err != nil {
		return nil, fmt.Errorf("find the shards: %w", err)
	}
	slices.SortFunc(groups, func(a, b meta.ShardGroupInfo) int { return a.StartTime.Compare(b.StartTime) })
	var ids []uint64
	for i := range groups {
		for _, s := range groups[i].Shards {
			ids = append(ids, s.ID)
		}
	}
	return x.Data.Shards(ids), nil
}

// seriesAtOnce and rowsAtOnce bound what is put together before it is sent, and with it the memory: some 100 bytes a row.
const (
	seriesAtOnce = 64
	rowsAtOnce   = 200_000
)

// answer reads and sends one series of the answer after the other.
func (r *reader) answer(to *query.ExecutionContext) error {
	out := &parts{to: to}
	size := max(1, min(seriesAtOnce, rowsAtOnce/int(r.steps)))
	for some := range slices.Chunk(r.groups, size) {
		rows := make([]*models.Row, len(some))
		work, ctx := errgroup.WithContext(to)
		work.SetLimit(runtime.GOMAXPROCS(0))
		for i := range some {
			work.Go(func() (err error) {
				rows[i], err = r.row(ctx, &some[i])
				return err
			})
		}
		if err := work.Wait(); err != nil {
			if to.Err() != nil {
				return to.Err()
			}
			return err
		}
		for _, row := range rows {
			if err := out.add(row); err != nil {
				return err
			}
		}
	}
	return out.end()
}

// parts sends series in pieces of the size that was asked for. Each but the last says that more come, so one is held.
type parts struct {
	to   *query.ExecutionContext
	held *models.Row
}

func (p *parts) add(row *models.Row) error {
	size := p.to.ChunkSize
	if size <= 0 {
		size = len(row.Values)
	}
	for values := row.Values; len(values) > 0; {
		n := min(size, len(values))
		if p.held != nil {
			if err := p.to.Send(&query.Result{Series: []*models.Row{p.held}, Partial: true}); err != nil {
				return err
			}
		}
		p.held = &models.Row{Name: row.Name, Tags: row.Tags, Columns: row.Columns, Values: values[:n], Partial: n < len(values)}
		values = values[n:]
	}
	return nil
}

func (p *parts) end() error {
	series := make([]*models.Row, 0, 1)
	if p.held != nil {
		series = append(series, p.held)
	}
	return p.to.Send(&query.Result{Series: series})
}

// row puts one series of the answer together.
func (r *reader) row(ctx context.Context, g *group) (*models.Row, error) {
	row := &models.Row{Name: r.from.name, Tags: g.tags, Columns: []string{"time"}}
	for _, c := range r.columns {
		row.Columns = append(row.Columns, c.name)
	}
	folds, err := r.fold(ctx, g)
	if err != nil {
		return nil, err
	}
	for step := range r.steps {
		var values []any
		for i, f := range folds {
			if f == nil {
				continue
			}
			if v := f.at(step); v != nil {
				if values == nil {
					values = make([]any, 1+len(folds))
					values[0] = time.Unix(0, r.origin+step*r.step).UTC()
				}
				values[1+i] = v
			}
		}
		if values == nil {
			continue
		}
		row.Values = append(row.Values, values)
		if r.limit > 0 && len(row.Values) == r.limit {
			break
		}
	}
	return row, nil
}
