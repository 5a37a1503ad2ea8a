// Package bridge is what runs in a cabinet at the kerb: it reads the sensors on buses and local radio, keeps every reading
// until the city's broker has acknowledged it, and says how it does. cmd/lamppost-bridge makes one of it.
//
//	settings ─► fleet of stations          outbox             uplink
//	            station: open, read, ──►   frames on    ──►   MQTT     ──► broker
//	            open anew after faults     the disk           QoS 1
//	box, stations ─► health, status ───────────────────────────▲ │
//	desk: settings and commands from afar ◄──────────────────────┘
//
// Each sensor has a station, a goroutine of its own, so that one that hangs, floods or vanishes harms no other, and every
// fault mends itself when its cause is gone. Nothing here asks what time it is: readings carry instants of the machine's
// own clock, which package clock dates.
package bridge
