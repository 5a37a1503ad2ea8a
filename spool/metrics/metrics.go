// Package metrics shows a spool to Prometheus. It stands beside spool so that a program without a scraper, such as the bridge
// on a small board, does not carry Prometheus's client.
//
//	ingest ──► New(spool) ──► Registerer ──► each scrape takes spool.Stats once
package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/lamppost-city/lamppost/spool"
)

// Collector shows the Stats of one spool, taken once per scrape.
type Collector struct {
	stats func() spool.Stats

	size, limit, frames, segments, oldest, full, diskFull     *prometheus.Desc
	appendedFrames, appendedBytes, deliveredFrames            *prometheus.Desc
	droppedFrames, droppedBytes, badSegments, badFrames, torn *prometheus.Desc
	failed, readerFrames, syncSeconds                         *prometheus.Desc
}

// New returns the metrics of s, which the caller registers, and takes back when s is closed: several spools in one process
// need a registerer each, such as prometheus.WrapRegistererWith makes.
func New(s *spool.Spool) *Collector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("lamppost_spool_"+name, help, labels, nil)
	}
	return &Collector{
		stats:           s.Stats,
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
		syncSeconds:     desc("sync_seconds", "Duration of fdatasync."),
	}
}

// Describe serves prometheus.
func (c *Collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		c.size, c.limit, c.frames, c.segments, c.oldest, c.full, c.diskFull, c.appendedFrames, c.appendedBytes, c.deliveredFrames,
		c.droppedFrames, c.droppedBytes, c.badSegments, c.badFrames, c.torn, c.failed, c.readerFrames, c.syncSeconds,
	} {
		out <- d
	}
}

// Collect serves prometheus.
func (c *Collector) Collect(out chan<- prometheus.Metric) {
	s := c.stats()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter := func(d *prometheus.Desc, v uint64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	gauge(c.size, float64(s.Bytes))
	gauge(c.limit, float64(s.MaxBytes))
	gauge(c.frames, float64(s.Frames))
	gauge(c.segments, float64(s.Segments))
	gauge(c.oldest, s.OldestAge.Seconds())
	gauge(c.full, one(s.Full))
	gauge(c.diskFull, one(s.DiskFull))
	counter(c.appendedFrames, s.AppendedFrames)
	counter(c.appendedBytes, s.AppendedBytes)
	counter(c.deliveredFrames, s.DeliveredFrames)
	counter(c.droppedFrames, s.DroppedFrames)
	counter(c.droppedBytes, s.DroppedBytes)
	counter(c.badSegments, s.BadSegments)
	counter(c.badFrames, s.BadFrames)
	counter(c.torn, s.TornTails)
	for operation, n := range s.Failures.All() {
		counter(c.failed, n, operation)
	}
	for _, r := range s.Readers {
		gauge(c.readerFrames, float64(r.Frames), r.Name)
	}
	out <- prometheus.MustNewConstHistogram(c.syncSeconds, s.Syncs.Count, s.Syncs.Sum.Seconds(), buckets(s.Syncs))
}

// buckets counts as prometheus does: each bucket holds those before it as well.
func buckets(s spool.Syncs) map[float64]uint64 {
	cumulated := make(map[float64]uint64, len(s.Within))
	sum := uint64(0)
	for i, bound := range spool.SyncBounds() {
		sum += s.Within[i]
		cumulated[bound.Seconds()] = sum
	}
	return cumulated
}

func one(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
