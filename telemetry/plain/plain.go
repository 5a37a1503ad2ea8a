package plain

import (
	"github.com/lamppost-city/lamppost/telemetry"
	"github.com/lamppost-city/lamppost/telemetry/internal/scan"
)

// Decoder reads plain JSON. It remembers the sensors and channels that it met, so each worker needs one of its own: it is not
// safe for concurrent use.
type Decoder struct {
	limits   telemetry.Limits
	keys     map[string]key
	sensors  *scan.Table[telemetry.SensorID]
	channels *scan.Table[string]

	in     scan.Scanner
	value  scan.Value
	msg    *telemetry.Message
	from   telemetry.Origin
	room   int // how many readings and faults the message may hold in all
	inList bool
	rec    record
}

// word is what a key of a record stands for.
type word uint8

const (
	wordQuantity word = iota
	wordTime
	wordSeq
	wordSensor
	wordChannel
)

type key struct {
	word     word
	quantity *telemetry.Quantity
}

// record is the object that is being read.
type record struct {
	index         int // its place in the array, from 0
	firstReading  int
	firstFault    int
	measured      telemetry.UnixMilli
	sensor        telemetry.SensorID
	channel       string
	words         uint8            // bit per word that came
	quantities    []uint64         // bit per quantity that came
	timed         bool             // measured is what the record said
	open          bool             // its end has not come yet
	refusedFor    telemetry.Reason // why none of the readings can be kept
	refusedDetail string
}

// NewDecoder makes a decoder within limits, which must be valid.
func NewDecoder(limits telemetry.Limits) *Decoder {
	d := &Decoder{
		limits:   limits,
		sensors:  scan.NewTable[telemetry.SensorID](limits.MaxNames),
		channels: scan.NewTable[string](limits.MaxNames),
		keys: map[string]key{
			"time": {word: wordTime}, "seq": {word: wordSeq}, "sensor": {word: wordSensor}, "channel": {word: wordChannel},
		},
	}
	all := telemetry.Quantities()
	for i := range all {
		d.keys[all[i].Name] = key{quantity: &all[i]}
	}
	d.rec.quantities = make([]uint64, len(all)/64+1)
	return d
}

// Known says whether name is a key of this format: a quantity, time, seq, sensor or channel.
func (d *Decoder) Known(name []byte) bool {
	_, ok := d.keys[string(name)]
	return ok
}

// Decode appends what the payload holds to msg: readings, and a fault for everything that could not become one. It keeps
// neither msg nor payload.
func (d *Decoder) Decode(msg *telemetry.Message, payload []byte, from telemetry.Origin) {
	d.msg, d.from = msg, from
	d.room = len(msg.Readings) + len(msg.Faults) + d.limits.MaxReadings
	d.in.Reset(payload, d.limits.MaxDepth)
	d.begin(0)
	if d.payload() && !d.in.AtEnd() {
		d.begin(0)
		d.inList = false
		d.fault(telemetry.ReasonMalformed, "something follows the end of the message at byte %d", d.in.Pos())
	}
	d.msg, d.value.Text = nil, nil
	d.in.Release()
}

func (d *Decoder) payload() bool {
	d.inList = d.in.Next() == '['
	if !d.inList {
		return d.element(0, 1)
	}
	d.in.Take('[')
	if d.in.Take(']') {
		return true
	}
	for i := 0; ; i++ {
		if !d.element(i, 2) {
			return false
		}
		if d.in.Take(']') {
			return true
		}
		if !d.in.Take(',') {
			d.in.Fail("a comma or ] should stand")
			return d.broken()
		}
	}
}

// begin makes room for the record at index.
func (d *Decoder) begin(index int) {
	r := &d.rec
	clear(r.quantities)
	*r = record{
		index: index, quantities: r.quantities, sensor: d.from.Publisher,
		firstReading: len(d.msg.Readings), firstFault: len(d.msg.Faults),
	}
}

// element reads what should be a record at the given depth.
func (d *Decoder) element(index, depth int) bool {
	d.begin(index)
	if d.in.Take('{') {
		d.rec.open = true
		return d.object(depth)
	}
	if !d.in.Value(&d.value, depth) {
		return d.broken()
	}
	if !d.hasRoom() {
		return false
	}
	d.fault(telemetry.ReasonMalformed, "an object should stand at byte %d", d.value.At)
	return true
}

func (d *Decoder) object(depth int) bool {
	if d.in.Take('}') {
		d.finish()
		return true
	}
	for {
		name, ok := d.in.Key()
		if !ok || !d.in.Value(&d.value, depth+1) {
			return d.broken()
		}
		if d.value.Kind != scan.Null && !d.field(name) {
			return false
		}
		if d.in.Take(',') {
			if d.in.Next() != '}' {
				continue
			}
			d.fault(telemetry.ReasonMalformed, "a comma stands before } at byte %d", d.in.Pos())
		}
		if !d.in.Take('}') {
			d.in.Fail("a comma or } should stand")
			return d.broken()
		}
		d.finish()
		return true
	}
}

// field reads one key of a record; its value is in d.value and is not null. It returns false if the message is full.
func (d *Decoder) field(name []byte) bool {
	k, ok := d.keys[string(name)]
	if k.word == wordQuantity && !d.hasRoom() { // an unknown key would be a quantity too
		return false
	}
	if !ok {
		reason, wrong := scan.TextReason(name, telemetry.ReasonUnknownQuantity), "a quantity of the catalogue"
		if reason == telemetry.ReasonEncoding {
			wrong = "valid UTF-8"
		}
		d.fault(reason, "key %s before byte %d is not %s", scan.Excerpt(name), d.value.At, wrong)
		return true
	}
	if k.word == wordQuantity {
		d.reading(k.quantity)
		return true
	}
	bit := uint8(1) << k.word
	if d.rec.words&bit != 0 {
		d.fault(telemetry.ReasonMalformed, "key %s comes again before byte %d; the first counts", scan.Excerpt(name), d.value.At)
		return true
	}
	d.rec.words |= bit
	switch k.word {
	case wordTime:
		d.time()
	case wordSeq:
		d.seq()
	case wordSensor:
		d.sensor()
	case wordChannel:
		d.channel()
	}
	return true
}

func (d *Decoder) reading(q *telemetry.Quantity) {
	seen, bit := &d.rec.quantities[q.ID/64], uint64(1)<<(q.ID%64)
	if *seen&bit != 0 {
		d.fault(telemetry.ReasonMalformed, "key %q comes again before byte %d; the first counts", q.Name, d.value.At)
		return
	}
	*seen |= bit
	value, reason, detail := scan.Measure(q, &d.value)
	if reason != telemetry.ReasonNone {
		d.fault(reason, "%s at byte %d: %s", q.Name, d.value.At, detail)
		return
	}
	d.msg.Readings = append(d.msg.Readings, telemetry.Reading{Quantity: q.ID, Value: value})
}

func (d *Decoder) time() {
	v := &d.value
	var ok bool
	switch v.Kind {
	case scan.Number:
		d.rec.measured, ok = scan.Unix(v)
	case scan.String:
		if d.rec.measured, ok = scan.RFC3339(v.Text); ok {
			break
		}
		if scan.ParseNumber(v.Text, v); v.Kind == scan.Number {
			d.rec.measured, ok = scan.Unix(v)
		}
	}
	d.rec.timed = ok
	if !ok {
		d.refuse(scan.TextReason(v.Text, telemetry.ReasonTime), "time %s at byte %d is neither RFC 3339 with a zone nor a Unix time")
	}
}

func (d *Decoder) seq() {
	v := &d.value
	if v.Kind == scan.String {
		scan.ParseNumber(v.Text, v)
	}
	seq, ok := v.Count()
	switch {
	case !ok:
		d.fault(telemetry.ReasonNotANumber, "seq at byte %d is not a whole number of 0 or more", v.At)
	case d.msg.HasSeq && d.msg.Seq != seq:
		d.fault(telemetry.ReasonMalformed, "seq %d at byte %d differs from %d in the same message", seq, v.At, d.msg.Seq)
	default:
		d.msg.Seq, d.msg.HasSeq = seq, true
	}
}

func (d *Decoder) sensor() {
	v := &d.value
	if v.Kind == scan.String {
		if id, ok := d.sensors.Get(v.Text); ok {
			d.rec.sensor = id
			return
		}
		id := telemetry.SensorID(v.Text)
		if id.Check() == nil {
			d.sensors.Put(string(id), id)
			d.rec.sensor = id
			return
		}
	}
	d.refuse(scan.TextReason(v.Text, telemetry.ReasonMalformed), "sensor %s at byte %d is not a sensor's id")
}

func (d *Decoder) channel() {
	v := &d.value
	if v.Kind == scan.String || v.Kind == scan.Number { // lanes are often bare numbers
		if name, ok := d.channels.Get(v.Text); ok {
			d.rec.channel = name
			return
		}
		name := string(v.Text)
		if telemetry.CheckChannel(name) == nil {
			d.channels.Put(name, name)
			d.rec.channel = name
			return
		}
	}
	d.refuse(scan.TextReason(v.Text, telemetry.ReasonMalformed), "channel %s at byte %d is not a channel's name")
}
