package embedded_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lamppost-city/lamppost/store/influx"
	"github.com/lamppost-city/lamppost/store/storetest"
)

// Every week has a shard of its own. Those that are idle give back their memory, at the very moment at which several writers
// come to them. Every point that was answered must be there.
func TestWritersOfIdleWeeksLoseNothing(t *testing.T) {
	const rounds, weeks, writers = 100, 20, 3
	cfg := config(t)
	cfg.CacheColdAfter = time.Millisecond // what is written is in a file within a second, and the shard is idle
	s, stop := storetest.StartEmbedded(t, cfg)
	defer stop()

	ended := make(chan struct{})
	var tending sync.WaitGroup
	tending.Go(func() {
		for {
			select {
			case <-ended:
				return
			default:
				if err := s.TendForTest(); err != nil {
					t.Error(err)
				}
			}
		}
	})
	var clients [writers]*influx.Client
	for i := range clients {
		clients[i] = storetest.Client(t, s.Influx())
	}
	start := time.Date(1980, 1, 7, 0, 0, 0, 0, time.UTC)
	for round := range rounds {
		var writing sync.WaitGroup
		for who, c := range clients {
			var lines []string
			for week := range weeks {
				at := start.AddDate(0, 0, 7*week).Add(time.Duration(round) * time.Second)
				lines = append(lines, fmt.Sprintf("traffic,sensor=loop-%d speed=1 %d", who, at.UnixMilli()))
			}
			writing.Go(func() {
				if err := c.Write(t.Context(), []byte(strings.Join(lines, "\n"))); err != nil {
					t.Error(err)
				}
			})
		}
		writing.Wait()
	}
	close(ended)
	tending.Wait()
	if got, want := len(speeds(t, clients[0])), rounds*weeks*writers; got != want {
		t.Errorf("the store has %d points of %d", got, want)
	}
}
