package query

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/lamppost-city/lamppost/store"
	"github.com/lamppost-city/lamppost/store/influx"
	"github.com/lamppost-city/lamppost/telemetry"
)

// HistoryQuery asks for readings of the past.
type HistoryQuery struct {
	Sensors    []telemetry.SensorID
	Quantities []telemetry.QuantityID
	// Channel chooses one channel, "" the readings without one; nil chooses all.
	Channel *string
	// From is included, To is not. Both are cut to milliseconds.
	From, To time.Time
	// Step combines readings into steps that begin at whole multiples of it since 1970 in UTC, so the first step may begin
	// before From; 0 asks for the readings themselves.
	Step time.Duration
	Agg  Agg
}

// HistoryResult is the answer, ordered by sensor, quantity and channel.
type HistoryResult struct {
	Series []HistorySeries
	// Truncated is true where points or series were left out because there are more than the limits allow. Points that are
	// left out are the last of a series.
	Truncated bool
}

// HistorySeries is the readings of one sensor, quantity and channel, oldest first. It has at least one point.
type HistorySeries struct {
	Sensor   telemetry.SensorID
	Quantity telemetry.QuantityID
	Channel  string
	Points   []Point
}

// Point is one reading, or what became of those of one step. A step without readings has no point.
type Point struct {
	// Time is the measured time, or the beginning of the step.
	Time  telemetry.UnixMilli
	Value float64
}

// InvalidError says what is wrong with a question. It is the asker's fault, and permanent.
type InvalidError struct {
	// Param is the parameter's name in the API.
	Param string
	// Message says what is wrong and what to do.
	Message string
}

// Error returns the parameter and the message.
func (e *InvalidError) Error() string { return e.Param + ": " + e.Message }

// History answers questions about the past from the store.
type History struct {
	cfg  Config
	past Streamer
}

// Faults lists every InvalidError in an error of History.
func Faults(err error) []*InvalidError {
	var all []*InvalidError
	switch wrapped := err.(type) { //nolint:errorlint // it walks the tree itself, because errors.As stops at the first
	case *InvalidError:
		all = append(all, wrapped)
	case interface{ Unwrap() []error }:
		for _, one := range wrapped.Unwrap() {
			all = append(all, Faults(one)...)
		}
	case interface{ Unwrap() error }:
		all = Faults(wrapped.Unwrap())
	}
	return all
}

// NewHistory returns a History over the store. Of cfg, which must be valid, it uses what concerns the past.
func NewHistory(cfg Config, past Streamer) *History { return &History{cfg: cfg, past: past} }

// History answers q. Its errors are *InvalidError where q is at fault (several may be joined; Faults lists them), and wrap
// *store.Error where the store is: RefusalOf tells what that means.
func (h *History) History(ctx context.Context, q HistoryQuery) (HistoryResult, error) {
	if err := h.check(q); err != nil {
		return HistoryResult{}, err
	}
	c := collector{cfg: h.cfg, series: map[seriesKey]*HistorySeries{}}
	// Every series gets its share, so that the first does not take all; the store sends one row more than that, which
	// shows that there are more.
	c.perSeries = max(1, h.cfg.MaxPoints/(len(q.Sensors)*len(q.Quantities)))
	for _, domain := range telemetry.Domains() {
		var quantities []*telemetry.Quantity
		for _, id := range q.Quantities {
			if one := id.Quantity(); one.Domain == domain && !slices.Contains(quantities, one) {
				quantities = append(quantities, one)
			}
		}
		if len(quantities) == 0 {
			continue
		}
		c.rows = map[rowKey]int{}
		err := h.past.Stream(ctx, statement(domain, quantities, q, c.perSeries+1), func(s store.Series) error { return c.add(s, quantities) })
		if err != nil && !errors.Is(err, errFull) {
			return HistoryResult{}, fmt.Errorf("ask the store for readings of %s: %w", domain, err)
		}
	}
	return c.result(), nil
}

func (h *History) check(q HistoryQuery) error {
	var faults []error
	fault := func(param, format string, args ...any) {
		faults = append(faults, &InvalidError{Param: param, Message: fmt.Sprintf(format, args...)})
	}
	if len(q.Sensors) == 0 {
		fault("sensor", "is missing; name at least one sensor")
	}
	if len(q.Sensors) > h.cfg.MaxSensors {
		fault("sensor", "names %d sensors; at most %d are allowed", len(q.Sensors), h.cfg.MaxSensors)
	}
	for _, id := range q.Sensors {
		if err := id.Check(); err != nil {
			fault("sensor", "%s", err)
		}
	}
	if len(q.Quantities) == 0 {
		fault("quantity", "is missing; name at least one quantity")
	}
	if len(q.Quantities) > h.cfg.MaxQuantities {
		fault("quantity", "names %d quantities; at most %d are allowed", len(q.Quantities), h.cfg.MaxQuantities)
	}
	if q.Channel != nil {
		if err := telemetry.CheckChannel(*q.Channel); err != nil {
			fault("channel", "%s", err)
		}
	}
	switch span := q.To.Sub(q.From); {
	case !q.From.Before(q.To):
		fault("from", "must be before to")
	case q.From.Before(earliest) || q.To.After(latest):
		fault("from", "and to must be between %s and %s", earliest.Format(time.DateOnly), latest.Format(time.DateOnly))
	case span > h.cfg.MaxRange:
		fault("from", "is %.0f days before to; at most %.0f are allowed", span.Hours()/24, h.cfg.MaxRange.Hours()/24)
	case q.Step > 0 && span/q.Step >= time.Duration(h.cfg.MaxPoints):
		fault("step", "of %s makes more than %d steps; use at least %s", q.Step, h.cfg.MaxPoints, AutoStep(q.From, q.To, h.cfg.MaxPoints))
	}
	if q.Step < 0 || q.Step > 0 && (q.Step < h.cfg.MinStep || q.Step%time.Millisecond != 0) {
		fault("step", "is %s; use 0 for readings as they are, or at least %s", q.Step, h.cfg.MinStep)
	}
	if int(q.Agg) >= len(aggNames) {
		fault("agg", "is unknown; use mean, min, max, sum, count, p50 or p95")
	}
	return errors.Join(faults...)
}

// The store keeps nanoseconds in 64 bits; these are round years within.
var (
	earliest = time.Date(1700, 1, 1, 0, 0, 0, 0, time.UTC)
	latest   = time.Date(2260, 1, 1, 0, 0, 0, 0, time.UTC)
)

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
	fmt.Fprintf(&b, " FROM %s WHERE %s AND %s", influx.QuoteIdent(domain.String()), anyOf(q.Sensors), influx.Between(q.From, q.To))
	if q.Channel != nil {
		fmt.Fprintf(&b, ` AND "channel" = %s`, influx.QuoteString(*q.Channel))
	}
	b.WriteString(` GROUP BY "sensor", "channel"`)
	if q.Step > 0 {
		fmt.Fprintf(&b, ", time(%dms) fill(none)", q.Step.Milliseconds())
	}
	fmt.Fprintf(&b, " LIMIT %d", limit)
	return b.String()
}

type seriesKey struct {
	sensor   telemetry.SensorID
	quantity telemetry.QuantityID
	channel  string
}

// rowKey is what the store's own limit of rows counts by.
type rowKey struct{ sensor, channel string }

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
}

func (c *collector) add(s store.Series, quantities []*telemetry.Quantity) error {
	row := rowKey{s.Tags["sensor"], s.Tags["channel"]}
	if c.rows[row] += s.Rows(); c.rows[row] > c.perSeries {
		c.truncated = true
	}
	for i, values := range s.Values {
		if i >= len(quantities) {
			break
		}
		key := seriesKey{telemetry.SensorID(s.Tags["sensor"]), quantities[i].ID, s.Tags["channel"]}
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
				series = &HistorySeries{Sensor: key.sensor, Quantity: key.quantity, Channel: key.channel}
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
		return cmp.Or(cmp.Compare(a.Sensor, b.Sensor), cmp.Compare(a.Quantity.String(), b.Quantity.String()), cmp.Compare(a.Channel, b.Channel))
	})
	return result
}
