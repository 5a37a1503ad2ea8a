package mapping

import (
	"bytes"
	"math"
	"strconv"

	"github.com/lamppost-city/lamppost/telemetry"
	"github.com/lamppost-city/lamppost/telemetry/internal/scan"
)

// read reads all values of a reading in the present record.
func (d *Decoder) read(which int) {
	r := &d.plan.readings[which]
	there := false
	w := walk{tree: &d.tree, segments: r.path.segments, trail: &d.trail, again: d.again}
	w.found = func(at int32) bool {
		n := &d.tree.nodes[at]
		if n.Kind == scan.Compound && r.leadsOn {
			return true
		}
		d.rec.mapped = true
		if r.absent(&n.Value) {
			return true
		}
		there = true
		if !d.hasRoom() {
			return false
		}
		d.value(which, at)
		return true
	}
	w.from(d.start(r.path, d.rec.at), 0)
	if r.Required && !there && d.hasRoom() {
		d.rec.mapped = true // one fault says it
		d.fault(telemetry.ReasonNotANumber, "%s: there is no value at %s", r.quantity.Name, scan.Excerpt([]byte(r.path.text)))
	}
}

// absent says whether a value stands for none.
func (r *reading) absent(v *scan.Value) bool {
	if v.Kind == scan.Null {
		return true
	}
	for i := range r.missing {
		if r.missing[i].fits(v) {
			return true
		}
	}
	return false
}

// value makes a reading or a fault of the value at a node; the trail leads there.
func (d *Decoder) value(which int, at int32) {
	r, v := &d.plan.readings[which], &d.tree.nodes[at].Value
	number, reason, wrong := r.measure(v)
	var channel string
	if reason == telemetry.ReasonNone {
		channel, reason, wrong = d.channel(which)
	}
	if reason != telemetry.ReasonNone {
		d.fault(reason, "%s from %s at byte %d: %s", r.quantity.Name, scan.Excerpt([]byte(r.path.text)), v.At, wrong)
		return
	}
	if d.rec.refused == telemetry.ReasonNone {
		s := series{d.rec.sensor, d.rec.measured, r.quantity.ID, channel}
		if _, twice := d.seen[s]; twice {
			d.fault(telemetry.ReasonMalformed, "%s from %s at byte %d: there is one already of this sensor, channel %q and time; the first counts",
				r.quantity.Name, scan.Excerpt([]byte(r.path.text)), v.At, channel)
			return
		}
		d.seen[s] = struct{}{}
	}
	d.msg.Readings = append(d.msg.Readings, telemetry.Reading{
		Sensor: d.rec.sensor, Quantity: r.quantity.ID, Channel: channel, Value: number, Measured: d.rec.measured, Stamped: !d.rec.timed,
	})
}

// measure turns a value into the quantity's unit.
func (r *reading) measure(v *scan.Value) (float64, telemetry.Reason, string) {
	raw, known := 0.0, false
	for i := range r.values {
		if r.values[i].is.fits(v) {
			raw, known = r.values[i].value, true
			break
		}
	}
	number := *v
	if !known && r.NumberAsText && v.Kind == scan.String {
		scan.ParseNumber(bytes.TrimSpace(v.Text), &number)
	}
	if !known {
		var reason telemetry.Reason
		var wrong string
		if raw, reason, wrong = scan.Measure(r.quantity, &number); reason != telemetry.ReasonNone {
			return 0, reason, wrong
		}
	}
	if r.quantity.Kind == telemetry.State {
		return raw, telemetry.ReasonNone, ""
	}
	value, err := telemetry.Convert(raw*r.factor+r.Offset, r.Unit, r.quantity)
	if err != nil {
		return 0, telemetry.ReasonUnit, err.Error()
	}
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return 0, telemetry.ReasonNotANumber, "the value " + scan.Excerpt(v.Text) + " is too large"
	}
	return value, telemetry.ReasonNone, ""
}

// channel finds the channel of the value to which the trail leads.
func (d *Decoder) channel(which int) (string, telemetry.Reason, string) {
	r := &d.plan.readings[which]
	var text []byte
	switch r.channel.kind {
	case constantChannel:
		return r.Channel, telemetry.ReasonNone, ""
	case channelOfKey:
		text = d.label(d.trail[r.channel.step])
	case channelOfRecord:
		text = d.label(d.rec.at)
	case channelAtPath:
		at := d.find(which, d.trail[r.channel.step], r.channel.rest)
		if at < 0 {
			return "", telemetry.ReasonMalformed, "there is no channel at " + scan.Excerpt([]byte(r.ChannelFrom))
		}
		v := &d.tree.nodes[at].Value
		if v.Kind != scan.String && v.Kind != scan.Number {
			return "", telemetry.ReasonMalformed, "the channel at " + scan.Excerpt([]byte(r.ChannelFrom)) + " is neither a text nor a number"
		}
		text = v.Text
	}
	if channel, known := d.channels.Get(text); known {
		return channel, telemetry.ReasonNone, ""
	}
	channel := channelName(text)
	if err := telemetry.CheckChannel(channel); err != nil {
		return "", scan.TextReason(text, telemetry.ReasonMalformed), err.Error()
	}
	d.channels.Put(string(text), channel)
	return channel, telemetry.ReasonNone, ""
}

// label is the key, or the number, of an element or a member. It is valid until the next call.
func (d *Decoder) label(at int32) []byte {
	n := &d.tree.nodes[at]
	if n.key != nil {
		return n.key
	}
	d.digits = strconv.AppendInt(d.digits[:0], int64(n.number), 10)
	return d.digits
}

// channelName makes a channel's name of a text: what cannot be in one becomes '-'.
func channelName(text []byte) string {
	if len(text) > telemetry.MaxChannelLength+1 {
		text = text[:telemetry.MaxChannelLength+1] // too long in any case
	}
	name := bytes.Clone(text)
	for i, c := range name {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', c == '.':
		default:
			name[i] = '-'
		}
	}
	return string(name)
}
