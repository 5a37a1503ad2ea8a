package senml

import (
	"github.com/lamppost-city/lamppost/telemetry"
	"github.com/lamppost-city/lamppost/telemetry/internal/scan"
)

// Decoder reads SenML. It remembers the names that it met, so each worker needs one of its own: it is not safe for
// concurrent use.
type Decoder struct {
	limits     telemetry.Limits
	quantities map[string]*telemetry.Quantity
	units      map[string]string // code to itself, to have it as a string without allocating
	names      *scan.Table[*name]

	json  scan.Scanner
	cbor  reader
	value scan.Value
	rec   record
	base  base
	full  []byte // bn and n put together

	msg  *telemetry.Message
	from telemetry.Origin
	room int // how many readings and faults the message may hold in all
}

// name is what a record's full name means. It is never changed: the table of names hands out one for all.
type name struct {
	sensor   telemetry.SensorID // "" is the publisher
	quantity *telemetry.Quantity
	channel  string
}

// NewDecoder makes a decoder within limits, which must be valid.
func NewDecoder(limits telemetry.Limits) *Decoder {
	d := &Decoder{
		limits:     limits,
		quantities: map[string]*telemetry.Quantity{},
		units:      map[string]string{},
		names:      scan.NewTable[*name](limits.MaxNames),
	}
	all := telemetry.Quantities()
	for i := range all {
		d.quantities[all[i].Name] = &all[i]
	}
	for _, unit := range telemetry.Units() {
		for _, code := range []string{unit.SenML, unit.UCUM, unit.Symbol} {
			d.units[code] = code
		}
	}
	return d
}

// DecodeJSON appends what the JSON payload holds to msg: readings, and a fault for everything that could not become one. It
// keeps neither msg nor payload.
func (d *Decoder) DecodeJSON(msg *telemetry.Message, payload []byte, from telemetry.Origin) {
	d.begin(msg, from)
	d.json.Reset(payload, d.limits.MaxDepth)
	if d.jsonPack() && !d.json.AtEnd() {
		d.trailing(d.json.Pos())
	}
	d.json.Release()
	d.end()
}

// DecodeCBOR is DecodeJSON for a CBOR payload.
func (d *Decoder) DecodeCBOR(msg *telemetry.Message, payload []byte, from telemetry.Origin) {
	d.begin(msg, from)
	d.cbor.reset(payload, d.limits.MaxDepth)
	if d.cborPack() && d.cbor.pos < len(payload) {
		d.trailing(d.cbor.pos)
	}
	d.cbor.data = nil
	d.end()
}

func (d *Decoder) begin(msg *telemetry.Message, from telemetry.Origin) {
	d.msg, d.from = msg, from
	d.room = len(msg.Readings) + len(msg.Faults) + d.limits.MaxReadings
	d.rec.clear(0)
	d.base.clear()
}

// end forgets message and payload.
func (d *Decoder) end() {
	d.msg = nil
	d.value.Text = nil
	d.rec.release()
}

// isFull says whether the message can hold no more; if so, it notes that. One record makes at most three faults.
func (d *Decoder) isFull(at int) bool {
	if len(d.msg.Readings)+len(d.msg.Faults) < d.room {
		return false
	}
	d.fault(telemetry.ReasonTooLarge, "the message has more readings than the limit of %d; what follows byte %d was not read",
		d.limits.MaxReadings, at)
	return true
}

// fault notes a fault of the present record.
func (d *Decoder) fault(reason telemetry.Reason, format string, args ...any) {
	detail := scan.Detail("record %d: %s", d.rec.index+1, scan.Detail(format, args...))
	d.msg.Faults = append(d.msg.Faults, telemetry.Fault{Reason: reason, Sensor: d.from.Publisher, Detail: detail})
}

// trailing notes that the payload goes on after the pack.
func (d *Decoder) trailing(at int) {
	d.msg.Faults = append(d.msg.Faults, telemetry.Fault{
		Reason: telemetry.ReasonMalformed, Sensor: d.from.Publisher,
		Detail: scan.Detail("something follows the end of the pack at byte %d", at),
	})
}

// broken ends the pack where its structure breaks. It returns false.
func (d *Decoder) broken(problem string) bool {
	d.fault(telemetry.ReasonMalformed, "%s", problem)
	return false
}
