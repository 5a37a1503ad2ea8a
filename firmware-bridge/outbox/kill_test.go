package outbox_test

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/lamppost-city/lamppost/firmware-bridge/clock"
	"github.com/lamppost-city/lamppost/firmware-bridge/outbox"
	"github.com/lamppost-city/lamppost/firmware-bridge/uplink"
	"github.com/lamppost-city/lamppost/firmware-bridge/uplink/uplinktest"
)

// childEnv makes the test binary a bridge: folder, broker, newest share, first number and how many to put at most.
const childEnv = "LAMPPOST_OUTBOX_CHILD"

// batch is how many readings the child puts at a time.
const batch = 30

// child puts numbered readings until it is killed, or has put enough and all are delivered. It prints the number up to
// which all are on the disk.
func child() int {
	var dir, broker string
	var share float64
	var from, most int
	if _, err := fmt.Sscan(os.Getenv(childEnv), &dir, &broker, &share, &from, &most); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if err := beBridge(dir, broker, share, from, most); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func beBridge(dir, broker string, share float64, from, most int) error {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	trusting := clock.DefaultConfig()
	trusting.TrustSystem = clock.TrustAlways
	c, err := clock.Open(trusting, filepath.Join(dir, "clock"), log)
	if err != nil {
		return err
	}
	cfg := outbox.DefaultConfig()
	cfg.MaxReadings, cfg.MaxDelay, cfg.CommitEvery, cfg.NewestShare = 10, 5*time.Millisecond, 50*time.Millisecond, share
	cfg.Spool.SyncInterval = 20 * time.Millisecond
	cfg.Spool.SegmentBytes, cfg.Spool.MaxFrameBytes, cfg.Spool.GroupBytes = 32<<10, 32<<10, 32<<10
	o, err := outbox.Open(context.Background(), cfg, filepath.Join(dir, "outbox"), outbox.Deps{Publisher: publisher, Root: "city", Clock: c, Log: log})
	if err != nil {
		return err
	}
	line := uplink.DefaultConfig()
	line.URL, line.ClientID, line.Connections, line.RetryMin, line.RetryMax = "mqtt://"+broker, string(publisher), 1, time.Millisecond, 20*time.Millisecond
	up, err := uplink.NewSession(line, uplink.Session{}, log)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	all.Go(func() { _ = up.Run(ctx) })
	all.Go(func() { _ = c.Run(ctx) })
	ended := make(chan error, 1)
	go func() { ended <- o.Run(ctx, up) }()
	for n := 0; n < most; n += batch {
		for i := range batch {
			o.Put([]outbox.Reading{reading(from + n + i)})
		}
		for o.Status().MemoryReadings > 0 {
			time.Sleep(100 * time.Microsecond)
		}
		fmt.Println(from + n + batch)
	}
	for o.Status().WaitingReadings > 0 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	all.Wait()
	return <-ended
}

// bridge is a child at work.
type bridge struct {
	cmd     *exec.Cmd
	durable chan int // closed when the child has ended
}

func startBridge(t *testing.T, dir, broker string, share float64, from, most int) *bridge {
	t.Helper()
	b := &bridge{cmd: exec.CommandContext(t.Context(), os.Args[0]), durable: make(chan int, 1<<16)}
	b.cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %s %g %d %d", childEnv, dir, broker, share, from, most))
	b.cmd.Stderr = &logTail{}
	out, err := b.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := b.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(b.durable)
		for s := bufio.NewScanner(out); s.Scan(); {
			if n, err := strconv.Atoi(s.Text()); err == nil {
				b.durable <- n
			}
		}
	}()
	return b
}

// kill ends it as power does, save for the kernel, and returns up to where its readings are on the disk.
func (b *bridge) kill(from int) (durable int) {
	_ = b.cmd.Process.Kill()
	durable = b.rest(from)
	_ = b.cmd.Wait()
	return durable
}

func (b *bridge) rest(from int) int {
	for n := range b.durable {
		from = n
	}
	return from
}

// logTail keeps the newest that a child has said.
type logTail struct {
	mu   sync.Mutex
	text []byte
}

func (l *logTail) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, p...)
	l.text = l.text[max(0, len(l.text)-4000):]
	return len(p), nil
}

// A bridge is killed again and again while it puts and publishes, and its broker is restarted. Every reading that was on
// the disk arrives; the oldest come first; and the numbers of the messages have no gap.
func TestKilledBridgeLosesNothingThatWasOnTheDisk(t *testing.T) {
	for _, share := range []float64{0, 0.25} {
		t.Run(fmt.Sprintf("newest share %g", share), func(t *testing.T) { killed(t, share) })
	}
}

func killed(t *testing.T, share float64) {
	m := uplinktest.StartMosquitto(t)
	got := listen(t, m.Address())
	dir := t.TempDir()
	kills := 8
	if os.Getenv("LAMPPOST_TEST_FULL") != "" {
		kills = 100
	}
	var durable [][2]int
	next := 0
	for k := range kills {
		b := startBridge(t, dir, m.Address(), share, next, 1<<30)
		time.Sleep(time.Duration(50+rand.IntN(200)) * time.Millisecond)
		if k%3 == 1 {
			m.Restart()
		}
		to := b.kill(next)
		durable = append(durable, [2]int{next, to})
		next = to + 10*batch // what was put and not said to be on the disk may be there or not
	}
	b := startBridge(t, dir, m.Address(), share, next, 10*batch)
	to := b.rest(next)
	if err := b.cmd.Wait(); err != nil {
		t.Fatalf("%v: %s", err, b.cmd.Stderr.(*logTail).text)
	}
	durable = append(durable, [2]int{next, to})

	want := 0
	for _, d := range durable {
		want += d[1] - d[0]
	}
	uplinktest.Eventually(t, "all that was on the disk has arrived", func() bool { return got.missing(durable) == 0 })
	got.check(t, share)
	t.Logf("%d kills, %d readings on the disk; %d readings came, %d of them again; %d messages", kills, want, got.readings, got.again, len(got.seqs))
}

// received is what a subscriber has had.
type received struct {
	mu              sync.Mutex
	seen            map[int]bool
	order           []int // of first arrivals
	seqs            map[uint64]bool
	readings, again int
}

func listen(t *testing.T, address string) *received {
	t.Helper()
	r := &received{seen: map[int]bool{}, seqs: map[uint64]bool{}}
	o := mqtt.NewClientOptions().AddBroker("tcp://" + address).SetClientID("listener").SetCleanSession(false).
		SetAutoReconnect(true).SetMaxReconnectInterval(20 * time.Millisecond).SetConnectRetryInterval(20 * time.Millisecond).
		SetDefaultPublishHandler(func(_ mqtt.Client, m mqtt.Message) { r.note(decode(t, m.Topic(), m.Payload())) })
	c := mqtt.NewClient(o)
	if token := c.Connect(); token.Wait() && token.Error() != nil {
		t.Fatal(token.Error())
	}
	t.Cleanup(func() { c.Disconnect(100) })
	if token := c.Subscribe("city/+/readings", 1, nil); token.Wait() && token.Error() != nil {
		t.Fatal(token.Error())
	}
	return r
}

func (r *received) note(d decoded) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seqs[d.seq] = true
	for _, one := range d.readings {
		r.readings++
		n := int(one.Value)
		if r.seen[n] {
			r.again++
			continue
		}
		r.seen[n] = true
		r.order = append(r.order, n)
	}
}

func (r *received) missing(ranges [][2]int) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, a := range ranges {
		for i := a[0]; i < a[1]; i++ {
			if !r.seen[i] {
				n++
			}
		}
	}
	return n
}

func (r *received) check(t *testing.T, share float64) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if share == 0 && !slices.IsSorted(r.order) {
		for i := 1; i < len(r.order); i++ {
			if r.order[i] < r.order[i-1] {
				t.Errorf("reading %d came after %d", r.order[i], r.order[i-1])
				break
			}
		}
	}
	var numbers []uint64
	for seq := range r.seqs {
		numbers = append(numbers, seq)
	}
	slices.Sort(numbers)
	var gaps []string
	for i := 1; i < len(numbers); i++ {
		if numbers[i] != numbers[i-1]+1 {
			gaps = append(gaps, fmt.Sprintf("%d to %d", numbers[i-1], numbers[i]))
		}
	}
	if len(gaps) > 0 {
		t.Errorf("gaps in the numbers: %s", strings.Join(gaps, ", "))
	}
}
