package senml

import (
	"github.com/lamppost-city/lamppost/telemetry"
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
