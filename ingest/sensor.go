package ingest

import (
	"time"

	"github.com/lamppost-city/lamppost/ingest/frame"
	"github.com/lamppost-city/lamppost/telemetry"
)

// sensor is what ingest remembers of a registered sensor.
type sensor struct {
	id         telemetry.SensorID
	registered Sensor
	// floor is up to where a new series does not know what came: the newest measured time when that was last forgotten.
	floor   telemetry.UnixMilli
	series  []series
	reports times
	pace    pace
	heads   []head

	// minute is the index in the frame with the serial number frame, for the minute at.
	frame  uint64
	at     int64
	minute int
	// silences is the index in the frame with the serial number paced.
	paced    uint64
	silences int
}

// series is one quantity and channel of a sensor.
type series struct {
	quantity telemetry.QuantityID
	channel  string
	times    times
}

// moved takes a change of the registry over. With other tags a repeated reading would become a second point in the
// store instead of overwriting the first, so what came before is for the store to judge.
func (s *sensor) moved(registered Sensor) {
	if s.registered.Site != registered.Site || s.registered.District != registered.District {
		s.heads = nil
		s.forget()
	}
	s.registered = registered
}

// forget leaves everything that came before to the store to judge.
func (s *sensor) forget() {
	for i := range s.series {
		s.series[i].times.forget()
		s.floor = max(s.floor, s.series[i].times.floor)
	}
}

// recording is how long before a sensor was registered its readings are those of old times. It is longer than any time
// zone that a clock which was set up by hand may be wrong by.
const recording = telemetry.UnixMilli(24 * time.Hour / time.Millisecond)

// recorded tells whether nobody can have waited for a reading: it was measured before the sensor was registered, and either
// long before or is filled in behind newer ones. A clock that is slow sends its newest, however old that seems.
func (s *sensor) recorded(measured telemetry.UnixMilli) bool {
	since := s.registered.Since
	return measured < since && (measured <= since-recording || measured < s.pace.last)
}

// find returns the series of a quantity and channel, or nil if the sensor may not have one more.
func (s *sensor) find(quantity telemetry.QuantityID, channel string, limit int) *series {
	for i := range s.series {
		if s.series[i].quantity == quantity && s.series[i].channel == channel {
			return &s.series[i]
		}
	}
	if len(s.series) >= limit {
		return nil
	}
	s.series = append(s.series, series{quantity: quantity, channel: channel, times: times{floor: s.floor}})
	return &s.series[len(s.series)-1]
}

// head is the beginning of a line for the store: measurement, tags and a space.
type head struct {
	domain  telemetry.Domain
	channel string
	text    []byte
}

// head returns the beginning of the lines of a domain and channel.
func (s *sensor) head(domain telemetry.Domain, channel string) []byte {
	for i := range s.heads {
		if s.heads[i].domain == domain && s.heads[i].channel == channel {
			return s.heads[i].text
		}
	}
	text := frame.AppendHead(nil, frame.Head{Domain: domain, Channel: channel, District: s.registered.District, Sensor: s.id, Site: s.registered.Site})
	text = append(text, ' ')
	s.heads = append(s.heads, head{domain: domain, channel: channel, text: text})
	return text
}
