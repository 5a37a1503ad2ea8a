package endtoend

import (
	"bufio"
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lamppost-city/lamppost/store"
	"github.com/lamppost-city/lamppost/store/influx"
)

// Key names a series.
type Key struct{ Sensor, Quantity, Channel string }

// String is sensor/quantity/channel.
func (k Key) String() string { return k.Sensor + "/" + k.Quantity + "/" + k.Channel }

// Point is one value.
type Point struct {
	// Milli is the measured time since 1970.
	Milli int64
	Value float64
}

// Values are readings by series, in no order until Differences has sorted them.
type Values map[Key][]Point

// Add takes in one value.
func (v Values) Add(k Key, p Point) { v[k] = append(v[k], p) }

// Count is the number of values.
func (v Values) Count() (n int64) {
	for _, points := range v {
		n += int64(len(points))
	}
	return n
}

// Checksum does not depend on the order in which values were added. It is a sum, not an exclusive or, so that two copies of one
// value show.
func (v Values) Checksum() (sum uint64) {
	for k := range v {
		sum += v.SeriesChecksum(k)
	}
	return sum
}

// SeriesChecksum is that of one series.
func (v Values) SeriesChecksum(k Key) (sum uint64) {
	var b [16]byte
	for _, p := range v[k] {
		h := fnv.New64a()
		_, _ = h.Write([]byte(k.String()))
		binary.LittleEndian.PutUint64(b[:], uint64(p.Milli))
		binary.LittleEndian.PutUint64(b[8:], math.Float64bits(p.Value+0)) // -0 is 0
		_, _ = h.Write(b[:])
		sum += h.Sum64()
	}
	return sum
}

// maxShown bounds what is told of differences.
const maxShown = 20

// Differences lists what two sets of values do not have in common, value by value: too few, too many, twice, or another value.
// Not more than 20 are listed, and how many there are in all.
func Differences(want, got Values) []string {
	keys := make(map[Key]bool)
	for k := range want {
		keys[k] = true
	}
	for k := range got {
		keys[k] = true
	}
	var all []string
	for k := range keys {
		for _, d := range differences(want[k], got[k]) {
			all = append(all, k.String()+" "+d)
		}
	}
	slices.Sort(all)
	if len(all) > maxShown {
		all = append(all[:maxShown], fmt.Sprintf("and %d more", len(all)-maxShown))
	}
	return all
}

func differences(want, got []Point) (all []string) {
	order := func(a, b Point) int { return cmp.Or(cmp.Compare(a.Milli, b.Milli), cmp.Compare(a.Value, b.Value)) }
	slices.SortFunc(want, order)
	slices.SortFunc(got, order)
	tell := func(p Point, what string) {
		all = append(all, fmt.Sprintf("at %s (%d): %v %s", time.UnixMilli(p.Milli).UTC().Format("2006-01-02T15:04:05.000Z"), p.Milli, p.Value, what))
	}
	for len(want) > 0 || len(got) > 0 {
		switch {
		case len(got) == 0 || len(want) > 0 && order(want[0], got[0]) < 0:
			tell(want[0], "is missing")
			want = want[1:]
		case len(want) == 0 || order(want[0], got[0]) > 0:
			tell(got[0], "should not be there")
			got = got[1:]
		default:
			want, got = want[1:], got[1:]
		}
	}
	return all
}

// ReadRecord reads what `lamppost simulate --record` wrote.
func ReadRecord(path string) (Values, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	all := make(Values)
	lines := bufio.NewScanner(file)
	for n := 1; lines.Scan(); n++ {
		fields := strings.Split(lines.Text(), ",")
		if len(fields) != 5 {
			return nil, fmt.Errorf("%s:%d: %q", path, n, lines.Text())
		}
		if n == 1 {
			continue
		}
		milli, err := strconv.ParseInt(fields[3], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, n, err)
		}
		value, err := strconv.ParseFloat(fields[4], 64)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, n, err)
		}
		all.Add(Key{strings.Clone(fields[0]), strings.Clone(fields[1]), strings.Clone(fields[2])}, Point{milli, value})
	}
	return all, lines.Err()
}

// ReadStore reads everything that a store holds. Points of one time under different tags stay apart, so that a reading that is
// there twice shows.
func ReadStore(ctx context.Context, client *influx.Client) (Values, error) {
	all := make(Values)
	for _, domain := range []string{"traffic", "energy", "safety"} {
		q := "SELECT *::field FROM " + influx.QuoteIdent(domain) + " GROUP BY *"
		err := client.Stream(ctx, q, func(s store.Series) error {
			for c, quantity := range s.Columns {
				k := Key{s.Tags["sensor"], quantity, s.Tags["channel"]}
				for r, at := range s.Times {
					if value := s.Values[c][r]; !math.IsNaN(value) {
						all.Add(k, Point{int64(at), value})
					}
				}
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("read the store's %s: %w", domain, err)
		}
	}
	return all, nil
}
