// Package scan holds what telemetry's decoders share: a JSON scanner, numbers, times, a bounded table of known texts and the
// wording of faults.
//
// It is below the wire formats: plain and senml call it with the bytes of a payload and get tokens back.
//
//	payload ──► Scanner ──► Value{Kind, Num, Text} ──► plain, senml
//
// Nothing here allocates as long as texts are short of escapes and already known. Texts are slices of the payload and are
// not checked to be UTF-8: a text that a decoder knows is valid by that, and one that it does not know it checks.
package scan
