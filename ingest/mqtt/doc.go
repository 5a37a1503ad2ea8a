// Package mqtt brings messages from the broker into ingest. It is the first step of ingest's line: batches of messages
// come out of a Session, and are acknowledged to the broker when the line has made them durable.
//
//	broker ══TCP══► tap ──PUBLISH──────────► Batch ──► ingest's line
//	                 │  ▲                      │
//	  everything else│  └─────PUBACKs──────────┘ Acknowledge
//	                 ▼
//	               paho   (CONNECT, SUBSCRIBE, PING, DISCONNECT)
//
// The paho client keeps the session, but it does not see the messages: of the microseconds that a message costs in it,
// nearly all go into four hand-overs between goroutines and a system call for each part of a packet and for each
// acknowledgement. The tap is the net.Conn that paho is given. It reads whole chunks from the network, takes the PUBLISH packets out of
// the stream, and writes the PUBACKs of a whole batch at once (MQTT 3.1.1, sections 3.3 and 3.4).
package mqtt
