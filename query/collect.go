package query

import (
	"cmp"
	"errors"
	"math"
	"slices"

	"github.com/lamppost-city/lamppost/store"
	"github.com/lamppost-city/lamppost/telemetry"
)

type seriesKey struct {
	rowKey
	quantity telemetry.QuantityID
}

// rowKey is what the store keeps apart, and what its own limit of rows counts by. What it does not is empty.
type rowKey struct{ sensor, site, district, channel string }

func rowOf(s *store.Series) rowKey {
	return rowKey{s.Tags["sensor"], s.Tags["site"], s.Tags["district"], s.Tags["channel"]}
}

// errFull ends a query whose answer is longer than the limits allow.
var errFull = errors.New("enough points")

// collector sorts parts of answers into series.
type collector struct {
	cfg       Config
	perSeries int
	rows      map[rowKey]int
	series    map[seriesKey]*HistorySeries
	points    int
	truncated bool
	// turns is true while values are directions: the store's go from -180 to 180 degrees.
	turns bool
}

func (c *collector) add(s store.Series, quantities []*telemetry.Quantity) error {
	row := rowOf(&s)
	if c.rows[row] += s.Rows(); c.rows[row] > c.perSeries {
		c.truncated = true
	}
	for i, values := range s.Values {
		if i >= len(quantities) {
			break
		}
		key := seriesKey{row, quantities[i].ID}
		series := c.series[key]
		for r, value := range values {
			if math.IsNaN(value) {
				continue
			}
			if series == nil {
				if len(c.series) >= c.cfg.MaxSeries {
					c.truncated = true
					return errFull
				}
				series = &HistorySeries{
					Sensor: telemetry.SensorID(row.sensor), Site: row.site, District: row.district, Quantity: key.quantity, Channel: row.channel,
				}
				c.series[key] = series
			}
			if len(series.Points) >= c.perSeries {
				c.truncated = true
				break
			}
			if c.points >= c.cfg.MaxPoints {
				c.truncated = true
				return errFull
			}
			if c.turns && value < 0 {
				value = math.Mod(value+360, 360)
			}
			series.Points = append(series.Points, Point{Time: s.Times[r], Value: value})
			c.points++
		}
	}
	return nil
}

func (c *collector) result() HistoryResult {
	result := HistoryResult{Truncated: c.truncated, Series: make([]HistorySeries, 0, len(c.series))}
	for _, s := range c.series {
		result.Series = append(result.Series, *s)
	}
	slices.SortFunc(result.Series, func(a, b HistorySeries) int {
		return cmp.Or(cmp.Compare(a.District, b.District), cmp.Compare(a.Site, b.Site), cmp.Compare(a.Sensor, b.Sensor),
			cmp.Compare(a.Quantity.String(), b.Quantity.String()), cmp.Compare(a.Channel, b.Channel))
	})
	return result
}
