package ingest

import (
	"fmt"
	"math"
	"time"

	"github.com/lamppost-city/lamppost/ingest/frame"
	"github.com/lamppost-city/lamppost/ingest/ledger"
	"github.com/lamppost-city/lamppost/ingest/mqtt"
	"github.com/lamppost-city/lamppost/telemetry"
	"github.com/lamppost-city/lamppost/telemetry/wire"
)

// judge turns messages into frames: it decodes, resolves who may say what, checks, and encodes lines. One goroutine
// uses it. In steady state it allocates nothing.
type judge struct {
	cfg     Config
	decoder *wire.Decoder
	prefix  []byte // "<root>/"

	sensors    map[telemetry.SensorID]*sensor
	publishers map[telemetry.SensorID]*publisher
	memory     memory // of sensors and publishers that have not been met

	// spill ends the frame at work and begins another; nil for never.
	spill func()
	// renew looks whether more is registered than directory knows; if so it spills and is true. Nil for never.
	renew func() bool

	// Of the frame at work:
	directory Sensors
	version   uint64
	frame     *frame.Frame
	serial    uint64
	oldest    telemetry.UnixMilli
	// refusedBytes is the size of frame.Refused.
	refusedBytes int
	// accepted collects readings for the live hub if live is true.
	live     bool
	accepted []telemetry.Reading
	paces    []formerPace
	numbers  []formerNumbers

	// Of the message at work, and how many there have been with it:
	messages uint64
	message  telemetry.Message
	from     telemetry.Origin
	// sender is what is remembered of from.Publisher, nil if that is not known.
	sender *publisher
	faults []frame.Fault
	line   openLine
	// lineEnd is what stands behind the last field of line: the time.
	lineEnd []byte
	// again is true for a message out of quarantine, retained for one that the broker had kept.
	again, retained bool
}

// openLine is the line at the end of the frame that further fields can join.
type openLine struct {
	sensor   *sensor
	domain   telemetry.Domain
	channel  string
	measured telemetry.UnixMilli
}

// memory is what is known of sensors and publishers from before.
type memory struct {
	newest    map[telemetry.SensorID]telemetry.UnixMilli
	sequences map[telemetry.SensorID]uint64
	silences  map[telemetry.SensorID][]frame.Silence
}

func newJudge(cfg Config, known memory) *judge {
	limits := telemetry.DefaultLimits()
	limits.MaxReadings = cfg.MaxReadingsPerMessage
	if known.newest == nil {
		known.newest = make(map[telemetry.SensorID]telemetry.UnixMilli)
	}
	if known.sequences == nil {
		known.sequences = make(map[telemetry.SensorID]uint64)
	}
	if known.silences == nil {
		known.silences = make(map[telemetry.SensorID][]frame.Silence)
	}
	return &judge{
		cfg:        cfg,
		decoder:    wire.NewDecoder(limits),
		prefix:     []byte(cfg.Broker.TopicRoot + "/"),
		sensors:    make(map[telemetry.SensorID]*sensor),
		publishers: make(map[telemetry.SensorID]*publisher),
		memory:     known,
	}
}

// begin starts a frame.
func (j *judge) begin(f *frame.Frame, directory Sensors, now time.Time, live bool) {
	f.Reset()
	j.frame = f
	j.follow(directory)
	j.serial++
	j.live, j.accepted, j.paces, j.refusedBytes, j.line = live, nil, j.paces[:0], 0, openLine{}
	j.numbers = j.numbers[:0]
	j.oldest = telemetry.MilliOf(j.cfg.OldestTime)
	if j.cfg.Retention > 0 {
		j.oldest = max(j.oldest, telemetry.MilliOf(now.Add(-j.cfg.Retention)))
	}
}

// follow takes over what has changed in the registry, and forgets those who are no longer in it.
func (j *judge) follow(directory Sensors) {
	j.directory = directory
	if directory.Version() == j.version {
		return
	}
	j.version = directory.Version()
	for id, s := range j.sensors {
		if registered, ok := directory.Sensor(id); !ok {
			s.forget()
			j.memory.newest[id] = s.floor // should it come back
			if len(s.pace.open) > 0 {
				j.memory.silences[id] = s.pace.open
			}
			delete(j.sensors, id)
		} else if s.registered != registered {
			s.moved(registered)
		}
	}
	for id, p := range j.publishers {
		p.sensor = nil
		if _, registered := directory.Sensor(id); !registered && !directory.Publisher(id) {
			j.memory.sequences[id] = p.last
			delete(j.publishers, id)
		}
	}
	j.sender = j.publishers[j.from.Publisher]
}

// startOver begins the frame anew, to judge its messages once more. What they have left in memory is no longer certain:
// the store will tell what is new.
func (j *judge) startOver() {
	for _, s := range j.sensors {
		s.forget()
		s.reports.forget()
	}
	j.restore()
	j.frame.Reset()
	j.serial++
	j.accepted, j.refusedBytes = nil, 0
}

// full tells whether the frame is to end here. It counts each part at its largest encoded size.
func (j *judge) full() bool {
	f := j.frame
	return len(f.Lines)+j.refusedBytes+160*len(f.Minutes)+96*len(f.Rejections)+80*len(f.Sequences)+maxSilencesBytes*len(f.Silences)+10*len(f.Released)+
		3*len(f.Accepted)+256*len(f.Suspects) >= maxFrameBytes
}

// add judges one message.
func (j *judge) add(d *mqtt.Delivery) {
	p, id, verdict := j.publisherOf(d.Topic)
	if verdict == topicIgnored {
		return
	}
	j.open(d)
	switch {
	case verdict == topicOdd:
		j.reject(telemetry.ReasonTopic, "", "topic is not "+j.cfg.Broker.TopicRoot+"/<publisher>/readings")
	case d.SizeBytes > j.cfg.Broker.MaxPayloadBytes:
		j.identify(p, id)
		j.reject(telemetry.ReasonTooLarge, "", fmt.Sprintf("payload has %d bytes, the limit is %d", d.SizeBytes, j.cfg.Broker.MaxPayloadBytes))
	default:
		j.identify(p, id)
		j.decode(d.Payload)
	}
	j.close(d)
}

// addAgain judges a message out of quarantine. Some of its readings may be in the store, and a line that the store
// refused is remembered as accepted: for all of them the store tells.
func (j *judge) addAgain(r *retry) {
	j.again = true
	defer func() { j.again = false }()
	if len(r.delivery.Topic) > 0 {
		j.add(&r.delivery)
		return
	}
	j.open(&r.delivery)
	j.from.Publisher, j.sender = r.publisher, j.publishers[r.publisher]
	j.decodeLine(r.delivery.Payload)
	j.close(&r.delivery)
}

// addPoison refuses a message that cannot be judged.
func (j *judge) addPoison(d *mqtt.Delivery, detail string) {
	j.again = false
	j.open(d)
	j.note(telemetry.ReasonMalformed, "", "", detail) // whose it is had to be asked of what panics
	j.close(d)
}

func (j *judge) open(d *mqtt.Delivery) {
	j.from, j.sender, j.retained = telemetry.Origin{Received: d.Received}, nil, d.Retained
	if j.frame.Received == 0 {
		j.frame.Received = d.Received
	}
	j.faults = j.faults[:0]
	j.line = openLine{}
	j.messages++
}

// close puts the message into quarantine if faults were found in it.
func (j *judge) close(d *mqtt.Delivery) {
	if len(j.faults) == 0 {
		return
	}
	j.refusedBytes += len(d.Topic) + len(d.Payload) + 128 + 512*len(j.faults)
	j.frame.Refused = append(j.frame.Refused, frame.Refused{
		Received: d.Received, Minute: ledger.MinuteOf(d.Received), Topic: string(d.Topic), Publisher: j.from.Publisher, Payload: d.Payload, SizeBytes: d.SizeBytes,
		Faults: append([]frame.Fault(nil), j.faults...),
	})
}

func (j *judge) decode(payload []byte) {
	j.message.Reset()
	j.decoder.Decode(&j.message, payload, j.from)
	if j.message.HasSeq && !j.again && !j.retained {
		j.number(j.message.Seq)
	}
	for i := range j.message.Faults {
		fault := &j.message.Faults[i]
		j.reject(fault.Reason, fault.Sensor, fault.Detail)
	}
	j.checkAll()
}

func (j *judge) checkAll() {
	for i := range j.message.Readings {
		if j.full() && j.spill != nil {
			j.spill()
		}
		j.check(&j.message.Readings[i])
	}
}

// renewed looks for what has been registered since the frame was begun, and reports whether there is anything. A message
// out of quarantine is judged by what is known, for its fate is told by the frame in which it began.
func (j *judge) renewed() bool { return !j.again && j.renew != nil && j.renew() }

// number notes the message's sequence number, if its publisher is known.
func (j *judge) number(seq uint64) {
	p := j.sender
	if p == nil {
		return
	}
	j.keepNumbers(p)
	m := numbered{seq: seq, minute: ledger.MinuteOf(j.from.Received), message: j.messages}
	for i := range j.message.Readings {
		if r := &j.message.Readings[i]; !r.Stamped {
			m.measured = max(m.measured, min(r.Measured, j.from.Received))
		}
	}
	if minute, more := p.number(m); more != 0 {
		j.missing(p.id, minute, more)
	}
	if p.frame != j.serial {
		p.frame, p.inSeqs = j.serial, len(j.frame.Sequences)
		j.frame.Sequences = append(j.frame.Sequences, frame.Sequence{Publisher: p.id})
	}
	j.frame.Sequences[p.inSeqs].Seq = p.last
}

// sensor returns what is remembered of a registered sensor, or nil.
func (j *judge) sensor(id telemetry.SensorID) *sensor {
	own := j.sender != nil && j.sender.id == id
	if own && j.sender.sensor != nil {
		return j.sender.sensor
	}
	s := j.remembered(id)
	if own {
		j.sender.sensor = s
	}
	return s
}

func (j *judge) remembered(id telemetry.SensorID) *sensor {
	if s, ok := j.sensors[id]; ok {
		return s
	}
	registered, known := j.directory.Sensor(id)
	if !known {
		return nil
	}
	newest := j.memory.newest[id]
	s := &sensor{
		id: id, registered: registered, floor: newest, reports: times{floor: newest},
		pace: pace{last: newest, open: j.memory.silences[id]},
	}
	delete(j.memory.silences, id) // it may be written to from now on
	j.sensors[id] = s
	return s
}

// check accepts a reading or refuses it.
func (j *judge) check(r *telemetry.Reading) {
	s := j.line.sensor
	if s == nil || s.id != r.Sensor {
		s = j.sensor(r.Sensor)
		if !j.allowed(s) && j.renewed() {
			s = j.sensor(r.Sensor)
		}
		switch {
		case s == nil:
			j.reject(telemetry.ReasonUnregistered, r.Sensor, "no sensor "+string(r.Sensor)+" is registered")
			return
		case !j.allowed(s):
			j.reject(telemetry.ReasonNotAllowed, r.Sensor, string(j.from.Publisher)+" is not the publisher of "+string(r.Sensor))
			return
		}
	}
	quantity := r.Quantity.Quantity()
	switch {
	case math.IsNaN(r.Value) || math.IsInf(r.Value, 0):
		j.reject(telemetry.ReasonNotANumber, r.Sensor, quantity.Name+" is not a finite number")
	case r.Value < quantity.Min || r.Value > quantity.Max:
		j.reject(telemetry.ReasonRange, r.Sensor, fmt.Sprintf("%s is %g %s; sane are %g to %g", quantity.Name, r.Value, quantity.Unit.Symbol, quantity.Min, quantity.Max))
	case r.Measured > j.from.Received+telemetry.UnixMilli(j.cfg.FutureTolerance.Milliseconds()):
		j.reject(telemetry.ReasonFuture, r.Sensor, "measured at "+r.Measured.Time().Format(time.RFC3339)+", later than received")
	case r.Measured < j.oldest:
		j.reject(telemetry.ReasonTooOld, r.Sensor, "measured at "+r.Measured.Time().Format(time.RFC3339)+", before "+j.oldest.Time().Format(time.RFC3339))
	default:
		j.accept(s, r, quantity)
	}
}

// allowed tells whether a sensor is registered and the message at work is by itself or by its publisher.
func (j *judge) allowed(s *sensor) bool {
	return s != nil && (s.id == j.from.Publisher || s.registered.Publisher == j.from.Publisher)
}

// accept writes the reading to its line and counts it.
func (j *judge) accept(s *sensor, r *telemetry.Reading, quantity *telemetry.Quantity) {
	series := s.find(r.Quantity, r.Channel, j.cfg.MaxSeriesPerSensor)
	if series == nil {
		j.reject(telemetry.ReasonSeries, r.Sensor, fmt.Sprintf("%s has more than %d combinations of quantity and channel", r.Sensor, j.cfg.MaxSeriesPerSensor))
		return
	}
	minute := j.minuteOf(s, r.Measured)
	minute.Received++
	if j.retained && r.Stamped {
		// It came when it was published. When that was it does not say: it must not pass for a reading of now.
		minute.Duplicate++
		return
	}
	seen := series.times.see(r.Measured, j.serial)
	j.write(s, r, quantity, seen == repeated)
	if j.again {
		seen = unsure
	}
	if seen == repeated {
		minute.Duplicate++
		return
	}
	minute.Accepted++
	j.frame.Accepted[len(j.frame.Accepted)-1]++
	minute.Newest = max(minute.Newest, r.Measured)
	reported := s.reports.see(r.Measured, j.serial)
	if reported == fresh {
		minute.Reports++
	}
	if r.Stamped {
		minute.Stamped++
	}
	late := j.from.Received-r.Measured > telemetry.UnixMilli(j.cfg.LateAfter.Milliseconds()) && !s.recorded(r.Measured)
	if late {
		minute.Late++
	}
	if seen == unsure {
		j.frame.Suspects = append(j.frame.Suspects, frame.Suspect{
			Line: len(j.frame.Accepted) - 1, Domain: quantity.Domain, Sensor: s.id, Quantity: quantity.Name, Channel: r.Channel, Measured: r.Measured, Value: r.Value, Late: late,
		})
	}
	if j.live {
		j.accepted = append(j.accepted, *r)
	}
	if reported != repeated {
		j.keepPace(s, r)
	}
}

// minuteOf returns the sums of the sensor and minute. The pointer is valid until the next call.
func (j *judge) minuteOf(s *sensor, measured telemetry.UnixMilli) *frame.Minute {
	at := ledger.MinuteOf(measured)
	if s.frame != j.serial || s.at != at {
		s.frame, s.at, s.minute = j.serial, at, len(j.frame.Minutes)
		j.frame.Minutes = append(j.frame.Minutes, frame.Minute{Sensor: s.id, Minute: at})
	}
	return &j.frame.Minutes[s.minute]
}

// maxFaults is how many faults of one message are told apart by whose readings they are.
const maxFaults = 64

// reject counts a refused reading and notes the fault of the message.
func (j *judge) reject(reason telemetry.Reason, owner telemetry.SensorID, detail string) {
	counted := j.countedFor(owner)
	if len(j.faults) >= maxFaults {
		owner, counted = "", j.countedFor("")
	}
	j.note(reason, owner, counted, detail)
}

func (j *judge) note(reason telemetry.Reason, owner, counted telemetry.SensorID, detail string) {
	minute := ledger.MinuteOf(j.from.Received)
	last := len(j.frame.Rejections) - 1
	if last >= 0 && j.frame.Rejections[last] == (frame.Rejection{Sensor: counted, Minute: minute, Reason: reason, N: j.frame.Rejections[last].N}) {
		j.frame.Rejections[last].N++
	} else {
		j.frame.Rejections = append(j.frame.Rejections, frame.Rejection{Sensor: counted, Minute: minute, Reason: reason, N: 1})
	}
	for i := range j.faults {
		if f := &j.faults[i]; f.Reason == reason && f.Counted == counted {
			f.Readings++
			return
		}
	}
	j.faults = append(j.faults, frame.Fault{Reason: reason, Counted: counted, Sensor: owner, Detail: detail, Readings: 1})
}

// countedFor returns whose account a refused reading goes to: the registered sensor's, else the known publisher's, else
// nobody's. So the ledger cannot be filled with invented names.
func (j *judge) countedFor(owner telemetry.SensorID) telemetry.SensorID {
	if owner != "" {
		if s := j.sensor(owner); s != nil {
			return s.id
		}
	}
	if j.sender != nil {
		return j.sender.id
	}
	return ""
}
