package influx

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/lamppost-city/lamppost/store"
	"github.com/lamppost-city/lamppost/telemetry"
)

const (
	// maxBuckets bounds the periods of one query of Counts, and with them the memory that the server needs for it.
	maxBuckets = 360
	// firstWindow is the time over which the first query of Counts looks. InfluxDB counts some 200,000 values a second, so
	// 10,000 sensors that report three quantities a minute take about three seconds.
	firstWindow = 15 * time.Minute
	// shortQuery and longQuery are when the next query of Counts looks over twice or half the time.
	shortQuery, longQuery = time.Second, 5 * time.Second
	// maxWindow bounds the time over which one query of Points looks, for the same reason.
	maxWindow = 7 * 24 * time.Hour
)

// Counts tells each how many values of a domain every sensor has in every period of length step within [from, to),
// leaving out the raw values beside calibrated ones, and periods without any. Periods begin at whole multiples of step
// since 1970, so the first and the last may be cut by from and to. Long ranges are asked for in several queries, one
// after the other, each over as much time as takes a few seconds; within one of them the periods of a sensor come
// together, in the order of time. The callback's error ends it and is returned.
func (c *Client) Counts(ctx context.Context, domain telemetry.Domain, from, to time.Time, step time.Duration, each func(store.Count) error) error {
	if step < time.Millisecond {
		return fmt.Errorf("count values of %s: a step of %s is shorter than a millisecond", domain, step)
	}
	buckets := min(max(int(firstWindow/step), 1), maxBuckets)
	for start := from; start.Before(to); {
		end := floor(start, step).Add(time.Duration(buckets) * step)
		if end.After(to) {
			end = to
		}
		began := time.Now()
		q := fmt.Sprintf(`SELECT count(*) FROM %s WHERE %s GROUP BY "sensor", time(%dms) fill(none)`,
			QuoteIdent(domain.String()), Between(start, end), step.Milliseconds())
		err := c.Stream(ctx, q, func(s store.Series) error { return counts(s, each) })
		if err != nil {
			return fmt.Errorf("count values of %s from %s: %w", domain, start.UTC().Format(time.RFC3339), err)
		}
		switch took := time.Since(began); {
		case took < shortQuery:
			buckets = min(2*buckets, maxBuckets)
		case took > longQuery:
			buckets = max(buckets/2, 1)
		}
		start = end
	}
	return nil
}

// floor returns the beginning of the period that t is in, counted from 1970, as the store counts. (Time.Truncate counts
// from the year 1.)
func floor(t time.Time, step time.Duration) time.Time {
	ms, size := t.UnixMilli(), step.Milliseconds()
	rest := ms % size
	if rest < 0 {
		rest += size
	}
	return time.UnixMilli(ms - rest)
}

func counts(s store.Series, each func(store.Count) error) error {
	sensor := telemetry.SensorID(s.Tags["sensor"])
	for r, at := range s.Times {
		n := store.Count{Sensor: sensor, Time: at}
		for c, name := range s.Columns {
			if value := s.Values[c][r]; !strings.HasSuffix(name, store.RawSuffix) && !math.IsNaN(value) {
				n.Values += int64(value)
			}
		}
		if n.Values == 0 {
			continue
		}
		if err := each(n); err != nil {
			return err
		}
	}
	return nil
}

// Points tells each every value of one sensor in a domain within [from, to), without the raw values beside calibrated
// ones. Long ranges are asked for in several queries; within one of them the values of a channel and site come together,
// in the order of time. The callback's error ends it and is returned.
func (c *Client) Points(ctx context.Context, domain telemetry.Domain, sensor telemetry.SensorID, from, to time.Time, each func(store.Value) error) error {
	for start := from; start.Before(to); {
		end := start.Add(maxWindow)
		if end.After(to) {
			end = to
		}
		// GROUP BY keeps alike times of two channels or sites apart.
		q := fmt.Sprintf(`SELECT *::field FROM %s WHERE "sensor" = %s AND %s GROUP BY "channel", "district", "site"`,
			QuoteIdent(domain.String()), QuoteString(string(sensor)), Between(start, end))
		err := c.Stream(ctx, q, func(s store.Series) error { return values(s, each) })
		if err != nil {
			return fmt.Errorf("read values of sensor %s from %s: %w", sensor, start.UTC().Format(time.RFC3339), err)
		}
		start = end
	}
	return nil
}

func values(s store.Series, each func(store.Value) error) error {
	for r, at := range s.Times {
		for c, name := range s.Columns {
			value := s.Values[c][r]
			if math.IsNaN(value) || strings.HasSuffix(name, store.RawSuffix) {
				continue
			}
			v := store.Value{Quantity: name, Channel: s.Tags["channel"], Site: s.Tags["site"], District: s.Tags["district"], Time: at, Value: value}
			if err := each(v); err != nil {
				return err
			}
		}
	}
	return nil
}

// Between writes the condition that a point's time is in [from, to), both cut to milliseconds.
func Between(from, to time.Time) string {
	return fmt.Sprintf("time >= %dms AND time < %dms", from.UnixMilli(), to.UnixMilli())
}
