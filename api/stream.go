package api

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/lamppost-city/lamppost/telemetry"
)

const livePath = "/api/v1/live"

// reconnectAfter is what a browser is told to wait before it opens a broken stream again.
const reconnectAfter = 2 * time.Second

type liveInput struct {
	Sensor []string `query:"sensor,explode" maxItems:"1000" doc:"Only these sensors; may repeat."`
	PlaceParams
	Channel  []string `query:"channel,explode" maxItems:"100" doc:"Only these channels; may repeat. An empty one stands for readings without a channel."`
	Domain   []string `query:"domain,explode" maxItems:"3" enum:"traffic,energy,safety" doc:"Only quantities of these domains; may repeat."`
	Quantity []string `query:"quantity,explode" maxItems:"200" doc:"Only these quantities; may repeat."`
}

// Resolve implements huma.Resolver: it keeps empty channels.
func (in *liveInput) Resolve(ctx huma.Context) []error {
	u := ctx.URL()
	in.Channel = u.Query()["channel"]
	return nil
}

// openLive answers with an event stream that ends when the client goes, takes nothing for Config.WriteTimeout, loses its
// right, or the server stops.
func (s *Server) openLive(_ context.Context, in *liveInput) (*huma.StreamResponse, error) {
	wants, err := readingFilter(in.Sensor, in.Domain, in.Quantity)
	if err != nil {
		return nil, err
	}
	chosen, err := parseChoice(in.Sensor, in.PlaceParams, "")
	if err != nil {
		return nil, err
	}
	for _, channel := range in.Channel {
		if err := telemetry.CheckChannel(channel); err != nil {
			return nil, badQuery("channel", channel, "%v", err)
		}
		if wants.channels == nil {
			wants.channels = make(map[string]bool, len(in.Channel))
		}
		wants.channels[channel] = true
	}
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		r, w := humago.Unwrap(ctx)
		l, err := s.live.join(wants, chosen)
		if err != nil {
			w.Header().Set("Retry-After", strconv.Itoa(int(reconnectAfter/time.Second)))
			detail := "%d listeners are connected, as many as max_live_clients allows; come again later"
			if errors.Is(err, errLiveStopped) {
				detail = "the server is stopping"
				writeProblem(w, newProblem(http.StatusServiceUnavailable, "%s", detail))
				return
			}
			writeProblem(w, newProblem(http.StatusServiceUnavailable, detail, s.cfg.MaxLiveClients))
			return
		}
		defer s.live.leave(l)
		h := w.Header()
		h.Set("Content-Type", "text/event-stream")
		h.Set("Cache-Control", "no-store")
		h.Set("X-Accel-Buffering", "no") // nginx would hold lines back
		w.WriteHeader(http.StatusOK)
		if r.Method != http.MethodHead {
			s.stream(w, r, l)
		}
	}}, nil
}

// stream writes what comes through the listener's queue.
func (s *Server) stream(w http.ResponseWriter, r *http.Request, l *listener) {
	connection := http.NewResponseController(w)
	send := func(events []byte) bool {
		if connection.SetWriteDeadline(time.Now().Add(s.cfg.WriteTimeout)) != nil {
			return false
		}
		_, err := w.Write(events)
		return err == nil && connection.Flush() == nil
	}
	if !send([]byte(": connected\nretry: " + strconv.FormatInt(reconnectAfter.Milliseconds(), 10) + "\n\n")) {
		return
	}
	heartbeat := time.NewTicker(s.cfg.LiveHeartbeat)
	defer heartbeat.Stop()
	var own []byte
	for {
		var events []byte
		select {
		case <-r.Context().Done():
			return
		case <-heartbeat.C:
			if s.gate.checkAccess(r) != nil {
				return // the session has ended
			}
			events = []byte(": still here\n\n")
		case b, open := <-l.queue:
			if !open {
				return
			}
			events = b.frames
			if wants := l.filter.Load(); !wants.takesAll() {
				own = b.appendTaken(own[:0], wants)
				events = own
			}
		}
		if lost := l.lost.Swap(0); lost > 0 {
			event := strconv.AppendUint([]byte("event: lost\ndata: {\"readings\":"), lost, 10)
			if !send(append(event, "}\n\n"...)) {
				return
			}
		}
		if len(events) > 0 && !send(events) {
			return
		}
	}
}
