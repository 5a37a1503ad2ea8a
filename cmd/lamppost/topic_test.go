package main

import (
	"fmt"
	"testing"
	"time"

	"github.com/lamppost-city/lamppost/internal/endtoend"
)

// TestTopicsWithWhiteSpaceGoToQuarantine holds that they are acknowledged like others, and lose no neighbour on the same
// connection.
func TestTopicsWithWhiteSpaceGoToQuarantine(t *testing.T) {
	city := endtoend.NewCity(t, lamppost.itself, "--demo", "0")
	city.Start()
	register(t, city)
	p := session(t, city)
	odd := []string{"city/loop 1/readings", "city/loop-1/readings ", "city/loop-1\n/readings", "city/\x7f/x"}
	for i, topic := range odd {
		for _, topic := range []string{topic, "city/loop-1/readings"} {
			if err := p.Publish(topic, fmt.Sprintf(`{"time":"2026-03-01T12:%02d:00Z","speed":50}`, i)); err != nil {
				t.Fatalf("topic %q: %v", topic, err)
			}
		}
	}
	city.Settled(int64(len(odd)), 10*time.Second)
	var list quarantineList
	endtoend.Eventually(t, 10*time.Second, "the odd ones are in quarantine", func() error {
		list = quarantineList{}
		if err := city.Get("/api/v1/quarantine?reason=topic", &list); err != nil || list.Total != len(odd) {
			return fmt.Errorf("%d messages, %w", list.Total, err)
		}
		return nil
	})
	for i, want := range []string{"city/%7F/x", "city/loop-1%0A/readings", "city/loop-1/readings%20", "city/loop%201/readings"} { // the newest first
		if got := list.Items[i].Topic; got != want {
			t.Errorf("topic %q, want %q", got, want)
		}
	}
	city.Stop()
}
