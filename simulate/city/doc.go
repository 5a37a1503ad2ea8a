// Package city is a synthetic city: sensors with titles and places on a street plan, and what each of them measures at any
// moment.
//
// It stands at the very beginning, where the street would be; simulate asks it for readings and sends them.
//
//	seed, size ──► street plan ──► sites ──► sensors
//	time ──► moment: weather, sun, rhythm of the week, incidents ──► Readings of a sensor
//
// Every value is a function of the seed, the sensor and the time, and of nothing else: the same city asked twice, in any
// order, gives the same answers, and neither past nor future has to be simulated to know the present. Values hang
// together: flow, speed and occupancy follow a fundamental diagram, power is voltage times current times power factor,
// exhaust and noise follow the traffic, ozone the sun, street lights the dusk, the river the rain.
package city
