// Command bench measures what ingest costs and carries, beside a bare MQTT client and beside the store alone, in the
// same run on the same machine: machines differ and are noisy, ratios travel.
//
// Each part runs in a process of its own, so that its processor time can be told apart; the parent publishes, starts
// them one after the other, and prints a table. `make bench` runs it.
//
//	parent ──publishes──► broker process ──► bare paho process      (CPU per message)
//	                             └─────────► ingest process ──► store process
//	parent ──the same points, encoded beforehand──────────────► store process
package main
