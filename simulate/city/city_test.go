package city_test

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lamppost-city/lamppost/simulate/city"
	"github.com/lamppost-city/lamppost/simulate/streets"
	"github.com/lamppost-city/lamppost/telemetry"
)

func build(t testing.TB, seed uint64, sensors int) *city.City {
	t.Helper()
	c, err := city.New(seed, sensors)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func milli(text string) telemetry.UnixMilli {
	at, err := time.ParseInLocation("2006-01-02 15:04:05", text, berlin())
	if err != nil {
		panic(err)
	}
	return telemetry.MilliOf(at)
}

func berlin() *time.Location {
	zone, err := time.LoadLocation(city.Zone)
	if err != nil {
		panic(err)
	}
	return zone
}

func TestSameSeedGivesTheSameCityAndValuesInAnyOrder(t *testing.T) {
	first, second := build(t, 11, 200), build(t, 11, 200)
	if diff := cmp.Diff(sheet(t, first), sheet(t, second)); diff != "" {
		t.Fatal(diff)
	}
	noon := milli("2026-03-11 12:00:00")
	var forward, backward [][]telemetry.Reading
	for k := range 50 {
		forward = append(forward, first.Readings(nil, k*3, noon+telemetry.UnixMilli(k*61_000)))
	}
	for k := 49; k >= 0; k-- {
		backward = append(backward, second.Readings(nil, k*3, noon+telemetry.UnixMilli(k*61_000)))
	}
	slices.Reverse(backward)
	if diff := cmp.Diff(forward, backward); diff != "" {
		t.Errorf("values depend on the order in which they are asked for:\n%s", diff)
	}
	if sheet(t, build(t, 12, 200)) == sheet(t, first) {
		t.Error("another seed gave the same city")
	}
}

func sheet(t *testing.T, c *city.City) string {
	t.Helper()
	var b bytes.Buffer
	if err := c.WriteCSV(&b, 0, len(c.Sensors()), 1); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestEverySensorCanBeRegistered(t *testing.T) {
	c := build(t, 1, 1500)
	rows, err := csv.NewReader(strings.NewReader(sheet(t, c))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Join(rows[0], ",") != city.CSVHeader || len(rows) != 1501 {
		t.Fatalf("%d rows, header %v", len(rows), rows[0])
	}
	ids, titles, places := map[string]bool{}, map[string]bool{}, map[string]string{}
	domains := map[telemetry.Domain]int{}
	for _, row := range rows[1:] {
		id, site := row[0], row[2]
		if err := telemetry.SensorID(id).Check(); err != nil {
			t.Error(err)
		}
		if err := telemetry.SensorID(site).Check(); err != nil {
			t.Error(err)
		}
		if err := telemetry.SensorID(row[4]).Check(); err != nil {
			t.Error(err)
		}
		if _, isQuantity := telemetry.QuantityByName(id); isQuantity || ids[id] {
			t.Errorf("id %s is taken", id)
		}
		if titles[row[1]] {
			t.Errorf("two sensors are called %q", row[1])
		}
		ids[id], titles[row[1]] = true, true
		place := strings.Join(row[3:8], "|")
		if known, ok := places[site]; ok && known != place {
			t.Errorf("site %s is %s and %s", site, known, place)
		}
		places[site] = place
		for _, name := range strings.Fields(row[10]) {
			q, ok := telemetry.QuantityByName(name)
			if !ok {
				t.Fatalf("the catalogue has no %s", name)
			}
			domains[q.Domain]++
		}
	}
	for _, d := range telemetry.Domains() {
		if domains[d] < 300 {
			t.Errorf("only %d quantities of %s", domains[d], d)
		}
	}
	t.Logf("%d sensors at %d sites", len(ids), len(places))
}

func TestDistrictsHaveTitlesThatDependOnTheSeed(t *testing.T) {
	known := map[string]bool{}
	for seed := range uint64(10) {
		rows, err := csv.NewReader(strings.NewReader(sheet(t, build(t, seed, 200)))).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		if rows[0][4] != "district" || rows[0][5] != "district_title" {
			t.Fatalf("the columns are %v", rows[0])
		}
		titles := map[string]string{}
		for _, row := range rows[1:] {
			id, title := row[4], row[5]
			if title == id || streets.Slug(title) != id {
				t.Errorf("district %s is called %q", id, title)
			}
			titles[id], known[title] = title, true
		}
		if len(titles) != 9 || titles["old-town"] != "Old Town" {
			t.Errorf("seed %d has the districts %v", seed, titles)
		}
	}
	if len(known) < 15 {
		t.Errorf("ten cities have the districts %v", known)
	}
}

func TestSizesFromOneToManyAreCities(t *testing.T) {
	for _, n := range []int{1, 2, 7, 40, 4_000} {
		c := build(t, 2, n)
		if got := len(c.Sensors()); got != n {
			t.Errorf("%d sensors, want %d", got, n)
		}
		var m []telemetry.Reading
		for i := range c.Sensors() {
			m = c.Readings(m[:0], i, milli("2026-06-01 08:00:00"))
		}
	}
	for _, n := range []int{0, -1, city.MaxSensors + 1} {
		if _, err := city.New(1, n); err == nil {
			t.Errorf("a city of %d sensors was built", n)
		}
	}
}

// Over a year, at odd times: every value lies in the catalogue's range, is finite, and has a quantity that its sensor was registered
// with.
func TestValuesAreSaneOverAYear(t *testing.T) {
	c := build(t, 3, 150)
	begin := milli("2025-10-01 00:00:00")
	seen := map[string]bool{}
	var m []telemetry.Reading
	for step := range 1500 {
		at := begin + telemetry.UnixMilli(step)*telemetry.UnixMilli(365*24*3600*1000/1500) + telemetry.UnixMilli(step*7919%60_000)
		for i, s := range c.Sensors() {
			if (i+step)%5 != 0 {
				continue
			}
			m = c.Readings(m[:0], i, at)
			for _, r := range m {
				q := r.Quantity.Quantity()
				if !(r.Value >= q.Min && r.Value <= q.Max) {
					t.Fatalf("%s of %s at %s is %g, outside %g to %g", q.Name, s.ID, at.Time(), r.Value, q.Min, q.Max)
				}
				if q.Kind == telemetry.State && int(r.Value) >= len(q.States) {
					t.Fatalf("%s of %s: no state %g", q.Name, s.ID, r.Value)
				}
				if r.Measured != at || r.Sensor != s.ID || !slices.Contains(s.Quantities, q.Name) || telemetry.CheckChannel(r.Channel) != nil {
					t.Fatalf("reading %+v of sensor %+v at %d", r, s, at)
				}
				seen[q.Name] = true
			}
		}
	}
	for _, s := range c.Sensors() {
		for _, name := range s.Quantities {
			if !seen[name] {
				t.Errorf("%s, which %s has, never came", name, s.ID)
			}
		}
	}
}

// value is one value of one channel of a message; NaN where it is missing.
func value(m []telemetry.Reading, quantity, channel string) float64 {
	for _, r := range m {
		if r.Quantity.String() == quantity && r.Channel == channel {
			return r.Value
		}
	}
	return math.NaN()
}

func has(s city.Sensor, prefix string) bool { return strings.HasPrefix(string(s.ID), prefix) }

// mean is the mean of a quantity over all sensors of a type and several days at the same hour.
func mean(c *city.City, prefix, quantity, hour string, days ...string) float64 {
	sum, n := 0.0, 0
	for _, d := range days {
		for i, s := range c.Sensors() {
			if !has(s, prefix) {
				continue
			}
			for _, r := range c.Readings(nil, i, milli(d+" "+hour)) {
				if r.Quantity.String() == quantity {
					sum += r.Value
					n++
				}
			}
		}
	}
	return sum / float64(n)
}

func TestTheCityHasARhythm(t *testing.T) {
	c := build(t, 4, 200)
	work := []string{"2026-03-02", "2026-03-03", "2026-03-04", "2026-03-05", "2026-03-09", "2026-03-10", "2026-03-11"}
	sundays := []string{"2026-03-01", "2026-03-08", "2026-03-15", "2026-03-22"}
	for _, rule := range []struct {
		name           string
		less, more     float64
		atLeastByAbout float64
	}{
		{"more vehicles at rush hour than at night", mean(c, "lane", "intensity", "03:30:00", work...), mean(c, "lane", "intensity", "08:00:00", work...), 5},
		{"more vehicles on workdays than on Sundays", mean(c, "lane", "intensity", "08:00:00", sundays...), mean(c, "lane", "intensity", "08:00:00", work...), 2},
		{"slower at rush hour", mean(c, "lane", "speed", "17:20:00", work...), mean(c, "lane", "speed", "03:30:00", work...), 1.2},
		{"detectors are covered longer at rush hour", mean(c, "lane", "occupancy", "03:30:00", work...), mean(c, "lane", "occupancy", "17:20:00", work...), 5},
		{"more exhaust at rush hour", mean(c, "air", "no2", "03:30:00", work...), mean(c, "air", "no2", "08:00:00", work...), 1.5},
		{"more ozone in the sun", mean(c, "air", "o3", "04:00:00", "2026-07-01", "2026-07-02", "2026-07-03"), mean(c, "air", "o3", "13:00:00", "2026-07-01", "2026-07-02", "2026-07-03"), 1.2},
		{"offices work by day", mean(c, "office", "active_power", "03:00:00", work...), mean(c, "office", "active_power", "11:00:00", work...), 3},
		{"street lights burn at night", mean(c, "cabinet", "active_power", "13:00:00", work...), mean(c, "cabinet", "active_power", "21:00:00", work...), 20},
		{"summer is warmer than winter", mean(c, "weather", "temperature", "12:00:00", "2026-01-20", "2026-01-25", "2026-02-01") + 10, mean(c, "weather", "temperature", "12:00:00", "2026-07-20", "2026-07-25", "2026-07-30"), 1},
	} {
		if !(rule.more > rule.less*rule.atLeastByAbout) {
			t.Errorf("%s: %.2f against %.2f, want at least %g times as much", rule.name, rule.more, rule.less, rule.atLeastByAbout)
		}
	}
	if quiet, loud := mean(c, "noise", "laeq", "03:30:00", work...), mean(c, "noise", "laeq", "08:00:00", work...); loud-quiet < 4 || loud-quiet > 25 || loud > 85 {
		t.Errorf("noise is %.1f dB at night and %.1f dB at rush hour", quiet, loud)
	}
}

// Flow is density times speed, and density shows in the occupancy: the three of a lane must agree, free or congested.
func TestFlowSpeedAndOccupancyBelongTogether(t *testing.T) {
	c := build(t, 5, 120)
	congested, total := 0, 0
	for hour := range 24 * 5 {
		at := milli("2026-03-02 00:00:00") + telemetry.UnixMilli(hour*3600_000+1000)
		for i, s := range c.Sensors() {
			if !has(s, "lane") {
				continue
			}
			m := c.Readings(nil, i, at)
			for lane := 1; lane <= 3; lane++ {
				count, speed, occupancy := value(m, "intensity", fmt.Sprint(lane)), value(m, "speed", fmt.Sprint(lane)), value(m, "occupancy", fmt.Sprint(lane))
				if math.IsNaN(speed) {
					if count > 0 {
						t.Fatalf("%s lane %d counted %g vehicles without a speed", s.ID, lane, count)
					}
					continue
				}
				total++
				expected := occupancy * 1000 / 7.2 * speed * s.Cadence.Seconds() / 3600
				if math.Abs(count-expected) > 3.5*math.Sqrt(expected)+0.35*expected+1.5 {
					t.Errorf("%s lane %d: %g vehicles, but %.1f km/h at occupancy %.3f make %.1f", s.ID, lane, count, speed, occupancy, expected)
				}
				if occupancy > 0.25 {
					congested++
					if speed > 40 {
						t.Errorf("%s lane %d: %.1f km/h at occupancy %.2f", s.ID, lane, speed, occupancy)
					}
				}
			}
		}
	}
	if share := float64(congested) / float64(total); share < 0.002 || share > 0.25 {
		t.Errorf("%.1f %% of all lanes and hours are congested", 100*share)
	}
}

func TestPowerIsVoltageTimesCurrentTimesPowerFactor(t *testing.T) {
	c := build(t, 6, 120)
	checked := 0
	for i, s := range c.Sensors() {
		if !slices.Contains(s.Quantities, "power_factor") {
			continue
		}
		for hour := range 48 {
			m := c.Readings(nil, i, milli("2026-12-01 00:00:00")+telemetry.UnixMilli(hour*3600_000))
			sum, factor := 0.0, value(m, "power_factor", "")
			for _, phase := range []string{"L1", "L2", "L3"} {
				sum += value(m, "voltage", phase) * value(m, "current", phase) * factor
			}
			if power := value(m, "active_power", ""); math.Abs(power-sum) > 0.051 {
				t.Fatalf("%s: %.2f W, but voltage, current and power factor make %.2f W", s.ID, power, sum)
			}
			checked++
		}
	}
	if checked < 500 {
		t.Errorf("only %d checked", checked)
	}
}

func TestMetersNeverGoBackAndFollowThePower(t *testing.T) {
	c := build(t, 7, 60)
	for i, s := range c.Sensors() {
		if !has(s, "home") && !has(s, "cabinet") && !has(s, "solar") {
			continue
		}
		name := "energy_import"
		if has(s, "solar") {
			name = "energy_export"
		}
		last, sum := math.NaN(), 0.0
		first := 0.0
		const steps = 3 * 24 * 12
		for k := range steps { // over the end of summer time
			m := c.Readings(nil, i, milli("2026-10-24 00:00:00")+telemetry.UnixMilli(k*300_000))
			now := value(m, name, "")
			if now < last {
				t.Fatalf("%s: the meter went back from %.2f to %.2f", s.ID, last, now)
			}
			if k == 0 {
				first = now
			}
			last = now
			sum += math.Abs(value(m, "active_power", "")) / 12 / 1000
		}
		if grown := last - first; math.Abs(grown-sum) > 0.15*sum+0.5 {
			t.Errorf("%s: the meter grew by %.2f kWh, power says %.2f kWh", s.ID, grown, sum)
		}
	}
}

// Whoever looks at a meter for five minutes sees that it counts, at whatever hour: also a cabinet whose lamps are off.
func TestMetersAreSeenToCount(t *testing.T) {
	c := build(t, 7, 60)
	for i, s := range c.Sensors() {
		if !slices.Contains(s.Quantities, "energy_import") {
			continue
		}
		for hour := range 24 {
			at := milli("2026-06-24 00:00:00") + telemetry.UnixMilli(hour*3600_000)
			before, after := c.Readings(nil, i, at), c.Readings(nil, i, at+300_000)
			if a, b := value(before, "energy_import", ""), value(after, "energy_import", ""); !(b > a) {
				t.Errorf("%s at %d:00 stands at %.3f and five minutes later at %.3f", s.ID, hour, a, b)
			}
		}
	}
}

// An accident, somewhere in three months: a lane that is slow in the middle of the night, which it is not on other nights.
func TestAccidentsSlowTheRoadsAround(t *testing.T) {
	c := build(t, 8, 120)
	slow, normal := 0, 0
	for night := range 90 {
		at := milli("2026-02-01 02:00:00") + telemetry.UnixMilli(night*24*3600_000)
		for i, s := range c.Sensors() {
			if !has(s, "route") {
				continue
			}
			if value(c.Readings(nil, i, at), "congested", "") == 1 {
				slow++
			} else {
				normal++
			}
		}
	}
	if normal < 250 || slow > normal/10 {
		t.Errorf("%d slow, %d normal at two in the night", slow, normal)
	}
	outages := 0
	for k := range 20_000 {
		at := milli("2026-01-01 00:00:00") + telemetry.UnixMilli(k*20*60_000)
		for i, s := range c.Sensors() {
			if has(s, "cabinet") {
				if value(c.Readings(nil, i, at), "voltage", "L1") == 0 {
					outages++
				}
				break
			}
		}
	}
	if outages == 0 || outages > 400 {
		t.Errorf("the first cabinet was without power %d times out of 20,000", outages)
	}
}

func BenchmarkReadings(b *testing.B) {
	c := build(b, 1, 1000)
	at := milli("2026-03-02 08:00:00")
	var m []telemetry.Reading
	c.Readings(nil, 1, at)
	n, i := 0, 0
	b.ReportAllocs()
	for b.Loop() {
		m = c.Readings(m[:0], i%1000, at+telemetry.UnixMilli(i*30))
		n += len(m)
		i++
	}
	b.ReportMetric(float64(n)/float64(b.N), "readings/op")
}

func BenchmarkNew(b *testing.B) {
	for _, n := range []int{200, 1000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				build(b, 1, n)
			}
		})
	}
}
