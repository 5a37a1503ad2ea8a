package ledger

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/lamppost-city/lamppost/telemetry"
)

type metrics struct {
	rejected    *prometheus.CounterVec
	quarantined prometheus.Counter
	dropped     prometheus.Counter
	flush       prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		rejected: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "lamppost_ingest_rejected_readings_total", Help: "Readings refused, by reason.",
		}, []string{"reason"}),
		quarantined: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "lamppost_ingest_quarantined_messages_total", Help: "Messages put into quarantine.",
		}),
		dropped: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "lamppost_ingest_quarantine_dropped_messages_total", Help: "Messages dropped from a full quarantine, oldest first.",
		}),
		flush: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "lamppost_ingest_ledger_flush_seconds", Help: "Time to write the ledger's sums.", Buckets: prometheus.ExponentialBuckets(0.001, 4, 8),
		}),
	}
	for _, reason := range telemetry.Reasons() {
		m.rejected.WithLabelValues(reason.String())
	}
	reg.MustRegister(m.rejected, m.quarantined, m.dropped, m.flush)
	return m
}
