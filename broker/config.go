package broker

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"time"

	"github.com/lamppost-city/lamppost/internal/certificate"
	"github.com/lamppost-city/lamppost/internal/listen"
)

// Config is everything of the broker that a person may change.
type Config struct {
	// Listen is host:port of the MQTT port; port 0 takes a free one.
	Listen string `mapstructure:"listen"`
	// Dir is the folder of the message store. Only one broker may use it at a time.
	Dir string `mapstructure:"dir"`
	// TopicRoot is the first level, or levels, of every topic of ours: "city" or "acme/city". Whoever starts the broker takes
	// it from what ingest reads, as Subscribers.
	TopicRoot string `mapstructure:"-"`
	// Subscribers are the sessions that exist, with their subscriptions, before the first publisher is let in. Their
	// client ids are kept for who logs in with Session.
	Subscribers []Subscriber `mapstructure:"-"`
	// TLS is the certificate of the MQTT port; without it the port speaks plain MQTT, on loopback only.
	TLS TLS `mapstructure:"tls"`

	// MaxPayloadBytes bounds a packet; a larger one ends its connection.
	MaxPayloadBytes int64 `mapstructure:"max_payload_bytes"`
	// MaxConnections bounds the connections; a further one is closed at once.
	MaxConnections int `mapstructure:"max_connections"`
	// MaxSubscriptions bounds the subscriptions of one connection.
	MaxSubscriptions int `mapstructure:"max_subscriptions"`
	// MaxSessions bounds the sessions, connected and absent; a further one is closed at once.
	MaxSessions int64 `mapstructure:"max_sessions"`
	// MaxRetained bounds the retained messages; a further topic's is delivered, but not retained.
	MaxRetained int64 `mapstructure:"max_retained"`
	// MaxStoreBytes bounds the messages on disk that await their subscribers. When it is reached, publishers get no
	// PUBACK and are disconnected until a subscriber has taken some.
	MaxStoreBytes int64 `mapstructure:"max_store_bytes"`
	// MinFreeBytes is the room on the disk below which publishers are sent away, and wait, until there is more.
	MinFreeBytes int64 `mapstructure:"min_free_bytes"`
	// MaxPendingBytes bounds what waits in memory for one slow connection; beyond it the connection is closed, and a
	// persistent session gets the rest when it comes back.
	MaxPendingBytes int64 `mapstructure:"max_pending_bytes"`
	// MaxAckPending is how many messages a subscription may hold without having acknowledged them. The subscriptions
	// of one session share 65,535: seven of the default's size fit.
	MaxAckPending int `mapstructure:"max_ack_pending"`
	// AckWait is after how long an unacknowledged message is sent again, be the subscriber still connected or back.
	AckWait time.Duration `mapstructure:"ack_wait"`
	// Sync is "always" (every message reaches the disk before its PUBACK) or the interval at which the disk is made to
	// keep what was written, which is also what a power cut can take.
	Sync string `mapstructure:"sync"`
}

// Subscriber is a persistent session by its MQTT client id, and the topic filters to which it subscribes with QoS 1.
type Subscriber struct {
	ClientID string
	Filters  []string
}

// TLS names the PEM files of a certificate chain and its key. They are read again when they change.
type TLS struct {
	CertFile string `mapstructure:"cert_file"`
	KeyFile  string `mapstructure:"key_file"`
}

func (t TLS) set() bool { return t.CertFile != "" || t.KeyFile != "" }

func (t TLS) files() certificate.Files { return certificate.Files{Cert: t.CertFile, Key: t.KeyFile} }

// maxAckTotal is nats-server's bound on the MaxAckPending of all subscriptions of one session together, and MQTT's on
// packet identifiers.
const maxAckTotal = 65_535

// DefaultConfig returns a broker on loopback for a town. Dir is to be set.
func DefaultConfig() Config {
	return Config{
		Listen:           "127.0.0.1:1883",
		TopicRoot:        "city",
		MaxPayloadBytes:  16 << 20,
		MaxConnections:   10_000,
		MaxSubscriptions: 100,
		MaxSessions:      50_000,
		MaxRetained:      100_000,
		MaxStoreBytes:    8 << 30,
		MinFreeBytes:     256 << 20,
		MaxPendingBytes:  64 << 20,
		MaxAckPending:    8_192,
		AckWait:          30 * time.Second,
		Sync:             "1s",
	}
}

// Validate returns every fault of the configuration, each as "key: what is wrong and what to do".
func (c Config) Validate() error {
	var faults []error
	fault := func(key, format string, args ...any) {
		faults = append(faults, fmt.Errorf(key+": "+format, args...))
	}
	if err := listen.Check(c.Listen, "127.0.0.1:1883"); err != nil {
		fault("listen", "%w", err)
	}
	if c.Dir == "" {
		fault("dir", "is empty; name the folder for the broker's messages")
	}
	if err := checkRoot(c.TopicRoot); err != nil {
		fault("topic_root", "%w", err)
	}
	for i, s := range c.Subscribers {
		if err := s.check(); err != nil {
			fault(fmt.Sprintf("subscribers[%d]", i), "%w", err)
		} else if s.consumers()*c.MaxAckPending > maxAckTotal {
			fault("max_ack_pending", "is %d for each of the %d subscriptions of client %s, which exceeds the %d that one session may hold; at most %d will do",
				c.MaxAckPending, s.consumers(), s.ClientID, maxAckTotal, maxAckTotal/s.consumers())
		}
	}
	if (c.TLS.CertFile == "") != (c.TLS.KeyFile == "") {
		fault("tls", "needs both cert_file and key_file, or neither")
	}
	c.checkBounds(fault)
	if _, _, err := c.sync(); err != nil {
		fault("sync", "%w", err)
	}
	return errors.Join(faults...)
}

func (c Config) checkBounds(fault func(key, format string, args ...any)) {
	inRange := func(key string, value, low, high int64) {
		if value < low || value > high {
			fault(key, "is %d; allowed is %d to %d", value, low, high)
		}
	}
	inRange("max_payload_bytes", c.MaxPayloadBytes, 1024, 64<<20)
	inRange("max_connections", int64(c.MaxConnections), 1, 1_000_000)
	inRange("max_subscriptions", int64(c.MaxSubscriptions), 1, 100_000)
	inRange("max_sessions", c.MaxSessions, 1, 10_000_000)
	inRange("max_retained", c.MaxRetained, 1, 10_000_000)
	inRange("max_store_bytes", c.MaxStoreBytes, 1<<20, 1<<50)
	inRange("min_free_bytes", c.MinFreeBytes, 0, 1<<50)
	inRange("max_pending_bytes", c.MaxPendingBytes, 1<<20, math.MaxInt32)
	inRange("max_ack_pending", int64(c.MaxAckPending), 1, maxAckTotal)
	inRange("ack_wait", int64(c.AckWait/time.Second), 1, 86_400)
	if c.MaxPendingBytes < 2*c.MaxPayloadBytes {
		fault("max_pending_bytes", "is %d; it must be at least twice max_payload_bytes (%d), or the largest message can never be delivered",
			c.MaxPendingBytes, c.MaxPayloadBytes)
	}
}

// sync returns whether every message is synced, or else the interval.
func (c Config) sync() (always bool, every time.Duration, err error) {
	if c.Sync == "always" {
		return true, 0, nil
	}
	every, err = time.ParseDuration(c.Sync)
	if err != nil || every < 10*time.Millisecond || every > time.Hour {
		return false, 0, fmt.Errorf(`is %q; write "always", or an interval from 10ms to 1h such as "1s"`, c.Sync)
	}
	return false, every, nil
}

func (s Subscriber) check() error {
	if s.ClientID == "" || len(s.ClientID) > 1000 || strings.ContainsAny(s.ClientID, " \t\r\n.*>/\\") {
		return fmt.Errorf("client_id is %q; it must have 1 to 1000 characters, and neither spaces nor any of . * > / \\", s.ClientID)
	}
	if len(s.Filters) == 0 {
		return fmt.Errorf("client %s has no filters; name the topics that it takes", s.ClientID)
	}
	for _, f := range s.Filters {
		if f == "" || len(f) > 1000 || strings.ContainsAny(f, " \t\r\n\f\x7f") || strings.HasPrefix(f, "$") {
			return fmt.Errorf("client %s: filter %.80q is empty or longer than 1000 bytes, holds a space or begins with $", s.ClientID, f)
		}
	}
	return nil
}

func checkRoot(root string) error {
	for level := range strings.SplitSeq(root, "/") {
		if level == "" {
			return fmt.Errorf("is %q; it must have no empty level", root)
		}
		for _, r := range level {
			if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_' {
				return fmt.Errorf("is %q; only letters, digits, - and _ are allowed, and / between levels", root)
			}
		}
	}
	return nil
}

// ErrOpen is returned by New for a broker that anybody on the network could use or overhear.
var ErrOpen = errors.New("refusing to serve MQTT beyond this machine")

// checkClosed refuses what would leave the broker open to the network.
func (c Config) checkClosed(credentials bool) error {
	if listen.OnLoopback(c.Listen) {
		return nil
	}
	switch {
	case !credentials && !c.TLS.set():
		return fmt.Errorf("%w on %s without credentials and TLS: give publishers credentials and set tls.cert_file and tls.key_file, or listen on 127.0.0.1", ErrOpen, c.Listen)
	case !credentials:
		return fmt.Errorf("%w on %s without credentials: give publishers credentials, or listen on 127.0.0.1", ErrOpen, c.Listen)
	case !c.TLS.set():
		return fmt.Errorf("%w on %s without TLS: set tls.cert_file and tls.key_file, or listen on 127.0.0.1", ErrOpen, c.Listen)
	}
	return nil
}

// makeDir makes the store's folder, readable by its owner alone.
func (c Config) makeDir() error {
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return fmt.Errorf("make the broker's folder: %w", err)
	}
	return nil
}
