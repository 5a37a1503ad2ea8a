package main

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/lamppost-city/lamppost/internal/endtoend"
	"github.com/lamppost-city/lamppost/simulate/replay/replaytest"
)

// TestReplayedRecordingsAreInTheStoreAndNothingElse compares the store with what the recordings hold, by a reader that shares
// no code with replay. The recordings have a missing marker, a 12-hour clock and both changes of daylight saving in them.
func TestReplayedRecordingsAreInTheStoreAndNothingElse(t *testing.T) {
	folder := replaytest.Folder(t, 2)
	expected, err := replaytest.Expected(folder)
	if err != nil {
		t.Fatal(err)
	}
	var count int64
	for _, s := range expected {
		count += int64(s.Count)
	}
	city := endtoend.NewCity(t, lamppost.built, "--demo", "0")
	city.Start()
	replay := func() time.Duration {
		began := time.Now()
		end := lamppost.built.Run(t, "replay", folder, "--speed", "0", "--mqtt", "mqtt://"+city.MQTT, "--http", city.URL(), "--token-file", city.TokenFile())
		if end.Code != 0 || !strings.Contains(end.Stdout, "acknowledged") || strings.Contains(end.Stdout, "not acknowledged") {
			t.Fatalf("replay ended with code %d: %s%s", end.Code, end.Stdout, end.Stderr)
		}
		t.Logf("%s", strings.TrimSpace(end.Stdout))
		return time.Since(began)
	}
	took := replay()
	first := city.Settled(count, time.Minute)
	if len(first.Rejected) > 0 || first.Duplicate != 0 {
		t.Errorf("ledger of the first replay: %+v", first)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	store := city.Store()
	before, err := endtoend.ReadStore(ctx, store)
	if err != nil {
		t.Fatal(err)
	}
	compareWithRecordings(t, expected, before)
	specialHours(t, before)

	replay()
	endtoend.Eventually(t, 2*time.Minute, "every reading has come again", func() error {
		var again endtoend.Ledger
		if err := city.Get("/api/v1/ledger", &again); err != nil {
			return err
		}
		if again.Received != 2*count || again.Duplicate != count || again.Waiting != 0 {
			return errLedger(again)
		}
		return again.Closes()
	})
	after, err := endtoend.ReadStore(ctx, store)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range endtoend.Differences(before, after) {
		t.Errorf("the second replay changed the store: %s", d)
	}
	city.MustBeClean()
	city.Stop()
	if full() {
		city.MustBeClean() // twenty years of hours take a minute
	}
	t.Logf("%d series, %d readings with checksum %016x; the first replay took %s", len(before), before.Count(), before.Checksum(), took.Round(time.Millisecond))
}

func compareWithRecordings(t *testing.T, expected []replaytest.Series, stored endtoend.Values) {
	t.Helper()
	left := make(map[endtoend.Key]bool)
	for k := range stored {
		left[k] = true
	}
	for _, want := range expected {
		k := endtoend.Key{Sensor: want.Sensor, Quantity: want.Quantity, Channel: want.Channel}
		got := replaytest.Series{Sensor: k.Sensor, Quantity: k.Quantity, Channel: k.Channel}
		for _, p := range stored[k] {
			got.Add(p.Milli, p.Value)
		}
		if err := want.Same(&got); err != nil {
			t.Error(err)
		}
		delete(left, k)
	}
	for k := range left {
		t.Errorf("the store has a series that is in no recording: %s", k)
	}
}

// specialHours holds single values whose instants were worked out by hand from the files.
func specialHours(t *testing.T, stored endtoend.Values) {
	t.Helper()
	for _, points := range stored {
		for _, p := range points {
			if p.Value == -200 {
				t.Fatal("a missing marker is in the store")
			}
		}
	}
	at := func(k endtoend.Key, instant string) (value float64, n int) {
		when, err := time.Parse(time.RFC3339, instant)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range stored[k] {
			if p.Milli == when.UnixMilli() {
				value, n = p.Value, n+1
			}
		}
		return value, n
	}
	for _, c := range specialValues() {
		value, n := at(c.key, c.instant)
		switch {
		case c.absent && n != 0:
			t.Errorf("%s has a value at %s, %s", c.key, c.instant, c.why)
		case !c.absent && (n != 1 || math.Abs(value-c.value) > 1e-9*math.Abs(c.value)):
			t.Errorf("%s has %d values at %s, the last is %v; want one, %v: %s", c.key, n, c.instant, value, c.value, c.why)
		}
	}
}

type special struct {
	key     endtoend.Key
	instant string
	value   float64
	absent  bool
	why     string
}

// errLedger shows a ledger that is not yet as it is to become.
type errLedger endtoend.Ledger

func (e errLedger) Error() string { return fmt.Sprintf("ledger: %+v", endtoend.Ledger(e)) }

// specialValues were worked out by hand.
func specialValues() []special {
	bicycles := endtoend.Key{Sensor: "fremont-bridge", Quantity: "bicycles", Channel: "nb"}
	air := func(quantity string) endtoend.Key { return endtoend.Key{Sensor: "roadside-air", Quantity: quantity} }
	return []special{
		{key: bicycles, instant: "2012-10-03T07:00:00Z", value: 9, why: "12 AM is midnight"},
		{key: bicycles, instant: "2012-10-03T19:00:00Z", value: 41, why: "12 PM is noon"},
		{key: bicycles, instant: "2012-11-04T08:00:00Z", value: 4, why: "01:00 is still summer time"},
		{key: bicycles, instant: "2012-11-04T09:00:00Z", absent: true, why: "there is one row for the hour that came twice"},
		{key: bicycles, instant: "2012-11-04T10:00:00Z", value: 5, why: "02:00 is winter time"},
		{key: bicycles, instant: "2013-03-10T09:00:00Z", value: 10, why: "01:00 is still winter time"},
		{key: bicycles, instant: "2013-03-10T10:00:00Z", value: 7, why: "02:00 does not exist, the first 03:00 follows at once"},
		{key: bicycles, instant: "2013-11-03T08:00:00Z", value: 3, why: "01:00 is still summer time"},
		{key: bicycles, instant: "2013-11-03T09:00:00Z", absent: true, why: "there is one row for the hour that came twice"},
		{key: bicycles, instant: "2013-11-03T10:00:00Z", value: 0, why: "02:00 is winter time"},
		{key: bicycles, instant: "2014-03-09T09:00:00Z", value: 0, why: "01:00 is still winter time"},
		{key: air("co"), instant: "2004-03-10T17:00:00Z", value: 2600, why: "18:00 at one hour before UTC, in mg"},
		{key: air("co"), instant: "2004-03-11T03:00:00Z", absent: true, why: "-200 means missing"},
		{key: air("no2"), instant: "2004-03-11T03:00:00Z", value: 34, why: "its neighbour is there"},
		{key: air("nox"), instant: "2004-03-11T02:00:00Z", absent: true, why: "-200 means missing"},
		{key: endtoend.Key{Sensor: "household-meter", Quantity: "active_power"}, instant: "2006-12-16T16:24:00Z", value: 4216, why: "kW, in winter"},
		{key: endtoend.Key{Sensor: "mndot-6005", Quantity: "speed"}, instant: "2015-08-31T23:22:00Z", value: 144.84096, why: "miles an hour, in summer"},
		{key: endtoend.Key{Sensor: "mndot-6005", Quantity: "occupancy"}, instant: "2015-09-01T18:45:00Z", value: 0.0306, why: "percent, in summer"},
	}
}
