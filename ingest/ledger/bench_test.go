package ledger_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/lamppost-city/lamppost/ingest/frame"
	"github.com/lamppost-city/lamppost/telemetry"
)

// BenchmarkFlush writes one minute of ten thousand sensors into hours that are half full, as in a city at rest.
func BenchmarkFlush(b *testing.B) {
	l := open(b, filepath.Join(b.TempDir(), "ledger.db"), config())
	defer func() { _ = l.Close() }()
	const sensors, first = 10_000, 29_000_040
	minute := func(n int64) *frame.Frame {
		f := new(frame.Frame)
		for s := range sensors {
			f.Minutes = append(f.Minutes, frame.Minute{
				Sensor: telemetry.SensorID(fmt.Sprintf("sensor-%d", s)), Minute: first + n, Newest: 1, Counts: frame.Counts{Received: 12, Accepted: 12, Reports: 6},
			})
		}
		return f
	}
	for n := range int64(30) {
		record(b, l, minute(n), place(int(n)+1))
		flush(b, l)
	}
	b.ReportAllocs()
	n := int64(30)
	for b.Loop() {
		b.StopTimer()
		f := minute(n % 60)
		n++
		record(b, l, f, place(int(n)))
		b.StartTimer()
		flush(b, l)
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/sensors, "µs/sensor")
}
