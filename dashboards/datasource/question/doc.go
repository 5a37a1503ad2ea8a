// Package question is what a panel, a rule or a variable may ask of the data source. The JSON of a Grafana query comes in,
// a checked Query goes out; package plugin calls it, and whoever builds dashboards writes queries with its types.
//
//	{"kind":"history","quantities":["speed"],"districts":["harbour"],"group":["site"]} ──► Parse ──► Query ──► Check
//
// All rules of which choices go together are in Check. The editor offers only what passes it.
package question
