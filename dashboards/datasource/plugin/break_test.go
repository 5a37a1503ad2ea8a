package plugin_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lamppost-city/lamppost/dashboards/datasource/plugin"
)

// A hole may hold more readings than one answer does.
func TestAHoleThatIsTooBigForOneAnswerIsFilledInParts(t *testing.T) {
	for name, test := range map[string]struct {
		apart time.Duration
		told  bool
	}{
		"as many parts as it needs":                {500 * time.Millisecond, false},
		"or the panel hears that some are missing": {time.Millisecond, true},
	} {
		t.Run(name, func(t *testing.T) {
			api := newTown(t, "")
			said := api.live(0)
			said.most = 10
			p := follow(t, settings(t, api.URL, ""), liveQuery)
			eventually(t, 10*time.Second, "the stream is open", func() bool { now, _ := said.listening(); return now == 1 })
			said.stop()
			begin := time.Now().Add(-20 * time.Second)
			for i := range 40 {
				said.say("cam-1", begin.Add(time.Duration(i)*test.apart), float64(i))
			}
			said.start()
			heard := func() bool {
				p.mu.Lock()
				defer p.mu.Unlock()
				return slices.ContainsFunc(p.heard, func(i plugin.Interruption) bool { return strings.Contains(i.Text, "some are missing") })
			}
			if test.told {
				eventually(t, 20*time.Second, "the panel has heard", heard)
				return
			}
			whole(t, p, said, 40)
			if heard() {
				t.Error("the panel heard that some are missing")
			}
		})
	}
}

func TestPanelHearsOfAServerThatIsAwayAndOfItsReturn(t *testing.T) {
	api := newTown(t, "")
	said := api.live(0)
	begin := time.Now()
	p := follow(t, settings(t, api.URL, ""), liveQuery)
	heard := func() []plugin.Interruption {
		p.mu.Lock()
		defer p.mu.Unlock()
		return slices.Clone(p.heard)
	}
	eventually(t, 10*time.Second, "the stream is open", func() bool { now, _ := said.listening(); return now == 1 })
	said.say("cam-1", time.Now(), 1)
	eventually(t, 10*time.Second, "the panel has the reading", func() bool { return len(p.points()) == 1 })
	said.stop()
	stopped := time.Now()
	eventually(t, 15*time.Second, "the panel has heard", func() bool { return len(heard()) > 0 })
	broken := heard()[0]
	if time.Since(stopped) < 4*time.Second {
		t.Errorf("it heard after %s already", time.Since(stopped))
	}
	if broken.SinceMS < begin.UnixMilli() || broken.SinceMS > stopped.UnixMilli() || broken.Text == "" {
		t.Errorf("it heard %+v", broken)
	}
	said.start()
	eventually(t, 20*time.Second, "the panel has heard of the return", func() bool { return len(heard()) > 1 })
	if back := heard()[1]; back != (plugin.Interruption{}) {
		t.Errorf("it heard %+v", back)
	}
}
