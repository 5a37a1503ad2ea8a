package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/lamppost-city/lamppost/firmware-bridge/clock"
	"github.com/lamppost-city/lamppost/firmware-bridge/outbox"
	"github.com/lamppost-city/lamppost/firmware-bridge/uplink"
	"github.com/lamppost-city/lamppost/telemetry"
	"github.com/lamppost-city/lamppost/telemetry/senml"
)

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		os.Exit(child())
	}
	goleak.VerifyTestMain(m)
}

const publisher telemetry.SensorID = "kerb-1"

// board is a machine that was switched on at truth and does not know it.
type board struct {
	on    time.Time // by the test's own clock
	truth time.Time
	boot  clock.Boot
}

var noon = time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)

func newBoard(n byte, truth time.Time) *board {
	return &board{on: time.Now(), truth: truth, boot: clock.Boot{15: n}}
}

func (b *board) now() clock.Instant { return clock.Instant(time.Since(b.on)) }

// date is the true one at an instant.
func (b *board) date(at clock.Instant) time.Time { return b.truth.Add(time.Duration(at)) }

// clock opens the machine's clock in dir; it runs until the test ends, or stop is called.
func (b *board) clock(t testing.TB, dir string) (c *clock.Clock, stop func()) {
	t.Helper()
	machine := clock.Machine{
		Boot: func() clock.Boot { return b.boot }, Now: b.now, Date: func() time.Time { return time.Unix(0, 0) },
		Synchronised: func() (time.Duration, bool) { return 0, false }, Built: noon.AddDate(-1, 0, 0),
	}
	c, err := clock.OpenOn(clock.DefaultConfig(), filepath.Join(dir, "clock"), machine, quiet())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = c.Run(ctx)
	}()
	stop = sync.OnceFunc(func() { cancel(); <-ended })
	t.Cleanup(stop)
	return c, stop
}

// tell lets the clock know what time it is.
func (b *board) tell(c *clock.Clock) { c.Tell(b.date(b.now()), b.now(), time.Millisecond) }

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// config is quick and small.
func config() outbox.Config {
	cfg := outbox.DefaultConfig()
	cfg.MaxReadings, cfg.InFlight = 10, 8
	cfg.Spool.DiskRetry = 20 * time.Millisecond
	return cfg
}

// line is an uplink that acknowledges what release lets through, at once unless it is told otherwise.
type line struct {
	mu       sync.Mutex
	messages []uplink.Message // in the order of Publish
	waiting  []uplink.Message // not acknowledged
	open     bool
	changed  chan struct{} // capacity 1
}

func newLine(open bool) *line { return &line{open: open, changed: make(chan struct{}, 1)} }

func (l *line) Publish(ctx context.Context, m uplink.Message) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	l.mu.Lock()
	l.messages = append(l.messages, m)
	open := l.open
	if !open {
		l.waiting = append(l.waiting, m)
	}
	l.mu.Unlock()
	if open {
		m.Done(m)
	}
	return nil
}

// acknowledge lets the nth of those that wait through.
func (l *line) acknowledge(n int) bool {
	l.mu.Lock()
	if n >= len(l.waiting) {
		l.mu.Unlock()
		return false
	}
	m := l.waiting[n]
	l.waiting = slices.Delete(l.waiting, n, n+1)
	l.mu.Unlock()
	m.Done(m)
	return true
}

// release acknowledges everything from now on.
func (l *line) release() {
	l.mu.Lock()
	l.open = true
	l.mu.Unlock()
	for l.acknowledge(0) {
	}
}

func (l *line) sent() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.messages)
}

// decoded is a message as ingest sees it.
type decoded struct {
	topic    string
	seq      uint64
	readings []telemetry.Reading
}

func (l *line) decoded(t testing.TB) []decoded {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make([]decoded, len(l.messages))
	for i, m := range l.messages {
		all[i] = decode(t, m.Topic, m.Payload)
		if m.Readings != len(all[i].readings) {
			t.Errorf("message %d is said to have %d readings and has %d", i, m.Readings, len(all[i].readings))
		}
	}
	return all
}

func decode(t testing.TB, topic string, payload []byte) decoded {
	t.Helper()
	var m telemetry.Message
	senml.NewDecoder(telemetry.DefaultLimits()).DecodeCBOR(&m, payload, telemetry.Origin{Publisher: publisher, Received: telemetry.MilliOf(time.Unix(1, 0))})
	if len(m.Faults) > 0 || !m.HasSeq {
		t.Fatalf("payload %x: %+v", payload, m)
	}
	for _, r := range m.Readings {
		if r.Stamped || r.Measured.Time().Year() < 2020 {
			t.Errorf("a reading of %s was sent: %+v", r.Measured.Time(), r)
		}
	}
	return decoded{topic, m.Seq, m.Readings}
}

// numbers are the values, in order: the tests number their readings.
func numbers(all []decoded) (values []int) {
	for _, d := range all {
		for _, r := range d.readings {
			values = append(values, int(r.Value))
		}
	}
	return values
}

func seqs(all []decoded) (numbers []uint64) {
	for _, d := range all {
		numbers = append(numbers, d.seq)
	}
	return numbers
}

// upTo returns from, from+1 ... to-1.
func upTo(from, to int) (all []int) {
	for i := from; i < to; i++ {
		all = append(all, i)
	}
	return all
}

// rig is an outbox at work.
type rig struct {
	*outbox.Outbox
	t     testing.TB
	board *board
	clock *clock.Clock
	line  *line
	stop  func() error
}

// start opens an outbox in dir and runs it.
func start(t testing.TB, cfg outbox.Config, dir string, b *board, l *line) *rig {
	t.Helper()
	c, stopClock := b.clock(t, dir)
	o, err := outbox.Open(t.Context(), cfg, filepath.Join(dir, "outbox"), outbox.Deps{Publisher: publisher, Root: "city", Clock: c, Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- o.Run(ctx, l) }()
	r := &rig{Outbox: o, t: t, board: b, clock: c, line: l}
	r.stop = sync.OnceValue(func() error { cancel(); err := <-ended; stopClock(); return err })
	t.Cleanup(func() { _ = r.stop() })
	return r
}

// ended stops it and fails the test if that has an error.
func (r *rig) ended() {
	r.t.Helper()
	if err := r.stop(); err != nil {
		r.t.Fatal(err)
	}
}

// put puts readings from up to but not including to, one after the other.
func (r *rig) put(from, to int) {
	for i := from; i < to; i++ {
		r.Put([]outbox.Reading{reading(i)})
	}
}

func reading(i int) outbox.Reading {
	return outbox.Reading{Sensor: telemetry.SensorID(fmt.Sprintf("box-%d", i%50)), Quantity: "temperature", Channel: "top", Value: float64(i)}
}

// eventually waits until holds returns true.
func (r *rig) eventually(what string, holds func(outbox.Status) bool) {
	r.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !holds(r.Status()) {
		if time.Now().After(deadline) {
			r.t.Fatalf("it is still not so that %s: %+v", what, r.Status())
		}
		time.Sleep(time.Millisecond)
	}
}

// delivered waits until nothing waits.
func (r *rig) delivered() {
	r.t.Helper()
	r.eventually("everything is delivered", func(s outbox.Status) bool { return s.WaitingReadings == 0 && s.WaitingMessages == 0 })
}

// stored waits until everything is on the disk.
func (r *rig) stored() {
	r.t.Helper()
	r.eventually("everything is on the disk", func(s outbox.Status) bool { return s.MemoryReadings == 0 })
}

func check[T comparable](t testing.TB, what string, got, want []T) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %d %v, want %d %v", what, len(got), brief(got), len(want), brief(want))
	}
}

func brief[T any](all []T) string {
	if len(all) <= 40 {
		return fmt.Sprint(all)
	}
	return fmt.Sprintf("%v ... %v", all[:20], all[len(all)-20:])
}

// inOrder checks that numbers grow by one, save that one may come again.
func inOrder(t testing.TB, all []uint64) {
	t.Helper()
	for i := 1; i < len(all); i++ {
		if all[i] > all[i-1]+1 {
			t.Errorf("number %d follows %d", all[i], all[i-1])
		}
	}
}

// running runs o; the returned function stops it.
func running(t testing.TB, o *outbox.Outbox, up outbox.Uplink) func() error {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- o.Run(ctx, up) }()
	stop := sync.OnceValue(func() error { cancel(); return <-ended })
	t.Cleanup(func() { _ = stop() })
	return stop
}

// runFor runs o until what it has is on the disk.
func runFor(t testing.TB, o *outbox.Outbox, up outbox.Uplink) {
	t.Helper()
	if err := running(t, o, up)(); err != nil {
		t.Fatal(err)
	}
}

// cursor is what the spool has written down of what the broker has; "" if nothing.
func cursor(t testing.TB, dir string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "outbox", "spool", "broker.cursor"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return string(text)
}
