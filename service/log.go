package service

import (
	"fmt"
	"io"
	"log/slog"
	"os"

	"golang.org/x/term"
)

// LogConfig says how much is logged and how.
type LogConfig struct {
	// Level is debug, info, warn or error.
	Level string `mapstructure:"level"`
	// Format is text, json, or auto: text to a terminal and JSON elsewhere.
	Format string `mapstructure:"format"`
}

// DefaultLogConfig logs what an operator wants to know.
func DefaultLogConfig() LogConfig { return LogConfig{Level: "info", Format: "auto"} }

// Validate reports every fault, each with its key.
func (c LogConfig) Validate() error {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Level)); err != nil {
		return fmt.Errorf("level: must be debug, info, warn or error, is %q", c.Level)
	}
	switch c.Format {
	case "auto", "text", "json":
		return nil
	}
	return fmt.Errorf("format: must be auto, text or json, is %q", c.Format)
}

// NewLogger logs to w.
func NewLogger(cfg LogConfig, w io.Writer) *slog.Logger {
	log, _ := NewLeveledLogger(cfg, w)
	return log
}

// NewLeveledLogger logs to w, and returns what changes the level while it runs: debug, info, warn or error.
func NewLeveledLogger(cfg LogConfig, w io.Writer) (log *slog.Logger, setLevel func(level string) error) {
	level := new(slog.LevelVar)
	_ = level.UnmarshalText([]byte(cfg.Level)) // Validate has seen it
	options := &slog.HandlerOptions{Level: level}
	setLevel = func(to string) error {
		changed := cfg
		changed.Level = to
		if err := changed.Validate(); err != nil {
			return err
		}
		return level.UnmarshalText([]byte(to))
	}
	if cfg.Format == "json" || cfg.Format == "auto" && !IsTerminal(w) {
		return slog.New(slog.NewJSONHandler(w, options)), setLevel
	}
	return slog.New(slog.NewTextHandler(w, options)), setLevel
}

// IsTerminal tells whether a person reads w.
func IsTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
