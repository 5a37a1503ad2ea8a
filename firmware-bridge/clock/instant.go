// Package clock tells the time on a board that has no battery for its clock.
//
// Drivers stamp what they measure with an Instant of the machine's own clock, which needs no date and never jumps. Which
// date that was is known once somebody says what time it is: the system's clock (synchronised by NTP), a satellite
// receiver, or the broker. What was measured before is dated then.
//
//	driver ──► Instant ──► outbox ──► Clock.Date ──► SenML with real times
//	                                      ▲
//	            NTP, GNSS, broker ────────┘ Tell
package clock

import "time"

// Instant is a moment on the machine's own clock: nanoseconds since it was switched on (CLOCK_BOOTTIME). It goes on over
// restarts of the process and begins anew with the machine.
type Instant int64

// Add returns the instant d later.
func (i Instant) Add(d time.Duration) Instant { return i + Instant(d) }

// Sub returns how long after j the instant i is.
func (i Instant) Sub(j Instant) time.Duration { return time.Duration(i - j) }
