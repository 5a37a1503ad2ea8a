// Package registry knows what is part of the city: sensors, the sites where they stand, the districts of the sites, the
// publishers that may log in to the broker, the street plan, and who changed any of it. It is kept in one SQLite file.
//
// It stands beside the way of a reading. In come changes, from the API, the command line and CSV files; out go immutable
// Snapshots, which ingest and the API ask many thousand times a second without touching the file.
//
//	api, command line ──Put, Import──► registry.db ──Run──► Snapshot ──► ingest: whose reading is this, may it be published
//	another process   ──────────────►      │                         ├─► api: lists, filters, export
//	                                       └──► audit                └─► broker: Verify
//
// A method that changes something returns when the change is on disk and in this process's Snapshot. Run brings changes
// made by other processes on the same file, within a second.
package registry
