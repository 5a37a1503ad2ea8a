package plugin_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lamppost-city/lamppost/dashboards/datasource/live"
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
	t.Parallel() // it waits most of the time
	api := newTown(t, "")
	said := api.live(0)
	begin := time.Now()
	p := follow(t, settings(t, api.URL, ""), liveQuery)
	eventually(t, 10*time.Second, "the stream is open", func() bool { now, _ := said.listening(); return now == 1 })
	said.say("cam-1", time.Now(), 1)
	eventually(t, 10*time.Second, "the panel has the reading", func() bool { return len(p.points()) == 1 })
	said.stop()
	stopped := time.Now()
	eventually(t, 30*time.Second, "the panel has heard", func() bool { return len(p.told()) > 0 })
	broken := p.told()[0]
	if time.Since(stopped) < 4*time.Second {
		t.Errorf("it heard after %s already", time.Since(stopped))
	}
	if broken.SinceMS < begin.UnixMilli() || broken.SinceMS > stopped.UnixMilli() || broken.Text == "" {
		t.Errorf("it heard %+v", broken)
	}
	said.start()
	eventually(t, 20*time.Second, "the panel has heard of the return", func() bool { return len(p.told()) > 1 })
	if back := p.told()[1]; back != (plugin.Interruption{}) {
		t.Errorf("it heard %+v", back)
	}
}

// told are the interruptions that a panel was told of, in order, without the first word that its stream is open.
func (p *panel) told() []plugin.Interruption {
	p.mu.Lock()
	defer p.mu.Unlock()
	heard := slices.Clone(p.heard)
	if len(heard) > 0 && heard[0] == (plugin.Interruption{}) {
		heard = heard[1:]
	}
	return heard
}

func TestPanelHearsWhatTheServerHasAgainstItsStream(t *testing.T) {
	t.Parallel() // it waits most of the time
	api := newTown(t, "")
	api.live(0)
	api.handle("live", func(w http.ResponseWriter, _ *http.Request) {
		problem(w, http.StatusServiceUnavailable, "200 listeners are connected, as many as max_live_clients allows; come again later")
	})
	p := follow(t, settings(t, api.URL, ""), liveQuery)
	eventually(t, 30*time.Second, "the panel has heard", func() bool { return len(p.told()) > 0 })
	if got := p.told()[0].Text; !strings.Contains(got, "max_live_clients") {
		t.Errorf("it heard %q", got)
	}
}

func TestPanelHearsThatTooManyDifferentQuestionsAreLive(t *testing.T) {
	t.Parallel() // it waits most of the time
	api := newTown(t, "")
	said := api.live(0)
	to := settings(t, api.URL, "")
	for i := range live.DefaultConfig().MaxStreams - 1 {
		follow(t, to, fmt.Sprintf(`{"kind":"history","quantities":["speed"],"sensors":["cam-%d"],"live":true}`, i))
	}
	last := follow(t, to, `{"kind":"history","quantities":["speed"],"sensors":["cam-last"],"live":true}`)
	eventually(t, 30*time.Second, "all streams are open", func() bool { now, _ := said.listening(); return now == live.DefaultConfig().MaxStreams })
	p := follow(t, to, liveQuery)
	eventually(t, 30*time.Second, "the panel has heard", func() bool { return len(p.told()) > 0 })
	if got := p.told()[0]; got.SinceMS == 0 || !strings.Contains(got.Text, "64 are open; let panels share") {
		t.Errorf("it heard %+v", got)
	}
	last.stop()
	eventually(t, 60*time.Second, "it goes on when another has left", func() bool { return slices.Contains(p.told(), plugin.Interruption{}) })
	said.say("cam-1", time.Now(), 7)
	eventually(t, 10*time.Second, "the panel has the reading", func() bool { return len(p.points()) == 1 })
	if len(last.told()) > 0 {
		t.Errorf("the last one that was let in heard %v", last.told())
	}
}
