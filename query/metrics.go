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
