// Package embedded runs an InfluxDB 1.8.10 inside the process, so that a town needs nothing else installed.
//
// It is the store at the end of the hop: cmd starts it before everything that reads or writes, hands the address from
// Influx to store/influx, and stops it last. Whatever speaks to it does so over HTTP, as to any other InfluxDB.
//
//	store/influx ──HTTP, password──► loopback port ──► gate ──► httpd handler ──► points writer, query executor
//	                                                                                  │
//	                                          DIR/meta DIR/data DIR/wal ◄──── tsdb ◄──┘
//
// The parts of influxd are put together here as its own cmd/influxd/run does, without what a part of a process must
// not have: no RPC port (its backup service asks for no password), no self-monitoring, no reporting to its maker, no
// continuous queries, no Flux, no profiling pages, no access log, nothing printed to standard error. This also keeps
// half of influxd's packages (54 MB) out of the binary.
//
// # What can be lost
//
// A write is answered with 204 after its lines are in the write-ahead log and the log is synchronised (fsync), with
// Config.WALSyncDelay 0 as with any other: the delay only lets more writes share one fsync. Killing the process loses
// nothing that was answered. Power loss loses nothing that was answered either, as far as the disk keeps what it has
// synchronised; the engine does not synchronise the folder after it has begun a new log file (every 10 MB), so a file
// system that forgets the name of a synchronised file (ext4, XFS and Btrfs do not) can lose that file.
//
// What the engine does badly is mended here: it appends behind the torn end of a log, so the end is cut before it opens
// the file; it never writes again to a log that was full once, so it is opened anew; it runs on a full disk until
// something breaks, so writes are answered with 503 before; and it says nothing of data that it cannot open, so Health
// does.
//
// The index is kept in memory and built again from the data at every start. The other index, on disk, starts faster,
// but the file of series that it relies on is never synchronised: after power loss points are there that no query finds.
//
// # Memory
//
// Lines that are in the log but not yet in a data file are held in memory, for each shard (a week, by default) that is
// being written to: Config.CacheSnapshotBytes in the steady state, at most Config.CacheMaxBytes while the disk is
// behind, beyond which writes are answered with 500 and come again. Old recordings that are written into many weeks at
// once have one such cache a week until Config.CacheColdAfter has passed.
package embedded
