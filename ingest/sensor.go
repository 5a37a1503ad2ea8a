package ingest

import (
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

// publisher is what ingest remembers of whoever publishes: its sequence numbers.
type publisher struct {
	id telemetry.SensorID
	// last is the newest sequence number, if any came.
	last   uint64
	any    bool
	gaps   []gap
	frame  uint64
	inSeqs int
}

// gap is a run of sequence numbers that have not come: from, up to but not including to.
type gap struct{ from, to uint64 }

const (
	// maxGap is the largest step between two sequence numbers that is taken for missing messages; beyond it the
	// publisher is taken to have started anew.
	maxGap = 1 << 20
	// maxGaps is how many gaps are remembered for messages that come late after all.
	maxGaps = 64
)

// number notes a sequence number and returns how many more messages are missing than before; it is negative if a
// missing one has come.
func (p *publisher) number(seq uint64) int64 {
	if !p.any {
		p.last, p.any = seq, true
		return 0
	}
	switch {
	case seq > p.last && seq-p.last <= maxGap:
		missing := seq - p.last - 1
		if missing > 0 {
			if len(p.gaps) == maxGaps {
				p.gaps = append(p.gaps[:0], p.gaps[1:]...)
			}
			p.gaps = append(p.gaps, gap{p.last + 1, seq})
		}
		p.last = seq
		return int64(missing)
	case seq > p.last || p.last-seq > maxGap:
		p.last, p.gaps = seq, p.gaps[:0]
		return 0
	}
	for i, g := range p.gaps {
		if seq < g.from || seq >= g.to {
			continue
		}
		p.gaps = append(p.gaps[:i], p.gaps[i+1:]...)
		if seq > g.from {
			p.gaps = append(p.gaps, gap{g.from, seq})
		}
		if seq+1 < g.to {
			p.gaps = append(p.gaps, gap{seq + 1, g.to})
		}
		return -1
	}
	return 0 // it came before
}
