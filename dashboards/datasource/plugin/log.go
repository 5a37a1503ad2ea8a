package plugin

import (
	"context"
	"log/slog"

	"github.com/grafana/grafana-plugin-sdk-go/backend/log"
)

// handler writes to Grafana's log.
type handler struct {
	to    log.Logger
	group string
}

// NewLog makes a logger that writes to Grafana's log.
func NewLog(to log.Logger) *slog.Logger { return slog.New(handler{to: to}) }

// Enabled implements slog.Handler: Grafana decides what it keeps.
func (h handler) Enabled(context.Context, slog.Level) bool { return true }

// Handle implements slog.Handler.
func (h handler) Handle(ctx context.Context, r slog.Record) error {
	args := make([]any, 0, 2*r.NumAttrs())
	r.Attrs(func(a slog.Attr) bool {
		args = append(args, h.group+a.Key, plain(a.Value))
		return true
	})
	to := h.to.FromContext(ctx)
	switch {
	case r.Level >= slog.LevelError:
		to.Error(r.Message, args...)
	case r.Level >= slog.LevelWarn:
		to.Warn(r.Message, args...)
	case r.Level >= slog.LevelInfo:
		to.Info(r.Message, args...)
	default:
		to.Debug(r.Message, args...)
	}
	return nil
}

// WithAttrs implements slog.Handler.
func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	args := make([]any, 0, 2*len(attrs))
	for _, a := range attrs {
		args = append(args, h.group+a.Key, plain(a.Value))
	}
	return handler{to: h.to.With(args...), group: h.group}
}

// WithGroup implements slog.Handler.
func (h handler) WithGroup(name string) slog.Handler {
	return handler{to: h.to, group: h.group + name + "."}
}

// plain is a value as Grafana's log writes it for people: it makes a duration a number of nanoseconds.
func plain(v slog.Value) any {
	if v = v.Resolve(); v.Kind() == slog.KindDuration {
		return v.Duration().String()
	}
	return v.Any()
}
