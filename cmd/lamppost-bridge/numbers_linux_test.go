package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/eclipse/paho.mqtt.golang/packets"

	"github.com/lamppost-city/lamppost/firmware-bridge/clock"
	"github.com/lamppost-city/lamppost/firmware-bridge/outbox"
	"github.com/lamppost-city/lamppost/firmware-bridge/uplink"
	"github.com/lamppost-city/lamppost/firmware-bridge/uplink/uplinktest"
	"github.com/lamppost-city/lamppost/internal/endtoend"
	"github.com/lamppost-city/lamppost/telemetry"
	"github.com/lamppost-city/lamppost/telemetry/senml"
)

// What a bridge with 50 sensors at 1 Hz may take.
const (
	sensorsOfABoard = 50
	mostResident    = 25 << 20 // bytes
	mostProcessor   = 0.02     // of one core
	leastDrained    = 50_000   // readings a second
	slowestPuback   = 200 * time.Millisecond
)

// full says whether the long forms are to be run; their figures stand in docs/bridge.md.
func full() bool { return os.Getenv("LAMPPOST_TEST_FULL") != "" }

// delivered builds the program as `make bridge` does: stripped, and without what `go test -race` adds.
func delivered(t *testing.T) endtoend.Program {
	t.Helper()
	kind := runtime.GOARCH
	if kind == "arm" {
		kind = "armv6"
	}
	if !slices.ContainsFunc(boards(), func(b board) bool { return b.kind == kind }) {
		t.Skipf("nothing is delivered for %s", kind)
	}
	folder := t.TempDir()
	build := exec.CommandContext(t.Context(), filepath.Join("..", "..", "scripts", "bridge.sh"), "--programs", folder, kind)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return endtoend.Program{Path: filepath.Join(folder, "lamppost-bridge-"+kind)}
}

// use is what a process takes, by the kernel's word.
type use struct {
	resident, peak int64 // bytes
	processor      time.Duration
}

func useOf(t *testing.T, pid int) use {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	var u use
	for line := range strings.Lines(string(status)) {
		for name, to := range map[string]*int64{"VmRSS:": &u.resident, "VmHWM:": &u.peak} {
			if rest, ok := strings.CutPrefix(line, name); ok {
				kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
				if err != nil {
					t.Fatal(err)
				}
				*to = kib << 10
			}
		}
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	// Fields 14 and 15 of proc_pid_stat(5), in ticks of 10 ms; the name, field 2, may have blanks.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	for _, field := range fields[11:13] {
		ticks, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		u.processor += time.Duration(ticks) * 10 * time.Millisecond
	}
	return u
}

// forgetPeak begins the peak of a process anew; proc_pid_clear_refs(5).
func forgetPeak(t *testing.T, pid int) {
	t.Helper()
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0); err != nil {
		t.Fatal(err)
	}
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }

// Memory and processor of 50 sensors at 1 Hz, and the way of their readings from Read to PUBACK.
func TestFiftySensorsASecondAreLittleWork(t *testing.T) {
	program := delivered(t)
	gate := newGate(t, uplinktest.StartMosquitto(t).Address())
	dir := t.TempDir()
	settings := filepath.Join(dir, "sensors.yaml")
	if err := os.WriteFile(settings, []byte(thermometers(sensorsOfABoard, time.Second)), 0o600); err != nil {
		t.Fatal(err)
	}
	b := program.Start(t, "run", "--simulate", "--publisher", me, "--settings", settings, "--data", filepath.Join(dir, "data"), "--mqtt", "mqtt://"+gate.address)
	pause(5 * time.Second) // the start is another matter
	lasts := 10 * time.Second
	if full() {
		lasts = 5 * time.Minute
	}
	gate.take()
	before, began := useOf(t, b.PID()), time.Now()
	pause(lasts)
	after, ways := useOf(t, b.PID()), gate.take()
	took := time.Since(began)
	if end := b.Stop(15 * time.Second); end.Code != 0 {
		t.Errorf("the bridge ended with code %d", end.Code)
	}
	if expected := int(sensorsOfABoard * took.Seconds()); len(ways) < expected*9/10 {
		t.Fatalf("%d readings were acknowledged in %s, want about %d", len(ways), took, expected)
	}
	processor := (after.processor - before.processor).Seconds() / took.Seconds()
	slices.SortFunc(ways, func(a, b way) int { return int(a.beyond() - b.beyond()) })
	p50, p99 := ways[len(ways)/2].beyond(), ways[len(ways)*99/100].beyond()
	t.Logf("%s: peak %s resident, %.2f %% of a core; %d readings from Read to PUBACK beyond the batch's age: p50 %s, p99 %s, longest %s",
		took.Round(time.Second), megabytes(after.peak), 100*processor, len(ways), p50, p99, ways[len(ways)-1].beyond())
	if after.peak > mostResident {
		t.Errorf("%s resident, at most %s are allowed", megabytes(after.peak), megabytes(mostResident))
	}
	if processor > mostProcessor {
		t.Errorf("%.2f %% of a core, at most %.2f %% are allowed", 100*processor, 100*mostProcessor)
	}
	if p99 > slowestPuback {
		t.Errorf("p99 from Read to PUBACK is %s beyond the batch's age, at most %s are allowed", p99, slowestPuback)
	}
}

// way is a reading's way from Read to PUBACK.
type way struct {
	took time.Duration
	// age is how long it waited for company, of whose messages the oldest waits outbox.Config.MaxDelay.
	age time.Duration
}

func (w way) beyond() time.Duration { return w.took - w.age }

// gate stands between a bridge and its broker, and notes when what was acknowledged.
type gate struct {
	address string
	broker  string

	mu   sync.Mutex
	ways []way
}

func newGate(t *testing.T, broker string) *gate {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{address: l.Addr().String(), broker: broker}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				if err := g.pass(c); err != nil {
					t.Error(err)
				}
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		all.Wait()
	})
	return g
}

// take returns the ways since it was called last.
func (g *gate) take() []way {
	g.mu.Lock()
	defer g.mu.Unlock()
	ways := g.ways
	g.ways = nil
	return ways
}

// pass hands packets on both ways until either end has gone.
func (g *gate) pass(bridge net.Conn) error {
	defer bridge.Close()
	broker, err := net.Dial("tcp", g.broker)
	if err != nil {
		return err
	}
	defer broker.Close()
	var mu sync.Mutex
	sent := make(map[uint16][]byte)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer bridge.Close()
		for {
			p, err := packets.ReadPacket(broker)
			if err != nil {
				return
			}
			if ack, ok := p.(*packets.PubackPacket); ok {
				mu.Lock()
				g.acknowledged(sent[ack.MessageID], time.Now())
				mu.Unlock()
			}
			if p.Write(bridge) != nil {
				return
			}
		}
	}()
	for {
		p, err := packets.ReadPacket(bridge)
		if err != nil {
			break
		}
		if publish, ok := p.(*packets.PublishPacket); ok && strings.HasSuffix(publish.TopicName, "/readings") {
			mu.Lock()
			sent[publish.MessageID] = publish.Payload
			mu.Unlock()
		}
		if p.Write(broker) != nil {
			break
		}
	}
	broker.Close()
	<-ended
	return nil
}

// acknowledged notes the ways of a message's readings. The bridge stamps them by this machine's clock. A message that is not
// full was made MaxDelay after its first reading.
func (g *gate) acknowledged(payload []byte, at time.Time) {
	var m telemetry.Message
	senml.NewDecoder(telemetry.DefaultLimits()).DecodeCBOR(&m, payload, telemetry.Origin{Publisher: me, Received: telemetry.MilliOf(at)})
	if len(m.Readings) == 0 {
		return
	}
	cfg := outbox.DefaultConfig()
	first, last := m.Readings[0].Measured, m.Readings[len(m.Readings)-1].Measured
	made := first.Time().Add(cfg.MaxDelay)
	if len(m.Readings) >= cfg.MaxReadings {
		made = last.Time()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, r := range m.Readings {
		g.ways = append(g.ways, way{took: at.Sub(r.Measured.Time()), age: made.Sub(r.Measured.Time())})
	}
}

// A link that was away for a day: what 50 sensors have read meanwhile goes up quickly, in order, and in little memory, while
// they are read on.
func TestADaysBacklogGoesUpInOrderAndInLittleMemory(t *testing.T) {
	seconds := 6000
	if full() {
		seconds = 24 * 60 * 60
	}
	program := delivered(t)
	dir := t.TempDir()
	data, settings := filepath.Join(dir, "data"), filepath.Join(dir, "sensors.yaml")
	if err := os.WriteFile(settings, []byte(thermometers(sensorsOfABoard, time.Second)), 0o600); err != nil {
		t.Fatal(err)
	}
	waits := fill(t, data, seconds)
	broker := uplinktest.StartMosquitto(t)
	broker.Kill()
	b := program.Start(t, "run", "--simulate", "--publisher", me, "--settings", settings, "--data", data, "--mqtt", "mqtt://"+broker.Address())
	pause(10 * time.Second)
	before := useOf(t, b.PID())

	tell(t, b, syscall.SIGSTOP) // or it is there before the listener
	broker.RestartWith("allow_anonymous true\nmax_inflight_messages 0\nmax_queued_messages 0\n")
	arrivals := listenFor(t, broker.Address(), waits)
	forgetPeak(t, b.PID())
	tell(t, b, syscall.SIGCONT)
	select {
	case <-arrivals.all:
	case <-time.After(3 * time.Minute):
	}
	after := useOf(t, b.PID())
	arrivals.mu.Lock()
	defer arrivals.mu.Unlock()
	if len(arrivals.wrong) > 0 || arrivals.next <= waits.last {
		t.Fatalf("%d messages of %d came, the first faults are %v", arrivals.next-waits.first, waits.last-waits.first+1, arrivals.wrong)
	}
	rate := float64(arrivals.readings) / arrivals.end.Sub(arrivals.begin).Seconds()
	t.Logf("%d readings, %s on the disk, in %s: %.0f a second, in order, %d came again; %d newer messages went between; resident %s before, peak %s",
		arrivals.readings, megabytes(waits.bytes), arrivals.end.Sub(arrivals.begin).Round(time.Millisecond), rate, arrivals.again, arrivals.newer, megabytes(before.resident), megabytes(after.peak))
	if arrivals.readings != seconds*sensorsOfABoard {
		t.Errorf("%d readings came, want %d", arrivals.readings, seconds*sensorsOfABoard)
	}
	if rate < leastDrained {
		t.Errorf("%.0f readings a second, want at least %d", rate, leastDrained)
	}
	if after.peak > 2*before.resident || after.peak > mostResident {
		t.Errorf("peak %s, want no more than twice %s, and %s", megabytes(after.peak), megabytes(before.resident), megabytes(mostResident))
	}
}

func tell(t *testing.T, p *endtoend.Process, s syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(p.PID(), s); err != nil {
		t.Fatal(err)
	}
}

// backlog is what waits in an outbox: messages of these numbers, of which the nth was read n seconds after from.
type backlog struct {
	first, last uint64
	from        time.Time
	bytes       int64
}

// fill leaves an outbox behind as a bridge does whose 50 sensors were read for so many seconds, and whose link was away.
func fill(t *testing.T, data string, seconds int) backlog {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	trusting := clock.DefaultConfig()
	trusting.TrustSystem = clock.TrustAlways
	c, err := clock.Open(trusting, filepath.Join(data, "clock"), quiet)
	if err != nil {
		t.Fatal(err)
	}
	cfg := outbox.DefaultConfig()
	cfg.MaxReadings = sensorsOfABoard // what comes in a second, which is MaxDelay
	o, err := outbox.Open(t.Context(), cfg, filepath.Join(data, "outbox"), outbox.Deps{Publisher: me, Root: "city", Clock: c, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	b := backlog{from: time.Now().Add(-time.Duration(seconds) * time.Second).Truncate(time.Second)}
	readings := make([]outbox.Reading, sensorsOfABoard)
	ended := make(chan error, 1)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go func() { ended <- o.Run(ctx, away{}) }()
	for n := range seconds {
		for i := range readings {
			readings[i] = outbox.Reading{
				Sensor: telemetry.SensorID("air-" + strconv.Itoa(i)), Quantity: "temperature", Value: 20 + float64((n+i)%160)/16,
				Date: b.from.Add(time.Duration(n)*time.Second + time.Duration(i)*19*time.Millisecond),
			}
		}
		o.Put(readings)
		if n == 0 {
			b.first = o.Status().Seq
		}
		for o.Status().MemoryBytes > cfg.MemoryBytes/4 {
			pause(time.Millisecond)
		}
	}
	for o.Status().MemoryReadings > 0 {
		pause(time.Millisecond)
	}
	s := o.Status()
	b.last, b.bytes = s.Seq, s.DiskBytes
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if int(s.WaitingReadings) != seconds*sensorsOfABoard || len(s.Dropped) > 0 {
		t.Fatalf("the outbox is %+v", s)
	}
	return b
}

// away is a broker that never answers.
type away struct{}

func (away) Publish(ctx context.Context, _ uplink.Message) error {
	<-ctx.Done()
	return ctx.Err()
}

// arrivals is what a listener at the broker has had of a backlog.
type arrivals struct {
	all chan struct{} // closed when the last has come

	mu           sync.Mutex
	next         uint64 // number
	readings     int
	again, newer int // messages
	begin, end   time.Time
	wrong        []error
}

func listenFor(t *testing.T, broker string, waits backlog) *arrivals {
	t.Helper()
	a := &arrivals{all: make(chan struct{}), next: waits.first}
	decoder := senml.NewDecoder(telemetry.DefaultLimits())
	var m telemetry.Message
	note := func(_ mqtt.Client, got mqtt.Message) { // called for one message after the other
		a.mu.Lock()
		defer a.mu.Unlock()
		m.Reset()
		decoder.DecodeCBOR(&m, got.Payload(), telemetry.Origin{Publisher: me, Received: telemetry.MilliOf(time.Now())})
		if err := a.note(&m, waits); err != nil && len(a.wrong) < 5 {
			a.wrong = append(a.wrong, err)
		}
	}
	o := mqtt.NewClientOptions().AddBroker("tcp://" + broker).SetClientID("listener").SetAutoReconnect(false).SetDefaultPublishHandler(note)
	k := mqtt.NewClient(o)
	if token := k.Connect(); token.Wait() && token.Error() != nil {
		t.Fatal(token.Error())
	}
	t.Cleanup(func() { k.Disconnect(100) })
	if token := k.Subscribe("city/"+me+"/readings", 1, nil); token.Wait() && token.Error() != nil {
		t.Fatal(token.Error())
	}
	return a
}

// note takes a message. Those of the backlog have to come in the order of their numbers and dates.
func (a *arrivals) note(m *telemetry.Message, waits backlog) error {
	switch {
	case len(m.Faults) > 0:
		return fmt.Errorf("message %d: %s", m.Seq, m.Faults[0].Detail)
	case !m.HasSeq:
		return errors.New("a message without a number")
	case m.Seq > waits.last:
		a.newer++
		return nil
	case m.Seq < a.next:
		a.again++
		return nil
	case m.Seq > a.next:
		return fmt.Errorf("message %d came where %d was due", m.Seq, a.next)
	}
	if a.begin.IsZero() {
		a.begin = time.Now()
	}
	due := waits.from.Add(time.Duration(m.Seq-waits.first) * time.Second)
	for i, r := range m.Readings {
		if want := telemetry.SensorID("air-" + strconv.Itoa(i)); r.Sensor != want || r.Measured.Time().Sub(due) != time.Duration(i)*19*time.Millisecond {
			return fmt.Errorf("message %d has %+v as its reading %d", m.Seq, r, i)
		}
	}
	a.next++
	a.readings += len(m.Readings)
	if m.Seq == waits.last {
		a.end = time.Now()
		close(a.all)
	}
	return nil
}
