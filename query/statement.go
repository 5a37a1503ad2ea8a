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

// statement writes the question in InfluxQL, with a column for each quantity, in their order.
func statement(domain telemetry.Domain, quantities []*telemetry.Quantity, q HistoryQuery, limit int) string {
	var b strings.Builder
	b.WriteString("SELECT ")
	for i, one := range quantities {
		if i > 0 {
			b.WriteString(", ")
		}
		field := influx.QuoteIdent(one.Name)
		if q.Step == 0 {
			b.WriteString(field)
		} else {
			fmt.Fprintf(&b, "%s AS %s", q.Agg.Of(one).call(field), field)
		}
	}
	fmt.Fprintf(&b, " FROM %s WHERE %s", influx.QuoteIdent(domain.String()), influx.Between(q.From, q.To))
	if len(q.Sensors) > 0 {
		b.WriteString(" AND " + anyOf(q.Sensors))
	}
	if len(q.Sites) > 0 {
		b.WriteString(" AND " + anyTag("site", q.Sites))
	}
	if len(q.Districts) > 0 {
		b.WriteString(" AND " + anyTag("district", q.Districts))
	}
	if q.Channel != nil {
		fmt.Fprintf(&b, ` AND "channel" = %s`, influx.QuoteString(*q.Channel))
	}
	by := q.Group.tags()
	if q.Step > 0 {
		by = append(by, fmt.Sprintf("time(%dms) fill(none)", q.Step.Milliseconds()))
	}
	b.WriteString(" GROUP BY " + strings.Join(by, ", "))
	fmt.Fprintf(&b, " LIMIT %d", limit)
	return b.String()
}
