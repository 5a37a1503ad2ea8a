// Package step is the pieces of time in which readings are combined: of a fixed length, or days, weeks, months and years
// of a city's calendar, which are not all of one length. query cuts histories by it, the API reads it, and the data source
// finds steps without a reading by it.
//
//	15m   since 1970, UTC     ├──┼──┼──┼──┤
//	1d    midnight there      ├────────┼───────┼────────┤   23 hours where clocks go forward
//	1mo   the first, there    ├───────────────┼─────────────┤
package step

import (
	"sort"
	"strconv"
	"strings"
	"time"
)

// Length is how long steps are. At most one of its fields is set; the zero Length is no step at all.
type Length struct {
	// Every is a fixed length. Such steps begin at whole multiples of it since 1970 in UTC.
	Every time.Duration
	// Days are counted from Monday, 5 January 1970, so that 7 are an ISO 8601 week.
	Days int
	// Months are counted from January 1970, so that 3 are a quarter and 12 a year.
	Months int
}

// Longest steps, each about 400 years.
const (
	maxEvery  = 100 * 365 * 24 * time.Hour
	maxDays   = 400 * 365
	maxMonths = 400 * 12
)

const day = 24 * time.Hour

// units are those of a calendar, the longer names first where one ends like another.
var units = [...]struct {
	name string
	one  Length
}{
	{"mo", Length{Months: 1}},
	{"y", Length{Months: 12}},
	{"w", Length{Days: 7}},
	{"d", Length{Days: 1}},
}

// Parse reads a length as the API has it: 30s, 5m, 1h30m; or days, weeks, months and years of the calendar like 1d, 1w,
// 3mo, 1y. "" and 0 are the zero Length. It returns false for anything else, for what is negative or not of whole milliseconds,
// and for what is longer than a century.
func Parse(text string) (Length, bool) {
	for _, u := range units {
		number, ok := strings.CutSuffix(text, u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(number, 10, 16)
		l := Length{Days: int(n) * u.one.Days, Months: int(n) * u.one.Months}
		return l, err == nil && l.Days <= maxDays && l.Months <= maxMonths
	}
	if text == "" {
		return Length{}, true
	}
	every, err := time.ParseDuration(text)
	return Length{Every: every}, err == nil && every >= 0 && every%time.Millisecond == 0 && every <= maxEvery
}

// String writes the length as Parse reads it, "" for none.
func (l Length) String() string {
	switch {
	case l.Months > 0 && l.Months%12 == 0:
		return strconv.Itoa(l.Months/12) + "y"
	case l.Months > 0:
		return strconv.Itoa(l.Months) + "mo"
	case l.Days > 0 && l.Days%7 == 0:
		return strconv.Itoa(l.Days/7) + "w"
	case l.Days > 0:
		return strconv.Itoa(l.Days) + "d"
	case l.Every == 0:
		return ""
	}
	text := l.Every.String() // 1h0m0s
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// IsZero says whether there is no step.
func (l Length) IsZero() bool { return l == Length{} }

// InCalendar says whether steps follow a calendar, and so need a place's time zone.
func (l Length) InCalendar() bool { return l.Days > 0 || l.Months > 0 }

// Shortest is the length that no step is shorter than, but for a day on which clocks go forward.
func (l Length) Shortest() time.Duration {
	switch {
	case l.Months >= 12:
		return time.Duration(l.Months/12)*365*day + time.Duration(l.Months%12)*28*day
	case l.Months > 0:
		return time.Duration(l.Months) * 28 * day
	}
	return l.Every + time.Duration(l.Days)*day
}

// Begin returns the beginning of the step that t is in. In a calendar it is midnight in the zone, or the first moment of a
// day that has no midnight. The length must not be zero.
func (l Length) Begin(t time.Time, zone *time.Location) time.Time {
	if !l.InCalendar() {
		ms, every := t.UnixMilli(), l.Every.Milliseconds()
		return time.UnixMilli(floorDiv(ms, every) * every).In(zone)
	}
	begin := l.at(l.number(t.In(zone)), zone)
	// Where clocks go back over midnight, the day before is written once more after the day has begun.
	if next := l.Next(begin); !t.Before(next) {
		return next
	}
	return begin
}

// Next returns the beginning of the step after the one that begins at a time, in whose location the calendar is.
func (l Length) Next(begin time.Time) time.Time {
	if !l.InCalendar() {
		return begin.Add(l.Every)
	}
	// Half a step on is safely within the step, whatever the clocks do at its ends.
	half := begin.Add(l.Shortest() / 2)
	return l.at(l.number(half)+1, begin.Location())
}

// number counts the steps of a calendar since 1970.
func (l Length) number(t time.Time) int64 {
	year, month, dayOfMonth := t.Date()
	if l.Months > 0 {
		return floorDiv(int64(year-1970)*12+int64(month)-1, int64(l.Months))
	}
	days := floorDiv(time.Date(year, month, dayOfMonth, 0, 0, 0, 0, time.UTC).Unix(), int64(day/time.Second))
	return floorDiv(days-monday, int64(l.Days))
}

// monday is the first one since 1970, in days.
const monday = 4

// at is the first moment of a step of a calendar.
func (l Length) at(number int64, zone *time.Location) time.Time {
	if l.Months > 0 {
		return midnight(1970, 1+int(number)*l.Months, 1, zone)
	}
	return midnight(1970, 1, 1+monday+int(number)*l.Days, zone)
}

// midnight is the first moment of a day: the first of two where clocks go back over midnight, and where they go forward over
// it the moment that they do, because time.Date does not say which it takes.
func midnight(year, month, dayOfMonth int, zone *time.Location) time.Time {
	utc := time.Date(year, time.Month(month), dayOfMonth, 0, 0, 0, 0, time.UTC)
	offset := func(t time.Time) time.Duration {
		_, seconds := t.In(zone).Zone()
		return time.Duration(seconds) * time.Second
	}
	// No clock is further from UTC than 14 hours.
	before, after := offset(utc.Add(-15*time.Hour)), offset(utc.Add(15*time.Hour))
	old, changed := utc.Add(-before), utc.Add(-after)
	switch {
	case offset(old) == before:
		return old.In(zone)
	case !changed.Before(old): // they went back before it was midnight
		return changed.In(zone)
	}
	forward := sort.Search(int(old.Sub(changed)/time.Second), func(s int) bool {
		return offset(changed.Add(time.Duration(s)*time.Second)) == after
	})
	return changed.Add(time.Duration(forward) * time.Second).In(zone)
}

func floorDiv(n, by int64) int64 {
	q := n / by
	if n%by < 0 {
		q--
	}
	return q
}
