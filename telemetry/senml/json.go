package senml

import "github.com/lamppost-city/lamppost/telemetry"

// jsonPack reads a whole pack; false if its structure breaks.
func (d *Decoder) jsonPack() bool {
	if !d.json.Take('[') {
		d.json.Fail("an array should stand")
		return d.broken(d.json.Problem())
	}
	if d.json.Take(']') {
		return true
	}
	for i := 0; ; i++ {
		d.rec.clear(i)
		if !d.jsonElement() {
			return false
		}
		if d.json.Take(']') {
			return true
		}
		if !d.json.Take(',') {
			d.json.Fail("a comma or ] should stand")
			return d.broken(d.json.Problem())
		}
	}
}

// jsonElement reads what should be a record.
func (d *Decoder) jsonElement() bool {
	d.json.Next()
	d.rec.at = d.json.Pos()
	if d.isFull(d.rec.at) {
		return false
	}
	if d.json.Take('{') {
		if !d.jsonRecord() {
			return d.broken(d.json.Problem())
		}
		return d.take()
	}
	if !d.json.Value(&d.value, 2) {
		return d.broken(d.json.Problem())
	}
	d.fault(telemetry.ReasonMalformed, "an object should stand at byte %d", d.rec.at)
	return true
}

// jsonRecord reads a record after its opening brace into d.rec.
func (d *Decoder) jsonRecord() bool {
	if d.json.Take('}') {
		return true
	}
	for {
		label, ok := d.json.Key()
		if !ok {
			return false
		}
		f := fieldOf(label)
		v := d.holder(f)
		if !d.json.Value(v, 3) {
			return false
		}
		d.rec.put(f, v)
		if d.json.Take('}') {
			return true
		}
		if !d.json.Take(',') {
			return d.json.Fail("a comma or } should stand")
		}
	}
}
