package plugin

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/data"

	"github.com/lamppost-city/lamppost/dashboards/datasource/city"
	"github.com/lamppost-city/lamppost/dashboards/datasource/live"
	"github.com/lamppost-city/lamppost/dashboards/datasource/question"
)

const (
	// livePath is where the paths of streams begin; what follows is the hash of the Stream.
	livePath = "live/"
	// longestHole is how far back a hole in a stream is filled at most.
	longestHole = 6 * time.Hour
	// patience is how long a stream may be broken before its panels say so.
	patience = 5 * time.Second
	// maxStreamBytes bounds what a subscription may send.
	maxStreamBytes = 64 << 10
)

// Stream is what a panel that goes on with live readings subscribes to. The backend puts it into the answer's meta data, and
// the frontend sends it back as it is.
type Stream struct {
	live.Filter
	// SinceMS is up to when the panel has its readings, in Unix milliseconds.
	SinceMS int64 `json:"since_ms"`
}

// Followed is the custom meta data of the first frame of an answer that goes on.
type Followed struct {
	Path string `json:"path"`
	Data Stream `json:"data"`
}

// goesOn says whether readings are to come after the answer: the panel has to look at now.
func goesOn(a asked) bool {
	return a.Live && (a.Kind == question.Latest || a.now.Sub(a.to) < time.Minute)
}

// goOn says in the frame which stream goes on with the answer.
func (d *Datasource) goOn(frame *data.Frame, a asked) {
	if !goesOn(a) {
		return
	}
	if len(a.unwanted) > 0 {
		warned(frame, "this panel does not go on live, because an ad hoc filter leaves something out; use = instead of !=")
		return
	}
	s := Stream{Filter: live.Filter{
		Sensors: a.Sensors, Quantities: a.Quantities, Domains: a.Domains, Sites: a.Sites, Districts: a.Districts, Channel: a.Channel,
	}, SinceMS: time.Now().UnixMilli()}
	path, err := s.path()
	if err != nil {
		warned(frame, "this panel does not go on live: "+err.Error())
		return
	}
	frame.Meta.Custom = map[string]Followed{"live": {Path: path, Data: s}}
}

// path is the stream's place among channels, which has room for no more than a hash.
func (s Stream) path() (string, error) {
	text, err := json.Marshal(s)
	if err != nil {
		return "", err
	}
	if len(text) > maxStreamBytes {
		return "", fmt.Errorf("its choice has more than %d KB; choose districts or sites instead of sensors", maxStreamBytes>>10)
	}
	sum := sha256.Sum256(text)
	return livePath + hex.EncodeToString(sum[:16]), nil
}

// streamOf reads what a subscription asks for, and holds it against its path: who follows a channel gets what its name says.
func streamOf(path string, text json.RawMessage) (s Stream, err error) {
	if len(text) > maxStreamBytes {
		return s, errors.New("the subscription is too long")
	}
	if !strings.HasPrefix(path, livePath) || len(text) == 0 || json.Unmarshal(text, &s) != nil {
		return s, fmt.Errorf("there is no stream %.80q; run the query of the panel anew", path)
	}
	if own, err := s.path(); err != nil || own != path {
		return s, fmt.Errorf("the stream %.80q is of something else; run the query of the panel anew", path)
	}
	asks := question.Query{
		Kind: question.Latest, Quantities: s.Quantities, Domains: s.Domains, Districts: s.Districts, Sites: s.Sites, Sensors: s.Sensors, Channel: s.Channel,
	}
	return s, asks.Check()
}

// SubscribeStream lets in whoever may use the data source, for streams that a query has named.
func (d *Datasource) SubscribeStream(ctx context.Context, req *backend.SubscribeStreamRequest) (*backend.SubscribeStreamResponse, error) {
	if d.fault != nil {
		return &backend.SubscribeStreamResponse{Status: backend.SubscribeStreamStatusNotFound}, nil //nolint:nilerr // the health check says it
	}
	if _, err := streamOf(req.Path, req.Data); err != nil {
		d.log.InfoContext(ctx, "a subscription was refused", "path", req.Path, "error", err)
		return &backend.SubscribeStreamResponse{Status: backend.SubscribeStreamStatusNotFound}, nil
	}
	return &backend.SubscribeStreamResponse{Status: backend.SubscribeStreamStatusOK}, nil
}

// PublishStream refuses: readings come from sensors.
func (d *Datasource) PublishStream(context.Context, *backend.PublishStreamRequest) (*backend.PublishStreamResponse, error) {
	return &backend.PublishStreamResponse{Status: backend.PublishStreamStatusPermissionDenied}, nil
}

// RunStream sends readings until Grafana has no subscriber any more. What the answer to the query may have missed, and what
// a broken connection leaves out, comes from the history.
func (d *Datasource) RunStream(ctx context.Context, req *backend.RunStreamRequest, sender *backend.StreamSender) error {
	if d.fault != nil {
		return d.fault
	}
	s, err := streamOf(req.Path, req.Data)
	if err != nil {
		return err
	}
	tell := func(broken *live.Break) error { return sender.SendFrame(interrupted(broken), data.IncludeAll) }
	listener, err := d.join(ctx, s.Filter, tell)
	if err != nil {
		return err
	}
	defer listener.Leave()
	follower := live.Follower{
		Listener: listener,
		Past:     func(ctx context.Context, from time.Time) ([]live.Point, error) { return d.past(ctx, s.Filter, from) },
		Send:     func(points []live.Point) error { return sender.SendFrame(packet(points), data.IncludeAll) },
		Tell:     tell,
		Patience: patience,
		Since:    time.UnixMilli(s.SinceMS),
		Longest:  longestHole,
		Log:      d.log,
	}
	return follower.Follow(ctx)
}

// join listens to a filter. While too many different ones are followed the panel is told, and waits for one to end.
func (d *Datasource) join(ctx context.Context, f live.Filter, tell func(*live.Break) error) (*live.Listener, error) {
	since := time.Now()
	for {
		listener, err := d.hub.Join(ctx, f)
		if !errors.Is(err, live.ErrFull) {
			return listener, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(patience):
		}
		if err := tell(&live.Break{At: since, Since: since, Err: err}); err != nil {
			return nil, err
		}
	}
}

// packet is points as a frame: a row each.
func packet(points []live.Point) *data.Frame {
	n := len(points)
	times, values := make([]time.Time, n), make([]float64, n)
	sensors, quantities, channels, texts := make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	for i, p := range points {
		times[i], values[i] = p.Time.UTC(), p.Value
		sensors[i], quantities[i], channels[i], texts[i] = p.Sensor, p.Quantity, p.Channel, p.Text
	}
	return data.NewFrame("live",
		data.NewField("time", nil, times), data.NewField("sensor", nil, sensors), data.NewField("quantity", nil, quantities),
		data.NewField("channel", nil, channels), data.NewField("value", nil, values), data.NewField("text", nil, texts))
}

// Interruption is what a packet without points says in its custom meta data, as "stream": that the stream is broken, or with a
// SinceMS of 0 that it is back.
type Interruption struct {
	// SinceMS is when the last word came, in Unix milliseconds.
	SinceMS int64 `json:"since_ms"`
	// Text is why, for people.
	Text string `json:"text"`
}

// interrupted is a break as a frame; nil is its end.
func interrupted(broken *live.Break) *data.Frame {
	var said Interruption
	switch {
	case broken == nil:
	case errors.Is(broken.Err, live.ErrPartial):
		said = Interruption{SinceMS: broken.Since.UnixMilli(), Text: "more came than can be asked for at once, and some are missing; load the panel anew"}
	case errors.Is(broken.Err, live.ErrFull):
		said = Interruption{SinceMS: broken.Since.UnixMilli(), Text: broken.Err.Error()}
	default:
		said = Interruption{SinceMS: broken.Since.UnixMilli(), Text: "Lamppost does not answer"}
		var fault *city.Fault
		if errors.As(broken.Err, &fault) && fault.Kind != city.Unreached && fault.Kind != city.Broken {
			said.Text = fault.Detail // it answers, and somebody has to mend something
		}
	}
	frame := packet(nil)
	return frame.SetMeta(&data.FrameMeta{Custom: map[string]Interruption{"stream": said}})
}
