package aggregate

import (
	"slices"
	"strings"
	"time"

	"github.com/influxdata/influxql"

	"github.com/lamppost-city/lamppost/store/influx"
)

// readMeansInParts reads a statement whose columns are all influx.MeanInParts, made from the parts of a statement within.
func (p *plan) readMeansInParts(whole, parts *influxql.SelectStatement, now time.Time) bool {
	// The parts have all tags, and the same times.
	within, times, ok := conditionOf(parts, now)
	without, same, sameOK := conditionOf(whole, now)
	if !ok || !sameOK || without != nil || times != same || !onlyTags(within) || !plain(parts) || parts.Limit != 0 || !groupsByTagsOnly(parts, p.by) {
		return false
	}
	var want []string
	for _, f := range whole.Fields {
		c, made, ok := meanInParts(f)
		if !ok {
			return false
		}
		p.columns = append(p.columns, c)
		want = append(want, made)
	}
	expected, err := influxql.ParseStatement("SELECT " + strings.Join(want, ", ") + " FROM x")
	if err != nil {
		return false
	}
	return expected.(*influxql.SelectStatement).Fields.String() == parts.Fields.String()
}

// meanInParts finds which mean a column is, and the parts that it is made of.
func meanInParts(f *influxql.Field) (c column, parts string, ok bool) {
	for kind, mean := range map[kind]influx.MeanInParts{energetic: influx.EnergeticMean(f.Alias), circular: influx.CircularMean(f.Alias)} {
		if known, err := influxql.ParseExpr(mean.Whole); err == nil && known.String() == f.Expr.String() {
			return column{name: f.Alias, field: f.Alias, kind: kind}, mean.Parts, true
		}
	}
	return column{}, "", false
}

// groupsByTagsOnly tells whether a statement keeps some tags apart, by among them, and no times.
func groupsByTagsOnly(s *influxql.SelectStatement, by []string) bool {
	var tags []string
	for _, d := range s.Dimensions {
		tag, ok := d.Expr.(*influxql.VarRef)
		if !ok || !slices.Contains(Tags(), tag.Val) {
			return false
		}
		tags = append(tags, tag.Val)
	}
	return !slices.ContainsFunc(by, func(tag string) bool { return !slices.Contains(tags, tag) })
}
