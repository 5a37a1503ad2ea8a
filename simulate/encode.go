package simulate

import (
	"slices"
	"strconv"

	"github.com/lamppost-city/lamppost/telemetry"
	"github.com/lamppost-city/lamppost/telemetry/senml"
)

// of gives a sensor its format; in a mixed city always the same one.
func (f Format) of(sensor int) Format {
	if f != Mixed {
		return f
	}
	return [...]Format{SenMLJSON, SenMLCBOR, SenMLJSON, PlainJSON}[sensor%4]
}

// encode appends a message of one sensor's readings at one time.
func encode(dst []byte, f Format, m *telemetry.Message, publisher telemetry.SensorID) []byte {
	switch f {
	case SenMLCBOR:
		return senml.AppendCBOR(dst, m, publisher)
	case PlainJSON:
		return appendPlain(dst, m)
	}
	return senml.AppendJSON(dst, m, publisher)
}

// appendPlain writes plain JSON: one object for each channel, in an array where there are several.
func appendPlain(dst []byte, m *telemetry.Message) []byte {
	open := len(dst)
	objects := 0
	for i := 0; i < len(m.Readings); objects++ {
		channel := m.Readings[i].Channel
		dst = appendHead(dst, m, objects == 0, m.Readings[i].Measured, channel)
		for ; i < len(m.Readings) && m.Readings[i].Channel == channel && !repeats(m.Readings, i, channel); i++ {
			r := &m.Readings[i]
			dst = append(append(append(dst, ',', '"'), r.Quantity.String()...), '"', ':')
			dst = strconv.AppendFloat(dst, r.Value, 'f', -1, 64)
		}
		dst = append(dst, '}', ',')
	}
	if objects == 0 {
		return append(dst, "[]"...)
	}
	dst = dst[:len(dst)-1]
	if objects > 1 {
		dst = append(slices.Insert(dst, open, '['), ']')
	}
	return dst
}

// repeats says whether the quantity of reading i was in the same run of readings of a channel before: a key must not come
// twice in an object.
func repeats(all []telemetry.Reading, i int, channel string) bool {
	for k := i - 1; k >= 0 && all[k].Channel == channel; k-- {
		if all[k].Quantity == all[i].Quantity {
			return true
		}
	}
	return false
}

func appendHead(dst []byte, m *telemetry.Message, first bool, at telemetry.UnixMilli, channel string) []byte {
	dst = append(dst, `{"time":"`...)
	dst = at.Time().AppendFormat(dst, "2006-01-02T15:04:05.000Z07:00")
	dst = append(dst, '"')
	if first && m.HasSeq {
		dst = strconv.AppendUint(append(dst, `,"seq":`...), m.Seq, 10)
	}
	if channel != "" {
		dst = append(append(append(dst, `,"channel":"`...), channel...), '"')
	}
	return dst
}

// appendRecord writes the lines of Config.Record for a message.
func appendRecord(dst []byte, m *telemetry.Message) []byte {
	for i := range m.Readings {
		r := &m.Readings[i]
		dst = append(append(dst, r.Sensor...), ',')
		dst = append(append(dst, r.Quantity.String()...), ',')
		dst = append(append(dst, r.Channel...), ',')
		dst = append(strconv.AppendInt(dst, int64(r.Measured), 10), ',')
		dst = append(strconv.AppendFloat(dst, r.Value, 'g', -1, 64), '\n')
	}
	return dst
}
