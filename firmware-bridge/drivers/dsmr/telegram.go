package dsmr

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

var (
	errCRC  = errors.New("the checksum of a telegram is wrong")
	errCut  = errors.New("a telegram was cut")
	errBare = errors.New("a telegram of DSMR 4 or later has no checksum")
	errForm = errors.New("a telegram is not as it should be")
)

// maxTelegram is far beyond what meters send: 1024 characters of text message are 2048 of the telegram.
const maxTelegram = 8 << 10

// version is the object that telegrams have since DSMR 4, and with it a checksum.
const version = "1-3:0.2.8("

// Split finds telegrams: from / to the line of !, which ends in a CRC. Telegrams of DSMR 2.2 and 3 have none; for those of later
// versions it has to be there and right.
func Split(b []byte) (done int, frame []byte, wrong error) {
	i := bytes.IndexByte(b, '/')
	switch {
	case i < 0:
		return len(b), nil, nil
	case i > 0:
		return i, nil, nil
	}
	end := bytes.IndexByte(b, '!')
	if end < 0 {
		if again := bytes.LastIndexByte(b, '/'); again > 0 {
			return again, nil, errCut
		}
		return 0, nil, nil
	}
	if again := bytes.LastIndexByte(b[:end], '/'); again > 0 {
		return again, nil, errCut
	}
	const last = len("!ABCD\r\n")
	eol := bytes.IndexByte(b[end:], '\n')
	switch {
	case eol < 0 && len(b)-end < last:
		return 0, nil, nil
	case eol < 0 || eol >= last:
		return end + 1, nil, errForm
	}
	after := bytes.TrimRight(b[end+1:end+eol], "\r")
	whole := b[:end+eol+1]
	if len(after) == 0 {
		if bytes.Contains(whole, []byte(version)) {
			return len(whole), nil, errBare
		}
		return len(whole), whole, nil
	}
	sum, err := strconv.ParseUint(string(after), 16, 16) // some meters leave leading zeros out
	if err != nil || len(after) > 4 || sum != uint64(crc16(b[:end+1])) {
		return end + 1, nil, errCRC
	}
	return len(whole), whole, nil
}

// crc16 is the checksum of the standard's Data Readout: x^16 + x^15 + x^2 + 1, least bit first, from 0, over
// everything from / to ! inclusive.
func crc16(b []byte) uint16 {
	var crc uint16
	for _, c := range b {
		crc ^= uint16(c)
		for range 8 {
			low := crc & 1
			crc >>= 1
			if low == 1 {
				crc ^= 0xa001
			}
		}
	}
	return crc
}

// Telegram makes a telegram of its lines: line ends, the line of ! and the checksum.
func Telegram(lines ...string) []byte {
	b := []byte(strings.Join(lines, "\r\n") + "\r\n!")
	return fmt.Appendf(b, "%04X\r\n", crc16(b))
}

// code is an OBIS code: medium, channel, and the three numbers of what is measured.
type code struct {
	medium, channel int
	what            [3]int
}

// object is a line of a telegram: a code, and values in brackets.
type object struct {
	code
	values []string
}

// parse reads the objects of a telegram. Lines that are no objects are left out where a checksum says that they are meant so;
// without one they are an error, for there is nothing else that would tell.
func parse(telegram []byte) ([]object, error) {
	lines := strings.Split(strings.ReplaceAll(string(telegram), "\r\n", "\n"), "\n")
	checked := false
	var objects []object
	odd := ""
	for _, line := range lines[1:] { // the first names the meter
		switch {
		case line == "":
		case line[0] == '!':
			checked = len(line) > 1
		case line[0] == '(' && len(objects) > 0: // a value on a line of its own, in DSMR 2.2 and 3
			more, ok := brackets(line)
			if !ok {
				odd = line
				continue
			}
			o := &objects[len(objects)-1]
			o.values = append(o.values, more...)
		default:
			name, rest, _ := strings.Cut(line, "(")
			c, ok := parseCode(name)
			values, too := brackets("(" + rest)
			if !ok || !too {
				odd = line
				continue
			}
			objects = append(objects, object{code: c, values: values})
		}
	}
	if odd != "" && !checked {
		return nil, fmt.Errorf("%w: %.60q", errForm, odd)
	}
	if len(objects) == 0 {
		return nil, fmt.Errorf("%w: it holds nothing", errForm)
	}
	return objects, nil
}

// brackets takes (a)(b)(c) apart.
func brackets(s string) ([]string, bool) {
	inner, ok := strings.CutPrefix(s, "(")
	inner, too := strings.CutSuffix(inner, ")")
	if !ok || !too {
		return nil, false
	}
	parts := strings.Split(inner, ")(")
	for _, p := range parts {
		if strings.ContainsAny(p, "()") {
			return nil, false
		}
	}
	return parts, true
}

// parseCode reads a code like 1-0:1.8.1, with or without a sixth number.
func parseCode(s string) (code, bool) {
	s, _, _ = strings.Cut(s, "*")
	medium, s, ok := strings.Cut(s, "-")
	channel, s, too := strings.Cut(s, ":")
	parts := strings.Split(s, ".")
	if !ok || !too || len(parts) < 3 || len(parts) > 4 {
		return code{}, false
	}
	var numbers [5]int
	for i, text := range []string{medium, channel, parts[0], parts[1], parts[2]} {
		n, err := strconv.ParseUint(text, 10, 8)
		if err != nil {
			return code{}, false
		}
		numbers[i] = int(n)
	}
	return code{medium: numbers[0], channel: numbers[1], what: [3]int(numbers[2:])}, true
}

// number reads a value with its unit, like 000123.456*kWh.
func number(s string) (value float64, unit string, ok bool) {
	digits, unit, _ := strings.Cut(s, "*")
	if digits == "" || strings.Trim(digits, "-0123456789.") != "" {
		return 0, "", false
	}
	value, err := strconv.ParseFloat(digits, 64)
	return value, unit, err == nil
}

const stampLayout = "060102150405"

// stamp reads YYMMDDhhmmss with S (summer time) or W. Telegrams of DSMR 2.2 and 3 have neither; their hour that comes twice in
// autumn cannot be told apart. It is false for what is no time, such as that of a meter that does not answer, and for
// times before 2020, which are those of a clock that was never set.
func stamp(s string, zone *time.Location) (time.Time, bool) {
	if len(s) < len(stampLayout) {
		return time.Time{}, false
	}
	digits, season := s[:len(stampLayout)], s[len(stampLayout):]
	t, err := time.ParseInLocation(stampLayout, digits, zone)
	if err != nil || t.Year() < 2020 {
		return time.Time{}, false
	}
	if season == "" {
		return t, true
	}
	for _, shift := range []time.Duration{0, time.Hour, -time.Hour} {
		u := t.Add(shift)
		if u.Format(stampLayout) == digits && (season == "S" && u.IsDST() || season == "W" && !u.IsDST()) {
			return u, true
		}
	}
	return time.Time{}, false
}
