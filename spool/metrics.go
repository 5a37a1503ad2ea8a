package spool

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics shows Stats, taken once per scrape, and how long fdatasync takes.
type metrics struct {
	reg         prometheus.Registerer
	stats       func() Stats
	failures    func(operation) uint64
	syncSeconds prometheus.Histogram

	size, limit, frames, segments, oldest, full, diskFull     *prometheus.Desc
	appendedFrames, appendedBytes, deliveredFrames            *prometheus.Desc
	droppedFrames, droppedBytes, badSegments, badFrames, torn *prometheus.Desc
	failed, readerFrames                                      *prometheus.Desc
}

// newMetrics registers the spool's metrics; reg may be nil.
func newMetrics(reg prometheus.Registerer, stats func() Stats, failures func(operation) uint64) (*metrics, error) {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("lamppost_spool_"+name, help, labels, nil)
	}
	m := &metrics{
		reg: reg, stats: stats, failures: failures,
		syncSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "lamppost_spool_sync_seconds", Help: "Duration of fdatasync.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 2.5, 12),
		}),
		size:            desc("size_bytes", "Size of the segment files."),
		limit:           desc("limit_bytes", "Bound of the size."),
		frames:          desc("waiting_frames", "Frames that some reader has not committed."),
		segments:        desc("files", "Segment files."),
		oldest:          desc("oldest_seconds", "Estimated age of the oldest frame that waits."),
		full:            desc("full", "1 while the size bound is reached."),
		diskFull:        desc("disk_full", "1 while the disk has no room."),
		appendedFrames:  desc("appended_frames_total", "Frames appended."),
		appendedBytes:   desc("appended_bytes_total", "Bytes appended, with the frames' headers."),
		deliveredFrames: desc("delivered_frames_total", "Frames handed to readers."),
		droppedFrames:   desc("dropped_frames_total", "Frames dropped before every reader had committed them."),
		droppedBytes:    desc("dropped_bytes_total", "Bytes of dropped segments."),
		badSegments:     desc("damaged_segments_total", "Segments in which damage was met."),
		badFrames:       desc("damaged_frames_total", "Frames lost to damage."),
		torn:            desc("torn_tails_total", "Unfinished ends of segments that were cut."),
		failed:          desc("failures_total", "What the disk refused to do.", "operation"),
		readerFrames:    desc("reader_waiting_frames", "Frames that the reader has not committed.", "reader"),
	}
	if reg == nil {
		return m, nil
	}
	if err := reg.Register(m); err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	return m, nil
}

func (m *metrics) unregister() {
	if m.reg != nil {
		m.reg.Unregister(m)
	}
}

// Describe serves prometheus.
func (m *metrics) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		m.size, m.limit, m.frames, m.segments, m.oldest, m.full, m.diskFull, m.appendedFrames, m.appendedBytes, m.deliveredFrames,
		m.droppedFrames, m.droppedBytes, m.badSegments, m.badFrames, m.torn, m.failed, m.readerFrames, m.syncSeconds.Desc(),
	} {
		out <- d
	}
}

// Collect serves prometheus.
func (m *metrics) Collect(out chan<- prometheus.Metric) {
	s := m.stats()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter := func(d *prometheus.Desc, v uint64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	gauge(m.size, float64(s.Bytes))
	gauge(m.limit, float64(s.MaxBytes))
	gauge(m.frames, float64(s.Frames))
	gauge(m.segments, float64(s.Segments))
	gauge(m.oldest, s.OldestAge.Seconds())
	gauge(m.full, one(s.Full))
	gauge(m.diskFull, one(s.DiskFull))
	counter(m.appendedFrames, s.AppendedFrames)
	counter(m.appendedBytes, s.AppendedBytes)
	counter(m.deliveredFrames, s.DeliveredFrames)
	counter(m.droppedFrames, s.DroppedFrames)
	counter(m.droppedBytes, s.DroppedBytes)
	counter(m.badSegments, s.BadSegments)
	counter(m.badFrames, s.BadFrames)
	counter(m.torn, s.TornTails)
	for o := range operations {
		counter(m.failed, m.failures(o), o.String())
	}
	for _, r := range s.Readers {
		gauge(m.readerFrames, float64(r.Frames), r.Name)
	}
	m.syncSeconds.Collect(out)
}

func one(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
