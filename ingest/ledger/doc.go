// Package ledger accounts for every reading: how many came from each sensor in each minute, what became of them, and
// which messages were refused and lie in quarantine.
//
// It stands beside the line of ingest and learns of each frame twice: when the frame is durable in the spool (Record),
// and when its lines are in the store (Settle). Both are summed up in memory and go to SQLite in one transaction every
// few seconds, together with the two spool positions up to which that is done. After a crash ingest goes on from these
// positions, so that nothing is counted twice or forgotten.
//
//	ingest ──Record(frame, position)──► sums ──Flush──► SQLite: hours, rejections, silences, quarantine, positions
//	writer ──Settle(frame, position)──►  "                 └──► Totals, Minutes, Quarantined: api, audit
//
// The sums close, for every sensor and minute:
//
//	received = duplicate + rejected + accepted        accepted = written + waiting
//
// A minute is one of measured time; refused readings, whose time cannot be relied on, belong to the minute of receipt.
// One row holds an hour of one sensor, its minutes packed into a blob, because a row a minute would be larger than the
// readings themselves.
//
// What is missing is known in two ways. Of a sensor with a cadence ingest finds silences (frame.Silence); they are counted
// under the minutes in which reports were due. A publisher that numbers its messages shows gaps; what no silence tells of
// them is counted under the minute of receipt of the message after the gap. What comes late after all is taken back.
// Reports that are overdue at this moment, because a sensor is silent, are in no sum; they are added where totals and
// minutes are asked for.
package ledger
