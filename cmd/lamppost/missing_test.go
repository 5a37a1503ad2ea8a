package main

import (
	"fmt"
	"testing"
	"time"

	"github.com/lamppost-city/lamppost/internal/endtoend"
)

// absentee is a city of two sensors: of loop-1 reports are expected, of loop-2 none.
type absentee struct {
	t    *testing.T
	city *endtoend.City
	// numbers are those of messages by when they were measured; empty where messages are not numbered.
	numbers map[time.Time]int
}

func (a *absentee) register(cadence time.Duration) {
	a.t.Helper()
	csv := "sensor,title,site,site_title,district,lon,lat,publisher,cadence_s,quantities\n" +
		fmt.Sprintf("loop-1,Loop 1,corner,Corner,harbour,9.99,53.55,,%v,speed\n", cadence.Seconds()) +
		"loop-2,Loop 2,corner,Corner,harbour,9.99,53.55,,0,speed\n"
	if err := a.city.Post("/api/v1/sensors/import", "text/csv", csv, nil); err != nil {
		a.t.Fatal(err)
	}
}

func (a *absentee) publish(sensor string, all ...time.Time) {
	a.t.Helper()
	p, err := endtoend.Dial(a.city.MQTT, "missing")
	if err != nil {
		a.t.Fatal(err)
	}
	defer p.Close()
	for _, at := range all {
		payload := fmt.Sprintf(`{"time":%d,"speed":50}`, at.UnixMilli())
		if seq, ok := a.numbers[at]; ok {
			payload = fmt.Sprintf(`{"time":%d,"seq":%d,"speed":50}`, at.UnixMilli(), seq)
		}
		if err := p.Publish("city/"+sensor+"/readings", payload); err != nil {
			a.t.Fatal(err)
		}
	}
}

// eventually waits until both the city's account and the sensor's say so.
func (a *absentee) eventually(what string, is func(endtoend.Ledger) bool) {
	a.t.Helper()
	for _, path := range []string{"/api/v1/ledger", "/api/v1/ledger/sensors/loop-1"} {
		endtoend.Eventually(a.t, 30*time.Second, what, func() error {
			var l struct {
				endtoend.Ledger
				Minutes []endtoend.Ledger `json:"minutes"`
			}
			if err := a.city.Get(path, &l); err != nil {
				return err
			}
			sum := int64(0)
			for _, m := range l.Minutes {
				sum += m.Missing
			}
			if l.Minutes != nil && sum != l.Missing {
				return fmt.Errorf("%d missing in its minutes, %d in all", sum, l.Missing)
			}
			if !is(l.Ledger) {
				return fmt.Errorf("%s: %+v", path, l.Ledger)
			}
			return nil
		})
	}
}

// Reports of a sensor that has fallen silent are missing, over a kill, until they come after all, over another. It takes
// real seconds, because nothing is missing from before a sensor was registered.
func TestReportsThatDoNotComeAreMissingUntilTheyDo(t *testing.T) {
	absence(&absentee{t: t, city: endtoend.NewCity(t, lamppost.built, "--demo", "0")})
}

// Numbers, which show the same reports to be missing, change nothing.
func TestNumberedReportsThatDoNotComeAreMissingUntilTheyDo(t *testing.T) {
	absence(&absentee{t: t, city: endtoend.NewCity(t, lamppost.built, "--demo", "0"), numbers: make(map[time.Time]int)})
}

func absence(a *absentee) {
	a.city.Start()
	const cadence = 500 * time.Millisecond
	a.register(cadence)
	first := time.Now().Truncate(time.Millisecond)
	number := func(seq int, at time.Time) {
		if a.numbers != nil {
			a.numbers[at] = seq
		}
	}
	number(1, first)
	a.publish("loop-1", first)
	a.publish("loop-2", first)
	a.eventually("reports of a silent sensor are overdue", func(l endtoend.Ledger) bool { return l.Missing >= 3 })
	a.city.Kill()
	a.city.Start()
	last := time.Now().Truncate(time.Millisecond)
	var late []time.Time
	for due := first.Add(cadence); due.Add(cadence / 2).Before(last); due = due.Add(cadence) {
		late = append(late, due)
		number(1+len(late), due)
	}
	missing := int64(len(late))
	number(2+len(late), last)
	a.publish("loop-1", last)
	a.eventually("the silence has ended", func(l endtoend.Ledger) bool { return l.Received >= 2 && l.Missing > 0 })
	a.register(0) // no further ones
	a.eventually("what did not come is missing", func(l endtoend.Ledger) bool { return l.Missing == missing })
	a.publish("loop-1", late[:2]...)
	a.eventually("two came late", func(l endtoend.Ledger) bool { return l.Missing == missing-2 })
	a.city.Kill()
	a.city.Start()
	a.publish("loop-1", late[:2]...) // again
	a.publish("loop-1", late[2:]...)
	a.eventually("all came late", func(l endtoend.Ledger) bool { return l.Missing == 0 && l.Received >= 4+missing })
	a.city.MustBeClean()
	a.city.Stop()
}
