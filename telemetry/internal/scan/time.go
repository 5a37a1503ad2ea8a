package scan

import (
	"math"

	"github.com/lamppost-city/lamppost/telemetry"
)

// The first and the last millisecond of the years 1 to 9999, which are all that RFC 3339 can say.
const (
	firstMilli = -62_135_596_800_000
	lastMilli  = 253_402_300_799_999
)

// Unix reads a count since 1970 whose scale its size tells: below 1e11 seconds (until the year 5138), below 1e14
// milliseconds, below 1e17 microseconds, else nanoseconds. Whole numbers are cut to the millisecond, fractions, which
// are not exact to begin with, rounded to it.
func Unix(v *Value) (telemetry.UnixMilli, bool) {
	if v.Whole && v.Uint < 1<<63 {
		switch n := v.Uint; {
		case n < 1e11:
			return checked(float64(n) * 1000)
		case n < 1e14:
			return telemetry.UnixMilli(n), true
		case n < 1e17:
			return telemetry.UnixMilli(n / 1e3), true
		default:
			return telemetry.UnixMilli(n / 1e6), true
		}
	}
	switch size := math.Abs(v.Num); {
	case size < 1e11:
		return checked(v.Num * 1e3)
	case size < 1e14:
		return checked(v.Num)
	case size < 1e17:
		return checked(v.Num / 1e3)
	default:
		return checked(v.Num / 1e6)
	}
}

// Seconds turns a Unix time in seconds into milliseconds, rounded; false beyond the years 1 to 9999.
func Seconds(s float64) (telemetry.UnixMilli, bool) { return checked(s * 1000) }

func checked(ms float64) (telemetry.UnixMilli, bool) {
	ms = math.Round(ms)
	if !(ms >= firstMilli && ms <= lastMilli) {
		return 0, false
	}
	return telemetry.UnixMilli(ms), true
}

// RFC3339 reads a date and time with its zone, such as 2026-03-01T12:00:00.250Z or 2026-03-01 12:00:00+01:00, and cuts it to
// the millisecond. As its section 5.6 allows, T and Z may be small and T may be a space. A leap second is the second after it.
func RFC3339(b []byte) (telemetry.UnixMilli, bool) {
	if len(b) < len("2006-01-02T15:04:05Z") || b[4] != '-' || b[7] != '-' || b[13] != ':' || b[16] != ':' ||
		b[10]|0x20 != 't' && b[10] != ' ' {
		return 0, false
	}
	century, year, month, day := two(b[0:]), two(b[2:]), two(b[5:]), two(b[8:])
	hour, minute, second := two(b[11:]), two(b[14:]), two(b[17:])
	year += 100 * century
	if century > 99 || year < 1 || year > 9999 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) ||
		hour > 23 || minute > 59 || second > 60 {
		return 0, false
	}
	milli, i, ok := fraction(b, 19)
	if !ok {
		return 0, false
	}
	offset, ok := zone(b[i:])
	if !ok {
		return 0, false
	}
	seconds := (int64(daysSince1970(year, month, day))*24+int64(hour))*3600 + int64(minute)*60 + int64(second) - int64(offset)
	if second == 60 && seconds%86400 != 0 { // leap seconds end a day of UTC
		return 0, false
	}
	ms := seconds*1000 + int64(milli)
	return telemetry.UnixMilli(ms), ms >= firstMilli && ms <= lastMilli
}

// two reads two digits; something above 99 if they are none.
func two(b []byte) int {
	tens, ones := b[0]-'0', b[1]-'0'
	if tens > 9 || ones > 9 {
		return 1 << 20
	}
	return int(tens)*10 + int(ones)
}

// fraction reads the digits after a point at i, and returns the milliseconds and where they end.
func fraction(b []byte, i int) (milli, end int, ok bool) {
	if i >= len(b) || b[i] != '.' && b[i] != ',' {
		return 0, i, true
	}
	i++
	weight, start := 100, i
	for ; i < len(b) && b[i]-'0' <= 9; i++ {
		milli += int(b[i]-'0') * weight
		weight /= 10
	}
	return milli, i, i > start
}

// zone reads Z or an offset such as +01:00, in seconds east of Greenwich.
func zone(b []byte) (int, bool) {
	if len(b) == 1 {
		return 0, b[0]|0x20 == 'z'
	}
	if len(b) != len("+00:00") || b[3] != ':' || b[0] != '+' && b[0] != '-' {
		return 0, false
	}
	hour, minute := two(b[1:]), two(b[4:])
	offset := hour*3600 + minute*60
	if b[0] == '-' {
		offset = -offset
	}
	return offset, hour < 24 && minute < 60
}

func daysIn(year, month int) int {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// daysSince1970 counts days in the Gregorian calendar, with years that begin in March so that the leap day is the last
// (H. Hinnant, chrono-compatible low-level date algorithms).
func daysSince1970(year, month, day int) int {
	if month <= 2 {
		year--
		month += 12
	}
	era := year / 400
	yearOfEra := year - era*400
	dayOfYear := (153*(month-3)+2)/5 + day - 1
	return era*146097 + yearOfEra*365 + yearOfEra/4 - yearOfEra/100 + dayOfYear - 719468
}
