// Package spool is a durable queue of frames on disk. Two hops stand on it: the bridge at the edge keeps readings in it
// until the broker has them, and ingest keeps batches in it until the store has them, which is why either may acknowledge
// what it has taken. A frame is any bytes; Append takes them, named readers get them in order, each at its own pace, and
// what every reader has committed is removed.
//
//	Append ──► ┌───────────────┐ ┌───────────────┐ ┌─────────┐
//	           │ segment 7     │►│ segment 8     │►│ 9  ···  │ ──► frames
//	           └───────────────┘ └───────────────┘ └─────────┘
//	                 ▲ cursor "archive"      ▲ cursor "store"
//
// # On disk
//
//	DIR/LOCK                               flock of the one process that has the spool open
//	DIR/00000000000000000007.seg           header (136 bytes), frames
//	DIR/00000000000000000008.seg           only the newest is written to, and only by the process that made it
//	DIR/00000000000000000007-4711.bad      damaged bytes of segment 7 from offset 4711 on, kept for people
//	DIR/store.cursor                       "8:3456 89abcdef": position and CRC32C; replaced by rename
//
//	segment  | header | header again | frame | frame | frame ...
//	frame    | length | index | sum | check | payload |           4 × 4 bytes, little endian, and the payload
//
// See frameHeader and segmentHeader for the fields.
//
// # What can be lost
//
// Append has returned, then:
//
//	              process killed                        power lost
//	commit        nothing                               nothing
//	interval      nothing                               the frames of the last SyncInterval or SyncBytes
//
// Commit of a reader has returned, then:
//
//	commit        nothing is read again                 nothing is read again
//	interval      at most SyncInterval is read again    at most SyncInterval is read again
//
// This takes a disk that keeps what it has confirmed; many SD cards do not. Frames are delivered at least once: a reader
// gets again what it has not committed, and a frame whose Append has failed may turn up after a crash.
//
// # Damage
//
// An unfinished frame at the end of the newest segment is what a crash leaves: Open cuts it. Appending then goes on in a
// new segment, always, so that no position is given twice and nothing is written behind damage.
//
// Anything else that does not prove itself by its checksums is damage: the stretch is copied to a bad file, counted,
// logged, and read over. Reading goes on at the next whole frame of the same segment rather than at the next segment: a
// frame's header has a checksum of its own that depends on the segment's random salt and on the offset, so that bytes
// inside a payload, whoever made them up, do not pass for a frame. One damaged byte costs one frame at most. The index in
// the header tells how many frames a stretch has cost.
//
// A failed fdatasync is not tried again, for the kernel may have thrown the pages away and would report success. The
// segment ends where the last one that succeeded has left it, what came after is written again to a new segment, and
// that one's header says so; positions in the old place stay valid. Such a copy may exceed MaxBytes. One gap
// remains: if the process is killed between the failure and the copy, the next process cannot know of it, and power loss
// may take what was in doubt even later. Under commit none of that had been confirmed.
//
// # Bounds
//
//	disk      MaxBytes of segments, MaxBadBytes of bad files; when full: block, or drop_oldest
//	memory    2 × GroupBytes, SyncBytes under interval, ReadBufferBytes per reader; a single larger frame on top of each
//	readers   Config.Readers, or 64
//
// The package runs on Unix: it needs flock, and a folder that can be opened and synced.
package spool
