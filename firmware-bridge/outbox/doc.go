// Package outbox keeps readings on the disk until the broker has acknowledged them. It is the bridge's part between the
// sensors and the uplink: the bridge puts readings in as they come, and MQTT messages go out.
//
//	Put ──► batch ──► message ──► spool ──► oldest first ────► uplink ──► broker
//	                     │                       ▲               │
//	                     └──► the newest, a share┘    PUBACK: the cursor moves
//
// # Messages
//
// A message is made when Config.MaxReadings have come, or Config.MaxDelay after the first of them, and gets the next
// sequence number. It lies in the spool as it will be published: SenML in CBOR, with the number in it. Readings that
// have no date yet lie there with their instants instead, and are dated when they are sent; see frame for the bytes.
//
// The numbers go on over restarts and power cuts from the newest frame in the spool, without a write of their own:
// the cursor stays one frame behind. After a power cut a number may be given to another message again; ingest counts
// gaps, not repeats. A new spool begins at a random number, which ingest takes for a new beginning. What the spool
// dropped at its bounds, and what nobody can date, is a gap, and is missing indeed.
//
// # Order
//
// The oldest message goes first. While more wait than may be in flight, Config.NewestShare of the messages is taken from
// the newest that this process has made, from memory, so that operators see the present; when the backlog reaches them
// they are not sent again. They go in the order of their numbers, and from one place at most a few dozen times, because
// ingest remembers 64 gaps. If the link cannot carry all that is new with that share, the share grows to three quarters
// first; only then are new ones left to the backlog.
//
// # Time
//
// A message is never sent with a guessed date. Those of this boot wait until package clock knows the date, and what can
// be sent goes past them. Those of an earlier boot are dated if its date was ever known, and otherwise go into a file
// for people, are counted, and block nothing.
//
// # What can be lost
//
//	process killed      what Put has taken and is not with the kernel: the readings of the last MaxDelay
//	power lost          that, and what the spool has not forced to the disk: Config.Spool.SyncInterval (EdgeConfig: 1 s)
//	                    or SyncBytes; and what the card has not kept of what it has confirmed
//	disk full, failing  nothing, until Config.MemoryBytes wait in memory; then the oldest of those
//	spool full          by its policy: with EdgeConfig the oldest
//
// While the disk refuses, messages are sent from memory. The broker may get a message twice: after a restart up to what
// was acknowledged in the last Config.CommitEvery, or as much as one file of the spool holds.
//
// # Bounds
//
//	disk      Config.Spool, Config.AsideBytes
//	memory    Config.MemoryBytes while the disk refuses; Config.InFlight messages with the uplink; 64 of the newest
package outbox
