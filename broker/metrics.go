package broker

import (
	"fmt"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// Why something was refused; the values of the label reason.
const (
	refusedCredentials = "credentials"
	refusedClosed      = "closed"
	refusedPublish     = "publish"
	refusedSubscribe   = "subscribe"
	refusedPayload     = "payload"
	refusedConnections = "connections"
	refusedStore       = "store"
	refusedRetained    = "retained"
	refusedSession     = "session"
	refusedSlow        = "slow"
	refusedProtocol    = "protocol"
)

func refusals() []string {
	return []string{
		refusedCredentials, refusedClosed, refusedPublish, refusedSubscribe, refusedPayload, refusedConnections,
		refusedStore, refusedRetained, refusedSession, refusedSlow, refusedProtocol,
	}
}

// Stats is what the broker holds, at most a second old.
type Stats struct {
	// Connections are the MQTT connections; Sessions, with the absent ones, at most MaxSessions.
	Connections int
	Sessions    uint64
	// Messages were stored since the start.
	Messages uint64
	// Stored messages await the subscriber that is furthest behind.
	Stored uint64
	// StoredBytes are on disk, with those of some messages that all have taken; at most StoreLimitBytes.
	StoredBytes     uint64
	StoreLimitBytes uint64
	// Retained messages.
	Retained uint64
	// Full is true from when a message was refused for want of room until there is room again.
	Full bool
}

type metrics struct {
	refused *prometheus.CounterVec
	escaped prometheus.Counter
	stats   atomic.Pointer[Stats]
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{refused: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "lamppost_broker_refused_total",
		Help: "Connections, messages and subscriptions that the broker refused, by reason.",
	}, []string{"reason"})}
	m.escaped = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "lamppost_broker_topics_escaped_total",
		Help: "Messages whose topic has white space and was written with %20 and the like in its place.",
	})
	m.stats.Store(&Stats{})
	for _, r := range refusals() {
		m.refused.WithLabelValues(r)
	}
	gauge := func(name, help string, value func(*Stats) float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return value(m.stats.Load()) })
	}
	all := []prometheus.Collector{
		m.refused, m.escaped,
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "lamppost_broker_messages_total",
			Help: "QoS 1 and 2 messages that publishers handed to the broker since its start.",
		}, func() float64 { return float64(m.stats.Load().Messages) }),
		gauge("lamppost_broker_connections", "MQTT connections.", func(s *Stats) float64 { return float64(s.Connections) }),
		gauge("lamppost_broker_sessions", "MQTT sessions, connected and absent.", func(s *Stats) float64 { return float64(s.Sessions) }),
		gauge("lamppost_broker_stored_messages", "Messages on disk that await the subscriber that is furthest behind.", func(s *Stats) float64 { return float64(s.Stored) }),
		gauge("lamppost_broker_stored_bytes", "Size of the messages on disk, with some that all subscribers have taken.", func(s *Stats) float64 { return float64(s.StoredBytes) }),
		gauge("lamppost_broker_store_limit_bytes", "Size of stored messages from which publishers get no acknowledgement.", func(s *Stats) float64 { return float64(s.StoreLimitBytes) }),
		gauge("lamppost_broker_retained_messages", "Retained messages.", func(s *Stats) float64 { return float64(s.Retained) }),
	}
	if reg == nil {
		return m, nil
	}
	for _, c := range all {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("register the broker's metrics: %w", err)
		}
	}
	return m, nil
}
