package bridge

import (
	"github.com/lamppost-city/lamppost/firmware-bridge/clock"
	"github.com/lamppost-city/lamppost/firmware-bridge/control"
	"github.com/lamppost-city/lamppost/firmware-bridge/outbox"
)

// Status is how the bridge is.
func (b *Bridge) Status() control.Status {
	settings := b.desk.status()
	s := control.Status{
		State: control.Online, Publisher: b.cfg.Publisher, Version: b.deps.Version, Boot: b.deps.Clock.Boot(),
		At: b.date(b.deps.Clock.Now()), Started: b.date(b.started),
		Clock: clockStatus(b.deps.Clock.Status()), Settings: &settings, Outbox: outboxStatus(b.deps.Outbox.Status()),
	}
	for _, r := range b.fleet.reports() {
		r.LastGood = b.date(r.lastGood)
		s.Sensors = append(s.Sensors, r.SensorReport)
	}
	return s
}

func clockStatus(s clock.Status) *control.Clock {
	out := &control.Clock{
		Known: s.Source != "", Source: s.Source, UncertaintyMS: s.Uncertainty.Milliseconds(),
		SystemOffsetMS: s.SystemOffset.Milliseconds(), Error: s.Contradiction,
	}
	if out.Error == "" {
		out.Error = s.Fault
	}
	return out
}

func outboxStatus(s outbox.Status) *control.Outbox {
	out := &control.Outbox{
		WaitingReadings: s.WaitingReadings, OldestS: int64(s.Oldest.Seconds()), UndatedReadings: s.UndatedReadings,
		DiskBytes: s.DiskBytes, MaxBytes: s.MaxBytes, Acknowledged: s.AcknowledgedReadings,
		Disk: string(s.Disk), Error: s.DiskError,
	}
	for reason, n := range s.Dropped {
		if n == 0 {
			continue
		}
		if out.Dropped == nil {
			out.Dropped = make(map[string]uint64)
		}
		out.Dropped[string(reason)] = n
	}
	return out
}
