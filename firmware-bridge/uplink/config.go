package uplink

import (
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/lamppost-city/lamppost/internal/secret"
)

// Config says where to publish and how hard to try.
type Config struct {
	// URL is the broker's address: mqtt://host:1883, or mqtts://host:8883 for TLS. It may hold user and password.
	URL string `mapstructure:"url"`
	// User and Password replace those of URL where User is not empty.
	User     string        `mapstructure:"user"`
	Password secret.String `mapstructure:"password"`
	// PasswordFile is a file whose first line is the password, in place of Password. It is read for every connection.
	PasswordFile string `mapstructure:"password_file"`
	// CertFile and KeyFile are files of PEM by which the broker knows this client, both or none. They are read for every
	// connection.
	CertFile string `mapstructure:"cert_file"`
	KeyFile  string `mapstructure:"key_file"`
	// CAFile is a file of PEM certificates that the broker's certificate must lead to; "" means those of the system.
	CAFile string `mapstructure:"ca_file"`
	// ClientName begins the MQTT client ids; a random part follows, so that two processes never push each other out.
	ClientName string `mapstructure:"client_name"`
	// ClientID is the whole MQTT client id where it is to be the same after every start, "" otherwise. The broker then ends
	// an old connection, which it may take for alive, when the new one comes. Nobody else may use it.
	ClientID string `mapstructure:"client_id"`
	// Connections is how many connections share the topics.
	Connections int `mapstructure:"connections"`
	// Window is how many messages a connection may have unacknowledged. When it is full, Publish waits.
	Window int `mapstructure:"window"`
	// FlushAfter is how long small writes may wait for company.
	FlushAfter time.Duration `mapstructure:"flush_after"`
	// ConnectTimeout bounds dialling, TLS and CONNECT together.
	ConnectTimeout time.Duration `mapstructure:"connect_timeout"`
	// WriteTimeout bounds one write to the network.
	WriteTimeout time.Duration `mapstructure:"write_timeout"`
	// KeepAlive is how often a connection on which nothing happens is tried. The broker publishes the will after one and a half of it.
	KeepAlive time.Duration `mapstructure:"keep_alive"`
	// AckTimeout is how long messages may wait without one acknowledgement before the connection is given up and they
	// are sent again on another.
	AckTimeout time.Duration `mapstructure:"ack_timeout"`
	// RetryMin and RetryMax bound the pause between attempts to connect; it doubles, with jitter.
	RetryMin time.Duration `mapstructure:"retry_min"`
	RetryMax time.Duration `mapstructure:"retry_max"`
	// RetryRefused is the pause after the broker has refused the user, password or client id, or a file of these settings
	// cannot be used. 0 means that Run ends with the error instead, unless it was connected before.
	RetryRefused time.Duration `mapstructure:"retry_refused"`
	// TLSWithoutDate lets a machine that does not know the date connect with TLS: it then checks all of the broker's
	// certificate but whether it has expired.
	TLSWithoutDate bool `mapstructure:"tls_without_date"`
}

// MaxWindow is the largest window: MQTT numbers the messages in flight with 16 bits.
const MaxWindow = 60_000

// DefaultConfig returns the settings for a broker on this machine.
func DefaultConfig() Config {
	return Config{
		URL:            "mqtt://127.0.0.1:1883",
		ClientName:     "lamppost-uplink",
		Connections:    4,
		Window:         1000,
		FlushAfter:     500 * time.Microsecond,
		ConnectTimeout: 10 * time.Second,
		WriteTimeout:   20 * time.Second,
		KeepAlive:      30 * time.Second,
		AckTimeout:     time.Minute,
		RetryMin:       100 * time.Millisecond,
		RetryMax:       5 * time.Second,
	}
}

// Validate returns every fault of c, joined.
func (c Config) Validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if _, err := parseURL(c.URL); err != nil {
		faults = append(faults, fmt.Errorf("url: %w", err))
	}
	if c.ClientName == "" {
		fault("client_name: is empty; give a name such as lamppost-uplink")
	}
	if (c.CertFile == "") != (c.KeyFile == "") {
		fault("cert_file: it and key_file belong together; set both or none")
	}
	if c.PasswordFile != "" && c.Password != "" {
		fault("password_file: password is set as well; remove one of them")
	}
	if c.RetryRefused < 0 {
		fault("retry_refused: %s is negative", c.RetryRefused)
	}
	if c.KeepAlive < time.Second || c.KeepAlive > 18*time.Hour { // MQTT has 16 bits of seconds
		fault("keep_alive: %s is outside 1s to 18h", c.KeepAlive)
	}
	if c.Connections < 1 || c.Connections > 64 {
		fault("connections: %d is outside 1 to 64", c.Connections)
	}
	if c.Window < 1 || c.Window > MaxWindow {
		fault("window: %d is outside 1 to %d", c.Window, MaxWindow)
	}
	if c.FlushAfter < 0 || c.FlushAfter > time.Second {
		fault("flush_after: %s is outside 0s to 1s", c.FlushAfter)
	}
	for _, d := range []struct {
		key   string
		value time.Duration
	}{
		{"connect_timeout", c.ConnectTimeout},
		{"write_timeout", c.WriteTimeout},
		{"ack_timeout", c.AckTimeout},
		{"retry_min", c.RetryMin},
		{"retry_max", c.RetryMax},
	} {
		if d.value <= 0 {
			fault("%s: %s must be longer than nothing", d.key, d.value)
		}
	}
	if c.RetryMax < c.RetryMin {
		fault("retry_max: %s is shorter than retry_min, %s", c.RetryMax, c.RetryMin)
	}
	return errors.Join(faults...)
}

// parseURL never repeats the password in its errors.
func parseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, errors.New("is not a URL; write mqtt://host:1883 or mqtts://user:password@host:8883")
	}
	var port string
	switch u.Scheme {
	case "mqtt", "tcp":
		port = "1883"
	case "mqtts", "ssl", "tls":
		port = "8883"
	default:
		return nil, fmt.Errorf("scheme %q is none of mqtt and mqtts; write mqtt://host:1883 or mqtts://host:8883", u.Scheme)
	}
	if u.Hostname() == "" {
		return nil, errors.New("names no host; write mqtt://host:1883 or mqtts://host:8883")
	}
	if u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("has more than user, host and port; the topic does not belong into it")
	}
	if u.Port() != "" {
		port = u.Port()
	}
	secure := u.Scheme == "mqtts" || u.Scheme == "ssl" || u.Scheme == "tls"
	clean := &url.URL{Scheme: "mqtt", User: u.User, Host: joinHostPort(u.Hostname(), port)}
	if secure {
		clean.Scheme = "mqtts"
	}
	return clean, nil
}
