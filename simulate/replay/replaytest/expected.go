// Package replaytest says what must be in the store after the known recordings were replayed, for tests of the whole way.
//
// It reads the recordings by itself, with a few lines for each file and with every special hour written out, and shares
// no code with replay: where the two disagree, one of them is wrong.
package replaytest

import (
	"encoding/csv"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // recordings name zones that the machine may not have
)

// Series is what is known of all values of one series: enough to notice a missing value, one too many, a wrong one, and
// one at a wrong time.
type Series struct {
	Sensor, Quantity, Channel string
	Count                     int
	// First and Last are measured times, in milliseconds since 1970.
	First, Last int64
	// Sum is that of the values, in the unit of the catalogue.
	Sum float64
	// Timed is the sum of each value times a number made of its measured time (see Add).
	Timed float64
}

// Add takes in one value.
func (s *Series) Add(milli int64, value float64) {
	if s.Count == 0 || milli < s.First {
		s.First = milli
	}
	if s.Count == 0 || milli > s.Last {
		s.Last = milli
	}
	s.Count++
	s.Sum += value
	s.Timed += value * float64(milli/1000%99_991+1) // a prime of seconds: an hour's or a minute's shift shows
}

// Key is sensor/quantity/channel.
func (s *Series) Key() string { return s.Sensor + "/" + s.Quantity + "/" + s.Channel }

// Same compares two series; sums may differ by what the order of additions and a conversion's last bit change.
func (s *Series) Same(o *Series) error {
	if s.Count != o.Count || s.First != o.First || s.Last != o.Last {
		return fmt.Errorf("%s: %d values from %d to %d, want %d from %d to %d", s.Key(), o.Count, o.First, o.Last, s.Count, s.First, s.Last)
	}
	for _, sums := range [][2]float64{{s.Sum, o.Sum}, {s.Timed, o.Timed}} {
		if math.Abs(sums[0]-sums[1]) > 1e-9*math.Max(1, math.Abs(sums[0])) {
			return fmt.Errorf("%s: checksums %.6f and %.6f, want %.6f and %.6f", s.Key(), o.Sum, o.Timed, s.Sum, s.Timed)
		}
	}
	return nil
}

// Folder finds the recordings: LAMPPOST_RECORDINGS, or ../shared/data beside the repository, whose root is up so many folders
// from the test's. It skips the test where they are not.
func Folder(t testing.TB, up int) string {
	t.Helper()
	dir := os.Getenv("LAMPPOST_RECORDINGS")
	if dir == "" {
		dir = filepath.Join(strings.Repeat("../", up)+"..", "shared", "data")
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("the recordings are not in %s; set LAMPPOST_RECORDINGS to their folder", dir)
	}
	return dir
}

// reader is one pass over one file.
type reader struct {
	all map[string]*Series
	err error
}

func (r *reader) put(sensor, quantity, channel string, at time.Time, value float64) {
	s := Series{Sensor: sensor, Quantity: quantity, Channel: channel}
	if r.all[s.Key()] == nil {
		r.all[s.Key()] = &s
	}
	r.all[s.Key()].Add(at.UnixMilli(), value)
}

func (r *reader) rows(path string, comma rune) [][]string {
	file, err := os.Open(path)
	if err != nil {
		r.err = err
		return nil
	}
	defer file.Close()
	in := csv.NewReader(file)
	in.Comma = comma
	all, err := in.ReadAll()
	if err != nil {
		r.err = err
		return nil
	}
	return all[1:]
}

func (r *reader) number(text string) float64 {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		r.err = err
	}
	return v
}

func (r *reader) moment(layout, text string, zone *time.Location) time.Time {
	at, err := time.ParseInLocation(layout, text, zone)
	if err != nil {
		r.err = err
	}
	return at
}

// Expected lists, by key, what the recordings in dir hold.
func Expected(dir string) ([]Series, error) {
	r := &reader{all: map[string]*Series{}}
	r.motorway(dir)
	r.bicycles(dir)
	r.household(dir)
	r.air(dir)
	if r.err != nil {
		return nil, r.err
	}
	var list []Series
	for _, s := range r.all {
		list = append(list, *s)
	}
	slices.SortFunc(list, func(a, b Series) int { return strings.Compare(a.Key(), b.Key()) })
	return list, nil
}

func (r *reader) motorway(dir string) {
	chicago, err := time.LoadLocation("America/Chicago")
	if err != nil {
		r.err = err
		return
	}
	for _, f := range []struct {
		file, sensor, quantity string
		factor                 float64
	}{
		{"speed_6005.csv", "mndot-6005", "speed", 1.609344},
		{"speed_7578.csv", "mndot-7578", "speed", 1.609344},
		{"occupancy_6005.csv", "mndot-6005", "occupancy", 0.01},
		{"TravelTime_387.csv", "mndot-link-387", "travel_time", 1},
	} {
		for _, row := range r.rows(filepath.Join(dir, "traffic", f.file), ',') {
			r.put(f.sensor, f.quantity, "", r.moment("2006-01-02 15:04:05", row[0], chicago), r.number(row[1])*f.factor)
		}
	}
}

// bicycles: before the changes the clock is 7 hours behind UTC in summer, 8 in winter. The changes were at 10:00 UTC on
// 2013-03-10 and 2014-03-09, and at 09:00 UTC on 2012-11-04 and 2013-11-03.
func (r *reader) bicycles(dir string) {
	summer, winter := time.FixedZone("summer", -7*3600), time.FixedZone("winter", -8*3600)
	threes := 0
	for _, row := range r.rows(filepath.Join(dir, "traffic", "fremont_bicycles_hourly.csv"), ',') {
		const layout = "01/02/2006 03:04:05 PM"
		local := r.moment(layout, row[0], time.UTC)
		zone := winter
		switch label := local.Format("2006-01-02T15"); {
		case label <= "2012-11-04T01": // one row for two hours: the first of them
			zone = summer
		case label >= "2013-03-10T03" && label <= "2013-11-03T01":
			zone = summer
		case label >= "2014-03-09T03":
			zone = summer
		}
		at := r.moment(layout, row[0], zone)
		if row[0] == "03/10/2013 03:00:00 AM" {
			if threes++; threes == 2 {
				at = time.Date(2013, 3, 10, 11, 0, 0, 0, time.UTC) // the row of 04:00, which is empty
			}
		}
		for i, channel := range []string{"nb", "sb"} {
			if row[i+1] != "" {
				r.put("fremont-bridge", "bicycles", channel, at, r.number(row[i+1]))
			}
		}
	}
}

func (r *reader) household(dir string) {
	winter := time.FixedZone("CET", 3600) // it is December
	columns := []struct {
		quantity, channel string
		factor            float64
	}{
		{"active_power", "", 1000},
		{"reactive_power", "", 1000},
		{"voltage", "", 1},
		{"current", "", 1},
		{"energy_used", "kitchen", 1},
		{"energy_used", "laundry", 1},
		{"energy_used", "heating", 1},
	}
	for _, row := range r.rows(filepath.Join(dir, "energy", "household_power_1min.csv"), ';') {
		at := r.moment("02/01/2006 15:04:05", row[0]+" "+row[1], winter)
		for i, c := range columns {
			if text := row[i+2]; text != "" && text != "?" {
				r.put("household-meter", c.quantity, c.channel, at, r.number(text)*c.factor)
			}
		}
	}
}

func (r *reader) air(dir string) {
	standard := time.FixedZone("standard time all year", 3600)
	// One mole of gas at 293.15 K and 101325 Pa, in cubic metres; NOx counts as NO2, 46.005 g/mol.
	const mole = 8.314462618 * 293.15 / 101325
	columns := []struct {
		quantity string
		factor   float64
	}{
		{"co", 1000},
		{"mox_co", 1},
		{"nmhc", 1},
		{"c6h6", 1},
		{"mox_nmhc", 1},
		{"nox", 46.005 * 1e6 / 1e9 / mole},
		{"mox_nox", 1},
		{"no2", 1},
		{"mox_no2", 1},
		{"mox_o3", 1},
		{"temperature", 1},
		{"relative_humidity", 0.01},
		{"absolute_humidity", 1},
	}
	for _, row := range r.rows(filepath.Join(dir, "safety", "air_quality_hourly.csv"), ',') {
		at := r.moment("2/1/2006 15:04:05", row[0]+" "+row[1], standard)
		for i, c := range columns {
			if row[i+2] != "-200" {
				r.put("roadside-air", c.quantity, "", at, r.number(row[i+2])*c.factor)
			}
		}
	}
}
