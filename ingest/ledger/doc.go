// Package ledger accounts for every reading: how many came from each sensor in each minute, what became of them, and
// which messages were refused and lie in quarantine.
//
// It stands beside the line of ingest and learns of each frame twice: when the frame is durable in the spool (Record),
// and when its lines are in the store (Settle). Both are summed up in memory and go to SQLite in one transaction every
// few seconds, together with the two spool positions up to which that is done. After a crash ingest goes on from these
// positions, so that nothing is counted twice or forgotten.
//
//	ingest ──Record(frame, position)──► sums ──Flush──► SQLite: hours, rejections, quarantine, positions
//	writer ──Settle(frame, position)──►  "                 └──► Totals, Minutes, Quarantined: api, audit
//
// The sums close, for every sensor and minute:
//
//	received = duplicate + rejected + accepted        accepted = written + waiting
//
// A minute is one of measured time; refused readings, whose time cannot be relied on, belong to the minute of receipt.
// One row holds an hour of one sensor, its minutes packed into a blob, because a row a minute would be larger than the
// readings themselves.
package ledger
