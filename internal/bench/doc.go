// Command bench measures what ingest costs and carries, beside a bare MQTT client, the broker alone and the store
// alone, in the same run on the same machine: machines differ and are noisy, ratios travel. `make bench` runs it.
//
// Each part runs in a process of its own, so that its processor time can be told apart. Every measurement has a broker
// and a store of its own; messages wait at the broker before the clock starts, unless it says otherwise.
//
//	parent ──publishes──► broker ──► bare paho client that acknowledges     what a message costs an application
//	                      broker ──► ingest's own client, that acknowledges what the broker alone gives
//	                      broker ──► ingest ──► store                       the whole way
//	       the same points, encoded beforehand ──► store                    what the store alone takes
//
// The broker is the embedded one and, where it is installed, Mosquitto. A message holds three readings (plain JSON, one
// point) or a hundred (SenML in CBOR, a hundred points).
package main
