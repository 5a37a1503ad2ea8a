package mapping

import (
	"bytes"
	"unicode"
	"unicode/utf8"

	"github.com/lamppost-city/lamppost/telemetry"
	"github.com/lamppost-city/lamppost/telemetry/internal/scan"
)

// Decoder reads payloads by one mapping. It remembers names between payloads, so each worker needs one of its own: it is not
// safe for concurrent use.
type Decoder struct {
	plan   *plan
	limits telemetry.Limits
	tree   tree
	trail  [maxSegments + 1]int32
	seen   map[series]struct{}
	looked []looked // per reading, then one for each path of sensor and time
	places []int32  // of the records
	digits []byte   // a number as a label

	channels *scan.Table[string] // the names of channels that texts of payloads become

	msg    *telemetry.Message
	topic  string
	from   telemetry.Origin
	room   int // how many readings and faults the message may hold in all
	isFull bool
	rec    record
}

// series is what can be kept once only.
type series struct {
	sensor   telemetry.SensorID
	at       telemetry.UnixMilli
	quantity telemetry.QuantityID
	channel  string
}

// looked is where a path led from a node the last time, so that what all records or stars share is looked for once.
type looked struct{ from, to int32 }

// record is what is being read.
type record struct {
	at           int32
	number       int // from 1; 0 where the payload is one record
	firstReading int
	sensor       telemetry.SensorID
	measured     telemetry.UnixMilli
	timed        bool
	mapped       bool // a path has led to something
	refused      telemetry.Reason
	why          string
}

// New makes a decoder within limits, which must be valid. A payload may hold 16 values for each of Limits.MaxReadings, mapped
// or not. The error joins all that is wrong with the options, each with its key.
func New(o Options, limits telemetry.Limits) (*Decoder, error) {
	p, err := compile(o)
	if err != nil {
		return nil, err
	}
	const most = 1 << 24
	return &Decoder{
		plan: p, limits: limits, seen: make(map[series]struct{}), channels: scan.NewTable[string](limits.MaxNames),
		tree:   tree{maxNodes: min(limits.MaxReadings, most/16) * 16, maxDepth: limits.MaxDepth},
		looked: make([]looked, len(p.readings)+1+len(p.time.paths)),
	}, nil
}

// Decode appends what the payload holds to msg, which the caller has Reset: its readings, and a fault for everything that could
// not become one. It keeps neither msg nor payload, and takes any bytes. Where no condition lets the payload in, msg is left
// as it is.
func (d *Decoder) Decode(msg *telemetry.Message, topic string, payload []byte, from telemetry.Origin) {
	d.msg, d.topic, d.from, d.isFull = msg, topic, from, false
	d.room = len(msg.Readings) + len(msg.Faults) + d.limits.MaxReadings
	d.rec = record{sensor: from.Publisher, firstReading: len(msg.Readings)}
	for i := range d.looked {
		d.looked[i] = looked{from: -1, to: -1}
	}
	d.payload(payload)
	d.tree.release()
	if cap(d.places) > keepNodes {
		d.places = nil
	}
	clear(d.seen)
	d.msg, d.topic = nil, ""
}

func (d *Decoder) payload(payload []byte) {
	switch {
	case len(payload) == 0:
		d.fault(telemetry.ReasonMalformed, "the payload is empty")
		return
	case !d.tree.parse(payload):
		reason := telemetry.ReasonMalformed
		if d.tree.full {
			reason = telemetry.ReasonTooLarge
		}
		d.fault(reason, "%s", d.tree.in.Problem())
		return
	}
	if root := &d.tree.nodes[0]; root.Kind == scan.Junk && !isText(root.Text) {
		d.fault(telemetry.ReasonEncoding, "the payload is neither JSON nor a text")
		return
	}
	rest := !d.tree.in.AtEnd()
	where := d.tree.in.Pos()
	if !d.holds(d.plan.first, 0) {
		return
	}
	if d.plan.each == nil {
		d.record(0, 0)
	} else {
		d.records()
	}
	if rest {
		d.rec = record{sensor: d.from.Publisher}
		d.fault(telemetry.ReasonMalformed, "something follows the end of the message at byte %d", where)
	}
}

// isText says whether bytes are a word that people could have written.
func isText(word []byte) bool {
	return utf8.Valid(word) && !bytes.ContainsFunc(word, unicode.IsControl)
}

// records reads each record. A payload without any is a fault.
func (d *Decoder) records() {
	d.places = d.places[:0]
	w := walk{tree: &d.tree, segments: d.plan.each.segments, trail: &d.trail, again: d.again}
	w.found = func(at int32) bool {
		d.places = append(d.places, at)
		return true
	}
	w.from(0, 0)
	if len(d.places) == 0 {
		d.fault(telemetry.ReasonMalformed, "there is no record at %s", scan.Excerpt([]byte(d.plan.each.text)))
	}
	for i, at := range d.places {
		if d.isFull {
			return
		}
		d.record(at, i+1)
	}
}

// holds says whether all conditions do, for the record at a node.
func (d *Decoder) holds(conditions []condition, at int32) bool {
	for i := range conditions {
		c := &conditions[i]
		met := false
		for _, p := range c.paths {
			w := walk{tree: &d.tree, segments: p.segments, trail: &d.trail, again: func(int32) {}}
			w.found = func(at int32) bool {
				met = met || c.met(&d.tree.nodes[at].Value)
				return !met
			}
			w.from(d.start(p, at), 0)
		}
		if met == c.absent {
			return false
		}
	}
	return true
}

func (c *condition) met(v *scan.Value) bool {
	if len(c.is) == 0 {
		return v.Kind != scan.Null && v.Kind != scan.Missing
	}
	for i := range c.is {
		if c.is[i].fits(v) {
			return true
		}
	}
	return false
}

// start is where a path begins.
func (d *Decoder) start(p *path, record int32) int32 {
	if p.whole {
		return 0
	}
	return record
}

// record reads the record at a node.
func (d *Decoder) record(at int32, number int) {
	if !d.holds(d.plan.then, at) {
		return
	}
	d.rec = record{at: at, number: number, sensor: d.from.Publisher, measured: d.from.Received, firstReading: len(d.msg.Readings)}
	d.sensor()
	d.time()
	for i := range d.plan.readings {
		if d.isFull {
			break
		}
		d.read(i)
	}
	switch {
	case d.rec.refused != telemetry.ReasonNone:
		d.drop()
	case !d.rec.mapped && !d.isFull && d.hasRoom():
		d.fault(telemetry.ReasonMalformed, "none of the mapped values is there: %s", d.sought())
	}
}

// sought lists the first paths, for people.
func (d *Decoder) sought() string {
	var list string
	for i := range d.plan.readings {
		if i == 4 {
			return list + " ..."
		}
		if i > 0 {
			list += ", "
		}
		list += scan.Excerpt([]byte(d.plan.readings[i].path.text))
	}
	return list
}

// find is tree.find, and remembers where it led; which is the place in looked.
func (d *Decoder) find(which int, from int32, segments []segment) int32 {
	l := &d.looked[which]
	if l.from != from {
		*l = looked{from: from, to: d.tree.find(from, segments)}
	}
	return l.to
}

// sensor finds out whose the record is.
func (d *Decoder) sensor() {
	var name []byte
	switch p := d.plan.sensorPath; {
	case d.plan.sensorKey:
		name = d.label(d.rec.at)
	case p != nil:
		at := d.find(len(d.plan.readings), d.start(p, d.rec.at), p.segments)
		if at < 0 {
			d.refuse(telemetry.ReasonMalformed, "there is no sensor at %s", scan.Excerpt([]byte(p.text)))
			return
		}
		v := &d.tree.nodes[at].Value
		if v.Kind != scan.String && v.Kind != scan.Number {
			d.refuse(telemetry.ReasonMalformed, "sensor at byte %d is neither a text nor a number", v.At)
			return
		}
		name = v.Text
	default:
		id, ok, err := d.plan.sensor.FromTopic(d.topic)
		switch {
		case err != nil:
			d.refuse(telemetry.ReasonTopic, "%v", err)
		case ok:
			d.rec.sensor = id
		}
		return
	}
	id, err := d.plan.sensor.Resolve(name)
	if err != nil {
		d.refuse(scan.TextReason(name, telemetry.ReasonMalformed), "%v", err)
		return
	}
	d.rec.sensor = id
}

// time finds out when the record was measured.
func (d *Decoder) time() {
	t := &d.plan.time
	for i, p := range t.paths {
		at := d.find(len(d.plan.readings)+1+i, d.start(p, d.rec.at), p.segments)
		if at < 0 || d.tree.nodes[at].Kind == scan.Null {
			continue
		}
		v := &d.tree.nodes[at].Value
		ms, ok := t.read(v, d.from.Received)
		if !ok {
			d.refuse(scan.TextReason(v.Text, telemetry.ReasonTime), "time %s at byte %d is %s", scan.Excerpt(v.Text), v.At, t.describe())
			return
		}
		d.rec.measured, d.rec.timed = ms, true
		return
	}
}

// refuse notes why none of the record's values can be kept; the first reason counts.
func (d *Decoder) refuse(reason telemetry.Reason, format string, args ...any) {
	if d.rec.refused == telemetry.ReasonNone {
		d.rec.refused, d.rec.why = reason, scan.Detail(format, args...)
	}
}

// drop turns the record's readings into faults. A record without any has one all the same.
func (d *Decoder) drop() {
	lost := d.msg.Readings[d.rec.firstReading:]
	d.msg.Readings = d.msg.Readings[:d.rec.firstReading]
	for i := range lost {
		d.fault(d.rec.refused, "%s: %s", lost[i].Quantity, d.rec.why)
	}
	if len(lost) == 0 && d.hasRoom() {
		d.fault(d.rec.refused, "%s", d.rec.why)
	}
}

// again notes the second member of an object that has the same key.
func (d *Decoder) again(at int32) {
	if d.hasRoom() {
		n := &d.tree.nodes[at]
		d.fault(telemetry.ReasonMalformed, "key %s comes again before byte %d; the first counts", scan.Excerpt(n.key), n.At)
	}
}

// hasRoom says whether the message may hold one more reading or fault; if not, it notes that, once, and ends the payload.
func (d *Decoder) hasRoom() bool {
	if d.isFull {
		return false
	}
	if len(d.msg.Readings)+len(d.msg.Faults) < d.room {
		return true
	}
	d.isFull = true
	d.fault(telemetry.ReasonTooLarge, "the message has more readings than the limit of %d; the rest was not read", d.limits.MaxReadings)
	return false
}

// fault notes a fault of the present record.
func (d *Decoder) fault(reason telemetry.Reason, format string, args ...any) {
	detail := scan.Detail(format, args...)
	if d.rec.number > 0 {
		detail = scan.Detail("record %d: %s", d.rec.number, detail)
	}
	d.msg.Faults = append(d.msg.Faults, telemetry.Fault{Reason: reason, Sensor: d.rec.sensor, Detail: detail})
}
