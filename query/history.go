package query

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lamppost-city/lamppost/store"
	"github.com/lamppost-city/lamppost/telemetry"
	"github.com/lamppost-city/lamppost/telemetry/step"
)

// HistoryQuery asks for readings of the past.
type HistoryQuery struct {
	// Sensors, Sites and Districts choose readings that are of one of each, where there are any. Sites and districts are
	// those at which a sensor stood when it measured. Without any of them Group must combine sensors.
	Sensors          []telemetry.SensorID
	Sites, Districts []string
	Quantities       []telemetry.QuantityID
	// Channel chooses one channel, "" the readings without one; nil chooses all.
	Channel *string
	// From is included, To is not. Both are cut to milliseconds.
	From, To time.Time
	// Step combines readings into steps, of which the first may begin before From; the zero Step asks for the readings
	// themselves, unless Points is set.
	Step step.Length
	// Zone is where days, weeks, months and years begin at midnight; nil is UTC.
	Zone *time.Location
	// Points, if not 0, has the shortest step of AutoStep chosen that makes at most so many of each series, leaves room for
	// all of them, and is not shorter than Shortest, which it holds a whole number of times where such a step is at most six
	// times as long. Step must be zero then.
	Points   int
	Shortest time.Duration
	Agg      Agg
	// Group says what keeps readings of one quantity apart. What it does not name is combined, which needs a Step.
	Group Group
	// Expect is how many series are expected, so that each gets its share of the points; 0 where each sensor has one of
	// each quantity.
	Expect int
}

// HistoryResult is the answer, ordered by district, site, sensor, quantity and channel.
type HistoryResult struct {
	Series []HistorySeries
	// Step is the one of the question, or the one that was chosen.
	Step step.Length
	// Truncated is true where points or series were left out because there are more than the limits allow. Points that are
	// left out are the last of a series.
	Truncated bool
}

// HistorySeries is the readings of one quantity and of what Group keeps apart, oldest first; the rest is empty. It has
// at least one point.
type HistorySeries struct {
	Sensor         telemetry.SensorID
	Site, District string
	Quantity       telemetry.QuantityID
	Channel        string
	Points         []Point
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
	cfg    Config
	past   Streamer
	blocks *blocks
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
func NewHistory(cfg Config, past Streamer, reg prometheus.Registerer) *History {
	return &History{cfg: cfg, past: past, blocks: newBlocks(cfg, newHistoryMetrics(reg))}
}

// Changed must be told of every minute since 1970 for which readings have come into the store, once they are there:
// what History keeps of these minutes is asked for again. It may be called by any goroutine.
func (h *History) Changed(minutes []int64) { h.blocks.changed(minutes) }

// History answers q. Its errors are *InvalidError where q is at fault (several may be joined; Faults lists them), and wrap
// *store.Error where the store is: RefusalOf tells what that means.
func (h *History) History(ctx context.Context, q HistoryQuery) (HistoryResult, error) {
	// Every series gets its share, so that the first does not take all; the store sends one row more than that, which
	// shows that there are more.
	expect := q.Expect
	if expect <= 0 {
		expect = len(q.Sensors) * len(q.Quantities)
	}
	share := max(1, h.cfg.MaxPoints/max(1, expect))
	if err := h.check(q); err != nil {
		return HistoryResult{}, err
	}
	if q.Points > 0 {
		q.Step = autoStep(q.From, q.To, min(q.Points, share), max(q.Shortest, h.cfg.MinStep))
	}
	c := collector{cfg: h.cfg, perSeries: share, series: map[seriesKey]*HistorySeries{}}
	runs := runsOf(q)
	for _, domain := range telemetry.Domains() {
		// Quantities whose means are made in different ways cannot be asked for in one statement.
		for _, mean := range []telemetry.Mean{telemetry.Arithmetic, telemetry.Energetic, telemetry.Circular} {
			quantities := chosen(q.Quantities, domain, mean)
			if len(quantities) == 0 {
				continue
			}
			c.rows = map[rowKey]int{}
			c.turns = mean == telemetry.Circular && !q.Step.IsZero()
			what := asked{domain: domain, quantities: quantities, query: &q, limit: c.perSeries + 1}
			for _, one := range runs {
				err := h.answer(ctx, what, one, func(s store.Series) error { return c.add(s, quantities) })
				if errors.Is(err, errFull) {
					break
				}
				if err != nil {
					return HistoryResult{}, fmt.Errorf("ask the store for readings of %s: %w", domain, err)
				}
			}
		}
	}
	result := c.result()
	result.Step = q.Step
	return result, nil
}

// chosen are the quantities of a domain with a mean, each once.
func chosen(ids []telemetry.QuantityID, domain telemetry.Domain, mean telemetry.Mean) []*telemetry.Quantity {
	var all []*telemetry.Quantity
	for _, id := range ids {
		if one := id.Quantity(); one.Domain == domain && one.Mean == mean && !slices.Contains(all, one) {
			all = append(all, one)
		}
	}
	return all
}

func (h *History) check(q HistoryQuery) error {
	var faults []error
	fault := func(param, format string, args ...any) {
		faults = append(faults, &InvalidError{Param: param, Message: fmt.Sprintf(format, args...)})
	}
	h.checkChoice(q, fault)
	h.checkTimes(q, fault)
	return errors.Join(faults...)
}

// checkChoice looks at what is asked for.
func (h *History) checkChoice(q HistoryQuery, fault func(param, format string, args ...any)) {
	if len(q.Sensors)+len(q.Sites)+len(q.Districts) == 0 && q.Group.keeps(BySensor) {
		fault("sensor", "is missing; name at least one sensor, site or district, or combine sensors by group")
	}
	if len(q.Sensors) > h.cfg.MaxSensors {
		fault("sensor", "names %d sensors; at most %d are allowed", len(q.Sensors), h.cfg.MaxSensors)
	}
	if n := len(q.Sites) + len(q.Districts); n > h.cfg.MaxPlaces {
		fault("site", "chooses %d sites and districts; at most %d are allowed", n, h.cfg.MaxPlaces)
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
	if int(q.Agg) >= len(aggNames) {
		fault("agg", "is unknown; use mean, min, max, sum, count, p50 or p95")
	}
}

// checkTimes looks at range, step and what is combined over them.
func (h *History) checkTimes(q HistoryQuery, fault func(param, format string, args ...any)) {
	switch span := q.To.Sub(q.From); {
	case !q.From.Before(q.To):
		fault("from", "must be before to")
	case q.From.Before(earliest) || q.To.After(latest):
		fault("from", "and to must be between %s and %s", earliest.Format(time.DateOnly), latest.Format(time.DateOnly))
	case span > h.cfg.MaxRange:
		fault("from", "is %.0f days before to; at most %.0f are allowed", span.Hours()/24, h.cfg.MaxRange.Hours()/24)
	case !q.Step.IsZero() && span/q.Step.Shortest() >= time.Duration(h.cfg.MaxPoints):
		fault("step", "of %s makes more than %d steps; use at least %s", q.Step, h.cfg.MaxPoints, AutoStep(q.From, q.To, h.cfg.MaxPoints))
	}
	if least := q.Step.Shortest(); !q.Step.IsZero() && (least < h.cfg.MinStep || least%time.Millisecond != 0) {
		fault("step", "is %s; use 0 for readings as they are, or at least %s", q.Step, h.cfg.MinStep)
	}
	if q.Points < 0 || q.Points > 0 && !q.Step.IsZero() {
		fault("points", "is %d beside a step of %s; name one of the two, points of at least 1", q.Points, q.Step)
	}
	if q.Step.IsZero() && q.Points == 0 && (!q.Group.keeps(BySensor) || !q.Group.keeps(ByChannel)) {
		fault("group", "combines readings, which needs steps; name step or points as well, or group by sensor and channel")
	}
}

// The store keeps nanoseconds in 64 bits; these are round years within.
var (
	earliest = time.Date(1700, 1, 1, 0, 0, 0, 0, time.UTC)
	latest   = time.Date(2260, 1, 1, 0, 0, 0, 0, time.UTC)
)
