package nmea

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

var (
	errSum  = errors.New("the checksum of a sentence is wrong")
	errForm = errors.New("a sentence is not whole")
)

// maxSentence is longer than the 82 characters of the standard: receivers of several systems go beyond.
const maxSentence = 120

// Split finds sentences: $, text, *, and two hexadecimal digits of a checksum, which has to be there and right. The frame is
// all of that.
func Split(b []byte) (done int, frame []byte, wrong error) {
	i := bytes.IndexByte(b, '$')
	switch {
	case i < 0:
		return len(b), nil, nil
	case i > 0:
		return i, nil, nil
	}
	end := bytes.IndexAny(b[1:], "$*\r\n") + 1
	switch {
	case end == 0 && len(b) > maxSentence:
		return 1, nil, errForm
	case end == 0:
		return 0, nil, nil
	case end > maxSentence || b[end] != '*':
		return max(1, end), nil, errForm
	case len(b) < end+3:
		return 0, nil, nil
	}
	sum, err := hex.DecodeString(string(b[end+1 : end+3]))
	if err != nil || sum[0] != checksum(b[1:end]) {
		return 1, nil, errSum
	}
	return end + 3, b[:end+3], nil
}

// checksum is the exclusive or of all characters between $ and *.
func checksum(b []byte) (sum byte) {
	for _, c := range b {
		sum ^= c
	}
	return sum
}

// Sentence makes a sentence of its text: $, checksum and line end.
func Sentence(text string) []byte {
	return fmt.Appendf(nil, "$%s*%02X\r\n", text, checksum([]byte(text)))
}

// epoch is what the sentences of one moment say.
type epoch struct {
	clock string // hhmmss.ss, as it was sent: what belongs together has the same
	date  time.Time

	saidRMC, saidGGA, saidZDA bool

	dated, placed, high, counted, diluted bool // what of the following is known
	latitude, longitude, altitude         float64
	satellites, hdop                      float64
	failed                                bool // a sentence says that there is no fix
}

// complete says whether nothing more is worth waiting for: place, height and date.
func (e *epoch) complete() bool { return e.saidGGA && (e.saidRMC || e.saidZDA) }

// said says whether there was a sentence.
func (e *epoch) said() bool { return e.saidRMC || e.saidGGA || e.saidZDA }

// fix says whether the place is a real one.
func (e *epoch) fix() bool { return e.placed && !e.failed }

// fields splits a whole sentence. kind is its last three letters, whoever the talker is; "" for makers' own.
func fields(frame []byte) (kind string, f []string) {
	f = strings.Split(string(frame[1:len(frame)-3]), ",")
	if len(f[0]) != 5 || f[0][0] == 'P' {
		return "", nil
	}
	return f[0][2:], f[1:]
}

// known says whether a sentence is one of the three, and long enough.
func known(kind string, f []string) bool {
	switch kind {
	case "RMC", "GGA":
		return len(f) >= 9
	case "ZDA":
		return len(f) >= 4
	}
	return false
}

// isOther says whether a sentence is of another moment.
func (e *epoch) isOther(kind string, f []string) bool {
	return known(kind, f) && e.clock != "" && f[0] != e.clock
}

// add takes a sentence of this moment.
func (e *epoch) add(kind string, f []string) {
	if !known(kind, f) {
		return
	}
	e.clock = f[0]
	switch kind {
	case "RMC":
		e.saidRMC = true
		e.rmc(f)
	case "GGA":
		e.saidGGA = true
		e.gga(f)
	case "ZDA":
		e.saidZDA = true
		e.zda(f)
	}
}

// rmc: time, status, latitude, N, longitude, E, speed, course, date (ddmmyy), variation, E, mode.
func (e *epoch) rmc(f []string) {
	if f[1] != "A" || len(f) > 11 && f[11] != "" && strings.ContainsAny(f[11][:1], "NEMS") {
		e.failed = true // no fix, or one that was estimated, typed in or simulated
		return
	}
	e.place(f[2:6])
	if len(f[8]) != 6 {
		return
	}
	year, err := strconv.Atoi(f[8][4:])
	if err != nil {
		return
	}
	// Two digits: receivers that know no date begin in 1980.
	if year += 2000; year >= 2080 {
		year -= 100
	}
	e.at(f[0], f[8][:2], f[8][2:4], year)
}

// gga: time, latitude, N, longitude, E, quality, satellites, HDOP, altitude, M.
func (e *epoch) gga(f []string) {
	if n, err := strconv.ParseUint(f[6], 10, 8); err == nil {
		e.satellites, e.counted = float64(n), true
	}
	switch f[5] {
	case "1", "2", "3", "4", "5": // GPS, differential, PPS, RTK fixed and float
	default:
		e.failed = true
		return
	}
	e.place(f[1:5])
	if v, ok := number(f[7]); ok {
		e.hdop, e.diluted = v, true
	}
	if v, ok := number(f[8]); ok && (len(f) < 10 || f[9] == "M") {
		e.altitude, e.high = v, true
	}
}

// zda: time, day, month, year. It says nothing of a fix, so it counts only beside a sentence that has one.
func (e *epoch) zda(f []string) {
	if year, err := strconv.Atoi(f[3]); err == nil && len(f[3]) == 4 {
		e.at(f[0], f[1], f[2], year)
	}
}

// at notes the date. Nonsense is left out.
func (e *epoch) at(clock, day, month string, year int) {
	if len(clock) < 6 {
		return
	}
	t, err := time.Parse("20060102 150405", fmt.Sprintf("%04d%02s%02s %s", year, month, day, clock[:6]))
	if err != nil {
		return
	}
	if fraction, ok := number("0" + clock[6:]); ok && fraction < 1 {
		t = t.Add(time.Duration(fraction * float64(time.Second)))
	}
	e.date, e.dated = t, true
}

// place takes latitude, N or S, longitude, E or W: degrees and minutes, as ddmm.mmmm and dddmm.mmmm.
func (e *epoch) place(f []string) {
	latitude, ok := degrees(f[0], f[1], "N", "S", 2, 90)
	longitude, too := degrees(f[2], f[3], "E", "W", 3, 180)
	if ok && too {
		e.latitude, e.longitude, e.placed = latitude, longitude, true
	}
}

func degrees(text, side, plus, minus string, digits int, most float64) (float64, bool) {
	if len(text) < digits+2 {
		return 0, false
	}
	whole, err := strconv.ParseUint(text[:digits], 10, 8)
	minutes, ok := number(text[digits:])
	value := float64(whole) + minutes/60
	if err != nil || !ok || minutes < 0 || minutes >= 60 || value > most || side != plus && side != minus {
		return 0, false
	}
	if side == minus {
		value = -value
	}
	return value, true
}

// number parses a plain decimal number.
func number(s string) (float64, bool) {
	if strings.Trim(s, "-0123456789.") != "" {
		return 0, false
	}
	v, err := strconv.ParseFloat(s, 64)
	return v, err == nil && !math.IsInf(v, 0)
}
