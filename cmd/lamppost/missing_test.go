package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lamppost-city/lamppost/internal/endtoend"
)

// TestReportsThatDoNotComeAreMissingUntilTheyDo: of a sensor that has fallen silent, over a kill, and, over another, until
// what a bridge kept has come after all. It takes real seconds, because nothing is missing from before a sensor was
// registered.
func TestReportsThatDoNotComeAreMissingUntilTheyDo(t *testing.T) {
	city := endtoend.NewCity(t, lamppost.built, "--demo", "0")
	city.Start()
	const cadence = 500 * time.Millisecond
	register := func(cadence time.Duration) {
		t.Helper()
		csv := "sensor,title,site,site_title,district,lon,lat,publisher,cadence_s,quantities\n" +
			fmt.Sprintf("loop-1,Loop 1,corner,Corner,harbour,9.99,53.55,,%v,speed\n", cadence.Seconds()) +
			"loop-2,Loop 2,corner,Corner,harbour,9.99,53.55,,0,speed\n"
		if err := city.Post("/api/v1/sensors/import", "text/csv", csv, nil); err != nil {
			t.Fatal(err)
		}
	}
	publish := func(sensor string, all ...time.Time) {
		t.Helper()
		p, err := endtoend.Dial(city.MQTT, "missing")
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		for _, at := range all {
			if err := p.Publish("city/"+sensor+"/readings", fmt.Sprintf(`{"time":%d,"speed":50}`, at.UnixMilli())); err != nil {
				t.Fatal(err)
			}
		}
	}
	// Both the city's account and the sensor's must say so.
	eventually := func(what string, is func(endtoend.Ledger) bool) {
		t.Helper()
		for _, path := range []string{"/api/v1/ledger", "/api/v1/ledger/sensors/loop-1"} {
			endtoend.Eventually(t, 30*time.Second, what, func() error {
				var l struct {
					endtoend.Ledger
					Minutes []endtoend.Ledger `json:"minutes"`
				}
				if err := city.Get(path, &l); err != nil {
					return err
				}
				sum := int64(0)
				for _, m := range l.Minutes {
					sum += m.Missing
				}
				if strings.HasSuffix(path, "loop-1") && sum != l.Missing {
					return fmt.Errorf("%d missing in its minutes, %d in all", sum, l.Missing)
				}
				if !is(l.Ledger) {
					return fmt.Errorf("%s: %+v", path, l.Ledger)
				}
				return nil
			})
		}
	}

	register(cadence)
	first := time.Now().Truncate(time.Millisecond)
	publish("loop-1", first)
	publish("loop-2", first) // of which nothing is expected
	eventually("reports of a silent sensor are overdue", func(l endtoend.Ledger) bool { return l.Missing >= 3 })
	city.Kill()
	city.Start()
	last := time.Now().Truncate(time.Millisecond)
	publish("loop-1", last)
	eventually("the silence has ended", func(l endtoend.Ledger) bool { return l.Received >= 2 && l.Missing > 0 })
	register(0) // no further ones
	missing := int64(0)
	var late []time.Time
	for due := first.Add(cadence); due.Add(cadence / 2).Before(last); due = due.Add(cadence) {
		late = append(late, due)
		missing++
	}
	eventually("what did not come is missing", func(l endtoend.Ledger) bool { return l.Missing == missing })
	publish("loop-1", late[:2]...)
	eventually("two came late", func(l endtoend.Ledger) bool { return l.Missing == missing-2 })
	city.Kill()
	city.Start()
	publish("loop-1", late[:2]...) // again
	publish("loop-1", late[2:]...)
	eventually("all came late", func(l endtoend.Ledger) bool { return l.Missing == 0 && l.Received >= 4+missing })
	city.MustBeClean()
	city.Stop()
}
