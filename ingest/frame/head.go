package frame

import "github.com/lamppost-city/lamppost/telemetry"

// Head is what a line for the store begins with: the measurement and the tags. Two readings whose heads differ are two
// values in the store, also where the sensor, the quantity, the channel and the time are the same.
type Head struct {
	Domain telemetry.Domain
	// Channel, District and Site are left out where they are empty.
	Channel, District string
	Sensor            telemetry.SensorID
	Site              string
}

// AppendHead appends a head in line protocol, without the space behind it. All of it is safe without escaping: ids are
// slugs, and a channel has been checked.
func AppendHead(dst []byte, h Head) []byte {
	dst = append(dst, h.Domain.String()...)
	for _, tag := range [...]struct{ key, value string }{
		{",channel=", h.Channel}, {",district=", h.District}, {",sensor=", string(h.Sensor)}, {",site=", h.Site},
	} {
		if tag.value != "" {
			dst = append(append(dst, tag.key...), tag.value...)
		}
	}
	return dst
}
