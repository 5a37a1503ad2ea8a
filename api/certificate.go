package api

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certificate is a pair of PEM files that may be renewed while it is in use.
type certificate struct {
	certFile, keyFile string
	log               *slog.Logger

	mu      sync.Mutex
	pair    *tls.Certificate
	changed time.Time // modification time of certFile when pair was read
	warned  time.Time // modification time of a certFile that could not be read
}

// load reads the files for the first time.
func (c *certificate) load() error {
	stat, err := os.Stat(c.certFile)
	if err != nil {
		return fmt.Errorf("read tls certificate: %w", err)
	}
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return fmt.Errorf("read tls certificate %s with key %s: %w", c.certFile, c.keyFile, err)
	}
	c.pair, c.changed = &pair, stat.ModTime()
	return nil
}

// get serves tls.Config.GetCertificate. Asking for the file's time costs little beside a handshake. Where a renewed file
// cannot be read, for instance because its key is still the old one, the old pair stays in use and the next handshake
// tries again.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	stat, err := os.Stat(c.certFile)
	if err != nil || stat.ModTime().Equal(c.changed) {
		return c.pair, nil
	}
	if err := c.load(); err == nil {
		c.log.Info("tls certificate renewed", "file", c.certFile)
	} else if !stat.ModTime().Equal(c.warned) {
		c.warned = stat.ModTime()
		c.log.Warn("tls certificate cannot be renewed, the old one stays in use", "error", err)
	}
	return c.pair, nil
}
