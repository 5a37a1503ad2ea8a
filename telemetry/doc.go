// Package telemetry holds the words that every hop of Lamppost uses: readings, sensor ids, quantities, units, and the
// reasons for which a reading can be refused.
//
// It comes before the first hop: drivers and decoders make Readings, ingest checks and stores them, query and api hand
// them out again under the same names.
//
//	payload ──wire──► Message{ Readings, Faults, Seq } ──► ingest
//
// Inside Lamppost a quantity has exactly one unit. Whoever reads a foreign format converts at once, with Convert.
package telemetry
