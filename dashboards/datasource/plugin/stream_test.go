package plugin_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/data"
	"github.com/grafana/grafana-plugin-sdk-go/genproto/pluginv2"

	"github.com/lamppost-city/lamppost/dashboards/datasource/plugin"
)

// broadcast is the live and the stored side of a town: what is told is in the history a moment later, as in Lamppost.
type broadcast struct {
	// storing is how long a reading needs from the stream to the history.
	storing time.Duration
	// most is how many readings an answer of the history holds; 0 is any number.
	most int

	mu        sync.Mutex
	told      []said
	listeners map[chan string]struct{}
	opened    int
	down      bool
}

type said struct {
	sensor string
	at     time.Time
	value  float64
	known  time.Time // when the history has it
}

func (c *town) live(storing time.Duration) *broadcast {
	b := &broadcast{storing: storing, listeners: make(map[chan string]struct{})}
	c.handle("live", b.serve)
	c.handle("history", b.history)
	return b
}

func (b *broadcast) serve(w http.ResponseWriter, r *http.Request) {
	events := make(chan string, 10_000)
	b.mu.Lock()
	if b.down {
		b.mu.Unlock()
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	b.listeners[events] = struct{}{}
	b.opened++
	b.mu.Unlock()
	w.Header().Set("Content-Type", "text/event-stream")
	fmt.Fprint(w, ": connected\nretry: 2000\n\n")
	w.(http.Flusher).Flush()
	defer func() {
		b.mu.Lock()
		delete(b.listeners, events)
		b.mu.Unlock()
	}()
	for {
		select {
		case <-r.Context().Done():
			return
		case event, open := <-events:
			if !open {
				return
			}
			fmt.Fprint(w, event)
			w.(http.Flusher).Flush()
		}
	}
}

// say tells a reading to all who listen, and stores it.
func (b *broadcast) say(sensor string, at time.Time, value float64) {
	at = at.Truncate(time.Millisecond)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.told = append(b.told, said{sensor, at, value, time.Now().Add(b.storing)})
	event := fmt.Sprintf("event: reading\ndata: {\"sensor\":%q,\"quantity\":\"speed\",\"channel\":\"\",\"value\":%g,\"unit\":\"km/h\",\"time\":%q}\n\n", sensor, value, at.UTC().Format(time.RFC3339Nano))
	if b.down {
		return
	}
	for l := range b.listeners {
		l <- event
	}
}

// stop ends all streams, as a server does that stops; start lets them in again.
func (b *broadcast) stop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.down = true
	for l := range b.listeners {
		close(l)
		delete(b.listeners, l)
	}
}

func (b *broadcast) start() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.down = false
}

// listening is how many streams are open, and how many ever were.
func (b *broadcast) listening() (now, ever int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.listeners), b.opened
}

func (b *broadcast) history(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.down {
		problem(w, http.StatusServiceUnavailable, "the server is starting")
		return
	}
	from, err := time.Parse(time.RFC3339, r.URL.Query().Get("from"))
	if err != nil {
		problem(w, http.StatusUnprocessableEntity, err.Error())
		return
	}
	until := time.Now()
	if text := r.URL.Query().Get("to"); text != "" {
		if until, err = time.Parse(time.RFC3339, text); err != nil {
			problem(w, http.StatusUnprocessableEntity, err.Error())
			return
		}
	}
	type series struct {
		Sensor   string    `json:"sensor"`
		Quantity string    `json:"quantity"`
		Unit     string    `json:"unit"`
		Times    []int64   `json:"times"`
		Values   []float64 `json:"values"`
	}
	bySensor := make(map[string]*series)
	for _, s := range b.told {
		if s.at.Before(from) || !s.at.Before(until) || time.Now().Before(s.known) {
			continue
		}
		if bySensor[s.sensor] == nil {
			bySensor[s.sensor] = &series{Sensor: s.sensor, Quantity: "speed", Unit: "km/h"}
		}
		bySensor[s.sensor].Times = append(bySensor[s.sensor].Times, s.at.UnixMilli())
		bySensor[s.sensor].Values = append(bySensor[s.sensor].Values, s.value)
	}
	all := []*series{}
	for _, s := range bySensor {
		all = append(all, s)
	}
	truncated := false
	for _, s := range all {
		if b.most > 0 && len(s.Times) > b.most { // what is left out are the last of a series
			s.Times, s.Values, truncated = s.Times[:b.most], s.Values[:b.most], true
		}
	}
	writeJSON(w, map[string]any{"step_ms": 0, "agg": "", "truncated": truncated, "series": all})
}

// panel is one that follows a query live.
type panel struct {
	t      *testing.T
	first  []point // of the answer to the query
	cancel context.CancelFunc
	ended  chan struct{}

	mu   sync.Mutex
	came []point
	// heard is what packets said of the stream.
	heard []plugin.Interruption
}

type point struct {
	sensor string
	ms     int64
	value  float64
	at     time.Time // of arrival
}

// follow runs a live query and subscribes to what its answer names, as the frontend does.
func follow(t *testing.T, to backend.PluginContext, query string) *panel {
	t.Helper()
	now := time.Now()
	answer := ask(t, to, backend.TimeRange{From: now.Add(-5 * time.Minute), To: now}, query)
	if answer.Error != nil {
		t.Fatal(answer.Error)
	}
	p := &panel{t: t, ended: make(chan struct{})}
	for _, frame := range answer.Frames {
		if len(frame.Fields) < 2 || frame.Meta.Type != data.FrameTypeTimeSeriesMulti {
			continue
		}
		for i := range frame.Rows() {
			value, err := frame.FloatAt(1, i)
			if err != nil {
				t.Fatal(err)
			}
			p.first = append(p.first, point{sensor: frame.Fields[1].Labels["sensor"], ms: frame.Fields[0].At(i).(time.Time).UnixMilli(), value: value})
		}
	}
	p.run(to, followed(t, answer.Frames[0]))
	return p
}

// followed is what a frame says of how it goes on.
func followed(t *testing.T, frame *data.Frame) plugin.Followed {
	t.Helper()
	custom, err := json.Marshal(frame.Meta.Custom)
	if err != nil {
		t.Fatal(err)
	}
	var meta struct{ Live plugin.Followed }
	if err := json.Unmarshal(custom, &meta); err != nil || meta.Live.Path == "" {
		t.Fatalf("the answer does not go on live: %s %+v", custom, frame.Meta.Notices)
	}
	return meta.Live
}

func (p *panel) run(to backend.PluginContext, at plugin.Followed) {
	p.t.Helper()
	text, err := json.Marshal(at.Data)
	if err != nil {
		p.t.Fatal(err)
	}
	subscribed, err := shared.streams.SubscribeStream(p.t.Context(), &pluginv2.SubscribeStreamRequest{PluginContext: backend.ToProto().PluginContext(to), Path: at.Path, Data: text})
	if err != nil || subscribed.Status != pluginv2.SubscribeStreamResponse_OK {
		p.t.Fatalf("subscribe: %v %v", subscribed, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel = cancel
	stream, err := shared.streams.RunStream(ctx, &pluginv2.RunStreamRequest{PluginContext: backend.ToProto().PluginContext(to), Path: at.Path, Data: text})
	if err != nil {
		cancel()
		p.t.Fatal(err)
	}
	p.t.Cleanup(p.stop)
	go func() {
		defer close(p.ended)
		for {
			packet, err := stream.Recv()
			if err != nil {
				return
			}
			p.take(packet.Data)
		}
	}()
}

func (p *panel) stop() {
	p.cancel()
	<-p.ended
}

func (p *panel) take(packet []byte) {
	frame := new(data.Frame)
	if err := json.Unmarshal(packet, frame); err != nil {
		p.t.Errorf("packet: %v", err)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if frame.Meta != nil && frame.Meta.Custom != nil {
		var meta struct{ Stream *plugin.Interruption }
		if custom, err := json.Marshal(frame.Meta.Custom); err != nil || json.Unmarshal(custom, &meta) != nil || meta.Stream == nil {
			p.t.Errorf("packet with meta data %v", frame.Meta.Custom)
			return
		}
		p.heard = append(p.heard, *meta.Stream)
	}
	for i := range frame.Rows() {
		p.came = append(p.came, point{frame.Fields[1].At(i).(string), frame.Fields[0].At(i).(time.Time).UnixMilli(), frame.Fields[4].At(i).(float64), time.Now()})
	}
}

func (p *panel) points() []point {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.came)
}

func eventually(t *testing.T, within time.Duration, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(within); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("after %s it is still not so that %s", within, what)
		}
	}
}

const liveQuery = `{"kind":"history","quantities":["speed"],"live":true}`

// whole fails the test where a panel has a hole or shows a reading twice.
func whole(t *testing.T, p *panel, said *broadcast, want int) {
	t.Helper()
	have := func() map[point]int {
		n := make(map[point]int)
		for _, c := range p.points() {
			n[point{sensor: c.sensor, ms: c.ms, value: c.value}]++
		}
		return n
	}
	all := func() map[point]int {
		n := have()
		for _, c := range p.first {
			n[c] += 0
		}
		return n
	}
	eventually(t, 15*time.Second, "the panel has every reading", func() bool { return len(all()) >= want })
	if got := len(all()); got != want {
		t.Errorf("the panel has %d readings, %d were told", got, want)
	}
	for c, n := range have() {
		if n > 1 {
			t.Errorf("%s at %d came %d times", c.sensor, c.ms, n)
		}
	}
	said.mu.Lock()
	defer said.mu.Unlock()
	for _, s := range said.told {
		if _, there := all()[point{sensor: s.sensor, ms: s.at.UnixMilli(), value: s.value}]; !there {
			t.Errorf("the reading of %s at %s is missing", s.sensor, s.at)
		}
	}
}

func TestHistoryGoesOnLiveWithoutHoleOrDouble(t *testing.T) {
	api := newTown(t, "")
	said := api.live(700 * time.Millisecond)
	begin := time.Now().Add(-2 * time.Minute)
	n := 0
	for ; n < 100; n++ {
		said.say("cam-1", begin.Add(time.Duration(n)*time.Second), float64(n))
		said.told[n].known = begin // these were stored long ago
	}
	stop := make(chan struct{})
	ended := make(chan int)
	go func() { // readings go on while the panel opens
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for i := 0; ; i++ {
			select {
			case <-stop:
				ended <- i
				return
			case <-tick.C:
				said.say(fmt.Sprintf("cam-%d", 1+i%3), time.Now(), float64(i))
			}
		}
	}()
	eventually(t, 5*time.Second, "some readings are on their way", func() bool { said.mu.Lock(); defer said.mu.Unlock(); return len(said.told) > 130 })
	p := follow(t, settings(t, api.URL, ""), liveQuery)
	if len(p.first) == 0 {
		t.Error("the answer has no history")
	}
	eventually(t, 10*time.Second, "live readings came", func() bool { return len(p.points()) > 50 })
	close(stop)
	n += <-ended
	whole(t, p, said, n)
}

func TestServerThatRestartsLeavesNoHole(t *testing.T) {
	api := newTown(t, "")
	said := api.live(100 * time.Millisecond)
	p := follow(t, settings(t, api.URL, ""), liveQuery)
	told := func() (now int) { now, _ = said.listening(); return now }
	n := 0
	for range 3 {
		eventually(t, 10*time.Second, "the stream is open", func() bool { return told() == 1 })
		for range 5 {
			said.say("cam-1", time.Now().Add(time.Duration(n)*time.Millisecond), float64(n))
			n++
		}
		said.stop()
		for range 5 { // what arrives while nobody hears it
			said.say("cam-1", time.Now().Add(time.Duration(n)*time.Millisecond), float64(n))
			n++
		}
		said.start()
	}
	whole(t, p, said, n)
	if _, ever := said.listening(); ever < 3 {
		t.Errorf("the stream was opened %d times only", ever)
	}
}

func TestStreamsAreThoseThatQueriesName(t *testing.T) {
	api := newTown(t, "")
	api.live(0)
	to := settings(t, api.URL, "")
	now := time.Now()
	answer := ask(t, to, backend.TimeRange{From: now.Add(-time.Hour), To: now}, liveQuery)
	at := followed(t, answer.Frames[0])
	for name, test := range map[string]struct{ path, text string }{
		"no data":      {at.Path, ""},
		"other path":   {"live/0123456789abcdef0123456789abcdef", `{"quantities":["speed"]}`},
		"no such path": {"everything", `{}`},
		"other filter": {at.Path, strings.Replace(string(mustJSON(t, at.Data)), "speed", "no2", 1)},
	} {
		answer, err := shared.streams.SubscribeStream(t.Context(), &pluginv2.SubscribeStreamRequest{PluginContext: backend.ToProto().PluginContext(to), Path: test.path, Data: []byte(test.text)})
		if err != nil || answer.Status != pluginv2.SubscribeStreamResponse_NOT_FOUND {
			t.Errorf("%s: %v %v", name, answer, err)
		}
	}
	published, err := shared.streams.PublishStream(t.Context(), &pluginv2.PublishStreamRequest{PluginContext: backend.ToProto().PluginContext(to), Path: at.Path, Data: []byte(`{}`)})
	if err != nil || published.Status != pluginv2.PublishStreamResponse_PERMISSION_DENIED {
		t.Errorf("publish: %v %v", published, err)
	}
}

// A panel of last week has nothing to wait for.
func TestPastDoesNotGoOnLive(t *testing.T) {
	api := newTown(t, "")
	answer := ask(t, settings(t, api.URL, ""), day(), liveQuery)
	if answer.Error != nil || answer.Frames[0].Meta.Custom != nil {
		t.Errorf("%v %+v", answer.Error, answer.Frames[0].Meta.Custom)
	}
}

func TestCancelledQueryEndsAtTheServer(t *testing.T) {
	api := newTown(t, "")
	asked, gone := make(chan struct{}), make(chan struct{})
	api.handle("history", func(_ http.ResponseWriter, r *http.Request) {
		close(asked)
		<-r.Context().Done()
		close(gone)
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-asked
		cancel()
	}()
	_, err := shared.Client.QueryData(ctx, &backend.QueryDataRequest{PluginContext: settings(t, api.URL, ""), Queries: []backend.DataQuery{{RefID: "A", JSON: []byte(`{"kind":"history","quantities":["speed"]}`), TimeRange: day()}}})
	if err == nil {
		t.Error("a cancelled query was answered")
	}
	select {
	case <-gone:
	case <-time.After(5 * time.Second):
		t.Error("the server still works on a query that nobody waits for")
	}
}

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
