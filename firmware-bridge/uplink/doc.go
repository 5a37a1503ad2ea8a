// Package uplink publishes over MQTT at QoS 1 and keeps every message until the broker has acknowledged it, whatever
// happens to the connection or to the broker in between.
//
// It is the last step of the bridge, and of simulator and replay, which come in as a bridge does. Messages come in through
// Publish, and Counts says at any time how many of them the broker has confirmed.
//
//	Publish ──► lane 0 ──► window of unacknowledged messages ──► connection ──► broker
//	        └─► lane 1 ...        ▲                                  │ PUBACK
//	                              └──── forgotten only then ◄────────┘
//
// A topic always takes the same lane, so the messages of one topic arrive in the order of Publish. After a connection
// is lost its lane opens another one and sends what was not acknowledged again, in order: the broker may see a message
// twice, never not at all.
//
// A bridge's publisher has a Session as well: a will and a birth, which say whether it is there, subscriptions, and
// announcements that need not arrive.
//
//	connected ──► birth ──► subscriptions ──► what was not acknowledged ──► what is new
//
// With Config.ClientID the broker ends an old connection that it takes for alive, publishes its will, and only then
// hears the birth.
//
// The tokens of paho do not decide. A token may end without error where no PUBACK came, so the connection itself is
// watched: a message is acknowledged when the bytes of its PUBACK were read from the connection on which it was sent.
package uplink
