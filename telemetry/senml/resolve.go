package senml

import (
	"cmp"
	"fmt"
	"math"
	"math/bits"
	"strings"
	"unicode/utf8"

	"github.com/lamppost-city/lamppost/telemetry"
	"github.com/lamppost-city/lamppost/telemetry/internal/scan"
)

// relativeBelow is the number of seconds from which a time is absolute (RFC 8428 section 4.5.3).
const relativeBelow = 1 << 28

// take turns the complete record into readings and faults. It returns false if the rest of the pack cannot be understood.
func (d *Decoder) take() bool {
	r := &d.rec
	if r.has&(1<<fieldBaseVersion) != 0 && r.version > maxVersion || r.bad&(1<<fieldBaseVersion) != 0 {
		d.fault(telemetry.ReasonMalformed, "bver at byte %d is not a version of SenML up to %d", r.at, maxVersion)
		return false
	}
	d.rebase()
	d.read()
	if (r.has|r.bad)&(1<<fieldSum) != 0 {
		d.fault(telemetry.ReasonUnknownQuantity, "s at byte %d is a sum; no quantity is kept as one", r.at)
	}
	return true
}

// rebase takes over the record's base fields.
func (d *Decoder) rebase() {
	const all = 1<<fieldBaseName | 1<<fieldBaseUnit | 1<<fieldBaseTime | 1<<fieldBaseValue
	r, b := &d.rec, &d.base
	if (r.has|r.bad)&all == 0 {
		return
	}
	b.bad = b.bad&^r.has | r.bad&all
	if r.has&(1<<fieldBaseName) != 0 {
		b.name = append(b.name[:0], r.baseName...)
	}
	if r.has&(1<<fieldBaseUnit) != 0 {
		b.unit = append(b.unit[:0], r.baseUnit...)
	}
	if r.has&(1<<fieldBaseTime) != 0 {
		b.time = r.baseTime
	}
	if r.has&(1<<fieldBaseValue) != 0 {
		b.value = r.baseVal
	}
	if r.bad&all != 0 && (r.has|r.bad|r.null)&ownFields == 0 {
		d.fault(telemetry.ReasonMalformed, "%s at byte %d is not of its type", labels[bits.TrailingZeros32(r.bad&all)], r.at)
	}
}

// read turns the record's own value into a reading or a fault; a record without one only sets base values.
func (d *Decoder) read() {
	r := &d.rec
	present := r.has | r.bad
	switch {
	case r.must:
		d.fault(telemetry.ReasonMalformed, "a label at byte %d ends in _ and is not known", r.at)
		return
	case r.repeated != fieldCount:
		d.fault(telemetry.ReasonMalformed, "label %s at byte %d comes twice", labels[r.repeated], r.at)
		return
	case present&ownFields == 0, present&valueFields == 0 && (present&(1<<fieldSum) != 0 || r.null&valueFields != 0):
		return
	case r.has&(1<<fieldName) != 0 && string(r.name) == "seq":
		d.sequence()
		return
	}
	n := d.resolve()
	if n == nil {
		return
	}
	faults := len(d.msg.Faults)
	d.measure(n)
	if len(d.msg.Faults) > faults && n.sensor != "" {
		d.msg.Faults[faults].Sensor = n.sensor
	}
}

// measure appends the reading of a record whose name is n, or notes why there is none.
func (d *Decoder) measure(n *name) {
	r, q := &d.rec, n.quantity
	switch values := (r.has | r.bad) & valueFields; {
	case values == 0:
		d.fault(telemetry.ReasonNotANumber, "%s at byte %d has no value", d.shownName(), r.at)
		return
	case values&(values-1) != 0:
		d.fault(telemetry.ReasonMalformed, "%s at byte %d has several values", d.shownName(), r.at)
		return
	}
	if q.Kind != telemetry.State && r.has&(1<<fieldValue) != 0 { // nearly every record
		if value, ok := d.inOwnUnit(r.value.Num, q); ok {
			d.append(n, value)
		}
		return
	}
	value, reason, detail := scan.Measure(q, &r.value)
	if reason == telemetry.ReasonNone && (r.bad&valueFields != 0 || r.has&(1<<fieldData) != 0) {
		reason, detail = telemetry.ReasonNotANumber, "the value is not of its label's type"
	}
	if reason != telemetry.ReasonNone {
		d.fault(reason, "%s at byte %d: %s", d.shownName(), r.at, detail)
		return
	}
	if r.has&(1<<fieldValue) != 0 {
		if value, ok := d.inOwnUnit(value, q); ok {
			d.append(n, value)
		}
		return
	}
	d.append(n, value)
}

// append adds a reading in place, which is cheaper than copying one.
func (d *Decoder) append(n *name, value float64) {
	measured, stamped, ok := d.when()
	if !ok {
		return
	}
	d.msg.Readings = append(d.msg.Readings, telemetry.Reading{})
	reading := &d.msg.Readings[len(d.msg.Readings)-1]
	reading.Sensor, reading.Quantity, reading.Channel = n.sensor, n.quantity.ID, n.channel
	if n.sensor == "" {
		reading.Sensor = d.from.Publisher
	}
	reading.Value, reading.Measured, reading.Stamped = value, measured, stamped
}

// when is the time of the record.
func (d *Decoder) when() (measured telemetry.UnixMilli, stamped, ok bool) {
	r, b := &d.rec, &d.base
	if r.bad&(1<<fieldTime) == 0 && b.bad&(1<<fieldBaseTime) == 0 {
		seconds := b.time + r.time
		switch {
		case seconds == 0:
			return d.from.Received, true, true
		case seconds < relativeBelow-0.0005: // half a millisecond of play for the rounding of the sum
			measured, ok = scan.Seconds(seconds + float64(d.from.Received)/1000)
		default:
			measured, ok = scan.Seconds(seconds)
		}
	}
	if !ok {
		d.fault(telemetry.ReasonTime, "%s at byte %d: t or bt is not a time in seconds", d.shownName(), r.at)
	}
	return measured, false, ok
}

// inOwnUnit adds the base value and converts to the quantity's unit.
func (d *Decoder) inOwnUnit(value float64, q *telemetry.Quantity) (float64, bool) {
	r, b := &d.rec, &d.base
	if b.bad&(1<<fieldBaseValue) != 0 {
		d.fault(telemetry.ReasonNotANumber, "%s at byte %d: bv is not a number", d.shownName(), r.at)
		return 0, false
	}
	if b.value != 0 { // adding 0 would make 0 of -0
		if value += b.value; math.IsInf(value, 0) {
			return d.tooLarge()
		}
	}
	unit, bad := r.unit, r.bad&(1<<fieldUnit)
	if (r.has|r.bad)&(1<<fieldUnit) == 0 {
		unit, bad = b.unit, b.bad&(1<<fieldBaseUnit)
	}
	if bad == 0 && (len(unit) == 0 || string(unit) == q.Unit.SenML) {
		return value, true
	}
	code, ok := d.units[string(unit)]
	if !ok || bad != 0 {
		d.fault(scan.TextReason(unit, telemetry.ReasonUnit), "%s at byte %d: unit %s is not known", d.shownName(), r.at, scan.Excerpt(unit))
		return 0, false
	}
	value, err := telemetry.Convert(value, code, q)
	if err != nil {
		d.fault(telemetry.ReasonUnit, "%s at byte %d: %s", d.shownName(), r.at, err)
		return 0, false
	}
	if math.IsInf(value, 0) {
		return d.tooLarge()
	}
	return value, true
}

func (d *Decoder) tooLarge() (float64, bool) {
	d.fault(telemetry.ReasonNotANumber, "%s at byte %d: the value is too large", d.shownName(), d.rec.at)
	return 0, false
}

// sequence reads the record that carries the publisher's sequence number.
func (d *Decoder) sequence() {
	r := &d.rec
	if d.base.value != 0 && r.value.Kind == scan.Number {
		r.value.Num, r.value.Whole = r.value.Num+d.base.value, false
	}
	seq, ok := r.value.Count()
	switch {
	case !ok || d.base.bad&(1<<fieldBaseValue) != 0:
		d.fault(telemetry.ReasonNotANumber, "seq at byte %d is not a whole number of 0 or more", r.at)
	case d.msg.HasSeq && d.msg.Seq != seq:
		d.fault(telemetry.ReasonMalformed, "seq %d at byte %d differs from %d in the same message", seq, r.at, d.msg.Seq)
	default:
		d.msg.Seq, d.msg.HasSeq = seq, true
	}
}

// resolve finds out what the record's full name means; nil if nobody knows, which it notes.
func (d *Decoder) resolve() *name {
	r := &d.rec
	if r.bad&(1<<fieldName) != 0 || d.base.bad&(1<<fieldBaseName) != 0 {
		d.fault(telemetry.ReasonMalformed, "n or bn at byte %d is not a text", r.at)
		return nil
	}
	full := d.fullName()
	if n, ok := d.names.Get(full); ok {
		return n
	}
	text := string(full)
	n, reason, detail := d.parse(text)
	if reason != telemetry.ReasonNone {
		d.fault(reason, "name %s at byte %d: %s", scan.Excerpt(full), r.at, detail)
		d.msg.Faults[len(d.msg.Faults)-1].Sensor = cmp.Or(n.sensor, d.from.Publisher)
		return nil
	}
	d.names.Put(text, &n)
	return &n
}

// fullName is bn followed by n.
func (d *Decoder) fullName() []byte {
	if len(d.base.name) == 0 {
		return d.rec.name
	}
	d.full = append(append(d.full[:0], d.base.name...), d.rec.name...)
	return d.full
}

// shownName is the full name as faults show it.
func (d *Decoder) shownName() string { return scan.Excerpt(d.fullName()) }

// parse takes a full name apart; the parts share its memory.
func (d *Decoder) parse(full string) (name, telemetry.Reason, string) {
	var n name
	if !utf8.ValidString(full) {
		return n, telemetry.ReasonEncoding, "it is not valid UTF-8"
	}
	first, rest, more := strings.Cut(full, "/")
	q, ok := d.quantities[first]
	if more && !ok {
		n.sensor = telemetry.SensorID(first)
		if err := n.sensor.Check(); err != nil {
			return name{}, telemetry.ReasonMalformed, err.Error()
		}
		first, rest, more = strings.Cut(rest, "/")
		q, ok = d.quantities[first]
	}
	if !ok {
		return n, telemetry.ReasonUnknownQuantity, fmt.Sprintf("%.40q is not a quantity of the catalogue", first)
	}
	n.quantity, n.channel = q, rest
	if more && len(rest) == 0 {
		return n, telemetry.ReasonMalformed, "nothing follows the last slash"
	}
	if err := telemetry.CheckChannel(n.channel); err != nil {
		return n, telemetry.ReasonMalformed, err.Error()
	}
	return n, telemetry.ReasonNone, ""
}
