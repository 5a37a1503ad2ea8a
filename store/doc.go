// Package store holds the words with which readings at rest are written and read: what a store answers, and the shape
// of what comes back.
//
// It is the hop after ingest and before query. The packages below it do the work; this one holds only data, so that
// ingest can judge an answer without linking a client.
//
//	ingest ──lines──► store/influx ──HTTP──► InfluxDB (store/embedded, or a city's own)
//	query  ◄─Series── store/influx ◄─HTTP──┘
//
// At rest a measurement is a domain, the tags are sensor, site, district and channel (an empty one is left out), and a
// field is a quantity. Times have a precision of one millisecond.
package store
