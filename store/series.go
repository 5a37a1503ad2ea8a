package store

import "github.com/lamppost-city/lamppost/telemetry"

// Series is a part of a query's answer: the rows of one combination of tags, in the order in which the store gave them.
// All columns have as many cells as there are Times.
type Series struct {
	// Measurement is the domain's name.
	Measurement string
	// Tags are those that the query grouped by; a tag that the points do not have is "" or missing.
	Tags map[string]string
	// Columns names the columns of Values; the time is not among them.
	Columns []string
	// Times are the rows' times; nil where the answer has no time column.
	Times []telemetry.UnixMilli
	// Values is column-major: Values[c][r] belongs to Columns[c] and Times[r]. NaN means that there is no number: the
	// store has no value there, or it is a text.
	Values [][]float64
}

// Rows returns the number of rows.
func (s *Series) Rows() int {
	if len(s.Values) > 0 {
		return len(s.Values[0])
	}
	return len(s.Times)
}

// RawSuffix ends the name of the field that keeps a value as the sensor sent it, beside the calibrated one.
const RawSuffix = "_raw"

// Count is how many values a store holds of one sensor in one period of time.
type Count struct {
	Sensor telemetry.SensorID
	// Time is the period's beginning.
	Time   telemetry.UnixMilli
	Values int64
}

// Value is one value that a store holds.
type Value struct {
	// Quantity is the field's name; the catalogue may not know it.
	Quantity string
	Channel  string
	// Site and District are the tags that it stands under; "" for none.
	Site, District string
	Time           telemetry.UnixMilli
	Value          float64
}
