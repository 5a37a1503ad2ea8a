// Package live shares the server's stream of readings among the panels that show them. Filters come in from package plugin,
// readings go out, each once; whatever a broken stream left out is taken from the history.
//
//	Lamppost ──one stream a filter──► Hub ──► Listener ──► Follow ──► a panel
//	                                                 ▲ holes
//	         ◄──history of a hole────────────────────┘
//
// However many panels follow the same filter, the server serves one stream. A listener that is slow loses readings, which
// is a hole that its history fills: it never slows the others.
package live
