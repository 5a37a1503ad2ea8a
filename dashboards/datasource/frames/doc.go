// Package frames makes the answers of the API into Grafana's data frames. Answers come in, frames go out with units, names
// for people and mappings, so that panels need no settings of their own; package plugin calls it.
//
//	city.Readings ──► History ──► one frame a line: time, value{sensor,site,district,channel,quantity,compare}
//	[]city.Reading ─► Latest ───► one table; likewise Ledger, Sensors, Pipeline and Events
//
// Nothing here asks anybody for anything.
package frames
