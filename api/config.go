package api

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"
)

// Config is what a person may change about the HTTP address.
type Config struct {
	// Listen is host:port. Away from loopback TLS is required and every request under /api needs the token.
	Listen string `mapstructure:"listen"`
	// TLSCertFile and TLSKeyFile are PEM files; both or neither. A renewed certificate is picked up without a restart.
	TLSCertFile string `mapstructure:"tls_cert_file"`
	TLSKeyFile  string `mapstructure:"tls_key_file"`
	// Names are the host names, without port, under which a loopback address may be reached besides localhost, for
	// instance through a proxy on the same machine. Other names are refused, which stops DNS rebinding.
	Names []string `mapstructure:"names"`

	// CityName and CityZone are shown on the page; the zone is an IANA name such as Europe/Lisbon.
	CityName string `mapstructure:"city_name"`
	CityZone string `mapstructure:"city_zone"`

	// MaxConnections bounds open connections; further ones wait in the listen queue.
	MaxConnections int `mapstructure:"max_connections"`
	// MaxQueryBytes bounds the query string of a request (414 beyond).
	MaxQueryBytes int `mapstructure:"max_query_bytes"`
	// MaxBodyBytes bounds a JSON body, MaxImportBytes a CSV of sensors, MaxPlanBytes a street plan (413 beyond).
	MaxBodyBytes   int64 `mapstructure:"max_body_bytes"`
	MaxImportBytes int64 `mapstructure:"max_import_bytes"`
	MaxPlanBytes   int64 `mapstructure:"max_plan_bytes"`
	// MaxLatest bounds the readings in one answer of /api/v1/latest; beyond, the answer says that it is truncated.
	MaxLatest int `mapstructure:"max_latest"`
	// FigureAge is how old a reading may be to count in /api/v1/figures where its sensor has no cadence; with one it
	// counts until the sensor is silent.
	FigureAge time.Duration `mapstructure:"figure_age"`

	// MaxQueries bounds the store queries (history, audit) that run at once. A further one waits for QueryWait, then it
	// is told to come again (503 with Retry-After).
	MaxQueries int           `mapstructure:"max_queries"`
	QueryWait  time.Duration `mapstructure:"query_wait"`
	// QueryTimeout ends a query that takes longer (504).
	QueryTimeout time.Duration `mapstructure:"query_timeout"`
	// AuditTimeout does the same for a comparison of ledger and store.
	AuditTimeout time.Duration `mapstructure:"audit_timeout"`

	// MaxLiveClients bounds the listeners to /api/v1/live (503 beyond).
	MaxLiveClients int `mapstructure:"max_live_clients"`
	// LiveFlush is how long readings are gathered into one write when they come fast; after a pause the first one goes
	// out at once.
	LiveFlush time.Duration `mapstructure:"live_flush"`
	// LiveBacklog is how many such writes may wait for a slow listener before it loses readings and is told so.
	LiveBacklog int `mapstructure:"live_backlog"`
	// LiveHeartbeat is the pause between comment lines that keep a silent stream open. Listeners take one of 20 s for broken.
	LiveHeartbeat time.Duration `mapstructure:"live_heartbeat"`
	// WriteTimeout drops a listener, or any client, that takes nothing for so long.
	WriteTimeout time.Duration `mapstructure:"write_timeout"`

	// SessionLifetime is how long a browser stays signed in; MaxSessions bounds them, the oldest goes first.
	SessionLifetime time.Duration `mapstructure:"session_lifetime"`
	MaxSessions     int           `mapstructure:"max_sessions"`

	// StopGrace is how long requests in progress may take to end when the process stops.
	StopGrace time.Duration `mapstructure:"stop_grace"`
}

// DefaultConfig listens on loopback port 8080.
func DefaultConfig() Config {
	return Config{
		Listen:          "127.0.0.1:8080",
		CityName:        "Lamppost",
		CityZone:        "UTC",
		MaxConnections:  1024,
		MaxQueryBytes:   8 << 10,
		MaxBodyBytes:    1 << 20,
		MaxImportBytes:  32 << 20,
		MaxPlanBytes:    8 << 20,
		MaxLatest:       200_000,
		FigureAge:       15 * time.Minute,
		MaxQueries:      4,
		QueryWait:       2 * time.Second,
		QueryTimeout:    30 * time.Second,
		AuditTimeout:    5 * time.Minute,
		MaxLiveClients:  200,
		LiveFlush:       50 * time.Millisecond,
		LiveBacklog:     64,
		LiveHeartbeat:   10 * time.Second,
		WriteTimeout:    10 * time.Second,
		SessionLifetime: 12 * time.Hour,
		MaxSessions:     1000,
		StopGrace:       3 * time.Second,
	}
}

// Validate reports every fault at once, each as "key: what is wrong and what to do".
func (c Config) Validate() error {
	var faults []error
	fault := func(key, format string, args ...any) {
		faults = append(faults, fmt.Errorf(key+": "+format, args...))
	}
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		fault("listen", "%q is not host:port; use for instance 127.0.0.1:8080", c.Listen)
	}
	if (c.TLSCertFile == "") != (c.TLSKeyFile == "") {
		fault("tls_cert_file", "a certificate and a key go together; set http.tls_key_file as well, or neither")
	}
	if err == nil && !isLoopback(host) && c.TLSCertFile == "" {
		fault("listen", "%s can be reached from outside this machine, which needs TLS; set http.tls_cert_file and http.tls_key_file, or listen on 127.0.0.1", c.Listen)
	}
	for _, name := range c.Names {
		if name == "" || strings.ContainsAny(name, ":/@ *") {
			fault("names", "%q is not a host name; give it without scheme and port, for instance lamppost.example", name)
		}
	}
	if c.CityName == "" || len(c.CityName) > 200 {
		fault("city_name", "it has %d bytes; give the city a name of 1 to 200", len(c.CityName))
	}
	if _, err := time.LoadLocation(c.CityZone); err != nil || c.CityZone == "" || c.CityZone == "Local" {
		fault("city_zone", "%q is not an IANA time zone; use for instance Europe/Lisbon", c.CityZone)
	}
	return errors.Join(append(faults, c.limitFaults()...)...)
}

// limitFaults checks every number of the configuration against its sane range.
func (c Config) limitFaults() []error {
	var faults []error
	for _, l := range []struct {
		key        string
		value      int64
		least, top int64
	}{
		{"max_connections", int64(c.MaxConnections), 8, 100_000},
		{"max_query_bytes", int64(c.MaxQueryBytes), 256, 64 << 10},
		{"max_body_bytes", c.MaxBodyBytes, 1 << 10, 64 << 20},
		{"max_import_bytes", c.MaxImportBytes, 1 << 10, 1 << 30},
		{"max_plan_bytes", c.MaxPlanBytes, 1 << 10, 1 << 30},
		{"max_latest", int64(c.MaxLatest), 1, 10_000_000},
		{"max_queries", int64(c.MaxQueries), 1, 1000},
		{"max_live_clients", int64(c.MaxLiveClients), 1, 100_000},
		{"live_backlog", int64(c.LiveBacklog), 1, 10_000},
		{"max_sessions", int64(c.MaxSessions), 1, 1_000_000},
	} {
		if l.value < l.least || l.value > l.top {
			faults = append(faults, fmt.Errorf("%s: %d is out of range; use %d to %d", l.key, l.value, l.least, l.top))
		}
	}
	for _, d := range []struct {
		key        string
		value      time.Duration
		least, top time.Duration
	}{
		{"figure_age", c.FigureAge, time.Second, 366 * 24 * time.Hour},
		{"query_wait", c.QueryWait, 0, time.Minute},
		{"query_timeout", c.QueryTimeout, 100 * time.Millisecond, 10 * time.Minute},
		{"audit_timeout", c.AuditTimeout, 100 * time.Millisecond, time.Hour},
		{"live_flush", c.LiveFlush, 0, time.Second},
		{"live_heartbeat", c.LiveHeartbeat, 10 * time.Millisecond, 15 * time.Second},
		{"write_timeout", c.WriteTimeout, 10 * time.Millisecond, 10 * time.Minute},
		{"session_lifetime", c.SessionLifetime, time.Second, 90 * 24 * time.Hour},
		{"stop_grace", c.StopGrace, 0, time.Minute},
	} {
		if d.value < d.least || d.value > d.top {
			faults = append(faults, fmt.Errorf("%s: %s is out of range; use %s to %s", d.key, d.value, d.least, d.top))
		}
	}
	return faults
}

// onLoopback tells whether only this machine can reach the address.
func (c Config) onLoopback() bool {
	host, _, err := net.SplitHostPort(c.Listen)
	return err == nil && isLoopback(host)
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}
