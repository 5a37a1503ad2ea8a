package ingest

import (
	"bytes"

	"github.com/lamppost-city/lamppost/telemetry"
)

// publisher is what ingest remembers of whoever publishes.
type publisher struct {
	id telemetry.SensorID
	// sensor is the one with the same id, nil if it has not been looked for.
	sensor *sensor
	numbers
	// frame is the serial number of the frame that has its newest number at the index inSeqs; kept is that of the frame
	// before which its numbers are kept.
	frame, kept uint64
	inSeqs      int
}

type topicVerdict uint8

const (
	topicReadings topicVerdict = iota
	// topicIgnored: what a publisher and the city say to each other beside readings.
	topicIgnored
	topicOdd
)

var (
	levelReadings = []byte("readings")
	levelStatus   = []byte("status")
	levelConfig   = []byte("config")
	levelCommand  = []byte("command")
	levelAnswer   = []byte("answer")
	levelTime     = []byte("time")
)

// publisherOf reads <root>/<publisher>/readings. p is nil for a publisher that has not been met.
func (j *judge) publisherOf(topic []byte) (p *publisher, id []byte, verdict topicVerdict) {
	if !bytes.HasPrefix(topic, j.prefix) {
		return nil, nil, topicOdd
	}
	rest := topic[len(j.prefix):]
	slash := bytes.IndexByte(rest, '/')
	if slash < 0 {
		if bytes.Equal(rest, levelTime) {
			return nil, nil, topicIgnored
		}
		return nil, nil, topicOdd
	}
	id, last := rest[:slash], rest[slash+1:]
	switch {
	case bytes.Equal(last, levelReadings):
		if p = j.publishers[telemetry.SensorID(id)]; p != nil || telemetry.SensorID(id).Check() == nil {
			return p, id, topicReadings
		}
	case bytes.Equal(last, levelStatus), bytes.Equal(last, levelConfig), bytes.Equal(last, levelCommand), bytes.Equal(last, levelAnswer):
		return nil, id, topicIgnored
	}
	return nil, nil, topicOdd
}

// identify notes whose the message at work is: p's or, if that is nil, that of one who has not been met.
func (j *judge) identify(p *publisher, id []byte) {
	if p == nil {
		j.from.Publisher = telemetry.SensorID(id)
		j.sender = j.meet(j.from.Publisher)
		return
	}
	j.from.Publisher, j.sender = p.id, p
}

// meet remembers a publisher from now on; it returns nil if nothing is registered that it could publish for.
func (j *judge) meet(id telemetry.SensorID) *publisher {
	if known := j.publishes(id) || j.renewed() && j.publishes(id); !known {
		return nil
	}
	last, ever := j.memory.sequences[id]
	p := &publisher{id: id, numbers: numbers{last: last, any: ever, newest: j.memory.newest[id]}}
	j.publishers[id] = p
	return p
}

// publishes tells whether id is that of a sensor or of a sensor's publisher.
func (j *judge) publishes(id telemetry.SensorID) bool {
	_, registered := j.directory.Sensor(id)
	return registered || j.directory.Publisher(id)
}
