package replay

import "time"

// wallClock turns the local times of a recording's rows, in the order of the rows, into instants.
//
// When the clock goes back in autumn an hour comes twice. A row in it belongs to the first pass (daylight time) until
// the local time stops growing; from there on, to the second pass (standard time). When the clock goes forward in spring an
// hour does not exist; a row in it was written by a clock that had not been changed yet, so the offset before the change
// holds. Rows must be in the order in which they were taken, at least in these hours.
type wallClock struct {
	zone *time.Location

	day    time.Time // of the last row in a repeated hour; zero if there was none
	last   time.Time // local time of that row, as if it were UTC
	second bool
}

// instant takes a local time that was read as if it were UTC.
func (w *wallClock) instant(local time.Time) time.Time {
	// No offset is larger than 15 hours, and no zone changes its clock twice within 30.
	before := offset(local.Add(-15*time.Hour), w.zone)
	after := offset(local.Add(15*time.Hour), w.zone)
	early, late := local.Add(-before), local.Add(-after)
	if before == after {
		return early
	}
	fitsEarly, fitsLate := offset(early, w.zone) == before, offset(late, w.zone) == after
	switch {
	case fitsEarly && fitsLate: // the repeated hour
		day := local.Truncate(24 * time.Hour)
		w.second = w.day.Equal(day) && (w.second || !local.After(w.last))
		w.day, w.last = day, local
		if w.second {
			return late
		}
		return early
	case fitsLate:
		return late
	}
	return early // before the change, or in the hour that does not exist
}

func offset(at time.Time, zone *time.Location) time.Duration {
	_, seconds := at.In(zone).Zone()
	return time.Duration(seconds) * time.Second
}
