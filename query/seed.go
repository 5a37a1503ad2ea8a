package query

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/lamppost-city/lamppost/store"
	"github.com/lamppost-city/lamppost/store/influx"
	"github.com/lamppost-city/lamppost/telemetry"
)

// Names lists what a store holds. *influx.Client is one.
type Names interface {
	Fields(ctx context.Context, domain telemetry.Domain) ([]string, error)
	Sensors(ctx context.Context, domain telemetry.Domain) ([]telemetry.SensorID, error)
}

// Streamer runs a query and hands over the answer part by part. *influx.Client is one.
type Streamer interface {
	Stream(ctx context.Context, influxQL string, each func(store.Series) error) error
}

// Past is a store to seed from.
type Past interface {
	Names
	Streamer
}

// seedSensors is how many silent sensors are asked for in one query.
const seedSensors = 200

// Seed adds the newest readings that the store holds. It may run beside Run: what is newer wins. First come all sensors
// that reported within Config.SeedRange before now, then those that have been silent for longer, with whatever they
// reported last. Of a sensor that reports some of its quantities only, others than those come with their next reading.
// An error leaves what was found so far in place.
func (l *Latest) Seed(ctx context.Context, past Past, now time.Time) error {
	for _, domain := range telemetry.Domains() {
		fields, err := past.Fields(ctx, domain)
		if err != nil {
			return fmt.Errorf("seed the latest readings: %w", err)
		}
		since := fmt.Sprintf("time >= %dms", now.Add(-l.cfg.SeedRange).UnixMilli())
		if err := l.seedDomain(ctx, past, domain, fields, since); err != nil {
			return err
		}
		silent, err := l.silent(ctx, past, domain)
		if err != nil {
			return fmt.Errorf("seed the latest readings: %w", err)
		}
		for len(silent) > 0 {
			n := min(len(silent), seedSensors)
			if err := l.seedDomain(ctx, past, domain, fields, anyOf(silent[:n])); err != nil {
				return err
			}
			silent = silent[n:]
		}
	}
	return nil
}

// silent lists sensors that the store knows in a domain and of which nothing in that domain has been found.
func (l *Latest) silent(ctx context.Context, past Past, domain telemetry.Domain) ([]telemetry.SensorID, error) {
	known, err := past.Sensors(ctx, domain)
	if err != nil {
		return nil, err
	}
	var silent []telemetry.SensorID
	var of []telemetry.Reading
	for _, id := range known {
		of = l.AppendLatest(of[:0], id)
		found := false
		for i := range of {
			found = found || of[i].Quantity.Quantity().Domain == domain
		}
		if !found {
			silent = append(silent, id)
		}
	}
	return silent, nil
}

// seedDomain asks for each quantity by itself: together, last() loses the times.
func (l *Latest) seedDomain(ctx context.Context, past Past, domain telemetry.Domain, fields []string, condition string) error {
	for _, field := range fields {
		q, ok := telemetry.QuantityByName(field)
		if !ok || q.Domain != domain {
			continue // a raw value, or a quantity of another version
		}
		query := fmt.Sprintf(`SELECT last(%s) FROM %s WHERE %s GROUP BY "sensor", "channel"`,
			influx.QuoteIdent(field), influx.QuoteIdent(domain.String()), condition)
		err := past.Stream(ctx, query, func(s store.Series) error {
			if s.Rows() > 0 && len(s.Values) > 0 && s.Values[0][0] == s.Values[0][0] { // not NaN
				l.Add([]telemetry.Reading{{
					Sensor: telemetry.SensorID(s.Tags["sensor"]), Quantity: q.ID, Channel: s.Tags["channel"],
					Value: s.Values[0][0], Measured: s.Times[0],
				}})
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("seed the latest readings of %s: %w", field, err)
		}
	}
	return nil
}

// anyOf writes the condition that a point is of one of the sensors.
func anyOf(sensors []telemetry.SensorID) string { return anyTag("sensor", sensors) }

// anyTag writes the condition that a point has one of the values of a tag.
func anyTag[T ~string](tag string, values []T) string {
	var b strings.Builder
	for i, value := range values {
		if i > 0 {
			b.WriteString(" OR ")
		}
		b.WriteString(influx.QuoteIdent(tag) + " = " + influx.QuoteString(string(value)))
	}
	return "(" + b.String() + ")"
}
