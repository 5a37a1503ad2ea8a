package mapping

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/lamppost-city/lamppost/telemetry"
)

// Example makes a payload that the decoder reads: the one that a simulated device sends. name is what the payload calls the
// sensor, where it does so; value gives the value of each quantity and channel, in the quantity's unit. Of paths with * it has one
// value, and of paths that mean the same value the first. What a mapping contradicts itself in is not in it.
func (d *Decoder) Example(name string, at time.Time, value func(q *telemetry.Quantity, channel string) float64) ([]byte, error) {
	e := example{plan: d.plan, name: name}
	given := map[series]bool{}
	for i := range d.plan.readings {
		r := &d.plan.readings[i]
		channel := r.Channel
		if r.channel.kind != constantChannel {
			channel = "1"
		}
		s := series{quantity: r.quantity.ID, channel: channel}
		if given[s] || e.within(r.path) {
			continue
		}
		given[s] = true
		if r.channel.kind == channelAtPath {
			from, err := parsePath(r.ChannelFrom)
			if err != nil {
				return nil, fmt.Errorf("path of the channel: %w", err)
			}
			e.put(from, "1")
		}
		e.put(r.path, r.unmeasure(value(r.quantity, channel)))
	}
	if p := d.plan.sensorPath; p != nil {
		e.put(p, name)
	}
	if t := &d.plan.time; len(t.paths) > 0 {
		e.put(t.paths[0], t.write(at))
	}
	conditions := slices.Concat(d.plan.first, d.plan.then)
	for i := range conditions {
		c := &conditions[i]
		switch {
		case c.absent:
		case len(c.is) > 0:
			e.put(c.paths[0], c.is[0].value())
		case !slices.ContainsFunc(c.paths, e.has):
			e.put(c.paths[0], true)
		}
	}
	return json.Marshal(e.root)
}

// example is a payload in the making.
type example struct {
	*plan
	name string
	root any
}

// within says whether the path leads further from where another reading's ends.
func (e *example) within(p *path) bool {
	return slices.ContainsFunc(e.readings, func(r reading) bool { return leads(r.path, p) })
}

// segments are the path's, from the beginning of the payload, with a key in the place of every star of an object: the
// sensor's name, where that is the key of the record.
func (e *example) segments(p *path) []segment {
	all := slices.Clone(p.segments)
	records := 0
	if e.each != nil && !p.whole {
		records = len(e.each.segments)
		all = slices.Concat(e.each.segments, p.segments)
	}
	for i := range all {
		named := i < records && e.sensorKey
		switch {
		case all[i].kind != every || all[i].list && !named:
		case named:
			all[i] = segment{key: e.name}
		default:
			all[i] = segment{key: "1"}
		}
	}
	return all
}

func (e *example) put(p *path, value any) {
	e.root = put(e.root, e.segments(p), value)
}

// has says whether there is something at the path.
func (e *example) has(p *path) bool {
	at := e.root
	for _, s := range e.segments(p) {
		switch in := at.(type) {
		case map[string]any:
			at = in[s.key]
		case []any:
			if s.kind != byIndex || s.index >= len(in) {
				return len(in) > 0
			}
			at = in[s.index]
		default:
			return false
		}
	}
	return at != nil
}

// mostElements bounds the arrays of an example.
const mostElements = 64

// put puts a value where the segments lead, and returns what is then at their beginning.
func put(at any, segments []segment, value any) any {
	if len(segments) == 0 {
		if _, isMap := at.(map[string]any); isMap {
			return at // other paths lead further
		}
		return value
	}
	s, rest := segments[0], segments[1:]
	if s.kind == byKey {
		object, ok := at.(map[string]any)
		if !ok {
			object = map[string]any{}
		}
		object[s.key] = put(object[s.key], rest, value)
		return object
	}
	list, _ := at.([]any)
	i := s.index
	if s.kind == where {
		i = slices.IndexFunc(list, func(element any) bool {
			object, ok := element.(map[string]any)
			return ok && object[s.key] == s.is.value()
		})
		if i < 0 {
			i = len(list)
		}
	}
	if i >= mostElements {
		return at
	}
	for len(list) <= i {
		list = append(list, nil)
	}
	if s.kind == where && list[i] == nil {
		list[i] = map[string]any{s.key: s.is.value()}
	}
	list[i] = put(list[i], rest, value)
	return list
}

// value is the literal as it would stand in a payload.
func (l *literal) value() any {
	switch {
	case l.isNum:
		return l.num
	case l.text == "true", l.text == "false":
		return l.text == "true"
	}
	return l.text
}

// unmeasure turns a value in the quantity's unit into what a payload says.
func (r *reading) unmeasure(value float64) any {
	for i := range r.values {
		if r.quantity.Kind == telemetry.State && r.values[i].value == value {
			return r.values[i].is.value()
		}
	}
	if r.quantity.Kind == telemetry.State {
		return value
	}
	raw, err := telemetry.Express(value, r.Unit, r.quantity)
	if err != nil {
		raw = value
	}
	raw = (raw - r.Offset) / r.factor
	raw = math.Round(raw*1e6) / 1e6
	if math.IsNaN(raw) || math.IsInf(raw, 0) {
		raw = 0
	}
	if r.NumberAsText {
		return strconv.FormatFloat(raw, 'f', -1, 64)
	}
	return raw
}

// write writes a time as the mapping has it.
func (t *timing) write(at time.Time) any {
	switch {
	case t.layout != nil:
		if t.zone == nil {
			return writeLayout(t.layout, at.UTC())
		}
		return writeLayout(t.layout, at.In(t.zone))
	case t.format == formatUnix:
		return at.UnixMilli()
	}
	return at.UTC().Format("2006-01-02T15:04:05.000Z07:00")
}
