package simulate_test

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/lamppost-city/lamppost/firmware-bridge/uplink/uplinktest"
	"github.com/lamppost-city/lamppost/simulate"
	"github.com/lamppost-city/lamppost/simulate/city"
	"github.com/lamppost-city/lamppost/telemetry"
	"github.com/lamppost-city/lamppost/telemetry/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// fast is a run at full speed against an address.
func fast(address string, sensors int, count uint64) simulate.Config {
	cfg := simulate.DefaultConfig()
	cfg.Sensors, cfg.Count, cfg.Rate = sensors, count, 0
	cfg.MQTT.URL, cfg.MQTT.Connections = "mqtt://"+address, 2
	cfg.MQTT.RetryMin, cfg.MQTT.RetryMax = time.Millisecond, 20*time.Millisecond
	cfg.MQTT.AckTimeout = 2 * time.Second
	return cfg
}

// sensorOf is the publisher in a topic.
func sensorOf(t *testing.T, topic string) telemetry.SensorID {
	t.Helper()
	parts := strings.Split(topic, "/")
	if len(parts) != 3 || parts[0] != "city" || parts[2] != "readings" {
		t.Fatalf("topic %q", topic)
	}
	return telemetry.SensorID(parts[1])
}

// decode reads messages as ingest does; the last result are those with faults or without
// a sequence number.
func decode(t *testing.T, all []uplinktest.Message) (readings []telemetry.Reading, seqs map[telemetry.SensorID][]uint64, bad []uplinktest.Message) {
	t.Helper()
	d := wire.NewDecoder(telemetry.DefaultLimits())
	seqs = map[telemetry.SensorID][]uint64{}
	var m telemetry.Message
	for _, one := range all {
		m.Reset()
		id := sensorOf(t, one.Topic)
		d.Decode(&m, []byte(one.Payload), telemetry.Origin{Publisher: id, Received: telemetry.MilliOf(time.Now())})
		if len(m.Faults) > 0 || !m.HasSeq {
			bad = append(bad, one)
		} else {
			seqs[id] = append(seqs[id], m.Seq)
		}
		readings = append(readings, m.Readings...)
	}
	return readings, seqs, bad
}

// Ingest counts a step of up to 2^20 in the numbers of a publisher as so many missing messages.
func TestASecondRunLooksLikeANewStart(t *testing.T) {
	broker := uplinktest.New(t, uplinktest.AckAll)
	var last map[telemetry.SensorID][]uint64
	for run := range 2 {
		if _, err := simulate.Run(t.Context(), fast(broker.Address(), 5, 100), quiet()); err != nil {
			t.Fatal(err)
		}
		_, seqs, _ := decode(t, broker.Seen())
		for id, all := range seqs {
			for i := 1; i < len(all); i++ {
				if step := all[i] - all[i-1]; all[i] > all[i-1] && step != 1 && step <= 1<<20 {
					t.Fatalf("run %d: %s goes from %d to %d", run, id, all[i-1], all[i])
				}
			}
		}
		last = seqs
	}
	if len(last) != 5 {
		t.Errorf("%d sensors sent", len(last))
	}
}

func TestEveryMessageAtFullSpeedHasItsOwnTimeInThePast(t *testing.T) {
	broker := uplinktest.New(t, uplinktest.AckAll)
	started := time.Now()
	report, err := simulate.Run(t.Context(), fast(broker.Address(), 50, 4000), quiet())
	if err != nil {
		t.Fatal(err)
	}
	readings, seqs, bad := decode(t, broker.Seen())
	if len(bad) > 0 {
		t.Fatalf("%d messages cannot be read, such as %q", len(bad), bad[0].Payload)
	}
	if report.Messages != 4000 || report.Readings != uint64(len(readings)) || report.Unacknowledged != 0 {
		t.Errorf("report %+v; the broker got %d readings", report, len(readings))
	}
	type key struct {
		sensor   telemetry.SensorID
		quantity telemetry.QuantityID
		channel  string
		at       telemetry.UnixMilli
	}
	known := map[key]bool{}
	latest := telemetry.UnixMilli(0)
	for _, r := range readings {
		k := key{r.Sensor, r.Quantity, r.Channel, r.Measured}
		if known[k] {
			t.Fatalf("two values for %+v", k)
		}
		known[k] = true
		latest = max(latest, r.Measured)
		if r.Stamped {
			t.Fatalf("%+v has no time", r)
		}
	}
	if now := telemetry.MilliOf(time.Now()); latest > now || latest < telemetry.MilliOf(started.Add(-10*time.Minute)) {
		t.Errorf("the last measured time is %s, want about now", latest.Time())
	}
	for id, all := range seqs {
		for i := range all {
			if i > 0 && all[i] != all[i-1]+1 {
				t.Fatalf("%s: sequence %d after %d", id, all[i], all[i-1])
			}
		}
		if all[0] < uint64(started.UnixMicro()) {
			t.Errorf("%s: the sequence starts at %d", id, all[0])
		}
	}
	if len(seqs) != 50 {
		t.Errorf("%d publishers", len(seqs))
	}
}

// What is on the wire is what the city measured, in each format.
func TestFormatsCarryTheSameReadings(t *testing.T) {
	for _, format := range []simulate.Format{simulate.SenMLJSON, simulate.SenMLCBOR, simulate.PlainJSON, simulate.Mixed} {
		t.Run(string(format), func(t *testing.T) {
			broker := uplinktest.New(t, uplinktest.AckAll)
			cfg := fast(broker.Address(), 40, 400)
			cfg.Format = format
			if _, err := simulate.Run(t.Context(), cfg, quiet()); err != nil {
				t.Fatal(err)
			}
			c, err := city.New(cfg.Seed, cfg.Sensors)
			if err != nil {
				t.Fatal(err)
			}
			index := map[telemetry.SensorID]int{}
			for i, s := range c.Sensors() {
				index[s.ID] = i
			}
			for _, one := range broker.Seen() {
				got, _, bad := decode(t, []uplinktest.Message{one})
				if len(bad) > 0 || len(got) == 0 {
					t.Fatalf("cannot read %q", one.Payload)
				}
				want := c.Readings(nil, index[got[0].Sensor], got[0].Measured)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Fatalf("%s:\n%s", one.Payload, diff)
				}
			}
		})
	}
}

func TestRecordHoldsWhatWasAcknowledgedAndNothingElse(t *testing.T) {
	broker := uplinktest.New(t, func(nth int) uplinktest.Verdict {
		switch {
		case nth%97 == 0:
			return uplinktest.Drop
		case nth%31 == 0:
			return uplinktest.Silence
		}
		return uplinktest.Ack
	})
	cfg := fast(broker.Address(), 30, 2000)
	cfg.Record = filepath.Join(t.TempDir(), "acknowledged.csv")
	cfg.MQTT.AckTimeout = 200 * time.Millisecond
	report, err := simulate.Run(t.Context(), cfg, quiet())
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(cfg.Record)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil || strings.Join(rows[0], ",") != "sensor,quantity,channel,time_ms,value" {
		t.Fatalf("%v, header %v", err, rows[0])
	}
	recorded := map[string]string{}
	for _, row := range rows[1:] {
		recorded[strings.Join(row[:4], ",")] = row[4]
	}
	if uint64(len(rows)-1) != report.Readings || len(recorded) != len(rows)-1 || report.Resent == 0 {
		t.Errorf("%d rows, %d of them different; report %+v", len(rows)-1, len(recorded), report)
	}
	answered := broker.Answered()
	var confirmed []uplinktest.Message
	for _, m := range broker.Seen() {
		if answered[m.Payload] > 0 {
			confirmed = append(confirmed, m)
			answered[m.Payload] = 0 // a message that came twice is one
		}
	}
	readings, _, _ := decode(t, confirmed)
	for _, r := range readings {
		key := fmt.Sprintf("%s,%s,%s,%d", r.Sensor, r.Quantity, r.Channel, r.Measured)
		value, err := strconv.ParseFloat(recorded[key], 64)
		if err != nil || value != r.Value {
			t.Fatalf("%s was acknowledged with %g; the record says %q", key, r.Value, recorded[key])
		}
		delete(recorded, key)
	}
	if len(recorded) > 0 {
		t.Errorf("%d rows are recorded that were not acknowledged", len(recorded))
	}
}

func TestRateStretchesTheCadence(t *testing.T) {
	broker := uplinktest.New(t, uplinktest.AckAll)
	cfg := fast(broker.Address(), 60, 0)
	cfg.Rate, cfg.For = 400, 1500*time.Millisecond
	begin := time.Now()
	report, err := simulate.Run(t.Context(), cfg, quiet())
	if err != nil {
		t.Fatal(err)
	}
	if report.Messages < 450 || report.Messages > 700 {
		t.Errorf("%d messages in 1.5 s at 400 a second", report.Messages)
	}
	readings, _, _ := decode(t, broker.Seen())
	for _, r := range readings {
		if at := r.Measured.Time(); at.Before(begin.Add(-time.Second)) || at.After(time.Now()) {
			t.Fatalf("measured at %s, now is %s", at, time.Now())
		}
	}
}

// A run that is stopped from outside ends well, and says what is missing.
func TestStopEndsARunAndNamesWhatIsUnacknowledged(t *testing.T) {
	broker := uplinktest.New(t, func(nth int) uplinktest.Verdict {
		if nth > 100 {
			return uplinktest.Silence
		}
		return uplinktest.Ack
	})
	cfg := fast(broker.Address(), 20, 0)
	cfg.Grace, cfg.MQTT.AckTimeout = 50*time.Millisecond, time.Minute
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for len(broker.Seen()) < 300 {
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	report, err := simulate.Run(ctx, cfg, quiet())
	if !errors.Is(err, context.DeadlineExceeded) || report.Messages != 100 || report.Unacknowledged < 200 {
		t.Errorf("Run() = %+v, %v", report, err)
	}
}

func TestConfigNamesEveryFault(t *testing.T) {
	cfg := simulate.Config{Sensors: -1, Rate: -3, For: -1, Sins: "sloth", Format: "xml", Root: "a/b", Grace: -1}
	cfg.HTTP.URL = "ftp://nowhere"
	err := cfg.Validate()
	for _, key := range []string{
		"sensors:", "rate:", "for:", "sins:", "sloth", "format:", "root:", "grace:", "import_rows:", "backfill_step:", "mqtt.url:", "mqtt.window:",
		"http.url:", "http.token_file:",
	} {
		if err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("Validate() does not name %s: %v", key, err)
		}
	}
	if err := errors.Join(simulate.DefaultConfig().Validate(), simulate.DemoConfig(300).Validate()); err != nil {
		t.Error(err)
	}
}

// The whole of it against a real broker that is restarted while the simulator runs at full speed.
func TestRealBrokerRestartLosesNothing(t *testing.T) {
	m := uplinktest.StartMosquitto(t)
	cfg := fast(m.Address(), 200, 30_000)
	cfg.Record = filepath.Join(t.TempDir(), "acknowledged.csv")
	ended := make(chan struct{})
	var report simulate.Report
	var err error
	go func() {
		defer close(ended)
		report, err = simulate.Run(t.Context(), cfg, quiet())
	}()
	for _, size := range []int64{1 << 20, 3 << 20} { // the record grows with what is acknowledged
		uplinktest.Eventually(t, "the record has grown", func() bool {
			info, err := os.Stat(cfg.Record)
			return err == nil && info.Size() > size
		})
		m.Restart()
	}
	<-ended
	if err != nil || report.Messages != 30_000 || report.Unacknowledged != 0 || report.Resent == 0 {
		t.Fatalf("%+v, %v", report, err)
	}
	text, readErr := os.ReadFile(cfg.Record)
	if readErr != nil {
		t.Fatal(readErr)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")[1:]
	slices.Sort(lines)
	if distinct := len(slices.Compact(slices.Clone(lines))); uint64(len(lines)) != report.Readings || distinct != len(lines) {
		t.Errorf("%d lines, %d of them distinct; report %+v", len(lines), distinct, report)
	}
	t.Log(report)
}

func BenchmarkRun(b *testing.B) {
	m := uplinktest.StartMosquitto(b)
	for b.Loop() {
		cfg := fast(m.Address(), 1000, 100_000)
		cfg.MQTT.Connections = 4
		report, err := simulate.Run(context.Background(), cfg, quiet())
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(report.Messages)/report.Took.Seconds(), "messages/s")
	}
}
