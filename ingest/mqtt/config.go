package mqtt

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"

	"github.com/lamppost-city/lamppost/internal/secret"
)

// Config says which broker to read from, and how.
type Config struct {
	// URL is mqtt://host:port, or mqtts://host:port for TLS. A user and password in it take precedence over the fields.
	URL string `mapstructure:"url"`
	// Dial, if not nil, connects to the broker of this process; URL then only says in words which one that is.
	Dial func(ctx context.Context) (net.Conn, error) `mapstructure:"-"`
	// ClientID names the persistent session at the broker. Two ingest processes at one broker need two.
	ClientID string        `mapstructure:"client_id"`
	User     string        `mapstructure:"user"`
	Password secret.String `mapstructure:"password"`
	// CAFile, CertFile and KeyFile are PEM files for mqtts; the system's authorities and no client certificate if empty.
	CAFile   string `mapstructure:"ca_file"`
	CertFile string `mapstructure:"cert_file"`
	KeyFile  string `mapstructure:"key_file"`
	// TopicRoot is the first level of every topic.
	TopicRoot string `mapstructure:"topic_root"`
	// ShareGroup, if set, subscribes as $share/<group>/..., so that connections and processes divide the messages. The
	// broker must know shared subscriptions; the embedded one does not.
	ShareGroup string `mapstructure:"share_group"`
	// Connections is how many connections share the load; more than one needs ShareGroup. One
	// suffices for the embedded broker and Mosquitto. Several bring the messages of a sensor out of order, and whether a
	// reading that comes after a newer one is new, only the store can tell (docs/decisions/throughput.md).
	Connections int `mapstructure:"connections"`
	// MaxPayloadBytes is the largest payload that is decoded; of a larger one the first 64 KiB go to quarantine.
	MaxPayloadBytes int64         `mapstructure:"max_payload_bytes"`
	KeepAlive       time.Duration `mapstructure:"keep_alive"`
	ConnectTimeout  time.Duration `mapstructure:"connect_timeout"`
	// MaxBackoff is the longest pause between two attempts to connect.
	MaxBackoff time.Duration `mapstructure:"max_backoff"`
}

// DefaultConfig reads from a broker on this machine.
func DefaultConfig() Config {
	return Config{
		URL:             "mqtt://127.0.0.1:1883",
		ClientID:        "lamppost-ingest",
		TopicRoot:       "city",
		Connections:     1,
		MaxPayloadBytes: 1 << 20,
		KeepAlive:       30 * time.Second,
		ConnectTimeout:  10 * time.Second,
		MaxBackoff:      10 * time.Second,
	}
}

// Validate reports every fault, each with its key.
func (c Config) Validate() error {
	var faults []error
	fault := func(key, format string, args ...any) {
		faults = append(faults, fmt.Errorf("%s: %s", key, fmt.Sprintf(format, args...)))
	}
	if u, err := url.Parse(c.URL); err != nil || u.Host == "" || schemes[u.Scheme] == "" {
		fault("url", "must be mqtt://host:port or mqtts://host:port")
	}
	if c.ClientID == "" {
		fault("client_id", "must not be empty: the broker keeps the session under it")
	}
	if c.TopicRoot == "" {
		fault("topic_root", "must not be empty")
	}
	if c.Connections < 1 || c.Connections > 64 {
		fault("connections", "must be 1 to 64, is %d", c.Connections)
	}
	if c.Connections > 1 && c.ShareGroup == "" {
		fault("connections", "more than one needs share_group, or every connection would get every message")
	}
	if c.MaxPayloadBytes < 1<<10 || c.MaxPayloadBytes > 64<<20 {
		fault("max_payload_bytes", "must be 1 KiB to 64 MiB, is %d", c.MaxPayloadBytes)
	}
	if c.KeepAlive < time.Second || c.KeepAlive > time.Hour {
		fault("keep_alive", "must be 1s to 1h, is %s", c.KeepAlive)
	}
	if c.ConnectTimeout <= 0 {
		fault("connect_timeout", "must be positive")
	}
	if c.MaxBackoff < time.Second {
		fault("max_backoff", "must be at least 1s, is %s", c.MaxBackoff)
	}
	if (c.CertFile == "") != (c.KeyFile == "") {
		fault("cert_file", "cert_file and key_file go together")
	}
	return errors.Join(faults...)
}

// schemes maps a URL's scheme to the network below it.
var schemes = map[string]string{"mqtt": "tcp", "tcp": "tcp", "mqtts": "tls", "ssl": "tls", "tls": "tls"}
