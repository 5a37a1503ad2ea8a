package api

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certificateCheck is how often a handshake looks whether the certificate's file has changed.
const certificateCheck = time.Minute

// certificate is a pair of PEM files that may be renewed while it is in use.
type certificate struct {
	certFile, keyFile string
	log               *slog.Logger

	mu      sync.Mutex
	pair    *tls.Certificate
	changed time.Time // modification time of certFile when pair was read
	checked time.Time
}

// load reads the files for the first time.
func (c *certificate) load() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.read(time.Now())
}

// read replaces the pair; the caller holds the lock.
func (c *certificate) read(now time.Time) error {
	c.checked = now
	stat, err := os.Stat(c.certFile)
	if err != nil {
		return fmt.Errorf("read tls certificate: %w", err)
	}
	if c.pair != nil && stat.ModTime().Equal(c.changed) {
		return nil
	}
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return fmt.Errorf("read tls certificate %s with key %s: %w", c.certFile, c.keyFile, err)
	}
	c.pair, c.changed = &pair, stat.ModTime()
	return nil
}

// get serves tls.Config.GetCertificate. Where a renewed file cannot be read the old certificate stays in use, and the
// next check tries again.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); now.Sub(c.checked) >= certificateCheck {
		if err := c.read(now); err != nil {
			c.log.Warn("keep the old tls certificate", "error", err)
		}
	}
	return c.pair, nil
}
