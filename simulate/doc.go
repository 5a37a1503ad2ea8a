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
// Sequence numbers start at the Unix time in microseconds at which the run starts, and each publisher's grows by one with
// every message. So they never go back when the simulator is started again, as long as a sensor sends less than a
// million messages a second; between two runs they jump by more than any gap of lost messages.
package simulate
