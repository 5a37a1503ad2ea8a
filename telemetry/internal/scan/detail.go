package scan

import (
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/lamppost-city/lamppost/telemetry"
)

// maxDetail is the length, in bytes, of the longest Fault.Detail.
const maxDetail = 200

// Detail words a fault: valid UTF-8 of at most 200 bytes.
func Detail(format string, args ...any) string {
	text := strings.ToValidUTF8(fmt.Sprintf(format, args...), "?")
	if len(text) <= maxDetail {
		return text
	}
	cut := maxDetail - len("…")
	for !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + "…"
}

// Excerpt shows a text of the payload to people, quoted and cut to 40 bytes or so.
func Excerpt(text []byte) string {
	if len(text) > 40 {
		return fmt.Sprintf("%q…", text[:40])
	}
	return fmt.Sprintf("%q", text)
}

// TextReason is why a text that is not known is refused: known if it is valid UTF-8, else that it is not.
func TextReason(text []byte, known telemetry.Reason) telemetry.Reason {
	if !utf8.Valid(text) {
		return telemetry.ReasonEncoding
	}
	return known
}

// StateOf finds the value of a state by its name.
func StateOf(q *telemetry.Quantity, name []byte) (float64, bool) {
	for i, state := range q.States {
		if string(name) == state {
			return float64(i), true
		}
	}
	return 0, false
}

// Measure turns the value of a field of quantity q into a number in q's unit or, for a state, its index. Where it cannot it
// returns the reason and what is wrong, for people. Missing and Null are for the caller to tell apart.
func Measure(q *telemetry.Quantity, v *Value) (float64, telemetry.Reason, string) {
	isState := q.Kind == telemetry.State
	switch v.Kind {
	case Number:
		if isState && v.Num != math.Trunc(v.Num) {
			return 0, telemetry.ReasonRange, Detail("%g lies between two states", v.Num)
		}
		return v.Num, telemetry.ReasonNone, ""
	case String:
		if isState {
			if i, ok := StateOf(q, v.Text); ok {
				return i, telemetry.ReasonNone, ""
			}
		}
		return 0, TextReason(v.Text, telemetry.ReasonNotANumber), wrongText(q, v.Text)
	case True, False:
		if isState {
			if v.Kind == True {
				return 1, telemetry.ReasonNone, ""
			}
			return 0, telemetry.ReasonNone, ""
		}
		return 0, telemetry.ReasonNotANumber, "the value is true or false, not a number"
	case Compound:
		return 0, telemetry.ReasonNotANumber, "the value is an object or array, not a number"
	case Binary:
		return 0, telemetry.ReasonNotANumber, "the value is bytes, not a number"
	case Junk:
		return 0, TextReason(v.Text, telemetry.ReasonNotANumber), "the value " + Excerpt(v.Text) + " is not a finite number"
	}
	return 0, telemetry.ReasonNotANumber, "the value is missing"
}

func wrongText(q *telemetry.Quantity, text []byte) string {
	switch {
	case !utf8.Valid(text):
		return "the text " + Excerpt(text) + " is not valid UTF-8"
	case q.Kind == telemetry.State:
		return "the value " + Excerpt(text) + " is not one of " + strings.Join(q.States, ", ")
	}
	return "the value is the text " + Excerpt(text) + ", not a number"
}
