package ingest_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/lamppost-city/lamppost/ingest"
)

// A late report is taken back although neither the process nor the ledger that saw the silence is there any more: it is
// in the spool.
func TestSilenceIsKnownFromTheSpoolAlone(t *testing.T) {
	c := newCity(t)
	directory := newChanging()
	directory.change(func(s *state) { s.sensors["loop-1"] = ingest.Sensor{Site: "corner", Cadence: time.Second} })
	c.directory = directory
	away := c.away()
	line, stop := c.ingest(away)
	begin := time.Now().Add(-time.Minute)
	report := func(second int) string {
		return fmt.Sprintf(`{"time":%d,"speed":%d}`, begin.Add(time.Duration(second)*time.Second).UnixMilli(), second)
	}
	c.publish("city/loop-1/readings", report(0), report(10))
	c.recorded(line, 2)
	for range 2 {
		if got := line.Ledger().City().Missing; got != 9 {
			t.Errorf("%d missing, want 9", got)
		}
		stop()
		c.forgetLedger()
		line, stop = c.ingest(away)
	}
	for second := 1; second < 10; second++ {
		c.publish("city/loop-1/readings", report(second))
	}
	c.recorded(line, 11)
	if got := line.Ledger().City().Missing; got != 0 {
		t.Errorf("%d missing though all have come", got)
	}
	away.answer.Store(nil)
	c.settled(line, 11)
	c.clean(line)
}
