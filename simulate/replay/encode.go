package replay

import (
	"strconv"

	"github.com/lamppost-city/lamppost/telemetry"
)

// encode writes the values that one sensor has in a row as SenML JSON, in the recording's units, and says how many they
// are. The encoders of package senml write the quantities' own units; here the conversion is the decoder's work.
func encode(columns []Column, values []float64, id telemetry.SensorID, at telemetry.UnixMilli, seq uint64) (payload []byte, readings int) {
	b := make([]byte, 0, 64+56*len(columns))
	b = append(b, `[{"bt":`...)
	b = strconv.AppendFloat(b, float64(at)/1000, 'f', -1, 64)
	b = append(b, `,"n":"seq","v":`...)
	b = append(strconv.AppendUint(b, seq, 10), '}')
	for i := range columns {
		c, v := &columns[i], values[i]
		if c.Sensor != id || v != v {
			continue
		}
		readings++
		b = append(append(b, `,{"n":"`...), c.Quantity...)
		if c.Channel != "" {
			b = append(append(b, '/'), c.Channel...)
		}
		if c.Unit != "" {
			b = append(append(b, `","u":"`...), c.Unit...)
		}
		b = append(b, `","v":`...)
		b = append(strconv.AppendFloat(b, v, 'f', -1, 64), '}')
	}
	return append(b, ']'), readings
}
