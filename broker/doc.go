// Package broker is the MQTT 3.1.1 broker inside the process: nats-server, kept on a leash. Publishers (sensors and
// bridges) hand it their payloads, ingest takes them from it; lamppost up starts it, or a city runs a broker of its own.
//
//	publisher ──QoS 1──► front ──► [gate: credentials, permissions, bounds] ──► stream on disk ──► durable session ──► ingest
//	          ◄─PUBACK───────────────────────────────────── stored ◄────────────────┘                  ▲
//	                                                                      deleted when ◄─── PUBACK ────┘
//
// What it holds:
//   - A PUBACK goes out only after the message is on disk. A message that may not be published, or finds the store full,
//     gets none: its connection is closed, and the publisher sends it again.
//   - Config.Subscribers exist, with their subscriptions, before the first publisher is let in, so that what arrives
//     before ingest's very first connection is kept too.
//   - A publisher may publish <root>/<id>/readings and <root>/<id>/status, and read <root>/<id>/config; nothing else.
//   - Without credentials it serves loopback only; off loopback it wants credentials and TLS.
//   - Nothing but the MQTT port is opened: no NATS port, no monitoring port, no cluster. The port of loopback behind it
//     lets in nobody but the front and this process.
//   - A topic with white space, which nats-server refuses, arrives with %20 and the like in its place.
//
// docs/decisions/embedded-broker.md says why nats-server, what power loss can take, and what it cannot do.
package broker
