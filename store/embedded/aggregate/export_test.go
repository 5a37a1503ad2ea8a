package aggregate

import (
	"time"

	"github.com/influxdata/influxql"
)

// Known tells whether a statement is answered here as far as its words go.
func Known(text string) bool {
	s, err := influxql.ParseStatement(text)
	if err != nil {
		return false
	}
	selects, ok := s.(*influxql.SelectStatement)
	if !ok {
		return false
	}
	_, ok = planOf(selects, time.Unix(0, 0), 1_000_000)
	return ok
}
