package embedded_test

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lamppost-city/lamppost/store/storetest"
)

// BenchmarkAccept is how many points a second the store takes, in bodies of 5,000, over 10,000 sensors that report every
// ten seconds. The CPU time includes the client and the encoding (about 0.1 µs a point).
func BenchmarkAccept(b *testing.B) {
	const batch = 5000
	for _, fields := range []int{1, 3} {
		for _, level := range []int{0, 1} {
			for _, writers := range []int{1, 2, 4} {
				b.Run(fmt.Sprintf("fields=%d/gzip=%d/writers=%d", fields, level, writers), func(b *testing.B) {
					s, _ := storetest.StartEmbedded(b, config(b))
					cfg := s.Influx()
					cfg.GzipLevel = level
					c := storetest.Client(b, cfg)
					b.ReportAllocs()
					b.ResetTimer()
					before := cpuTime(b)
					var next atomic.Int64
					var wg sync.WaitGroup
					for range writers {
						wg.Go(func() {
							var lines []byte
							for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
								lines = appendLines(lines[:0], int(n)*batch, batch, fields)
								if err := c.Write(context.Background(), lines); err != nil {
									b.Error(err)
									return
								}
							}
						})
					}
					wg.Wait()
					b.ReportMetric(float64(b.N*batch)/b.Elapsed().Seconds(), "points/s")
					b.ReportMetric(float64((cpuTime(b)-before).Nanoseconds())/float64(b.N*batch), "cpu-ns/point")
				})
			}
		}
	}
}

// cpuTime is what this process has used of all processors. On a busy machine it says more than the clock.
func cpuTime(b *testing.B) time.Duration {
	var used unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func appendLines(b []byte, from, n, fields int) []byte {
	const sensors = 10_000
	start := time.Date(2026, 3, 3, 0, 0, 0, 0, time.UTC).UnixMilli()
	for i := from; i < from+n; i++ {
		s := i % sensors
		b = append(b, "traffic,district=d"...)
		b = strconv.AppendInt(b, int64(s%20), 10)
		b = append(b, ",sensor=loop-"...)
		b = strconv.AppendInt(b, int64(s), 10)
		b = append(b, ",site=site-"...)
		b = strconv.AppendInt(b, int64(s/4), 10)
		b = append(b, " intensity="...)
		b = strconv.AppendInt(b, int64(i*7%40), 10)
		if fields == 3 {
			b = append(b, ",occupancy=0."...)
			b = strconv.AppendInt(b, int64(i*13%1000), 10)
			b = append(b, ",speed="...)
			b = strconv.AppendFloat(b, 30+float64(i%400)/10, 'f', 1, 64)
		}
		b = append(b, ' ')
		b = strconv.AppendInt(b, start+int64(i/sensors)*10_000, 10)
		b = append(b, '\n')
	}
	return b
}
