package plain

import (
	"github.com/lamppost-city/lamppost/telemetry"
	"github.com/lamppost-city/lamppost/telemetry/internal/scan"
)

// finish gives the record's readings what they share.
func (d *Decoder) finish() {
	r := &d.rec
	r.open = false
	if r.refusedFor != telemetry.ReasonNone {
		d.dropRecord(r.refusedFor, r.refusedDetail)
		return
	}
	if !r.timed {
		r.measured = d.from.Received
	}
	readings := d.msg.Readings[r.firstReading:]
	for i := range readings {
		one := &readings[i]
		one.Sensor, one.Channel, one.Measured, one.Stamped = r.sensor, r.channel, r.measured, !r.timed
	}
	d.nameFaults()
}

// refuse notes why none of the record's readings can be kept; format names the offending text and its place. The first
// reason counts.
func (d *Decoder) refuse(reason telemetry.Reason, format string) {
	if d.rec.refusedFor == telemetry.ReasonNone {
		d.rec.refusedFor = reason
		d.rec.refusedDetail = scan.Detail(format, scan.Excerpt(d.value.Text), d.value.At)
	}
}

// dropRecord turns the record's readings into faults; a record without readings has one fault all the same.
func (d *Decoder) dropRecord(reason telemetry.Reason, detail string) {
	lost := d.msg.Readings[d.rec.firstReading:]
	d.msg.Readings = d.msg.Readings[:d.rec.firstReading]
	for i := range lost {
		d.fault(reason, "%s: %s", lost[i].Quantity, detail)
	}
	if len(lost) == 0 {
		d.fault(reason, "%s", detail)
	}
	d.nameFaults()
}

// nameFaults says whose the record's faults are.
func (d *Decoder) nameFaults() {
	for i := d.rec.firstFault; i < len(d.msg.Faults); i++ {
		d.msg.Faults[i].Sensor = d.rec.sensor
	}
}

// broken ends the payload where its structure breaks. It returns false.
func (d *Decoder) broken() bool {
	problem := d.in.Problem()
	d.abandon(telemetry.ReasonMalformed, problem)
	d.fault(telemetry.ReasonMalformed, "%s", problem)
	return false
}

// abandon decides on the readings of a record that is not complete.
func (d *Decoder) abandon(reason telemetry.Reason, problem string) {
	switch {
	case !d.rec.open:
	case d.rec.timed || d.rec.refusedFor != telemetry.ReasonNone:
		d.finish()
	case len(d.msg.Readings) > d.rec.firstReading:
		d.dropRecord(reason, "its record has no time before this: "+problem)
	}
}

// hasRoom says whether the message may hold one more reading or fault; if not, it notes that and ends the payload.
func (d *Decoder) hasRoom() bool {
	if len(d.msg.Readings)+len(d.msg.Faults) < d.room {
		return true
	}
	const problem = "the message has more readings than the limit"
	d.abandon(telemetry.ReasonTooLarge, problem)
	d.fault(telemetry.ReasonTooLarge, problem+" of %d; what follows byte %d was not read", d.limits.MaxReadings, d.in.Pos())
	return false
}

// fault notes a fault of the present record.
func (d *Decoder) fault(reason telemetry.Reason, format string, args ...any) {
	detail := scan.Detail(format, args...)
	if d.inList {
		detail = scan.Detail("record %d: %s", d.rec.index+1, detail)
	}
	d.msg.Faults = append(d.msg.Faults, telemetry.Fault{Reason: reason, Sensor: d.rec.sensor, Detail: detail})
}
