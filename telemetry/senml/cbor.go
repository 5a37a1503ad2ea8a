package senml

import (
	"encoding/binary"
	"math"

	"github.com/lamppost-city/lamppost/telemetry"
	"github.com/lamppost-city/lamppost/telemetry/internal/scan"
)

// cborPack reads a whole pack; false if its structure breaks.
func (d *Decoder) cborPack() bool {
	r := &d.cbor
	var h head
	if !r.head(&h) {
		return d.broken(r.problem)
	}
	for h.major == majorTag { // such as 55799, which says that this is CBOR
		if !r.head(&h) {
			return d.broken(r.problem)
		}
	}
	if h.major != majorArray {
		r.pos = 0
		r.fail("an array should stand")
		return d.broken(r.problem)
	}
	for i := uint64(0); h.endless || i < h.arg; i++ {
		if h.endless && r.takeBreak() {
			break
		}
		d.rec.clear(int(i))
		if !d.cborElement() {
			return false
		}
	}
	return true
}

// cborElement reads what should be a record.
func (d *Decoder) cborElement() bool {
	r := &d.cbor
	d.rec.at = r.pos
	if d.isFull(r.pos) {
		return false
	}
	var h head
	ok := r.head(&h)
	for ok && h.major == majorTag {
		ok = r.head(&h)
	}
	if ok && h.major == majorMap {
		if !d.cborRecord(&h) {
			return d.broken(r.problem)
		}
		return d.take()
	}
	if !ok || !r.body(&d.value, &h, 2) {
		return d.broken(r.problem)
	}
	d.fault(telemetry.ReasonMalformed, "a map should stand at byte %d", d.rec.at)
	return true
}

// cborRecord reads the pairs of a record into d.rec.
func (d *Decoder) cborRecord(h *head) bool {
	r := &d.cbor
	for i := uint64(0); h.endless || i < h.arg; i++ {
		if h.endless && r.takeBreak() {
			break
		}
		if d.usualPair() {
			continue
		}
		f, ok := d.cborLabel()
		if !ok {
			return false
		}
		v := d.holder(f)
		if !r.value(v, 3) {
			return false
		}
		d.rec.put(f, v)
	}
	return true
}

// usualPair takes a name, unit, value or time in the forms in which nearly all are written, and leaves everything else where
// it is. It halves the time that a record's pairs take.
func (d *Decoder) usualPair() bool {
	r, rec := &d.cbor, &d.rec
	rest := r.data[r.pos:]
	if len(rest) < 2 || rest[0] > byte(fieldTime-labelOffset) {
		return false
	}
	f := field(rest[0]) + labelOffset
	if bit := uint32(1) << f; (rec.has|rec.bad|rec.null)&bit != 0 {
		return false
	}
	switch f {
	case fieldName, fieldUnit:
		text, used := shortText(rest[1:])
		if used == 0 {
			return false
		}
		if f == fieldName {
			rec.name = text
		} else {
			rec.unit = text
		}
		r.pos += 1 + used
	case fieldValue, fieldTime:
		if rest[1] != majorSimple<<5|27 || len(rest) < 10 {
			return false
		}
		number := math.Float64frombits(binary.BigEndian.Uint64(rest[2:]))
		if number-number != 0 {
			return false
		}
		if f == fieldTime {
			rec.time = number
		} else {
			rec.value.Kind, rec.value.Num, rec.value.Whole = scan.Number, number, false
		}
		r.pos += 10
	default:
		return false
	}
	rec.has |= 1 << f
	return true
}

// shortText takes a text of at most 255 bytes at the beginning of b; used is 0 if something else stands there.
func shortText(b []byte) (text []byte, used int) {
	length, head := int(b[0])-majorText<<5, 1
	if length == 24 && len(b) > 1 {
		length, head = int(b[1]), 2
	} else if length < 0 || length > 23 {
		return nil, 0
	}
	if len(b) < head+length {
		return nil, 0
	}
	return b[head : head+length], head + length
}

// cborLabel reads a label: an integer of RFC 8428 table 4 or a text.
func (d *Decoder) cborLabel() (field, bool) {
	r := &d.cbor
	if r.pos < len(r.data) && r.data[r.pos] <= byte(fieldData-labelOffset) { // nearly every label
		r.pos++
		return field(r.data[r.pos-1]) + labelOffset, true
	}
	var h head
	if !r.head(&h) {
		return 0, false
	}
	switch {
	case h.major == majorUint && h.arg <= uint64(fieldData-labelOffset):
		return field(h.arg) + labelOffset, true
	case h.major == majorNegative && h.arg < labelOffset:
		return labelOffset - 1 - field(h.arg), true
	case h.major == majorText:
		ok := r.text(&h, &d.value.Text)
		return fieldOf(d.value.Text), ok
	case h.major == majorTag:
		return fieldUnknown, r.skip(3)
	}
	return fieldUnknown, r.body(&d.value, &h, 3)
}
