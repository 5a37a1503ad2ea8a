package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/influxdata/influxdb/tsdb"
	"github.com/influxdata/influxdb/tsdb/engine/tsm1"

	"github.com/lamppost-city/lamppost/telemetry"
)

// blockPoints is how many points the store puts into one block.
const blockPoints = tsdb.DefaultMaxPointsPerBlock

// shard is one week of all sensors.
type shard struct {
	dir      string
	from, to time.Time
	step     time.Duration
	sensors  int
	points   int64
	bytes    int64
}

// write makes the shard's one data file. A file that is there already stays, and is an error.
func (s *shard) write(ctx context.Context) (err error) {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	path := filepath.Join(s.dir, "000000001-000000001.tsm")
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	out, err := tsm1.NewTSMWriter(file)
	if err != nil {
		return err
	}
	if err := s.series(ctx, out); err != nil {
		return fmt.Errorf("%w (delete %s before another attempt)", err, path)
	}
	if err := out.WriteIndex(); err != nil {
		return err
	}
	s.bytes = int64(out.Size())
	return out.Close()
}

// series writes every sensor's points, in the order of their keys, as the file must have them.
func (s *shard) series(ctx context.Context, out tsm1.TSMWriter) error {
	type keyed struct {
		key    string
		sensor int
	}
	keys := make([]keyed, s.sensors)
	for i := range keys {
		keys[i] = keyed{seriesOf(i), i}
	}
	slices.SortFunc(keys, func(a, b keyed) int { return strings.Compare(a.key, b.key) })
	values := tsdb.FloatArray{}
	var block []byte
	for _, k := range keys {
		if err := ctx.Err(); err != nil {
			return err
		}
		c := curveOf(k.sensor)
		for at := s.from; at.Before(s.to); {
			values.Timestamps, values.Values = values.Timestamps[:0], values.Values[:0]
			for ; at.Before(s.to) && len(values.Values) < blockPoints; at = at.Add(s.step) {
				values.Timestamps = append(values.Timestamps, at.UnixNano())
				values.Values = append(values.Values, c.at(at))
			}
			first, last := values.MinTime(), values.MaxTime()
			s.points += int64(values.Len())
			var err error
			if block, err = tsm1.EncodeFloatArrayBlock(&values, block); err != nil {
				return err
			}
			if err := out.WriteBlock([]byte(k.key), first, last, block); err != nil {
				return err
			}
		}
	}
	return nil
}

// kind is what a third of the sensors measure.
type kind struct {
	prefix      string
	domain      telemetry.Domain
	quantity    string
	base, swing float64
}

func kindOf(sensor int) kind {
	return [...]kind{
		{"loop", telemetry.Traffic, "speed", 55, 20}, {"meter", telemetry.Energy, "active_power", 900, 600}, {"air", telemetry.Safety, "no2", 40, 25},
	}[sensor%3]
}

const (
	sites     = 250
	districts = 20
)

func idOf(sensor int) string { return fmt.Sprintf("%s-%05d", kindOf(sensor).prefix, sensor) }

func placeOf(sensor int) (site, district string) {
	at := sensor % sites
	return fmt.Sprintf("site-%03d", at), fmt.Sprintf("district-%02d", at%districts)
}

// seriesOf is the store's name of the sensor's only series.
func seriesOf(sensor int) string {
	k := kindOf(sensor)
	site, district := placeOf(sensor)
	return tsm1.SeriesFieldKey(fmt.Sprintf("%s,district=%s,sensor=%s,site=%s", k.domain, district, idOf(sensor), site), k.quantity)
}

// curve is a sensor's readings: a day's course with noise, in tenths, as sensors report.
type curve struct {
	kind   kind
	shift  time.Duration
	random uint64
}

func curveOf(sensor int) *curve {
	return &curve{kind: kindOf(sensor), shift: time.Duration(sensor%97) * time.Minute, random: uint64(sensor)*0x9E3779B97F4A7C15 + 1}
}

func (c *curve) at(t time.Time) float64 {
	const day = 24 * time.Hour
	phase := float64((time.Duration(t.UnixNano())+c.shift)%day) / float64(day)
	c.random ^= c.random << 13
	c.random ^= c.random >> 7
	c.random ^= c.random << 17
	noise := float64(c.random>>40)/(1<<24) - 0.5
	return math.Round((c.kind.base+c.kind.swing*(math.Sin(2*math.Pi*phase)+0.4*noise))*10) / 10
}

// registerOf lists the sensors as CSV.
func registerOf(sensors int, step time.Duration) []byte {
	csv := []byte("sensor,title,site,site_title,district,lon,lat,publisher,cadence_s,quantities\n")
	for i := range sensors {
		site, district := placeOf(i)
		at := i % sites
		csv = fmt.Appendf(csv, "%s,,%s,,%s,%.4f,%.4f,,%.0f,%s\n", idOf(i), site, district,
			13.35+0.006*float64(at%16), 52.48+0.005*float64(at/16), step.Seconds(), kindOf(i).quantity)
	}
	return csv
}
