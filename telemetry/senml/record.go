package senml

import (
	"github.com/lamppost-city/lamppost/telemetry/internal/scan"
)

// field is a SenML label: its integer in CBOR (RFC 8428 table 4) and 6 more.
type field uint8

const (
	fieldBaseSum field = iota
	fieldBaseValue
	fieldBaseUnit
	fieldBaseTime
	fieldBaseName
	fieldBaseVersion
	fieldName
	fieldUnit
	fieldValue
	fieldString
	fieldBool
	fieldSum
	fieldTime
	fieldUpdateTime
	fieldData
	fieldCount
	// fieldUnknown is a label that may be ignored.
	fieldUnknown
	// fieldMust is an unknown label that ends in '_': whoever does not know it must not use the record.
	fieldMust
)

// labelOffset is the difference between a field and its label in CBOR.
const labelOffset = 6

// labels are the fields' names in JSON.
var labels = [fieldCount]string{"bs", "bv", "bu", "bt", "bn", "bver", "n", "u", "v", "vs", "vb", "s", "t", "ut", "vd"}

// maxVersion is the version of SenML that RFC 8428 describes.
const maxVersion = 10

const (
	valueFields = 1<<fieldValue | 1<<fieldString | 1<<fieldBool | 1<<fieldData
	// ownFields are those without which a record only sets base values for the records after it.
	ownFields = valueFields | 1<<fieldName | 1<<fieldUnit | 1<<fieldSum | 1<<fieldTime
)

// fieldOf finds a field by its label in JSON, which CBOR may use too.
func fieldOf(label []byte) field {
	switch string(label) {
	case "n":
		return fieldName
	case "u":
		return fieldUnit
	case "v":
		return fieldValue
	case "t":
		return fieldTime
	case "bn":
		return fieldBaseName
	case "bt":
		return fieldBaseTime
	case "bu":
		return fieldBaseUnit
	case "bv":
		return fieldBaseValue
	case "bs":
		return fieldBaseSum
	case "bver":
		return fieldBaseVersion
	case "vs":
		return fieldString
	case "vb":
		return fieldBool
	case "vd":
		return fieldData
	case "s":
		return fieldSum
	case "ut":
		return fieldUpdateTime
	}
	if len(label) > 0 && label[len(label)-1] == '_' {
		return fieldMust
	}
	return fieldUnknown
}

// IsLabel says whether a key of a JSON object is a SenML label.
func IsLabel(key []byte) bool { return fieldOf(key) < fieldCount }

// record is what stands in one SenML record. Its texts are slices of the payload.
type record struct {
	index    int
	at       int    // byte offset
	has      uint32 // bit per field that came with a value of its type
	bad      uint32 // bit per field that came with another
	null     uint32 // bit per field that came without a value
	repeated field  // a field that came twice; fieldCount if none did
	must     bool   // a field came that must be understood and is not
	name     []byte
	unit     []byte
	baseName []byte
	baseUnit []byte
	value    scan.Value // of v, vs, vb or vd, the last that came
	time     float64
	baseTime float64
	baseVal  float64
	version  float64
}

// clear makes room for the record at index. What has's bits guard may stay.
func (r *record) clear(index int) {
	r.index, r.has, r.bad, r.null = index, 0, 0, 0
	r.repeated, r.must, r.name, r.time = fieldCount, false, nil, 0
}

// release forgets the payload.
func (r *record) release() {
	r.name, r.unit, r.baseName, r.baseUnit, r.value.Text = nil, nil, nil, nil, nil
}

// base is what base fields of earlier records left behind.
type base struct {
	bad   uint32 // bit per base field whose last value could not be read
	name  []byte
	unit  []byte
	time  float64
	value float64
}

func (b *base) clear() { *b = base{name: b.name[:0], unit: b.unit[:0]} }

// holder is where the value of field f is read into: the record itself for values, to save a copy.
func (d *Decoder) holder(f field) *scan.Value {
	if 1<<f&valueFields != 0 {
		return &d.rec.value
	}
	return &d.value
}

// put takes one field of a record, read into its holder.
func (r *record) put(f field, v *scan.Value) {
	if f >= fieldCount {
		r.must = r.must || f == fieldMust
		return
	}
	bit := uint32(1) << f
	if (r.has|r.bad|r.null)&bit != 0 {
		r.repeated = f
		r.has, r.bad = r.has&^bit, r.bad|bit
		return
	}
	if v.Kind == scan.Null {
		r.null |= bit
		return
	}
	ok := v.Kind == scan.Number
	switch f {
	case fieldName:
		r.name, ok = v.Text, v.Kind == scan.String
	case fieldUnit:
		r.unit, ok = v.Text, v.Kind == scan.String
	case fieldBaseName:
		r.baseName, ok = v.Text, v.Kind == scan.String
	case fieldBaseUnit:
		r.baseUnit, ok = v.Text, v.Kind == scan.String
	case fieldString, fieldData:
		ok = v.Kind == scan.String || v.Kind == scan.Binary
	case fieldBool:
		ok = v.Kind == scan.True || v.Kind == scan.False
	case fieldTime:
		r.time = v.Num
	case fieldBaseTime:
		r.baseTime = v.Num
	case fieldBaseValue:
		r.baseVal = v.Num
	case fieldBaseVersion:
		r.version = v.Num
	}
	if ok {
		r.has |= bit
	} else {
		r.bad |= bit
	}
}
