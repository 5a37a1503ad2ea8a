package ingest

import (
	"testing"
	"time"

	"github.com/lamppost-city/lamppost/telemetry"
)

// Recordings of old times are not late; a sensor whose clock is slow is from its first day on.
func TestRecordingsAreNotLate(t *testing.T) {
	s := newStreet(t)
	s.register(func(all map[telemetry.SensorID]Sensor) {
		all["loop-1"] = Sensor{Cadence: time.Minute, Since: telemetry.MilliOf(s.start)}
	})
	for _, one := range []struct {
		measured, received time.Duration
		late               int64
	}{
		{-8 * 24 * time.Hour, time.Minute, 0},
		{-24 * time.Hour, time.Hour, 0},
		{-14 * time.Hour, time.Second, 2},
		{50 * time.Minute, time.Hour, 2}, // ten minutes are in time
		{time.Minute, time.Hour, 4},
	} {
		s.clock = one.received
		s.report(one.measured)
		if got := s.ledger.City().Late; got != one.late {
			t.Errorf("measured at %s, received at %s: %d late, want %d", one.measured, one.received, got, one.late)
		}
	}
	s.report(-10 * time.Hour) // is filled in behind what came before
	if got := s.ledger.City().Late; got != 4 {
		t.Errorf("%d late, want 4", got)
	}
	s.register(func(all map[telemetry.SensorID]Sensor) { all["loop-1"] = Sensor{} }) // since ever
	s.report(-48 * time.Hour)
	if got := s.ledger.City().Late; got != 6 {
		t.Errorf("%d late, want 6", got)
	}
}
