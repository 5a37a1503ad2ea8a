package api

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/lamppost-city/lamppost/telemetry"
)

const timeFormat = "2006-01-02T15:04:05.000Z"

// encoder writes readings as JSON without reflection: what follows from the quantity alone is encoded beforehand. It
// never changes and may be used by many goroutines.
type encoder struct {
	quantities []quantityText
}

// quantityText holds the parts of a reading's JSON that are the same for every reading of a quantity.
type quantityText struct {
	name   string   // `,"quantity":"speed","channel":`
	unit   string   // `,"unit":"km/h","time":"`
	states []string // `,"state":"open"`
}

func newEncoder() *encoder {
	all := telemetry.Quantities()
	e := &encoder{quantities: make([]quantityText, len(all))}
	for i := range all {
		q := &all[i]
		text := quantityText{
			name: `,"quantity":` + quote(q.Name) + `,"channel":`,
			unit: `,"unit":` + quote(q.Unit.Symbol) + `,"time":"`,
		}
		for _, state := range q.States {
			text.states = append(text.states, `,"state":`+quote(state))
		}
		e.quantities[q.ID] = text
	}
	return e
}

// quote encodes a string as JSON encoders do, without the escapes that only HTML needs.
func quote(text string) string { return string(appendString(nil, text)) }

// appendReading appends one reading: {"sensor","quantity","channel","value","unit","time"}, with "state" where the
// quantity is a state and "stamped" where the time is that of receipt.
func (e *encoder) appendReading(dst []byte, r *telemetry.Reading) []byte {
	return append(e.appendOpen(dst, r), '}')
}

// appendOpen appends a reading without its closing brace.
func (e *encoder) appendOpen(dst []byte, r *telemetry.Reading) []byte {
	q := &e.quantities[r.Quantity]
	dst = append(dst, `{"sensor":`...)
	dst = appendString(dst, string(r.Sensor))
	dst = append(dst, q.name...)
	dst = appendString(dst, r.Channel)
	dst = append(dst, `,"value":`...)
	dst = appendFloat(dst, r.Value)
	dst = append(dst, q.unit...)
	dst = appendTime(dst, r.Measured)
	dst = append(dst, '"')
	if q.states != nil && r.Value >= 0 && r.Value < float64(len(q.states)) {
		dst = append(dst, q.states[int(r.Value)]...)
	}
	if r.Stamped {
		dst = append(dst, `,"stamped":true`...)
	}
	return dst
}

func appendTime(dst []byte, at telemetry.UnixMilli) []byte {
	return at.Time().AppendFormat(dst, timeFormat)
}

// appendFloat writes a number as encoding/json does (ECMAScript's form); NaN and infinities, which JSON has not, as null.
func appendFloat(dst []byte, v float64) []byte {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return append(dst, "null"...)
	}
	format := byte('f')
	if abs := math.Abs(v); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	return strconv.AppendFloat(dst, v, format, -1, 64)
}

// appendString writes a JSON string. Ids and channels need no escape; anything else takes the slower way.
func appendString(dst []byte, text string) []byte {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' {
			return appendEscaped(dst, text)
		}
	}
	dst = append(dst, '"')
	dst = append(dst, text...)
	return append(dst, '"')
}

func appendEscaped(dst []byte, text string) []byte {
	dst = append(dst, '"')
	for _, c := range text { // invalid UTF-8 becomes U+FFFD
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', byte(c))
		case c < ' ' || c == 0x7f || c == 0x2028 || c == 0x2029:
			dst = fmt.Appendf(dst, `\u%04x`, c)
		default:
			dst = append(dst, string(c)...)
		}
	}
	return append(dst, '"')
}

// streamer is an answer that writes its own JSON, in pieces, because it may be large.
type streamer interface {
	writeJSON(w io.Writer) error
}

// pieceBytes is how much a streamer gathers before it writes.
const pieceBytes = 32 << 10

// writeJSON is the format that huma encodes answers with.
func writeJSON(w io.Writer, v any) error {
	if s, ok := v.(streamer); ok {
		return s.writeJSON(w)
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// Time is an instant as the API shows it: RFC 3339 in UTC with milliseconds.
type Time telemetry.UnixMilli

// TimeOf cuts t to milliseconds.
func TimeOf(t time.Time) Time { return Time(telemetry.MilliOf(t)) }

// MarshalJSON implements json.Marshaler.
func (t Time) MarshalJSON() ([]byte, error) {
	dst := append(make([]byte, 0, len(timeFormat)+2), '"')
	return append(appendTime(dst, telemetry.UnixMilli(t)), '"'), nil
}

// UnmarshalJSON implements json.Unmarshaler, for clients written in Go.
func (t *Time) UnmarshalJSON(data []byte) error {
	var at time.Time
	if err := json.Unmarshal(data, &at); err != nil {
		return err
	}
	*t = TimeOf(at)
	return nil
}

// Schema implements huma.SchemaProvider.
func (Time) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: "date-time"}
}
