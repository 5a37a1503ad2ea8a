package broker_test

import (
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// BenchmarkQoS1 publishes 200-byte messages over a number of connections, each with 500 of them under way, and takes
// them with one paho subscriber that acknowledges each. An operation is one message, published, stored, acknowledged,
// delivered, acknowledged and deleted. The broker is a process of its own; its CPU is broker-µs/op.
func BenchmarkQoS1(b *testing.B) {
	for _, sync := range []string{"2m", "1s", "100ms", "always"} {
		for _, publishers := range []int{1, 8} {
			b.Run(fmt.Sprintf("sync=%s/publishers=%d", sync, publishers), func(b *testing.B) { benchQoS1(b, sync, publishers) })
		}
	}
}

func benchQoS1(b *testing.B, sync string, publishers int) {
	p := spawn(b, b.TempDir(), childSync+"="+sync)
	var got atomic.Int64
	o := options(p.addr, "ingest", p.user, p.password).SetCleanSession(false).
		SetDefaultPublishHandler(func(mqtt.Client, mqtt.Message) { got.Add(1) })
	connect(b, o)
	clients := make([]mqtt.Client, publishers)
	for i := range clients {
		clients[i] = connect(b, options(p.addr, fmt.Sprint("cam-", i), "", ""))
	}
	payload := []byte(strings.Repeat("x", 200))
	began, before := time.Now(), cpu(b, p.cmd.Process.Pid)
	b.ResetTimer()
	for i, c := range clients {
		n := b.N / publishers
		if i == 0 {
			n = b.N - n*(publishers-1)
		}
		go func() {
			window := make(chan mqtt.Token, 500)
			go func() {
				for range n {
					window <- c.Publish(fmt.Sprintf("city/cam-%d/readings", i), 1, false, payload)
				}
				close(window)
			}()
			for token := range window {
				token.WaitTimeout(wait)
			}
		}()
	}
	for end := time.Now().Add(5 * time.Minute); got.Load() < int64(b.N); time.Sleep(100 * time.Microsecond) {
		if time.Now().After(end) {
			b.Fatalf("%d of %d arrived", got.Load(), b.N)
		}
	}
	b.ReportMetric(float64(b.N)/time.Since(began).Seconds(), "msgs/s")
	b.ReportMetric((cpu(b, p.cmd.Process.Pid)-before).Seconds()*1e6/float64(b.N), "broker-µs/op")
}

// cpu is the processor time that a process has used, to within a hundredth of a second.
func cpu(b *testing.B, pid int) time.Duration {
	b.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Skip("no /proc: ", err)
	}
	fields := strings.Fields(string(data[strings.LastIndexByte(string(data), ')'):]))
	var user, system int64
	if _, err := fmt.Sscan(fields[12]+" "+fields[13], &user, &system); err != nil {
		b.Fatal(err)
	}
	return time.Duration(user+system) * time.Second / 100
}
