package embedded

import (
	"context"
	"log/slog"
	"strings"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// engineLog turns influxd's logs into ours. Its many informations become debug messages, unless they carry an error:
// influxd reports shards that do not open, and logs cut short after a crash, as informations.
type engineLog struct {
	log    *slog.Logger
	fields []zapcore.Field
}

func newEngineLog(log *slog.Logger) *zap.Logger { return zap.New(&engineLog{log: log}) }

// Enabled lets everything through that might turn out to be a warning.
func (e *engineLog) Enabled(level zapcore.Level) bool { return level >= zapcore.InfoLevel }

// With returns a log that adds fields to every entry.
func (e *engineLog) With(fields []zapcore.Field) zapcore.Core {
	return &engineLog{log: e.log, fields: append(e.fields[:len(e.fields):len(e.fields)], fields...)}
}

// Check asks for every entry of an enabled level.
func (e *engineLog) Check(entry zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if !e.Enabled(entry.Level) {
		return checked
	}
	return checked.AddCore(entry, e)
}

// Write hands an entry on.
func (e *engineLog) Write(entry zapcore.Entry, fields []zapcore.Field) error {
	level := slog.LevelDebug
	switch {
	case entry.Level >= zapcore.ErrorLevel:
		level = slog.LevelError
	case entry.Level == zapcore.WarnLevel, hasError(fields), hasError(e.fields):
		level = slog.LevelWarn
	}
	ctx := context.Background()
	if !e.log.Enabled(ctx, level) {
		return nil
	}
	values := zapcore.NewMapObjectEncoder()
	for _, all := range [][]zapcore.Field{e.fields, fields} {
		for _, f := range all {
			f.AddTo(values)
		}
	}
	attrs := make([]slog.Attr, 0, 1+len(values.Fields))
	attrs = append(attrs, slog.String("event", entry.Message))
	for key, value := range values.Fields {
		attrs = append(attrs, slog.Any(strings.ReplaceAll(key, "-", "_"), value))
	}
	e.log.LogAttrs(ctx, level, "store engine", attrs...)
	return nil
}

// Sync has nothing to do: slog does not buffer.
func (e *engineLog) Sync() error { return nil }

func hasError(fields []zapcore.Field) bool {
	for _, f := range fields {
		if f.Type == zapcore.ErrorType {
			return true
		}
	}
	return false
}

// panicLog takes what influxd's HTTP handler prints when it has recovered from a panic.
type panicLog struct{ log *slog.Logger }

func (p panicLog) Write(text []byte) (int, error) {
	p.log.Error("store engine recovered from a panic", "detail", strings.TrimSpace(string(text)))
	return len(text), nil
}
