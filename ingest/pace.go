package ingest

import (
	"slices"
	"time"

	"github.com/lamppost-city/lamppost/ingest/frame"
	"github.com/lamppost-city/lamppost/telemetry"
)

// pace is when a sensor reported, to tell by its cadence which reports did not come.
type pace struct {
	// last is when the newest report was measured, or received if its clock is ahead; 0 before the first.
	last telemetry.UnixMilli
	// heard is which message had the report before this one, 0 if it was one of another process.
	heard uint64
	// open are the silences in which a report can still come late.
	open []frame.Silence
	// held is the end of the silence that a message ended which had waited on its way, 0 if none is being made up for.
	held telemetry.UnixMilli
}

// report is one report as pace sees it.
type report struct {
	at      telemetry.UnixMilli
	stamped bool
}

const (
	// maxSilences is how many silences of a sensor are kept open. Where there are more, those in which the fewest reports
	// are missing are closed: what they say is missing stays missing.
	maxSilences = 8
	// maxSilencesBytes is their largest encoded size, with the sensor's id.
	maxSilencesBytes = 66 + 40*maxSilences
)

// onTime tells whether a report is the next one, as expected. Nearly all are.
func (p *pace) onTime(at telemetry.UnixMilli, cadence time.Duration) bool {
	return at > p.last && p.held == 0 && (cadence <= 0 || 2*int64(at-p.last) <= 3*cadence.Milliseconds())
}

// change is a silence that begins to be counted, or of which less is left.
type change struct {
	was frame.Silence // zero if it is new
	now [2]frame.Silence
}

// look returns what a report changes, if anything; the zero change if nothing.
func (p *pace) look(r report, cadence time.Duration, since telemetry.UnixMilli) (c change, changed bool) {
	if p.held != 0 && p.early(r, cadence) {
		// It waited together with the one that ended the silence, and was stamped when both came.
		i := slices.IndexFunc(p.open, func(s frame.Silence) bool { return s.To == p.held })
		if i < 0 {
			return c, false
		}
		c.was, c.now[0] = p.open[i], p.open[i]
		c.now[0].From += telemetry.UnixMilli(c.was.Cadence.Milliseconds())
		return c, true
	}
	if r.at > p.last {
		s := frame.Silence{From: max(p.last, since), To: r.at, End: r.at, Cadence: cadence}
		if p.last == 0 || s.Missing() == 0 {
			return c, false
		}
		c.now[0] = s
		return c, true
	}
	for _, s := range p.open {
		if r.at > s.From && r.at < s.To {
			c.was, c.now = s, [2]frame.Silence{s, s}
			c.now[0].To, c.now[1].From = r.at, r.at
			return c, true
		}
	}
	return c, false
}

// early tells whether a report has a time only because it was received, and that too soon after the one before.
func (p *pace) early(r report, cadence time.Duration) bool {
	return r.stamped && 2*int64(r.at-p.last) < cadence.Milliseconds()
}

// take notes a report, and what look has said of it.
func (p *pace) take(r report, cadence time.Duration, c change) {
	if p.held != 0 && !p.early(r, cadence) {
		p.held = 0
	}
	if r.at > p.last {
		p.last = r.at
	}
	if c == (change{}) {
		return
	}
	if c.was == (frame.Silence{}) {
		if r.stamped {
			p.held = r.at
		}
	} else {
		p.open = slices.DeleteFunc(p.open, func(s frame.Silence) bool { return s == c.was })
	}
	for _, s := range c.now {
		if s.Missing() > 0 {
			p.keep(s)
		}
	}
}

// keep opens a silence.
func (p *pace) keep(s frame.Silence) {
	if len(p.open) < maxSilences {
		p.open = append(p.open, s)
		return
	}
	least := 0
	for i := range p.open {
		a, b := p.open[i].Missing(), p.open[least].Missing()
		if a < b || a == b && p.open[i].To < p.open[least].To {
			least = i
		}
	}
	if s.Missing() >= p.open[least].Missing() {
		p.open[least] = s
	}
}

// keepPace counts the reports of a sensor that did not come before this one, or takes one back that comes late.
func (j *judge) keepPace(s *sensor, r *telemetry.Reading) {
	// A clock that is ahead must not make reports missing that are not due yet, nor those of its way back.
	one := report{at: min(r.Measured, j.from.Received), stamped: r.Stamped}
	cadence := s.registered.Cadence
	if s.pace.onTime(one.at, cadence) {
		s.pace.last, s.pace.heard = one.at, j.messages
		return
	}
	c, changed := s.pace.look(one, cadence, s.registered.Since)
	if !changed {
		s.pace.take(one, cadence, c)
		s.pace.heard = j.messages
		return
	}
	if s.paced != j.serial {
		former := s.pace
		former.open = slices.Clone(former.open)
		j.paces = append(j.paces, formerPace{s, former})
		s.paced, s.silences = j.serial, j.frame.Silence(s.id)
	}
	s.pace.take(one, cadence, c)
	if c.was == (frame.Silence{}) {
		j.cover(c.now[0].Missing(), s.pace.heard)
	}
	s.pace.heard = j.messages
	open := &j.frame.Silences[s.silences].Open
	*open = append((*open)[:0], s.pace.open...)
	frame.Recount(c.was, c.now, func(minute, more int64) { j.missing(s.id, minute, more) })
}

// missing counts more as missing, or less.
func (j *judge) missing(sensor telemetry.SensorID, minute, more int64) {
	m := frame.Minute{Sensor: sensor, Minute: minute}
	m.Missing = more
	j.frame.Minutes = append(j.frame.Minutes, m)
}

// formerPace is what a sensor's pace was before a frame changed its silences.
type formerPace struct {
	sensor *sensor
	pace   pace
}

// restore takes back what the frame at work changed of what is missing. What else it did to a pace can be done twice.
func (j *judge) restore() {
	for _, f := range j.paces {
		f.sensor.pace, f.sensor.paced = f.pace, 0
	}
	for _, f := range j.numbers {
		f.publisher.numbers = f.numbers
	}
	j.paces, j.numbers = j.paces[:0], j.numbers[:0]
}
