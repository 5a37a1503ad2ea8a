// Package mapping reads JSON of any shape by a mapping: a list that says which place in the payload is which quantity.
//
// It serves the bridge's local MQTT and ingest's routes alike; package format makes its decoders by name. A mapping is written by
// people, in YAML or JSON; docs/mapping.md tells them how. Those of much used devices are ready, in the folder ready.
//
//	topic, payload ──► tree ──when──► records ──sensor, time──► readings ──► telemetry.Message
//	                                     │
//	                                     └── each: one payload may hold several records
//
// # Paths
//
//	temperature                       a key
//	ENERGY.Power                      a key within a key
//	"a.b"."°C"                        keys in double quotes may have any characters; others may have all but . [ ] * and "
//	ENERGY.Power[0]                   an element of an array, from 0
//	lanes[*].speed, channels.*.value  every element of an array, or every member of an object; * and [*] mean the same
//	values[type=SDS_P1].value         those elements or members whose key type is SDS_P1
//	$, $.device                       the whole payload, from wherever the path stands
//	@                                 the record itself
//
// # What becomes of a payload
//
// Every value that a path leads to becomes a reading, or a fault with its reason and its place. A null, and what Reading.Missing
// lists, is an absent value and makes neither. What no path leads to is left alone, but a record without any mapped value is a fault:
// the mapping does not fit. A record for which a condition of When does not hold is passed over, silently: that is what conditions
// are for. Two values of one quantity, channel, sensor and time cannot both be kept; the first counts, the second is a fault.
//
// A payload that is not whole, or that is bytes rather than text, is one fault, and has no readings. A bare word in the place of a
// value (ON, nan) is a text.
package mapping
