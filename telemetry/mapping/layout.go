package mapping

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/lamppost-city/lamppost/telemetry"
)

// directive is one letter of a strptime layout, or a text that has to stand there as it is.
type directive struct {
	letter byte // 0 for a text
	text   string
}

// parseLayout reads a layout in the letters of strptime (POSIX), with %f for fractions of a second and %z for the zone. zoned
// says whether times of that layout say their zone.
func parseLayout(layout string) (list []directive, zoned bool, err error) {
	if len(layout) > 100 {
		return nil, false, fmt.Errorf("has %d characters; at most 100 are allowed", len(layout))
	}
	has := map[byte]bool{}
	for rest := layout; rest != ""; {
		if rest[0] != '%' {
			end := strings.IndexByte(rest, '%')
			if end < 0 {
				end = len(rest)
			}
			list = append(list, directive{text: rest[:end]})
			rest = rest[end:]
			continue
		}
		if len(rest) < 2 {
			return nil, false, errors.New("ends with %")
		}
		letter := rest[1]
		rest = rest[2:]
		switch letter {
		case '%':
			list = append(list, directive{text: "%"})
			continue
		case 'F':
			rest = "%Y-%m-%d" + rest
			continue
		case 'T':
			rest = "%H:%M:%S" + rest
			continue
		case 'Y', 'y', 'm', 'b', 'd', 'H', 'I', 'M', 'S', 'f', 'p', 'z', 's':
		default:
			return nil, false, fmt.Errorf("%%%c is not known; there are %%Y %%y %%m %%b %%d %%H %%I %%p %%M %%S %%f %%z %%s %%F %%T", letter)
		}
		if has[letter] {
			return nil, false, fmt.Errorf("%%%c is there twice", letter)
		}
		has[letter] = true
		list = append(list, directive{letter: letter})
	}
	if has['s'] {
		return list, true, nil
	}
	switch {
	case has['Y'] == has['y'], has['m'] == has['b'], !has['d']:
		return nil, false, errors.New("has no whole date; it needs one of %Y and %y, one of %m and %b, and %d, or %s alone")
	case has['H'] == has['I'], has['I'] != has['p'], !has['M']:
		return nil, false, errors.New("has no whole time; it needs %H, or %I with %p, and %M")
	}
	return list, has['z'], nil
}

// moment is what a layout has found.
type moment struct {
	year, month, day, hour, minute, second, milli int
	pm, noon12                                    bool
	unix                                          int64
	isUnix                                        bool
	offset                                        int // seconds east
	zoned                                         bool
}

// readLayout reads a text. A time without a zone is one of the zone's clock; one that the clock shows twice, in autumn, is
// that nearer to the given time, and one that it never shows is none.
func readLayout(text string, layout []directive, zone *time.Location, near telemetry.UnixMilli) (telemetry.UnixMilli, bool) {
	var m moment
	rest := text
	for _, d := range layout {
		var ok bool
		if d.letter == 0 {
			rest, ok = cutText(rest, d.text)
		} else {
			rest, ok = m.take(rest, d.letter)
		}
		if !ok {
			return 0, false
		}
	}
	if rest != "" || !m.valid() {
		return 0, false
	}
	if m.isUnix {
		return telemetry.UnixMilli(m.unix*1000 + int64(m.milli)), true
	}
	// A leap second is the second after it.
	clock := time.Date(m.year, time.Month(m.month), m.day, m.hour, m.minute, m.second, m.milli*int(time.Millisecond), time.UTC)
	switch {
	case m.zoned:
		return bounded(clock.Add(-time.Duration(m.offset) * time.Second))
	case zone == nil:
		return 0, false
	}
	return local(clock, zone, near)
}

// local finds the moment at which the zone's clock shows what clock, in UTC, says.
func local(clock time.Time, zone *time.Location, near telemetry.UnixMilli) (telemetry.UnixMilli, bool) {
	var best time.Time
	found := false
	for _, side := range []time.Duration{-36 * time.Hour, 36 * time.Hour} { // before and after a change of the clock
		_, offset := clock.Add(side).In(zone).Zone()
		t := clock.Add(-time.Duration(offset) * time.Second)
		if _, there := t.In(zone).Zone(); there != offset {
			continue
		}
		if !found || t.Sub(near.Time()).Abs() < best.Sub(near.Time()).Abs() {
			best, found = t, true
		}
	}
	if !found {
		return 0, false
	}
	return bounded(best)
}

func bounded(t time.Time) (telemetry.UnixMilli, bool) {
	return telemetry.MilliOf(t), t.Year() >= 1 && t.Year() <= 9999
}

// cutText takes a text of the layout; a space in it stands for any number of spaces.
func cutText(rest, text string) (string, bool) {
	for i := range len(text) {
		if text[i] == ' ' {
			trimmed := strings.TrimLeft(rest, " ")
			if len(trimmed) == len(rest) && (i == 0 || text[i-1] != ' ') {
				return "", false
			}
			rest = trimmed
			continue
		}
		if rest == "" || rest[0] != text[i] {
			return "", false
		}
		rest = rest[1:]
	}
	return rest, true
}

// take reads what a letter stands for from the front.
func (m *moment) take(text string, letter byte) (rest string, ok bool) {
	switch letter {
	case 'Y':
		return digits(text, 4, 4, &m.year)
	case 'y':
		rest, ok = digits(text, 2, 2, &m.year)
		if m.year += 1900; m.year < 1969 { // as POSIX has it
			m.year += 100
		}
		return rest, ok
	case 'm':
		return digits(text, 1, 2, &m.month)
	case 'd':
		return digits(strings.TrimPrefix(text, " "), 1, 2, &m.day)
	case 'H':
		return digits(text, 1, 2, &m.hour)
	case 'I':
		rest, ok = digits(text, 1, 2, &m.hour)
		m.noon12 = true
		return rest, ok && m.hour >= 1 && m.hour <= 12
	case 'M':
		return digits(text, 1, 2, &m.minute)
	case 'S':
		return digits(text, 1, 2, &m.second)
	case 'f':
		return m.fraction(text)
	case 's':
		m.isUnix = true
		var n int
		rest, ok = digits(text, 1, 11, &n)
		m.unix = int64(n)
		return rest, ok
	case 'p':
		if len(text) < 2 || !strings.EqualFold(text[1:2], "m") || !strings.EqualFold(text[:1], "a") && !strings.EqualFold(text[:1], "p") {
			return "", false
		}
		m.pm = text[0]|0x20 == 'p'
		return text[2:], true
	case 'b':
		return m.monthName(text)
	case 'z':
		return m.zone(text)
	}
	return "", false
}

// digits reads a whole number of so many digits.
func digits(text string, least, most int, into *int) (string, bool) {
	n := 0
	*into = 0
	for n < most && n < len(text) && text[n] >= '0' && text[n] <= '9' {
		*into = *into*10 + int(text[n]-'0')
		n++
	}
	return text[n:], n >= least
}

func (m *moment) fraction(text string) (string, bool) {
	n, weight := 0, 100
	for n < len(text) && n < 9 && text[n] >= '0' && text[n] <= '9' {
		m.milli += int(text[n]-'0') * weight
		weight /= 10
		n++
	}
	return text[n:], n > 0
}

func (m *moment) monthName(text string) (string, bool) {
	for month := time.January; month <= time.December; month++ {
		name := month.String()
		for _, form := range []string{name, name[:3]} {
			if len(text) >= len(form) && strings.EqualFold(text[:len(form)], form) {
				m.month = int(month)
				return text[len(form):], true
			}
		}
	}
	return "", false
}

// zone reads Z, +01:00, +0100 or +01.
func (m *moment) zone(text string) (string, bool) {
	m.zoned = true
	if text != "" && text[0]|0x20 == 'z' {
		return text[1:], true
	}
	if text == "" || text[0] != '+' && text[0] != '-' {
		return "", false
	}
	var hours, minutes int
	rest, ok := digits(text[1:], 2, 2, &hours)
	if !ok {
		return "", false
	}
	after := strings.TrimPrefix(rest, ":")
	if r, two := digits(after, 2, 2, &minutes); two {
		rest = r
	} else if after != rest {
		return "", false
	} else {
		minutes = 0
	}
	m.offset = hours*3600 + minutes*60
	if text[0] == '-' {
		m.offset = -m.offset
	}
	return rest, hours < 24 && minutes < 60
}

// valid checks the bounds, and turns twelve hours into twenty-four.
func (m *moment) valid() bool {
	if m.isUnix {
		return true
	}
	if m.noon12 {
		if m.hour %= 12; m.pm {
			m.hour += 12
		}
	}
	if m.year < 1 || m.month < 1 || m.month > 12 || m.day < 1 || m.hour > 23 || m.minute > 59 || m.second > 60 {
		return false
	}
	return time.Date(m.year, time.Month(m.month), m.day, 0, 0, 0, 0, time.UTC).Day() == m.day
}

// writeLayout writes a time in the letters of a layout.
func writeLayout(layout []directive, t time.Time) string {
	var b strings.Builder
	for _, d := range layout {
		switch d.letter {
		case 0:
			b.WriteString(d.text)
		case 'f':
			fmt.Fprintf(&b, "%03d", t.Nanosecond()/1e6)
		case 's':
			fmt.Fprint(&b, t.Unix())
		default:
			b.WriteString(t.Format(goLetter(d.letter)))
		}
	}
	return b.String()
}

// goLetter is the element of package time for a letter.
func goLetter(letter byte) string {
	switch letter {
	case 'Y':
		return "2006"
	case 'y':
		return "06"
	case 'm':
		return "01"
	case 'b':
		return "Jan"
	case 'd':
		return "02"
	case 'H':
		return "15"
	case 'I':
		return "03"
	case 'M':
		return "04"
	case 'S':
		return "05"
	case 'p':
		return "PM"
	}
	return "-07:00" // z
}
