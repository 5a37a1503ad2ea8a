package storetest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/lamppost-city/lamppost/store"
	"github.com/lamppost-city/lamppost/store/influx"
	"github.com/lamppost-city/lamppost/telemetry"
)

// base is in the middle of a week, so that no case straddles two shards by chance.
var base = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// Run checks the store that cfg reaches. The store keeps points for ever; points that earlier runs left do no harm,
// because every run writes sensors of its own.
func Run(t *testing.T, cfg influx.Config) {
	s := suite{client: Client(t, cfg), prefix: fmt.Sprintf("st%x", time.Now().UnixNano())}
	for _, c := range []struct {
		rule string
		hold func(*testing.T, suite)
	}{
		{"a healthy store says so", holdsHealth},
		{"what is written can be read", holdsWrite},
		{"times are exact to the millisecond, before 1970 too", holdsMilliseconds},
		{"the same point again overwrites, and adds other fields", holdsOverwrite},
		{"a missing channel reads as an empty one", holdsEmptyTag},
		{"one bad line is rejected and its neighbours can be stored", holdsPartial},
		{"a field keeps its type", holdsType},
		{"NaN and infinity are rejected", holdsNotANumber},
		{"a batch of 50,000 points is stored whole", holdsHuge},
		{"a long answer comes whole, in the order of time", holdsLongAnswer},
		{"an answer beyond the limit is refused, not cut", holdsResponseLimit},
		{"quoted text is only text", holdsQuoting},
		{"a wrong query is rejected, a wrong database denied", holdsQueryErrors},
		{"a wrong token is denied", holdsDenied},
		{"values are counted by sensor and period", holdsCounts},
		{"a period is counted once, however many queries it takes", holdsPeriods},
		{"the values of a sensor can be listed", holdsPoints},
		{"the names of fields and sensors can be listed", holdsNames},
	} {
		t.Run(c.rule, func(t *testing.T) { c.hold(t, s) })
	}
}

type suite struct {
	client *influx.Client
	prefix string
}

func (s suite) sensor(name string) string { return s.prefix + "-" + name }

// write stores lines and ends the test if that fails.
func (s suite) write(t *testing.T, lines ...string) {
	t.Helper()
	if err := s.client.Write(context.Background(), []byte(strings.Join(lines, "\n"))); err != nil {
		t.Fatal(err)
	}
}

func (s suite) query(t *testing.T, q string) []store.Series {
	t.Helper()
	series, err := s.client.Query(context.Background(), q)
	if err != nil {
		t.Fatalf("%s: %v", q, err)
	}
	return series
}

// line is a point of the domain traffic.
func line(sensor, channel, fields string, at time.Time) string {
	if channel != "" {
		channel = ",channel=" + channel
	}
	return fmt.Sprintf("traffic%s,sensor=%s %s %d", channel, sensor, fields, at.UnixMilli())
}

func where(sensor string) string { return `WHERE "sensor" = ` + influx.QuoteString(sensor) }

func kind(t *testing.T, err error) *store.Error {
	t.Helper()
	var e *store.Error
	if !errors.As(err, &e) {
		t.Fatalf("%v (%T) is no *store.Error", err, err)
	}
	return e
}

func holdsHealth(t *testing.T, s suite) {
	ctx := context.Background()
	if err := errors.Join(s.client.Ping(ctx), s.client.Health(ctx)); err != nil {
		t.Fatal(err)
	}
	if err := s.client.Write(ctx, nil); err != nil {
		t.Errorf("nothing to write: %v", err)
	}
}

func holdsWrite(t *testing.T, s suite) {
	id := s.sensor("write")
	s.write(t,
		line(id, "1", "speed=51.25,intensity=7,occupancy=0.125", base),
		line(id, "2", "speed=-0.5,intensity=1e3", base.Add(time.Second)),
	)
	got := s.query(t, `SELECT "intensity", "occupancy", "speed" FROM "traffic" `+where(id)+` GROUP BY "sensor", "channel"`)
	columns := []string{"intensity", "occupancy", "speed"}
	want := []store.Series{{
		Measurement: "traffic", Tags: map[string]string{"sensor": id, "channel": "1"}, Columns: columns,
		Times: []telemetry.UnixMilli{telemetry.MilliOf(base)}, Values: [][]float64{{7}, {0.125}, {51.25}},
	}, {
		Measurement: "traffic", Tags: map[string]string{"sensor": id, "channel": "2"}, Columns: columns,
		Times: []telemetry.UnixMilli{telemetry.MilliOf(base.Add(time.Second))}, Values: [][]float64{{1000}, {math.NaN()}, {-0.5}},
	}}
	if diff := cmp.Diff(want, got, cmpopts.EquateNaNs()); diff != "" {
		t.Errorf("what was read (-want +got):\n%s", diff)
	}
}

func holdsMilliseconds(t *testing.T, s suite) {
	id := s.sensor("ms")
	times := []telemetry.UnixMilli{-86_400_001, 0, 1_772_625_600_123, 1_772_625_600_124, 4_102_444_800_999}
	for i, at := range times {
		s.write(t, line(id, "", fmt.Sprintf("speed=%d", i), at.Time()))
	}
	got := s.query(t, `SELECT "speed" FROM "traffic" `+where(id))
	if len(got) != 1 {
		t.Fatalf("%d series, want 1: %v", len(got), got)
	}
	if diff := cmp.Diff(times, got[0].Times); diff != "" {
		t.Errorf("times (-want +got):\n%s", diff)
	}
	q := fmt.Sprintf(`SELECT "speed" FROM "traffic" %s AND %s`, where(id), influx.Between(times[2].Time(), times[3].Time()))
	if got := s.query(t, q); len(got) != 1 || len(got[0].Times) != 1 || got[0].Times[0] != times[2] {
		t.Errorf("between %d (included) and %d (not): %v", times[2], times[3], got)
	}
}

func holdsOverwrite(t *testing.T, s suite) {
	id := s.sensor("over")
	s.write(t, line(id, "", "speed=50,intensity=3", base))
	s.write(t, line(id, "", "speed=60", base))
	s.write(t, line(id, "", "occupancy=0.5", base), line(id, "", "occupancy=0.25", base))
	got := s.query(t, `SELECT "intensity", "occupancy", "speed" FROM "traffic" `+where(id))
	want := []store.Series{{
		Measurement: "traffic", Columns: []string{"intensity", "occupancy", "speed"},
		Times: []telemetry.UnixMilli{telemetry.MilliOf(base)}, Values: [][]float64{{3}, {0.25}, {60}},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the point (-want +got):\n%s", diff)
	}
}

func holdsEmptyTag(t *testing.T, s suite) {
	id := s.sensor("empty")
	s.write(t, line(id, "", "speed=1", base), line(id, "L1", "speed=2", base))
	got := map[string]float64{}
	for _, series := range s.query(t, `SELECT "speed" FROM "traffic" `+where(id)+` GROUP BY "channel"`) {
		got[series.Tags["channel"]] = series.Values[0][0]
	}
	if diff := cmp.Diff(map[string]float64{"": 1, "L1": 2}, got); diff != "" {
		t.Errorf("value by channel (-want +got):\n%s", diff)
	}
	only := s.query(t, `SELECT "speed" FROM "traffic" `+where(id)+` AND "channel" = ''`)
	if len(only) != 1 || only[0].Rows() != 1 || only[0].Values[0][0] != 1 {
		t.Errorf("points without a channel: %v", only)
	}
}

// holdsPartial is the rule on which isolating bad lines rests: whatever was done with the rest of a rejected body, its
// good lines are stored when they are sent without the bad one.
func holdsPartial(t *testing.T, s suite) {
	id := s.sensor("part")
	lines := []string{line(id, "", "speed=1", base), "traffic,sensor=" + id + " speed= 17", line(id, "", "speed=3", base.Add(2*time.Second))}
	err := s.client.Write(context.Background(), []byte(strings.Join(lines, "\n")))
	if e := kind(t, err); e.Kind != store.Rejected || e.Message == "" {
		t.Fatalf("a bad line among good ones: %v (%s)", err, e.Kind)
	}
	if err := s.client.Write(context.Background(), []byte(lines[1])); kind(t, err).Kind != store.Rejected {
		t.Errorf("the bad line alone: %v", err)
	}
	s.write(t, lines[0])
	s.write(t, lines[2])
	if got := s.query(t, `SELECT "speed" FROM "traffic" `+where(id)); len(got) != 1 || got[0].Rows() != 2 {
		t.Errorf("after sending the good lines again: %v", got)
	}
}

func holdsType(t *testing.T, s suite) {
	id := s.sensor("type")
	s.write(t, line(id, "", "speed=1", base))
	body := line(id, "", `speed="fast"`, base.Add(time.Second)) + "\n" + line(id, "", "speed=2", base.Add(2*time.Second))
	err := s.client.Write(context.Background(), []byte(body))
	if e := kind(t, err); e.Kind != store.Rejected || e.Message == "" {
		t.Fatalf("a text where numbers are: %v (%s)", err, e.Kind)
	}
	s.write(t, line(id, "", "speed=2", base.Add(2*time.Second)))
	got := s.query(t, `SELECT "speed" FROM "traffic" `+where(id))
	if len(got) != 1 || !cmp.Equal([]float64{1, 2}, got[0].Values[0]) {
		t.Errorf("numbers beside it: %v", got)
	}
}

func holdsNotANumber(t *testing.T, s suite) {
	for _, value := range []string{"NaN", "nan", "Inf", "+Inf", "-Inf", "1e999"} {
		err := s.client.Write(context.Background(), []byte(line(s.sensor("nan"), "", "speed="+value, base)))
		if err == nil {
			t.Errorf("%s was accepted", value)
		} else if e := kind(t, err); e.Kind != store.Rejected {
			t.Errorf("%s: %v (%s), want rejected", value, err, e.Kind)
		}
	}
}

func holdsHuge(t *testing.T, s suite) {
	const points = 50_000
	id := s.sensor("huge")
	var b strings.Builder
	for i := range points {
		b.WriteString(line(id, "", fmt.Sprintf("speed=%d,intensity=%d", i, i%7), base.Add(time.Duration(i)*time.Millisecond)))
		b.WriteByte('\n')
	}
	s.write(t, b.String())
	got := s.query(t, `SELECT count("speed"), sum("speed") FROM "traffic" `+where(id))
	if len(got) != 1 || got[0].Values[0][0] != points || got[0].Values[1][0] != points*(points-1)/2 {
		t.Errorf("count and sum of %d points: %v", points, got)
	}
}

// holdsLongAnswer needs the points of holdsHuge.
func holdsLongAnswer(t *testing.T, s suite) {
	got := s.query(t, `SELECT "speed" FROM "traffic" `+where(s.sensor("huge")))
	if len(got) != 1 || got[0].Rows() != 50_000 {
		t.Fatalf("%d series, want one of 50,000 rows", len(got))
	}
	for i, at := range got[0].Times {
		if want := telemetry.MilliOf(base) + telemetry.UnixMilli(i); at != want || got[0].Values[0][i] != float64(i) {
			t.Fatalf("row %d is %v at %d, want %d at %d", i, got[0].Values[0][i], at, i, want)
		}
	}
	enough := errors.New("enough")
	rows := 0
	err := s.client.Stream(context.Background(), `SELECT "speed" FROM "traffic" `+where(s.sensor("huge")), func(part store.Series) error {
		rows += part.Rows()
		return enough
	})
	if !errors.Is(err, enough) || rows == 0 || rows == 50_000 {
		t.Errorf("streaming was ended after %d rows with %v; want a part of them, and the callback's own error", rows, err)
	}
}

func holdsResponseLimit(t *testing.T, s suite) {
	cfg := s.client.Config()
	cfg.MaxResponseBytes = 64 << 10
	_, err := Client(t, cfg).Query(context.Background(), `SELECT "speed" FROM "traffic" `+where(s.sensor("huge")))
	if e := kind(t, err); e.Kind != store.Rejected || !strings.Contains(err.Error(), "max_response_bytes") {
		t.Errorf("an answer of a megabyte under a limit of 64 KB: %v (%s)", err, e.Kind)
	}
}

func holdsQuoting(t *testing.T, s suite) {
	id := s.sensor("quote")
	s.write(t, line(id, "", "speed=1", base))
	for _, text := range []string{
		`' OR '1'='1`, `\' OR \'1\'=\'1`, `\`, `\\`, `'; DROP MEASUREMENT "traffic"; --`, `" OR "`, "a\nb", "naïve-日本", "/* */", "$sensor", "-- x",
	} {
		if got := s.query(t, `SELECT "speed" FROM "traffic" `+where(text)); len(got) != 0 {
			t.Errorf("sensor %q found %v", text, got)
		}
		// As a name it is a measurement or a field that does not exist.
		if got := s.query(t, `SELECT "speed" FROM `+influx.QuoteIdent(text)); len(got) != 0 {
			t.Errorf("measurement %q found %v", text, got)
		}
		if got := s.query(t, `SELECT `+influx.QuoteIdent(text)+` FROM "traffic" `+where(id)); len(got) != 0 {
			t.Errorf("field %q found %v", text, got)
		}
	}
	if got := s.query(t, `SELECT "speed" FROM "traffic" `+where(id)); len(got) != 1 {
		t.Errorf("the point is gone: %v", got)
	}
}

func holdsQueryErrors(t *testing.T, s suite) {
	_, err := s.client.Query(context.Background(), "SELEKT 1")
	if e := kind(t, err); e.Kind != store.Rejected || e.Message == "" {
		t.Errorf("a query that is none: %v (%s)", err, e.Kind)
	}
	cfg := s.client.Config()
	cfg.Bucket = "no-such-database/readings"
	err = Client(t, cfg).Health(context.Background())
	if e := kind(t, err); e.Kind != store.Denied {
		t.Errorf("a database that is not there: %v (%s), want denied", err, e.Kind)
	}
	err = Client(t, cfg).Write(context.Background(), []byte(line(s.sensor("db"), "", "speed=1", base)))
	if e := kind(t, err); e.Kind != store.Denied {
		t.Errorf("writing into a database that is not there: %v (%s), want denied", err, e.Kind)
	}
}

func holdsDenied(t *testing.T, s suite) {
	cfg := s.client.Config()
	cfg.Token = "lamppost:wrong"
	c := Client(t, cfg)
	if e := kind(t, c.Write(context.Background(), []byte(line(s.sensor("tok"), "", "speed=1", base)))); e.Kind != store.Denied {
		t.Errorf("writing with a wrong token: %v (%s)", e, e.Kind)
	}
	_, err := c.Query(context.Background(), `SELECT "speed" FROM "traffic" LIMIT 1`)
	if e := kind(t, err); e.Kind != store.Denied {
		t.Errorf("reading with a wrong token: %v (%s)", e, e.Kind)
	}
}
