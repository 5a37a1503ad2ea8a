package registry

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	sensors  prometheus.Gauge
	sites    prometheus.Gauge
	loads    prometheus.Counter
	failures prometheus.Counter
	logins   *prometheus.CounterVec
}

// newMetrics makes the metrics; a nil reg leaves them unregistered.
func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		sensors: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "lamppost_registry_sensors", Help: "Registered sensors.",
		}),
		sites: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "lamppost_registry_sites", Help: "Registered sites.",
		}),
		loads: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "lamppost_registry_snapshot_loads_total", Help: "Snapshots made because something was changed.",
		}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "lamppost_registry_snapshot_failures_total", Help: "Attempts to make a snapshot that ended with an error.",
		}),
		logins: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "lamppost_registry_logins_total", Help: "Passwords of publishers checked, by result: accepted, refused.",
		}, []string{"result"}),
	}
	if reg != nil {
		reg.MustRegister(m.sensors, m.sites, m.loads, m.failures, m.logins)
	}
	return m
}
