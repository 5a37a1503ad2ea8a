// Package policy holds the rules of this repository as checks, and its tests apply them to the whole of it. It is no part
// of the way of a reading: source files come in, faults go out, and only `go test` calls it.
//
//	git ls-files ──► Read ──► Tree ──► Imports, Owners, Comments, Functions ... ──► faults, each saying what to do
//
// A check is a function of a Tree, so that its test can show it small bad trees: a check that cannot fail holds nothing.
// What linters find as well is left to them.
package policy
