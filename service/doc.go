// Package service is the shell of a Lamppost process: it starts the parts in order, stops them in reverse, and tells how
// they do. It knows nothing of readings; cmd hands it the parts. What they count is served by service/metrics.
//
//	Group.Run ──► store ready ──► registry ready ──► broker ready ──► ingest ready ──► ...
//	     stop ◄── each ends before the one it stands on ◄──────────────────────────────┘
//	     Status ──► /readyz, the pipeline page
package service
