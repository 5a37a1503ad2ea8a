package ingest

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
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
	newest     map[telemetry.SensorID]telemetry.UnixMilli
	sequences  map[telemetry.SensorID]uint64

	// Of the batch at work:
	directory Sensors
	frame     *frame.Frame
	serial    uint64
	oldest    telemetry.UnixMilli
	// refusedBytes are the payloads in frame.Refused.
	refusedBytes int
	// accepted collects readings for the live hub if live is true.
	live     bool
	accepted []telemetry.Reading

	// Of the message at work:
	message telemetry.Message
	from    telemetry.Origin
	faults  []frame.Fault
	line    openLine
}

// openLine is the line at the end of the frame that further fields can join.
type openLine struct {
	sensor   *sensor
	domain   telemetry.Domain
	channel  string
	measured telemetry.UnixMilli
}

func newJudge(cfg Config, newest map[telemetry.SensorID]telemetry.UnixMilli, sequences map[telemetry.SensorID]uint64) *judge {
	limits := telemetry.DefaultLimits()
	limits.MaxReadings = cfg.MaxReadingsPerMessage
	return &judge{
		cfg:        cfg,
		decoder:    wire.NewDecoder(limits),
		prefix:     []byte(cfg.Broker.TopicRoot + "/"),
		sensors:    make(map[telemetry.SensorID]*sensor),
		publishers: make(map[telemetry.SensorID]*publisher),
		newest:     newest,
		sequences:  sequences,
	}
}

// begin starts a frame.
func (j *judge) begin(f *frame.Frame, directory Sensors, now time.Time, live bool) {
	f.Reset()
	j.frame, j.directory = f, directory
	j.serial++
	j.live, j.accepted, j.refusedBytes = live, nil, 0
	j.oldest = telemetry.MilliOf(j.cfg.OldestTime)
	if j.cfg.Retention > 0 {
		j.oldest = max(j.oldest, telemetry.MilliOf(now.Add(-j.cfg.Retention)))
	}
}

// add judges one message.
func (j *judge) add(d *mqtt.Delivery) {
	id, verdict := j.publisherOf(d.Topic)
	if verdict == topicIgnored {
		return
	}
	j.from = telemetry.Origin{Received: d.Received}
	if j.frame.Received == 0 {
		j.frame.Received = d.Received
	}
	j.faults = j.faults[:0]
	j.line = openLine{}
	switch {
	case verdict == topicOdd:
		j.reject(telemetry.ReasonTopic, "", 1, "topic is not "+j.cfg.Broker.TopicRoot+"/<publisher>/readings")
	case d.SizeBytes > j.cfg.Broker.MaxPayloadBytes:
		j.from.Publisher = j.intern(id)
		j.reject(telemetry.ReasonTooLarge, "", 1, fmt.Sprintf("payload has %d bytes, the limit is %d", d.SizeBytes, j.cfg.Broker.MaxPayloadBytes))
	default:
		j.from.Publisher = j.intern(id)
		j.decode(d.Payload)
	}
	if len(j.faults) > 0 {
		j.refuse(d)
	}
}

// maxRefusedBytes bounds the payloads in one frame that are kept whole; of further ones only the beginning is kept.
const (
	maxRefusedBytes = 8 << 20
	keptBeyond      = 4 << 10
)

// refuse puts the message into quarantine, with the faults that were found in it.
func (j *judge) refuse(d *mqtt.Delivery) {
	payload := d.Payload
	if j.refusedBytes += len(payload); j.refusedBytes > maxRefusedBytes {
		payload = payload[:min(len(payload), keptBeyond)]
	}
	j.frame.Refused = append(j.frame.Refused, frame.Refused{
		Received: d.Received, Minute: ledger.MinuteOf(d.Received), Topic: string(d.Topic), Publisher: j.from.Publisher, Payload: payload, SizeBytes: d.SizeBytes,
		Faults: append([]frame.Fault(nil), j.faults...),
	})
}

func (j *judge) decode(payload []byte) {
	j.message.Reset()
	j.decoder.Decode(&j.message, payload, j.from)
	if j.message.HasSeq {
		j.number(j.message.Seq)
	}
	for i := range j.message.Faults {
		fault := &j.message.Faults[i]
		j.reject(fault.Reason, fault.Sensor, 1, fault.Detail)
	}
	for i := range j.message.Readings {
		j.check(&j.message.Readings[i])
	}
}

type topicVerdict uint8

const (
	topicReadings topicVerdict = iota
	// topicIgnored: a publisher's status or settings, which are not ingest's.
	topicIgnored
	topicOdd
)

var (
	levelReadings = []byte("readings")
	levelStatus   = []byte("status")
	levelConfig   = []byte("config")
)

// publisherOf reads <root>/<publisher>/readings.
func (j *judge) publisherOf(topic []byte) ([]byte, topicVerdict) {
	if !bytes.HasPrefix(topic, j.prefix) {
		return nil, topicOdd
	}
	rest := topic[len(j.prefix):]
	slash := bytes.IndexByte(rest, '/')
	if slash < 0 {
		return nil, topicOdd
	}
	id, last := rest[:slash], rest[slash+1:]
	switch {
	case bytes.Equal(last, levelReadings):
		if _, known := j.publishers[telemetry.SensorID(id)]; known || telemetry.SensorID(id).Check() == nil {
			return id, topicReadings
		}
	case bytes.Equal(last, levelStatus), bytes.Equal(last, levelConfig):
		return id, topicIgnored
	}
	return nil, topicOdd
}

// intern returns the publisher's id as a string that may be kept.
func (j *judge) intern(id []byte) telemetry.SensorID {
	if p, ok := j.publishers[telemetry.SensorID(id)]; ok {
		return p.id
	}
	known := telemetry.SensorID(id)
	if _, registered := j.directory.Sensor(known); registered || j.directory.Publisher(known) {
		last, numbered := j.sequences[known]
		j.publishers[known] = &publisher{id: known, last: last, any: numbered}
	}
	return known
}

// number notes the message's sequence number, if its publisher is known.
func (j *judge) number(seq uint64) {
	p, ok := j.publishers[j.from.Publisher]
	if !ok {
		return
	}
	if missing := p.number(seq); missing != 0 {
		m := frame.Minute{Sensor: p.id, Minute: ledger.MinuteOf(j.from.Received)}
		m.Missing = missing
		j.frame.Minutes = append(j.frame.Minutes, m)
	}
	if p.frame != j.serial {
		p.frame, p.inSeqs = j.serial, len(j.frame.Sequences)
		j.frame.Sequences = append(j.frame.Sequences, frame.Sequence{Publisher: p.id})
	}
	j.frame.Sequences[p.inSeqs].Seq = p.last
}

// sensor returns what is remembered of a registered sensor, or nil.
func (j *judge) sensor(id telemetry.SensorID) *sensor {
	s, ok := j.sensors[id]
	if ok && s.version == j.directory.Version() {
		if !s.known {
			return nil
		}
		return s
	}
	registered, known := j.directory.Sensor(id)
	if !ok {
		if !known {
			return nil
		}
		floor := j.newest[id]
		s = &sensor{id: id, floor: floor, reports: times{floor: floor}}
		j.sensors[id] = s
	}
	if s.registered != registered {
		s.moved(registered)
	}
	s.version, s.known = j.directory.Version(), known
	if !known {
		return nil
	}
	return s
}

// check accepts a reading or refuses it.
func (j *judge) check(r *telemetry.Reading) {
	s := j.line.sensor
	if s == nil || s.id != r.Sensor {
		if s = j.sensor(r.Sensor); s == nil {
			j.reject(telemetry.ReasonUnregistered, r.Sensor, 1, "no sensor "+string(r.Sensor)+" is registered")
			return
		}
		if r.Sensor != j.from.Publisher && s.registered.Publisher != j.from.Publisher {
			j.reject(telemetry.ReasonNotAllowed, r.Sensor, 1, string(j.from.Publisher)+" is not the publisher of "+string(r.Sensor))
			return
		}
	}
	quantity := r.Quantity.Quantity()
	switch {
	case math.IsNaN(r.Value) || math.IsInf(r.Value, 0):
		j.reject(telemetry.ReasonNotANumber, r.Sensor, 1, quantity.Name+" is not a finite number")
	case r.Value < quantity.Min || r.Value > quantity.Max:
		j.reject(telemetry.ReasonRange, r.Sensor, 1, fmt.Sprintf("%s is %g %s; sane are %g to %g", quantity.Name, r.Value, quantity.Unit.Symbol, quantity.Min, quantity.Max))
	case r.Measured > j.from.Received+telemetry.UnixMilli(j.cfg.FutureTolerance.Milliseconds()):
		j.reject(telemetry.ReasonFuture, r.Sensor, 1, "measured at "+r.Measured.Time().Format(time.RFC3339)+", later than received")
	case r.Measured < j.oldest:
		j.reject(telemetry.ReasonTooOld, r.Sensor, 1, "measured at "+r.Measured.Time().Format(time.RFC3339)+", before "+j.oldest.Time().Format(time.RFC3339))
	default:
		j.accept(s, r, quantity)
	}
}

// accept writes the reading to its line and counts it.
func (j *judge) accept(s *sensor, r *telemetry.Reading, quantity *telemetry.Quantity) {
	series := s.find(r.Quantity, r.Channel, j.cfg.MaxSeriesPerSensor)
	if series == nil {
		j.reject(telemetry.ReasonSeries, r.Sensor, 1, fmt.Sprintf("%s has more than %d combinations of quantity and channel", r.Sensor, j.cfg.MaxSeriesPerSensor))
		return
	}
	new := series.times.see(r.Measured)
	minute := j.minuteOf(s, r.Measured)
	minute.Received++
	j.write(s, r, quantity, new == repeated)
	if new == repeated {
		minute.Duplicate++
		return
	}
	minute.Accepted++
	j.frame.Accepted[len(j.frame.Accepted)-1]++
	minute.Newest = max(minute.Newest, r.Measured)
	if s.reports.see(r.Measured) == fresh {
		minute.Reports++
	}
	if r.Stamped {
		minute.Stamped++
	}
	if j.from.Received-r.Measured > telemetry.UnixMilli(j.cfg.LateAfter.Milliseconds()) {
		minute.Late++
	}
	if new == unsure {
		j.frame.Suspects = append(j.frame.Suspects, frame.Suspect{
			Line: len(j.frame.Accepted) - 1, Domain: quantity.Domain, Sensor: s.id, Quantity: quantity.Name, Channel: r.Channel, Measured: r.Measured, Value: r.Value,
		})
	}
	if j.live {
		j.accepted = append(j.accepted, *r)
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

// write appends the value as a field to the open line if it belongs there, else as a line of its own. A repeated
// reading never joins: a line may not hold a field twice.
func (j *judge) write(s *sensor, r *telemetry.Reading, quantity *telemetry.Quantity, repeated bool) {
	lines := j.frame.Lines
	o := &j.line
	if o.sensor == s && o.domain == quantity.Domain && o.measured == r.Measured && o.channel == r.Channel && !repeated {
		end := len(lines) - 1 - j.timeLength(r.Measured)
		lines = append(lines[:end], ',')
	} else {
		*o = openLine{sensor: s, domain: quantity.Domain, channel: r.Channel, measured: r.Measured}
		lines = append(lines, s.head(quantity.Domain, r.Channel)...)
		j.frame.Accepted = append(j.frame.Accepted, 0)
	}
	lines = append(lines, quantity.Name...)
	lines = append(lines, '=')
	lines = appendValue(lines, r.Value)
	lines = append(lines, ' ')
	lines = strconv.AppendInt(lines, int64(r.Measured), 10)
	j.frame.Lines = append(lines, '\n')
}

// timeLength is the length of a line's end: a space and the time.
func (j *judge) timeLength(at telemetry.UnixMilli) int {
	var digits [20]byte
	return 1 + len(strconv.AppendInt(digits[:0], int64(at), 10))
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

// reject counts n refused readings and notes the fault of the message.
func (j *judge) reject(reason telemetry.Reason, owner telemetry.SensorID, n int64, detail string) {
	counted := j.countedFor(owner)
	minute := ledger.MinuteOf(j.from.Received)
	last := len(j.frame.Rejections) - 1
	if last >= 0 && j.frame.Rejections[last] == (frame.Rejection{Sensor: counted, Minute: minute, Reason: reason, N: j.frame.Rejections[last].N}) {
		j.frame.Rejections[last].N += n
	} else {
		j.frame.Rejections = append(j.frame.Rejections, frame.Rejection{Sensor: counted, Minute: minute, Reason: reason, N: n})
	}
	for i := range j.faults {
		if f := &j.faults[i]; f.Reason == reason && f.Counted == counted {
			f.Readings += n
			return
		}
	}
	j.faults = append(j.faults, frame.Fault{Reason: reason, Counted: counted, Sensor: owner, Detail: detail, Readings: n})
}

// countedFor returns whose account a refused reading goes to: the registered sensor's, else the known publisher's, else
// nobody's. So the ledger cannot be filled with invented names.
func (j *judge) countedFor(owner telemetry.SensorID) telemetry.SensorID {
	if owner != "" {
		if s := j.sensor(owner); s != nil {
			return s.id
		}
	}
	if p, ok := j.publishers[j.from.Publisher]; ok {
		return p.id
	}
	return ""
}
