package influx

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/lamppost-city/lamppost/internal/secret"
)

// Config says which InfluxDB to speak to and how.
type Config struct {
	// URL is the server's base address, such as http://127.0.0.1:8086. A path in it is kept (a reverse proxy).
	URL string `mapstructure:"url"`
	// Token is the API token; for 1.8 it is "user:password". Empty sends none.
	Token secret.String `mapstructure:"token"`
	// Org is the organisation's name in 2.x; other versions ignore it.
	Org string `mapstructure:"org"`
	// Bucket is the bucket; "database/policy" for 1.8 and for a 2.x database mapping, the database for 3.
	Bucket string `mapstructure:"bucket"`
	// Timeout bounds one write, from the first byte sent to the last received.
	Timeout time.Duration `mapstructure:"timeout"`
	// QueryTimeout bounds one query, its whole answer included.
	QueryTimeout time.Duration `mapstructure:"query_timeout"`
	// GzipLevel is how hard written bodies are compressed: 1 (fast) to 9 (small), 0 for not at all. With 0 answers are
	// not compressed either: on loopback that saves more time than it costs.
	GzipLevel int `mapstructure:"gzip_level"`
	// MaxResponseBytes bounds the answer of Query as a whole, and each part of an answer that is streamed.
	MaxResponseBytes int64 `mapstructure:"max_response_bytes"`
	// MaxConnections bounds the connections to the server; a request beyond it waits for one that is free.
	MaxConnections int `mapstructure:"max_connections"`
}

// DefaultConfig returns a configuration in which only URL, Token, Org and Bucket are missing.
func DefaultConfig() Config {
	return Config{
		Timeout:          30 * time.Second,
		QueryTimeout:     time.Minute,
		GzipLevel:        1,
		MaxResponseBytes: 64 << 20,
		MaxConnections:   16,
	}
}

// Validate returns all faults of c, each with its key.
func (c Config) Validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }

	u, err := url.Parse(c.URL)
	switch {
	case c.URL == "":
		fault("url: is missing; set the address of the InfluxDB, such as http://127.0.0.1:8086")
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		fault("url: %q is not an address of the form http://host:port or https://host:port", c.URL)
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		fault("url: holds a user, a query or a fragment; leave only scheme, host, port and path, and use token for credentials")
	}
	if strings.ContainsAny(c.Token.Reveal(), "\r\n") {
		fault("token: holds a line break; remove it")
	}
	if database, _ := databaseAndPolicy(c.Bucket); database == "" {
		fault("bucket: is missing; set the bucket, or database/policy for InfluxDB 1.8")
	}
	if c.Timeout <= 0 {
		fault("timeout: is %s; set a positive duration such as 30s", c.Timeout)
	}
	if c.QueryTimeout <= 0 {
		fault("query_timeout: is %s; set a positive duration such as 1m", c.QueryTimeout)
	}
	if c.GzipLevel < 0 || c.GzipLevel > 9 {
		fault("gzip_level: is %d; set 1 to 9, or 0 for no compression", c.GzipLevel)
	}
	if c.MaxResponseBytes < 1<<10 {
		fault("max_response_bytes: is %d; set at least 1024", c.MaxResponseBytes)
	}
	if c.MaxConnections < 1 {
		fault("max_connections: is %d; set at least 1", c.MaxConnections)
	}
	return errors.Join(faults...)
}

// databaseAndPolicy splits a bucket the way in which 1.8, 2.x and 3 map it to InfluxQL's names.
func databaseAndPolicy(bucket string) (database, policy string) {
	database, policy, _ = strings.Cut(bucket, "/")
	return database, policy
}
