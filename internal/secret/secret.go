// Package secret keeps passwords and tokens out of logs, printed configurations and error texts. Configurations hold
// them as a String; only whoever hands one to a server reveals it.
package secret

import "log/slog"

// String is a secret text. Every ordinary way of printing it shows "[redacted]"; Reveal gives it away on purpose. Its
// underlying type is string, so that configuration can be decoded into it.
type String string

const redacted = "[redacted]"

// Reveal returns the secret itself.
func (s String) Reveal() string { return string(s) }

// String returns "[redacted]", or "" for an empty secret.
func (s String) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// GoString serves %#v as String serves %v.
func (s String) GoString() string { return s.String() }

// LogValue serves slog.
func (s String) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText serves JSON, YAML and other encoders. There is no way back from it.
func (s String) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
