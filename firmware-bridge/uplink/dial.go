package uplink

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/url"
	"os"
)

func joinHostPort(host, port string) string { return net.JoinHostPort(host, port) }

// tlsConfig is nil for a plain connection.
func tlsConfig(u *url.URL, caFile string) (*tls.Config, error) {
	if u.Scheme != "mqtts" {
		return nil, nil
	}
	cfg := &tls.Config{ServerName: u.Hostname(), MinVersion: tls.VersionTLS12}
	if caFile == "" {
		return cfg, nil
	}
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return nil, fmt.Errorf("read the broker's certificate authority: %w", err)
	}
	cfg.RootCAs = x509.NewCertPool()
	if !cfg.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("read the broker's certificate authority: %s holds no PEM certificate", caFile)
	}
	return cfg, nil
}

// dial opens the network connection, with TLS where secure is set.
func dial(ctx context.Context, address string, secure *tls.Config) (net.Conn, error) {
	if secure == nil {
		var d net.Dialer
		return d.DialContext(ctx, "tcp", address)
	}
	d := tls.Dialer{Config: secure}
	return d.DialContext(ctx, "tcp", address)
}
