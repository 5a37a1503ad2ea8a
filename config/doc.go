// Package config loads what a person has set: from a file, the environment and flags, over defaults, and says everything
// that is wrong with it at once. cmd calls it with the struct that joins the configurations of the parts it needs; the
// parts own and check what is in them.
//
//	defaults < file (YAML) < LAMPPOST_SECTION_KEY < flags ──Load──► struct, Sources
//
// Durations are written as 90s, 12h or 30d, sizes (keys that end in _bytes) as a number or as 64MiB, times as RFC 3339.
package config
