// Package replay sends recordings through MQTT as if their sensors reported now: in the order of the measured times, at
// any speed.
//
// It stands before the first hop, in the place of the street. `lamppost replay` calls Run.
//
//	recording.csv + mapping.yml ──► rows with instants ──► merged in time order ──► SenML ──► uplink ──► broker
//
// A mapping says how a file is to be read: separator, time columns and zone, what stands for a missing value, and which
// column is which quantity of which sensor. The mappings of known recordings are part of the program; one beside the file,
// NAME.mapping.yml, takes precedence. See Mapping.
//
// Values are sent in the unit of the recording, as SenML's u, so that the way of a recorded reading is that of a measured
// one: the decoder converts. Measured times keep their milliseconds. Everything is read and checked before the first
// message is sent.
package replay
