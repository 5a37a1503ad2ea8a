// Package senml reads and writes SenML (RFC 8428), Lamppost's own payload, in JSON and in CBOR.
//
// It stands between broker and ingest; wire calls the Decoder when a payload begins like a SenML pack, and bridge and
// simulate call the encoders.
//
//	[{"bn":"cam-1/","bt":1772366400.25,"n":"speed/2","u":"km/h","v":47.5},
//	 {"n":"intensity/2","v":12,"t":-60}]                                        ──►  Message{Readings, Faults, Seq}
//
// Names, after bn was put before n:
//
//   - "speed" and "speed/2" are a quantity, and its channel, of the publisher.
//   - "cam-1/speed" and "cam-1/speed/2" are those of sensor cam-1. Of two parts the first is a quantity if the catalogue has it,
//     so no sensor may be named like a quantity.
//   - a record whose n is "seq" carries the publisher's sequence number of the message in v.
//
// Units are SenML names, UCUM codes or symbols, and are converted to the quantity's own; without u and bu the value is in that
// already. Times follow RFC 8428 section 4.5.3: the sum of bt and t below 2^28 is relative to the time of receipt; if it is 0 or both
// are absent, the reading is marked Stamped. A state's value is its index in v, its name in vs, or true or false in vb.
// Sums (s, bs) are not kept: a record with one makes a fault. The update time ut and labels that RFC 8428 does not know are
// ignored, as it asks, save that those ending in '_' make their record a fault. A null is an absent value.
//
// A fault spoils its record only. A base field that cannot be read spoils all records that depend on it, until another comes.
package senml
