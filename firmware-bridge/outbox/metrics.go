package outbox

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics shows Status, taken once per scrape.
type metrics struct {
	reg    prometheus.Registerer
	status func() Status

	waitingReadings, waitingMessages, memoryReadings, memoryBytes, undated, oldest *prometheus.Desc
	put, dropped, sent, ahead, acknowledgedMessages, acknowledgedReadings, disk    *prometheus.Desc
}

// newMetrics registers the outbox's metrics; reg may be nil.
func newMetrics(reg prometheus.Registerer, status func() Status) (*metrics, error) {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("lamppost_outbox_"+name, help, labels, nil)
	}
	m := &metrics{
		reg: reg, status: status,
		waitingReadings:      desc("waiting_readings", "Readings that the broker has not acknowledged."),
		waitingMessages:      desc("waiting_messages", "Messages that the broker has not acknowledged."),
		memoryReadings:       desc("memory_readings", "Readings that are not on the disk."),
		memoryBytes:          desc("memory_bytes", "Messages that are not on the disk."),
		undated:              desc("undated_readings", "Readings that wait for the date."),
		oldest:               desc("oldest_seconds", "Age of the oldest reading that waits."),
		put:                  desc("put_readings_total", "Readings put in."),
		dropped:              desc("dropped_readings_total", "Readings lost.", "reason"),
		sent:                 desc("sent_messages_total", "Messages handed to the uplink."),
		ahead:                desc("ahead_messages_total", "Messages sent before older ones."),
		acknowledgedMessages: desc("acknowledged_messages_total", "Messages acknowledged by the broker."),
		acknowledgedReadings: desc("acknowledged_readings_total", "Readings acknowledged by the broker."),
		disk:                 desc("disk_state", "1 for how the disk is.", "state"),
	}
	if reg == nil {
		return m, nil
	}
	if err := reg.Register(m); err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	return m, nil
}

func (m *metrics) unregister() {
	if m.reg != nil {
		m.reg.Unregister(m)
	}
}

// Describe serves prometheus.
func (m *metrics) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		m.waitingReadings, m.waitingMessages, m.memoryReadings, m.memoryBytes, m.undated, m.oldest, m.put, m.dropped, m.sent, m.ahead,
		m.acknowledgedMessages, m.acknowledgedReadings, m.disk,
	} {
		out <- d
	}
}

// Collect serves prometheus.
func (m *metrics) Collect(out chan<- prometheus.Metric) {
	s := m.status()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter := func(d *prometheus.Desc, v uint64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	gauge(m.waitingReadings, float64(s.WaitingReadings))
	gauge(m.waitingMessages, float64(s.WaitingMessages))
	gauge(m.memoryReadings, float64(s.MemoryReadings))
	gauge(m.memoryBytes, float64(s.MemoryBytes))
	gauge(m.undated, float64(s.UndatedReadings))
	gauge(m.oldest, s.Oldest.Seconds())
	counter(m.put, s.Put)
	for _, reason := range Reasons() {
		counter(m.dropped, s.Dropped[reason], string(reason))
	}
	counter(m.sent, s.SentMessages)
	counter(m.ahead, s.AheadMessages)
	counter(m.acknowledgedMessages, s.AcknowledgedMessages)
	counter(m.acknowledgedReadings, s.AcknowledgedReadings)
	for _, state := range []DiskState{DiskFine, DiskFull, DiskReadOnly, DiskFailing} {
		v := 0.0
		if s.Disk == state {
			v = 1
		}
		gauge(m.disk, v, string(state))
	}
}
