package ingest

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	poison prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{poison: prometheus.NewCounter(prometheus.CounterOpts{
		Name: "lamppost_ingest_poison_messages_total", Help: "Messages that made ingest panic and went to quarantine; each is a fault of the program.",
	})}
	reg.MustRegister(m.poison)
	return m
}
