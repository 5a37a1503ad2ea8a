package frames

import (
	"time"

	"github.com/lamppost-city/lamppost/telemetry/step"
)

// Step is how long the steps of an answer are. Days and months are those of a calendar, and not all of one length.
type Step struct {
	// MS is the length in milliseconds, that of the shortest where they differ; 0 for readings as they are.
	MS int64
	// Length has the days or months, which are in Zone; it is zero for steps of one length.
	Length step.Length
	Zone   *time.Location
}

// Next is when the step after the one at a time begins, in Unix milliseconds.
func (s Step) Next(ms int64) int64 { return s.moved(ms, 1) }

// Before is when the step before the one at a time begins.
func (s Step) Before(ms int64) int64 { return s.moved(ms, -1) }

// moved goes by the clock there and not to where a step begins, because lines that are compared with may begin elsewhere.
func (s Step) moved(ms, by int64) int64 {
	if !s.Length.InCalendar() {
		return ms + by*s.MS
	}
	return time.UnixMilli(ms).In(s.Zone).AddDate(0, int(by)*s.Length.Months, int(by)*s.Length.Days).UnixMilli()
}
