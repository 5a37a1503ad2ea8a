package wire

import (
	"github.com/lamppost-city/lamppost/telemetry"
	"github.com/lamppost-city/lamppost/telemetry/internal/scan"
	"github.com/lamppost-city/lamppost/telemetry/plain"
	"github.com/lamppost-city/lamppost/telemetry/senml"
)

// Decoder reads payloads. It remembers names between messages, which is what makes it fast, so each worker needs one of its
// own: it is not safe for concurrent use.
type Decoder struct {
	limits telemetry.Limits
	plain  *plain.Decoder
	senml  *senml.Decoder
	peek   scan.Scanner
	value  scan.Value
}

// NewDecoder makes a decoder within limits, which must be valid; telemetry.DefaultLimits are.
func NewDecoder(limits telemetry.Limits) *Decoder {
	return &Decoder{limits: limits, plain: plain.NewDecoder(limits), senml: senml.NewDecoder(limits)}
}

// format is a payload format: whether a payload may be of it, and how it is read.
type format struct {
	fits func(d *Decoder, payload []byte) bool
	read func(d *Decoder, msg *telemetry.Message, payload []byte, from telemetry.Origin)
}

// formats are all that there are; the first that fits reads.
var formats = [...]format{
	{(*Decoder).isSenMLCBOR, func(d *Decoder, msg *telemetry.Message, payload []byte, from telemetry.Origin) {
		d.senml.DecodeCBOR(msg, payload, from)
	}},
	{(*Decoder).isSenMLJSON, func(d *Decoder, msg *telemetry.Message, payload []byte, from telemetry.Origin) {
		d.senml.DecodeJSON(msg, payload, from)
	}},
	{(*Decoder).isPlainJSON, func(d *Decoder, msg *telemetry.Message, payload []byte, from telemetry.Origin) {
		d.plain.Decode(msg, payload, from)
	}},
}

// Decode appends what the payload holds to msg, which the caller has Reset: its readings, a fault for everything that could not
// become one, and the sequence number. It keeps neither msg nor payload, and takes any bytes.
func (d *Decoder) Decode(msg *telemetry.Message, payload []byte, from telemetry.Origin) {
	for i := range formats {
		if formats[i].fits(d, payload) {
			formats[i].read(d, msg, payload, from)
			return
		}
	}
	detail := "the payload is empty"
	if len(payload) > 0 {
		detail = scan.Detail("the payload begins with %s, which is neither JSON object or array nor a CBOR array",
			scan.Excerpt(payload[:min(len(payload), 12)]))
	}
	msg.Faults = append(msg.Faults, telemetry.Fault{Reason: telemetry.ReasonMalformed, Sensor: from.Publisher, Detail: detail})
}

// isSenMLCBOR says whether the payload begins like a CBOR array, tagged or not.
func (d *Decoder) isSenMLCBOR(payload []byte) bool {
	if len(payload) == 0 {
		return false
	}
	// The tag for self-described CBOR (RFC 8949 section 3.4.6).
	if len(payload) > 3 && payload[0] == 0xD9 && payload[1] == 0xD9 && payload[2] == 0xF7 {
		return true
	}
	return payload[0] >= 0x80 && payload[0] <= 0x9F
}

// isSenMLJSON says whether the payload is a JSON array in which the first key that either format knows is SenML's.
func (d *Decoder) isSenMLJSON(payload []byte) bool {
	d.peek.Reset(payload, d.limits.MaxDepth)
	defer d.peek.Release()
	if !d.peek.Take('[') {
		return false
	}
	for {
		if !d.peek.Take('{') {
			if !d.peek.Value(&d.value, 2) {
				return false
			}
		} else if senML, known := d.keysOfRecord(); known {
			return senML
		}
		if !d.peek.Take(',') {
			return false
		}
	}
}

// keysOfRecord looks for a key that tells the format, after a record's opening brace.
func (d *Decoder) keysOfRecord() (senML, known bool) {
	for !d.peek.Take('}') {
		key, ok := d.peek.Key()
		switch {
		case !ok:
			return false, true
		case senml.IsLabel(key):
			return true, true
		case d.plain.Known(key):
			return false, true
		}
		if !d.peek.Value(&d.value, 3) || !d.peek.Take(',') && d.peek.Next() != '}' {
			return false, true
		}
	}
	return false, false
}

// isPlainJSON says whether the payload begins like a JSON object or array.
func (d *Decoder) isPlainJSON(payload []byte) bool {
	d.peek.Reset(payload, d.limits.MaxDepth)
	defer d.peek.Release()
	c := d.peek.Next()
	return c == '{' || c == '['
}
