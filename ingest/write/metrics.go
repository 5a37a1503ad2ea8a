package write

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lamppost-city/lamppost/store"
)

type metrics struct {
	lines    prometheus.Counter
	posts    *prometheus.CounterVec
	duration prometheus.Histogram
	suspects prometheus.Counter
	lookup   prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		lines: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "lamppost_ingest_written_points_total", Help: "Points that the store has taken.",
		}),
		posts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "lamppost_ingest_posts_total", Help: "Writes to the store, by its answer.",
		}, []string{"answer"}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "lamppost_ingest_post_seconds", Help: "Time the store takes for a write.", Buckets: prometheus.ExponentialBuckets(0.001, 3, 10),
		}),
		suspects: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "lamppost_ingest_suspect_readings_total", Help: "Readings of which only the store could tell whether they are new.",
		}),
		lookup: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "lamppost_ingest_suspect_lookup_seconds", Help: "Time to ask the store about a frame's suspects.", Buckets: prometheus.ExponentialBuckets(0.001, 3, 10),
		}),
	}
	reg.MustRegister(m.lines, m.posts, m.duration, m.suspects, m.lookup)
	return m
}

func (m *metrics) observe(err error, took time.Duration) {
	answer := "stored"
	var refused *store.Error
	if errors.As(err, &refused) {
		answer = refused.Kind.String()
	} else if err != nil {
		answer = "error"
	}
	m.posts.WithLabelValues(answer).Inc()
	m.duration.Observe(took.Seconds())
}
