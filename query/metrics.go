package query

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	series  prometheus.Gauge
	refused prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		series: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "lamppost_query_latest_series", Help: "Series of which the newest reading is kept.",
		}),
		refused: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "lamppost_query_latest_refused_total", Help: "Readings of series for which there was no room; raise query.max_latest.",
		}),
	}
	reg.MustRegister(m.series, m.refused)
	return m
}

// historyMetrics say how much of the past need not be asked for again.
type historyMetrics struct {
	held        prometheus.Gauge
	hit, missed prometheus.Counter
}

func newHistoryMetrics(reg prometheus.Registerer) *historyMetrics {
	asked := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "lamppost_query_history_blocks_total", Help: "Blocks of time of histories, by whether they were kept already.",
	}, []string{"kept"})
	m := &historyMetrics{
		held: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "lamppost_query_history_kept_bytes", Help: "Memory that kept histories take; at most query.cache_bytes.",
		}),
		hit: asked.WithLabelValues("yes"), missed: asked.WithLabelValues("no"),
	}
	reg.MustRegister(m.held, asked)
	return m
}
