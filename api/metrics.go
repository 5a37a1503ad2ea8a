package api

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics of the HTTP address. Routes are the patterns of the table in routes.go, never paths.
type metrics struct {
	requests    *prometheus.CounterVec
	seconds     *prometheus.HistogramVec
	wrongTokens prometheus.Counter
	liveClients prometheus.Gauge
	liveLost    prometheus.Counter
	liveRefused prometheus.Counter
	queryBusy   prometheus.Counter
}

// newMetrics registers with reg; nil registers nowhere.
func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "lamppost_api_requests_total", Help: "HTTP requests answered, by route, method and class of status.",
		}, []string{"route", "method", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "lamppost_api_request_seconds", Help: "Time to answer, live streams left out.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"route"}),
		wrongTokens: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "lamppost_api_wrong_tokens_total", Help: "Requests refused because their token was wrong.",
		}),
		liveClients: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "lamppost_api_live_clients", Help: "Listeners to live readings now.",
		}),
		liveLost: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "lamppost_api_live_lost_readings_total", Help: "Readings that listeners missed because they, or this process, were too slow.",
		}),
		liveRefused: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "lamppost_api_live_refused_total", Help: "Listeners refused because there were max_live_clients already.",
		}),
		queryBusy: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "lamppost_api_queries_refused_total", Help: "Queries refused because max_queries were running.",
		}),
	}
	if reg == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.requests, m.seconds, m.wrongTokens, m.liveClients, m.liveLost, m.liveRefused, m.queryBusy} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// answered counts one request.
func (m *metrics) answered(route, method string, status int, took time.Duration) {
	switch method {
	case "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH":
	default:
		method = "other"
	}
	m.requests.WithLabelValues(route, method, strconv.Itoa(status/100)+"xx").Inc()
	if route != livePath {
		m.seconds.WithLabelValues(route).Observe(took.Seconds())
	}
}
