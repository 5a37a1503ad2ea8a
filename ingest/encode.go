package ingest

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/influxdata/line-protocol/v2/lineprotocol"

	"github.com/lamppost-city/lamppost/telemetry"
)

// write appends the value as a field to the open line if it belongs there, else as a line of its own. A repeated
// reading never joins: a line may not hold a field twice.
func (j *judge) write(s *sensor, r *telemetry.Reading, quantity *telemetry.Quantity, repeated bool) {
	lines := j.frame.Lines
	o := &j.line
	if o.sensor == s && o.domain == quantity.Domain && o.measured == r.Measured && o.channel == r.Channel && !repeated {
		lines = append(lines[:len(lines)-len(j.lineEnd)], ',')
	} else {
		*o = openLine{sensor: s, domain: quantity.Domain, channel: r.Channel, measured: r.Measured}
		j.lineEnd = append(strconv.AppendInt(append(j.lineEnd[:0], ' '), int64(r.Measured), 10), '\n')
		lines = append(lines, s.head(quantity.Domain, r.Channel)...)
		j.frame.Accepted = append(j.frame.Accepted, 0)
	}
	lines = append(lines, quantity.Name...)
	lines = append(lines, '=')
	lines = appendValue(lines, r.Value)
	j.frame.Lines = append(lines, j.lineEnd...)
}

// appendValue writes the shortest decimal that reads back as v. Most values have few decimals, and integers are written
// several times faster than floats.
func appendValue(dst []byte, v float64) []byte {
	const scale = 1000
	thousandths := math.Round(v * scale)
	if math.Abs(thousandths) >= 1<<52 || thousandths/scale != v {
		return strconv.AppendFloat(dst, v, 'g', -1, 64)
	}
	n := int64(thousandths)
	if n < 0 {
		dst = append(dst, '-')
		n = -n
	}
	dst = strconv.AppendInt(dst, n/scale, 10)
	if rest := n % scale; rest != 0 {
		dst = append(dst, '.', byte('0'+rest/100))
		if rest%100 != 0 {
			dst = append(dst, byte('0'+rest/10%10))
		}
		if rest%10 != 0 {
			dst = append(dst, byte('0'+rest%10))
		}
	}
	return dst
}

// decodeLine reads a line that write has made, out of quarantine.
func (j *judge) decodeLine(text []byte) {
	j.message.Reset()
	if err := appendLine(&j.message, text); err != nil {
		j.message.Reset()
		j.reject(telemetry.ReasonMalformed, j.from.Publisher, "line for the store cannot be read: "+err.Error())
	}
	j.checkAll()
}

// appendLine appends the readings of a line to msg.
func appendLine(msg *telemetry.Message, text []byte) error {
	d := lineprotocol.NewDecoderWithBytes(text)
	if !d.Next() {
		return fmt.Errorf("there is none in %d bytes", len(text))
	}
	if _, err := d.Measurement(); err != nil {
		return err
	}
	var r telemetry.Reading
	for {
		key, value, err := d.NextTag()
		if err != nil {
			return err
		}
		if key == nil {
			break
		}
		switch string(key) {
		case "sensor":
			r.Sensor = telemetry.SensorID(value)
		case "channel":
			r.Channel = string(value)
		}
	}
	first := len(msg.Readings)
	for {
		key, value, err := d.NextField()
		if err != nil {
			return err
		}
		if key == nil {
			break
		}
		quantity, ok := telemetry.QuantityByName(string(key))
		if !ok || value.Kind() != lineprotocol.Float {
			return fmt.Errorf("field %.40q is %s, which is no quantity's value", key, value.Kind())
		}
		r.Quantity, r.Value = quantity.ID, value.FloatV()
		msg.Readings = append(msg.Readings, r)
	}
	at, err := d.Time(lineprotocol.Millisecond, time.Time{})
	if err != nil {
		return err
	}
	for i := range msg.Readings[first:] {
		msg.Readings[first+i].Measured = telemetry.MilliOf(at)
	}
	return nil
}
