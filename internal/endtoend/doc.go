// Package endtoend drives the real program from outside, for tests of the whole way of a reading. The tests of cmd/lamppost
// use it.
//
//	Program ──start──► Process          up, simulate, replay, audit; ended by its id, also with SIGKILL
//	City    = a Process of `up` on fixed ports and one data folder, which can be killed and started again
//	Values  = every reading of a record, of a store, of an oracle, to be compared value by value
//
// Nothing here shares code with what is tested, but for the client that reads the store.
package endtoend
