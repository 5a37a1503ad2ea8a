package query

import (
	"fmt"
	"strings"

	"github.com/lamppost-city/lamppost/store/influx"
	"github.com/lamppost-city/lamppost/telemetry"
)

// Group is a set of what keeps readings apart. The zero Group is BySensor and ByChannel.
type Group uint8

// What readings can be kept apart by. A quantity belongs to one domain, so ByDomain alone combines all of a quantity's.
const (
	BySensor Group = 1 << iota
	BySite
	ByDistrict
	ByChannel
	ByDomain
)

// groupNames are those of the API, which are the store's tags but for the last.
var groupNames = [...]string{"sensor", "site", "district", "channel", "domain"}

// ParseGroup finds a way to keep readings apart by its name in the API.
func ParseGroup(name string) (Group, bool) {
	for i, known := range groupNames {
		if known == name {
			return 1 << i, true
		}
	}
	return 0, false
}

func (g Group) keeps(one Group) bool {
	if g == 0 {
		g = BySensor | ByChannel
	}
	return g&one != 0
}

// Combines tells whether readings of several sensors become one value.
func (g Group) Combines() bool { return !g.keeps(BySensor) }

// tags are the store's names of what is kept apart.
func (g Group) tags() []string {
	var tags []string
	for i, name := range groupNames {
		if one := Group(1) << i; one != ByDomain && g.keeps(one) {
			tags = append(tags, influx.QuoteIdent(name))
		}
	}
	return tags
}

// statement writes a run of a question in InfluxQL, with a column for each quantity, in their order. Where they are averaged,
// they have one and the same Mean. A limit of 0 is none.
func (a asked) statement(r run, limit int) string {
	from := influx.QuoteIdent(a.domain.String()) + " WHERE " + conditions(a.query, r)
	var columns, parts []string
	for _, one := range a.quantities {
		field := influx.QuoteIdent(one.Name)
		mean, inParts := meanInParts(one, a.query.Agg)
		switch {
		case r.every == 0:
			columns = append(columns, field)
		case inParts:
			columns = append(columns, mean.Whole+" AS "+field)
			parts = append(parts, mean.Parts)
		default:
			columns = append(columns, a.query.Agg.Of(one).call(field)+" AS "+field)
		}
	}
	if len(parts) > 0 {
		all := (BySensor | BySite | ByDistrict | ByChannel).tags()
		from = fmt.Sprintf("(SELECT %s FROM %s GROUP BY %s) WHERE %s", strings.Join(parts, ", "), from, strings.Join(all, ", "), influx.Between(r.from, r.to))
	}
	by := a.query.Group.tags()
	if r.every > 0 {
		length := fmt.Sprintf("%dms", r.every.Milliseconds())
		if r.offset > 0 {
			length += fmt.Sprintf(", %dms", r.offset.Milliseconds())
		}
		by = append(by, fmt.Sprintf("time(%s) fill(none)", length))
	}
	return fmt.Sprintf("SELECT %s FROM %s GROUP BY %s LIMIT %d", strings.Join(columns, ", "), from, strings.Join(by, ", "), limit)
}

// conditions says which readings are asked for.
func conditions(q *HistoryQuery, r run) string {
	all := []string{influx.Between(r.from, r.to)}
	if len(q.Sensors) > 0 {
		all = append(all, anyOf(q.Sensors))
	}
	if len(q.Sites) > 0 {
		all = append(all, anyTag("site", q.Sites))
	}
	if len(q.Districts) > 0 {
		all = append(all, anyTag("district", q.Districts))
	}
	if q.Channel != nil {
		all = append(all, `"channel" = `+influx.QuoteString(*q.Channel))
	}
	return strings.Join(all, " AND ")
}

// meanInParts tells how the store makes the mean of a quantity for which it has no function.
func meanInParts(one *telemetry.Quantity, agg Agg) (influx.MeanInParts, bool) {
	if agg.Of(one) != Mean {
		return influx.MeanInParts{}, false
	}
	switch one.Mean {
	case telemetry.Energetic:
		return influx.EnergeticMean(one.Name), true
	case telemetry.Circular:
		return influx.CircularMean(one.Name), true
	}
	return influx.MeanInParts{}, false
}
