// Package ingest carries messages from the broker to the store and accounts for every reading in them. It comes after
// the broker and before the store; cmd runs it.
//
//	mqtt.Session ─Batch─► judge ──────────────► append ───────────────────► write.Writer ──► store
//	                      decode, resolve,      spool (durable), then        POST, sort out
//	                      check, encode         acknowledge, tell the        what is refused
//	                        │  ▲                ledger and the live hub        │
//	                 Directory │                        ▼                      ▼
//	                           └── retried ────────── ledger ◄─────────────────┘
//
// A batch of messages becomes one frame.Frame. Once the frame is durable in the spool nothing of it can be lost: only
// then are its messages acknowledged to the broker. Where the spool is full or the disk fails nothing is acknowledged,
// and the broker keeps the messages.
package ingest
