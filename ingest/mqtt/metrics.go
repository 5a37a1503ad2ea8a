package mqtt

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	connects prometheus.Counter
	messages prometheus.Counter
	payloads prometheus.Counter
}

// newMetrics registers the counters, or shares those that another connection of this process has registered.
func newMetrics(reg prometheus.Registerer) *metrics {
	return &metrics{
		connects: counter(reg, "lamppost_ingest_connects_total", "Connections made to the broker."),
		messages: counter(reg, "lamppost_ingest_messages_total", "Messages received from the broker."),
		payloads: counter(reg, "lamppost_ingest_payload_bytes_total", "Bytes of payload received from the broker."),
	}
}

func counter(reg prometheus.Registerer, name, help string) prometheus.Counter {
	c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	if err := reg.Register(c); err != nil {
		var known prometheus.AlreadyRegisteredError
		if errors.As(err, &known) {
			if shared, ok := known.ExistingCollector.(prometheus.Counter); ok {
				return shared
			}
		}
		panic("metric " + name + ": " + err.Error())
	}
	return c
}

func (m *metrics) count(b *Batch) {
	bytes := int64(0)
	for i := range b.Deliveries {
		bytes += b.Deliveries[i].SizeBytes
	}
	m.messages.Add(float64(len(b.Deliveries)))
	m.payloads.Add(float64(bytes))
}
