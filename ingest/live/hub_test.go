package live_test

import (
	"sync"
	"testing"

	"github.com/lamppost-city/lamppost/ingest/live"
	"github.com/lamppost-city/lamppost/telemetry"
)

func batch(n int) []telemetry.Reading { return make([]telemetry.Reading, n) }

func TestSlowListenerMissesReadingsAndTheOtherDoesNot(t *testing.T) {
	var hub live.Hub
	slow, fast := hub.Subscribe(1), hub.Subscribe(8)
	for range 4 {
		hub.Publish(batch(3))
	}
	if got := slow.Lost(); got != 9 {
		t.Errorf("slow listener lost %d readings, want 9", got)
	}
	if got := fast.Lost(); got != 0 {
		t.Errorf("fast listener lost %d readings", got)
	}
	fast.Close()
	batches := 0
	for range fast.C() {
		batches++
	}
	if batches != 4 {
		t.Errorf("fast listener got %d batches, want 4", batches)
	}
}

func TestHubKnowsWhetherAnybodyListens(t *testing.T) {
	var hub live.Hub
	if hub.Listened() {
		t.Error("an empty hub says that it is listened to")
	}
	s := hub.Subscribe(1)
	if !hub.Listened() {
		t.Error("a subscription goes unnoticed")
	}
	s.Close()
	s.Close()
	if hub.Listened() {
		t.Error("a closed subscription still counts")
	}
}

func TestCloseWhilePublishing(t *testing.T) {
	var hub live.Hub
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 500 {
				s := hub.Subscribe(1)
				hub.Publish(batch(1))
				s.Close()
			}
		})
	}
	wg.Wait()
}
