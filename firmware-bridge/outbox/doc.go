// Package outbox keeps readings on the disk until the broker has acknowledged them. It is the bridge's part between the
// sensors and the uplink: the bridge puts readings in as they come, and MQTT messages go out.
//
//	Put ──► batch ──► frame ──► spool ──► oldest first ────► uplink ──► broker
//	                    │                       ▲              │
//	                    └──► newest, a share ───┘   PUBACK: the cursor moves
//
// The whole text is to come with the code.
package outbox
