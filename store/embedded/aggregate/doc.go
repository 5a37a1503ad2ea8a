// Package aggregate answers the questions with which Lamppost asks the embedded store for the past, where they combine
// readings into steps: straight from the blocks of the store's files, and not through the engine's iterators, which
// cost 100 ns and more for each reading.
//
// It stands between the query executor of store/embedded and the engine. A statement that it knows it answers itself;
// every other one it hands on. What comes back is the same, so nobody who asks has to know.
//
//	httpd ──SELECT──► Executor ──means, sum, count, min, max, percentile by time──► series ──► blocks of 1,000 ──► steps
//	                     │
//	                     └──everything else──► the engine's own executor
//
// It relies on the shape in which Lamppost writes: tags are those of Tags, and fields are floating-point numbers. Where
// a field has another type the engine answers.
package aggregate
