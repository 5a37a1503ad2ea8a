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

func newLog(to log.Logger) *slog.Logger { return slog.New(handler{to: to}) }

// Enabled implements slog.Handler: Grafana decides what it keeps.
func (h handler) Enabled(context.Context, slog.Level) bool { return true }

// Handle implements slog.Handler.
func (h handler) Handle(ctx context.Context, r slog.Record) error {
	args := make([]any, 0, 2*r.NumAttrs())
	r.Attrs(func(a slog.Attr) bool {
		args = append(args, h.group+a.Key, a.Value.Resolve().Any())
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
		args = append(args, h.group+a.Key, a.Value.Resolve().Any())
	}
	return handler{to: h.to.With(args...), group: h.group}
}

// WithGroup implements slog.Handler.
func (h handler) WithGroup(name string) slog.Handler {
	return handler{to: h.to, group: h.group + name + "."}
}
