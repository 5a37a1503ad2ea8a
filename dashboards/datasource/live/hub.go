package live

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lamppost-city/lamppost/dashboards/datasource/city"
)

// Filter chooses readings. Lists that are empty choose all.
type Filter struct {
	Sensors    []string `json:"sensors,omitempty"`
	Quantities []string `json:"quantities,omitempty"`
	Domains    []string `json:"domains,omitempty"`
	Sites      []string `json:"sites,omitempty"`
	Districts  []string `json:"districts,omitempty"`
	Channel    string   `json:"channel,omitempty"`
}

// Params are the filter as the API takes it, in one order whatever order the filter was given in.
func (f Filter) Params() url.Values {
	params := url.Values{}
	for key, list := range map[string][]string{
		"sensor": f.Sensors, "quantity": f.Quantities, "domain": f.Domains, "site": f.Sites, "district": f.Districts,
	} {
		if len(list) > 0 {
			params[key] = slices.Compact(slices.Sorted(slices.Values(list)))
		}
	}
	if f.Channel != "" {
		params.Set("channel", f.Channel)
	}
	return params
}

// Source is where readings come from. Live blocks as city.Client's does.
type Source interface {
	Live(ctx context.Context, params url.Values, quiet time.Duration, tell func(city.Told)) error
}

// Config bounds a Hub.
type Config struct {
	// MaxStreams is how many different filters may be followed at once.
	MaxStreams int
	// Backlog is how many readings wait for a slow listener before the oldest are dropped, which is a hole.
	Backlog int
	// Quiet is how long a stream may say nothing before it counts as broken. The server speaks every 15 s.
	Quiet time.Duration
	// Linger is how long a stream stays open after its last listener left: a panel that is refreshed comes back.
	Linger time.Duration
	// RetryMin and RetryMax bound the pause before a broken stream is opened again.
	RetryMin, RetryMax time.Duration
}

// DefaultConfig fits a Grafana of some hundred panels.
func DefaultConfig() Config {
	return Config{
		MaxStreams: 64, Backlog: 20_000, Quiet: 20 * time.Second, Linger: 5 * time.Second,
		RetryMin: 200 * time.Millisecond, RetryMax: 10 * time.Second,
	}
}

// ErrFull is what Join wraps when too many different filters are followed.
var ErrFull = errors.New("too many different live questions at once")

// Hub shares streams. Whoever made it closes it.
type Hub struct {
	source Source
	cfg    Config
	log    *slog.Logger

	mu      sync.Mutex
	closed  bool
	streams map[string]*stream
	running sync.WaitGroup
}

// New makes a hub without streams.
func New(source Source, cfg Config, log *slog.Logger) *Hub {
	return &Hub{source: source, cfg: cfg, log: log, streams: make(map[string]*stream)}
}

// stream is one connection with the server and who listens to it.
type stream struct {
	key       string
	params    url.Values
	cancel    context.CancelFunc
	leaving   *time.Timer // nil while anybody listens
	open      bool
	heard     time.Time // when it said something last, or was asked for
	broken    *Break    // nil while it is open, and before it was tried
	listeners map[*Listener]struct{}
}

// Join begins to listen, and opens a stream if nobody listens to the filter yet. The stream outlives ctx, whose values it
// keeps, for as long as anybody listens. The caller must Leave.
func (h *Hub) Join(ctx context.Context, f Filter) (*Listener, error) {
	params := f.Params()
	key := params.Encode()
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, errors.New("the data source was changed meanwhile; ask again")
	}
	s := h.streams[key]
	if s == nil {
		if len(h.streams) >= h.cfg.MaxStreams {
			return nil, fmt.Errorf("%w: %d are open; let panels share their filters, or make some not live", ErrFull, len(h.streams))
		}
		s = &stream{key: key, params: params, heard: time.Now(), listeners: make(map[*Listener]struct{})}
		own, cancel := context.WithCancel(context.WithoutCancel(ctx))
		s.cancel = cancel
		h.streams[key] = s
		h.running.Go(func() { h.run(own, s) })
	}
	if s.leaving != nil {
		s.leaving.Stop()
		s.leaving = nil
	}
	l := &Listener{hub: h, stream: s, most: h.cfg.Backlog, wake: make(chan struct{}, 1)}
	s.listeners[l] = struct{}{}
	if s.open || s.broken != nil {
		l.tell(nil, s.open)
	}
	return l, nil
}

// Leave ends the listening.
func (l *Listener) Leave() {
	h, s := l.hub, l.stream
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(s.listeners, l)
	if len(s.listeners) > 0 || h.streams[s.key] != s || s.leaving != nil {
		return
	}
	var timer *time.Timer
	timer = time.AfterFunc(h.cfg.Linger, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if s.leaving == timer {
			h.drop(s)
		}
	})
	s.leaving = timer
}

// drop ends a stream. The caller holds the lock.
func (h *Hub) drop(s *stream) {
	delete(h.streams, s.key)
	s.cancel()
}

// Close ends all streams and waits for them. Listeners hear nothing more.
func (h *Hub) Close() {
	h.mu.Lock()
	h.closed = true
	for _, s := range h.streams {
		if s.leaving != nil {
			s.leaving.Stop()
		}
		h.drop(s)
	}
	h.mu.Unlock()
	h.running.Wait()
}

// Streams is how many connections with the server there are.
func (h *Hub) Streams() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.streams)
}

// run keeps a stream open until its context ends.
func (h *Hub) run(ctx context.Context, s *stream) {
	pause := h.cfg.RetryMin
	for {
		err := h.source.Live(ctx, s.params, h.cfg.Quiet, func(t city.Told) {
			pause = h.cfg.RetryMin
			h.told(ctx, s, t)
		})
		if ctx.Err() != nil {
			return
		}
		h.ended(ctx, s, err, pause)
		wait := time.NewTimer(pause/2 + rand.N(pause/2+1))
		select {
		case <-ctx.Done():
			wait.Stop()
			return
		case <-wait.C:
		}
		pause = min(2*pause, h.cfg.RetryMax)
	}
}

// short bounds what a log says of a filter.
func short(key string) string {
	if len(key) > 200 {
		return strings.ToValidUTF8(key[:200], "") + "…"
	}
	return key
}

// ended marks a stream as broken and wakes those who listen. The log has the first try only: the others would say the same.
func (h *Hub) ended(ctx context.Context, s *stream, err error, pause time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s.open = false
	level := slog.LevelWarn
	if errors.Is(err, io.EOF) {
		level = slog.LevelInfo // the server stopped, or a proxy ended it
	}
	at := time.Now()
	if s.broken != nil {
		level, at = slog.LevelDebug, s.broken.At
	}
	s.broken = &Break{At: at, Since: s.heard, Err: err}
	h.log.Log(ctx, level, "live stream ended; opening it again", "error", err, "filter", short(s.key), "pause", pause)
	for l := range s.listeners {
		l.tell(nil, false)
	}
}

// told hands on what a stream says. That it is open, or lost something, is a hole for everybody.
func (h *Hub) told(ctx context.Context, s *stream, t city.Told) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s.open, s.heard = true, time.Now()
	if s.broken != nil {
		h.log.InfoContext(ctx, "live stream is open again", "filter", short(s.key), "after", s.heard.Sub(s.broken.At).Round(time.Millisecond))
		s.broken = nil
	}
	for l := range s.listeners {
		l.tell(t.Reading, t.Reading == nil)
	}
}
