package write

import (
	"bytes"
	"strconv"

	"github.com/lamppost-city/lamppost/telemetry"
)

// parseLine reads the sensor and the time of a line that ingest has encoded: tags are slugs, nothing is escaped.
func parseLine(line []byte) (telemetry.SensorID, telemetry.UnixMilli) {
	line = bytes.TrimSuffix(line, []byte("\n"))
	head, _, _ := bytes.Cut(line, []byte(" "))
	_, rest, _ := bytes.Cut(head, []byte(",sensor="))
	sensor, _, _ := bytes.Cut(rest, []byte(","))
	at, _ := strconv.ParseInt(string(line[bytes.LastIndexByte(line, ' ')+1:]), 10, 64)
	return telemetry.SensorID(sensor), telemetry.UnixMilli(at)
}
