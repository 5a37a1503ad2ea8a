package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/lamppost-city/lamppost/internal/certificate"
	"github.com/lamppost-city/lamppost/internal/faults"
	"github.com/lamppost-city/lamppost/internal/listen"
)

// Validate reports every fault that the values alone have, each with its key.
func (c Config) Validate() error {
	all := []error{
		faults.Prefix("http", c.HTTP.Validate()), c.checkHTTPPort(),
		faults.Prefix("ingest", c.Ingest.Validate()),
		faults.Prefix("bridges", c.Bridges.Validate()),
		faults.Prefix("registry", c.Registry.Validate()),
		faults.Prefix("query", c.Query.Validate()),
		faults.Prefix("metrics", c.Metrics.Validate()),
		faults.Prefix("log", c.Log.Validate()),
		c.checkMetrics(),
	}
	if c.Data == "" {
		all = append(all, errors.New("data: must name a folder"))
	}
	if c.Demo < 0 || c.Demo > 20_000 {
		all = append(all, fmt.Errorf("demo: must be 0 to 20000 sensors, is %d", c.Demo))
	}
	if c.Demo > 0 && !c.Broker.Embedded {
		all = append(all, errors.New("demo: needs the embedded broker; use lamppost simulate with another one"))
	}
	if c.Demo > 0 && c.Broker.Server.TLS.CertFile != "" {
		all = append(all, errors.New("demo: publishes without TLS; leave broker.server.tls out, or start without it"))
	}
	if c.Broker.Embedded {
		all = append(all, c.checkBroker())
	}
	if c.Store.Embedded {
		all = append(all, faults.Prefix("store.server", c.Store.Server.Validate()))
	} else {
		all = append(all, faults.Prefix("store.influx", c.Store.Influx.Validate()))
	}
	return errors.Join(all...)
}

// checkHTTPPort says what the API leaves to whoever opens the address.
func (c Config) checkHTTPPort() error {
	if _, _, err := net.SplitHostPort(c.HTTP.Listen); err != nil {
		return nil //nolint:nilerr // the API has said so
	}
	if err := listen.Check(c.HTTP.Listen, "127.0.0.1:8080"); err != nil {
		return fmt.Errorf("http.listen: %w", err)
	}
	return nil
}

// checkMetrics wants a certificate where others can reach them.
func (c Config) checkMetrics() error {
	if c.Metrics.OnLoopback() || c.HTTP.TLSCertFile != "" || listen.Check(c.Metrics.Listen, "") != nil {
		return nil //nolint:nilerr // an address that is none is a fault of its own
	}
	return fmt.Errorf("metrics.listen: %s can be reached from outside this machine, which needs TLS; "+
		"set http.tls_cert_file and http.tls_key_file, which serve the metrics too, or listen on 127.0.0.1", c.Metrics.Listen)
}

// checkBroker tells the faults of what the embedded broker takes from ingest under the keys of ingest.
func (c Config) checkBroker() error {
	var all []error
	root, client := c.Ingest.Broker.TopicRoot != "", c.Ingest.Broker.ClientID != "" // else ingest has said so
	for _, fault := range faults.Split(c.Broker.Server.Validate()) {
		_, what, _ := strings.Cut(fault.Error(), ": ")
		switch {
		case strings.HasPrefix(fault.Error(), "topic_root: "):
			if root {
				all = append(all, fmt.Errorf("ingest.broker.topic_root: %s", what))
			}
			root = false // the subscription has it too
		case strings.HasPrefix(fault.Error(), "subscribers["):
			if root && client {
				all = append(all, fmt.Errorf("ingest.broker.client_id: %s", what))
			}
		default:
			all = append(all, fmt.Errorf("broker.server.%w", fault))
		}
	}
	return errors.Join(all...)
}

// checkStart reports what else would keep the configured parts from starting: certificates that cannot be read, and passwords that
// are missing. It makes nothing.
func (c Config) checkStart(ctx context.Context) error {
	var all []error
	if files := c.httpCertificate(); files.Cert != "" && files.Key != "" {
		if _, err := files.Read(); err != nil {
			all = append(all, fmt.Errorf("http.tls_cert_file: %w", err))
		}
	}
	if !c.Broker.Embedded {
		return errors.Join(all...)
	}
	server := c.Broker.Server
	if files := (certificate.Files{Cert: server.TLS.CertFile, Key: server.TLS.KeyFile}); files.Cert != "" && files.Key != "" {
		if _, err := files.Read(); err != nil {
			all = append(all, fmt.Errorf("broker.server.tls.cert_file: %w", err))
		}
	}
	if listen.Check(server.Listen, "") != nil || listen.OnLoopback(server.Listen) || c.Registry.Validate() != nil {
		return errors.Join(all...)
	}
	passwords, err := c.hasPasswords(ctx)
	if err != nil {
		return errors.Join(append(all, fmt.Errorf("data: see whether publishers have passwords: %w", err))...)
	}
	return errors.Join(append(all, c.checkBeyond(passwords))...)
}

// checkBeyond wants credentials and TLS for a broker that others can reach.
func (c Config) checkBeyond(passwords bool) error {
	var needs, do []string
	if !passwords {
		needs, do = append(needs, "credentials"), append(do, "give publishers passwords (lamppost publishers add, on the same data folder)")
	}
	if c.Broker.Server.TLS.CertFile == "" {
		needs, do = append(needs, "TLS"), append(do, "set broker.server.tls.cert_file and broker.server.tls.key_file")
	}
	if len(needs) == 0 {
		return nil
	}
	return fmt.Errorf("broker.server.listen: %s can be reached from outside this machine, which needs %s; %s, or listen on 127.0.0.1",
		c.Broker.Server.Listen, strings.Join(needs, " and "), strings.Join(do, " and "))
}

// hasPasswords says whether publishers have some. It opens the registry only where there is one.
func (c Config) hasPasswords(ctx context.Context) (bool, error) {
	// A folder that cannot be used is told of when it is.
	if _, err := os.Stat(filepath.Join(c.Data, registryFile)); err != nil || c.Data == "" {
		return false, nil //nolint:nilerr // see above
	}
	r, err := openRegistry(ctx, c)
	if err != nil {
		return false, err
	}
	return r.Required(), r.Close()
}

// httpCertificate is what the API, and metrics that others can reach, prove themselves with.
func (c Config) httpCertificate() certificate.Files {
	return certificate.Files{Cert: c.HTTP.TLSCertFile, Key: c.HTTP.TLSKeyFile}
}
