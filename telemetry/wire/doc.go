// Package wire reads every payload that Lamppost owns: SenML in JSON and in CBOR, and plain JSON.
//
// It stands between broker and ingest, which gives it each message as it comes from the topic. It tells the formats apart by
// their first bytes, since a topic does not say which one a publisher speaks:
//
//	{"time":"2026-03-01T12:00:00Z","speed":47.5}      plain JSON, one record
//	[{"time":1772366400,"speed":47.5}]                plain JSON, several
//	[{"n":"speed","v":47.5,"t":1772366400}]           SenML JSON: the first key that is known is a label of SenML
//	81 a2 00 65 "speed" 02 f9 51f0                    SenML CBOR: a CBOR array
//
// Whatever the bytes are, the outcome is a telemetry.Message: every value that is present becomes a reading or a fault with
// its reason and place.
package wire
