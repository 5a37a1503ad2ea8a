package write_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/influxdata/line-protocol/v2/lineprotocol"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/lamppost-city/lamppost/ingest/frame"
	"github.com/lamppost-city/lamppost/ingest/ledger"
	"github.com/lamppost-city/lamppost/ingest/write"
	"github.com/lamppost-city/lamppost/spool"
	"github.com/lamppost-city/lamppost/store"
	"github.com/lamppost-city/lamppost/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

// post is one Write that the store was asked for.
type post struct {
	at    time.Time
	lines []string
}

// fake is a store in memory, of which only the answers are made up.
type fake struct {
	mu sync.Mutex
	// answer, if not nil, may refuse a post; n counts them from 0.
	answer func(n int, lines []string) error
	// lookup, if not nil, may refuse a question.
	lookup func(n int) error
	posts  []post
	asked  int
	values map[stands]float64
	active int
	most   int
	// forgets is true where what is posted need not be kept.
	forgets bool
}

// stands is where the fake has a value.
type stands struct {
	sensor, quantity, channel, site, district string
	at                                        int64
}

// answering changes the answer while the writer may be asking.
func (f *fake) answering(answer func(n int, lines []string) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer = answer
}

func (f *fake) Write(ctx context.Context, body []byte) error {
	f.mu.Lock()
	n := len(f.posts)
	lines := strings.Split(strings.TrimSuffix(string(body), "\n"), "\n")
	if f.forgets {
		lines = nil
	}
	f.posts = append(f.posts, post{time.Now(), lines})
	f.active++
	f.most = max(f.most, f.active)
	answer := f.answer
	f.mu.Unlock()
	var err error
	if answer != nil {
		err = answer(n, lines)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.active--
	if err == nil {
		err = ctx.Err()
	}
	if err == nil && !isProbe(lines) {
		for _, line := range lines {
			f.keep(line)
		}
	}
	return err
}

// isProbe tells whether lines are those that only ask whether anything is taken.
func isProbe(lines []string) bool {
	return len(lines) == 1 && strings.HasPrefix(lines[0], "lamppost_probe ")
}

func (f *fake) keep(line string) {
	if f.values == nil {
		f.values = make(map[stands]float64)
	}
	d := lineprotocol.NewDecoderWithBytes([]byte(line + "\n"))
	d.Next()
	_, _ = d.Measurement()
	tags, fields := make(map[string]string), make(map[string]float64)
	for key, value, err := d.NextTag(); key != nil && err == nil; key, value, err = d.NextTag() {
		tags[string(key)] = string(value)
	}
	for key, value, err := d.NextField(); key != nil && err == nil; key, value, err = d.NextField() {
		fields[string(key)] = value.FloatV()
	}
	at, err := d.Time(lineprotocol.Millisecond, time.Time{})
	if err != nil {
		panic(fmt.Sprintf("line %q: %v", line, err))
	}
	for name, value := range fields {
		f.values[stands{tags["sensor"], name, tags["channel"], tags["site"], tags["district"], at.UnixMilli()}] = value
	}
}

func (f *fake) Points(_ context.Context, _ telemetry.Domain, sensor telemetry.SensorID, from, to time.Time, visit func(store.Value) error) error {
	f.mu.Lock()
	f.asked++
	lookup, n := f.lookup, f.asked-1
	var found []store.Value
	for k, v := range f.values {
		if k.sensor == string(sensor) && k.at >= from.UnixMilli() && k.at < to.UnixMilli() {
			found = append(found, store.Value{Quantity: k.quantity, Channel: k.channel, Site: k.site, District: k.district, Time: telemetry.UnixMilli(k.at), Value: v})
		}
	}
	f.mu.Unlock()
	if lookup != nil {
		if err := lookup(n); err != nil {
			return err
		}
	}
	for _, v := range found {
		if err := visit(v); err != nil {
			return err
		}
	}
	return nil
}

func (f *fake) all() []post {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]post(nil), f.posts...)
}

func (f *fake) stored() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.values)
}

// rig is a real spool and ledger with a writer between them and a fake store.
type rig struct {
	t      *testing.T
	spool  *spool.Spool
	ledger *ledger.Ledger
	reader *spool.Reader
	store  *fake
	writer *write.Writer
	stop   func()
	end    spool.Position
}

func config() write.Config {
	cfg := write.DefaultConfig()
	cfg.MinBackoff, cfg.MaxBackoff, cfg.MaxRetryAfter = time.Second, 8*time.Second, time.Minute
	return cfg
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, store: &fake{}, stop: func() {}}
	dir := t.TempDir()
	scfg := spool.DefaultConfig()
	scfg.Readers = []string{"store"}
	var err error
	if r.spool, err = spool.Open(filepath.Join(dir, "spool"), scfg, discard()); err != nil {
		t.Fatal(err)
	}
	lcfg := ledger.DefaultConfig()
	if r.ledger, err = ledger.Open(context.Background(), filepath.Join(dir, "ledger.db"), lcfg, prometheus.NewRegistry(), discard()); err != nil {
		t.Fatal(err)
	}
	if r.reader, err = r.spool.Reader("store"); err != nil {
		t.Fatal(err)
	}
	return r
}

// close must be called inside a synctest bubble, where cleanups come too late.
func (r *rig) close() {
	r.stop()
	if err := errors.Join(r.ledger.Close(), r.spool.Close()); err != nil {
		r.t.Error(err)
	}
}

// inBubble runs a test with a clock of its own.
func inBubble(t *testing.T, test func(t *testing.T, r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.close()
		test(t, r)
	})
}

// run starts a writer where the ledger says that the one before ended.
func (r *rig) run(cfg write.Config) {
	r.t.Helper()
	r.stop()
	if err := r.ledger.Flush(context.Background()); err != nil {
		r.t.Fatal(err)
	}
	_, settled, err := r.ledger.Positions(context.Background())
	if err != nil {
		r.t.Fatal(err)
	}
	r.writer = write.New(cfg, write.Deps{Reader: r.reader, Ledger: r.ledger, Store: r.store, Metrics: prometheus.NewRegistry(), Log: discard()})
	if err := r.writer.Start(settled); err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.writer.Run(ctx)
	}()
	r.stop = sync.OnceFunc(func() {
		cancel()
		<-done
	})
}

// put spools a frame and records it.
func (r *rig) put(f *frame.Frame) {
	r.t.Helper()
	end, err := r.spool.Append(context.Background(), frame.Append(nil, f))
	if err == nil {
		r.end = end
		err = r.ledger.Record(context.Background(), f, end)
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

// settled waits until everything that was put is settled, and returns the city's sums.
func (r *rig) settled() ledger.Totals {
	r.t.Helper()
	deadline := time.Now().Add(10 * time.Minute) // by the bubble's clock, where there is one
	for r.writer.Settled().Before(r.end) {
		if time.Now().After(deadline) {
			r.t.Fatalf("not settled; health: %v; %d posts", r.writer.Health(), len(r.store.all()))
		}
		time.Sleep(10 * time.Millisecond)
	}
	got := r.ledger.City()
	if got.Received != got.Duplicate+got.RejectedSum()+got.Accepted || got.Waiting() != 0 {
		r.t.Errorf("sums do not close: %+v", got)
	}
	if got.Accepted != int64(r.store.stored()) {
		r.t.Errorf("%d accepted, %d in the store", got.Accepted, r.store.stored())
	}
	return got
}

// second is a measured time.
func second(n int) telemetry.UnixMilli { return telemetry.UnixMilli(1_772_366_400_000 + 1000*n) }

func lineOf(sensor string, n int, value float64) string {
	return fmt.Sprintf("traffic,sensor=%s speed=%g %d", sensor, value, second(n))
}

// readings is a frame of one reading of a sensor for each second from first, to excluded.
func readings(sensor string, first, to int) *frame.Frame {
	f := &frame.Frame{Received: telemetry.MilliOf(time.Now())}
	var lines bytes.Buffer
	for n := first; n < to; n++ {
		fmt.Fprintln(&lines, lineOf(sensor, n, float64(n)))
		f.Accepted = append(f.Accepted, 1)
		f.Minutes = append(f.Minutes, frame.Minute{Sensor: telemetry.SensorID(sensor), Minute: ledger.MinuteOf(second(n)), Counts: frame.Counts{Received: 1, Accepted: 1, Reports: 1}})
	}
	f.Lines = lines.Bytes()
	return f
}

// suspected is readings of which only the store can tell.
func suspected(sensor string, first, to int) *frame.Frame {
	f := readings(sensor, first, to)
	for i := range f.Accepted {
		f.Suspects = append(f.Suspects, frame.Suspect{
			Line: i, Domain: telemetry.Traffic, Sensor: telemetry.SensorID(sensor), Quantity: "speed", Measured: second(first + i), Value: float64(first + i),
		})
	}
	return f
}

func kind(k store.Kind) error { return &store.Error{Kind: k, Message: "made up"} }

func newRegistry() *prometheus.Registry { return prometheus.NewRegistry() }
