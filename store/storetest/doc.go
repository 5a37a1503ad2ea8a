// Package storetest is what every store must do, and helpers for tests that need a store.
//
// Run is called by store/embedded with a store of its own, and by store/influx with the InfluxDB that the environment
// names, so that one suite says what ingest and query may rely on.
package storetest
