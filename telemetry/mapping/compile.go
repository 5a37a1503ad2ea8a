package mapping

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/lamppost-city/lamppost/internal/faults"
	"github.com/lamppost-city/lamppost/telemetry"
)

// plan is a mapping that has been checked.
type plan struct {
	each *path
	// first are the conditions that need no record, then those that do.
	first, then []condition
	sensor      *Names
	sensorPath  *path // nil where the name is not in the payload
	sensorKey   bool  // the name is the key of the record
	time        timing
	readings    []reading
}

type condition struct {
	paths  []*path
	is     []literal // one of these; none is any value
	absent bool
}

// whole says whether the condition is on the payload, not on a record.
func (c *condition) whole() bool {
	return !slices.ContainsFunc(c.paths, func(p *path) bool { return !p.whole })
}

// reading is a Reading that has been checked.
type reading struct {
	*Reading
	path     *path
	quantity *telemetry.Quantity
	factor   float64
	values   []choice
	missing  []literal
	channel  channelRule
	// leadsOn says that another path leads further from where this one ends, so that a compound there is for that one.
	leadsOn bool
}

// choice is what a value of the payload stands for.
type choice struct {
	is    literal
	value float64
}

// channelRule says where the channel is: it is Reading.Channel, a key that a star has matched, or at a path.
type channelRule struct {
	kind channelKind
	// step is the place in the trail of the reading's path: where the star's match is, or from where rest leads on.
	step int
	rest []segment
}

type channelKind uint8

const (
	constantChannel channelKind = iota
	channelOfKey                // the key that a star of the reading's path has matched
	channelOfRecord             // the key that Each has matched
	channelAtPath
)

// compile checks a mapping. The error joins all that is wrong, each with its key.
func compile(o Options) (*plan, error) {
	p := &plan{}
	var all []error
	at := func(key string, err error) {
		for _, one := range faults.Split(err) {
			all = append(all, fmt.Errorf("%s: %w", key, one))
		}
	}
	within := func(section string, err error) { all = append(all, faults.Prefix(section, err)) }
	var err error
	if o.Each != "" {
		p.each, err = parsePath(o.Each)
		at("each", err)
	}
	if len(o.When) > maxConditions {
		at("when", fmt.Errorf("has %d conditions; at most %d are allowed", len(o.When), maxConditions))
	}
	for i, one := range o.When {
		c, err := compileCondition(one)
		within(fmt.Sprintf("when[%d]", i), err)
		if err != nil {
			continue
		}
		if c.whole() || o.Each == "" {
			p.first = append(p.first, c)
		} else {
			p.then = append(p.then, c)
		}
	}
	within("sensor", p.compileSensor(o))
	p.time, err = compileTime(o.Time)
	within("time", err)
	within("time", p.time.comparePaths())
	all = append(all, p.compileReadings(slices.Clone(o.Readings)))
	if err := errors.Join(all...); err != nil {
		return nil, err
	}
	return p, nil
}

func compileCondition(o Condition) (condition, error) {
	var all []error
	c := condition{absent: o.Absent}
	if len(o.Path) == 0 || len(o.Path) > maxPaths {
		all = append(all, fmt.Errorf("path: has %d; at least one and at most %d are allowed", len(o.Path), maxPaths))
	}
	for _, text := range o.Path {
		p, err := parsePath(text)
		if err != nil {
			all = append(all, fmt.Errorf("path: %w", err))
		}
		c.paths = append(c.paths, p)
	}
	list, isList := o.Is.([]any)
	if !isList && o.Is != nil {
		list = []any{o.Is}
	}
	if isList && len(list) == 0 || len(list) > maxValues {
		all = append(all, fmt.Errorf("is: has %d values; at least one and at most %d are allowed", len(list), maxValues))
	}
	for _, v := range list {
		is, err := anyLiteral(v)
		if err != nil {
			all = append(all, fmt.Errorf("is: %w", err))
		}
		c.is = append(c.is, is)
	}
	return c, errors.Join(all...)
}

func (p *plan) compileSensor(o Options) error {
	names, err := NewNames(o.Sensor)
	all := []error{err}
	if o.Sensor.Path == "*" {
		p.sensorKey = true
		if p.each == nil || !slices.ContainsFunc(p.each.segments, segment.loops) {
			all = append(all, errors.New("path: * is the key that each has matched, and each has no star"))
		}
	} else if o.Sensor.Path != "" {
		p.sensorPath, err = single(o.Sensor.Path)
		if err != nil {
			all = append(all, fmt.Errorf("path: %w", err))
		}
	}
	p.sensor = names
	return errors.Join(all...)
}

// single reads a path that must lead to one place.
func single(text string) (*path, error) {
	p, err := parsePath(text)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(p.segments, func(s segment) bool { return s.kind == every }) {
		return nil, fmt.Errorf("%q leads to several values; name one by a key, a number or [key=value]", text)
	}
	return p, nil
}

func (p *plan) compileReadings(list []Reading) error {
	if len(list) == 0 {
		return errors.New("readings: are none; list at least one with path and quantity")
	}
	if len(list) > maxReadings {
		return fmt.Errorf("readings: are %d; at most %d are allowed", len(list), maxReadings)
	}
	var all []error
	for i := range list {
		r, err := p.compileReading(&list[i])
		all = append(all, faults.Prefix(fmt.Sprintf("readings[%d]", i), err))
		p.readings = append(p.readings, r)
	}
	for i := range p.readings {
		for j := range p.readings {
			if leads(p.readings[i].path, p.readings[j].path) {
				p.readings[i].leadsOn = true
			}
		}
	}
	return errors.Join(all...)
}

// leads says whether b goes on from where a ends.
func leads(a, b *path) bool {
	return a != nil && b != nil && a.whole == b.whole && len(a.segments) < len(b.segments) && common(a, b) == len(a.segments)
}

// common is how many segments two paths have in common at their beginning.
func common(a, b *path) int {
	if a.whole != b.whole {
		return 0
	}
	n := 0
	for n < len(a.segments) && n < len(b.segments) && same(a.segments[n], b.segments[n]) {
		n++
	}
	return n
}

func same(a, b segment) bool {
	a.list, b.list = false, false // * and [*] are the same
	return a == b
}

func (p *plan) compileReading(o *Reading) (reading, error) {
	r := reading{Reading: o, factor: o.Factor}
	var all []error
	at := func(key string, err error) {
		if err != nil {
			all = append(all, fmt.Errorf("%s: %w", key, err))
		}
	}
	var err error
	r.path, err = parsePath(o.Path)
	at("path", err)
	q, known := telemetry.QuantityByName(o.Quantity)
	if !known {
		at("quantity", fmt.Errorf("%q is not in the catalogue; see GET /api/v1/quantities of the city", o.Quantity))
		return r, errors.Join(all...)
	}
	r.quantity = q
	_, err = telemetry.Convert(0, o.Unit, q)
	at("unit", err)
	if r.factor == 0 {
		r.factor = 1
	}
	at("factor", finite(o.Factor))
	at("offset", finite(o.Offset))
	if q.Kind == telemetry.State && (o.Factor != 0 || o.Offset != 0 || o.Unit != "" || o.NumberAsText) {
		at("quantity", fmt.Errorf("%s is a state; leave factor, offset, unit and number_as_text out, and say by values what stands for %v", q.Name, q.States))
	}
	at("channel", telemetry.CheckChannel(o.Channel))
	if o.ChannelFrom != "" && r.path != nil {
		r.channel, err = p.compileChannel(o, r.path)
		at("channel_from", err)
	}
	all = append(all, r.compileValues())
	return r, errors.Join(all...)
}

func finite(v float64) error {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return fmt.Errorf("%g is not a number that can be used", v)
	}
	return nil
}

func (p *plan) compileChannel(o *Reading, of *path) (rule channelRule, err error) {
	if o.Channel != "" {
		return rule, errors.New("channel is set as well; leave one out")
	}
	if o.ChannelFrom == "*" {
		for i := len(of.segments) - 1; i >= 0; i-- {
			if of.segments[i].loops() {
				return channelRule{kind: channelOfKey, step: i + 1}, nil
			}
		}
		if p.each == nil || !slices.ContainsFunc(p.each.segments, segment.loops) {
			return rule, errors.New("* is the key that a star of path or each has matched, and neither has a star")
		}
		return channelRule{kind: channelOfRecord}, nil
	}
	from, err := parsePath(o.ChannelFrom)
	if err != nil {
		return rule, err
	}
	if from.whole != of.whole && from.whole {
		return rule, errors.New("begins with $, and path does not; begin both in the same way")
	}
	if from.whole != of.whole {
		return rule, errors.New("does not begin with $, and path does; begin both in the same way")
	}
	rule = channelRule{kind: channelAtPath, step: common(from, of)}
	rule.rest = from.segments[rule.step:]
	if slices.ContainsFunc(rule.rest, func(s segment) bool { return s.kind == every }) {
		return rule, fmt.Errorf("%q has a star that path has not; up to its last star it must be written as path is", o.ChannelFrom)
	}
	return rule, nil
}

func (r *reading) compileValues() error {
	var all []error
	if len(r.Values) > maxValues || len(r.Missing) > maxValues {
		all = append(all, fmt.Errorf("values: are more than %d, or those of missing are", maxValues))
	}
	for i, v := range r.Values {
		c, err := compileValue(v, r.quantity)
		all = append(all, faults.Prefix(fmt.Sprintf("values[%d]", i), err))
		r.values = append(r.values, c)
	}
	for i, v := range r.Missing {
		is, err := anyLiteral(v)
		if err != nil {
			all = append(all, fmt.Errorf("missing[%d]: %w", i, err))
		}
		r.missing = append(r.missing, is)
	}
	return errors.Join(all...)
}

func compileValue(v Value, q *telemetry.Quantity) (c choice, err error) {
	if c.is, err = anyLiteral(v.Text); err != nil {
		return c, fmt.Errorf("text: %w", err)
	}
	to, err := anyLiteral(v.Value)
	if err != nil {
		return c, fmt.Errorf("value: %w", err)
	}
	if q.Kind != telemetry.State {
		if c.value = to.num; !to.isNum {
			return c, fmt.Errorf("value: %q is not a number, and %s is one", to.text, q.Name)
		}
		return c, nil
	}
	if i, ok := q.StateIndex(to.text); ok {
		c.value = float64(i)
		return c, nil
	}
	c.value = to.num
	if !to.isNum || to.num < 0 || to.num >= float64(len(q.States)) || to.num != math.Trunc(to.num) {
		return c, fmt.Errorf("value: %q is none of the states of %s: %v", to.text, q.Name, q.States)
	}
	return c, nil
}
