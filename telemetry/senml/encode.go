package senml

import (
	"encoding/binary"
	"math"
	"strconv"

	"github.com/lamppost-city/lamppost/telemetry"
)

// AppendJSON appends the message as a SenML JSON pack to dst and returns it. The sensor's part of a name is left out where the
// sensor is the publisher; a sequence number, if there is one, comes first; faults are not written. A Stamped reading
// is written without its time, for the receiver to stamp again. SenML cannot say an absolute time before 4 July 1978
// (2^28 s): it is read as one relative to receipt. A value that is not finite, which JSON cannot say either, is written as a text, so that
// whoever reads it finds a fault and not a gap. Ids, channels and units need no escapes and get none.
func AppendJSON(dst []byte, m *telemetry.Message, publisher telemetry.SensorID) []byte {
	bt, hasBase := baseTime(m)
	dst = append(dst, '[')
	open := len(dst)
	if m.HasSeq {
		dst = appendBaseJSON(dst, bt, hasBase)
		dst = append(dst, `"n":"seq","v":`...)
		dst = strconv.AppendUint(dst, m.Seq, 10)
		dst = append(dst, '}')
	}
	for i := range m.Readings {
		r := &m.Readings[i]
		if len(dst) > open {
			dst = append(dst, ',')
		}
		dst = appendBaseJSON(dst, bt, hasBase && len(dst) == open)
		dst = append(dst, `"n":"`...)
		dst = appendName(dst, r, publisher)
		if unit := r.Quantity.Quantity().Unit.SenML; unit != "" {
			dst = append(dst, `","u":"`...)
			dst = append(dst, unit...)
		}
		dst = append(dst, '"', ',')
		dst = appendValueJSON(dst, r.Value)
		if t, ok := ownTime(r, bt, hasBase); ok {
			dst = append(dst, `,"t":`...)
			dst = appendMilli(dst, t)
		}
		dst = append(dst, '}')
	}
	return append(dst, ']')
}

// AppendCBOR is AppendJSON in CBOR, with a value that is not finite as such. It uses the shortest forms of RFC 8949 section 4.2
// save half floats, which small devices often cannot read.
func AppendCBOR(dst []byte, m *telemetry.Message, publisher telemetry.SensorID) []byte {
	bt, hasBase := baseTime(m)
	records := len(m.Readings)
	if m.HasSeq {
		records++
	}
	dst = appendHead(dst, majorArray, uint64(records))
	first := true
	if m.HasSeq {
		dst = appendBaseCBOR(dst, 2, bt, hasBase)
		dst = appendText(appendLabel(dst, fieldName), "seq")
		dst = appendHead(appendLabel(dst, fieldValue), majorUint, m.Seq)
		first = false
	}
	for i := range m.Readings {
		r := &m.Readings[i]
		unit := r.Quantity.Quantity().Unit.SenML
		t, timed := ownTime(r, bt, hasBase)
		pairs := 2
		if unit != "" {
			pairs++
		}
		if timed {
			pairs++
		}
		dst = appendBaseCBOR(dst, pairs, bt, hasBase && first)
		first = false
		dst = appendNameCBOR(appendLabel(dst, fieldName), r, publisher)
		if unit != "" {
			dst = appendText(appendLabel(dst, fieldUnit), unit)
		}
		dst = appendNumber(appendLabel(dst, fieldValue), r.Value)
		if timed {
			dst = appendSeconds(appendLabel(dst, fieldTime), t)
		}
	}
	return dst
}

// baseTime is the time of the first reading, unless there is none or a Stamped one, which must not get a time.
func baseTime(m *telemetry.Message) (telemetry.UnixMilli, bool) {
	for i := range m.Readings {
		if m.Readings[i].Stamped {
			return 0, false
		}
	}
	if len(m.Readings) == 0 {
		return 0, false
	}
	return m.Readings[0].Measured, true
}

// ownTime is what t must say beside bt, in milliseconds; false if nothing.
func ownTime(r *telemetry.Reading, bt telemetry.UnixMilli, hasBase bool) (telemetry.UnixMilli, bool) {
	if hasBase {
		return r.Measured - bt, r.Measured != bt
	}
	return r.Measured, !r.Stamped
}

func appendName(dst []byte, r *telemetry.Reading, publisher telemetry.SensorID) []byte {
	if r.Sensor != publisher && r.Sensor != "" {
		dst = append(append(dst, r.Sensor...), '/')
	}
	dst = append(dst, r.Quantity.String()...)
	if r.Channel != "" {
		dst = append(append(dst, '/'), r.Channel...)
	}
	return dst
}

// appendBaseJSON begins a record, with a base time if it is to have one.
func appendBaseJSON(dst []byte, bt telemetry.UnixMilli, has bool) []byte {
	dst = append(dst, '{')
	if has {
		dst = append(dst, `"bt":`...)
		dst = append(appendMilli(dst, bt), ',')
	}
	return dst
}

// appendMilli writes milliseconds as seconds.
func appendMilli(dst []byte, ms telemetry.UnixMilli) []byte {
	if ms < 0 {
		dst = append(dst, '-')
		ms = -ms
	}
	dst = strconv.AppendInt(dst, int64(ms/1000), 10)
	rest := int(ms % 1000)
	if rest == 0 {
		return dst
	}
	dst = append(dst, '.', byte('0'+rest/100))
	if rest%100 != 0 {
		dst = append(dst, byte('0'+rest/10%10))
	}
	if rest%10 != 0 {
		dst = append(dst, byte('0'+rest%10))
	}
	return dst
}

func appendValueJSON(dst []byte, v float64) []byte {
	if v-v != 0 { // NaN or infinite
		dst = append(dst, `"vs":"`...)
		return append(strconv.AppendFloat(dst, v, 'g', -1, 64), '"')
	}
	dst = append(dst, `"v":`...)
	if size := math.Abs(v); size != 0 && (size < 1e-6 || size >= 1e21) {
		return strconv.AppendFloat(dst, v, 'e', -1, 64)
	}
	return strconv.AppendFloat(dst, v, 'f', -1, 64)
}

// appendHead begins a CBOR item.
func appendHead(dst []byte, major byte, arg uint64) []byte {
	major <<= 5
	switch {
	case arg < 24:
		return append(dst, major|byte(arg))
	case arg <= math.MaxUint8:
		return append(dst, major|24, byte(arg))
	case arg <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, major|25), uint16(arg))
	case arg <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(dst, major|26), uint32(arg))
	}
	return binary.BigEndian.AppendUint64(append(dst, major|27), arg)
}

// appendLabel writes a field's integer label.
func appendLabel(dst []byte, f field) []byte {
	if f >= labelOffset {
		return append(dst, byte(f-labelOffset))
	}
	return append(dst, majorNegative<<5|byte(labelOffset-1-f))
}

func appendText(dst []byte, text string) []byte {
	return append(appendHead(dst, majorText, uint64(len(text))), text...)
}

func appendNameCBOR(dst []byte, r *telemetry.Reading, publisher telemetry.SensorID) []byte {
	length := len(r.Quantity.String())
	if r.Sensor != publisher && r.Sensor != "" {
		length += len(r.Sensor) + 1
	}
	if r.Channel != "" {
		length += len(r.Channel) + 1
	}
	return appendName(appendHead(dst, majorText, uint64(length)), r, publisher)
}

// appendBaseCBOR begins a record of pairs, and one more for a base time if it is to have one.
func appendBaseCBOR(dst []byte, pairs int, bt telemetry.UnixMilli, has bool) []byte {
	if !has {
		return appendHead(dst, majorMap, uint64(pairs))
	}
	dst = appendHead(dst, majorMap, uint64(pairs)+1)
	return appendSeconds(appendLabel(dst, fieldBaseTime), bt)
}

func appendSeconds(dst []byte, ms telemetry.UnixMilli) []byte {
	return appendNumber(dst, float64(ms)/1000)
}

// appendNumber writes a number in the shortest form that keeps every bit, negative zero too.
func appendNumber(dst []byte, v float64) []byte {
	if v == math.Trunc(v) && math.Abs(v) < 1<<53 && (v != 0 || !math.Signbit(v)) {
		if v < 0 {
			return appendHead(dst, majorNegative, uint64(-v)-1)
		}
		return appendHead(dst, majorUint, uint64(v))
	}
	if short := float32(v); float64(short) == v || v != v {
		return binary.BigEndian.AppendUint32(append(dst, majorSimple<<5|26), math.Float32bits(short))
	}
	return binary.BigEndian.AppendUint64(append(dst, majorSimple<<5|27), math.Float64bits(v))
}
