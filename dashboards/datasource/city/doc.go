// Package city asks Lamppost's HTTP API. Paths and parameters come in, typed answers go out, and every way in which that
// can fail has words for the person who looks at the panel; packages plugin and live call it.
//
//	Client.History(params) ──GET /api/v1/history──► Lamppost ──► History, or *Fault
//
// A Client is for one data source. It keeps the catalogue and the names of places for a while and asks with their ETag
// whether they are still so. What it holds of an answer is bounded.
package city
