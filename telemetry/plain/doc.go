// Package plain reads plain JSON: an object, or an array of objects, whose keys are quantities of the catalogue.
//
// It stands between broker and ingest; wire calls it when a payload begins like such an object.
//
//	{"time":"2026-03-01T12:00:00.250Z","seq":17,"speed":47.5,"intensity":12}  ──►  Message{Readings, Faults, Seq}
//
// These keys are not quantities:
//
//   - time is RFC 3339 with a zone, or a Unix time in seconds, milliseconds, microseconds or nanoseconds, told apart by size,
//     as a number or as a text. Without it the record's readings get the time of receipt and are marked Stamped.
//   - seq is the publisher's sequence number of the message, a whole number.
//   - sensor is whose readings they are; without it, the publisher's.
//   - channel is that of all the record's readings.
//
// Each other key must be the name of a quantity, its value a number in the quantity's own unit; for a state also one of its
// names, or true or false for its second or first. There is no way to name a unit: whoever measures in another sends SenML.
//
// A null is an absent value: it makes neither a reading nor a fault. Every other value becomes one or the other: an unknown key
// is a fault, its neighbours are read. A key that comes twice is a fault too, and the first counts. If time, sensor or
// channel cannot be read all the record's readings become faults of that reason. If the structure breaks within a
// record, what came before is kept only if the record's time was already read, since a reading without its time would be false.
package plain
