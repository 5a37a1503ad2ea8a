package aggregate

import (
	"math"
	"slices"
	"time"

	"github.com/influxdata/influxql"
)

// Tags are the tags of a point. Every other name in a condition is a field, which the engine must judge.
func Tags() []string { return []string{"channel", "district", "sensor", "site"} }

// plan is what a statement asks for.
type plan struct {
	from measurement
	// columns in the order of the answer; with countAll there are none yet, for the fields are not known.
	columns  []column
	countAll bool
	// series chooses by tags; nil chooses all.
	series influxql.Expr
	// first and last are the times of points in nanoseconds, both included.
	first, last int64
	// step is in nanoseconds, offset how far after whole multiples of it since 1970 steps begin, origin the beginning of the
	// first one, and steps how many there are.
	step, offset, origin, steps int64
	// by are the tags that keep series apart, in order of the alphabet.
	by []string
	// limit is how many rows a series of the answer has at most; 0 is no limit.
	limit int
}

type measurement struct{ database, policy, name string }

// column is one number of each step.
type column struct {
	name, field string
	kind        kind
	percentile  float64
}

// planOf reads a statement. It returns false for one that is the engine's.
func planOf(s *influxql.SelectStatement, now time.Time, maxSteps int) (plan, bool) {
	if !plain(s) || s.Fill != influxql.NoFill {
		return plan{}, false
	}
	p := plan{limit: s.Limit}
	if !p.readDimensions(s.Dimensions) {
		return plan{}, false
	}
	values := s // the statement that chooses points
	if sub, ok := s.Sources[0].(*influxql.SubQuery); ok {
		values = sub.Statement
		if !p.readMeansInParts(s, values, now) {
			return plan{}, false
		}
	} else if !p.readFields(s) {
		return plan{}, false
	}
	from, ok := values.Sources[0].(*influxql.Measurement)
	if !ok || from.Regex != nil || from.SystemIterator != "" {
		return plan{}, false
	}
	p.from = measurement{from.Database, from.RetentionPolicy, from.Name}
	series, times, ok := conditionOf(values, now)
	if !ok || !onlyTags(series) {
		return plan{}, false
	}
	p.series, p.first, p.last = series, times.MinTimeNano(), times.MaxTimeNano()
	if p.first < math.MinInt64+p.offset {
		return plan{}, false
	}
	p.origin = floor(p.first-p.offset, p.step) + p.offset
	// In steps and not in nanoseconds, which would overflow.
	p.steps = floor(p.last-p.offset, p.step)/p.step - (p.origin-p.offset)/p.step + 1
	return p, p.first <= p.last && p.steps <= int64(maxSteps)
}

// plain tells whether a statement has none of the clauses that the engine is needed for.
func plain(s *influxql.SelectStatement) bool {
	return s.Target == nil && len(s.Sources) == 1 && s.TimeAscending() && s.Offset == 0 && s.SLimit == 0 && s.SOffset == 0 &&
		s.Location == nil && s.TimeAlias == "" && !s.OmitTime && !s.StripName && s.EmitName == "" && !s.Dedupe
}

// conditionOf parts a condition in that of the tags and the times, which must have a beginning and an end.
func conditionOf(s *influxql.SelectStatement, now time.Time) (influxql.Expr, influxql.TimeRange, bool) {
	series, times, err := influxql.ConditionExpr(influxql.CloneExpr(s.Condition), &influxql.NowValuer{Now: now})
	return series, times, err == nil && !times.Min.IsZero() && !times.Max.IsZero()
}

// readDimensions reads GROUP BY: tags, and one time.
func (p *plan) readDimensions(all influxql.Dimensions) bool {
	for _, d := range all {
		switch e := d.Expr.(type) {
		case *influxql.VarRef:
			if !slices.Contains(Tags(), e.Val) || slices.Contains(p.by, e.Val) {
				return false
			}
			p.by = append(p.by, e.Val)
		case *influxql.Call:
			if e.Name != "time" || p.step != 0 || !p.readTime(e.Args) {
				return false
			}
		default:
			return false
		}
	}
	slices.Sort(p.by)
	return p.step > 0
}

// readTime reads what time is given: the length of a step, and how far after whole multiples of it steps begin.
func (p *plan) readTime(args []influxql.Expr) bool {
	if len(args) == 0 || len(args) > 2 {
		return false
	}
	step, ok := args[0].(*influxql.DurationLiteral)
	if !ok || step.Val <= 0 {
		return false
	}
	p.step = int64(step.Val)
	if len(args) == 1 {
		return true
	}
	offset, ok := args[1].(*influxql.DurationLiteral)
	if !ok || offset.Val < 0 || offset.Val >= step.Val {
		return false
	}
	p.offset = int64(offset.Val)
	return true
}

func (p *plan) readFields(s *influxql.SelectStatement) bool {
	names := s.ColumnNames()[1:] // without the time
	for i, f := range s.Fields {
		call, ok := f.Expr.(*influxql.Call)
		if !ok || len(call.Args) == 0 {
			return false
		}
		if _, all := call.Args[0].(*influxql.Wildcard); all {
			p.countAll = call.Name == "count" && len(call.Args) == 1 && len(s.Fields) == 1 && f.Alias == ""
			return p.countAll
		}
		field, ok := call.Args[0].(*influxql.VarRef)
		if !ok || field.Type != influxql.Unknown || slices.Contains(Tags(), field.Val) || field.Val == "time" {
			return false
		}
		c := column{name: names[i], field: field.Val}
		switch c.kind = kindOf(call.Name); {
		case c.kind == percentile && len(call.Args) == 2:
			if c.percentile, ok = number(call.Args[1]); !ok {
				return false
			}
		case c.kind == unknown || c.kind == percentile || len(call.Args) != 1:
			return false
		}
		p.columns = append(p.columns, c)
	}
	return len(p.columns) > 0
}

func number(e influxql.Expr) (float64, bool) {
	switch n := e.(type) {
	case *influxql.NumberLiteral:
		return n.Val, true
	case *influxql.IntegerLiteral:
		return float64(n.Val), true
	}
	return 0, false
}

// onlyTags tells whether a condition can be judged by the tags of a series alone.
func onlyTags(e influxql.Expr) bool {
	ok := true
	influxql.WalkFunc(e, func(n influxql.Node) {
		switch n := n.(type) {
		case *influxql.VarRef:
			ok = ok && slices.Contains(Tags(), n.Val) && (n.Type == influxql.Unknown || n.Type == influxql.Tag)
		case *influxql.BinaryExpr:
			switch n.Op {
			case influxql.AND, influxql.OR, influxql.EQ, influxql.NEQ, influxql.EQREGEX, influxql.NEQREGEX:
			default:
				ok = false
			}
		case *influxql.ParenExpr, *influxql.StringLiteral, *influxql.RegexLiteral, nil:
		default:
			ok = false
		}
	})
	return ok
}

// floor returns the beginning of the step that t is in, counted from 1970, as the engine counts.
func floor(t, step int64) int64 {
	rest := t % step
	if rest < 0 {
		rest += step
	}
	return t - rest
}
