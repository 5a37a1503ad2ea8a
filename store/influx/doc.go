// Package influx speaks to an InfluxDB: 1.8, 2.x or 3, embedded or a city's own.
//
// It is the hop between ingest and the store, and between the store and query. Lines of line protocol go in through
// Write, an answer of InfluxQL comes out of Query, Stream, Counts and Points; every error is a *store.Error that says
// whether to try again.
//
//	Write  ──gzip──► POST /api/v2/write?org=&bucket=&precision=ms ──► 204 | *store.Error
//	Query  ────────► GET  /query?db=&rp=&epoch=ms&chunked=true    ──► []store.Series
//
// Requests go through the HTTPService of influxdb-client-go, with bodies of our own: its asynchronous writer swallows
// partial writes, and its errors lose what InfluxDB 3 says about lines and what Retry-After says as a date.
package influx
