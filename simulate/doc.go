// Package simulate runs a synthetic city: its sensors report over MQTT as real ones would, sins included.
//
// It stands before the first hop and takes its place where there is no street. `lamppost simulate` calls Run, `lamppost
// up --demo` calls Demo; both end with how much the broker has acknowledged.
//
//	city ──► schedule ──► readings ──► sins ──► encode ──► uplink ──► broker
//	                                                         └ acknowledged ──► record
//
// Each sensor is a publisher of its own, on <root>/<sensor>/readings. A message holds what one sensor measured at one time.
//
// Sequence numbers start at the Unix time in seconds at which the run starts, times 2^21, and each publisher's grows by one with
// every message. So they do not go back when the simulator is started again, and jump by more than 2^20, which ingest takes for a
// new start and not for messages that were lost; unless a sensor sends more than a million messages a second, or the
// simulator is started twice in a second, whose numbers are then the same.
package simulate
