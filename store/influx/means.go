package influx

import (
	"fmt"
	"math"
)

// MeanInParts is a mean that InfluxQL has no function for: Parts are made of each value, in a subquery, and Whole is made
// of their means.
//
//	SELECT Whole AS field FROM (SELECT Parts FROM ...) ... GROUP BY ..., time(...)
type MeanInParts struct{ Whole, Parts string }

// EnergeticMean is that of levels in decibels. (With 10 in place of 10.0 the parts would be cut to whole numbers.)
func EnergeticMean(field string) MeanInParts {
	f := QuoteIdent(field)
	return MeanInParts{Whole: fmt.Sprintf("10.0 * log10(mean(%s))", f), Parts: fmt.Sprintf("pow(10.0, %s / 10.0) AS %s", f, f)}
}

// CircularMean is that of directions in degrees, from -180 to 180.
func CircularMean(field string) MeanInParts {
	f, east, north := QuoteIdent(field), QuoteIdent(field+"_east"), QuoteIdent(field+"_north")
	return MeanInParts{
		Whole: fmt.Sprintf("atan2(mean(%s), mean(%s)) * %v", east, north, 180/math.Pi),
		Parts: fmt.Sprintf("sin(%s * %v) AS %s, cos(%s * %v) AS %s", f, math.Pi/180, east, f, math.Pi/180, north),
	}
}
