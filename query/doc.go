// Package query answers questions about readings: what is the newest, what was when, what does the whole city look like.
//
// It is the hop between the store and api. The past comes from the store, in InfluxQL; the present from a cache that is
// seeded from the store once and then follows the live stream of ingest.
//
//	ingest/live ──batches──► Latest ──► api: latest readings, Figures
//	store ────────seed─────────┘
//	store ◄──InfluxQL── History ──► api: series over time
//
// Nothing here is written anywhere, and everything is bounded by Config.
package query
