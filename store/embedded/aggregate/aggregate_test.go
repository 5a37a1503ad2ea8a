package aggregate_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/lamppost-city/lamppost/store"
	"github.com/lamppost-city/lamppost/store/embedded"
	"github.com/lamppost-city/lamppost/store/embedded/aggregate"
	"github.com/lamppost-city/lamppost/store/influx"
	"github.com/lamppost-city/lamppost/store/storetest"
)

// byTheEngine is a clause that changes nothing in an answer and that only the engine knows.
const byTheEngine = " SLIMIT 1000000"

func TestStatementsAreKnownOrLeftToTheEngine(t *testing.T) {
	t.Parallel()
	const (
		from  = ` FROM "traffic" WHERE time >= 0 AND time < 1000s`
		group = ` GROUP BY "sensor", time(10s) fill(none)`
	)
	for _, c := range []struct {
		statement string
		known     bool
	}{
		{`SELECT mean("speed") AS "speed"` + from + group + ` LIMIT 5`, true},
		{`SELECT mean("speed"), count("speed"), percentile("speed", 95), percentile("speed", 2.5)` + from + group, true},
		{`SELECT count(*)` + from + group, true},
		{`SELECT sum("speed")` + from + ` AND ("sensor" = 'a' OR "site" =~ /x/) AND "channel" = ''` + group, true},
		{`SELECT max("speed")` + from + ` GROUP BY time(1m) fill(none)`, true},
		{inParts(influx.EnergeticMean("laeq"), "laeq", "1000s"), true},
		{inParts(influx.CircularMean("wind"), "wind", "1000s"), true},
		{inParts(influx.CircularMean("wind"), "laeq", "1000s"), false},
		{inParts(influx.EnergeticMean("laeq"), "laeq", "999s"), false},
		{inParts(influx.MeanInParts{Whole: influx.EnergeticMean("laeq").Whole, Parts: `"laeq" AS "laeq"`}, "laeq", "1000s"), false},

		{`SELECT max("speed")` + from + ` GROUP BY time(1m)`, false},
		{`SELECT max("speed")` + from + ` GROUP BY time(1m, 10s) fill(none)`, true},
		{`SELECT max("speed")` + from + ` GROUP BY time(1m, 70s) fill(none)`, false},
		{`SELECT max("speed")` + from + ` GROUP BY time(1m, -10s) fill(none)`, false},
		{`SELECT max("speed")` + from + ` GROUP BY time(1m, now()) fill(none)`, false},
		{`SELECT max("speed")` + from + ` GROUP BY "sensor" fill(none)`, false},
		{`SELECT max("speed")` + from + ` GROUP BY *, time(1m) fill(none)`, false},
		{`SELECT max("speed")` + from + ` GROUP BY "lane", time(1m) fill(none)`, false},
		{`SELECT max("speed")` + from + ` AND "speed" > 3` + group, false},
		{`SELECT max("speed")` + from + ` AND "sensor" > 'a'` + group, false},
		{`SELECT max("speed") FROM "traffic" WHERE time >= 0` + group, false},
		{`SELECT max("speed") FROM "traffic" WHERE time >= 0 AND time < 100000000s` + group, false},
		{`SELECT max("speed") FROM "traffic" WHERE time >= 9s AND time < 9s` + group, false},
		{`SELECT max("speed") FROM /traffic/ WHERE time >= 0 AND time < 1000s` + group, false},
		{`SELECT max("speed") FROM "traffic", "energy" WHERE time >= 0 AND time < 1000s` + group, false},
		{`SELECT max("speed") FROM (SELECT "speed" FROM "traffic") WHERE time >= 0 AND time < 1000s` + group, false},
		{`SELECT max("speed") INTO "x"` + from + group, false},
		{`SELECT max("speed")` + from + group + ` ORDER BY time DESC`, false},
		{`SELECT max("speed")` + from + group + ` OFFSET 1`, false},
		{`SELECT max("speed")` + from + group + byTheEngine, false},
		{`SELECT max("speed")` + from + group + ` TZ('Europe/Berlin')`, false},
		{`SELECT max("speed") + 1` + from + group, false},
		{`SELECT max("speed"), "occupancy"` + from + group, false},
		{`SELECT max(*)` + from + group, false},
		{`SELECT max("sensor")` + from + group, false},
		{`SELECT median("speed")` + from + group, false},
		{`SELECT mean(distinct("speed"))` + from + group, false},
		{`SELECT count(*), mean("speed")` + from + group, false},
		{`SELECT "speed"` + from, false},
		{`SHOW DATABASES`, false},
	} {
		if aggregate.Known(c.statement) != c.known {
			t.Errorf("known is %v: %s", !c.known, c.statement)
		}
	}
}

// inParts is a statement with a mean in parts, whose times end where it says.
func inParts(mean influx.MeanInParts, field, end string) string {
	return `SELECT ` + mean.Whole + ` AS "` + field + `" FROM (SELECT ` + mean.Parts + ` FROM "safety" WHERE time >= 0 AND time < 1000s AND "sensor" = 'a'
		GROUP BY "sensor", "site") WHERE time >= 0 AND time < ` + end + ` GROUP BY "sensor", time(10s) fill(none)`
}

// TestAnswersAreTheEngines asks random questions of points in files and in memory, some of them written twice, others
// from before 1970, and compares with what the engine answers to the same.
func TestAnswersAreTheEngines(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	cfg := config(t)
	cfg.CacheColdAfter = 100 * time.Millisecond // then it writes files
	s, stop := storetest.StartEmbedded(t, cfg)
	c := storetest.Client(t, s.Influx())
	for range 3 {
		write(t, c, points(rng, 60_000))
	}
	until(t, "points to be in files", func() bool {
		files, _ := filepath.Glob(filepath.Join(cfg.Dir, "data", "*", "*", "*", "*.tsm"))
		return len(files) > 4
	})
	write(t, c, points(rng, 20_000)) // in memory, over and between those in files
	write(t, c, `traffic,sensor=s-1 lane="left",on=true,whole=3i 1000`)
	for range 120 {
		compare(t, c, question(rng)) // while files are written
	}
	write(t, c, points(rng, 20_000))
	stop()
	s, _ = storetest.StartEmbedded(t, cfg) // what is in no file yet comes from the log
	c = storetest.Client(t, s.Influx())
	for range 60 {
		compare(t, c, question(rng))
	}
}

// points are lines over five weeks from before 1970, of 20 sensors that do not all have all tags and fields. The more
// there are, the more are written over.
func points(rng *rand.Rand, n int) string {
	var b strings.Builder
	for range n {
		s := rng.IntN(20)
		fmt.Fprintf(&b, "traffic,sensor=s-%d", s)
		if s%3 > 0 {
			fmt.Fprintf(&b, ",channel=%d", rng.IntN(2))
		}
		if s%4 > 0 {
			fmt.Fprintf(&b, ",site=site-%d,district=d%d", s/4, s/10)
		}
		fmt.Fprintf(&b, " speed=%g", rng.NormFloat64()*20)
		if s%2 == 0 {
			fmt.Fprintf(&b, ",occupancy=%g", rng.Float64())
		}
		// Some hours have thousands of points, so that blocks are full.
		at := time.Duration(rng.Int64N(int64(35*24*time.Hour))) - 14*24*time.Hour
		if s < 4 {
			at = time.Duration(rng.Int64N(int64(2 * time.Hour)))
		}
		fmt.Fprintf(&b, " %d\n", at.Truncate(100*time.Millisecond).Milliseconds())
	}
	return b.String()
}

// question is a random statement. Percentiles are asked of single series, and of several, which is the engine's part.
func question(rng *rand.Rand) string {
	pick := func(all ...string) string { return all[rng.IntN(len(all))] }
	var columns []string
	for range 1 + rng.IntN(3) {
		field := pick("speed", "speed", "occupancy", "missing")
		columns = append(columns, pick(
			"mean("+field+")", "sum("+field+")", "count("+field+")", "min("+field+")", "max("+field+")",
			// Below the 50th a step can have too few readings; there the engine ends its answer.
			fmt.Sprintf("percentile(%s, %d)", field, 50+rng.IntN(51)),
		)+fmt.Sprintf(" AS c%d", len(columns)))
	}
	from := rng.Int64N(30*86_400_000) - 14*86_400_000
	to := from + 1 + rng.Int64N(20*86_400_000)
	if rng.IntN(3) == 0 {
		from, to = -rng.Int64N(3_600_000), rng.Int64N(7_200_000)+1
	}
	step := time.Duration(to-from) * time.Millisecond / time.Duration(1+rng.IntN(200))
	tags := []string{"sensor", "channel", "site", "district"}
	rng.Shuffle(4, func(i, j int) { tags[i], tags[j] = tags[j], tags[i] })
	length := max(1, step.Milliseconds())
	by := append(slices.Clone(tags[:rng.IntN(5)]), fmt.Sprintf("time(%dms, %dms)", length, rng.Int64N(length)*rng.Int64N(2)))
	within := fmt.Sprintf("time >= %dms AND time < %dms", from, to)
	source := "traffic WHERE " + within
	source += pick("", "", " AND (sensor = 's-1' OR sensor = 's-2' OR sensor = 's-14')", " AND channel = ''", " AND site =~ /^site-[12]$/", " AND sensor = 'none'",
		" AND district = 'd1' AND channel != '1'")
	if rng.IntN(4) == 0 {
		speed, occupancy := influx.EnergeticMean("speed"), influx.CircularMean("occupancy")
		columns = []string{speed.Whole + " AS speed", occupancy.Whole + " AS occupancy"}
		source = "(SELECT " + speed.Parts + ", " + occupancy.Parts + " FROM " + source + " GROUP BY sensor, site, district, channel) WHERE " + within
	}
	q := "SELECT " + strings.Join(columns, ", ") + " FROM " + source
	q += " GROUP BY " + strings.Join(by, ", ") + " fill(none)"
	if len(columns) == 1 { // the engine counts a step twice that has one column here and another one there
		q += pick("", " LIMIT 7")
	}
	return q
}

func compare(t *testing.T, c *influx.Client, q string) {
	t.Helper()
	if !aggregate.Known(q) {
		t.Fatalf("not known: %s", q)
	}
	ours, theirs := numbers(t, ask(t, c, q)), numbers(t, ask(t, c, q+byTheEngine))
	if diff := cmp.Diff(theirs, ours, cmpopts.EquateApprox(1e-9, 1e-9)); diff != "" {
		t.Errorf("%s\nwithout the engine (+) it is not as with it (-):\n%.2000s", q, diff)
	}
}

// numbers sorts an answer by series, column and time, for the engine gives several columns of a step in several rows where
// they come from different places.
func numbers(t *testing.T, answer []store.Series) map[string]float64 {
	t.Helper()
	all := map[string]float64{}
	for _, s := range answer {
		for i, column := range s.Columns {
			for r, at := range s.Times {
				key := fmt.Sprint(s.Measurement, s.Tags, column, at)
				if math.IsNaN(s.Values[i][r]) {
					continue
				}
				if _, ok := all[key]; ok {
					t.Errorf("%s is there twice", key)
				}
				all[key] = s.Values[i][r]
			}
		}
	}
	return all
}

func ask(t *testing.T, c *influx.Client, q string) []store.Series {
	t.Helper()
	series, err := c.Query(context.Background(), q)
	if err != nil {
		t.Fatalf("%s: %v", q, err)
	}
	return series
}

func TestCountsOfAllFieldsAreTheEngines(t *testing.T) {
	t.Parallel()
	c := start(t)
	write(t, c, points(rand.New(rand.NewPCG(3, 4)), 20_000))
	compare(t, c, `SELECT count(*) FROM traffic WHERE time >= -1200000s AND time < 1200000s GROUP BY sensor, time(1h) fill(none)`)
	compare(t, c, `SELECT count(*) FROM traffic WHERE time >= -1200000s AND time < 1200000s GROUP BY time(1d) fill(none)`)
	compare(t, c, `SELECT count(*) FROM nothing WHERE time >= -1200000s AND time < 1200000s GROUP BY time(1d) fill(none)`)
}

func TestNumbersOfOtherTypesAreTheEngines(t *testing.T) {
	t.Parallel()
	c := start(t)
	write(t, c, "traffic,sensor=a whole=3i,lane=\"left\",on=true,speed=1 1000\ntraffic,sensor=a whole=4i 2000")
	for _, column := range []string{"sum(whole)", "mean(whole)", "count(lane)", "count(\"on\")", "count(*)", "mean(speed), max(whole)"} {
		compare(t, c, "SELECT "+column+" FROM traffic WHERE time >= 0 AND time < 10s GROUP BY sensor, time(1s) fill(none)")
	}
}

func TestLongAnswersComeInParts(t *testing.T) {
	t.Parallel()
	c := start(t)
	var b strings.Builder
	for i := range 25_000 {
		fmt.Fprintf(&b, "traffic,sensor=s-%d speed=%d %d\n", i%2, i, i*1000)
	}
	write(t, c, b.String())
	q := `SELECT max(speed) FROM traffic WHERE time >= 0 AND time < 25000s GROUP BY sensor, time(1s) fill(none)`
	compare(t, c, q)
	rows := 0
	for _, s := range ask(t, c, q) {
		rows += s.Rows()
	}
	if rows != 25_000 {
		t.Errorf("%d rows of 25,000", rows)
	}
}

func TestTooMuchIsRefusedAsTheEngineDoes(t *testing.T) {
	t.Parallel()
	c := start(t)
	write(t, c, "traffic,sensor=a speed=3 1000")
	q := `SELECT max(speed) FROM traffic WHERE time >= 0 AND time < 1000001s GROUP BY sensor, time(1s) fill(none)`
	if _, err := c.Query(t.Context(), q); err == nil || !strings.Contains(err.Error(), "max-select-buckets") {
		t.Errorf("a million and one steps: %v", err)
	}
}

func TestQuestionsThatTakeTooLongEnd(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	s, stop := storetest.StartEmbedded(t, cfg)
	write(t, storetest.Client(t, s.Influx()), points(rand.New(rand.NewPCG(5, 6)), 10_000))
	stop()
	cfg.QueryTimeout = time.Millisecond
	s, _ = storetest.StartEmbedded(t, cfg)
	q := `SELECT max(speed) FROM traffic WHERE time >= -900000s AND time < 100000s GROUP BY sensor, time(1s) fill(none)`
	if _, err := storetest.Client(t, s.Influx()).Query(t.Context(), q); err == nil || !strings.Contains(err.Error(), "query-timeout") {
		t.Errorf("a question of a millisecond at most was answered with %v", err)
	}
}

func start(t *testing.T) *influx.Client {
	t.Helper()
	s, _ := storetest.StartEmbedded(t, config(t))
	return storetest.Client(t, s.Influx())
}

func config(t *testing.T) embedded.Config {
	t.Helper()
	cfg := embedded.DefaultConfig()
	cfg.Dir = filepath.Join(t.TempDir(), "store")
	return cfg
}

func write(t *testing.T, c *influx.Client, lines string) {
	t.Helper()
	if err := c.Write(t.Context(), []byte(lines)); err != nil {
		t.Fatal(err)
	}
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited 30 s for %s", what)
		}
	}
}
