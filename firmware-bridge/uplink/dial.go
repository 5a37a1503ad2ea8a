package uplink

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"
)

func joinHostPort(host, port string) string { return net.JoinHostPort(host, port) }

// errFiles says that a file of the settings cannot be used.
var errFiles = errors.New("a file of the settings cannot be used")

// access is how a connection gets in. Its files are read for each connection: whoever mends them need not start anything
// again.
type access struct {
	password string
	secure   *tls.Config // nil for a plain connection
}

func (p *Publisher) access() (a access, err error) {
	a.password = p.password
	if p.cfg.PasswordFile != "" {
		text, err := os.ReadFile(p.cfg.PasswordFile)
		if err != nil {
			return a, fmt.Errorf("%w: read the password: %w", errFiles, err)
		}
		line, _, _ := strings.Cut(string(text), "\n")
		a.password = strings.TrimSuffix(line, "\r")
	}
	if p.url.Scheme != "mqtts" {
		return a, nil
	}
	if a.secure, err = p.tlsConfig(); err != nil {
		return a, fmt.Errorf("%w: %w", errFiles, err)
	}
	return a, nil
}

func (p *Publisher) tlsConfig() (*tls.Config, error) {
	cfg := &tls.Config{ServerName: p.url.Hostname(), MinVersion: tls.VersionTLS12}
	if file := p.cfg.CAFile; file != "" {
		pem, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read the broker's certificate authority: %w", err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("read the broker's certificate authority: %s holds no PEM certificate", file)
		}
	}
	if p.cfg.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(p.cfg.CertFile, p.cfg.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("read the own certificate from %s and %s: %w", p.cfg.CertFile, p.cfg.KeyFile, err)
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	if p.session.Date == nil {
		return cfg, nil
	}
	if date, known := p.session.Date(); known {
		cfg.Time = func() time.Time { return date }
	} else if p.cfg.TLSWithoutDate {
		cfg.InsecureSkipVerify = true // verifyUndated does it
		cfg.VerifyConnection = func(s tls.ConnectionState) error { return verifyUndated(s, cfg.RootCAs) }
	}
	return cfg, nil
}

// verifyUndated checks all of a certificate but whether it is valid yet, or still: as of the day on which the newest
// certificate of the chain became so.
func verifyUndated(s tls.ConnectionState, roots *x509.CertPool) error {
	if len(s.PeerCertificates) == 0 {
		return errors.New("the broker shows no certificate")
	}
	leaf := s.PeerCertificates[0]
	o := x509.VerifyOptions{Roots: roots, DNSName: s.ServerName, Intermediates: x509.NewCertPool(), CurrentTime: leaf.NotBefore}
	for _, c := range s.PeerCertificates[1:] {
		o.Intermediates.AddCert(c)
		if c.NotBefore.After(o.CurrentTime) {
			o.CurrentTime = c.NotBefore
		}
	}
	_, err := leaf.Verify(o)
	return err
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
