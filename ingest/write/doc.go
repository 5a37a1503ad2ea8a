// Package write empties ingest's spool into the store. It is the last step of ingest's line.
//
//	spool ──► gather ──job──► post (several at once) ──► settle, in the spool's order ──► ledger, spool's cursor
//	            │                │
//	            │                └ 429, 5xx, no answer: wait, try again    413: halve
//	            │                  400, 422: isolate the bad lines         401, 403, 404: complain, try again
//	            └ suspects: ask the store, before it is written, whether they are new; what is not overwrites in place
//
// A job is one POST: as many frames of the spool as fit. While the store is away jobs stay in the spool, on disk; only
// those being posted are in memory.
package write
